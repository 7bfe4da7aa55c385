#!/bin/bash
# SPDX-License-Identifier: MIT
# A short run of evergrant-bench peers: each peer that is installed has its rows,
# each that is not says so; Ctrl-C keeps what is done. And its vhost-user-blk
# client does what it is told.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/bench.sh"
need nbdkit qemu-nbd qemu-storage-daemon fio xenstore-read
[ -x /usr/libexec/xen-qemu-system-i386 ] ||
        skip "no qemu-system-xen here (make deps)"

out=$T/out
results=$out/results.json

say "usage"
bench 2 peers --peers nbdkit
assert_has "$OUT" "no peer 'nbdkit'; there are bare-copy"
for point in 4k 0x4k 257x4k 1x100 1x2048k 64x1024k 1x-4k ''; do
        bench 2 peers --points="$point"
        assert_has "$OUT" "'$point'"
done

say "a peer of each kind, reads and writes"
printf '{"scale": ["kept"]}' >"$T/before.json"
mkdir "$out"
mv "$T/before.json" "$results"
bench 0 peers --rounds 1 --seconds 0.05 --points 4x4k --out "$out" \
        --peers bare-copy,qemu-nbd-null,qsd-vhost-null,qemu-qdisk-null-map,fio-io_uring-file
nothing_left
jq -e '.scale == ["kept"] and .peers_run.complete' "$results"
assert_eq "$(jq -c '[.peers[] | [.peer, .op, .qd, .bs]]' "$results")" \
        "$(jq -nc '[("bare-copy", "qemu-nbd-null", "qsd-vhost-null", "qemu-qdisk-null-map",
                "fio-io_uring-file") as $p | ("read", "write") |
                [$p, ., 4, 4096]]')" 'rows'
# One round: the ratio is that of the two numbers beside it, which are rounded.
jq -e 'def fits(o; r): ((r[1] * .iops[1] - o[1]) | fabs) <=
                (r[1] + 1 + .iops[1] / 1000);
        .peers | all(.iops[0] > 0 and .iops[1] == .iops[2] and
        fits(.ours; .ratio) and fits(.ours_adaptive; .ratio_adaptive) and
        fits(.ours_polling; .ratio_polling) and .ours_server_us > 0 and
        ((.server_us == null) == (.peer == "fio-io_uring-file" or
                .peer == "bare-copy")))' "$results"
jq -e '(.peers | all((.peer == "bare-copy") == has("ours_zerocopy"))) and
        (.peers | map(select(has("ours_zerocopy"))) | all(.ours_zerocopy[0] > 0 and
        .ours_zerocopy != .ours_polling))' "$results"
assert_eq "$(wc -l <"$out/peers.csv")" 11 'lines of peers.csv'
assert_eq "$(awk -F, '{ print NF }' "$out/peers.csv" | uniq)" "$(head -n 1 "$out/peers.csv" | awk -F, '{ print NF }')" 'columns of peers.csv'

say "a peer that is not installed"
mkdir "$T/bin"
ln -s /usr/bin/* /bin/* "$T/bin" 2>/dev/null || true
rm -f "$T/bin"/qemu-nbd "$T/bin"/qemu-storage-daemon
assert_status 0 env PATH="$T/bin" "$BENCH" peers --rounds 1 --seconds 0.05 \
        --points 1x4k --ops read --out "$out" \
        --peers qemu-nbd-null,qsd-vhost-null </dev/null
assert_has "$OUT" 'qemu-nbd-null: qemu-nbd is not installed (make deps, or'
assert_has "$OUT" 'nothing was measured'
jq -e '[.peers[] | .peer, .missing[:8]] == ["qemu-nbd-null", "qemu-nbd",
        "qsd-vhost-null", "qemu-sto"]' "$results"
nothing_left

say "Ctrl-C"
rm -rf "$out"
env --default-signal=INT "$BENCH" peers --seconds 0.05 --rounds 1000 \
        --points 4x4k --ops read --peers qsd-vhost-null --out "$out" \
        >"$T/bench.log" 2>"$T/progress.log" </dev/null &
pid=$!
wait_for 'grep -q "^5/" "$T/progress.log"' 300
kill -INT $pid
rc=0
wait $pid || rc=$?
assert_eq "$rc" 130 'exit status'
jq -e '(.peers | length == 1) and (.peers_run.complete | not)' "$results"
nothing_left

# storage_daemon WRITABLE: serves $T/disk.img.
storage_daemon() {
        rm -f "$T/vhost"
        qemu-storage-daemon \
                --blockdev "driver=file,filename=$T/disk.img,node-name=n" \
                --export "type=vhost-user-blk,id=e,node-name=n,writable=$1,addr.type=unix,addr.path=$T/vhost" \
                >"$T/qsd.log" 2>&1 </dev/null &
        QSD=$!
        wait_for '[ -S "$T/vhost" ]'
}

# vhost OP: 4 KiB, 8 at once, into RESULT.
vhost() {
        RESULT=$(printf 'fill\nrun %s 4096 8 0 1 2\n' "$1" |
                "$EG_BUILD/bench/evergrant-bench-vhost" "$T/vhost" | tail -n 1)
        assert_num "$(jq .requests <<<"$RESULT")" -ge 8 requests
        kill $QSD
        wait $QSD || true
}

say "the vhost-user-blk client reads, writes, and counts errors"
head -c 1M /dev/zero | tr '\0' x >"$T/disk.img"
cp "$T/disk.img" "$T/before.img"
storage_daemon on
vhost read
assert_eq "$(jq .errors <<<"$RESULT")" 0 'errors of reads'
cmp "$T/disk.img" "$T/before.img" || fail "reads have written"
storage_daemon on
vhost write
assert_eq "$(jq .errors <<<"$RESULT")" 0 'errors of writes'
blank=$(($(tr -d x <"$T/disk.img" | wc -c) / 4096))
assert_num $blank -ge 1 'blocks written'
assert_num $blank -le "$(jq .requests <<<"$RESULT")" 'blocks written'
assert_eq "$(stat -c %s "$T/disk.img")" 1048576 'size'
storage_daemon off
vhost write
assert_eq "$(jq .errors <<<"$RESULT")" "$(jq .requests <<<"$RESULT")" \
        'errors of writes that are refused'
