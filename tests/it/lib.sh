#!/bin/bash
# SPDX-License-Identifier: MIT
# What integration tests share; each starts with
#
#   . "$(dirname "$0")/lib.sh"
#
# and gets: strict mode, a directory $T of its own, the tools of the build tree,
# and a clean-up that stops the daemon and pocketxen and removes $T however the
# test ends. By hand: EG_BUILD=build tests/it/NAME.sh; KEEP=1 keeps $T, EG_LOGS=DIR
# gets a copy of the logs.
set -Eeuo pipefail

EG_SOURCE=$(realpath "${EG_SOURCE:-$(dirname "${BASH_SOURCE[0]}")/../..}")
EG_BUILD=$(realpath "${EG_BUILD:-$EG_SOURCE/build}")
POCKETXEN=$EG_BUILD/pocketxen/cli/pocketxen
EVERGRANTD=$EG_BUILD/src/daemon/evergrantd
EVERGRANT=$EG_BUILD/src/cli/evergrant
# shellcheck disable=SC2034 # used by tests
PLUGIN=$EG_BUILD/plugins/nbdkit/nbdkit-evergrant-plugin.so

# Short: the paths of sockets may have 107 bytes.
T=$(mktemp -d "${TMPDIR:-/tmp}/eg.XXXXXX")
export POCKETXEN_DIR=$T/px EVERGRANT_SOCKET=$T/px/control.sock
export LC_ALL=C.UTF-8
# Where Debian keeps nbdkit, mke2fs and debugfs, also for ordinary users.
PATH=$PATH:/usr/sbin:/sbin
DAEMON_PID=
DAEMON_LOG=$T/daemon.log
: >"$DAEMON_LOG"

# ---- verdicts -------------------------------------------------------------

say() {
        printf -- '-- %s\n' "$*"
}

fail() {
        printf 'FAIL: %s\n' "$*" >&2
        exit 1
}

skip() {
        printf 'SKIP: %s\n' "$*"
        exit 77
}

# assert_eq GOT WANTED [WHAT]
assert_eq() {
        [ "$1" = "$2" ] || fail "${3:-value} is '$1', should be '$2'"
}

# assert_num GOT -le|-lt|-ge|-gt|-eq|-ne WANTED [WHAT]
assert_num() {
        test "$1" "$2" "$3" || fail "${4:-value} is $1, should be $2 $3"
}

# assert_has TEXT PART [WHAT]
assert_has() {
        [[ $1 == *"$2"* ]] || fail "${3:-text} lacks '$2': $1"
}

# assert_status WANTED CMD…: runs CMD; its output, both streams, is in $OUT.
assert_status() {
        local wanted=$1 rc=0
        shift
        OUT=$("$@" 2>&1) || rc=$?
        [ "$rc" -eq "$wanted" ] ||
                fail "exit status $rc, should be $wanted: $*: $OUT"
}

# wait_for 'CMD' [SECONDS]: polls until CMD succeeds.
wait_for() {
        local deadline=$((SECONDS + ${2:-30}))
        until eval "$1" >/dev/null 2>&1; do
                [ $SECONDS -lt $deadline ] ||
                        fail "waited ${2:-30} s for: $1"
                sleep 0.05
        done
}

need() {
        local tool
        for tool; do
                command -v "$tool" >/dev/null || skip "no $tool here (make deps)"
        done
}

# ---- pocketxen --------------------------------------------------------------

px() {
        "$POCKETXEN" "$@"
}

# Also where a real Xen runs: pocketxen touches nothing of it.
start_pocketxen() {
        [ ! -e /dev/xen/xenbus ] || set -- --beside-xen "$@"
        px start "$@" >"$T/pocketxen.log" 2>&1 </dev/null ||
                fail "pocketxen start: $(cat "$T/pocketxen.log")"
}

# domid NAME
domid() {
        px list --json | jq -e --arg n "$1" \
                '.domains[] | select(.name == $n) | .domid' ||
                fail "pocketxen knows no domain $1"
}

# px_counts MAPPER GRANTER: pocketxen's own account of a pair of domids, as a
# JSON object; without keys when nothing was mapped yet.
px_counts() {
        px list --json | jq -c --argjson m "$1" --argjson g "$2" \
                '([.pairs[] | select(.mapper == $m and .granter == $g)] +
                [{}])[0]'
}

# px_count MAPPER GRANTER NAME: one number of it.
px_count() {
        px_counts "$1" "$2" | jq -r --arg n "$3" '.[$n] // 0'
}

# ---- the daemon and its command line ----------------------------------------

# In Domain-0.
eg() {
        px exec 0 -- "$EVERGRANT" "$@"
}

# lists REGEX, lists_no REGEX: `evergrant list` answers, with such a line or
# without one.
lists() {
        local answer
        answer=$(eg list) && grep -qE -- "$1" <<<"$answer"
}
lists_no() {
        local answer
        answer=$(eg list) && ! grep -qE -- "$1" <<<"$answer"
}

# Disks that a former daemon served are served again, or refused.
looked_at_all() {
        eg stat --json 2>/dev/null | jq -e >/dev/null 'all(.disks[]?;
                .connections > 0 or .error != null or .state != "Connected")'
}

