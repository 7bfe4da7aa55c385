#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest that is stopped in the middle holds up nobody, can have its disk
# detached, and goes on where it was when it runs again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read

start_pocketxen
start_daemon --io-threads 1
for dom in stopped detached other; do
        px create "$dom" >"$T/created"
        truncate -s 8M "$T/$dom.img"
        eg attach "$dom" xvda "$T/$dom.img"
        start_load "$dom" "$dom"
        moves "$dom"
done
kill -STOP "${LOAD_PID[stopped]}" "${LOAD_PID[detached]}"
wait_for '[ "$(counter stopped xvda inflight)" = 0 ]'
before=$(served stopped)
moves other
moves other
assert_eq "$(served stopped)" "$before" 'requests of the stopped one'
eg detach detached xvda
assert_eq "$(mapped detached)" 0 'pages of the detached one mapped'
kill -KILL "${LOAD_PID[detached]}"
kill -CONT "${LOAD_PID[stopped]}"
moves stopped
end_load stopped other
stop_daemon
