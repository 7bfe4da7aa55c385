#!/bin/bash
# SPDX-License-Identifier: MIT
# Shared memory that changes while it is used: H3.
. "$(dirname "$0")/lib.sh"
attack flips
