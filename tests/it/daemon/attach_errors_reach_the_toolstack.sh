#!/bin/bash
# SPDX-License-Identifier: MIT
# What evergrantd refuses, it says where the toolstack reads it, and it reads
# only what the toolstack wrote.
. "$(dirname "$0")/daemon.sh"
B=$BACK/1/51712
F=/local/domain/1/device/vbd/51712

# create KEY VALUE…: a disk by hand, as attach writes it, with changes.
create() {
        xs write $B/frontend $F $B/frontend-id 1 $B/online 1 $B/mode w \
                $B/params ram:4M $F/backend $B $F/state 1
        while [ $# -gt 0 ]; do
                xs write "$B/$1" "$2"
                shift 2
        done
        xs write $B/state 1
}

refused() {
        local because=$1 before
        shift
        before=$(grep -c "error:" "$DAEMON_LOG" || true)
        create "$@"
        wait_for '[ "$(node $B/hotplug-status)" = error ]'
        assert_has "$(node $B/hotplug-error)" "$because"
        wait_for '[ "$(node $B/state)" = 6 ]'
        assert_has "$(eg list)" "$because"
        # Tried once, not again and again.
        assert_eq "$(($(grep -c "error:" "$DAEMON_LOG") - before))" 1 "attempts"
        assert_eq "$(node $B/state)" 6 "the state a moment later"
        xs rm $BACK/1
        xs rm $F
        wait_for 'lists_no xvda'
        assert_eq "$(xs list error/backend/evergrant 2>/dev/null)" "" \
                "error nodes that stay"
}

start_pocketxen
px create --mem 32M g1 >/dev/null
px create --mem 32M g2 >/dev/null
start_daemon
refused "does not exist" params "$T/nothing"
refused "is not r or w" mode '!'
refused "frontend-id is not 1" frontend-id 2
refused "frontend is not $F" frontend /local/domain/2/device/vbd/51712
refused "eg-grants" eg-grants sometimes
refused "eg-ring-order" eg-ring-order 5
refused "eg-max-persistent" eg-max-persistent 0x10
refused "params is empty" params ""
say "what the guest writes on its own side changes nothing"
create
xs write $F/params "$T/other" $F/mode r
wait_for '[ "$(node $B/hotplug-status)" = connected ]'
assert_eq "$(eg list --json | jq -r '.disks[0].target')" ram:4M
say "made anew while it was there"
: >"$T/img"
truncate -s 1M "$T/img"
create params "$T/img"
wait_for '[ "$(eg list --json | jq -r ".disks[0].size_bytes")" = 1048576 ]'
stop_daemon
