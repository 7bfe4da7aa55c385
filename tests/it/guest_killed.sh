#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests die in the middle of their requests, again and again: what was theirs
# is let go, and their neighbour sees no error.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read

start_pocketxen
start_daemon --io-threads 2
px create neighbour >"$T/created"
truncate -s 8M "$T/neighbour.img" "$T/victim.img"
eg attach neighbour xvda "$T/neighbour.img"
start_load neighbour neighbour
moves neighbour

check_gone() {
        wait_for "[ \"\$(px list --json | jq '.domains | length')\" = 2 ]"
        wait_for "[ \"\$(eg list --json | jq '.disks | length')\" = 1 ]"
        [[ "$(nodes)" != */"$id"[\ /]* ]] || fail "nodes of domain $id: $(nodes)"
        assert_eq "$(threads_of "$DAEMON_PID")" "$threads" threads
        if [ "$round" -gt 2 ]; then
                wait_for "[ \"\$(fds_of $DAEMON_PID)\" -le $fds ]"
        fi
}

threads=$(threads_of "$DAEMON_PID") fds=0
for round in $(seq 10); do
        id=$(px create victim)
        eg attach victim xvda "$T/victim.img" >"$T/attached"
        start_load victim victim
        moves victim
        if [ $((round % 2)) = 1 ]; then
                # Only its process; the next one connects anew.
                kill_load victim
                start_load victim victim
                moves victim
        fi
        px destroy victim
        wait "${LOAD_PID[victim]}" 2>/dev/null || true
        check_gone
        now=$(fds_of "$DAEMON_PID")
        if [ "$round" -le 2 ] && [ "$now" -gt "$fds" ]; then
                fds=$now
        fi
done
say "10 guests died; $fds descriptors, $threads threads"
moves neighbour
end_load neighbour
assert_eq "$(load_field reconnects)" 0 'reconnects of the neighbour'
stop_daemon
