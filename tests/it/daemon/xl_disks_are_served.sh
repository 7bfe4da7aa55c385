#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks of xl's (script=block-evergrant) from the first node to the last, and
# nobody else's.
. "$(dirname "$0")/daemon.sh"
. "$(dirname "$0")/libxl.sh"
V=51712
B=$VBD/1/$V
F=/local/domain/1/device/vbd/$V

start_pocketxen
px create --mem 32M g1 >/dev/null
start_daemon
say "those of other scripts, and of none, are not ours"
xl_nodes 1 51760 /dev/loop0 script /etc/xen/scripts/block \
        physical-device 7:0
xl_nodes 1 51776 /dev/loop1 script /etc/xen/scripts/block-evergrant-not
xs write $VBD/1/51792/frontend-id 1 $VBD/1/51792/state 1 \
        $VBD/1/51792/online 1 $VBD/1/51792/params ram:4M
others=$(xs ls -f "$VBD" | sort)
remember_nodes

say "state 2 for the script, and nothing more before it has run"
truncate -s 8M "$T/img"
xl_nodes 1 $V "$T/img"
wait_for '[ "$(node $B/state)" = 2 ]'
px exec g1 -- "$TOOLS/it-daemon-guest" xvda "stop=$T/a.stop" >"$T/a.log" 2>&1 &
GUESTS[a]=$!
wait_for '[ "$(node $F/state)" = 3 ]'
eg list >/dev/null # it has answered: it has looked
assert_eq "$(node $B/state)" 2 "the state before the script"
assert_eq "$(node $B/feature-persistent)" absent "an offer before the script"
for key in multi-queue-max-queues max-ring-page-order; do
        [[ $(node $B/$key) =~ ^[1-9]$ ]] ||
                fail "the guest saw state 2 without $key"
done
assert_eq "$(node $B/hotplug-status)" absent "an answer before the script"
assert_eq "$(px_counts 0 1)" '{}' "what is mapped before the script"
xl_script 1 $V || fail "the script: $XL_ERROR"
assert_eq "$(node $B/hotplug-status)" connected
wait_for "grep -q ^open '$T/a.log'"
assert_eq "$(node $B/state)" 4
assert_eq "$(node $B/params)" "$T/img"
assert_eq "$(eg list --json | jq -c '[.disks[].name]')" '["xvda"]'
say "resize"
eg resize g1 xvda 16M
wait_for '[ "$(node $B/sectors)" = 32768 ]'

say "a restart of the daemon"
stop_daemon
assert_eq "$(node $B/eg-stopped)" clean
start_daemon
wait_for 'grep -q "serves the live ring again" "$DAEMON_LOG"'
wait_for '[ "$(counter g1 xvda writes)" -gt 20 ]'
assert_eq "$(grep -c 'stop cleanly' "$DAEMON_LOG" || true)" 0 "crash warnings"

say "removal while the guest has closed, and while it has not"
end_guest a
xl_remove 1 $V
assert_unmapped g1
nothing_left
wait_for 'lists_no xvda'
xl_add 1 $V "$T/img" || fail "attached anew: $XL_ERROR"
"$POCKETXEN" exec g1 -- "$TOOLS/it-daemon-guest" xvda "stop=$T/b.stop" \
        >"$T/b.log" 2>&1 </dev/null &
hung=$!
wait_for "grep -q ^open '$T/b.log'"
kill -STOP $hung
xl_remove 1 $V
assert_unmapped g1
kill -KILL $hung
wait $hung 2>/dev/null || true
nothing_left

say "read-only, and two disks"
xl_add 1 $V "$T/img" mode r || fail "read-only: $XL_ERROR"
xl_add 1 51728 ram:4M dev xvdb || fail "the second: $XL_ERROR"
assert_eq "$(eg list --json | jq -c '[.disks[] | [.name, .readonly]] | sort')" \
        '[["xvda",true],["xvdb",false]]'
xl_remove 1 51728
xl_remove 1 $V
nothing_left

say "detached with the wrong command"
xl_add 1 $V ram:4M || fail "$XL_ERROR"
assert_status 1 eg detach g1 xvda
assert_has "$OUT" "xl block-detach g1 xvda"

say "xl destroy in the middle of I/O, and another domain with the same image"
guest g1 c xvda
xl_remove 1 $V force
assert_unmapped g1
wait "${GUESTS[c]}" || true
nothing_left

say "a domain that ends without a toolstack takes its nodes with it"
xl_add 1 $V "$T/img" || fail "$XL_ERROR"
guest g1 d xvda
px destroy g1
wait "${GUESTS[d]}" 2>/dev/null || true
wait_for '! xs exists $B'
wait_for 'lists_no xvda'
px create --mem 32M g2 >/dev/null
xl_add 2 $V "$T/img" || fail "the image is still held: $XL_ERROR"
guest g2 e xvda
end_guest e
xl_remove 2 $V force
assert_eq "$(xs ls -f "$VBD" | sort)" "$others" "other drivers' nodes"
[ ! -s "$T/hook.log" ] || fail "the script says: $(cat "$T/hook.log")"
stop_daemon
