#!/bin/bash
# SPDX-License-Identifier: MIT
# What the hostile tests share: pocketxen, the daemon, and a raw-ring attacker
# that plays guests by hand (kit.h). See docs/mechanisms.md, "Hostile guests".
. "$(dirname "${BASH_SOURCE[0]}")/../it/lib.sh"

# attack PROGRAM [ARG…]: hostile-PROGRAM against a daemon with DAEMON_ARGS. It
# may have the daemon stopped (SIGUSR1) and started (SIGUSR2).
attack() {
        local program=$EG_BUILD/tests/hostile/hostile-$1 rig rc=0
        shift
        export HOSTILE_DIR=$T HOSTILE_SHELL=$$ DAEMON_LOG
        export DAEMON_PID_FILE=$T/daemon.pid
        start_pocketxen
        started
        trap 'stop_daemon; : >"$T/told"' USR1
        trap 'started; : >"$T/told"' USR2
        env POCKETXEN="$POCKETXEN" EVERGRANT="$POCKETXEN exec 0 -- $EVERGRANT" \
                LD_LIBRARY_PATH="$EG_BUILD/pocketxen/lib" "$program" "$@" \
                >"$T/rig.log" 2>&1 &
        rig=$!
        # A trap ends wait early; the rig itself has not ended then.
        while kill -0 $rig 2>/dev/null; do
                rc=0
                wait $rig || rc=$?
        done
        cat "$T/rig.log"
        [ $rc -eq 0 ] || fail "the attacker, status $rc"
        kill -0 "$DAEMON_PID" 2>/dev/null || fail "evergrantd has ended"
        stop_daemon
}

started() {
        # shellcheck disable=SC2086 # a list
        start_daemon ${DAEMON_ARGS-}
        echo "$DAEMON_PID" >"$DAEMON_PID_FILE"
}
