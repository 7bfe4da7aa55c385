#!/bin/bash
# SPDX-License-Identifier: MIT
# evergrant-bench with what it cannot do: a sentence, the exit status, nothing
# left running and no half of a file.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/bench.sh"

say "usage"
bench 0 --help
assert_has "$OUT" 'scale'
bench 0 scale --help
assert_has "$OUT" '--guests N,N…'
bench 2
assert_has "$OUT" 'no command given; there are scale, micro and peers'
bench 2 scael
bench 2 scale --modes persistent,fast
assert_has "$OUT" "no mode 'fast'; there are persistent, map, copy"
bench 2 scale --ops trim
assert_has "$OUT" "no operation 'trim'"
for n in 0 -1 x '1,,2' 513 1.5 ''; do
        bench 2 scale --guests="$n"
        assert_has "$OUT" 'is no number of guests; it is 1 to 512'
done
for option in --seconds=0 --seconds=nan --rounds=0 --depth=513 --io-threads=x; do
        bench 2 scale "$option"
        assert_has "$OUT" 'is no number from' "$option"
done
bench 2 scale more
bench 2 scale --pin nowhere

bench 2 micro --parts steps,all
assert_has "$OUT" "no part 'all'; there are steps, trip, cpu, cap, index"
bench 2 micro --turns 0

say "too little memory"
printf 'MemAvailable: 300000 kB\n' >"$T/meminfo"
export EVERGRANT_BENCH_MEMINFO=$T/meminfo
bench 1 scale --guests 1,3 --out "$T/out"
assert_has "$OUT" '3 guests need 356 MiB of memory, 293 MiB are available'
assert_has "$OUT" 'at most 2 fit (--guests)'
unset EVERGRANT_BENCH_MEMINFO
OUT=$(ulimit -f 1000 && "$BENCH" scale --guests 1 --out "$T/out" 2>&1) &&
        fail "a file size limit was not seen"
assert_has "$OUT" 'ulimit -f'
nothing_left
assert_eq "$(ls -A "$T/out")" '' 'what a run that failed has left'

say "nowhere to write"
: >"$T/file"
bench 1 scale --out "$T/file"
assert_has "$OUT" "cannot write $T/file"
if unshare -rm mount -t tmpfs -o size=4k none "$T/out" 2>"$T/unshare.log"; then
        # results.json fits, scale.csv does not.
        rc=0
        OUT=$(unshare -rm sh -c 'mount -t tmpfs -o size=4k none "$2" &&
                "$1" scale --guests 1 --modes map --ops read --rounds 1 \
                        --seconds 0.1 --out "$2"; rc=$?; ls -A "$2"; exit $rc' \
                sh "$BENCH" "$T/out" 2>&1) || rc=$?
        assert_eq "$rc" 1 "exit status with a full disk: $OUT"
        assert_has "$OUT" 'No space left on device: free some space or'
        assert_has "$OUT" 'kIOPS' 'the table, which needs no disk'
        assert_eq "$(tail -n 1 <<<"$OUT")" results.json 'the files left'
fi
nothing_left

say "no gnuplot"
mkdir "$T/bin"
ln -s /usr/bin/* /bin/* "$T/bin" 2>/dev/null || true
rm -f "$T/bin"/gnuplot*
assert_status 0 env PATH="$T/bin" "$BENCH" scale --guests 1 --modes copy \
        --ops write --rounds 1 --seconds 0.1 --out "$T/out"
assert_has "$OUT" 'no gnuplot here, so no plots (make deps, or install'
assert_eq "$(cd "$T/out" && echo *)" 'results.json scale.csv'
nothing_left
