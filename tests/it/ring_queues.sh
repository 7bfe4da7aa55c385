#!/bin/bash
# SPDX-License-Identifier: MIT
# Several rings a disk, played by hand; the last test has the daemon restarted
# under them.
. "$(dirname "$0")/lib.sh"
start_pocketxen
start_daemon --io-threads 3
truncate -s 8M "$T/disk.img"
export IMAGE=$T/disk.img RESTARTED=$T/restarted RESTART_PID=$$
export MAN_PAGE=$EG_SOURCE/man/evergrantd.8.scd
restart() {
        stop_daemon
        start_daemon --io-threads 3
        : >"$RESTARTED"
}
trap restart USR1
env POCKETXEN="$POCKETXEN" EVERGRANT="$POCKETXEN exec 0 -- $EVERGRANT" \
        LD_LIBRARY_PATH="$EG_BUILD/pocketxen/lib" \
        "$EG_BUILD/tests/it/ring/it-ring-queues" >"$T/rig.log" 2>&1 &
rig=$!
rc=0
# A trap ends wait early; the rig itself has not ended then.
while kill -0 $rig 2>/dev/null; do
        rc=0
        wait $rig || rc=$?
done
cat "$T/rig.log"
assert_eq $rc 0 'the rig'
stop_daemon
