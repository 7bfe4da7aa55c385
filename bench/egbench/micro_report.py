# SPDX-License-Identifier: MIT
"""What `evergrant-bench micro` leaves."""
import os

from . import machine, output, plots
from .output import number, table

# Ours, what it cannot avoid.
PAIRS = [
    ("map + touch + unmap", "map_unmap_ns", "mmap + touch + munmap",
     "bare_mmap_munmap_ns"),
    ("the same, another thread runs", "map_unmap_2_ns",
     "mmap + touch + munmap", "bare_mmap_munmap_2_ns"),
    ("map", "map_ns", "mmap", "bare_mmap_ns"),
    ("unmap (touched)", "unmap_ns", "munmap", "bare_munmap_ns"),
    ("copy 4 KiB from a guest", "copy_from_4k_ns", "pread",
     "bare_pread_4k_ns"),
    ("copy 4 KiB to a guest", "copy_to_4k_ns", "pwrite",
     "bare_pwrite_4k_ns"),
    ("notify, take, unmask", "notify_take_ns", "eventfd write + read",
     "bare_eventfd_ns"),
    ("notify, still pending", "notify_pending_ns", "", None),
    ("request and answer, one CPU", "ring_trip_same_cpu_ns",
     "eventfd there and back", "bare_eventfd_trip_same_cpu_ns"),
    ("request and answer, two CPUs", "ring_trip_cross_cpu_ns",
     "eventfd there and back", "bare_eventfd_trip_cross_cpu_ns"),
    ("hit in 32 kept pages", "hit_32_ns", "", None),
    ("hit in 352", "hit_352_ns", "", None),
    ("hit in 1,056", "hit_1056_ns", "", None),
]


def steps(result):
    rows = []
    for what, key, bare, bare_key in PAIRS:
        if result.get(key) is None:
            continue
        ours, under = result[key], result.get(bare_key)
        rows.append([what, number(ours, 0), bare,
                     "" if under is None else number(under, 0),
                     "" if not under else number(ours / under, 2)])
    if rows:
        yield table(["ns", "ours", "under it", "bare", "ratio"], rows)
    sizes = sorted(int(k.split("_")[2]) for k in result
                   if k.startswith("memcpy_hot_"))
    if sizes:
        yield table(["memcpy, ns"] + [str(s) for s in sizes],
                    [[kind] + [number(result[f"memcpy_{kind}_{s}_ns"], 0)
                               for s in sizes] for kind in ("hot", "cold")])


def pivot(rows, name, column, value, key):
    """A table: a row for each key, a column for each of column's values."""
    columns = list(dict.fromkeys(r[column] for r in rows))
    found = {}
    for r in rows:
        found.setdefault(key(r), {})[r[column]] = value(r)
    return table([name] + [str(c) for c in columns],
                 [[k] + [v.get(c, "") for c in columns]
                  for k, v in found.items()])


def tables(result):
    yield from steps(result)
    if "guest_cpu" in result:
        yield pivot(result["guest_cpu"], "S21: guest CPU per I/O, us", "way",
                    lambda r: number(r["guest_cpu_us"], 2),
                    lambda r: f"{r['op']} {r['bs']} bytes")
    if "cap" in result:
        yield pivot(result["cap"], "S17: hit rate (kIOPS) at a cap of", "cap",
                    lambda r: f"{r['hit_rate']:.3f} ({r['iops'] / 1000:.0f})",
                    lambda r: f"read {r['bs']} bytes, 32 in flight")
    if "index" in result:
        yield table(["S12: look-up, ns", "tree", "table + tree", "hash", "array"], [
            [f"{r['entries']} entries, {r['order']}, {r['probe']}",
             number(r["tree_ns"], 1), number(r["near_ns"], 1),
             number(r["hash_ns"], 1),
             number(r["array_ns"], 1)] for r in result["index"]])


def csv_rows(result):
    return [{"name": k, "ns": v} for k, v in sorted(result.items())
            if not isinstance(v, list)]


def report(result, directory, complete, say):
    if not result:
        say("nothing was measured")
        return
    print("\n\n".join(tables(result)))
    about = machine.describe()
    output.merge(os.path.join(directory, "results.json"),
                 {"machine": about, "micro": dict(result, complete=complete)})
    written = ["results.json"]
    parts = {"micro": csv_rows(result), "micro-guest-cpu":
             result.get("guest_cpu"), "micro-cap": result.get("cap"),
             "micro-index": result.get("index")}
    for name, rows in parts.items():
        if rows:
            output.write_csv(os.path.join(directory, name + ".csv"), rows)
            written.append(name + ".csv")
    written += plots.micro(result, about, directory, say)
    print("in " + directory + ": " + ", ".join(written), flush=True)
