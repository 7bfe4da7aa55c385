#!/bin/bash
# SPDX-License-Identifier: MIT
# The habits of frontends in the field (docs/compat.md), played by hand.
. "$(dirname "$0")/lib.sh"
truncate -s 8M "$T/disk.img"
export IMAGE=$T/disk.img
ring_rig compat
