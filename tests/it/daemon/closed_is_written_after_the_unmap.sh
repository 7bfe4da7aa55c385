#!/bin/bash
# SPDX-License-Identifier: MIT
# A frontend may free its pages when it reads state 6 (S3): a disk whose storage
# takes its time stays in state 5, mapped, until the last answer.
. "$(dirname "$0")/daemon.sh"

start_pocketxen
px create --mem 32M g1 >/dev/null
start_daemon
eg attach g1 xvda "fault:delay-ms=3000@40+:ram:4M" >/dev/null
guest g1 slow xvda
wait_for '[ "$(counter g1 xvda inflight)" -ge 1 ] &&
        [ "$(counter g1 xvda inflight_high)" -ge 1 ] &&
        [ "$(($(counter g1 xvda reads) + $(counter g1 xvda writes)))" -ge 39 ]'
xs write $BACK/1/51712/online 0 $BACK/1/51712/state 5
seen=
for _ in $(seq 600); do
        mapped=$(($(px_count 0 1 maps_pages) - $(px_count 0 1 unmaps_pages)))
        state=$(node $BACK/1/51712/state)
        seen+="$state:$mapped "
        # The pages were counted before the state was read.
        [ "$state" != 6 ] || break
        sleep 0.01
done
assert_eq "$state" 6 "the state in the end"
assert_unmapped g1
[[ $seen =~ 5:[1-9] ]] || fail "never seen closing and mapped: $seen"
eg detach g1 xvda >/dev/null
stop_daemon
