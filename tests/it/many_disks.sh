#!/bin/bash
# SPDX-License-Identifier: MIT
# Eight domains with two disks each, on three I/O threads, all at once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read

start_pocketxen
start_daemon --io-threads 3
empty=$(nodes)
modes=(auto persistent map copy)
for n in $(seq 8); do
        px create --mem 16M "g$n" >"$T/created"
        truncate -s 4M "$T/$n.img"
        eg attach "g$n" xvda "$T/$n.img" --grants "${modes[n % 4]}" >"$T/said"
        eg attach "g$n" xvdb ram:4M --grants "${modes[(n + 1) % 4]}" >"$T/said"
done
for n in $(seq 8); do
        start_load "$n-a" "g$n" --qd 8 --ring-order $((n % 5))
        start_load "$n-b" "g$n" --qd 8 --vdev xvdb --bs 20k
done
wait_for '[ "$(eg list --json | jq "[.disks[] |
        select(.state == \"Connected\")] | length")" = 16 ]'
assert_eq "$(eg list --json | jq -c '[.disks[].io_thread] | group_by(.) |
        map(length) | sort')" '[5,5,6]' 'disks on each thread'
end_load {1..8}-{a,b}
for n in $(seq 8); do
        eg detach "g$n" xvda >"$T/said"
        eg detach "g$n" xvdb >"$T/said"
        assert_eq "$(mapped "g$n")" 0 "pages of g$n mapped"
        px destroy "g$n"
done
account=$(px list --json)
assert_eq "$(jq '.domains | length' <<<"$account")" 1 domains
assert_eq "$(eg list --json | jq '.disks | length')" 0 disks
assert_eq "$(nodes)" "$empty" xenstore
stop_daemon
