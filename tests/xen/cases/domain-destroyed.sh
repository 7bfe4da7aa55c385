# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 6: two domains, one destroyed in the middle of its I/O.
daemon_start --io-threads 2
guest_create g1
guest_create g2
image 32M a.img
image 48M b.img
attach g1 xvdb /data/a.img
attach g2 xvdb /data/b.img
dead=$(domid g1)

feature the-other-goes-on
load_start g2 other "$FIO --filename=/dev/xvdb --name=other --iodepth=16 --rw=randrw --bsrange=4k-256k --size=16M"
load_start g1 dying "$FIO --filename=/dev/xvdb --name=dying --iodepth=32 --rw=randrw --bsrange=4k-256k --size=32M"
sleep 3
run xl list
# Requests of it are in our hands at that moment.
wait_for 's=$(evergrant stat g1 xvdb --json | jq -c .) && [ "$(jq .disks[0].counters.inflight <<<"$s")" -gt 0 ]' 60
note "stat: $s"
run xl destroy g1
load_is_on g2 other
load_stop g2 other
same_bytes g2 xvdb /data/b.img
stat_of g2 xvdb

feature the-dead-one-is-gone
# A domain whose pages somebody has mapped stays in the list, dying.
wait_for "! xl list $dead" 60
run xl list
wait_for "! xenstore-exists /local/domain/0/backend/evergrant/$dead" 60
sh_run "xenstore-ls /local/domain/0/backend; echo ends"
xl dmesg -c >/dev/null
xl debug-keys g
sleep 0.5
sh_run "xl dmesg | grep 'grant-table for remote'"
note "the dead domain was d$dead"
run evergrant list
run xl list -l
for fd in /proc/"$DAEMON_PID"/fd/*; do
        note "fd $(readlink "$fd")"
done
daemon_stop
