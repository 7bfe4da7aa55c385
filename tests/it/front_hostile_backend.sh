#!/bin/bash
# SPDX-License-Identifier: MIT
# libevergrant against a backend that lies, scribbles, storms and keeps silent
# (HOSTILE.md 1.7), played by hand over a real ring.
. "$(dirname "$0")/lib.sh"

start_pocketxen
env POCKETXEN="$POCKETXEN" LD_LIBRARY_PATH="$EG_BUILD/pocketxen/lib" \
        "$EG_BUILD/tests/it/front/it-front-hostile" >"$T/hostile.log" 2>&1 || {
        cat "$T/hostile.log"
        fail "it-front-hostile"
}
cat "$T/hostile.log"
