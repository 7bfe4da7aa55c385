# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, case 3: Debian's backported kernel.
export KERNEL=6.12
ORDERS="0 4"
ONLY_FRONTEND=1
. /files/tests/xen/cases/blkfront.inc
