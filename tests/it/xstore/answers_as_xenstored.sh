#!/bin/bash
# SPDX-License-Identifier: MIT
# The same requests to Debian's xenstored 4.17 (without a hypervisor, on
# xenstored_shim) and to our store get the same answers and the same events: a
# list of cases, and random ones. SEEDS="1 2 3" and COUNT=5000 choose other ones.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/server.sh"

XENSTORED=/usr/lib/xen-4.17/bin/xenstored
[ -x "$XENSTORED" ] || skip "no $XENSTORED here (Debian's xen-utils-4.17)"
SCRIPT=$XSTORE_BUILD/xs_script
HERE=$(dirname "$0")

start_xenstored() {
        REAL=$T/real.$1
        mkdir "$REAL"
        for n in 0 1 2 3; do
                head -c 4096 /dev/zero >"$REAL/ring-$n"
        done
        printf 1 >"$REAL/port"
        XENSTORED_RUNDIR=$REAL LD_PRELOAD=$XSTORE_BUILD/libxenstored_shim.so \
                "$XENSTORED" -N >"$T/xenstored.log" 2>&1 </dev/null &
        REAL_PID=$!
        # shellcheck disable=SC2016 # expanded by wait_for
        wait_for '[ -S "$REAL/socket" ] && [ -S "$REAL/events" ]'
}

stop_xenstored() {
        kill -KILL "$REAL_PID"
        wait "$REAL_PID" 2>/dev/null || true
}

# both NAME CMD…: the script that CMD prints, with A, U and V for the sockets.
both() {
        local name=$1
        shift
        start_xenstored "$name"
        "$@" "$REAL/socket" "ring:1:$REAL" "ring:2:$REAL" |
                timeout 200 "$SCRIPT" >"$T/$name.wanted"
        stop_xenstored
        start_xenstore
        "$@" "$(xs_socket 0)" "$(xs_socket 1)" "$(xs_socket 2)" |
                timeout 200 "$SCRIPT" >"$T/$name.got"
        stop_xenstore
        rm -f "$T/in"
        awk -f "$HERE/same_answers.awk" "$T/$name.wanted" "$T/$name.got" ||
                fail "$name: the answers differ"
}

list() {
        sed "s|^open a.*|open a $1|; s|^open b.*|open b $1|
                s|^open u.*|open u $2|; s|^open v.*|open v $3|" \
                "$HERE/cases.script"
}

random() {
        awk -v seed="$seed" -v count="${COUNT:-1500}" -v A="$1" -v U="$2" \
                -v V="$3" -f "$HERE/random_requests.awk"
}

say "cases.script"
both cases list
for seed in ${SEEDS:-1 2 3}; do
        say "random requests, seed $seed"
        both "random-$seed" random
done
