# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 8: our frontend on the kernel's blkback, a RAM disk below.
. /files/tests/xen/cases/frontend.inc
IMAGE=/dev/ram0
modprobe brd rd_nr=1 rd_size=65536
modprobe xen-blkback
VCPUS=2 EXTRA="mods=none" guest_create g1
run xl block-attach g1 phy:/dev/ram0,xvda,w
disk_off() {
        run xl block-detach g1 xvda
}
front_features
