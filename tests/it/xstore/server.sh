#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The xenstore that the tests here talk to, with Domain-0 and domains 1, 2 (and 3);
# sourced after lib.sh. XSTORE_SERVER chooses: `test` is the store alone
# (xstored_test), `pocketxen` the whole server, anything with a slash a
# directory where somebody runs a store with sockets s0, s1 and s2.

XSTORE_BUILD=$EG_BUILD/tests/it/xstore
XSTORE_SERVER=${XSTORE_SERVER:-test}
XSTORE_PID=

# xs_socket N
xs_socket() {
        case $XSTORE_SERVER in
        test) echo "$T/s$1" ;;
        pocketxen) echo "$POCKETXEN_DIR/d$1/xs" ;;
        */*) echo "$XSTORE_SERVER/s$1" ;;
        esac
}

start_xenstore() {
        case $XSTORE_SERVER in
        test)
                mkfifo "$T/in"
                "$XSTORE_BUILD/xstored_test" "$T/s0" "$T/s1" "$T/s2" "$T/s3" \
                        <"$T/in" >"$T/xstored.log" 2>&1 &
                XSTORE_PID=$!
                exec 8>"$T/in"
                # shellcheck disable=SC2016 # expanded by wait_for
                wait_for 'grep -q ready "$T/xstored.log"'
                ;;
        pocketxen)
                start_pocketxen
                px create d1
                px create d2
                ;;
        esac
}

# It must end by itself, without a leak.
stop_xenstore() {
        local rc=0
        case $XSTORE_SERVER in
        test)
                exec 8>&-
                wait "$XSTORE_PID" || rc=$?
                assert_eq $rc 0 "the server's exit status"
                ;;
        pocketxen) px stop ;;
        esac
}

# dom N CMD…
dom() {
        local n=$1
        shift
        XENSTORED_PATH=$(xs_socket "$n") "$@"
}
