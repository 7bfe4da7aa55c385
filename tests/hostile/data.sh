#!/bin/bash
# SPDX-License-Identifier: MIT
# Where data may come from and go to: H4, H5, H6, H12, H16, H34.
. "$(dirname "$0")/lib.sh"
attack data
