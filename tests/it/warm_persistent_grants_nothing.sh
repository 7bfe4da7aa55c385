#!/bin/bash
# SPDX-License-Identifier: MIT
# On persistent grants a warm disk costs neither side a grant operation (S2,
# S10, S22), and a light load touches a small set of pages (S11, S13): all of it
# as pocketxen counts. The same load on the path of old (S1) moves the counters.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"

RING_PAGES=1
declare -A WARM=()

# flat: nothing was mapped, unmapped, copied, shared or taken back since WARM
# and GRANTED were noted.
flat() {
        account g1
        for name in "${!WARM[@]}"; do
                assert_eq "${ACCOUNT[$name]}" "${WARM[$name]}" \
                        "$name after the warm-up"
        done
        assert_eq "$(grefs g1)" "$GRANTED" "grefs after the warm-up"
}

start_disk() {
        px create g1 >"$T/created"
        eg attach g1 xvda ram:64M "$@" >"$T/attach.log"
}

# A new domain: pocketxen's account of it starts at 0.
end_disk() {
        gated_end
        account g1
        assert_eq "${ACCOUNT[maps_pages]}" "${ACCOUNT[unmaps_pages]}" \
                "maps, against unmaps, when closed"
        assert_eq "$(grefs g1 | wc -l)" 0 "grefs when closed"
        eg detach g1 xvda >"$T/attach.log"
        px destroy g1
}

# steady DEPTH SEGMENTS REQUESTS: no more than DEPTH * SEGMENTS pages, ever.
steady() {
        local pages=$(($1 * $2)) chunks=$((($1 * $2 + 31) / 32))
        say "$1 in flight, of $2 segments: $pages pages"
        start_disk
        gated g1 --op mixed --verify --qd "$1" --bs $(($2 * 4096)) \
                --warmup-seconds 0.3 --requests "$3"
        account g1
        for name in "${!ACCOUNT[@]}"; do
                WARM[$name]=${ACCOUNT[$name]}
        done
        GRANTED=$(grefs g1)
        gated_go
        assert_eq "$(jq .requests <<<"$RESULT")" "$3" "requests"
        flat
        # Each page was mapped once, and is still.
        assert_eq "${ACCOUNT[maps_pages]}" $((pages + RING_PAGES)) "maps"
        assert_eq "${ACCOUNT[unmaps_pages]}" 0 "unmaps"
        assert_eq "${ACCOUNT[copies_segments]}" 0 "copies"
        assert_eq "$(mapped_grefs g1)" $((pages + RING_PAGES)) "mapped grefs"
        assert_eq "$(counter g1 xvda kept_high)" "$pages" "kept at most"
        assert_eq "$(counter g1 xvda misses)" "$pages" "misses"
        assert_num "$(counter g1 xvda hits)" -ge $(($3 * $2)) "hits"
        # The frontend's own account; the ring is one call.
        assert_eq "$(jq .share_calls <<<"$RESULT")" $((chunks + 1)) \
                "calls that shared pages"
        assert_eq "$(jq .unshare_calls <<<"$RESULT")" 0 \
                "calls that took pages back"
        end_disk
}

start_pocketxen
start_daemon --io-threads 1

steady 1 1 3000
steady 4 3 3000
steady 32 11 1000

say "and without it, each request shares, maps, unmaps and takes back"
start_disk --grants map
gated g1 --op mixed --verify --qd 4 --bs 12k --requests 1000 --share-per-request
account g1
GRANTED=$(grefs g1)
before=${ACCOUNT[maps_pages]}
gated_go
account g1
assert_eq $((ACCOUNT[maps_pages] - before)) 3000 "maps of 3 segments each"
assert_eq $((ACCOUNT[maps_pages] - ACCOUNT[unmaps_pages])) $RING_PAGES \
        "pages that stay mapped"
# At once: after the response all that is granted is the ring again.
assert_eq "$(grefs g1)" "$GRANTED" "grefs after the last response"
assert_eq "$(grefs g1 | wc -l)" $RING_PAGES "grefs"
assert_eq "$(jq .share_calls <<<"$RESULT")" 1001 "calls that shared pages"
assert_eq "$(jq .unshare_calls <<<"$RESULT")" 1000 "calls that took pages back"
end_disk
stop_daemon
