#!/bin/bash
# SPDX-License-Identifier: MIT
# A short run of evergrant-bench scale: all keys, and for each mode the counts
# of maps, unmaps and copies that it stands for. No speed is looked at.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/bench.sh"

out=$T/out
mkdir "$out"
echo '{"peers": [1], "scale": "old"}' >"$out/results.json"
bench 0 scale --guests 2,1 --seconds 0.1 --rounds 1 --out "$out"
nothing_left
results=$out/results.json
jq -e . "$results" >"$T/whole.json"
# A row a line: all of them are shown where one fails.
jq -c 'del(.scale), .scale[]' "$results" >"$T/results.log"

say "every point, with every key, and what others wrote"
jq -e '.peers == [1]' "$results"
jq -e '[.scale[] | "\(.op) \(.guests) \(.mode)"] == [
        "read 1 persistent", "read 1 map", "read 1 copy",
        "read 2 persistent", "read 2 map", "read 2 copy",
        "write 1 persistent", "write 1 map", "write 1 copy",
        "write 2 persistent", "write 2 map", "write 2 copy"]' "$results"
jq -e '.scale | all(
        .rounds == 1 and (.iops | length == 3 and .[0] > 0 and
                .[0] <= .[1] and .[1] <= .[2]) and
        .backend_cpu_us > 0 and .guest_cpu_us > 0 and
        .p50_us > 0 and .p50_us <= .p99_us and .p99_us <= .p999_us and
        .fairness > 0 and .fairness <= 1 and
        has("tlb_per_req") and has("pingpong_ns") and
        .backend_memory_per_disk_bytes > 16384 and
        .switches_per_req >= 0 and .notify_per_req > 0)' "$results"
jq -e '.scale | all(.guests > 1 or .fairness == 1)' "$results"
jq -e '.machine | .cpus > 0 and .cpu != "" and .kernel != "" and .date != ""' \
        "$results"
# Containers may forbid it.
fixed=false
if setarch -R true 2>"$T/setarch.log"; then fixed=true; fi
jq -e ".machine.fixed_addresses == $fixed" "$results"
jq -e '.scale_run | .complete and .depth == 32 and .rounds == 1' "$results"

say "the counts"
jq -e '.scale | map(select(.mode == "persistent")) | all(
        .maps_per_req == 0 and .unmaps_per_req == 0 and .copies_per_req == 0)' \
        "$results"
jq -e '.scale | map(select(.mode == "map")) | all(
        .maps_per_req == 1 and .unmaps_per_req == 1 and .copies_per_req == 0)' \
        "$results"
jq -e '.scale | map(select(.mode == "copy")) | all(
        .maps_per_req == 0 and .unmaps_per_req == 0 and .copies_per_req == 1)' \
        "$results"

say "the other files"
assert_has "$OUT" 'read: persistent over map: '
assert_eq "$(wc -l <"$out/scale.csv")" 13 'lines of scale.csv'
assert_has "$(head -n 1 "$out/scale.csv")" 'guests,mode,op,iops_min,iops_med'
if command -v gnuplot >/dev/null; then
        for name in scale-iops scale-cpu; do
                grep -q '</svg>' "$out/$name.svg"
                assert_num "$(stat -c %s "$out/$name.png")" -gt 1000 "$name.png"
        done
else
        assert_has "$OUT" 'no gnuplot here'
fi

say "a ring of several pages, one thread, no binding"
bench 0 scale --guests 1 --modes map --ops read --seconds 0.1 --rounds 2 \
        --depth 100 --io-threads 1 --pin none --out "$out"
jq -e '.scale | length == 1 and .[0].maps_per_req == 1 and
        .[0].rounds == 2' "$results"
nothing_left

say "who shares a CPU"
PYTHONPATH=$EG_SOURCE/bench python3 -B - <<'PY' || fail "guests are not where --pin says"
from egbench import machine, scale

def places(cpus, guests, threads=2, pin="auto"):
    machine.cpus = lambda: list(range(cpus))
    plan = scale.Plan([guests], ["map"], ["read"], io_threads=threads, pin=pin)
    return scale.Scale(None, plan, None).pin(guests)

assert places(2, 1) == "cross"
assert places(2, 2) == "same"
assert places(3, 2) == "same"
assert places(4, 2) == "cross"
assert places(4, 3) == "same"
assert places(5, 3) == "cross"
assert places(16, 32, pin="cross") == "cross"
assert places(16, 1, pin="none") == "none"
PY

say "memory: to the page, and what is shared does not count"
PYTHONPATH=$EG_SOURCE/bench python3 -B - <<'PY' || fail "own_memory is wrong"
import mmap, os
from egbench import machine

PAGE = mmap.PAGESIZE

def grown(flags, pages):
    before = machine.own_memory(os.getpid())
    memory = mmap.mmap(-1, pages * PAGE, flags=flags | mmap.MAP_ANONYMOUS)
    for at in range(0, pages * PAGE, PAGE):
        memory[at] = 1
    return (machine.own_memory(os.getpid()) - before) // PAGE

grown(mmap.MAP_PRIVATE, 1)      # what the interpreter takes the first time
own, shared = grown(mmap.MAP_PRIVATE, 40), grown(mmap.MAP_SHARED, 1000)
assert 40 <= own <= 60, own
assert 0 <= shared <= 20, shared
assert machine.own_memory(0) is None
PY
