# SPDX-License-Identifier: MIT
"""Checks on a feature's log: what a guest, Xen, xenstore or a tool outside said.

A check is a function from the log's text to None (holds) or to a sentence that
says what is wrong. The scripts in Dom0 only collect; verdicts are made here."""
import json
import re


def has(pattern, what=None):
    def check(text):
        if not re.search(pattern, text, re.M):
            return f"no {what or repr(pattern)}"
    return check


def lacks(pattern, what=None):
    def check(text):
        found = re.search(pattern, text, re.M)
        if found:
            return f"{what or 'unwanted'}: {found.group(0)!r}"
    return check


def after(mark, check):
    """The check, on what stands behind the mark."""
    def behind(text):
        parts = text.split(mark, 1)
        return check(parts[1]) if len(parts) == 2 else f"no {mark!r}"
    return behind


def number(pattern, low, high=None, what=None):
    """Each number that the pattern finds lies within low … high."""
    def check(text):
        found = re.findall(pattern, text, re.M)
        if not found:
            return f"no {what or repr(pattern)}"
        for value in found:
            if int(value) < low or high is not None and int(value) > high:
                return f"{what or pattern!r} is {value}"
    return check


def same(*patterns):
    """What the patterns find, all of it, is one and the same."""
    def check(text):
        values = set()
        for pattern in patterns:
            found = re.findall(pattern, text, re.M)
            if not found:
                return f"no {pattern!r}"
            values.update(found)
        if len(values) != 1:
            return f"differ: {sorted(values)}"
    return check


def differ(first, second):
    def check(text):
        a, b = re.search(first, text, re.M), re.search(second, text, re.M)
        if not a or not b:
            return f"no {first if not a else second!r}"
        if a.group(1) == b.group(1):
            return f"the same: {a.group(1)}"
    return check


def fewer(before, after, by):
    def check(text):
        a, b = re.search(before, text, re.M), re.search(after, text, re.M)
        if not a or not b:
            return f"no {before if not a else after!r}"
        if int(a.group(1)) - int(b.group(1)) < by:
            return f"{a.group(1)} before, {b.group(1)} after"
    return check


def fio(jobs=1):
    """fio's own summaries: at least so many, all without an error."""
    def check(text):
        # A word of the kernel may stand in front.
        found = re.findall(r"\(groupid=\d+, jobs=\d+\): err= *(-?\d+)", text)
        if len(found) < jobs:
            return f"{len(found)} fio summaries, not {jobs}"
        bad = [e for e in found if e != "0"]
        if bad:
            return f"fio ended with err={bad[0]}"
        return lacks(r"^(verify:|fio: .*(error|bad)|crc32c: verify failed).*")(text)
    return check


def commands_succeed(text):
    """No command that was run ended with another status than 0."""
    command = "?"
    for line in text.splitlines():
        if re.match(r"(dom0|\w+)# ", line):
            command = line
        elif line.startswith("=> ") and line != "=> 0":
            return f"{command[:120]}: {line}"
        elif line.startswith("GAVE UP"):
            return line


def stats(text):
    return [json.loads(line[6:]) for line in text.splitlines()
            if line.startswith("stat: {")]


def stat(what, holds):
    """holds(disk) of the last `evergrant stat --json`."""
    def check(text):
        try:
            last = stats(text)[-1]["disks"][0]
            return None if holds(last) else f"evergrant stat: not {what}"
        except (IndexError, KeyError, ValueError, TypeError) as e:
            return f"no usable evergrant stat: {e!r}"
    return check


def counter(name, low, high=None):
    def check(text):
        try:
            value = stats(text)[-1]["disks"][0]["counters"][name]
        except (IndexError, KeyError, ValueError) as e:
            return f"no usable evergrant stat: {e!r}"
        if value < low or high is not None and value > high:
            return f"{name} is {value}"
    return check


NO_ERRORS = [counter(name, 0, 0) for name in
             ("errors", "unsupported", "bad_grants", "ring_broken",
              "map_failures")]


def finished(text):
    """The script came to the feature's end."""
    if not re.search(r"^@@done ", text, re.M):
        return "the feature's script did not come to its end"


def seconds(text):
    begin = re.search(r"^@@feature \S+ ([\d.]+)", text, re.M)
    end = re.findall(r"^@@done ([\d.]+)", text, re.M)
    if not begin or not end:
        return None
    return round(float(end[-1]) - float(begin.group(1)), 1)


def judge(text, checks):
    """("pass", "") or ("fail", why)"""
    for check in [finished, *checks]:
        why = check(text)
        if why:
            return "fail", why
    return "pass", ""
