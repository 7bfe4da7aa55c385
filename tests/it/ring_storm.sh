#!/bin/bash
# SPDX-License-Identifier: MIT
# Events without requests and requests without events, played by hand.
. "$(dirname "$0")/lib.sh"
DAEMON_ARGS="--polling off" ring_rig storm
