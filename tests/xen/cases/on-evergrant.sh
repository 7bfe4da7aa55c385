# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 10: our frontend on our backend, and gntalloc's limit.
. /files/tests/xen/cases/frontend.inc
IMAGE=/data/d.img
image 64M d.img
daemon_start --io-threads 2
VCPUS=2 EXTRA="mods=none" guest_create g1
run evergrant attach g1 xvda /data/d.img
disk_off() {
        run evergrant detach g1 xvda
}
front_features

# Room for the ring but not for the pool; then not even for the ring.
feature gntalloc-limit-smaller-pool
image 64M d.img
run evergrant attach g1 xvda /data/d.img
guest g1 'cat /sys/module/xen_gntalloc/parameters/limit; echo 96 >/sys/module/xen_gntalloc/parameters/limit'
T=300 guest g1 'randload --vdev xvda --op mixed --verify --check-all --qd 32 --bs 64k --span 16M --seconds 3 --json'

feature gntalloc-limit-no-ring
guest g1 'echo 2 >/sys/module/xen_gntalloc/parameters/limit; randload --vdev xvda --ring-order 4 --seconds 1'
guest g1 'echo 1024 >/sys/module/xen_gntalloc/parameters/limit; randload --vdev xvda --ring-order 4 --seconds 1'
disk_off
daemon_stop
