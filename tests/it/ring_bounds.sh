#!/bin/bash
# SPDX-License-Identifier: MIT
# What a frontend may ask too much of, or get wrong, played by hand.
. "$(dirname "$0")/lib.sh"
ring_rig bounds
