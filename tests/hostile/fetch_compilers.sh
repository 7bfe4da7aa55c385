#!/bin/bash
# SPDX-License-Identifier: MIT
# O-FETCH: one load for each shared word, in what gcc and clang make of the
# parser with -O2 and -O3 (HOSTILE.md H3; gcc bug 58145 is why we look).
. "$(dirname "$0")/../it/lib.sh"
need gcc clang
src=$EG_SOURCE/src
for compiler in gcc clang; do
        for level in -O2 -O3; do
                $compiler -std=gnu11 -D_GNU_SOURCE -fno-strict-aliasing $level \
                        -I"$src" -I"$EG_SOURCE/tests/hostile" \
                        -o "$T/fetch" "$EG_SOURCE"/tests/hostile/fetch_parse.c \
                        "$EG_SOURCE"/tests/hostile/trap.c "$src"/ring/{back_ring,layout,overlap,request}.c ||
                        fail "$compiler $level does not compile it"
                rc=0
                "$T/fetch" >"$T/fetch.log" 2>&1 || rc=$?
                say "$compiler $level: $(cat "$T/fetch.log")"
                [ $rc -ne 77 ] || skip "only on x86-64"
                [ $rc -eq 0 ] || fail "$compiler $level"
        done
done
