#!/bin/bash
# SPDX-License-Identifier: MIT
# The data paths of the backend, driven by a ring that is played by hand.
. "$(dirname "$0")/lib.sh"
ring_rig paths
