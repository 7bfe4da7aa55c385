#!/bin/bash
# SPDX-License-Identifier: MIT
# evergrant-bench that is stopped writes what it has; however it ends, nothing
# of it goes on running, and no half of a file is left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/bench.sh"

# start_bench: a run without end, once a point is done.
start_bench() {
        rm -rf "$T/out" "$T/progress.log"
        # Whoever runs this under nohup: the signals arrive all the same.
        env --default-signal=HUP,INT,TERM "$BENCH" scale \
                --guests 2 --modes persistent,map --ops read \
                --seconds 0.1 --rounds 1000 --out "$T/out" \
                >"$T/bench.log" 2>"$T/progress.log" </dev/null &
        pid=$!
        wait_for 'grep -q "^3/2000 " "$T/progress.log"' 120
}

# ends STATUS: the run does, of itself.
ends() {
        local rc=0
        wait_for "! kill -0 $pid" 120
        wait $pid || rc=$?
        assert_eq "$rc" "$1" 'exit status'
}

for signal in INT:130 TERM:143 HUP:129; do
        say "SIG${signal%:*}"
        start_bench
        kill "-${signal%:*}" $pid
        ends "${signal#*:}"
        assert_has "$(<"$T/progress.log")" \
                'interrupted; this is what was done'
        assert_has "$(<"$T/bench.log")" 'kIOPS'
        jq -e '(.scale | length == 2) and .scale[0].rounds >= 2 and
                .scale[1].rounds >= 1 and (.scale_run.complete | not)' \
                "$T/out/results.json"
        nothing_left
done

say "SIGKILL"
start_bench
kill -KILL $pid
wait $pid 2>/dev/null || true
nothing_left
[ ! -e "$T/out/results.json" ] || fail "it had no time to write that"

say "the backend is killed"
start_bench
killed=0
for environ in $(left_running); do
        dir=${environ%/environ}
        if [ "$(cat "$dir/comm" 2>/dev/null)" = evergrantd ]; then
                kill -KILL "${dir#/proc/}"
                killed=$((killed + 1))
        fi
done
assert_eq $killed 1 'backends that were killed'
ends 1
jq -e '.scale | length == 2' "$T/out/results.json"
nothing_left

say "a signal that comes while Python deletes an object"
PYTHONPATH=$EG_SOURCE/bench python3 -B - <<'PY' || fail "it is not heard"
import os, signal, sys, time
from egbench import cli

sys.unraisablehook = lambda lost: None

class Deleted:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

cli.watch_signals()
try:
    Deleted()
    time.sleep(60)
    sys.exit(1)
except cli.Interrupted as e:
    assert e.number == signal.SIGTERM
cli.ignore_signals()
time.sleep(2 * cli.AGAIN_S)
PY
