#!/bin/bash
# SPDX-License-Identifier: MIT
# What tests of the daemon's life share, read after lib.sh: domains under
# verifying load, the other side's account, and a service manager.

declare -A LOAD_PID=()

# In Domain-0, where xenstore may be read.
xs() {
        px exec 0 -- "xenstore-$1" "${@:2}"
}

# ---- load -------------------------------------------------------------------

# start_load NAME DOM [ARG…]: randload that checks all it reads, on xvda unless
# an argument says otherwise, until end_load.
start_load() {
        local name=$1 dom=$2
        shift 2
        # Not through px: $! shall be randload, not a shell.
        "$POCKETXEN" exec "$dom" -- "$EG_BUILD/examples/randload" --vdev xvda \
                --op mixed --seconds 0 --check-all --json --span 8M "$@" \
                >"$T/load-$name.json" 2>"$T/load-$name.log" </dev/null &
        LOAD_PID[$name]=$!
}

# end_load NAME…: ends them, then as finish_load.
end_load() {
        local name
        for name; do
                kill -TERM "${LOAD_PID[$name]}" 2>/dev/null || true
        done
        finish_load "$@"
}

# finish_load NAME…: waits for their end. Nothing was lost, wrong or refused, and
# all that was written was read back; the last one's result is in $LOAD.
finish_load() {
        local name rc
        for name; do
                rc=0
                wait "${LOAD_PID[$name]}" || rc=$?
                unset "LOAD_PID[$name]"
                LOAD=$(<"$T/load-$name.json")
                [ $rc -eq 0 ] ||
                        fail "load $name: $LOAD $(<"$T/load-$name.log")"
                assert_eq "$(load_field errors)" 0 "errors of load $name"
                assert_eq "$(load_field mismatches)" 0 "mismatches of $name"
                assert_num "$(load_field verified_bytes)" -gt 0 \
                        "bytes verified by load $name"
        done
}

# load_field NAME: a number of the last result.
load_field() {
        jq -r --arg n "$1" '.[$n]' <<<"$LOAD"
}

# kill_load NAME: SIGKILL, in the middle of whatever it does.
kill_load() {
        kill -KILL "${LOAD_PID[$1]}"
        wait "${LOAD_PID[$1]}" 2>/dev/null || true
        unset "LOAD_PID[$1]"
}

# served DOM [VDEV]: requests that this daemon has answered.
served() {
        stat_json "$1" "${2:-xvda}" |
                jq '[.disks[].counters | .reads + .writes] | add'
}

# moves DOM [VDEV]: waits until some more requests were answered.
moves() {
        local target
        target=$(($(served "$1" "${2:-xvda}") + 100))
        wait_for "[ \"\$(served $1 ${2:-xvda})\" -ge $target ]"
}

# ---- the other side's account ---------------------------------------------------

# mapped DOM: its pages that are mapped by Domain-0 now.
mapped() {
        px list --json | jq --arg n "$1" \
                '[.domains[] | select(.name == $n) | .pages_mapped] | add // 0'
}

# disk_states DOMID [VDEV]: the backend's and the frontend's, as "4 4".
disk_states() {
        local vdev=${2:-51712} back front
        back=$(xs read "/local/domain/0/backend/evergrant/$1/$vdev/state")
        front=$(xs read "/local/domain/$1/device/vbd/$vdev/state")
        printf '%s %s\n' "$back" "$front"
}

# nodes: xenstore as a list, to be compared. The directories above the first disk
# and the first error stay.
nodes() {
        xs ls -f | sort | grep -vE '0(/error)?(/backend(/evergrant)?)? = ""'
}

# server_pid: of the pocketxen server that is ours; others may run here.
server_pid() {
        cat "$POCKETXEN_DIR/lock"
}

# Without the kernel's own for io_uring, which come and go.
threads_of() {
        cat "/proc/$1/task"/*/comm 2>/dev/null | grep -vc '^iou-'
}

fds_of() {
        find "/proc/$1/fd" -mindepth 1 | wc -l
}

# ---- a service manager -----------------------------------------------------------

# keeper_start [ARG…]: starts evergrantd under one that keeps its descriptors,
# as systemd does with FileDescriptorStoreMax=. The arguments hold for every
# start.
keeper_start() {
        if [ -z "${KEEPER_PID-}" ]; then
                coproc KEEPER {
                        exec "$(dirname "$0")/fd_keeper" "$T/notify" \
                                "$POCKETXEN" exec 0 -- "$EVERGRANTD" "$@" \
                                2>>"$DAEMON_LOG"
                }
        fi
        echo start >&"${KEEPER[1]}"
        read -r -t 60 DAEMON_PID <&"${KEEPER[0]}" || fail "the keeper ended"
        wait_for 'eg list'
}

# keeper_stop: SIGTERM; the daemon has to end with status 0.
keeper_stop() {
        local status
        echo stop >&"${KEEPER[1]}"
        read -r -t 60 status <&"${KEEPER[0]}" || fail "the daemon does not end"
        DAEMON_PID=
        assert_eq "$status" 0 "status of evergrantd"
}

# keeper_end: stops both.
keeper_end() {
        local in=${KEEPER[1]} pid=$KEEPER_PID
        keeper_stop
        exec {in}>&-
        wait "$pid"
}
