#!/bin/bash
# SPDX-License-Identifier: MIT
# T-STORM: events without end. Whole: EG_EVENTS=1000000.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

start_pocketxen
start_daemon
zombie_baseline
[ "${EG_SANITIZE:-none}" = none ] || export EG_SANITIZED=1
life_rig storm
zombie_check
stop_daemon
