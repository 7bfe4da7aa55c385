#!/bin/bash
# SPDX-License-Identifier: MIT
# make install puts each thing where libxl, systemd and the shell look for it,
# with paths that fit together, and make uninstall takes all of it away.
. "$(dirname "$0")/lib.sh"
need meson ninja
ROOT=$T/root
LOG=$EG_BUILD/meson-logs/install-log.txt

# The log is what `make uninstall` goes by: a real one has to survive this test,
# which has its own. lib.sh's clean-up wants the exit trap for itself.
swap_log() {
        [ ! -e "$LOG" ] || mv "$LOG" "$T/log-now"
        [ ! -e "$T/log-other" ] || mv "$T/log-other" "$LOG"
        [ ! -e "$T/log-now" ] || mv "$T/log-now" "$T/log-other"
}

option() {
        meson introspect --buildoptions "$EG_BUILD" |
                jq -r --arg n "$1" '.[] | select(.name == $n) | .value'
}
prefix=$(option prefix)
[ ! -e "$LOG" ] || cp "$LOG" "$T/log-other"
DESTDIR=$ROOT meson install -C "$EG_BUILD" --no-rebuild --quiet
swap_log

say "places and modes"
while read -r mode path; do
        assert_eq "$(stat -c %a "$ROOT$path")" "$mode" "the mode of $path"
done <<END
755 /etc/xen/scripts/block-evergrant
755 $prefix/sbin/evergrantd
755 $prefix/bin/evergrant
755 $prefix/bin/pocketxen
644 $prefix/lib/systemd/system/evergrantd.service
644 $prefix/share/man/man8/evergrantd.8
644 $prefix/share/man/man8/block-evergrant.8
644 $prefix/share/man/man1/evergrant.1
END

say "paths"
unit=$ROOT$prefix/lib/systemd/system/evergrantd.service
assert_eq "$(sed -n 's/^ExecStart=//p' "$unit")" "$prefix/sbin/evergrantd"
assert_has "$(cat "$unit")" Type=notify
assert_has "$(sed -n 's/^After=//p' "$unit")" xenstored.service
# What starts xenstored on Debian.
assert_has "$(sed -n 's/^After=//p' "$unit")" xen.service
assert_has "$(grep ^PATH= "$ROOT/etc/xen/scripts/block-evergrant")" \
        ":-$prefix/bin}:"
assert_eq "$(grep -lE '@[a-z]+dir@' "$unit" "$ROOT"/etc/xen/scripts/* || true)" \
        '' "files with places that are not filled in"
assert_status 0 "$ROOT$prefix/sbin/evergrantd" --version
assert_status 0 "$ROOT$prefix/bin/evergrant" --version
assert_status 0 "$ROOT/etc/xen/scripts/block-evergrant" --help

say "the unit as systemd reads it"
if command -v systemd-analyze >/dev/null; then
        mkdir "$T/unit"
        # Where this test has put it.
        sed "s|^ExecStart=|&$ROOT|" "$unit" >"$T/unit/evergrantd.service"
        assert_status 0 systemd-analyze verify --man=no \
                "$T/unit/evergrantd.service"
        # Keys of a newer systemd are ignored, and say so.
        assert_eq "$(grep evergrantd.service <<<"$OUT" |
                grep -v "FileDescriptorStorePreserve' in" || true)" ''
else
        say "(no systemd-analyze here)"
fi

say "uninstall"
swap_log
ninja -C "$EG_BUILD" uninstall >"$T/uninstall.log"
swap_log
assert_eq "$(find "$T" -path "$ROOT/*" ! -type d)" '' "what is left"
