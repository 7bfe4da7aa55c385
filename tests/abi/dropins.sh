#!/bin/sh
# SPDX-License-Identifier: MIT
# The drop-ins export exactly the functions of the installed real libraries,
# each under the same symbol version, with the same soname, and need no other
# library than libc. Usage: dropins.sh BUILD_ROOT
set -eu

build=$1
real=$(dirname "$(ldconfig -p | sed -n 's/.*libxengnttab\.so\.1 .*=> //p' |
        head -n 1)")
[ -e "$real/libxengnttab.so.1" ] || {
        echo "SKIP: the real libxengnttab.so.1 is not installed"
        exit 77
}

exports() {
        nm -D --defined-only --with-symbol-versions "$1" |
                awk '$2 == "T" { sub("@@", "@", $3); print $3 }' | sort
}

soname() {
        readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p'
}

fail=0
for lib in libxengnttab:20 libxenevtchn:12 libxencall:15 \
        libxenforeignmemory:9 libxendevicemodel:26; do
        so=${lib%:*}.so.1
        want=${lib#*:}
        ours=$build/pocketxen/lib/$so
        theirs=$real/$so
        n=$(exports "$ours" | wc -l)
        if [ "$n" -ne "$want" ]; then
                echo "FAIL: $so exports $n functions, not $want"
                fail=1
        fi
        if [ "$(exports "$ours")" != "$(exports "$theirs")" ]; then
                echo "FAIL: $so differs from $theirs:"
                exports "$ours" >"${TMPDIR:-/tmp}/ours.$$"
                exports "$theirs" | diff - "${TMPDIR:-/tmp}/ours.$$" || :
                rm -f "${TMPDIR:-/tmp}/ours.$$"
                fail=1
        fi
        if [ "$(soname "$ours")" != "$(soname "$theirs")" ]; then
                echo "FAIL: soname $(soname "$ours")"
                fail=1
        fi
        if readelf -d "$ours" | grep NEEDED | grep -v 'libc\.so\.6'; then
                echo "FAIL: $so needs more than libc"
                fail=1
        fi
        echo "$so: $n functions as in $theirs"
done
exit $fail
