# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What cases share, in Dom0. A case names a feature and does what shows it; all
# that it does and sees goes into that feature's log, which the runner on the
# host judges (tests/xen/spec.py). Nothing here says "passed".
export PATH=/usr/lib/xen-4.17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
D=/out/${CASE-none}
LOG=$D/before.log
N=0
DAEMON_PID=
# A verifying job; the case adds what it does.
FIO="fio --direct=1 --ioengine=libaio --verify=crc32c --verify_state_save=0 \
--clat_percentiles=0"

up() {
        local seconds
        read -r seconds _ </proc/uptime
        echo "$seconds"
}

note() {
        printf '%s\n' "$*" >>"$LOG"
}

feature_end() {
        [ "$LOG" = "$D/before.log" ] || note "@@done $(up)"
}

# feature ID: what follows belongs to it.
feature() {
        feature_end
        LOG=$D/$1.log
        note "@@feature $1 $(up)"
        echo "   $(up) $CASE: $1"
}

# command_line WHO CMD: its first line in the log, and when that was.
command_line() {
        note "$1# $2"
        note "@@at $(up)"
}

# run CMD…: logged, with its output and its status.
run() {
        local rc=0
        command_line dom0 "$*"
        timeout -k 5 "${T:-120}" "$@" >>"$LOG" 2>&1 </dev/null || rc=$?
        note "=> $rc"
        return $rc
}

# sh_run 'SHELL TEXT': the same for a pipe or a redirection.
sh_run() {
        local rc=0
        command_line dom0 "$*"
        timeout -k 5 "${T:-120}" bash -c "$*" >>"$LOG" 2>&1 </dev/null || rc=$?
        note "=> $rc"
        return $rc
}

# wait_for 'CMD' [SECONDS]
wait_for() {
        local deadline=$((SECONDS + ${2:-60}))
        until eval "$1" >/dev/null 2>&1; do
                if [ $SECONDS -ge $deadline ]; then
                        note "GAVE UP after ${2:-60} s: $1"
                        return 1
                fi
                sleep 0.2
        done
}

# ---- guests ---------------------------------------------------------------

# guest_create NAME [CONFIG LINE…]: VCPUS, MEM, KERNEL, EXTRA (its command line).
guest_create() {
        local name=$1 k=${KERNEL:-6.1}
        shift
        {
                printf 'name="%s"\ntype="pv"\n' "$name"
                printf 'kernel="/lab/vmlinux-%s"\nramdisk="/data/domu-%s.cpio"\n' "$k" "$k"
                printf 'memory=%s\nvcpus=%s\n' "${MEM:-448}" "${VCPUS:-1}"
                printf 'extra="console=hvc0 quiet loglevel=4 mitigations=off tsc=reliable %s"\n' \
                        "${EXTRA-}"
                printf 'on_crash="destroy"\non_reboot="destroy"\n'
                printf '%s\n' "$@"
        } >"/tmp/$name.cfg"
        # xl has aborted under emulation: once more, and only once.
        T=90 run xl create "/tmp/$name.cfg" ||
                { xl destroy "$name" 2>/dev/null
                sleep 1
                T=90 run xl create "/tmp/$name.cfg"; } || return 1
        guest_up "$name"
}

# A guest that was created paused or restored has its agent then.
guest_up() {
        wait_for "xenstore-exists /local/domain/$(domid "$1")/data/up || ! xl domid $1" 180
        know_domid "$1"
        [ -n "${IDS[$1]}" ] || {
                note "GAVE UP: the guest died; its console:"
                tail -n 20 "/var/log/xen/console/guest-$1.log" >>"$LOG"
                return 1
        }
}

# xl takes its time under emulation: asked once a domain.
declare -A IDS=()
domid() {
        local id=${IDS[$1]-}
        if [ -n "$id" ] &&
                [ "$(xenstore-read "/local/domain/$id/name" 2>/dev/null)" = "$1" ]; then
                echo "$id"
        else
                xl domid "$1" 2>/dev/null
        fi
}

# In a $( ) nothing can be remembered.
know_domid() {
        IDS[$1]=$(domid "$1")
}

# guest NAME 'CMD': in the guest; its output, the kernel's words and the status
# are in the log. T: seconds.
guest() {
        local name=$1 id from rc deadline con=/var/log/xen/console/guest-$1.log
        shift
        # xenstore's tools would escape a newline.
        set -- "${*//\\$'\n'/}"
        command_line "$name" "$*"
        id=$(domid "$name") || {
                note "=> no domain $name"
                return 125
        }
        from=$(stat -c %s "$con" 2>/dev/null || echo 0)
        N=$((N + 1))
        xenstore-write "/local/domain/$id/data/cmd" "$$.$N $*"
        deadline=$((SECONDS + ${T:-180}))
        until rc=$(xenstore-read "/local/domain/$id/data/rc" 2>/dev/null) &&
                [ "${rc% *}" = "$$.$N" ]; do
                if [ $SECONDS -ge $deadline ]; then
                        tail -c "+$((from + 1))" "$con" | tr -d '\r' >>"$LOG"
                        note "=> GAVE UP after ${T:-180} s"
                        return 124
                fi
                xenstore-exists "/local/domain/$id" || {
                        note "=> the domain is gone"
                        return 125
                }
                sleep 0.1
        done
        # The console may come later than xenstore's word.
        deadline=$((SECONDS + 20))
        until tail -c "+$((from + 1))" "$con" | grep -q "@@end $$.$N "; do
                [ $SECONDS -lt $deadline ] || break
                sleep 0.1
        done
        tail -c "+$((from + 1))" "$con" | tr -d '\r' |
                sed -n "/@@begin $$.$N/,/@@end $$.$N/p" |
                grep -v '^@@\(begin\|end\)' >>"$LOG"
        note "=> ${rc#* }"
        return "${rc#* }"
}

