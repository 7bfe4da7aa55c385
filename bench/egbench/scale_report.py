# SPDX-License-Identifier: MIT
"""What `evergrant-bench scale` leaves: the table, results.json, CSV, plots."""
import os

from . import machine, output, plots, scale
from .output import number, thousands

HEAD = ["op", "guests", "grants", "kIOPS", "min", "max", "maps", "unmaps",
        "copies", "notify", "TLB", "switches", "back us", "guest us",
        "p50 us", "p99", "p99.9", "fair", "KiB a disk", "ping-pong ns"]


def kib(size):
    return None if size is None else size / 1024


def cells(row):
    low, mid, high = row["iops"]
    return [row["op"], row["guests"], row["mode"], thousands(mid),
            thousands(low), thousands(high), number(row["maps_per_req"]),
            number(row["unmaps_per_req"]), number(row["copies_per_req"]),
            number(row["notify_per_req"]), number(row["tlb_per_req"]),
            number(row["switches_per_req"]), number(row["backend_cpu_us"], 2),
            number(row["guest_cpu_us"], 2), number(row["p50_us"], 0),
            number(row["p99_us"], 0), number(row["p999_us"], 0),
            number(row["fairness"], 2),
            number(kib(row["backend_memory_per_disk_bytes"]), 0),
            number(row["pingpong_ns"], 0)]


def medians(rows, op):
    return {(r["guests"], r["mode"]): r["iops"][1]
            for r in rows if r["op"] == op}


def ratios(rows):
    """What the experiment is about, in a line an operation and ratio."""
    lines = []
    for op in scale.OPS:
        m = medians(rows, op)
        counts = sorted({n for n, _ in m})
        pairs = [(n, m[n, "persistent"] / m[n, "map"]) for n in counts
                 if (n, "persistent") in m and (n, "map") in m]
        if pairs:
            lines.append(f"{op}: persistent over map: " + ", ".join(
                f"{r:.1f} at {n}" for n, r in pairs))
        for mode, base in (("persistent", 2), ("map", 1)):
            rest = [(n, m[n, mode] / m[base, mode]) for n in counts
                    if n > base and (n, mode) in m and (base, mode) in m]
            if rest:
                lines.append(
                    f"{op}: {mode} against itself at {base}: " +
                    ", ".join(f"{r:.2f} at {n}" for n, r in rest))
    return lines


def conditions(plan, complete):
    return {"seconds": plan.seconds, "rounds": plan.rounds,
            "depth": plan.depth, "block_bytes": scale.BLOCK_BYTES,
            "store_bytes_per_guest": scale.STORE_BYTES,
            "io_threads": plan.io_threads, "pin": plan.pin,
            "polling": plan.polling,
            "complete": complete}


def report(samples, plan, directory, complete, say):
    """The table first: it needs no disk."""
    rows = scale.summary(samples)
    if not rows:
        say("nothing was measured")
        return
    print(output.table(HEAD, [cells(r) for r in rows]))
    print("(maps to switches, back and guest: per request; back, guest: "
          "µs of CPU; TLB: shootdowns; a disk: evergrantd's memory)")
    for line in ratios(rows):
        print(line)
    about = machine.describe()
    path = os.path.join(directory, "results.json")
    output.merge(path, {"machine": about, "scale": rows,
                        "scale_run": conditions(plan, complete)})
    output.write_csv(os.path.join(directory, "scale.csv"), rows)
    drawn = plots.scale(rows, about, directory, say)
    print("in " + directory + ": results.json, scale.csv" +
          "".join(", " + d for d in drawn), flush=True)
