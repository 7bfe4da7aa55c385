#!/bin/bash
# SPDX-License-Identifier: MIT
# What the user gets wrong: a sentence that says what to do, the right exit
# status, and nothing left behind in xenstore.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read qemu-io qemu-nbd

# refuse STATUS 'PART OF THE MESSAGE' ARG…: evergrant with ARG.
refuse() {
        local status=$1 part=$2
        shift 2
        before=$(nodes)
        assert_status "$status" eg "$@"
        assert_has "$OUT" "$part" "the answer to: $*"
        # evergrantd takes its error message back when it has seen the end.
        wait_for '[ "$(nodes)" = "$before" ]'
}

say "without a pocketxen, with a stale one, with two"
assert_status 1 px list
assert_has "$OUT" "no pocketxen in $POCKETXEN_DIR (pocketxen start, or"
for command in "$EVERGRANT attach 1 xvda ram:8M" "$EVERGRANT detach 1 xvda" \
        "$EVERGRANTD --socket $T/other.sock"; do
        # shellcheck disable=SC2086 # a command
        assert_status 1 env XENSTORED_PATH="$T/none" $command
        assert_has "$OUT" 'cannot reach xenstore' "$command"
        assert_has "$OUT" 'use `pocketxen run -- CMD`' "$command"
done
start_pocketxen
assert_status 1 px start --beside-xen
assert_has "$OUT" "pocketxen runs already in $POCKETXEN_DIR (pocketxen stop"
kill -KILL "$(server_pid)"
wait_for '! px list'
start_pocketxen
px create g1 >"$T/created"

say "without a daemon"
[ ! -e "$EVERGRANT_SOCKET" ]
refuse 1 'evergrantd is not running: there is no control socket' \
        attach g1 xvda ram:8M
refuse 1 'evergrantd is not running: there is no control socket' list
refuse 1 'evergrantd is not running: there is no control socket' stat
start_daemon
kill_daemon
refuse 1 'was left by one that has ended' attach g1 xvda ram:8M
start_daemon
assert_status 1 px exec 0 -- "$EVERGRANTD"
assert_has "$OUT" "another evergrantd is running on $EVERGRANT_SOCKET"

say "usage"
assert_status 0 eg --help
assert_status 0 eg attach --help
assert_has "$OUT" 'Usage: evergrant attach DOM VDEV TARGET'
refuse 2 'no command given; there are attach, detach, resize, list and stat'
refuse 2 'unknown command "atach"; there are attach' atach
refuse 2 'unknown option --fast' attach g1 xvda ram:8M --fast
refuse 2 'there is no such MODE; it is auto, persistent, map or copy' \
        attach g1 xvda ram:8M --grants fast
refuse 2 '--ring-order "5" is no whole number from 0 to 4' \
        attach g1 xvda ram:8M --ring-order 5
refuse 2 '--ring-order needs a value: --ring-order N' \
        attach g1 xvda ram:8M --ring-order
refuse 2 '"xyz" is no' attach g1 xyz ram:8M
refuse 2 'attach' attach g1 xvda
refuse 2 'attach' attach g1 xvda ram:8M more
for driver in nbd:1 rbd:pool/image nbd+unix:///x foo:1; do
        refuse 2 "this version has no driver ${driver%%:*}:, it has ram:SIZE" \
                attach g1 xvda $driver
done
refuse 2 '"ram:lots": "lots" is no size' attach g1 xvda ram:lots
refuse 2 '"ram:1000": the size is no multiple of 512 bytes' \
        attach g1 xvda ram:1000
refuse 2 '"ram:0": "0" is no size' attach g1 xvda ram:0
refuse 2 'the target is empty' attach g1 xvda ''
refuse 2 'it is fault:RULES:TARGET' attach g1 xvda fault:ram
refuse 1 'is no rule; rules look like' attach g1 xvda fault:x=1:ram:8M

say "who and where"
refuse 1 "there is no domain called 'g2'; there are 0 (Domain-0), 1 (g1)" \
        attach g2 xvda ram:8M
refuse 1 'there is no domain with the id 7' attach 7 xvda ram:8M
refuse 1 'xvda is not attached to g1; `evergrant list` shows what is' \
        detach g1 xvda
refuse 1 "there is no domain called 'g2'" detach g2 xvda
refuse 1 'g2' stat g2
refuse 1 'there is no such disk' stat g1 xvda
eg attach g1 xvda ram:8M
refuse 1 'xvda of domain 1 is taken: evergrantd has ram:8M there' \
        attach g1 xvda ram:8M
refuse 1 'is taken' attach g1 51712 ram:8M

say "targets"
cd "$T"
mkdir dir
truncate -s 1M image
truncate -s 1000 odd
: >empty
mkfifo fifo
refuse 1 "$T/none does not exist; make an image with: truncate -s 10G" \
        attach g1 xvdb none
refuse 1 "$T/dir is a directory; give an image file in it" attach g1 xvdb dir
refuse 1 "$T/fifo is neither a regular file nor a block device" \
        attach g1 xvdb fifo
refuse 1 "$T/odd" attach g1 xvdb odd
assert_has "$OUT" 'multiple of 512'
refuse 1 "$T/empty" attach g1 xvdb empty
refuse 1 'is neither a regular file' attach g1 xvdb /dev/null

say "in use"
eg attach g1 xvdb image
refuse 1 "$T/image is in use for writing" attach g1 xvdc image
refuse 1 "$T/image is in use for writing" attach g1 xvdc image --readonly
assert_status 1 qemu-io -f raw -c 'write 0 512' image
assert_has "$OUT" 'lock'
eg detach g1 xvdb
eg attach g1 xvdb image --readonly
eg attach g1 xvdc image --readonly
refuse 1 "$T/image is in use, by another program" attach g1 xvdd image
assert_has "$OUT" 'or attach with --readonly'
eg detach g1 xvdb
eg detach g1 xvdc
qemu-nbd -f raw -k "$T/nbd.sock" --fork --pid-file "$T/nbd.pid" image
refuse 1 "$T/image is in use" attach g1 xvdb image
kill "$(<nbd.pid)"
wait_for '! kill -0 "$(<$T/nbd.pid)"'
eg attach g1 xvdb image
eg detach g1 xvdb
eg detach g1 xvda
stop_daemon

say "permissions"
chmod 444 image
chmod 000 odd
mkdir -m 000 closed
if setpriv --bounding-set -dac_override,-dac_read_search true 2>/dev/null; then
        # root's powers over files would hide all this
        printf '%s\n' '#!/bin/sh' "exec setpriv --bounding-set \
                -dac_override,-dac_read_search '$EVERGRANTD' \"\$@\"" >daemon
        chmod +x daemon
        EVERGRANTD=$T/daemon
fi
start_daemon
refuse 1 "$T/image can be read but not written (Permission denied); attach" \
        attach g1 xvda image
eg attach g1 xvda image --readonly
refuse 1 "$T/odd cannot be read: Permission denied; change its" \
        attach g1 xvdb odd
refuse 1 "$T/odd cannot be read" attach g1 xvdb odd --readonly
refuse 1 "$T/closed/image cannot be reached: permission denied" \
        attach g1 xvdb closed/image
eg detach g1 xvda
stop_daemon
