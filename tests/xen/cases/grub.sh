# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 4: GRUB's PV frontend boots a Debian root file system that lives
# on our disk (/dev/vdf here): kernel, initramfs, and Debian's own init.
daemon_start --log-level debug
cat >/tmp/deb.cfg <<'E'
name="deb"
type="pv"
kernel="/lab/grub-x86_64-xen.bin"
memory=384
vcpus=1
on_crash="destroy"
on_reboot="destroy"
E

feature boots
T=90 run xl create -p /tmp/deb.cfg
run evergrant attach deb xvda /dev/vdf
run xl unpause deb
guest_up deb
guest deb 'cat /proc/1/comm /etc/debian_version; uname -r; grep " / " /proc/mounts; i=0; until systemctl -q is-active multi-user.target || [ $i -gt 240 ]; do sleep 0.5; i=$((i+1)); done; systemctl list-units --type=target --state=active --no-legend'
sh_run 'cat /var/log/xen/console/guest-deb.log'

feature negotiated-anew
guest deb 'cat /proc/cmdline'
state_of deb xvda
sh_run "grep xvda $D/evergrantd.log"

feature lives-on-it
T=400 guest deb 'cp -a /usr/bin /root/copy && sync && echo 3 >/proc/sys/vm/drop_caches && diff -r --no-dereference /usr/bin /root/copy && echo "files: $(find /root/copy -type f | wc -l), all the same"'
stat_of deb xvda
id=$(domid deb)
guest deb '(sleep 1; systemctl poweroff) &'
wait_for "! xl domid deb" 180
wait_for "! xenstore-exists /local/domain/0/backend/evergrant/$id" 30
run xl list
run e2fsck -f -n /dev/vdf
daemon_stop
