#!/bin/bash
# SPDX-License-Identifier: MIT
# A stock fio job writes at random in sizes of 512 bytes to 1 MiB, 32 at a time,
# and checks all of it, through nbdkit plugin, ring and file store: on each data
# path and ring order, and with each way that the frontend can be set. What the
# paths cost is checked against pocketxen's account.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"
need fio nbdkit

SIZE_MB=64
# As anybody would write it. io_size: not all of the disk each time.
FIO='fio --name=verify --ioengine=nbd --uri="$uri" --rw=randrw
        --bsrange=512-1M --iodepth=32 --verify=crc32c --size=64M --io_size=24M
        --verify_state_save=0 --output-format=json --output=fio.json'

# While the disk is still open.
INSPECT="'$POCKETXEN' exec 0 -- '$EVERGRANT' stat g1 xvda --json >stat.json &&
        '$POCKETXEN' grants g1 --json >grants.json &&
        '$POCKETXEN' list --json >list.json"

declare -A BEFORE=() OPEN=()
snapshot() {
        account g1
        for name in "${!ACCOUNT[@]}"; do
                BEFORE[$name]=${ACCOUNT[$name]}
        done
}

disk() {
        jq -r ".disks[0].$1" stat.json
}

# since NAME: pocketxen's count since the snapshot, as of INSPECT.
since() {
        local now
        now=$(jq --argjson g "$GUEST" --arg n "$1" \
                '.pairs[] | select(.mapper == 0 and .granter == $g) | .[$n]' \
                list.json)
        echo $((now - BEFORE[$1]))
}

# What holds in every case. $1: pages of the ring.
check_always() {
        local name
        assert_eq "$(jq '.jobs[0].error' fio.json)" 0 "fio's error"
        # What was written, once more for the verification.
        assert_num "$(jq '.jobs[0].read.io_bytes' fio.json)" -ge \
                "$(jq '.jobs[0].write.io_bytes' fio.json)" "bytes read"
        assert_num "$(jq '.jobs[0].write.io_bytes' fio.json)" -gt 4000000 \
                "bytes written"
        for name in errors unsupported bad_grants ring_broken inflight \
                map_failures refused.range refused.segment refused.segments \
                refused.alignment; do
                assert_eq "$(disk "counters.$name")" 0 "$name"
        done
        for name in map unmap; do
                assert_eq "$(since ${name}s_pages)" \
                        "$(disk "counters.${name}_pages")" "$name, both accounts"
        done
        assert_eq "$(since copies_segments)" \
                "$(disk counters.copy_segments)" "copies, both accounts"
        assert_eq "$((1 << $(disk ring_order)))" "$1" "pages of the ring"
        # And nothing stays when it is closed.
        account g1
        assert_eq "${ACCOUNT[maps_pages]}" "${ACCOUNT[unmaps_pages]}" \
                "maps, against unmaps, in the end"
        assert_eq "$(grefs g1 | wc -l)" 0 "grefs left"
}

# Kept: $1 pages of the ring, and at most what the pool has.
check_persistent() {
        local pool
        pool=$(jq '.entries | length' grants.json)
        assert_num "$pool" -le $((1056 + $1)) "pages of ring and pool"
        assert_num "$(since maps_pages)" -le "$pool" "maps, against grants"
        assert_eq "$(since unmaps_pages)" 0 "unmaps"
        assert_eq "$(since copies_calls)" 0 "copies"
        assert_eq "$(disk counters.overflows)" 0 "overflows"
        assert_eq "$(disk counters.in_use)" 0 "grefs used twice at once"
        assert_num "$(disk counters.hits)" -gt "$(disk counters.misses)" "hits"
        assert_eq "$(disk counters.via_persistent)" "$(requests)" "requests"
}

requests() {
        disk 'counters | .reads + .writes'
}

