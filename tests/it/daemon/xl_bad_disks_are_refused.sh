#!/bin/bash
# SPDX-License-Identifier: MIT
# What is wrong with an xl disk line, or happens to it half way: xl gets a
# sentence that says so, soon, and nothing is left behind.
. "$(dirname "$0")/daemon.sh"
. "$(dirname "$0")/libxl.sh"
V=51712
B=$VBD/1/$V

# refused MESSAGE TARGET [KEY VALUE…]: as in `xl create`, which then destroys the
# domain.
refused() {
        local because=$1
        shift
        xl_add 1 $V "$@" && fail "attached: $*"
        assert_has "$XL_ERROR" "$because" "what xl says about $*"
        wait_for '[ "$(node $B/state)" = 6 ]'
        xl_remove 1 $V force
        nothing_left
}

# claimed_add TARGET: xen-blkback has written state 2, which no daemon did.
claimed_add() {
        xl_nodes 1 $V "$1"
        xs write $B/state 2
        xl_script 1 $V && fail "attached without a daemon"
        xl_remove 1 $V force
}

start_pocketxen
px create --mem 32M g1 >/dev/null
px create --mem 32M g2 >/dev/null
cd "$T"
truncate -s 4M image
truncate -s 1000 odd
remember_nodes

say "without a daemon"
claimed_add "$T/image"
assert_has "$XL_ERROR" 'evergrantd is not running: there is no control socket'
nothing_left
if [ ! -e /dev/xen/gntdev ]; then
        # Xen's own libraries, which look for a device that is not here.
        assert_status 1 px exec 0 -- env -u LD_LIBRARY_PATH "$EVERGRANTD"
        claimed_add "$T/image"
        assert_has "$XL_ERROR" 'evergrantd is not running, its start failed: '
        assert_has "$XL_ERROR" "load the kernel's modules xen-gntdev"
fi
start_daemon
nothing_left

say "targets"
refused "$T/none does not exist" "$T/none"
refused "$T/odd: the size, 1000 bytes, is no multiple of 512" "$T/odd"
refused 'target=image is no absolute path' image
refused 'this version has no driver "nbd:"' nbd:host
refused 'lots' ram:lots
refused 'is not r or w' "$T/image" mode x
cp nodes-before nodes-without
xl_add 2 $V "$T/image" || fail "$XL_ERROR"
remember_nodes
refused "$T/image is in use for writing" "$T/image"
refused "$T/image is in use for writing" "$T/image" mode r
xl_remove 2 $V
cp nodes-without nodes-before
nothing_left

say "nodes that are not the toolstack's"
xl_nodes 1 $V "$T/image"
wait_for '[ "$(node $B/state)" = 2 ]'
xs chmod $B n2 r1
xl_script 1 $V && fail "attached from nodes of domain 2"
assert_has "$XL_ERROR" "they are not the toolstack's"
xl_remove 1 $V force
nothing_left

say "a name that is taken by the other way"
eg attach g1 xvda ram:4M
xl_nodes 1 $V "$T/image"
wait_for '[ "$(node $B/state)" = 2 ]'
xl_script 1 $V && fail "two disks called xvda"
assert_has "$XL_ERROR" 'xvda of domain 1 is taken by a disk that `evergrant'
xl_remove 1 $V force
eg detach g1 xvda
nothing_left

say "xl block-attach leaves a refused disk's nodes: the script takes them away"
xl_add 1 $V "$T/none" && fail "attached"
nothing_left
say "but not those of the next attempt"
mkfifo tidied
# Who holds the pipe: the script, and what it leaves behind to tidy up.
(xl_add 1 $V "$T/none" || true) 8<>tidied &
wait_for '[ "$(node $B/eg-refused)" != absent ]'
exec 9<tidied
xl_forget 1 $V
xl_nodes 1 $V "$T/none" hotplug-status error state 6
cat <&9
exec 9<&-
assert_eq "$(node $B/hotplug-status)" error "the next attempt's nodes"
xl_forget 1 $V
nothing_left
say "a daemon that does not answer"
xl_nodes 1 $V "$T/image"
wait_for '[ "$(node $B/state)" = 2 ]'
hold_daemon_after_list
HOOK_ENV+=(EVERGRANT_HOOK_SECONDS=1)
xl_script 1 $V && fail "attached"
assert_has "$XL_ERROR" 'evergrantd runs, but did not take the disk within 1 s'
nothing_left
kill -CONT "$DAEMON_PID"

