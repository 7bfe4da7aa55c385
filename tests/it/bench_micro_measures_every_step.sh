#!/bin/bash
# SPDX-License-Identifier: MIT
# A short run of evergrant-bench micro: every number is there, and what can be
# known about them without looking at a speed is so.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/bench.sh"

out=$T/out
bench 0 micro --turns 1 --rounds 1 --seconds 0.02 --out "$out"
nothing_left
results=$out/results.json

say "every step has its bare one"
jq -e '.micro.complete' "$results"
for name in map_unmap bare_mmap_munmap map unmap bare_mmap bare_munmap \
        copy_from_4k bare_pread_4k copy_to_4k bare_pwrite_4k bare_copy_4k \
        notify_take bare_eventfd hit_32 hit_352 hit_1056 memcpy_hot_512 \
        memcpy_cold_1048576 ring_trip_same_cpu bare_eventfd_trip_same_cpu; do
        jq -e --arg n "${name}_ns" '.micro[$n] > 0' "$results" >"$T/jq.log" ||
                fail "no ${name}_ns"
done

say "S21: three ways, seven sizes, reads and writes"
jq -e '[.micro.guest_cpu[] | "\(.way) \(.op) \(.bs)"] | unique | length == 42' \
        "$results"
jq -e '.micro.guest_cpu | all(.guest_cpu_us > 0 and .iops > 0)' "$results"

say "S17: nothing is kept at 0; all of 32 pages at 352 and more"
jq -e '.micro.cap | length == 18' "$results"
jq -e '.micro.cap | map(select(.cap == 0)) | all(.hit_rate == 0)' "$results"
jq -e '.micro.cap | map(select(.cap >= 352 and .bs == 4096)) |
        all(.hit_rate == 1)' "$results"
jq -e '.micro.cap | map(select(.cap == 88 and .bs == 131072)) |
        all(.hit_rate < 0.5)' "$results"

say "S12: five sizes, three orders, hit and miss"
jq -e '.micro.index | length == 30 and
        all(.tree_ns > 0 and .near_ns > 0 and .hash_ns > 0 and .array_ns > 0)' "$results"
assert_eq "$(wc -l <"$out/micro-index.csv")" 31 'lines of micro-index.csv'
