# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# T-ZOMBIE (H20), read after lib.sh: whatever a test did, afterwards its domains
# die, nothing of them is mapped, bound, watched or kept, and the daemon is what
# it was. zombie_baseline once a daemon runs, zombie_check when the disks are
# detached.

# The least of some looks: the daemon may not have noticed yet that a client of
# its control socket is gone. Without what the drop-ins keep for the domain that
# was last seen in a slot: its memory, its eventfd.
zombie_fds() {
        for _ in 1 2 3 4 5 6; do
                find "/proc/$DAEMON_PID/fd" -mindepth 1 \
                        ! -lname '*memfd:pocketxen-d*' \
                        ! -lname '*eventfd*' 2>/dev/null | wc -l
                sleep 0.02
        done | sort -n | head -n 1
}

# The other side's account: domains; what Domain-0 holds; xenstore; the daemon.
zombie_state() {
        local tasks
        tasks=$(cat /proc/"$DAEMON_PID"/task/*/comm 2>/dev/null |
                grep -vc '^iou-')
        px list --json | jq -c '[(.domains | map(.domid)),
                (.domains[] | select(.domid == 0) | {ports, handles,
                        store_nodes, store_watches})]'
        echo "fds $(zombie_fds) threads $tasks" \
                "disks $(eg list --json | jq '.disks | length')"
}

# zombie_baseline: after each thread served a disk, so that what is made once is
# there.
zombie_baseline() {
        local n threads
        threads=$(eg stat --json | jq .daemon.io_threads)
        px create warm >"$T/created"
        rm -f "$T/warm.stop"
        for n in $(seq "$threads"); do
                eg attach warm "$((51712 + 16 * n))" ram:4M >"$T/said"
                px exec warm -- "$EG_BUILD/tests/it/daemon/it-daemon-guest" \
                        "$((51712 + 16 * n))" "stop=$T/warm.stop" \
                        >"$T/warm-$n.log" 2>&1 </dev/null &
                wait_for "grep -q '^open' '$T/warm-$n.log'"
        done
        : >"$T/warm.stop"
        for n in $(seq "$threads"); do
                wait_for "grep -q '^ok' '$T/warm-$n.log'"
                eg detach warm "$((51712 + 16 * n))" >"$T/said"
        done
        # The directories above the first error stay.
        ! eg attach warm xvda "$T/nothing" >"$T/said" 2>&1
        px destroy warm
        wait_for '[ "$(px list --json | jq ".domains | length")" = 1 ]'
        ZOMBIE=$(zombie_state)
}

# No more descriptors and threads than before, all else as before: on a slow
# machine a client that had just ended may have been counted then.
zombie_none() {
        local before=$1 now=$2 word numbers='fds ([0-9]+) threads ([0-9]+) '
        [ "${now/fds*disks/}" = "${before/fds*disks/}" ] || return 1
        [[ $before =~ $numbers ]] || return 1
        word=("${BASH_REMATCH[@]}")
        [[ $now =~ $numbers ]] || return 1
        [ "${BASH_REMATCH[1]}" -le "${word[1]}" ] &&
                [ "${BASH_REMATCH[2]}" -le "${word[2]}" ]
}

# zombie_check: destroys what domains are left; each has to go.
zombie_check() {
        local dom now
        for dom in $(px list --json | jq '.domains[].domid | select(. != 0)'); do
                px destroy "$dom"
        done
        for _ in $(seq 150); do
                now=$(zombie_state)
                if zombie_none "$ZOMBIE" "$now"; then
                        say "no zombie: $(tr '\n' ' ' <<<"$now")"
                        return
                fi
                sleep 0.05
        done
        assert_eq "$now" "$ZOMBIE" "what is left"
}

# life_rig PROGRAM [ARG…]: as ring_rig, for programs of this folder, with the
# two around it.
life_rig() {
        local program=$EG_BUILD/tests/hostile/life/life-$1
        shift
        env POCKETXEN="$POCKETXEN" EVERGRANT="$POCKETXEN exec 0 -- $EVERGRANT" \
                LD_LIBRARY_PATH="$EG_BUILD/pocketxen/lib" "$program" "$@" \
                >"$T/rig.log" 2>&1 || { cat "$T/rig.log"; fail "the rig"; }
        cat "$T/rig.log"
}
