# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 8: our frontend on the kernel's blkback, a loop device below.
. /files/tests/xen/cases/frontend.inc
IMAGE=/data/d.img
image 64M d.img
modprobe -a loop xen-blkback
VCPUS=2 EXTRA="mods=none" guest_create g1
run losetup /dev/loop0 /data/d.img
run xl block-attach g1 phy:/dev/loop0,xvda,w
disk_off() {
        run xl block-detach g1 xvda
        run losetup -d /dev/loop0
}
front_features
