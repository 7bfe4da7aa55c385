# SPDX-License-Identifier: MIT
"""What each step costs, beside the bare system calls under it; and three curves:
the guest's CPU by block size and way (S21), the hit rate by the cap (S17), the
index by its size (S12)."""
import json
import os

from dataclasses import dataclass, field

from . import guest, machine, tools
from .tools import median

STEPS = ["memory", "grants", "events", "index"]
SIZES = [512, 4096, 16384, 65536, 131072, 262144, 1048576]
CAPS = [0, 8, 32, 88, 352, 1056]
CAP_SIZES = [4096, 45056, 131072]   # 1, 11, 32 segments: of 32 requests
STORE_BYTES = 64 << 20
POOL_PAGES = 2112       # for 1 MiB a request, several of them
GUEST_BYTES = 24 << 20
# name: options of the guest, of the disk
WAYS = {
    "memcpy": ([], ["--grants", "persistent"]),
    "share": (["--share-per-request", "--persistent", "0"],
              ["--grants", "map"]),
    "zerocopy": (["--zerocopy"], ["--grants", "persistent"]),
}


@dataclass
class Plan:
    parts: list
    rounds: int = 3
    seconds: float = 0.4
    turn_ms: float = 5.0
    turns: int = 21
    sizes: list = field(default_factory=lambda: list(SIZES))
    ops: list = field(default_factory=lambda: ["read", "write"])

    def weights(self):
        """Seconds that each part takes, roughly."""
        run = self.seconds * 1.3 + 0.1
        turns = self.turns * self.turn_ms / 1000
        return {
            "steps": turns * 32,
            "trip": self.rounds * 4 * run + 2,
            "cpu": self.rounds * len(self.sizes) * len(self.ops) * 3 * run + 2,
            "cap": self.rounds * len(CAPS) * len(CAP_SIZES) * run + 2,
            "index": turns * 90,
        }


PARTS = ["steps", "trip", "cpu", "cap", "index"]


def guests_needed(plan):
    return max([{"trip": 2, "cpu": len(WAYS), "cap": len(CAPS)}.get(p, 1)
                for p in plan.parts])


class Micro:
    def __init__(self, world, plan, progress):
        self.world, self.plan, self.progress = world, plan, progress
        self.result = {}

    def run(self):
        self.world.start(["--io-threads", "1", "--idle-seconds", "0",
                          "--polling", "off"])
        cpus = machine.cpus()
        self.here, self.there = cpus[0], cpus[1 % len(cpus)]
        for tid in self.world.io_threads():
            os.sched_setaffinity(tid, {self.here})
        weights = self.plan.weights()
        for part in self.plan.parts:
            self.progress.say(part)
            getattr(self, "part_" + part)()
            self.progress.done(weights[part])

    # ---- single steps

    def program(self, part):
        out = self.world.run(
            [self.world.px, "exec", "0", "--",
             tools.program("bench/evergrant-bench-micro"), part,
             str(self.plan.turns), str(self.plan.turn_ms), str(self.here),
             str(self.there)], "evergrant-bench-micro")
        found = json.loads(out)
        del found["rounds"]
        return found

    def part_steps(self):
        found = {}
        for part in ("memory", "grants", "events"):
            found.update(self.program(part))
        found["bare_copy_4k_ns"] = found["memcpy_cold_4096_ns"]
        found["pingpong_ns"] = machine.pingpong()
        self.result.update(found)

    def part_index(self):
        self.result["index"] = self.program("index")["index"]

    # ---- whole requests

    def open(self, name, target, disk, options):
        self.world.domain(name)
        self.world.attach([name], "xvda", target, *disk)
        return guest.Guests(self.world, [name], "xvda", options)

    def close(self, opened):
        for name, guests in opened.items():
            guests.close()
            self.world.detach([name], "xvda")

    def job(self, guests, op, size, depth):
        guests.run(op, size, depth, self.plan.seconds, self.plan.seconds / 4)
        return guests.answers()[0]

    def part_trip(self):
        """One request after another on a disk that does nothing, with the
        guest on the I/O thread's CPU and on another."""
        opened, found = {}, {}
        for name, cpu in (("same", self.here), ("cross", self.there)):
            opened[name] = self.open(name, "null:64M", [],
                                     ["--polling", "off"])
            opened[name].pin([cpu])
        for _ in range(self.plan.rounds):
            for name, guests in opened.items():
                r = self.job(guests, "read", 4096, 1)
                found.setdefault(name, []).append(
                    r["counted_ns"] / r["counted"])
        self.close(opened)
        for name, values in found.items():
            self.result[f"ring_trip_{name}_cpu_ns"] = round(median(values), 1)

    def part_cpu(self):
        """S21."""
        opened, found = {}, {}
        for name, (options, disk) in WAYS.items():
            opened[name] = self.open(
                name, f"ram:{STORE_BYTES >> 20}M",
                [*disk, "--max-persistent", str(POOL_PAGES)],
                ["--pool-pages", str(POOL_PAGES), "--polling", "off",
                 *options])
            opened[name].pin([self.there])
            opened[name].fill()
        for _ in range(self.plan.rounds):
            for op in self.plan.ops:
                for size in self.plan.sizes:
                    for name, guests in opened.items():
                        r = self.job(guests, op, size, 4)
                        found.setdefault((op, size, name), []).append(
                            (r["cpu_ns"] / r["counted"] / 1000,
                             r["counted"] * 1e9 / r["counted_ns"]))
        self.close(opened)
        self.result["guest_cpu"] = [
            {"op": op, "bs": size, "way": name,
             "guest_cpu_us": round(median([v[0] for v in values]), 3),
             "iops": round(median([v[1] for v in values]))}
            for (op, size, name), values in found.items()]

    def part_cap(self):
        """S17."""
        opened, found = {}, {}
        for cap in CAPS:
            name = f"cap{cap}"
            opened[name] = self.open(
                name, f"ram:{STORE_BYTES >> 20}M",
                ["--grants", "persistent", "--max-persistent", str(cap)],
                ["--polling", "off"])
            opened[name].pin([self.there])
            opened[name].fill()
        for _ in range(self.plan.rounds):
            for size in CAP_SIZES:
                for cap in CAPS:
                    name = f"cap{cap}"
                    # The working set has changed: let the cache follow.
                    self.job(opened[name], "read", size, 32)
                    before = self.reached(name)
                    r = self.job(opened[name], "read", size, 32)
                    after = self.reached(name)
                    pages = after["all"] - before["all"]
                    hits = after["hits"] - before["hits"]
                    found.setdefault((size, cap), []).append(
                        (hits / pages, r["counted"] * 1e9 / r["counted_ns"]))
        self.close(opened)
        self.result["cap"] = [
            {"bs": size, "cap": cap,
             "hit_rate": round(median([v[0] for v in values]), 5),
             "iops": round(median([v[1] for v in values]))}
            for (size, cap), values in found.items()]

    def reached(self, name):
        """How pages were reached so far."""
        disk = self.world.disks()[self.world.domids[name], "xvda"]
        c = disk["counters"]
        return {"hits": c["hits"],
                "all": c["hits"] + c["misses"] + c["in_use"] +
                       c["overflows"] + c["no_memory"]}
