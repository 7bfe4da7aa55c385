#!/bin/bash
# SPDX-License-Identifier: MIT
# pocketxen is stopped, or killed, under a daemon that serves: it ends by itself,
# or says what is missing, serves on without spinning, and ends when told to.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"

# ticks PID: of CPU time so far.
ticks() {
        awk '{ print $14 + $15 }' "/proc/$1/stat"
}

start() {
        start_pocketxen
        start_daemon
        px create g1 >"$T/created"
        eg attach g1 xvda ram:8M
        start_load g1 g1
        moves g1
}

say "stopped: the daemon has the time to stop as it should"
start
px stop
rc=0
wait "$DAEMON_PID" || rc=$?
DAEMON_PID=
assert_eq $rc 0 'status of the daemon'
assert_has "$(<"$DAEMON_LOG")" 'stops; guests wait'
wait "${LOAD_PID[g1]}" 2>/dev/null || true

# The socket goes before the process does, here half a second; LeakSanitizer
# cannot look at what strace traces.
say "stopped means ended: another can start at once"
if strace -o /dev/null true 2>/dev/null; then
        ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 \
                strace -D -f -qq -o "$T/unlinks" -e trace=unlink \
                -P "$POCKETXEN_DIR/pocketxen.sock" \
                -e inject=unlink:delay_exit=500000 "$POCKETXEN" start
        px stop
        px start
        assert_has "$(<"$T/unlinks")" DELAYED 'what strace did'
        px stop
else
        echo "not tried: no strace, or it may not trace"
fi

# 5 s are meant, and stop gives up after 10.
say "a program of Domain-0 that does not stop when it is told to is killed"
px start
px exec 0 -- sh -c 'trap "" TERM; echo ignores; exec sleep 1000' \
        >"$T/stubborn" &
stubborn=$!
wait_for '[ -s "$T/stubborn" ]'
px stop
rc=0
wait $stubborn || rc=$?
assert_eq $rc 137 'its status'

say "killed: what is connected stays so"
start
kill -KILL "$(server_pid)"
wait_for 'grep -q "lost the connection to xenstore" $DAEMON_LOG'
end_load g1
before=$(ticks "$DAEMON_PID")
sleep 1
assert_num $(($(ticks "$DAEMON_PID") - before)) -lt 30 \
        'ticks of CPU time in a second without xenstore'
stop_daemon
