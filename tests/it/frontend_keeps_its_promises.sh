#!/bin/bash
# SPDX-License-Identifier: MIT
# libevergrant's promises, by programs that use it in a domain, against the real
# daemon: what becomes of the caller's bytes, of the granted pages, and what the
# calls say.
. "$(dirname "$0")/lib.sh"

start_pocketxen
start_daemon --io-threads 1
px create g1 >"$T/created"
export POCKETXEN EVERGRANT DAEMON_PID T
export PEEK=$EG_BUILD/tests/it/front/it-front-peek
for program in data pool api large; do
        px exec g1 -- "$EG_BUILD/tests/it/front/it-front-$program" \
                >"$T/$program.log" 2>&1 || {
                kill -CONT "$DAEMON_PID"
                fail "it-front-$program"
        }
        cat "$T/$program.log"
done
stop_daemon
