# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 1.
export KERNEL=6.1
ORDERS="0 1 2 3 4"
. /files/tests/xen/cases/blkfront.inc
