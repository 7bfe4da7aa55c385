#!/bin/sh
# SPDX-License-Identifier: MIT
# A function that only fetches is called: the compiler may take it for one
# without effect (src/common/copy.h). $1: the program.
set -eu
objdump -d "$1" | awk '
        /^[0-9a-f]+ <calls_what_only_fetches>:$/ { inside = 1 }
        /^$/ { inside = 0 }
        inside && /<only_fetches/ { found = 1 }
        END {
                if (!found)
                        print "the call of only_fetches was left out"
                exit !found
        }'
