# SPDX-License-Identifier: MIT
"""Files are written under another name and renamed: there is no half of one."""
import csv
import errno
import io
import json
import os

from .tools import Failure


def cannot(path, error):
    what = os.strerror(error.errno) if error.errno else str(error)
    hint = ": free some space or choose another directory (--out)" \
        if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return Failure(f"cannot write {path}: {what}{hint}")


def temporary(path):
    head, tail = os.path.split(path)
    return os.path.join(head, f".{tail}.{os.getpid()}")


def write(path, content):
    """Text or bytes."""
    temp = temporary(path)
    if isinstance(content, str):
        content = content.encode()
    try:
        with open(temp, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temp, path)
    except OSError as e:
        forget(temp)
        raise cannot(path, e) from e


def forget(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def prepare(directory):
    """Finds out before anything is measured."""
    try:
        os.makedirs(directory, exist_ok=True)
        probe = temporary(os.path.join(directory, "probe"))
        with open(probe, "w", encoding="utf-8") as f:
            f.write("\n" * 4096)
        forget(probe)
    except OSError as e:
        raise cannot(directory, e) from e


def merge(path, part):
    """results.json has a key a subcommand; the others keep theirs."""
    try:
        with open(path, encoding="utf-8") as f:
            whole = json.load(f)
        if not isinstance(whole, dict):
            whole = {}
    except (OSError, ValueError):
        whole = {}
    whole.update(part)
    write(path, json.dumps(whole, indent=1) + "\n")


def write_csv(path, rows):
    """Lists become three columns; what a row has not is empty."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    every = {key: value for row in rows for key, value in row.items()}
    head = []
    for key, value in every.items():
        head += [f"{key}_{n}" for n in ("min", "med", "max")] \
            if isinstance(value, list) else [key]
    table.writerow(head)
    for row in rows:
        cells = []
        for key, value in every.items():
            value = row.get(key, [None] * 3 if isinstance(value, list) else None)
            cells += value if isinstance(value, list) else [value]
        table.writerow(["" if c is None else c for c in cells])
    write(path, out.getvalue())


def number(value, digits=3):
    if value is None:
        return "n/a"
    return f"{value:.{digits}f}"


def thousands(value):
    return f"{value / 1000:,.0f}"


def table(head, rows):
    """Columns as wide as they must be, all but the first to the right."""
    cells = [head] + [[str(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        line = row[0].ljust(widths[0])
        for cell, width in zip(row[1:], widths[1:]):
            line += "  " + cell.rjust(width)
        lines.append(line.rstrip())
    return "\n".join(lines)
