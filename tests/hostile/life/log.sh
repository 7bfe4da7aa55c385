#!/bin/bash
# SPDX-License-Identifier: MIT
# T-LOG: whatever a domain does, and with however many disks, it causes ten lines
# a second, the next one says how many were left out, and no byte of it reaches
# the log as it is. Whole: EG_SECONDS=60.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

start_pocketxen
start_daemon --io-threads 2
zombie_baseline
life_rig log
lines=$(grep -c "domain 2[ :]" "$DAEMON_LOG")
rounds=$(sed -n 's/^rounds //p' "$T/rig.log")
seconds=$(($(sed -n 's/^ns //p' "$T/rig.log") / 1000000000))
say "$lines lines in $seconds s, $rounds rounds"
# Seconds begin and end in the middle of one; attach and detach come on top.
assert_num "$lines" -le $((10 * (seconds + 4))) "lines"
# On a machine so busy that there was less to say, nothing had to be left out.
if [ $((rounds * 3 * 5)) -gt $((20 * (seconds + 4))) ]; then
        grep -q 'lines left out)' "$DAEMON_LOG" ||
                fail "nothing says what is left out"
fi
grep -q 'speaks the protocol "\\x0aevergrantd: error: \\x1b\[31mforged' \
        "$DAEMON_LOG" || fail "the guest's bytes are not shown escaped"
! LC_ALL=C grep -q '[^ -~]' "$DAEMON_LOG" || fail "unescaped bytes in the log"
! grep -q '^evergrantd: error: .*forged$' "$DAEMON_LOG" ||
        fail "a line that the guest made up"
zombie_check
stop_daemon
