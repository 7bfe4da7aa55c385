#!/bin/bash
# SPDX-License-Identifier: MIT
# Each connection is negotiated anew (S4, Q3): after one with a large ring and
# persistent grants, one without either works, and the other way round.
. "$(dirname "$0")/daemon.sh"
F=/local/domain/1/device/vbd/51712

served() {
        eg list --json | jq -r '.disks[0] | "\(.grants_served) \(.ring_order)"'
}

start_pocketxen
px create --mem 32M g1 >/dev/null
start_daemon
eg attach g1 xvda ram:4M >/dev/null
for key in feature-max-indirect-segments multi-queue-max-queues \
        max-ring-page-order feature-persistent feature-flush-cache \
        feature-barrier feature-discard; do
        [[ $(node $BACK/1/51712/$key) =~ ^[0-9]+$ ]] ||
                fail "$key is not written while the disk waits"
done
for how in "persistent 4 order=4" "auto 0 persistent=0" "persistent 1 order=1" \
        "auto 2 order=2 persistent=0" "persistent 0"; do
        read -r grants order args <<<"$how"
        # shellcheck disable=SC2086 # a list
        guest g1 a xvda $args
        wait_for '[ "$(node $BACK/1/51712/state)" = 4 ]'
        assert_eq "$(served)" "$grants $order" "served"
        end_guest a
        wait_for '[ "$(node $BACK/1/51712/state)" = 6 ]'
        assert_unmapped g1
        for key in ring-page-order ring-ref ring-ref0 event-channel \
                feature-persistent; do
                assert_eq "$(node $F/$key)" absent "the leftover $key"
        done
done
say "persistent only if both sides want it"
for mode in map copy; do
        eg detach g1 xvda >/dev/null
        eg attach g1 xvda ram:4M --grants $mode >/dev/null
        assert_eq "$(node $BACK/1/51712/feature-persistent)" 0
        guest g1 a xvda
        assert_eq "$(served)" "$mode 0" "served"
        assert_eq "$(counter g1 xvda kept_high)" 0 "pages kept"
        end_guest a
done
say "a frontend that asks for more than was offered is refused"
eg detach g1 xvda >/dev/null
eg attach g1 xvda ram:4M --ring-order 1 >/dev/null
xs write $F/ring-page-order 2 $F/ring-ref0 1 $F/ring-ref1 2 $F/ring-ref2 3 \
        $F/ring-ref3 4 $F/event-channel 1 $F/state 3
wait_for '[ "$(node $BACK/1/51712/state)" = 6 ]'
assert_has "$(node $BACK/1/51712/hotplug-error)" "wants ring order 2"
say "and may try again"
xs write $F/state 6
xs rm $F/ring-page-order
xs write $F/state 1
wait_for '[ "$(node $BACK/1/51712/state)" = 2 ]'
guest g1 a xvda order=1
end_guest a
stop_daemon
