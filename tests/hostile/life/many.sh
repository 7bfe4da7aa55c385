#!/bin/bash
# SPDX-License-Identifier: MIT
# Twenty disks connect at once: the first to be offered did not have to be
# connected before the last was. Prints what one and what twenty take.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

start_pocketxen
start_daemon --io-threads 2
zombie_baseline
life_rig many
zombie_check
stop_daemon
