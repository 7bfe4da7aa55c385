#!/bin/bash
# SPDX-License-Identifier: MIT
# T-WATCH, T-TXN, T-XSDEATH. Whole: EG_WRITES=1000000 EG_HOLD_MS=5000
# EG_STRIDE=1.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

start_pocketxen
start_daemon
zombie_baseline
[ "${EG_SANITIZE:-none}" = none ] || export EG_SANITIZED=1
life_rig store
life_rig watch
zombie_check
stop_daemon
