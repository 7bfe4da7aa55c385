# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of this folder share, over ../lib.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

TOOLS=$EG_BUILD/tests/it/daemon
BACK=/local/domain/0/backend/evergrant

# In Domain-0.
xs() {
        local tool=$1
        shift
        px exec 0 -- "xenstore-$tool" "$@"
}

# node PATH: its value, or "absent".
node() {
        xs read "$1" 2>/dev/null || echo absent
}

# guest DOM NAME [ARG…]: starts a verifying guest in the background; its words
# go to $T/NAME.log.
declare -A GUESTS
guest() {
        local dom=$1 name=$2
        shift 2
        rm -f "$T/$name.log" # that of the one before says "open", too
        "$POCKETXEN" exec "$dom" -- "$TOOLS/it-daemon-guest" "$@" \
                "stop=$T/$name.stop" >"$T/$name.log" 2>&1 </dev/null 7>&- &
        GUESTS[$name]=$!
        wait_for "grep -q '^open' '$T/$name.log'"
}

# end_guest NAME: it must have seen no error and nothing but its own data.
end_guest() {
        local rc=0
        : >"$T/$1.stop"
        wait "${GUESTS[$1]}" || rc=$?
        assert_has "$(cat "$T/$1.log")" "ok " "what guest $1 says"
        assert_eq "$rc" 0 "exit status of guest $1"
        rm "$T/$1.stop"
}

# Nothing of the domain is mapped by anybody.
assert_unmapped() {
        assert_eq "$(px list --json | jq --arg n "$1" \
                '.domains[] | select(.name == $n) | .pages_mapped')" 0 \
                "mapped pages of $1"
}

# start_relay [TARGET [MS]]: a xenstore that can be lost, or is slow to answer.
start_relay() {
        local target=${1-}
        # shellcheck disable=SC2016 # expanded in Domain-0
        : "${target:=$(px exec 0 -- sh -c 'echo "$XENSTORED_PATH"')}"
        "$TOOLS/it-daemon-relay" "$T/relay" "$target" "${2:-0}" &
        relay=$!
        wait_for '[ -S $T/relay ]'
}

stop_relay() {
        kill -KILL $relay
        wait $relay 2>/dev/null || true
        rm -f "$T/relay"
}

start_relayed_daemon() {
        "$POCKETXEN" exec 0 -- env XENSTORED_PATH="$T/relay" "$EVERGRANTD" \
                >>"$DAEMON_LOG" 2>&1 </dev/null &
        DAEMON_PID=$!
        wait_for 'eg list'
}
