#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is stopped and started again under domains that verify what they
# read: they see a pause and nothing else, whatever data path and store.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"
need xenstore-read python3

ROUNDS=20
start_pocketxen
keeper_start --io-threads 2
domains='persistent map copy ram'
for dom in $domains; do
        px create --mem 16M "$dom" >"$T/created"
        if [ "$dom" = ram ]; then
                eg attach ram xvda ram:8M
                start_load ram ram --ring-order 4
        else
                truncate -s 8M "$T/$dom.img"
                eg attach "$dom" xvda "$T/$dom.img" --grants "$dom"
                start_load "$dom" "$dom"
        fi
done
for dom in $domains; do
        moves "$dom"
done

# All guests' pages are let go, and in xenstore nothing has moved.
check_stopped() {
        local account
        account=$(px list --json)
        assert_eq "$(jq '[.domains[].pages_mapped] | add' <<<"$account")" 0 \
                'pages mapped after a stop'
        assert_eq "$(jq -c '[.pairs[] | select(.granter > 0) |
                .maps_pages - .unmaps_pages]' <<<"$account")" '[0,0,0,0]' \
                'maps without an unmap'
        assert_eq "$(nodes | grep -c '/state = "4"')" 8 'ends in state 4'
}

for _ in $(seq $ROUNDS); do
        keeper_stop
        check_stopped
        keeper_start
        for dom in $domains; do
                wait_for "[ \"\$(served $dom)\" -gt 0 ]"
        done
done
say "$ROUNDS stops and starts"

for dom in $domains; do
        moves "$dom"
        assert_num "$(counter "$dom" xvda "via_${dom/ram/persistent}")" -gt 0 \
                "requests of $dom on its own path"
done
for dom in $domains; do
        end_load "$dom"
        # The live ring went on: nothing was connected or sent anew.
        assert_eq "$(load_field reconnects)" 0 "reconnects of $dom"
        assert_eq "$(load_field resubmitted)" 0 "requests sent again by $dom"
done
keeper_end
