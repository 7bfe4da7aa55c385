#!/bin/bash
# SPDX-License-Identifier: MIT
# Looking at the ring before sleeping: with both ends doing so, requests one at
# a time need (nearly) no events; with neither, each needs one each way.
. "$(dirname "$0")/lib.sh"
RANDLOAD=$EG_BUILD/examples/randload
REQUESTS=400

start_pocketxen
px create --mem 64M g1 >/dev/null

# run MODE: sets kicks, notifies, looks, finds.
run() {
        local out
        start_daemon --polling "$1"
        eg attach g1 xvda ram:8M >/dev/null
        px exec g1 -- "$RANDLOAD" --vdev xvda --op mixed --verify --qd 1 \
                --requests $REQUESTS --seconds 0 --polling "$1" --json --gate \
                <"$T/in" >"$T/load.json" 2>"$T/load.err" &
        load=$!
        exec 7>"$T/in"
        wait_for "grep -q ready '$T/load.json'"
        echo >&7
        wait_for "grep -q requests '$T/load.json'" 60
        out=$(stat_json g1 xvda)
        kicks=$(jq '[.disks[].counters.kicks] | add' <<<"$out")
        notifies=$(jq '[.disks[].counters.notifies] | add' <<<"$out")
        assert_eq "$(jq -r .daemon.polling.mode <<<"$out")" "$1" "the mode"
        looks=$(jq .daemon.polling.looks <<<"$out")
        finds=$(jq .daemon.polling.finds <<<"$out")
        exec 7>&-
        wait "$load" || fail "the load: $(cat "$T/load.err")"
        assert_eq "$(grep requests "$T/load.json" | jq .errors)" 0 "errors"
        eg detach g1 xvda >/dev/null
        stop_daemon
        say "$1: $kicks events in, $notifies out for $REQUESTS requests; looked $looks times, $finds found"
}
mkfifo "$T/in"

run off
off=$((kicks + notifies))
assert_num "$off" -ge $((REQUESTS / 2)) "events without polling"
assert_eq "$looks" 0 "looks without polling"
run on
assert_num "$finds" -ge $((REQUESTS / 10)) "requests found by looking"
assert_num "$((kicks + notifies))" -lt "$off" "events with polling"
run auto

assert_status 2 px exec 0 -- "$EVERGRANTD" --polling sometimes
assert_has "$OUT" "sometimes" "the complaint"
