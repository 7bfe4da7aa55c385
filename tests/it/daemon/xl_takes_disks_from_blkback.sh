#!/bin/bash
# SPDX-License-Identifier: MIT
# With xen-blkback loaded the kernel claims each of xl's disks first: the script
# unbinds it there, and what it wrote is gone before we offer ours. Its sysfs is a
# directory of this test's, its part is played by hand.
. "$(dirname "$0")/daemon.sh"
. "$(dirname "$0")/libxl.sh"
V=51712
B=$VBD/1/$V
F=/local/domain/1/device/vbd/$V
DRIVER=$T/sys/bus/xen-backend/drivers/vbd

# claim [KEY VALUE…]: the driver's probe.
claim() {
        ln -sfn ../devices/vbd-1-$V "$DRIVER/vbd-1-$V"
        mkdir -p "$DRIVER/../devices/vbd-1-$V"
        xs write $B/feature-max-indirect-segments 256 \
                $B/multi-queue-max-queues 8 $B/max-ring-page-order 4 "$@" \
                $B/state 2
}

# Lets go of what is written into unbind, as long as $T/stubborn is absent.
driver() {
        while read -r device <>"$DRIVER/unbind"; do
                echo "$device" >>"$T/unbound"
                [ -e "$T/stubborn" ] || rm -f "$DRIVER/$device"
        done
}

start_pocketxen
px create --mem 32M g1 >/dev/null
start_daemon --io-threads 1
mkdir -p "$DRIVER"
mkfifo "$DRIVER/unbind"
driver &
driver=$!
remember_nodes

say "claimed before the daemon, unbound by the script"
xl_nodes 1 $V ram:4M
claim $B/feature-flush-cache 1 $B/discard-granularity 12345 $B/sectors 999 \
        $B/info 7 $B/feature-discard 1
xl_script 1 $V || fail "the script: $XL_ERROR"
assert_eq "$(cat "$T/unbound")" vbd-1-$V "what was unbound"
[ ! -e "$DRIVER/vbd-1-$V" ] || fail "it is still bound"
assert_eq "$(node $B/sectors)" absent "the leftover sectors"
assert_eq "$(node $B/info)" 0 "the leftover info"
assert_eq "$(node $B/discard-granularity)" 65536 "the leftover granularity"
assert_eq "$(node $B/multi-queue-max-queues)" 1 "the rings that we offer"
guest g1 a xvda
assert_eq "$(node $B/sectors)" 8192
assert_eq "$(node $B/info)" 0
end_guest a
xl_remove 1 $V
nothing_left
# libxl took backend/vbd away, too: that is no lost xenstore.
wait_for 'lists_no xvda'

say "a running guest took the other driver's offer of more rings"
xl_nodes 1 $V ram:4M
claim
xs write $F/multi-queue-num-queues 3 $F/state 3
for q in 0 1 2; do
        xs write $F/queue-$q/ring-ref $((8 + q)) $F/queue-$q/event-channel 1
done
xl_script 1 $V || fail "the script: $XL_ERROR"
# No ring is behind those numbers, but they are not refused for how many.
wait_for '[ "$(node $B/state)" = 6 ]'
assert_has "$(node $B/hotplug-error)" "cannot serve the frontend's ring"
xl_remove 1 $V force
nothing_left

say "a driver that comes late is unbound, too"
: >"$T/unbound"
xl_nodes 1 $V ram:4M
wait_for '[ "$(node $B/state)" = 2 ]'
hold_daemon_after_list
xl_hook add 1 $V || exit &
script=$!
wait_for '[ "$(node $B/eg-hook)" = ready ]'
claim
kill -CONT "$DAEMON_PID"
wait $script || fail "the script: $(node $B/hotplug-error)"
HOOK_ENV=()
assert_eq "$(cat "$T/unbound")" vbd-1-$V "what was unbound"
assert_eq "$(node $B/multi-queue-max-queues)" 1 "the rings that we offer"
guest g1 b xvda
end_guest b
xl_remove 1 $V

say "refused for another reason: it does not stay with the driver"
stop_daemon
: >"$T/unbound"
xl_nodes 1 $V ram:4M
claim
xl_script 1 $V && fail "attached without a daemon"
assert_has "$XL_ERROR" "evergrantd is not running"
assert_eq "$(cat "$T/unbound")" vbd-1-$V "what was unbound"
assert_eq "$(node $B/state)" 6 "the state that ends libxl's wait"
nothing_left
start_daemon --io-threads 1

say "a driver that does not let go: refused, and nothing is left"
: >"$T/stubborn"
xl_nodes 1 $V ram:4M
claim
xl_script 1 $V && fail "attached although another driver has it"
assert_has "$XL_ERROR" "driver has vbd-1-$V and does not let go"
assert_eq "$(node $B/eg-hook)" absent "the script's mark"
assert_eq "$(node $B/feature-persistent)" absent "an offer of ours"
# It is the driver that closes.
xs write $B/state 6
nothing_left
kill $driver
[ ! -s "$T/hook.log" ] || fail "the script says: $(cat "$T/hook.log")"
stop_daemon
