#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that know nothing of Xen work on a disk: nbdcopy and qemu-img copy
# images in and out, e2fsck likes what comes out, a trim frees blocks of the
# file, a flush reaches it, a read-only disk is not written.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"
need nbdkit nbdinfo nbdcopy qemu-img qemu-io mke2fs e2fsck debugfs

sum() {
        sha256sum <"$1"
}

# blocks FILE: of 512 bytes, that it occupies.
blocks() {
        sync "$1"
        stat -c %b "$1"
}

start_pocketxen
start_daemon --io-threads 2
px create g1 >"$T/created"

# Not a power of two, and not a multiple of a page.
SIZE=$((24 * 1024 * 1024 + 512 * 3))
head -c 3M /dev/urandom >"$T/random"
mkdir "$T/tree"
cp "$T/random" "$T/tree/random"
seq 100000 >"$T/tree/numbers"
truncate -s 24M "$T/fs.img"
mke2fs -q -F -t ext4 -d "$T/tree" "$T/fs.img"
truncate -s $SIZE "$T/fs.img"
FS_SUM=$(sum "$T/fs.img")

truncate -s $SIZE "$T/disk.img"
eg attach g1 xvda "$T/disk.img"

say "nbdinfo: size and abilities"
nbd g1 'nbdinfo --size "$uri" && nbdinfo --json "$uri"' >"$T/info"
assert_eq "$(head -n 1 "$T/info")" $SIZE "size"
INFO=$(tail -n +2 "$T/info" | jq -c '.exports[0]')
for can in can_flush can_trim can_multi_conn; do
        assert_eq "$(jq ".$can" <<<"$INFO")" true "$can"
done
assert_eq "$(jq .is_read_only <<<"$INFO")" false "is_read_only"
assert_eq "$(jq .block_size_minimum <<<"$INFO")" 512 "minimal block"

say "nbdcopy: in, and out again over several connections"
nbd g1 'nbdcopy --flush fs.img "$uri"'
assert_eq "$(sum "$T/disk.img")" "$FS_SUM" "what reached the store"
nbd g1 'nbdcopy --connections=4 --requests=64 "$uri" out.img' ring-order=2
assert_eq "$(sum "$T/out.img")" "$FS_SUM" "what came out"

say "e2fsck and debugfs on what came out"
e2fsck -fn "$T/out.img" >"$T/e2fsck.log" 2>&1 ||
        fail "e2fsck: $(<"$T/e2fsck.log")"
debugfs -R 'cat random' "$T/out.img" 2>/dev/null | cmp - "$T/random" ||
        fail "the file in the image"

say "qemu-img: compare, convert out and in"
nbd g1 'qemu-img compare -f raw -F raw fs.img "$uri"' >"$T/compare"
assert_has "$(<"$T/compare")" "Images are identical"
nbd g1 'qemu-img convert -f raw -O qcow2 "$uri" out.qcow2'
assert_eq "$(qemu-img compare -f raw -F qcow2 fs.img out.qcow2)" \
        "Images are identical."
# 16 requests out of order, and bytes that change.
printf changed | dd of="$T/tree/numbers" bs=1 seek=77777 conv=notrunc status=none
debugfs -w -R 'rm numbers' "$T/fs.img" 2>/dev/null
debugfs -w -R "write $T/tree/numbers numbers" "$T/fs.img" >/dev/null 2>&1
nbd g1 'qemu-img convert -n -W -m 16 -f raw -O raw fs.img "$uri"'
assert_eq "$(sum "$T/disk.img")" "$(sum "$T/fs.img")" "what qemu-img wrote"
[ "$(sum "$T/fs.img")" != "$FS_SUM" ] || fail "nothing was changed"
assert_eq "$(nbd g1 'qemu-img compare -f raw -F raw fs.img "$uri"')" \
        "Images are identical."

say "pieces that are no whole sectors"
# Clients that know of sectors round by themselves: these do not.
any_size() {
        nbd g1 "qemu-io -f raw $1 \"\$uri\"" --filter=blocksize-policy \
                blocksize-minimum=1
}
any_size '-c "write -q -P 0x5a 4095 1026" -c "read -q -P 0x5a 4095 1026"'
# Eight at once beside each other, in the same few sectors.
COMMANDS=
for i in 1 2 3 4 5 6 7 8; do
        COMMANDS+=" -c 'aio_write -q -P 0x5a $((5121 + (i - 1) * 100)) 100'"
