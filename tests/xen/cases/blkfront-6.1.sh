# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 1: stock Linux blkfront in a PV guest, our backend in Dom0.
: "${KERNEL:=6.1}"
export KERNEL

# Random reads and writes of 512 bytes to 1 MiB, verified: three jobs, each on a
# part of its own.
LOAD='fio --name=load --filename=/dev/xvdb --direct=1 --ioengine=libaio \
--iodepth=16 --rw=randwrite --bsrange=512-1M --verify=crc32c --numjobs=3 \
--size=12M --offset_increment=20M --io_size=12M --verify_state_save=0 \
--do_verify=1 && fio --name=mixed --filename=/dev/xvdb --direct=1 \
--ioengine=libaio --iodepth=16 --rw=randrw --bsrange=512-1M --verify=crc32c \
--size=16M --io_size=16M --verify_state_save=0'
# The same in short, for each row of the matrix.
SHORT='fio --name=short --filename=/dev/xvdb --direct=1 --ioengine=libaio \
--iodepth=32 --rw=randrw --bsrange=4k-1M --verify=crc32c --numjobs=2 \
--size=8M --offset_increment=32M --io_size=8M --verify_state_save=0'

ready() {
        guest g1 "i=0; until [ \$(blockdev --getsz /dev/${1:-xvdb} 2>/dev/null || echo 0) -gt 0 ] || [ \$i -gt 300 ]; do usleep 100000; i=\$((i+1)); done; cat /sys/block/${1:-xvdb}/size"
}

# Every byte, read in the guest and outside of it, is the same.
same_bytes() {
        T=300 guest g1 'echo "sum in the guest: $(dd if=/dev/xvdb bs=1M iflag=direct 2>/dev/null | sha256sum)"'
        sh_run "echo \"sum outside: \$(sha256sum <$1)\""
}

daemon_start --io-threads 2
VCPUS=2 MEM=448 EXTRA="mods=none" guest_create g1
image 72M d.img

# matrix ID "BLKFRONT'S PARAMETERS" "ATTACH'S OPTIONS"
matrix() {
        feature "$1"
        guest g1 "blkfront $2"
        # shellcheck disable=SC2086 # words
        attach g1 xvdb /data/d.img $3
        ready
        T=400 guest g1 "$SHORT"
        guest g1 'cat /sys/block/xvdb/queue/max_segments; ls /sys/block/xvdb/mq'
        state_of g1 xvdb
        same_bytes /data/d.img
        run evergrant detach g1 xvdb
}

for order in 0 1 2 3 4; do
        matrix ring-order-$order \
                "max_ring_page_order=$order max_queues=1 max_indirect_segments=32" ""
done
matrix indirect-256 "max_ring_page_order=0 max_queues=1 max_indirect_segments=256" ""
matrix two-queues "max_ring_page_order=1 max_queues=2 max_indirect_segments=32" "--queues 2"

feature persistent-grants
guest g1 blkfront
attach g1 xvdb /data/d.img
ready
T=600 guest g1 "$LOAD"
state_of g1 xvdb

feature verified-load
T=600 guest g1 "$LOAD"
stat_of g1 xvdb
same_bytes /data/d.img

feature file-o-direct
run evergrant list --json
# O_DIRECT is 040000 in a descriptor's flags.
for fd in /proc/"$DAEMON_PID"/fd/*; do
        [ "$(readlink "$fd")" != /data/d.img ] ||
                note "fd of the image: $(grep flags "/proc/$DAEMON_PID/fdinfo/${fd##*/}")"
done
T=400 guest g1 "$SHORT"
stat_of g1 xvdb

feature flush
guest g1 'fio --name=sync --filename=/dev/xvdb --direct=1 --rw=write --bs=4k --size=256k --fsync=1 --verify=crc32c --verify_state_save=0'
stat_of g1 xvdb

feature hot-attach
image 16M hot.img
guest g1 "(fio --name=below --filename=/dev/xvdb --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite --bs=16k --size=32M --io_size=64M --verify=crc32c --verify_state_save=0 --do_verify=1 >/tmp/below.log 2>&1; echo \$? >/tmp/below.rc) &"
attach g1 xvdc /data/hot.img
ready xvdc
guest g1 'fio --name=hot --filename=/dev/xvdc --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite --bs=16k --size=8M --verify=crc32c --verify_state_save=0'
guest g1 'grep . /sys/block/xvdc/size; test ! -e /tmp/below.rc && echo "xvdb is still busy"'

feature hot-detach
run evergrant detach g1 xvdc
wait_for '! xenstore-exists /local/domain/'"$(domid g1)"'/device/vbd/51744' 30
guest g1 'i=0; while [ -e /sys/block/xvdc ] && [ $i -lt 100 ]; do usleep 100000; i=$((i+1)); done; ls /sys/block; test ! -e /tmp/below.rc && echo "xvdb is still busy"'
T=400 guest g1 'while [ ! -e /tmp/below.rc ]; do sleep 1; done; cat /tmp/below.log; cat /tmp/below.rc'
run evergrant list
run xenstore-ls /local/domain/0/backend/evergrant

