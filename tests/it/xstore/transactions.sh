#!/bin/bash
# SPDX-License-Identifier: MIT
# Several processes add one to the same number in transactions and repeat on
# EAGAIN: no addition is lost, none is done twice.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/server.sh"

start_xenstore
dom 0 "$XSTORE_BUILD/xs_counter" 6 200
stop_xenstore
