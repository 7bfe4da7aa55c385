#!/bin/bash
# SPDX-License-Identifier: MIT
# Two disks that together want more mappings than the process may have.
. "$(dirname "$0")/lib.sh"
DAEMON_ARGS="--map-budget 1250" ring_rig bounds budget
