#!/bin/bash
# SPDX-License-Identifier: MIT
# What was read in xenstore, list shows at once, also where the daemon still
# waits for xenstore's answer.
. "$(dirname "$0")/daemon.sh"

start_pocketxen
px create --mem 32M g1 >/dev/null
start_relay "" 10
start_relayed_daemon
for n in 1 2 3; do
        eg attach g1 xvda ram:4M >/dev/null
        assert_eq "$(eg list --json | jq -r '.disks[].state')" InitWait \
                "the state once it is attached, $n"
        eg detach g1 xvda >/dev/null
done
stop_daemon
stop_relay
