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
        wait_for "! xenstore-exists /local/domain/0/backend/vbd/$(domid g1)/51904" 30
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
wait_for "! xenstore-exists /local/domain/0/backend/vbd/$(domid g1)/51904" 60
sh_run 'xenstore-list /local/domain/0/backend/vbd/$(xl domid g1); evergrant list'
T=400 guest g1 "$LOAD"

feature nodes-removed-by-hand
run xl block-attach g1 script=block-evergrant,vdev=xvdd,target=/data/more.img
connected_size g1 xvdd
run xenstore-rm "$(back_of g1 xvdd)"
wait_for '! evergrant list | grep -q more.img' 30
sh_run 'evergrant list | grep -c more.img || true'
T=400 guest g1 "$LOAD"

# attach_and ID 'WHAT' COMMAND: COMMAND while xl waits for us (our daemon is
# stopped: the script has put its mark and asks for the answer).
attach_and() {
        local begin xl
        feature "$1"
        note "$2"
        # The script asks once whether the daemon is there.
        printf '#!/bin/sh\n/usr/local/bin/evergrant "$@" || exit\nkill -STOP %s\n' \
                "$DAEMON_PID" >/data/evergrant
        chmod +x /data/evergrant
        begin=$SECONDS
        EVERGRANT_HOOK_PATH=/data xl block-attach g1 \
                script=block-evergrant,vdev=xvdm,target=/data/more.img \
                >/tmp/xl.out 2>&1 </dev/null &
        xl=$!
        wait_for '[ "$(xenstore-read '"$VBD"'/51904/eg-hook)" = ready ]' 60
        shift 2
        run "$@"
        kill -CONT "$DAEMON_PID"
        rc=0
        wait $xl || rc=$?
        note "dom0# xl block-attach, meanwhile"
        cat /tmp/xl.out >>"$LOG"
        note "=> $rc"
        note "took $((SECONDS - begin)) s"
        rm /data/evergrant
        wait_for '! xenstore-exists '"$VBD"'/51904' 30
        wait_for '! xenstore-exists '"$LIBXL"'/51904' 30
        sh_run "xenstore-list $VBD; xenstore-list $LIBXL; evergrant list"
}
VBD=/local/domain/0/backend/vbd/$(domid g1)
LIBXL=/libxl/$(domid g1)/device/vbd
attach_and nodes-removed-in-attach "nodes removed by hand before we answered" \
        xenstore-rm "$VBD/51904"
T=400 guest g1 "$LOAD"

# gone_after: nothing of the dead domain, anywhere.
gone_after() {
        wait_for "! xl list $1" 60
        wait_for '! evergrant list | grep -q "('"$1"')"' 30
        wait_for "! xenstore-exists /local/domain/0/backend/vbd/$1" 30
        sh_run "xl list; evergrant list; xenstore-ls /local/domain/0/backend; xenstore-ls /local/domain/0/error; xenstore-ls /libxl/$1; echo ends"
        grants_of "$1"
        note "the dead domain was d$1"
}

# The guest has published its ring, and we are about to take it.
feature dies-in-connect
run xl destroy g1
EXTRA="mods=none" guest_create g1
id=$(domid g1)
run xl block-attach g1 script=block-evergrant,vdev=xvdd,target=/data/more.img
kill -STOP "$DAEMON_PID"
guest g1 'blkfront >/dev/null 2>&1 &'
wait_for "[ \"\$(xenstore-read /local/domain/$id/device/vbd/51760/state)\" = 3 ]" 60
run xl destroy g1
kill -CONT "$DAEMON_PID"
gone_after "$id"

# Never started: our end waits for it.
feature dies-before-connect
sed -i '/^disk/d' /tmp/g1.cfg
echo 'disk = [ "script=block-evergrant,vdev=xvda,target=/data/guest.img" ]' >>/tmp/g1.cfg
T=90 run xl create -p /tmp/g1.cfg
id=$(domid g1)
run evergrant list
run xl destroy g1
gone_after "$id"

# xl destroys it because of the disk.
feature bad-create
begin=$SECONDS
sed 's/guest.img/none.img/' /tmp/g1.cfg >/tmp/g2.cfg
T=90 run xl create /tmp/g2.cfg
note "took $((SECONDS - begin)) s"
wait_for '! xl list g1' 30
sh_run "xl list; evergrant list; xenstore-ls /local/domain/0/backend; echo ends"

T=90 run xl create -p /tmp/g1.cfg
id=$(domid g1)
VBD=/local/domain/0/backend/vbd/$id LIBXL=/libxl/$id/device/vbd
attach_and dies-in-attach "the domain is destroyed before we answered" \
        xl destroy g1
gone_after "$id"

# refused_start ID COMMAND…: evergrantd does not start, and xl says why. (The
# kernel's driver gives xl the answer that lets it run the script.)
refused_start() {
        local begin
        feature "$1"
        shift
        sh_run "timeout 60 $*; echo \"evergrantd ended with \$?\""
        begin=$SECONDS
        run xl block-attach g1 script=block-evergrant,vdev=xvdm,target=/data/more.img
        note "took $((SECONDS - begin)) s"
        wait_for "! xenstore-exists /local/domain/0/backend/vbd/$id/51904" 30
        sh_run "xenstore-list /local/domain/0/backend/vbd/$id; true"
}
sed -i '/^disk/d' /tmp/g1.cfg
T=90 run xl create -p /tmp/g1.cfg
id=$(domid g1)
daemon_stop
mv /dev/xen/gntdev /dev/xen/gntdev.away
refused_start no-gntdev evergrantd
mv /dev/xen/gntdev.away /dev/xen/gntdev
# A user who may do all the rest.
chmod 666 /dev/xen/evtchn /dev/xen/xenbus
chmod 777 /run/xenstored /run/xenstored/socket
refused_start no-permission setpriv --reuid 65534 --clear-groups \
        evergrantd --socket /tmp/nobody.sock
chmod 600 /dev/xen/evtchn /dev/xen/xenbus
daemon_start
feature_end
daemon_stop
