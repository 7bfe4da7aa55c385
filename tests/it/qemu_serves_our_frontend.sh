#!/bin/bash
# SPDX-License-Identifier: MIT
# QEMU's own Xen block backend, Debian's unmodified program, runs on pocketxen and
# serves our frontend: a disk that a toolstack wrote into xenstore, copied out and
# in byte by byte, and one made by QEMU's command line. It keeps no grant mapped:
# every page costs a copy, or a map and an unmap where there is no grant copy.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"
need nbdkit nbdcopy xenstore-write
QEMU=/usr/libexec/xen-qemu-system-i386
[ -x $QEMU ] || skip "no qemu-system-xen here (make deps)"
QEMU_PID=

# start_qemu DOM [ARG…]: the backend of one domain, as libxl starts it.
start_qemu() {
        local id
        id=$(domid "$1")
        shift
        "$POCKETXEN" exec 0 -- $QEMU -M xenpv -xen-domid "$id" -xen-attach \
                -name dm -m 16 -nodefaults -no-user-config -display none \
                -monitor none -serial none "$@" >>"$T/qemu.log" 2>&1 </dev/null &
        QEMU_PID=$!
        wait_for "kill -0 $QEMU_PID &&
                [[ \$(xs_read device-model/$id/state) == *running* ]]"
}

stop_qemu() {
        kill -TERM "$QEMU_PID"
        wait "$QEMU_PID" || true
}

xs_read() {
        px exec 0 -- xenstore-read "/local/domain/0/$1"
}

# toolstack DOM VDEV-NUMBER FILE: what libxl writes for a disk that QEMU serves.
toolstack() {
        local id be fe
        id=$(domid "$1")
        be=/local/domain/0/backend/qdisk/$id/$2
        fe=/local/domain/$id/device/vbd/$2
        px exec 0 -- xenstore-write "$fe" '' "$be" ''
        px exec 0 -- xenstore-chmod "$fe" "n$id" r0
        px exec 0 -- xenstore-chmod "$be" n0 "r$id"
        px exec 0 -- xenstore-write "$fe/backend" "$be" "$fe/backend-id" 0 \
                "$fe/virtual-device" "$2" "$fe/device-type" disk "$fe/state" 1 \
                "$be/frontend" "$fe" "$be/frontend-id" "$id" "$be/online" 1 \
                "$be/removable" 0 "$be/bootable" 1 "$be/dev" xvda \
                "$be/type" qdisk "$be/mode" w "$be/device-type" disk \
                "$be/discard-enable" 1 "$be/params" "aio:$3" "$be/state" 1
        wait_for "[ \"\$(xs_read backend/qdisk/$id/$2/state)\" = 2 ]"
}

# Since $1, $2, … (maps, unmaps, copies of before), into MAPS, UNMAPS, COPIES.
since() {
        account g1
        MAPS=$((ACCOUNT[maps_pages] - $1))
        UNMAPS=$((ACCOUNT[unmaps_pages] - $2))
        COPIES=$((ACCOUNT[copies_segments] - $3))
}

start_pocketxen
px create g1 >"$T/created"
PAGES=2048
head -c $((PAGES * 4096)) /dev/urandom >"$T/disk.img"
head -c $((PAGES * 4096)) /dev/urandom >"$T/new.img"

say "a toolstack's disk, out and in"
start_qemu g1
toolstack g1 51712 "$T/disk.img"
nbd g1 "nbdcopy \"\$uri\" '$T/out.img'" >"$T/nbd.log" 2>&1 ||
        fail "$(<"$T/nbd.log")"
cmp "$T/out.img" "$T/disk.img" || fail "what was read"
since 0 0 0
assert_eq "$MAPS" 1 "pages mapped: the ring"
assert_eq "$UNMAPS" 1 "pages unmapped"
assert_num "$COPIES" -ge $PAGES "pages copied"
assert_eq "$(grefs g1 | wc -l)" 0 "grefs left"
nbd g1 "nbdcopy '$T/new.img' \"\$uri\"" ring-order=2 >"$T/nbd.log" 2>&1 ||
        fail "$(<"$T/nbd.log")"
cmp "$T/new.img" "$T/disk.img" || fail "what was written"
since 1 1 "$COPIES"
assert_eq "$MAPS" 4 "pages mapped: the ring"
assert_num "$COPIES" -ge $PAGES "pages copied"

say "many at once, verified; nothing persists"
JSON=$(px exec g1 -- "$EG_BUILD/examples/randload" --vdev xvda --op mixed \
        --verify --check-all --requests 3000 --seconds 0 --bs 16k --qd 32 \
        --seed 7 --span 4M --ring-order 3 --json)
assert_eq "$(jq -c '[.requests, .errors, .mismatches, .persistent]' \
        <<<"$JSON")" '[3000,0,0,false]' "randload's result"

say "the toolstack takes it away"
px exec 0 -- xenstore-write /local/domain/0/backend/qdisk/1/51712/online 0 \
        /local/domain/0/backend/qdisk/1/51712/state 5
wait_for '! xs_read backend/qdisk/1/51712/state'
stop_qemu

say "QEMU's own xen-disk, without grant copy: a map and an unmap a page"
px create g2 >"$T/created"
export POCKETXEN_GRANT_COPY=off
start_qemu g2 -object iothread,id=io \
        -blockdev driver=file,filename="$T/disk.img",node-name=d \
        -device xen-disk,vdev=xvda,drive=d,iothread=io
unset POCKETXEN_GRANT_COPY
wait_for "[ \"\$(xs_read backend/qdisk/$(domid g2)/51712/state)\" = 2 ]"
nbd g2 "nbdcopy \"\$uri\" '$T/out.img'" >"$T/nbd.log" 2>&1 ||
        fail "$(<"$T/nbd.log")"
cmp "$T/out.img" "$T/disk.img" || fail "what was read without copies"
GUEST=$(domid g2)
assert_eq "$(px_count 0 "$GUEST" copies_segments)" 0 "copies"
assert_num "$(px_count 0 "$GUEST" maps_pages)" -ge $((PAGES + 1)) "maps"
assert_eq "$(px_count 0 "$GUEST" unmaps_pages)" \
        "$(px_count 0 "$GUEST" maps_pages)" "unmaps"
stop_qemu
