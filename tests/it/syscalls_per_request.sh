#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon's system calls, counted from outside, against pocketxen's account
# and the daemon's own: once warm, a request on persistent grants needs none;
# map mode needs an mmap and a munmap, copy mode a pread or pwrite.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"
need strace

N=2000
# With its relatives: which one is chosen is nobody's business here.
READS=pread64,preadv,preadv2,process_vm_readv
WRITES=pwrite64,pwritev,pwritev2,process_vm_writev

# may_trace: attaching may be forbidden (Yama, a container).
may_trace() {
        sleep 30 &
        local pid=$! rc=0
        timeout 10 strace -qq -p $pid -e trace=none -o /dev/null \
                2>"$T/may.log" &
        local tracer=$!
        wait_for "! grep -q 'TracerPid:.0' /proc/$pid/status ||
                ! kill -0 $tracer"
        kill -0 $tracer 2>/dev/null || rc=1
        # One after the other: a signal that the tracer holds goes with it.
        kill $tracer 2>/dev/null || true
        wait $tracer 2>/dev/null || true
        kill $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        return $rc
}
may_trace || skip "tracing is not permitted: $(tr '\n' ' ' <"$T/may.log")"

# trace_start, trace_end: counts the system calls of all threads in between.
trace_start() {
        strace -f -c -p "$DAEMON_PID" -o "$T/calls" \
                -e trace=mmap,munmap,mremap,$READS,$WRITES 2>"$T/strace.log" &
        TRACER=$!
        wait_for "grep -q attached '$T/strace.log'"
        # All of them: a thread that is not yet traced does not count.
        for task in /proc/"$DAEMON_PID"/task/*; do
                wait_for "! grep -q 'TracerPid:.0' $task/status"
        done
}
trace_end() {
        kill -INT "$TRACER"
        wait "$TRACER" || true
}

# calls NAME[,NAME…]: how many of these.
calls() {
        awk -v names=",$1," '
                index(names, "," $NF ",") { n += $4 }
                END { print n + 0 }' "$T/calls"
}

# interval MODE: N requests; the three accounts of it in `call_`, `px_` and
# `eg_`.
declare -A COUNT=()
interval() {
        local name at what json
        COUNT=()
        gated g1 --op mixed --qd 8 --warmup-seconds 0.3 --requests $N \
                --span 4M
        for at in 0 1; do
                account g1
                json=$(stat_json g1 xvda | jq '.disks[0].counters')
                for name in maps_pages unmaps_pages copies_segments; do
                        COUNT[px_$name$at]=${ACCOUNT[$name]}
                done
                for name in map_pages unmap_pages copy_segments "via_$1"; do
                        COUNT[eg_$name$at]=$(jq ".$name" <<<"$json")
                done
                [ $at -eq 0 ] || break
                trace_start
                gated_go
                trace_end
        done
        for what in "${!COUNT[@]}"; do
                name=${what%[01]}
                COUNT[$name]=$((COUNT[${name}1] - COUNT[${name}0]))
        done
        gated_end
        COUNT[call_mmap]=$(calls mmap,mremap)
        COUNT[call_munmap]=$(calls munmap)
        COUNT[call_pread]=$(calls $READS)
        COUNT[call_pwrite]=$(calls $WRITES)
        COUNT[call_copy]=$((COUNT[call_pread] + COUNT[call_pwrite]))
        say "$1: $N requests: mmap ${COUNT[call_mmap]}," \
                "munmap ${COUNT[call_munmap]}, pread ${COUNT[call_pread]}," \
                "pwrite ${COUNT[call_pwrite]}"
}

# expect MODE MAPS COPIES: in all three accounts.
expect() {
        local name
        for name in call_mmap call_munmap px_maps_pages px_unmaps_pages \
                eg_map_pages eg_unmap_pages; do
                assert_eq "${COUNT[$name]}" "$2" "$1: $name"
        done
        for name in call_copy px_copies_segments eg_copy_segments; do
                assert_eq "${COUNT[$name]}" "$3" "$1: $name"
        done
        assert_eq "${COUNT[eg_via_$1]}" $N "$1: requests on this path"
}

start_pocketxen
start_daemon --io-threads 1
px create g1 >"$T/created"

eg attach g1 xvda ram:16M --grants persistent
interval persistent
expect persistent 0 0

eg detach g1 xvda
eg attach g1 xvda ram:16M --grants map
interval map
expect map $N 0

eg detach g1 xvda
eg attach g1 xvda ram:16M --grants copy
interval copy
expect copy 0 $N
# Reads of the guest's pages are its writes, and the other way round.
assert_eq "${COUNT[call_pread]}" "$(jq .writes <<<"$RESULT")" \
        "pread-like calls, against writes"
assert_eq "${COUNT[call_pwrite]}" "$(jq .reads <<<"$RESULT")" \
        "pwrite-like calls, against reads"
stop_daemon
