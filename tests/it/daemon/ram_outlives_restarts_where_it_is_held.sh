#!/bin/bash
# SPDX-License-Identifier: MIT
# A ram: disk keeps its bytes over 20 restarts and a crash while something holds
# its memory, and is refused, not served as zeroes, where nothing does.
. "$(dirname "$0")/daemon.sh"

restarts() {
        wc -l < <(grep ready "$T/keeper.out")
}

start_pocketxen
px create --mem 32M g1 >/dev/null
mkfifo "$T/orders"
"$POCKETXEN" exec 0 -- "$TOOLS/it-daemon-keeper" "$T/notify" "$EVERGRANTD" \
        <"$T/orders" >"$T/keeper.out" 2>>"$DAEMON_LOG" &
keeper=$!
exec 7>"$T/orders"
wait_for '[ "$(restarts)" = 1 ]'
eg attach g1 xvda ram:4M >/dev/null
eg attach g1 xvdb ram:4M --grants copy >/dev/null
guest g1 a xvda
guest g1 b xvdb order=2
say "20 restarts under load"
for n in $(seq 20); do
        echo restart >&7
        wait_for "[ \"\$(restarts)\" = $((n + 1)) ]"
        sleep 0.05
done
assert_eq "$(grep -c '^ended 0$' "$T/keeper.out")" 20 "clean ends"
end_guest a
end_guest b
say "a crash while the guest does nothing"
guest g1 a xvda hold=1
wait_for '[ "$(counter g1 xvda writes)" = 1 ] && [ "$(counter g1 xvda inflight)" = 0 ]'
echo kill >&7
wait_for '[ "$(restarts)" = 22 ]'
wait_for 'lists "xvda.*Connected"'
end_guest a
say "a restart with nobody to hold the memory"
guest g1 a xvda
exec 7>&-
wait $keeper
assert_eq "$(node $BACK/1/51712/eg-stopped)" clean "the mark"
assert_eq "$(node $BACK/1/51712/state)" 4 "the state while nobody serves"
start_daemon
wait_for '[ "$(node $BACK/1/51712/state)" = 6 ]'
assert_has "$(node $BACK/1/51712/hotplug-error)" "contents of ram:4M are lost"
assert_has "$(eg list)" "contents of ram:4M are lost"
kill "${GUESTS[a]}" 2>/dev/null || true
eg detach g1 xvda >/dev/null
assert_unmapped g1
stop_daemon
