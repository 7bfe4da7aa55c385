#!/bin/bash
# SPDX-License-Identifier: MIT
# The data paths of the backend as on Xen, where pages that are mapped for one
# request do no direct I/O and kept ones stay a while after the last I/O: what is
# mapped, when and how often does not change by it.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2034 # ring_rig uses it
DAEMON_ARGS="--mapped-io bounce"
ring_rig paths
