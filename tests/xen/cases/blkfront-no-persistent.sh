# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 2: a frontend that cannot keep grants: map and copy, and nothing
# stays mapped after a response.
LOAD="$FIO --filename=/dev/xvdb --name=load --iodepth=32 --rw=randrw \
--bsrange=512-1M --numjobs=2 --size=5M --offset_increment=6M --io_size=5M"

daemon_start
VCPUS=2 EXTRA="mods=none" guest_create g1
image 32M d.img

# path ID "BLKFRONT'S PARAMETERS" "ATTACH'S OPTIONS"
path() {
        feature "$1"
        guest g1 "blkfront max_ring_page_order=1 max_queues=1 $2"
        # shellcheck disable=SC2086 # words
        attach g1 xvdb /data/d.img $3
        connected_size g1 xvdb
        T=400 guest g1 "$LOAD"
        # Idle now: the rest is Xen's account.
        state_of g1 xvdb
        same_bytes g1 xvdb /data/d.img 12
        run evergrant detach g1 xvdb
}

path auto feature_persistent=N ""
path persistent-asked feature_persistent=N "--grants persistent"
path map feature_persistent=N "--grants map"
path copy feature_persistent=N "--grants copy"
path map-only-backend feature_persistent=Y "--grants map"
path copy-only-backend feature_persistent=Y "--grants copy"
daemon_stop