# load_start GUEST NAME 'CMD': CMD again and again, each time until it ends by
# itself, until load_stop or until it fails.
load_start() {
        guest "$1" "((until [ -e /tmp/$2.stop ]; do { $3; } || exit 1; done) >/tmp/$2.log 2>&1; echo \$? >/tmp/$2.rc) &"
}

load_is_on() {
        guest "$1" "test ! -e /tmp/$2.rc && echo 'load $2 is on'"
}

load_stop() {
        T=600 guest "$1" "touch /tmp/$2.stop; while [ ! -e /tmp/$2.rc ]; do sleep 1; done; cat /tmp/$2.log; echo \"load $2 ended with \$(cat /tmp/$2.rc)\""
}

# connected_size GUEST VDEV: when the guest's kernel has the disk, its sectors
connected_size() {
        guest "$1" "i=0; until [ \$(cat /sys/block/$2/size 2>/dev/null || echo 0) -gt 0 ] || [ \$i -gt 300 ]; do usleep 100000; i=\$((i+1)); done; echo \"sectors: \$(cat /sys/block/$2/size)\""
}

# ---- our daemon -----------------------------------------------------------

daemon_start() {
        evergrantd "$@" >>"$D/evergrantd.log" 2>&1 </dev/null &
        DAEMON_PID=$!
        wait_for "evergrant list"
}

daemon_stop() {
        local rc=0
        kill -TERM "$DAEMON_PID"
        wait "$DAEMON_PID" || rc=$?
        note "evergrantd ended with status $rc"
        DAEMON_PID=
}

# attach DOM VDEV TARGET [OPTION…]: and waits until guest and daemon are
# connected.
attach() {
        local path
        run evergrant attach "$@" || return 1
        path=$(back_of "$1" "$2")
        wait_for "[ \"\$(xenstore-read $path/state)\" = 4 ]" 60
}

# back_of DOM VDEV: the backend's directory
back_of() {
        local id n
        id=$(domid "$1")
        for n in $(xenstore-list "/local/domain/$id/device/vbd" 2>/dev/null); do
                [ "$n" = "$(vdev_number "$2")" ] || continue
                xenstore-read "/local/domain/$id/device/vbd/$n/backend"
        done
}

# xvda … xvdz
vdev_number() {
        local letter
        letter=$(printf '%d' "'${1#xvd}")
        echo $((51712 + (letter - 97) * 16))
}

# Both directories of a disk, its statistics, and the hypervisor's own account
# of the guest's grants that are in use: "active" lines, without the two of
# console and xenstore.
state_of() {
        local back id
        id=$(domid "$1")
        back=$(back_of "$1" "$2")
        run xenstore-ls "$back"
        run xenstore-ls "/local/domain/$id/device/vbd/${back##*/}"
        stat_of "$1" "$2"
        grants_of "$1"
}

stat_of() {
        note "stat: $(evergrant stat "$1" "$2" --json | jq -c .)"
}

# grants_of DOM: "grant frames F", "mapped grants N", of the hypervisor.
grants_of() {
        local id
        id=$(domid "$1")
        xl dmesg -c >>"$D/xen-before.log"
        xl debug-keys g
        sleep 0.5
        # Of one that is gone there are none.
        : >/tmp/grants
        [ -z "$id" ] ||
                xl dmesg | sed -n "/grant-table for remote d$id /,/grant-table for remote d[^$id]/p" \
                        >/tmp/grants
        sed 's/^(XEN) /xen: /; 12q' /tmp/grants >>"$LOG"
        note "xen: grant frames $(sed -n 's/.*  *\([0-9]*\) frames (.*/\1/p' /tmp/grants | head -n 1)"
        note "xen: mapped grants $(grep -c '\[0x[0-9a-f]*\] .*0x0*[1-9a-f]' /tmp/grants)"
}

# same_bytes GUEST VDEV FILE [MIB]: every byte, or those of the first MIB, read in
# the guest and outside of it. (A checksum that an emulated CPU can afford.)
same_bytes() {
        T=400 guest "$1" "echo \"sum in the guest: \$(dd if=/dev/$2 bs=1M ${4:+count=$4} iflag=direct 2>/dev/null | md5sum)\""
        sh_run "echo \"sum outside: \$(dd if=$3 bs=1M ${4:+count=$4} 2>/dev/null | md5sum)\""
}

# image SIZE NAME: all zero, on ext4
image() {
        rm -f "/data/$2"
        truncate -s "$1" "/data/$2"
}

# Between cases.
leave_nothing() {
        local name p
        for name in $(xl list | sed -n '3,$s/ .*//p'); do
                xl destroy "$name"
        done
        for p in /proc/[0-9]*; do
                case $(tr '\0' ' ' <"$p/cmdline" 2>/dev/null) in
                evergrantd* | fio* | qemu-system*) kill -9 "${p##*/}" ;;
                esac
        done
        LOG=/dev/null
        wait_for '[ "$(xl list | wc -l)" -eq 2 ]' 30
        umount /mnt 2>/dev/null
        losetup -D 2>/dev/null
        for p in backend/vbd backend/qdisk backend/evergrant; do
                xenstore-ls "/local/domain/0/$p" 2>/dev/null
                xenstore-rm "/local/domain/0/$p" 2>/dev/null
        done
        rmmod xen_blkback 2>/dev/null
        rm -rf /data/*.img /tmp/* /run/evergrant
        xl list
        true
}
