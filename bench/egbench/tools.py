# SPDX-License-Identifier: MIT
"""What all parts share: errors that end the run, programs, small statistics."""
import os

BUILD = None      # set by the entry script
VERSION = None


class Failure(Exception):
    """Ends the run with exit status 1 and this sentence."""


class Usage(Exception):
    """Exit status 2."""


def program(name):
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Failure(f"{path} is missing: build first (make)")
    return path


def pocketxen():
    return program("pocketxen/cli/pocketxen")


def median(values):
    values = sorted(values)
    n = len(values)
    if not n:
        return None
    if n % 2:
        return values[n // 2]
    return (values[n // 2 - 1] + values[n // 2]) / 2


def spread(values):
    """[min, median, max]"""
    return [min(values), median(values), max(values)]


def quantile(histogram, share):
    """Of {largest value of the bucket: count}; None if it is empty."""
    total = sum(histogram.values())
    seen = 0
    for value in sorted(histogram):
        seen += histogram[value]
        if seen >= share * total:
            return value
    return None


def size(n):
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.0f} {unit}"
        n /= 1024
    return f"{n:.1f} GiB"
