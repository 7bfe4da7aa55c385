#!/bin/bash
# SPDX-License-Identifier: MIT
# Each example does what its first comment says, and says what it did; wrong
# arguments and missing disks are refused with a sentence.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"

# example NAME [ARG…]
example() {
        local name=$1
        shift
        px exec g1 -- "$EG_BUILD/examples/$name" "$@"
}

start_pocketxen
start_daemon --io-threads 1
px create g1 >"$T/created"
head -c 8M /dev/urandom >"$T/disk.img"
eg attach g1 xvda "$T/disk.img"
eg attach g1 xvdb ram:8M --readonly
eg attach g1 xvdc ram:64k

say "async adds up the bytes of the disk"
SUM=$(od -An -v -tu1 -w4096 "$T/disk.img" |
        awk '{ for (i = 1; i <= NF; i++) s += $i } END { printf "%d", s }')
assert_eq "$(example async xvda)" "8388608 bytes, sum $SUM"
assert_eq "$(example async xvdb)" "8388608 bytes, sum 0"

say "hello writes the first block and reads it back"
tail -c +4097 "$T/disk.img" >"$T/rest"
assert_eq "$(example hello xvda)" "Hello from the other side of the ring"
assert_eq "$(head -c 4096 "$T/disk.img" | tr -d '\0')" \
        "Hello from the other side of the ring"
tail -c +4097 "$T/disk.img" | cmp - "$T/rest" || fail "behind the first block"
assert_status 1 example hello xvdb
assert_has "$OUT" "read-only"

say "zerocopy writes 64 KiB"
tail -c +65537 "$T/disk.img" >"$T/rest"
assert_eq "$(example zerocopy xvda)" "64 KiB there and back, nothing copied"
for i in 0 1 15; do
        letter=$(printf '%b' "\\x$(printf %x $((97 + i)))")
        assert_eq "$(dd if="$T/disk.img" bs=4096 skip=$i count=1 status=none |
                tr -d "$letter" | wc -c)" 0 "bytes of page $i that are not $letter"
done
tail -c +65537 "$T/disk.img" | cmp - "$T/rest" || fail "behind the 64 KiB"
assert_status 1 example zerocopy xvdb
assert_status 0 example zerocopy xvdc # it just fits

say "randload verifies"
JSON=$(example randload --vdev xvda --op mixed --verify --check-all \
        --requests 2000 --seconds 0 --bs 16k --qd 8 --seed 7 --span 2M --json)
assert_eq "$(jq -c '[.requests, .errors, .mismatches, .bs, .qd, .seed,
        .span_bytes, .persistent]' <<<"$JSON")" \
        '[2000,0,0,16384,8,7,2097152,true]' "randload's result"
assert_eq "$(jq '.reads + .writes' <<<"$JSON")" 2000
assert_num "$(jq .verified_bytes <<<"$JSON")" -gt 2000000 "bytes verified"
assert_has "$(example randload --vdev xvda --seconds 0.2)" "0 errors"
for arg in --untrusted --share-per-request '--persistent 0' '--ring-order 4' \
        '--pool-pages 22'; do
        # shellcheck disable=SC2086 # two words
        JSON=$(example randload --vdev xvda --op write --verify --requests 300 \
                --seconds 0 --bs 44k --span 4M --json $arg)
        assert_eq "$(jq '.errors + .mismatches' <<<"$JSON")" 0 "errors of $arg"
        assert_num "$(jq .verified_bytes <<<"$JSON")" -gt 1000000 \
                "bytes verified of $arg"
done

say "randload notices what another wrote"
coproc LOAD {
        exec "$POCKETXEN" exec g1 -- "$EG_BUILD/examples/randload" --vdev xvda \
                --op read --verify --seconds 0 --requests 2000 --span 1M --gate \
                --json 2>"$T/randload.log"
}
LOAD_CHILD=$LOAD_PID
read -r -t 60 line <&"${LOAD[0]}"
assert_eq "$line" ready
printf 'other bytes' |
        dd of="$T/disk.img" bs=4096 seek=20 conv=notrunc status=none
printf '\n\n' >&"${LOAD[1]}"
read -r -t 60 line <&"${LOAD[0]}"
rc=0
wait "$LOAD_CHILD" || rc=$?
assert_eq $rc 1 "status"
assert_num "$(jq .mismatches <<<"$line")" -gt 0 "mismatches"
assert_has "$(<"$T/randload.log")" "block 20 does not hold version"

say "wrong arguments"
for name in hello async zerocopy; do
        assert_status 2 example $name
        assert_has "$OUT" "usage: $name VDEV"
        assert_status 2 example $name xvda xvdb
        assert_status 1 example $name xvdz
        assert_has "$OUT" "$name: "
        assert_has "$OUT" "xvdz"
        assert_status 1 example $name nonsense
        assert_has "$OUT" "nonsense"
done
for args in '' '--vdev' '--vdev xvda more' '--vdev xvda --qd' \
        '--vdev xvda --qd -1' '--vdev xvda --bs 1x' '--vdev xvda --op swim' \
        '--vdev xvda --seconds never' '--swim'; do
        # shellcheck disable=SC2086 # words
        assert_status 2 example randload $args
        assert_has "$OUT" randload
done
assert_status 0 example randload --help
assert_has "$OUT" "usage: randload"
assert_status 1 example randload --vdev xvda --ring-order 5
assert_has "$OUT" "ring order 5"
assert_status 1 example randload --vdev xvda --pool-pages 21
assert_has "$OUT" "pool of 21 pages"
assert_status 1 example randload --vdev xvdb --op write
assert_has "$OUT" "read-only"
assert_status 1 example randload --vdev xvdc --bs 4k --qd 32
assert_has "$OUT" "too small"
# Outside of any domain there is no disk at all.
assert_status 1 "$EG_BUILD/examples/hello" xvda
assert_has "$OUT" "hello: "
stop_daemon
