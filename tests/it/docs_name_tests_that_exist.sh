#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/compat.md has a row for each of Q1 to Q23, and each names a test that
# exists: a function that a test program runs, or a test of the build.
set -euo pipefail
cd "${EG_SOURCE:-$(dirname "$0")/../..}"
tests=$(meson test -C "${EG_BUILD:-build}" --list 2>/dev/null | sed 's/.* \/ //')
bad=0

exists() {
        grep -qxF -- "$1" <<<"$tests" ||
                grep -rqE "(cmocka_unit_test|T|TEST)\($1\)" tests/it tests/unit ||
                [ -d "$1" ]
}

for q in $(seq 23); do
        row=$(grep -E "^\| Q$q \|" docs/compat.md) || {
                echo "FAIL: docs/compat.md has no row for Q$q"
                bad=1
                continue
        }
        # shellcheck disable=SC2001 # a pattern with a class
        named=$(sed 's/.*| \([^|]*\) |$/\1/' <<<"$row" | grep -oE '`[^`]+`' | tr -d '`') || true
        [ -n "$named" ] || {
                echo "FAIL: Q$q names no test"
                bad=1
        }
        for name in $named; do
                exists "$name" || {
                        echo "FAIL: Q$q names $name, which is no test"
                        bad=1
                }
        done
done
[ $bad -eq 0 ] && echo "23 rows, each with a test that exists"
exit $bad
