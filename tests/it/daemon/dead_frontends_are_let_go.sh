#!/bin/bash
# SPDX-License-Identifier: MIT
# A frontend that is killed and comes back, a domain that is destroyed, and
# nodes that are removed by hand: nothing stays mapped, the neighbour goes on.
. "$(dirname "$0")/daemon.sh"

start_pocketxen
for g in g1 g2 g3; do px create --mem 32M $g >/dev/null; done
start_daemon
for g in g1 g2 g3; do eg attach $g xvda ram:4M >/dev/null; done
guest g1 neighbour xvda

say "the frontend's program dies and comes back"
guest g2 first xvda
wait_for '[ "$(counter g2 xvda writes)" -gt 10 ]'
pkill -KILL -P "${GUESTS[first]}" || kill -KILL "${GUESTS[first]}"
wait "${GUESTS[first]}" || true
guest g2 second xvda
end_guest second
wait_for '[ "$(node $BACK/2/51712/state)" = 6 ]'
assert_unmapped g2

say "its domain is destroyed under load"
guest g2 third xvda
wait_for '[ "$(counter g2 xvda writes)" -gt 10 ]'
px destroy g2
wait_for '! xs list $BACK/2'
assert_eq "$(px_count 0 2 maps_pages)" "$(px_count 0 2 unmaps_pages)" \
        "maps of the dead domain, against unmaps"
[[ $(eg list) != *g2* ]] || fail "the disk of the dead domain is listed"

say "its nodes are removed by hand"
guest g3 fourth xvda
wait_for '[ "$(counter g3 xvda writes)" -gt 10 ]'
xs rm $BACK/3
wait_for 'lists_no "\(3\)"'
assert_unmapped g3
assert_eq "$(node $BACK/3/51712/state)" absent "a removed disk's state"

end_guest neighbour
stop_daemon
