#!/bin/bash
# SPDX-License-Identifier: MIT
# What the tests of evergrant-bench share; after lib.sh.
BENCH=$EG_BUILD/bench/evergrant-bench
need jq
# Everything that a run starts has this in its environment.
export TMPDIR=$T/tmp
mkdir "$TMPDIR"

# left_running: processes that a run has left.
left_running() {
        local environ
        for environ in /proc/[0-9]*/environ; do
                if grep -qz "^POCKETXEN_DIR=$TMPDIR/" "$environ"; then
                        printf '%s\n' "$environ"
                fi
        done 2>/dev/null
}

# nothing_left [STATUS]: no process, no file that is half of one.
nothing_left() {
        wait_for '[ -z "$(left_running)" ]' 60
        wait_for '[ -z "$(ls -A "$TMPDIR")" ]' 60
        [ -z "$(find "$T" -name '.*.json.*' -o -name '.*.csv.*' \
                -o -name '.*.svg.*' -o -name '.probe.*')" ] ||
                fail "half of a file: $(find "$T" -name '.*.*.*')"
}

# bench STATUS ARG…: runs it; its output, both streams, is in $OUT.
bench() {
        local wanted=$1
        shift
        assert_status "$wanted" "$BENCH" "$@" </dev/null
}
