#!/bin/bash
# SPDX-License-Identifier: MIT
# T-TRUST, T-PROBE, T-RO: what a guest writes into xenstore or into its image
# decides about nothing, and a read-only disk is one by every way to ask for it.
. "$(dirname "$0")/../../it/lib.sh"
. "$(dirname "$0")/zombie.sh"
need strace qemu-io nbdcopy
B=/local/domain/0/backend/evergrant

xs() {
        px exec "$1" -- "xenstore-$2" "${@:3}"
}

# of DOMID FIELD: of the domain's disk.
of() {
        eg list --json | jq -r --argjson d "$1" \
                ".disks[] | select(.domid == \$d) | $2"
}

# What of the two images is opened, and anything that is named in them.
start_trace() {
        strace -f -p "$DAEMON_PID" -e trace=openat,open,openat2,execve,connect \
                -o "$T/opened" 2>"$T/strace.log" &
        TRACER=$!
        wait_for "grep -qE 'attached|not permitted' '$T/strace.log' ||
                ! kill -0 $TRACER"
        grep -q attached "$T/strace.log" || skip "strace may not attach here"
}

end_trace() {
        kill -INT "$TRACER" 2>/dev/null || true
        wait "$TRACER" || true
}

start_pocketxen
start_daemon
zombie_baseline
px create g1 >"$T/created"
px create g2 >"$T/created"
G1=$(domid g1)
G2=$(domid g2)
[[ ${EG_SANITIZE:-none} != none ]] || start_trace

say "a guest's own nodes"
printf secret >"$T/secret"
truncate -s 4M "$T/a.img" "$T/b.img"
eg attach g1 xvda "$T/a.img" --readonly >"$T/said"
eg attach g2 xvda "$T/b.img" >"$T/said"
F=/local/domain/$G1/device/vbd/51712
before=$(eg list --json | jq -c '[.disks[] | del(.frontend_state)]')
for key in "params $T/secret" "mode w" "physical-device 8:0" "online 0" \
        "backend $B/$G2/51712" "frontend-id $G2" "sector-size 4096" \
        "removable 1" "device-type cdrom" "eg-grants copy" "state 1" \
        "hotplug-status error" "sectors 999999" "type phy"; do
        xs g1 write "$F/${key% *}" "${key#* }"
        xs g1 write "$F/state" 1
done
wait_for '[ "$(of "$G1" .frontend_state)" = Initialising ]'
assert_eq "$(eg list --json | jq -c '[.disks[] | del(.frontend_state)]')" \
        "$before" "the disks"
# Nothing of that is where a backend reads, and the guest cannot put it there.
for key in params mode state online frontend-id eg-grants; do
        ! xs g1 write "$B/$G1/51712/$key" 1 2>"$T/said" ||
                fail "the guest may write the backend's $key"
        ! xs g2 write "$B/$G1/51712/$key" 1 2>"$T/said" ||
                fail "another guest may write the backend's $key"
done
# (unit-front-connect shows what the frontend library thinks of such a path.)
xs 0 write "$F/backend" "$B/$G1/51712"

say "still read-only"
sum=$(sha256sum <"$T/a.img")
! nbd g1 'qemu-io -f raw -c "write -P 1 0 4096" "$uri"' >"$T/said" 2>&1 ||
        fail "written: $(<"$T/said")"
assert_eq "$(sha256sum <"$T/a.img")" "$sum" "the image"
eg detach g1 xvda >"$T/said"

# T-RO: each way to say it. The daemon's own descriptor cannot write either.
readonly_disk() {
        local fd
        say "read-only: $1"
        assert_eq "$(of "$G1" .readonly)" true "readonly of $1"
        ! nbd g1 'qemu-io -f raw -c "write -P 1 0 4096" "$uri"' \
                >"$T/said" 2>&1 || fail "written: $1"
        ! nbd g1 'qemu-io -f raw -c "discard 0 65536" "$uri"' \
                >"$T/said" 2>&1 || fail "discarded: $1"
        assert_eq "$(sha256sum <"$T/a.img")" "$sum" "the image, $1"
        for fd in /proc/"$DAEMON_PID"/fd/*; do
                [ "$(readlink "$fd")" = "$T/a.img" ] || continue
                # O_ACCMODE of the flags, in octal.
                assert_eq "$((0$(sed -n 's/^flags:[^0-9]*//p' \
                        "${fd/fd/fdinfo}") & 3))" 0 "access mode, $1"
        done
        eg detach g1 xvda >"$T/said"
}
for options in "--readonly" "--readonly --grants map" \
        "--readonly --grants copy" "--readonly --queues 4 --ring-order 4"; do
        # shellcheck disable=SC2086 # a list
        eg attach g1 xvda "$T/a.img" $options >"$T/said"
        readonly_disk "attach $options"
done
eg attach g1 xvda "fault::$T/a.img" --readonly >"$T/said"
readonly_disk "through a wrapper"
eg attach g1 xvda "$T/a.img" >"$T/said"
xs 0 write "$B/$G1/51712/mode" r
xs 0 write "$B/$G1/51712/state" 1
wait_for '[ "$(of "$G1" .readonly)" = true ]'
readonly_disk "the toolstack changed mode and made it anew"

say "T-PROBE: headers of other formats are bytes"
i=0
for magic in 'QFI\xfb\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x68\x00\x00\x00\x40' \
        'conectix\x00\x00\x00\x02' 'KDMV\x01\x00\x00\x00' \
        '# Disk DescriptorFile\n' 'LUKS\xba\xbe\x00\x02' \
        'vhdxfile' 'QED\x00'; do
        i=$((i + 1))
        truncate -s 0 "$T/b.img"
        truncate -s 4M "$T/b.img"
        eg detach g2 xvda >"$T/said"
        eg attach g2 xvda "$T/b.img" >"$T/said"
        # The guest writes it, with the name of a file that it would like.
        # shellcheck disable=SC2059 # escapes on purpose
        { printf "$magic"; head -c 84 /dev/zero; printf '%s' "$T/secret"; } |
                dd bs=4M iflag=fullblock conv=sync of="$T/want" 2>"$T/said"
        nbd g2 "nbdcopy '$T/want' \"\$uri\"" >"$T/said" 2>&1
        eg detach g2 xvda >"$T/said"
        eg attach g2 xvda "$T/b.img" >"$T/said"
        nbd g2 "nbdcopy \"\$uri\" '$T/got'" >"$T/said" 2>&1
        cmp "$T/want" "$T/got"
        cmp "$T/want" "$T/b.img"
        assert_eq "$(of "$G2" .size_bytes)" 4194304 "size with magic $i"
done
eg detach g2 xvda >"$T/said"
if [ -s "$T/strace.log" ]; then
        end_trace
        say "$(grep -c b.img "$T/opened") opens of the image, none of another"
        grep -q b.img "$T/opened" || fail "the trace shows nothing"
        ! grep -q secret "$T/opened" || fail "$(grep secret "$T/opened")"
        ! grep -q execve "$T/opened" || fail "$(grep execve "$T/opened")"
fi
zombie_check
stop_daemon
