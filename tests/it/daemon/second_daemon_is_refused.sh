#!/bin/bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/daemon.sh"

start_pocketxen
start_daemon
say "on the same socket"
assert_status 1 px exec 0 -- "$EVERGRANTD"
assert_has "$OUT" "another evergrantd is running"
eg list >/dev/null
say "the socket of a dead one is replaced"
kill_daemon
[ -S "$EVERGRANT_SOCKET" ] || fail "no stale socket to replace"
start_daemon
say "mistakes on the command line"
for bad in --nope --io-threads=0 --io-threads=x --map-budget=-1 \
        --idle-seconds= --log-level=loud extra; do
        assert_status 2 px exec 0 -- "$EVERGRANTD" "$bad"
done
assert_status 0 px exec 0 -- "$EVERGRANTD" --help
assert_has "$OUT" --map-budget
assert_status 0 px exec 0 -- "$EVERGRANTD" --version
say "no xenstore"
assert_status 1 env XENSTORED_PATH="$T/nothing" "$EVERGRANTD" \
        --socket "$T/other.sock"
assert_has "$OUT" "pocketxen run"
stop_daemon
[ ! -e "$EVERGRANT_SOCKET" ] || fail "the socket stays after a clean end"
