#!/bin/bash
# SPDX-License-Identifier: MIT
# A ram: disk that nobody kept over a restart: its guest waits, then loses it;
# it is never served zeroes in place of what it wrote.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read

start_pocketxen
start_daemon
px create g1 >"$T/created"
eg attach g1 xvda ram:8M
start_load g1 g1
moves g1
stop_daemon
assert_eq "$(mapped g1)" 0 'pages mapped after the stop'

start_daemon
wait_for '[ "$(disk_states 1)" = "6 1" ]'
assert_has "$(eg list --json | jq -r '.disks[].error')" \
        'the contents of ram:8M are lost'
assert_has "$(<"$DAEMON_LOG")" 'detach the disk and attach it anew'
assert_eq "$(served g1)" 0 'requests served from a new memory'

eg detach g1 xvda
rc=0
wait "${LOAD_PID[g1]}" || rc=$?
assert_eq $rc 1 'status of the load'
LOAD=$(<"$T/load-g1.json")
assert_num "$(load_field errors)" -gt 0 'errors'
assert_eq "$(load_field mismatches)" 0 'blocks with wrong content'

eg attach g1 xvda ram:8M
start_load again g1
moves g1
end_load again
stop_daemon
