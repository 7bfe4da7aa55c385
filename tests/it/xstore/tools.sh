#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's own xenstore tools and Xen's test-xenstore, unmodified, against our
# store: as Domain-0, and as a domain that may do little.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/server.sh"
need xenstore-ls xenstore-read xenstore-write xenstore-rm xenstore-list \
        xenstore-exists xenstore-chmod xenstore-watch

TEST_XENSTORE=
for at in /usr/lib/xen-*/bin/test-xenstore; do
        [ ! -x "$at" ] || TEST_XENSTORE=$at
done
[ -n "$TEST_XENSTORE" ] || skip "no test-xenstore here (Debian's xen-utils)"

start_xenstore

say "write, read, list, exists, rm"
dom 0 xenstore-write /it/a one /it/b/c "two words" /it/empty ''
assert_eq "$(dom 0 xenstore-read /it/a /it/b/c)" $'one\ntwo words'
assert_eq "$(dom 0 xenstore-read /it/empty)" ''
assert_eq "$(dom 0 xenstore-list /it)" $'a\nb\nempty'
dom 0 xenstore-exists /it/b/c
assert_status 1 dom 0 xenstore-exists /it/none
assert_status 1 dom 0 xenstore-read /it/none
assert_has "$OUT" "couldn't read path /it/none"
dom 0 xenstore-rm /it/b/c
assert_status 1 dom 0 xenstore-exists /it/b/c
dom 0 xenstore-exists /it/b
dom 0 xenstore-write /it/t/t/t/x 1
dom 0 xenstore-rm -t /it/t/t/t/x # and the parents that are empty now
assert_status 1 dom 0 xenstore-exists /it/t

say "nothing can be given to a domain that is not there"
assert_status 1 dom 0 xenstore-chmod /it/a n77
dom 0 xenstore-chmod /it/a n2
dom 0 xenstore-chmod /it/a n0

say "ls: tree, full paths, permissions"
dom 0 xenstore-write /it/b/c two
dom 0 xenstore-chmod -r /it/b n1 r2
assert_eq "$(dom 0 xenstore-ls /it)" \
        $'a = "one"\nb = ""\n c = "two"\nempty = ""'
assert_eq "$(dom 0 xenstore-ls -f -p /it | sed 's/[ .]*(/ (/')" \
        $'/it/a = "one" (n0)\n/it/b = "" (n1,r2)\n/it/b/c = "two" (n1,r2)\n/it/empty = "" (n0)'

say "a directory of more than one message"
for i in $(seq 400); do
        set -- "$@" "/it/big/entry-number-$i" "$i"
done
dom 0 xenstore-write "$@"
set --
assert_eq "$(dom 0 xenstore-list /it/big | sort -u | wc -l)" 400
assert_eq "$(dom 0 xenstore-ls /it/big | tail -n 1)" 'entry-number-400 = "400"'

say "watch"
dom 0 stdbuf -oL xenstore-watch -n 4 /it/w /it/v >"$T/watch.out" &
watcher=$!
# shellcheck disable=SC2016 # expanded by wait_for
wait_for '[ "$(wc -l <"$T/watch.out")" -eq 2 ]' # each fires when it is set
dom 0 xenstore-write /it/elsewhere 1
dom 0 xenstore-write /it/w/x 1
dom 0 xenstore-rm /it/w
wait "$watcher"
assert_eq "$(cat "$T/watch.out")" $'/it/w\n/it/v\n/it/w/x\n/it/w'

say "an ordinary domain: what it may not"
dom 0 xenstore-write /it/d1 mine /it/closed secret
dom 0 xenstore-chmod /it/d1 n1 r2
for path in /it/closed /it/closed/none /none; do
        assert_status 1 dom 1 xenstore-read "$path"
done
assert_status 1 dom 1 xenstore-write /it/closed x
assert_status 1 dom 1 xenstore-write /it/new x
assert_status 1 dom 1 xenstore-rm /it/closed
assert_status 1 dom 1 xenstore-list /it
assert_status 1 dom 1 xenstore-chmod /it/closed n1
assert_has "$OUT" "Permission denied"
assert_status 1 dom 1 xenstore-chmod /it/d1 n2
assert_has "$OUT" "Operation not permitted"
assert_status 1 dom 2 xenstore-write /it/d1/x x
assert_status 1 dom 2 xenstore-chmod /it/d1 b2

say "and what it may"
dom 1 xenstore-write /it/d1/x/y z
assert_eq "$(dom 1 xenstore-ls -p /it/d1 | sed 's/[ .]*(/ (/')" \
        $'x = "" (n1,r2)\n y = "z" (n1,r2)'
assert_eq "$(dom 2 xenstore-read /it/d1/x/y)" z
dom 1 xenstore-chmod /it/d1/x n1
assert_status 1 dom 2 xenstore-read /it/d1/x
dom 1 xenstore-rm /it/d1/x
dom 0 xenstore-write /local/domain/1/it r
dom 0 xenstore-chmod /local/domain/1/it n1
dom 1 xenstore-write it/below v
assert_eq "$(dom 0 xenstore-read /local/domain/1/it/below)" v

say "its quotas"
long=$(printf 'v%.0s' $(seq 2048))
assert_status 1 dom 1 xenstore-write /it/d1/long "$long"
dom 0 xenstore-write /it/d0/long "$long"
quota_reached=
for i in $(seq 0 10); do
        batch=()
        for k in $(seq 99); do
                batch+=("/it/d1/q$i/$k" x)
        done
        # One transaction each: all or nothing.
        if ! dom 1 xenstore-write "${batch[@]}" 2>"$T/quota.err"; then
                quota_reached=$i
                break
        fi
done
[ -n "$quota_reached" ] || fail "no limit of nodes was met"
assert_num "$quota_reached" -ge 9 "batches of 100 nodes before the limit"
assert_status 1 dom 1 xenstore-exists "/it/d1/q$quota_reached"
dom 1 xenstore-rm /it/d1/q0
dom 1 xenstore-write "${batch[@]}"

say "Xen's test-xenstore"
dom 0 "$TEST_XENSTORE" -i 50
dom 0 "$TEST_XENSTORE" -r "${XSTORE_RANDOM_S:-5}"

say "nothing is left behind"
dom 0 xenstore-rm /it
dom 0 xenstore-rm /local/domain/1/it
dom 0 xenstore-ls -f >"$T/end"
assert_status 1 grep -E '/it|test' "$T/end"
stop_xenstore

if [ "$XSTORE_SERVER" = pocketxen ] && [ ! -e /dev/xen/xenbus ]; then
        say "and once more in a pocketxen of its own"
        POCKETXEN_DIR=$T/own px run -- "$TEST_XENSTORE" -r 2
fi
