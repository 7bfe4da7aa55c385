#!/bin/bash
# SPDX-License-Identifier: MIT
# Ghost-free: attach, load, SIGKILL of the frontend or of the daemon, detach; no
# node, map, port, lock or file is left. Whole: EG_ROUNDS=20.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/../../it/life.sh"
. "$(dirname "$0")/zombie.sh"

# Everything that is there besides the daemon's and the server's own.
leftovers() {
        nodes
        find "$T" -name '*.lock' -o -path "$T/px/*" | sort
        find /dev/shm -maxdepth 1 -user "$(id -u)" -name '*evergrant*'
        zombie_state
        # OFD locks of the image, whoever has them.
        grep -c ":$(stat -c %i "$T/a.img") " /proc/locks || true
}

start_pocketxen
start_daemon
truncate -s 8M "$T/a.img"
restarted=0
zombie_baseline
first=$(leftovers)
for round in $(seq "${EG_ROUNDS:-6}"); do
        px create g1 >"$T/created"
        eg attach g1 xvda "$T/a.img" --grants persistent >"$T/said"
        eg attach g1 xvdb ram:8M --grants map --queues 2 >"$T/said"
        start_load a g1
        start_load b g1 --vdev xvdb
        moves g1 xvda
        moves g1 xvdb
        # The frontend's program; the daemon too, before or after it.
        [ $((round % 6)) -ne 0 ] || kill_daemon
        kill_load a
        [ $((round % 6)) -ne 3 ] || kill_daemon
        kill_load b
        if [ -z "$DAEMON_PID" ]; then
                start_daemon
                restarted=1
        fi
        eg detach g1 xvda >"$T/said" 2>&1 || fail "detach: $(<"$T/said")"
        eg detach g1 xvdb >"$T/said" 2>&1 || fail "detach: $(<"$T/said")"
        assert_eq "$(mapped g1)" 0 "pages mapped after round $round"
        px destroy g1
        wait_for '[ "$(px list --json | jq ".domains | length")" = 1 ]'
        for _ in $(seq 100); do
                now=$(leftovers)
                [ "$now" != "$first" ] || break
                [ $restarted = 0 ] || break
                sleep 0.05
        done
        assert_eq "$(tail -n 1 <<<"$now")" 0 "locks after round $round"
        assert_eq "$(xs ls /local/domain/0/backend/evergrant)" "" "disks"
        if [ $restarted = 1 ]; then
                zombie_baseline
                first=$(leftovers)
                restarted=0
        else
                assert_eq "$now" "$first" "what is there after round $round"
        fi
done
stop_daemon
