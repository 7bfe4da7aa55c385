#!/bin/bash
# SPDX-License-Identifier: MIT
# Indirect requests, honest ones and others, played by hand.
. "$(dirname "$0")/lib.sh"
ring_rig indirect
