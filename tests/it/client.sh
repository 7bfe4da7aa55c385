#!/bin/bash
# SPDX-License-Identifier: MIT
# What the tests of the frontend and of stock clients share, read after lib.sh.

# Not the tester's: verifying fio writes its state there.
cd "$T" || exit

# ---- pocketxen's account of a guest -------------------------------------------

# account DOM: maps, unmaps (pages) and copies (segments) by Domain-0, as an
# array in ACCOUNT.
declare -A ACCOUNT=()
account() {
        local id json
        id=$(domid "$1")
        json=$(px_counts 0 "$id")
        ACCOUNT=()
        for name in maps_calls maps_pages unmaps_calls unmaps_pages \
                copies_calls copies_segments; do
                ACCOUNT[$name]=$(jq --arg n "$name" '.[$n] // 0' <<<"$json")
        done
}

# grefs DOM: what the guest has granted, one a line.
grefs() {
        px grants "$1" --json | jq '.entries[].ref' | sort -n
}

# mapped_grefs DOM: how many of them are mapped now.
mapped_grefs() {
        px grants "$1" --json | jq '[.entries[] | select(.pins > 0)] | length'
}

# ---- a load that waits to be let go ------------------------------------------------

# gated DOM [ARG…]: randload on xvda; returns after its warm-up.
gated() {
        local dom=$1 line
        shift
        coproc GATED {
                exec "$POCKETXEN" exec "$dom" -- "$EG_BUILD/examples/randload" \
                        --vdev xvda --seconds 0 --gate --json "$@" \
                        2>>"$T/gated.log"
        }
        GATED_CHILD=$GATED_PID
        read -r -t 60 line <&"${GATED[0]}" ||
                fail "randload: $(<"$T/gated.log")"
        assert_eq "$line" ready
}

# gated_go: the measured part; the result is in RESULT, the disk still open.
gated_go() {
        echo >&"${GATED[1]}"
        read -r -t 60 RESULT <&"${GATED[0]}" ||
                fail "randload: $(<"$T/gated.log")"
        assert_eq "$(jq '.errors + .mismatches' <<<"$RESULT")" 0 \
                "errors and mismatches"
}

# gated_end: closes the disk.
gated_end() {
        echo >&"${GATED[1]}"
        wait "$GATED_CHILD"
}
