#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest that writes a watched node without end (XSA-349) costs the daemon no
# memory and the neighbour nothing; the last state counts.
. "$(dirname "$0")/daemon.sh"
F=/local/domain/1/device/vbd/51712

rss_kb() {
        awk '/VmRSS/ { print $2 }' "/proc/$1/status"
}

start_pocketxen
px create --mem 32M g1 >/dev/null
px create --mem 32M g2 >/dev/null
start_daemon
eg attach g1 xvda ram:4M >/dev/null
eg attach g2 xvda ram:4M >/dev/null
guest g2 neighbour xvda
flood() {
        for i in $(seq 4000); do
                echo "$F/state $((i % 9))"
        done | px exec g1 -- xargs -n 400 xenstore-write
}
flood
pid=$(eg stat --json | jq .daemon.pid)
before=$(rss_kb "$pid")
for _ in 1 2 3; do flood; done
assert_num "$(rss_kb "$pid")" -le $((before + 2048)) "KiB of memory after it"
say "the last state counts"
xs write $F/state 6
xs write $F/state 1
wait_for '[ "$(node $BACK/1/51712/state)" = 2 ]'
guest g1 a xvda
end_guest a
end_guest neighbour
assert_num "$(grep -c 'domain 1 xvda' "$DAEMON_LOG")" -le 2000 "lines logged"
stop_daemon
