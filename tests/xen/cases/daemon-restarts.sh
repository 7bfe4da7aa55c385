# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 7: evergrantd stopped and started ten times under a verifying
# load; the guest sees a pause.
daemon_start
VCPUS=2 EXTRA="mods=none" guest_create g1
image 32M d.img
guest g1 'blkfront max_ring_page_order=2 max_queues=2'
attach g1 xvdb /data/d.img
connected_size g1 xvdb

feature ten-restarts
load_start g1 load "$FIO --filename=/dev/xvdb --name=load --iodepth=16 --rw=randrw --bsrange=4k-256k --numjobs=2 --size=12M --offset_increment=16M"
sleep 2
for i in 1 2 3 4 5 6 7 8 9 10; do
        before=$(evergrant stat g1 xvdb --json | jq '.disks[0].counters | .reads + .writes')
        daemon_stop
        note "round $i: state of the guest's end $(xenstore-read "/local/domain/$(domid g1)/device/vbd/51728/state"), ours $(xenstore-read "$(back_of g1 xvdb)/state")"
        daemon_start
        # On with the same ring: requests are answered again.
        wait_for "[ \$(evergrant stat g1 xvdb --json | jq '.disks[0].counters | .reads + .writes') -gt 20 ]" 120
        note "round $i: requests before $before, after $(evergrant stat g1 xvdb --json | jq '.disks[0].counters | .reads + .writes')"
done
load_is_on g1 load
load_stop g1 load
state_of g1 xvdb

feature bytes-after-restarts
T=400 guest g1 "$FIO --filename=/dev/xvdb --name=after --iodepth=16 --rw=randrw --bsrange=512-1M --size=16M"
same_bytes g1 xvdb /data/d.img
stat_of g1 xvdb
daemon_stop