# Nothing of the data is mapped between requests.
check_nothing_kept() {
        assert_eq "$(($(since maps_pages) - $(since unmaps_pages)))" "$1" \
                "pages that stay mapped"
        assert_eq "$(disk counters.hits)" 0 "hits"
        assert_eq "$(disk counters.kept_high)" 0 "pages kept"
        assert_eq "$(jq '[.entries[] | select(.pins > 0)] | length' \
                grants.json)" "$1" "grefs that stay mapped"
}

check_map() {
        check_nothing_kept "$1"
        assert_eq "$(since copies_calls)" 0 "copies"
        # One call a request, one more for an indirect one's descriptors, and
        # one of the ring.
        assert_eq "$(since maps_calls)" "$(($(since unmaps_calls) + 1))" \
                "map calls"
        assert_num "$(since unmaps_calls)" -ge "$(requests)" "unmap calls"
        assert_num "$(since unmaps_calls)" -le "$((2 * $(requests)))" \
                "unmap calls"
        assert_eq "$(disk counters.via_map)" "$(requests)" "requests"
}

# Without indirect requests: exactly one each.
check_map_once() {
        check_map "$1"
        assert_eq "$(since unmaps_calls)" "$(requests)" "unmap calls"
}

check_copy() {
        check_nothing_kept "$1"
        assert_eq "$(since maps_pages)" "$1" "maps"
        assert_num "$(since copies_segments)" -ge "$(requests)" "copies"
        assert_eq "$(disk counters.via_copy)" "$(requests)" "requests"
}

# An old frontend: by whichever path, but nothing is kept.
check_old() {
        check_nothing_kept "$1"
        assert_eq "$(disk counters.via_persistent)" 0 "persistent requests"
}

# S1: the grefs of a request are the frontend's again after it.
check_share() {
        check_map_once "$1"
        assert_eq "$(jq '.entries | length' grants.json)" "$1" \
                "grefs granted after the last response"
}

# job CHECK MODE ORDER [PLUGIN ARGUMENT…]
job() {
        local check=$1 mode=$2 order=$3
        shift 3
        say "$mode, ring order $order${*:+, frontend: $*}"
        eg attach g1 xvda "$T/disk.img" --grants "$mode" \
                --ring-order "$order" >"$T/attach.log"
        snapshot
        nbd g1 "${FIO//$'\n'/ } && $INSPECT" ring-order="$order" "$@" \
                >"$T/fio.log" 2>&1 || fail "fio: $(<"$T/fio.log")"
        check_always $((1 << order))
        "check_$check" $((1 << order))
        eg detach g1 xvda >>"$T/attach.log"
}

start_pocketxen
start_daemon --io-threads 2
px create g1 >"$T/created"
GUEST=$(domid g1)
truncate -s ${SIZE_MB}M "$T/disk.img"

for order in 0 4; do
        for mode in persistent map copy; do
                job $mode $mode $order
        done
done
job old persistent 0 persistent=0
job map_once map 0 indirect-segments=0
job share map 0 mode=share indirect-segments=0
job persistent persistent 4 untrusted=1
# A pool much smaller than what is asked for at once.
job persistent persistent 0 pool-pages=22

say "a byte that is wrong is noticed"
FIO_ONCE="fio --name=verify --ioengine=nbd --uri=\"\$uri\" --rw=write --bs=4k
        --size=1M --verify=crc32c --verify_state_save=0"
FIO_ONCE=${FIO_ONCE//$'\n'/ }
eg attach g1 xvda "$T/disk.img" >"$T/attach.log"
nbd g1 "$FIO_ONCE" >"$T/fio.log" 2>&1
nbd g1 "$FIO_ONCE --verify_only" >"$T/fio.log" 2>&1
eg detach g1 xvda >"$T/attach.log"
printf '\xa5' | dd of="$T/disk.img" bs=1 seek=300001 conv=notrunc status=none
eg attach g1 xvda "$T/disk.img" >"$T/attach.log"
if nbd g1 "$FIO_ONCE --verify_only" >"$T/fio.log" 2>&1; then
        fail "fio found nothing wrong: $(<"$T/fio.log")"
fi
assert_has "$(<"$T/fio.log")" "verify failed at file"
stop_daemon