done
any_size "$COMMANDS -c aio_flush"
assert_eq "$(dd if="$T/disk.img" bs=1 skip=4095 count=1826 status=none |
        tr -d Z | wc -c)" 0 "bytes that are not the written one"
{
        cmp <(head -c 4095 "$T/disk.img") <(head -c 4095 "$T/fs.img") &&
                cmp <(tail -c +5922 "$T/disk.img") <(tail -c +5922 "$T/fs.img")
} || fail "bytes around it"

say "trim frees blocks of the file, and only those"
cp "$T/random" "$T/solid.img"
cat "$T/random" >>"$T/solid.img" # 6 MiB without a hole
eg detach g1 xvda
eg attach g1 xvda "$T/solid.img"
BEFORE=$(blocks "$T/solid.img")
nbd g1 'qemu-io -f raw -d unmap -c "discard 1M 2M" "$uri"' >"$T/discard.log"
FREED=$((BEFORE - $(blocks "$T/solid.img")))
assert_num "$FREED" -ge $((2 * 1024 * 1024 / 512)) "blocks freed by qemu-io"
# A block of the file system more, for its own account.
assert_num "$FREED" -le $((2 * 1024 * 1024 / 512 + 64)) "blocks freed"
cmp -n 1M "$T/solid.img" "$T/random" || fail "before the trim"
cmp -n 3M -i 3M:0 "$T/solid.img" "$T/random" || fail "behind the trim"
if command -v fio >/dev/null; then
        BEFORE=$(blocks "$T/solid.img")
        nbd g1 'fio --name=trim --ioengine=nbd --uri="$uri" --rw=trim \
                --bs=64k --offset=4M --size=1M' >"$T/fio.log" 2>&1
        assert_num "$((BEFORE - $(blocks "$T/solid.img")))" -ge 2048 \
                "blocks freed by fio"
fi

say "a flush reaches the store, and its failure the client"
eg detach g1 xvda
eg attach g1 xvda "fault:flush-error=EIO:$T/solid.img"
# nbdkit under AddressSanitizer hangs at its end once any plugin has failed.
if [[ ${EG_SANITIZE-} != *address* ]]; then
        assert_status 1 nbd g1 'nbdcopy --flush random "$uri"'
        assert_has "$OUT" "Input/output error"
fi
nbd g1 'nbdcopy random "$uri"' # not asked for
eg detach g1 xvda

# Worker threads call what can be counted; io_uring does it in the kernel.
flushes_are_seen() {
        stop_daemon
        start_daemon --no-uring
        eg attach g1 xvda "$T/solid.img"
        strace -f -p "$DAEMON_PID" -e trace=fdatasync,fsync -o "$T/syncs" \
                2>"$T/strace.log" &
        local tracer=$!
        wait_for "grep -qE 'attached|not permitted' '$T/strace.log' ||
                ! kill -0 $tracer"
        if ! grep -q attached "$T/strace.log"; then
                say "tracing is not permitted: not counted"
                return 0
        fi
        nbd g1 'qemu-io -f raw -t writeback -c "write -q 0 4k" -c flush \
                -c "write -q 8k 4k" -c flush "$uri"'
        kill -INT $tracer
        wait $tracer || true
        # Theirs, and one when qemu-io closes.
        assert_num "$(grep -cE 'f(data)?sync\(.*= 0' "$T/syncs")" -ge 2 \
                "syncs of the daemon"
        eg detach g1 xvda
        stop_daemon
        start_daemon
}
if command -v strace >/dev/null; then
        flushes_are_seen
fi

say "read-only"
eg attach g1 xvda "$T/fs.img" --readonly
FS_SUM=$(sum "$T/fs.img")
assert_eq "$(nbd g1 'nbdinfo --json "$uri"' | jq '.exports[0].is_read_only')" \
        true "is_read_only"
nbd g1 'nbdcopy "$uri" ro.img'
assert_eq "$(sum "$T/ro.img")" "$FS_SUM" "a copy of the read-only disk"
if nbd g1 'qemu-io -f raw -c "write 0 4k" "$uri"' >"$T/ro.log" 2>&1; then
        fail "a read-only disk was written"
fi
assert_eq "$(sum "$T/fs.img")" "$FS_SUM" "the read-only image"
stop_daemon
