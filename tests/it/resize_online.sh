#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks grow under load; the guest is told and can use what is new. Cutting one
# needs a guest that does nothing, and what cannot be is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read nbdkit nbdinfo qemu-io

start_pocketxen
start_daemon
px create g1 >"$T/created"
truncate -s 8M "$T/disk.img" "$T/ro.img"
eg attach g1 xvda "$T/disk.img"
eg attach g1 xvdb ram:8M
eg attach g1 xvdc "$T/ro.img" --readonly
start_load file g1
start_load ram g1 --vdev xvdb
for vdev in xvda xvdb; do
        moves g1 $vdev
        assert_eq "$(eg resize g1 $vdev 16M)" \
                "$vdev of g1 is now 16 MiB (32768 sectors of 512 bytes)"
        wait_for "grep -q '$vdev: now has 32768 sectors' $T/load-*.log"
        moves g1 $vdev
done
end_load file ram
assert_eq "$(stat -c %s "$T/disk.img")" $((16 << 20)) 'size of the file'
assert_eq "$(xs read /local/domain/0/backend/evergrant/1/51728/params)" \
        ram:16M 'what the next daemon will read'

say "what is new is there, and empty"
for vdev in xvda xvdb; do
        nbd g1 '[ "$(nbdinfo --size "$uri")" = 16777216 ] &&
                qemu-io -f raw "$uri" -c "read -P 0 12M 4M" \
                        -c "write -P 7 15M 1M" -c "read -P 7 15M 1M"' \
                "vdev=$vdev" >"$T/qemu-io.log"
done

say "smaller, while nobody uses it"
for vdev in xvda xvdb; do
        eg resize g1 $vdev 4M
        nbd g1 '[ "$(nbdinfo --size "$uri")" = 4194304 ]' "vdev=$vdev"
done
assert_eq "$(stat -c %s "$T/disk.img")" $((4 << 20)) 'size of the file'

say "not while a request is on its way"
eg attach g1 xvdd fault:write-delay-ms=3600000:ram:8M
start_load slow g1 --vdev xvdd
wait_for '[ "$(counter g1 xvdd inflight)" -gt 0 ]'
assert_status 1 eg resize g1 xvdd 4M
assert_has "$OUT" 'the disk is busy'
eg resize g1 xvdd 16M
kill_load slow

say "refused"
assert_status 1 eg resize g1 xvdc 16M
assert_has "$OUT" 'the disk is read-only: its size stays'
assert_status 2 eg resize g1 xvda 1000
assert_has "$OUT" '"1000" is no multiple of 512 bytes'
assert_status 2 eg resize g1 xvda 0
assert_status 2 eg resize g1 xvda -- -1
assert_status 1 eg resize g1 xvde 16M
assert_has "$OUT" 'domain 1 has no such disk'
assert_status 1 eg resize nobody xvda 16M
assert_has "$OUT" 'nobody'
kill_daemon # a write is on its way for an hour
