#!/bin/bash
# SPDX-License-Identifier: MIT
# S19: what a backend finds in the pages that a guest has granted. Bytes outside
# of a request may be those of an earlier one; where the backend is not trusted
# (an option, or the toolstack's node) they are zero, at any time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/client.sh"
need xenstore-write

TOOLS=$EG_BUILD/tests/it/front
SECRET=xyzzy-secret-xyz # 16 bytes: 256 fill a page

# peek: looks at all pages that carry data; how often the secret is there in
# TEXTS, bytes not zero in NONZERO.
peek() {
        local refs
        # The ring is the one that was granted first.
        mapfile -t refs < <(px grants g1 --json |
                jq --argjson ring "$RING" '.entries[].ref | select(. != $ring)')
        assert_num ${#refs[@]} -ge 17 "pages of the pool"
        read -r _ TEXTS NONZERO < <(px exec 0 -- "$TOOLS/it-front-peek" \
                "$(domid g1)" $SECRET "${refs[@]}" | tail -n 1)
}

# step WORD: the guest's next.
step() {
        local word
        read -r -t 60 word <&"${GUEST[0]}" || fail "guest: $(<"$T/guest.log")"
        assert_eq "$word" "$1"
}
go() {
        echo >&"${GUEST[1]}"
}

# see MIN MAX NONZERO WHAT
see() {
        peek
        assert_num "$TEXTS" -ge "$1" "secrets $4"
        assert_num "$TEXTS" -le "$2" "secrets $4"
        [ "$3" = any ] || assert_eq "$NONZERO" "$3" "bytes not zero $4"
}

# show ALL REST NONZERO [untrusted]: how many secrets are to be seen after 64 KiB
# of them (4,096), how many once 512 other bytes have taken their place, and the
# bytes that are not zero while those are in flight.
show() {
        local all=$1 rest=$2 nonzero=$3
        shift 3
        coproc GUEST {
                exec "$POCKETXEN" exec g1 -- "$TOOLS/it-front-secret" xvda \
                        $SECRET "$@" 2>"$T/guest.log"
        }
        GUEST_CHILD=$GUEST_PID
        step written
        RING=$(px exec 0 -- xenstore-read \
                "/local/domain/$(domid g1)/device/vbd/51712/ring-ref")
        see "$all" "$all" any "after a write"
        # Stopped, the backend answers nothing; we are the backend meanwhile.
        kill -STOP "$DAEMON_PID"
        for task in /proc/"$DAEMON_PID"/task/*; do
                wait_for "grep -q 'State:.T' $task/status"
        done
        go
        step inflight
        see "$rest" "$rest" "$nonzero" "while 512 other bytes are in flight"
        kill -CONT "$DAEMON_PID"
        go
        step answered
        see "$rest" "$rest" any "after another write"
        go
        step "read"
        see "$all" "$all" any "after a read"
        go
        # It is in the buffer itself, where the guest has put it.
        step filled
        see 4096 8192 any "in a shared buffer"
        go
        step freed
        see "$all" 8192 any "after the buffer was freed"
        [ "$all" -gt 0 ] || see 0 0 0 "after all"
        go
        wait "$GUEST_CHILD"
}

start_pocketxen
start_daemon --io-threads 1
px create g1 >"$T/created"
eg attach g1 xvda ram:16M >"$T/attach.log"

say "a trusted backend may see old data"
show 4096 $((4096 - 512 / 16)) any
say "an untrusted one does not: the option"
show 0 0 512 untrusted
say "the toolstack's word is as good"
px exec 0 -- xenstore-write \
        "/local/domain/$(domid g1)/device/vbd/51712/trusted" 0
show 0 0 512
stop_daemon
