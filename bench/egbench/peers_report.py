# SPDX-License-Identifier: MIT
"""What `evergrant-bench peers` leaves: the table, results.json, CSV."""
import os

from . import machine, output, peers, tools
from .output import number, thousands

HEAD = ["peer", "op", "bytes", "depth", "kIOPS", "min", "max", "ours", "ratio",
        "min", "max", "adaptive", "ratio", "polling", "ratio", "zero-copy",
        "ratio", "CPU us", "ours", "ping-pong ns"]


def middle(row, key, text):
    return text(row[key][1]) if key in row else "n/a"


def cells(row):
    if "missing" in row:
        return [row["peer"]] + ["n/a"] * (len(HEAD) - 1)
    ratio = [number(v, 2) for v in row["ratio"]]
    return [row["peer"], row["op"], tools.size(row["bs"]), row["qd"],
            *(thousands(row["iops"][i]) for i in (1, 0, 2)),
            thousands(row["ours"][1]), ratio[1], ratio[0], ratio[2],
            middle(row, "ours_adaptive", thousands),
            middle(row, "ratio_adaptive", lambda v: number(v, 2)),
            middle(row, "ours_polling", thousands),
            middle(row, "ratio_polling", lambda v: number(v, 2)),
            middle(row, "ours_zerocopy", thousands),
            middle(row, "ratio_zerocopy", lambda v: number(v, 2)),
            number(row["server_us"], 2), number(row["ours_server_us"], 2),
            number(row["pingpong_ns"], 0)]


def conditions(plan, complete):
    return {"seconds": plan.seconds, "rounds": plan.rounds,
            "store_bytes": peers.STORE_BYTES, "complete": complete}


def report(thing, directory, complete, say):
    """The table first: it needs no disk."""
    plan = thing.plan
    rows = peers.summary(thing.samples, plan, thing.why)
    for name, why in thing.why.items():
        say(f"{name}: {why}")
    measured = [r for r in rows if "missing" not in r]
    if rows:
        print(output.table(HEAD, [cells(r) for r in rows]))
        print("(ours: Evergrant on a store of the same kind; ratio: ours by "
              "the peer's, medians of the rounds; CPU: the server's, a request)")
    if not measured:
        say("nothing was measured")
        if not rows:
            return
    output.merge(os.path.join(directory, "results.json"),
                 {"machine": machine.describe(), "peers": rows,
                  "peers_run": conditions(plan, complete)})
    made = ["results.json"]
    if measured:
        output.write_csv(os.path.join(directory, "peers.csv"), measured)
        made.append("peers.csv")
    print("in " + directory + ": " + ", ".join(made), flush=True)
