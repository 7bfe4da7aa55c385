#!/bin/bash
# SPDX-License-Identifier: MIT
# T-TOGGLE and T-STATS: connects and disconnects in any order, under readers of
# the statistics. Whole: EG_TOGGLES=10000 (1000 under ThreadSanitizer).
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

# A toggle takes three times as long there, and the readers a whole core.
[ "${EG_SANITIZE:-none}" != thread ] || export EG_TOGGLES=${EG_TOGGLES:-140}
start_pocketxen
start_daemon --io-threads 2
zombie_baseline
"$EG_BUILD/tests/hostile/life/life-readers" "$EVERGRANT_SOCKET" \
        "$T/enough" >"$T/readers.log" 2>&1 &
readers=$!
while [ ! -e "$T/enough" ]; do
        eg stat --prometheus >"$T/metrics" 2>&1 || break
done &
prometheus=$!
life_rig toggle
: >"$T/enough"
wait $prometheus
wait $readers || fail "readers: $(<"$T/readers.log")"
cat "$T/readers.log"
grep -q '^evergrant' "$T/metrics" || fail "no metrics: $(<"$T/metrics")"
zombie_check
stop_daemon
