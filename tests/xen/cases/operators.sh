# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# docs/operators.md from its top to its bottom, in a Dom0 as Debian makes it: what
# `make install` installed, systemd, udev, Xen's own start scripts, and nothing
# that the page does not say. Then the host starts again.
LOAD="$FIO --filename=/dev/xvda --name=load --iodepth=16 --rw=randrw --bsrange=512-256k --size=16M --io_size=8M"

if [ ! -e /out/again ]; then
feature make-install
# DESTDIR's content, as a package would bring it.
run cp -a /files/stage/. /
run systemctl daemon-reload
run systemctl enable --now evergrantd
run evergrant list
sh_run 'ls -l /usr/local/sbin/evergrantd /etc/xen/scripts/block-evergrant'
run systemctl show evergrantd -p ActiveState -p Type -p StatusText

feature a-guest-starts
mkdir -p /srv
run truncate -s 32M /srv/guest.img
guest_create g1 'disk = [ "script=block-evergrant,vdev=xvda,target=/srv/guest.img" ]'
connected_size g1 xvda
T=400 guest g1 "$LOAD"
stat_of g1 xvda
same_bytes g1 xvda /srv/guest.img
run evergrant list
# Without an agent's word, udev's: it loads the kernel's driver with the first disk.
sh_run 'lsmod | grep xen_blkback; true'

feature block-attach-and-detach
run truncate -s 16M /srv/more.img
run xl block-attach g1 script=block-evergrant,vdev=xvdd,target=/srv/more.img
connected_size g1 xvdd
run evergrant list
run xl block-detach g1 xvdd
wait_for '! evergrant list | grep -q xvdd' 30
run evergrant list

feature resize
run evergrant resize g1 xvda 40M
guest g1 'i=0; while [ $(cat /sys/block/xvda/size) != 81920 ] && [ $i -lt 300 ]; do usleep 100000; i=$((i+1)); done; echo "sectors: $(cat /sys/block/xvda/size)"'

feature restart-under-load
load_start g1 load "$LOAD"
load_is_on g1 load
note "$(systemctl show evergrantd -p MainPID) before"
run systemctl restart evergrantd
note "$(systemctl show evergrantd -p MainPID) after"
wait_for "[ \$(evergrant stat g1 xvda --json | jq '.disks[0].counters | .reads + .writes') -gt 20 ]" 120
load_is_on g1 load
load_stop g1 load
stat_of g1 xvda

feature bad-line
run xl block-attach g1 script=block-evergrant,vdev=xvdm,target=/srv/none.img
wait_for '! evergrant list | grep -q xvdm' 30
run evergrant list

feature journal
sh_run 'journalctl -u evergrantd --no-pager | tail -n 40'

guest g1 'echo kept >/tmp/mark'
feature_end
touch /out/again
sync
systemctl reboot
sleep 600
fi

feature host-starts-again
sh_run 'echo "state of the host: $(cat /run/lab-state)"; systemctl --failed --no-legend'
run systemctl show evergrantd -p ActiveState -p NRestarts
sh_run 'journalctl -b -u evergrantd --no-pager'
sh_run 'journalctl -b -u xendomains -u xen --no-pager'
sh_run 'began=$(systemctl show evergrantd -p ExecMainStartTimestampMonotonic --value); up=$(systemctl show xen -p ActiveEnterTimestampMonotonic --value); [ "$up" -gt 0 ] && [ "$began" -ge "$up" ] && echo "xenstored before evergrantd: yes"'
run evergrant list
# xendomains has saved it at the shutdown, and restored it.
wait_for 'xl domid g1'
guest g1 'echo "its memory: $(cat /tmp/mark)"'

feature its-guest-too
T=400 guest g1 "$LOAD"
stat_of g1 xvda
run xl destroy g1
run systemctl stop evergrantd