feature resize
run evergrant resize g1 xvdb 96M
guest g1 'i=0; while [ $(cat /sys/block/xvdb/size) != 196608 ] && [ $i -lt 100 ]; do usleep 100000; i=$((i+1)); done; echo "sectors: $(cat /sys/block/xvdb/size)"'
guest g1 'fio --name=beyond --filename=/dev/xvdb --direct=1 --offset=80M --size=8M --rw=randwrite --bs=64k --verify=crc32c --verify_state_save=0'
sh_run 'echo "bytes outside: $(stat -c %s /data/d.img)"'
run evergrant detach g1 xvdb

feature file-system
image 256M fs.img
attach g1 xvdb /data/fs.img
ready
guest g1 'mkfs.ext4 -q /dev/xvdb && mkdir -p /mnt && mount /dev/xvdb /mnt && cp -a /usr /bin /sbin /m /mnt/ && sync'
guest g1 'cd /mnt && find . -type f ! -path "./lost+found*" | sort | xargs md5sum >/tmp/tree && echo "files: $(wc -l </tmp/tree)" && echo "tree in the guest: $(md5sum </tmp/tree)"'
guest g1 'cd /; umount /mnt'
stat_of g1 xvdb
run evergrant detach g1 xvdb
run e2fsck -f -n /data/fs.img
run mount -o loop,ro /data/fs.img /mnt
sh_run 'cd /mnt && find . -type f ! -path "./lost+found*" | LC_ALL=C sort | xargs md5sum >/tmp/tree; echo "tree outside: $(md5sum </tmp/tree)"'
run umount /mnt

feature fstrim
attach g1 xvdb /data/fs.img
ready
sh_run 'echo "blocks before: $(stat -c %b /data/fs.img)"'
guest g1 'mount /dev/xvdb /mnt && rm -rf /mnt/usr /mnt/bin && sync && fstrim -v /mnt && umount /mnt'
sh_run 'echo "blocks after: $(stat -c %b /data/fs.img)"'
guest g1 'cat /sys/block/xvdb/queue/discard_max_bytes'
stat_of g1 xvdb
run evergrant detach g1 xvdb
run e2fsck -f -n /data/fs.img

feature read-only
sh_run 'echo "sum before: $(sha256sum </data/d.img)"'
attach g1 xvdb /data/d.img --readonly
ready
guest g1 'echo "ro: $(blockdev --getro /dev/xvdb)"'
guest g1 'dd if=/dev/zero of=/dev/xvdb bs=4k count=1 oflag=direct'
guest g1 'blockdev --setrw /dev/xvdb; dd if=/dev/zero of=/dev/xvdb bs=4k count=1 oflag=direct'
guest g1 'dd if=/dev/xvdb of=/dev/null bs=1M iflag=direct count=8'
state_of g1 xvdb
run evergrant detach g1 xvdb
sh_run 'echo "sum after: $(sha256sum </data/d.img)"'

# blkfront takes barriers only where there is no flush: the toolstack's word
# decides what is offered.
feature barrier
guest g1 'rmmod xen_blkfront'
run evergrant attach g1 xvdb /data/d.img
back=$(back_of g1 xvdb)
run xenstore-write "$back/feature-flush-cache" 0
guest g1 blkfront
wait_for "[ \"\$(xenstore-read $back/state)\" = 4 ]" 60
ready
guest g1 'fio --name=sync --filename=/dev/xvdb --direct=1 --rw=write --bs=4k --size=128k --fsync=1 --verify=crc32c --verify_state_save=0'
state_of g1 xvdb
run evergrant detach g1 xvdb

# /dev/vde: a virtio disk of Dom0; then a RAM disk and a loop device.
feature block-device
attach g1 xvdb /dev/vde
ready
T=400 guest g1 "$SHORT"
same_bytes /dev/vde
run evergrant list --json
stat_of g1 xvdb
run evergrant detach g1 xvdb

feature block-device-brd
modprobe brd rd_nr=1 rd_size=73728
attach g1 xvdb /dev/ram0
ready
T=400 guest g1 "$SHORT"
same_bytes /dev/ram0
run evergrant list --json
run evergrant detach g1 xvdb
rmmod brd

feature block-device-loop
run losetup /dev/loop0 /data/d.img
attach g1 xvdb /dev/loop0
ready
T=400 guest g1 "$SHORT"
same_bytes /dev/loop0
run evergrant list --json
run evergrant detach g1 xvdb
run losetup -d /dev/loop0

feature nothing-left
run evergrant list
run xenstore-ls /local/domain/0/backend
grants_of g1
daemon_stop
run cat "$D/evergrantd.log"
