#!/bin/sh
# SPDX-License-Identifier: MIT
# Wrong usage and missing surroundings: exit status and message of the program
# itself. Needs neither Xen nor pocketxen.
# usage: usage.sh PATH-OF-EVERGRANT
set -u
evergrant=$1
failures=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
unset EVERGRANT_SOCKET
export XENSTORED_PATH="$dir/no-xenstored"

# expect STATUS TEXT ARGUMENT…: evergrant ARGUMENT… exits with STATUS and says
# TEXT: on stdout for 0, on stderr (with stdout empty) otherwise.
expect() {
        want=$1 text=$2
        shift 2
        "$evergrant" "$@" >"$dir/out" 2>"$dir/err" </dev/null
        got=$?
        if [ "$want" -eq 0 ]; then said=out silent=err; else said=err silent=out; fi
        if [ "$got" -ne "$want" ]; then
                echo "FAIL: evergrant $*: exit $got, not $want"
                failures=$((failures + 1))
        elif ! grep -qF -e "$text" "$dir/$said"; then
                echo "FAIL: evergrant $*: does not say: $text"
                cat "$dir/$said"
                failures=$((failures + 1))
        elif [ -s "$dir/$silent" ]; then
                echo "FAIL: evergrant $*: std$silent is not empty"
                failures=$((failures + 1))
        fi
}

expect 0 'Usage: evergrant COMMAND' --help
expect 0 'evergrant 0.' --version
for c in attach detach resize list stat; do
        expect 0 "Usage: evergrant $c " $c --help
        expect 2 "Try \`evergrant $c --help\`." $c --no-such-option
        expect 2 'unknown option --no-such-option' $c --no-such-option
        expect 2 'one argument too many' $c a b c d
done
expect 2 'no command given'
expect 2 'unknown command "atach"; there are attach, detach' atach
expect 2 'unknown option --verbose' --verbose
expect 2 'usage: evergrant attach DOM VDEV TARGET' attach g1 xvda
expect 2 'no disk name' attach g1 floppy ram:64M
expect 2 'auto, persistent, map or copy' attach g1 xvda ram:64M --grants fast
expect 2 'from 1 to 16' attach g1 xvda ram:64M --queues 0
expect 2 '512 or 4096' attach g1 xvda ram:64M --block-size 1024
expect 2 'from 0 to 4' attach g1 xvda ram:64M --ring-order 5
expect 2 'from 1 to 3600' attach g1 xvda ram:64M --timeout 0
expect 2 '--max-persistent "-1"' attach g1 xvda ram:64M --max-persistent -1
expect 2 'no driver nbd:, it has ram:SIZE' attach g1 xvda nbd://host/export
expect 2 'no driver qcow2:' attach g1 xvda qcow2:disk.img
expect 2 'no size' attach g1 xvda ram:lots
expect 2 'multiple of 512' attach g1 xvda ram:1000
expect 2 'empty' attach g1 xvda ''
expect 2 'no size' resize g1 xvda big
expect 2 'multiple of 512' resize g1 xvda 1000
expect 2 'choose one' stat --json --prometheus
expect 2 '--watch is for people' stat --watch --json

expect 1 'pocketxen run' attach g1 xvda ram:64M
expect 1 'pocketxen run' detach g1 xvda
expect 1 'evergrantd is not running' list --socket "$dir/no-socket"
expect 1 'evergrantd is not running' stat --socket "$dir/no-socket"
expect 1 "$dir/no-socket" resize g1 xvda 64M --socket "$dir/no-socket"
: >"$dir/file"
expect 1 'evergrantd' list --socket "$dir/file"
if [ "$(id -u)" -ne 0 ]; then
        mkdir -m 0 "$dir/closed"
        expect 1 'no permission' list --socket "$dir/closed/s"
fi

# Nothing is lost silently: a full output is a failure.
if [ -c /dev/full ] && "$evergrant" --help >/dev/full 2>"$dir/err"; then
        echo 'FAIL: a full output goes unnoticed'
        failures=$((failures + 1))
fi

[ "$failures" -eq 0 ] || exit 1
echo 'all as expected'
