#!/bin/bash
# SPDX-License-Identifier: MIT
# evergrantd is killed in the middle of requests: nothing of it stays mapped,
# the frontend library connects anew and sends again what had no answer.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read

start_pocketxen
start_daemon --io-threads 2
for dom in persistent map; do
        px create "$dom" >"$T/created"
        truncate -s 8M "$T/$dom.img"
        eg attach "$dom" xvda "$T/$dom.img" --grants "$dom"
        start_load "$dom" "$dom"
done
for _ in $(seq 3); do
        moves persistent
        moves map
        kill_daemon
        for dom in persistent map; do
                wait_for "[ \"\$(mapped $dom)\" = 0 ]"
        done
        start_daemon
        for dom in persistent map; do
                wait_for "[ \"\$(served $dom)\" -gt 0 ]"
        done
done
for dom in persistent map; do
        end_load "$dom"
        assert_num "$(load_field reconnects)" -ge 1 "reconnects of $dom"
        assert_num "$(load_field resubmitted)" -ge 1 "sent again by $dom"
done

# Nothing in flight: what the dead one left is safe to go on with.
px create quiet >"$T/created"
truncate -s 8M "$T/quiet.img"
eg attach quiet xvda "$T/quiet.img"
start_load quiet quiet
moves quiet
kill -STOP "${LOAD_PID[quiet]}"
# What it put on the ring and could not tell before it was stopped is found by
# the look for lost events, each half second.
before=-1
until [ "$before" = "$(served quiet)" ]; do
        before=$(served quiet)
        sleep 1.5
done
wait_for '[ "$(counter quiet xvda inflight)" = 0 ]'
kill_daemon
start_daemon
kill -CONT "${LOAD_PID[quiet]}"
wait_for '[ "$(served quiet)" -gt 0 ]'
end_load quiet
assert_has "$(<"$DAEMON_LOG")" 'the former evergrantd did not stop cleanly'
assert_eq "$(load_field reconnects)" 0 'reconnects of a quiet ring'
stop_daemon
