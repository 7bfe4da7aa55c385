#!/bin/bash
# SPDX-License-Identifier: MIT
# T-NEG: keys as no frontend may write them. The rig's guests are all there is.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

start_pocketxen
start_daemon
zombie_baseline
life_rig neg
zombie_check
stop_daemon
