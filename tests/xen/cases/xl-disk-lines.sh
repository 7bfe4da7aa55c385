# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# How xl reaches us: from `make install` to a running guest with only what
# docs/operators.md says; without and with the kernel's xen-blkback; and what xl
# says when something is wrong.
LOAD="$FIO --filename=/dev/xvda --name=load --iodepth=16 --rw=randrw --bsrange=512-1M --size=16M --io_size=8M"

feature installed
sh_run 'ls -l /usr/local/sbin/evergrantd /usr/local/bin/evergrant /usr/local/lib/systemd/system/evergrantd.service /etc/xen/scripts/block-evergrant'
sh_run 'cat /usr/local/lib/systemd/system/evergrantd.service'
daemon_start
run evergrant list

feature disk-line-without-blkback
sh_run 'lsmod | grep -c xen_blkback || true'
run truncate -s 32M /data/guest.img
guest_create g1 'disk = [ "script=block-evergrant,vdev=xvda,target=/data/guest.img" ]'
connected_size g1 xvda
T=400 guest g1 "$LOAD"
state_of g1 xvda
same_bytes g1 xvda /data/guest.img
run evergrant list

feature block-attach
run truncate -s 16M /data/more.img
run xl block-attach g1 script=block-evergrant,vdev=xvdd,target=/data/more.img
connected_size g1 xvdd
guest g1 "$FIO --filename=/dev/xvdd --name=more --iodepth=8 --rw=randrw --bs=16k --size=4M"
run evergrant list
run xl block-attach g1 script=block-evergrant,vdev=xvde,access=ro,target=/data/more.img
# After a refusal the daemon clears up.
wait_for '! evergrant list | grep -q xvde' 30
sh_run 'evergrant list | grep -c xvde || true'

feature block-attach-read-only
run truncate -s 16M /data/tools.img
run xl block-attach g1 script=block-evergrant,vdev=xvdf,access=ro,target=/data/tools.img
connected_size g1 xvdf
guest g1 'echo "ro: $(blockdev --getro /dev/xvdf)"'
run evergrant list

feature block-detach
run xl block-detach g1 xvdd
run xl block-detach g1 xvdf
sh_run 'sleep 3; evergrant list; xenstore-ls /local/domain/0/backend/vbd'
guest g1 'ls -1 /sys/block'

feature resize
run evergrant resize g1 xvda 40M
guest g1 'i=0; while [ $(cat /sys/block/xvda/size) != 81920 ] && [ $i -lt 100 ]; do usleep 100000; i=$((i+1)); done; echo "sectors: $(cat /sys/block/xvda/size)"'

feature destroyed
id=$(domid g1)
run xl destroy g1
wait_for "! xl list $id" 60
sh_run 'sleep 2; evergrant list; xenstore-ls /local/domain/0/backend/vbd; xenstore-ls /local/domain/0/error; echo ends'

feature disk-line-with-blkback
modprobe xen-blkback
sh_run 'lsmod | grep xen_blkback'
guest_create g1 'disk = [ "script=block-evergrant,vdev=xvda,target=/data/guest.img" ]'
connected_size g1 xvda
T=400 guest g1 "$LOAD"
state_of g1 xvda
same_bytes g1 xvda /data/guest.img
run evergrant list
sh_run 'ls /sys/bus/xen-backend/drivers/vbd; ls /sys/bus/xen-backend/devices'

feature both-drivers-side-by-side
modprobe loop
run truncate -s 16M /data/kernel.img
run losetup /dev/loop0 /data/kernel.img
run xl block-attach g1 phy:/dev/loop0,xvdk,w
connected_size g1 xvdk
guest g1 "$FIO --filename=/dev/xvdk --name=kernels --iodepth=8 --rw=randrw --bs=16k --size=4M"
T=400 guest g1 "$LOAD"
run evergrant list
run xl block-detach g1 xvdk
run losetup -d /dev/loop0

# bad ID 'WHAT' LINE…: xl says no, within seconds, and nothing stays.
bad() {
        local begin=$SECONDS
        feature "$1"
        note "$2"
        shift 2
        run xl block-attach g1 "$@"
        note "took $((SECONDS - begin)) s"
        sleep 6
        sh_run 'xenstore-list /local/domain/0/backend/vbd/$(xl domid g1); evergrant list'
}
bad bad-missing-file "a file that is not there" script=block-evergrant,vdev=xvdm,target=/data/none.img
bad bad-second-writer "an image in use" script=block-evergrant,vdev=xvdm,target=/data/guest.img
truncate -s 1000 /data/odd.img
bad bad-size "a size that is no multiple of 512" script=block-evergrant,vdev=xvdm,target=/data/odd.img
bad bad-relative "no absolute path" script=block-evergrant,vdev=xvdm,target=odd.img
bad bad-driver "an unknown driver" script=block-evergrant,vdev=xvdm,target=nbd://host/x

feature bad-no-daemon
daemon_stop
begin=$SECONDS
run xl block-attach g1 script=block-evergrant,vdev=xvdm,target=/data/more.img
note "took $((SECONDS - begin)) s"
daemon_start
sleep 20
sh_run 'xenstore-list /local/domain/0/backend/vbd/$(xl domid g1); evergrant list'
T=400 guest g1 "$LOAD"

feature nodes-removed-by-hand
run xl block-attach g1 script=block-evergrant,vdev=xvdd,target=/data/more.img
connected_size g1 xvdd
run xenstore-rm "$(back_of g1 xvdd)"
sh_run 'sleep 3; evergrant list; evergrant list | grep -c more.img || true'
T=400 guest g1 "$LOAD"

feature no-gntdev
run xl destroy g1
daemon_stop
run mv /dev/xen/gntdev /dev/xen/gntdev.away
sh_run 'timeout 20 evergrantd; echo "evergrantd ended with $?"'
run mv /dev/xen/gntdev.away /dev/xen/gntdev
