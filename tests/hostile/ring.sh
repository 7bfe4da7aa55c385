#!/bin/bash
# SPDX-License-Identifier: MIT
# Indices, segment counts, ids and the ring page itself: H1, H2, H8, H9, H33.
. "$(dirname "$0")/lib.sh"
attack ring
