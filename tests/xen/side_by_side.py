# SPDX-License-Identifier: MIT
"""The table of the case side-by-side: IOPS of evergrantd in relation to the
kernel's blkback and to QEMU's qdisk, minimum, median and maximum of the rounds'
ratios. By hand: tests/xen/side_by_side.py LOG."""
import re
import statistics
import sys

LINE = (r"^iops (\w+) (\w+) (\w+) (\d+) (\d+) (\d+)(?:\.\d+)? (\d+)(?:\.\d+)?$")
OURS, PEERS = "xvdd", {"xvdb": "blkback", "xvdc": "qdisk"}


def ratios(text):
    """{(load, size, depth): {peer: [ours / peer, a round]}}"""
    iops = {}
    for disk, rw, size, depth, number, r, w in re.findall(LINE, text, re.M):
        iops[rw, size, int(depth), int(number), disk] = int(r) + int(w)
    table = {}
    for (rw, size, depth, number, disk), value in iops.items():
        ours = iops.get((rw, size, depth, number, OURS))
        if disk in PEERS and value and ours is not None:
            table.setdefault((rw, size, depth), {}).setdefault(
                PEERS[disk], []).append(ours / value)
    return table


def markdown(text):
    lines = ["| load | size | depth | to blkback: min, median, max | to qdisk |",
             "|---|---|---|---|---|"]
    for (rw, size, depth), peers in ratios(text).items():
        cells = [", ".join(f"{f(peers[p]):.2f}" for f in
                           (min, statistics.median, max))
                 for p in PEERS.values()]
        lines.append(f"| {rw} | {size} | {depth} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def write(log, path):
    with open(log, errors="replace") as f:
        table = markdown(f.read())
    with open(path, "w") as f:
        f.write(table)
    print(table)


if __name__ == "__main__":
    write(sys.argv[1], "/dev/stdout")
