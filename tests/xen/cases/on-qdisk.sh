# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 9: our frontend on QEMU's own backend, which keeps no grants.
. /files/tests/xen/cases/frontend.inc
IMAGE=/data/d.img
image 64M d.img
VCPUS=2 EXTRA="mods=none" guest_create g1 \
        'disk=["format=raw,vdev=xvda,access=rw,backendtype=qdisk,target=/data/d.img"]'
disk_off() {
        run xl block-detach g1 xvda
}
front_features
