#!/bin/bash
# SPDX-License-Identifier: MIT
# After SIGKILL a ring without unanswered requests goes on; one with them is
# closed, and a frontend that can connects anew. Neither reads wrong data.
. "$(dirname "$0")/daemon.sh"

start_pocketxen
px create --mem 32M g1 >/dev/null
start_daemon
truncate -s 4M "$T/a.img" "$T/b.img"
eg attach g1 xvda "$T/a.img" >/dev/null
eg attach g1 xvdb "fault:write-delay-ms=3600000@40-80:$T/b.img" >/dev/null
guest g1 quiet xvda hold=1
guest g1 busy xvdb order=1
wait_for '[ "$(counter g1 xvdb inflight)" -ge 1 ]'
wait_for '[ "$(counter g1 xvda inflight)" = 0 ]'
kill_daemon
assert_eq "$(node $BACK/1/51712/state)" 4 "state after the crash"
assert_eq "$(node $BACK/1/51712/eg-stopped)" absent "the mark"
# The disk that stood still does not the second time: writes are counted anew.
xs write $BACK/1/51728/params "$T/b.img"
start_daemon
wait_for 'grep -q "xvda: serves the live ring again" $DAEMON_LOG'
wait_for 'grep -q "xvdb: .*unanswered" $DAEMON_LOG'
wait_for 'lists "xvdb.*Connected"'
end_guest quiet
end_guest busy
assert_eq "$(grep -c 'xvda: connected' "$DAEMON_LOG")" 1 \
        "how often the quiet disk was connected"
assert_eq "$(grep -c 'xvdb: connected' "$DAEMON_LOG")" 2 \
        "how often the busy disk was connected"
stop_daemon