# start_daemon [ARG…]: returns when it answers, and has gone on with the disks
# that it found, as far as it can.
start_daemon() {
        # Not through px: $! shall be the daemon, not a shell.
        "$POCKETXEN" exec 0 -- "$EVERGRANTD" "$@" >>"$DAEMON_LOG" 2>&1 </dev/null &
        DAEMON_PID=$!
        local deadline=$((SECONDS + 30))
        until eg list >/dev/null 2>&1; do
                if ! kill -0 "$DAEMON_PID" 2>/dev/null; then
                        fail "evergrantd ended while starting"
                fi
                [ $SECONDS -lt $deadline ] ||
                        fail "evergrantd does not answer"
                sleep 0.05
        done
        for _ in $(seq 100); do
                ! looked_at_all || break
                sleep 0.05
        done
}

# SIGTERM; it must end by itself with status 0 (a leak under AddressSanitizer
# is not 0).
stop_daemon() {
        local rc=0
        [ -n "$DAEMON_PID" ] || return 0
        kill -TERM "$DAEMON_PID" 2>/dev/null || true
        wait "$DAEMON_PID" || rc=$?
        DAEMON_PID=
        [ $rc -eq 0 ] || fail "evergrantd ended with status $rc"
}

kill_daemon() {
        kill -KILL "$DAEMON_PID"
        wait "$DAEMON_PID" 2>/dev/null || true
        DAEMON_PID=
}

# stat_json DOM VDEV
stat_json() {
        eg stat "$1" "$2" --json
}

# counter DOM VDEV NAME
counter() {
        local value
        value=$(stat_json "$1" "$2" | jq -r --arg n "$3" \
                '[.disks[].counters[$n]] | add')
        [ "$value" != null ] || fail "evergrant stat has no counter $3"
        printf '%s\n' "$value"
}

# ring_rig PROGRAM [ARG…]: runs tests/it/ring/PROGRAM, which plays guests by hand
# and needs the drop-ins like any program in a domain. DAEMON_ARGS go to the
# daemon.
ring_rig() {
        local program=$EG_BUILD/tests/it/ring/it-ring-$1
        shift
        start_pocketxen
        # shellcheck disable=SC2086 # a list
        start_daemon ${DAEMON_ARGS-}
        env POCKETXEN="$POCKETXEN" EVERGRANT="$POCKETXEN exec 0 -- $EVERGRANT" \
                LD_LIBRARY_PATH="$EG_BUILD/pocketxen/lib" "$program" "$@" \
                >"$T/rig.log" 2>&1 || { cat "$T/rig.log"; fail "the rig"; }
        cat "$T/rig.log"
        stop_daemon
}

# ---- stock clients ----------------------------------------------------------

# nbd DOM 'SHELL COMMAND' [PLUGIN ARGUMENT…]: runs the command in the domain
# with $uri naming the disk; vdev=xvda unless an argument says otherwise.
nbd() {
        local dom=$1 command=$2 preload=()
        shift 2
        [[ " $* " == *" vdev="* ]] || set -- vdev=xvda "$@"
        # nbdkit itself is not sanitized: the runtime must come first, and the
        # client is none of our business.
        if [[ ${EG_SANITIZE:-none} == *address* ]]; then
                preload=(env "LD_PRELOAD=$(asan_runtime)"
                        "ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0")
                command="unset LD_PRELOAD; $command"
        fi
        px exec "$dom" -- "${preload[@]}" nbdkit -f -U - "$PLUGIN" "$@" \
                --run "$command"
}

asan_runtime() {
        if [ "${EG_CC-}" = clang ]; then
                clang -print-file-name=libclang_rt.asan-x86_64.so
        else
                gcc -print-file-name=libasan.so
        fi
}

# ---- clean-up ----------------------------------------------------------------

cleanup() {
        local rc=$? pid
        trap '' INT TERM HUP # first: another one must not end this half-way
        trap - EXIT ERR
        set +e
        if [ -n "$DAEMON_PID" ]; then
                kill -TERM "$DAEMON_PID" 2>/dev/null
                for _ in $(seq 100); do
                        kill -0 "$DAEMON_PID" 2>/dev/null || break
                        sleep 0.05
                done
                if kill -KILL "$DAEMON_PID" 2>/dev/null; then
                        echo "FAIL: evergrantd did not end on SIGTERM" >&2
                        rc=1
                fi
        fi
        for pid in $(jobs -p); do
                kill -KILL "$pid" 2>/dev/null
        done
        "$POCKETXEN" stop >/dev/null 2>&1 </dev/null
        [ ! -s "$POCKETXEN_DIR/log" ] ||
                cp "$POCKETXEN_DIR/log" "$T/pocketxen-server.log"
        if grep -qE 'ERROR: [A-Za-z]+Sanitizer|runtime error:' \
                "$T"/*.log 2>/dev/null; then
                echo "FAIL: a sanitizer complained" >&2
                rc=1
        fi
        if [ $rc -ne 0 ] && [ $rc -ne 77 ]; then
                for log in "$T"/*.log; do
                        [ -s "$log" ] || continue
                        echo "==== $(basename "$log"), its end:"
                        tail -n 60 "$log"
                done >&2
        fi
        if [ -n "${EG_LOGS-}" ]; then
                cp "$T"/*.log "$EG_LOGS" 2>/dev/null
        fi
        if [ -n "${KEEP-}" ]; then
                echo "kept: $T"
        else
                rm -rf "$T"
        fi
        exit $rc
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
trap 'echo "FAIL: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2' ERR
