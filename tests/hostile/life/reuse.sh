#!/bin/bash
# SPDX-License-Identifier: MIT
# The toolstack gives a dead domain's number to the next one: nothing of the
# old connection, neither pages nor ports, bytes or nodes, reaches the new one.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"

start_pocketxen
start_daemon
zombie_baseline
life_rig reuse
! px create --domid 0 again 2>"$T/said" || fail "two domains of one number"
assert_has "$(<"$T/said")" "a domain of that number exists"
! px create --domid 32752 again 2>"$T/said" ||
        fail "a domain has a reserved number"
zombie_check
stop_daemon
