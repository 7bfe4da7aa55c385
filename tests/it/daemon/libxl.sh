# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# libxl's part for a disk line with script=block-evergrant, with xenstore's own
# tools; read after daemon.sh. What it writes and waits for is libxl 4.17's.
HOOK=$EG_BUILD/dist/block-evergrant
VBD=/local/domain/0/backend/vbd
HOOK_ENV=()

# xl_nodes DOMID VDEV TARGET [KEY VALUE…]: all of a disk's nodes at once; the keys
# are the backend's, and replace or add.
xl_nodes() {
        local dom=$1 vdev=$2 target=$3 key
        local b=$VBD/$dom/$vdev f=/local/domain/$dom/device/vbd/$vdev
        local l=/libxl/$dom/device/vbd/$vdev
        local -A back=([frontend]=$f [params]=$target
                [script]=/etc/xen/scripts/block-evergrant [frontend-id]=$dom
                [online]=1 [removable]=0 [bootable]=1 [state]=1 [dev]=xvda
                [type]=phy [mode]=w [device-type]=disk [discard-enable]=1
                [specification]=blkif)
        local pairs=()
        shift 3
        while [ $# -gt 0 ]; do
                back[$1]=$2
                shift 2
        done
        for key in "${!back[@]}"; do
                pairs+=("$b/$key" "${back[$key]}")
        done
        # Directories first: what is made in them has their permissions.
        xs write "$b" '' "$f" ''
        xs chmod "${f%/vbd/*}" n0 "r$dom"
        xs chmod "${f%/*}" n0 "r$dom"
        xs chmod "$b" n0 "r$dom"
        xs chmod "$f" "n$dom" r0
        xs write "${pairs[@]}" "$f/backend" "$b" "$f/backend-id" 0 \
                "$f/state" 1 "$f/virtual-device" "$vdev" \
                "$f/device-type" disk "$f/trusted" 1 "$l/backend" "$b" \
                "$l/frontend" "$f" "$l/params" "$target"
}

# xl_hook COMMAND DOMID VDEV: its exit status. HOOK_ENV: more environment.
xl_hook() {
        local rc=0
        px exec 0 -- env XENBUS_PATH="backend/vbd/$2/$3" XENBUS_TYPE=vbd \
                XENBUS_BASE_PATH=backend script="$HOOK" \
                EVERGRANT_HOOK_PATH="$EG_BUILD/src/cli" \
                EVERGRANT_HOOK_SYSFS="$T/sys" "${HOOK_ENV[@]}" \
                "$HOOK" "$1" >>"$T/hook.log" 2>&1 || rc=$?
        return $rc
}

# From now on the daemon stops (SIGSTOP) when it has told the script that it is
# there, before it can see the script's mark; HOOK_ENV=() ends it.
hold_daemon_after_list() {
        mkdir -p "$T/bin"
        printf '%s\n' '#!/bin/sh' "'$EVERGRANT' \"\$@\" || exit" \
                "kill -STOP $DAEMON_PID" >"$T/bin/evergrant"
        chmod +x "$T/bin/evergrant"
        HOOK_ENV=(EVERGRANT_HOOK_PATH="$T/bin")
}

xl_state() {
        node "$VBD/$1/$2/state"
}

# xl_add DOMID VDEV TARGET [KEY VALUE…]: 0 if xl would say that the disk is
# attached; otherwise $XL_ERROR is what it would print.
xl_add() {
        xl_nodes "$@"
        wait_for "[ \"\$(xl_state $1 $2)\" = 2 ]"
        xl_script "$1" "$2"
}

xl_script() {
        XL_ERROR=
        if xl_hook add "$1" "$2"; then
                return 0
        fi
        XL_ERROR=$(node "$VBD/$1/$2/hotplug-error")
        return 1
}

# xl_remove DOMID VDEV [force]: force takes the frontend's nodes away first, as
# when a domain is destroyed.
xl_remove() {
        local b=$VBD/$1/$2 f=/local/domain/$1/device/vbd/$2
        [ "${3-}" != force ] || xs rm -t "$f"
        xs write "$b/online" 0
        [ "$(xl_state "$1" "$2")" = 6 ] || xs write "$b/state" 5
        wait_for "[ \"\$(xl_state $1 $2)\" = 6 ]"
        xl_hook remove "$1" "$2"
        xl_forget "$1" "$2"
}

xl_forget() {
        xs rm -t "$VBD/$1/$2"
        xs rm -t "/local/domain/$1/device/vbd/$2" 2>/dev/null || true
        xs rm -t "/libxl/$1/device/vbd/$2" 2>/dev/null || true
}

# all_nodes: xenstore, to be compared. Empty directories come and go: libxl takes
# away those that it emptied.
all_nodes() {
        xs ls -f / | sort | grep -vE '^/(libxl|local/domain/[0-9]+/(error|device(/vbd)?|backend(/vbd|/evergrant)?)) = ""'
}

# nothing_left: xenstore is again as remember_nodes saw it, soon.
remember_nodes() {
        all_nodes >"$T/nodes-before"
}

nothing_left() {
        local deadline=$((SECONDS + 30))
        until all_nodes >"$T/nodes-after" &&
                cmp -s "$T/nodes-before" "$T/nodes-after"; do
                [ $SECONDS -lt $deadline ] ||
                        fail "left behind, or missing: $(diff \
                                "$T/nodes-before" "$T/nodes-after")"
                sleep 0.1
        done
}
