# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 5: xl save and restore of a guest whose disks, of xl's own lines,
# are mounted and busy.
daemon_start
image 32M d.img
image 64M fs.img
VCPUS=2 guest_create g1 'disk=["script=block-evergrant,vdev=xvdb,target=/data/d.img","script=block-evergrant,vdev=xvdc,target=/data/fs.img"]'
before=$(domid g1)

feature saved-while-busy
guest g1 'mkfs.ext4 -q /dev/xvdc && mkdir -p /mnt && mount /dev/xvdc /mnt && cp -a /usr/sbin /mnt/'
load_start g1 load "$FIO --filename=/dev/xvdb --name=load --iodepth=16 --rw=randrw --bsrange=4k-256k --size=24M"
load_start g1 tree "rm -rf /mnt/again; cp -a /usr/sbin /mnt/again && sync && diff -r /usr/sbin /mnt/again"
sleep 3
state_of g1 xvdb
note "busy: $(evergrant stat g1 xvdb --json | jq '.disks[0].counters | .reads + .writes')"
T=200 run xl save g1 /data/saved.img
run xl list
sh_run 'xenstore-ls /local/domain/0/backend; echo ends'
sh_run 'evergrant list'

feature restored
T=200 run xl restore /data/saved.img
wait_for "[ \"\$(xenstore-read \$(back_of g1 xvdb)/state)\" = 4 ]" 60
note "domain $before is now $(domid g1)"
load_is_on g1 load
load_is_on g1 tree
sleep 5
note "after: $(evergrant stat g1 xvdb --json | jq '.disks[0].counters | .reads + .writes')"
load_stop g1 load
load_stop g1 tree
guest g1 'diff -r /usr/sbin /mnt/again && diff -r /usr/sbin /mnt/sbin && umount /mnt'
state_of g1 xvdb

feature bytes-after-restore
same_bytes g1 xvdb /data/d.img
stat_of g1 xvdb
run xl destroy g1
wait_for "! evergrant list | grep -q /data" 60
run e2fsck -f -n /data/fs.img
daemon_stop
