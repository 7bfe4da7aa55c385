#!/bin/bash
# SPDX-License-Identifier: MIT
# Grants that are not what they should be: H7, H17, H18, and C1 to C4.
. "$(dirname "$0")/lib.sh"
attack grants
