#!/bin/bash
# SPDX-License-Identifier: MIT
# xenstored dies under load and comes back: disks are served on, and what
# changed meanwhile is noticed.
. "$(dirname "$0")/daemon.sh"

start_pocketxen
px create --mem 32M g1 >/dev/null
px create --mem 32M g2 >/dev/null
start_relay
start_relayed_daemon
eg attach g1 xvda ram:4M >/dev/null
eg attach g2 xvda ram:4M >/dev/null
guest g1 a xvda

say "lost and found while a frontend connects and a domain ends"
stop_relay
wait_for '[ "$(eg stat --json | jq .daemon.xenstore)" = false ]'
before=$(counter g1 xvda reads)
wait_for '[ "$(counter g1 xvda reads)" -gt $((before + 100)) ]'
px destroy g2
start_relay
wait_for 'lists_no g2'
wait_for '! xs list $BACK/2'
say "back without its data: that says nothing about the guests"
# shellcheck disable=SC2016 # expanded in the other Domain-0
POCKETXEN_DIR=$T/other px run -- sh -c \
        'echo "$XENSTORED_PATH" >"$0/empty"; until [ -e "$0/enough" ]; do
                sleep 0.05; done' "$T" >"$T/other.log" 2>&1 </dev/null &
other=$!
wait_for '[ -s "$T/empty" ]'
stop_relay
start_relay "$(cat "$T/empty")"
wait_for '[ "$(grep -c "xenstore is back" "$DAEMON_LOG")" = 2 ]'
before=$(counter 1 xvda reads)
wait_for '[ "$(counter 1 xvda reads)" -gt $((before + 100)) ]'
stop_relay
start_relay
wait_for '[ "$(grep -c "xenstore is back" "$DAEMON_LOG")" = 3 ]'
: >"$T/enough"
wait $other
assert_eq "$(grep -c 'domain 1 xvda: connected' "$DAEMON_LOG")" 1 \
        "how often the disk was connected"

for n in 1 2 3 4 5 6; do
        say "lost during a connect, $n"
        eg attach g1 xvdb ram:4M >/dev/null
        "$POCKETXEN" exec g1 -- "$TOOLS/it-daemon-guest" xvdb "stop=$T/b.stop" \
                >"$T/b.log" 2>&1 </dev/null &
        GUESTS[b]=$!
        sleep 0.00$n
        stop_relay
        sleep 0.05
        start_relay
        wait_for "grep -q '^open' $T/b.log"
        end_guest b
        eg detach g1 xvdb >/dev/null
done
end_guest a
assert_unmapped g1
stop_daemon
stop_relay