say "nodes removed by hand: what xl leaves of the others goes"
xl_nodes 1 $V "$T/image"
wait_for '[ "$(node $B/state)" = 2 ]'
xs rm -t $B
xl_script 1 $V && fail "attached nothing"
nothing_left
: >"$T/hook.log"

say "nodes removed by hand"
for when in early asked marked; do
        xl_nodes 1 $V "$T/image"
        wait_for '[ "$(node $B/state)" = 2 ]'
        if [ $when = early ]; then
                HOOK_ENV=()
                xl_forget 1 $V
                xl_script 1 $V && fail "attached nothing"
        elif [ $when = asked ]; then
                # Between its look and its mark.
                printf '%s\n' '#!/bin/sh' "xenstore-rm -t $B" >bin/evergrant
                HOOK_ENV=(EVERGRANT_HOOK_PATH="$T/bin")
                xl_script 1 $V && fail "attached nothing"
                assert_eq "$(node $B/eg-hook)" absent "the mark of no disk"
                xl_forget 1 $V 2>/dev/null || true
        else
                hold_daemon_after_list
                xl_hook add 1 $V || exit &
                script=$!
                wait_for '[ "$(node $B/eg-hook)" = ready ]'
                xl_forget 1 $V
                kill -CONT "$DAEMON_PID"
                wait $script && fail "attached nothing"
        fi
        # There is no hotplug-error then: xl shows what the script prints.
        assert_has "$(cat "$T/hook.log")" "the nodes backend/vbd/1/$V are gone"
        : >"$T/hook.log"
        nothing_left
done
HOOK_ENV=()
for what in all script; do
        xl_add 1 $V "$T/image" || fail "$XL_ERROR"
        guest g1 $what xvda
        if [ $what = all ]; then
                xs rm $B
        else
                xs rm $B/script
        fi
        wait_for 'lists_no xvda'
        assert_unmapped g1
        [ $what = all ] || assert_eq "$(node $B/state)" 4 "nodes of others"
        xl_forget 1 $V
        : >"$T/$what.stop"
        wait "${GUESTS[$what]}" || true
        nothing_left
done

say "a domain that ends while its disk is made"
xl_nodes 1 $V "$T/image"
wait_for '[ "$(node $B/state)" = 2 ]'
hold_daemon_after_list
xl_hook add 1 $V || exit &
script=$!
wait_for '[ "$(node $B/eg-hook)" = ready ]'
px destroy g1
xl_forget 1 $V
kill -CONT "$DAEMON_PID"
wait $script && fail "attached to nobody"
HOOK_ENV=()
sed -i '/^\/local\/domain\/1/d' "$T/nodes-before"
nothing_left
px create --mem 32M g3 >/dev/null
remember_nodes
xl_nodes 3 $V "$T/image"
wait_for "[ \"\$(xl_state 3 $V)\" = 2 ]"
px destroy g3
wait_for '! xs exists $VBD/3/$V'
xl_script 3 $V && fail "attached to nobody"
xl_forget 3 $V 2>/dev/null || true
sed -i '/^\/local\/domain\/3/d' "$T/nodes-before"
nothing_left
say "and the image is free"
xl_add 2 $V "$T/image" || fail "$XL_ERROR"
guest g2 last xvda
end_guest last
xl_remove 2 $V
assert_eq "$(grep -vc 'are gone: ' "$T/hook.log")" 0 "other words of the script"

say "called by hand"
for wrong in '' 'attach' 'add'; do
        # shellcheck disable=SC2086 # none is a case, too
        assert_status 2 px exec 0 -- "$HOOK" $wrong
done
assert_has "$OUT" 'no XENBUS_PATH in the environment'
assert_status 2 px exec 0 -- env XENBUS_PATH=backend/vif/1/0 "$HOOK" add
assert_has "$OUT" 'not backend/vbd/DOMID/VDEV'
assert_status 0 px exec 0 -- "$HOOK" --help
assert_has "$OUT" 'script=block-evergrant,vdev=xvda,target='
stop_daemon
