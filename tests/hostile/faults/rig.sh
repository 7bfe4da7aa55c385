#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs hostile-faults-NAME, which plays guests by hand and sets faults through
# pocketxen's control socket: rig.sh NAME [DAEMON ARG…].
. "$(dirname "$0")/../../it/lib.sh"

name=$1
shift
export EG_SANITIZE=${EG_SANITIZE:-none} DAEMON_LOG
start_pocketxen
start_daemon "$@"
env POCKETXEN="$POCKETXEN" EVERGRANT="$POCKETXEN exec 0 -- $EVERGRANT" \
        LD_LIBRARY_PATH="$EG_BUILD/pocketxen/lib" \
        "$EG_BUILD/tests/hostile/faults/hostile-faults-$name" \
        >"$T/rig.log" 2>&1 || { cat "$T/rig.log"; fail "the rig"; }
cat "$T/rig.log"
stop_daemon
# Whatever a fault left mapped went with the daemon: no domain is a zombie.
wait_for 'px list --json >"$T/domains" && ! grep -q dying "$T/domains"'
