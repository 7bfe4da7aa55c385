#!/bin/bash
# SPDX-License-Identifier: MIT
# pocketxen answers what real Xen answered (tests/xen/same/xen-4.17.txt; make
# xen-test compares that with Xen): grants, copies, events, xenstore, and what
# needs two domains, up to the death of one.
. "$(dirname "$0")/../../it/lib.sh"
here=$EG_SOURCE/tests/xen/same
observe=$EG_BUILD/tests/xen/same/observe

# same NAME GOT
same() {
        diff -u "$here/xen-4.17$1.txt" "$2" ||
                fail "pocketxen (+) answers otherwise than Xen (-)"
}

start_pocketxen
say "one domain with itself"
px exec 0 -- "$observe" self >"$T/self.txt"
same "" "$T/self.txt"

say "two domains"
px create g1 >/dev/null
px exec 0 -- xenstore-write /local/domain/0/eg-secret 1
"$POCKETXEN" exec g1 -- "$observe" guest >"$T/guest.txt" &
guest=$!
"$POCKETXEN" exec 0 -- "$observe" death "$(domid g1)" >"$T/death.txt" &
death=$!
wait_for "grep -q 'now: destroy the guest' $T/death.txt"
px destroy g1
wait $death
kill $guest 2>/dev/null || true
wait $guest || true
cat "$T/guest.txt" "$T/death.txt" >"$T/two.txt"
same -two "$T/two.txt"
