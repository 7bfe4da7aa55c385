# SPDX-License-Identifier: MIT
"""The founding experiment: guests x ways to reach their pages x reads, writes.

Every guest has a 64 MiB ram: store of its own, wholly written before, and hits
it uniformly at random. Maps, unmaps and copies are pocketxen's counts and
exact: taken while nothing runs, over all requests between. What is a rate (IOPS,
CPU, shootdowns, switches) is taken over the middle interval only."""
import os
import time
from dataclasses import dataclass

from . import guest, machine, tools
from .tools import Failure, median, spread

GUESTS = [1, 2, 5, 10, 15, 32]
MODES = ["persistent", "map", "copy"]
OPS = ["read", "write"]
PINS = ["auto", "cross", "same", "none"]
STORE_BYTES = 64 << 20
BLOCK_BYTES = 4096
# Of a guest and its backend beside the store: libraries, rings, kept pages.
GUEST_BYTES = 12 << 20
SPARE_BYTES = 128 << 20
NS = 1000000000


@dataclass
class Plan:
    guests: list
    modes: list
    ops: list
    seconds: float = 1.5
    rounds: int = 3
    depth: int = 32
    io_threads: int = 2
    pin: str = "auto"
    polling: str = "off"

    def steps(self):
        """Modes interleaved inside of each guest count, round by round. One
        set-up serves all operations."""
        for n in self.guests:
            for r in range(self.rounds):
                for mode in self.modes:
                    yield n, r, mode

    def ring_order(self):
        """The smallest ring that holds the depth; 32 requests a page."""
        return max(0, (self.depth - 1).bit_length() - 5)

    def points(self):
        return (len(self.guests) * self.rounds * len(self.modes) *
                len(self.ops))

    def weight(self, n):
        """Seconds that a point takes, roughly."""
        return self.seconds + 1 + n * 0.05


def check_memory(plan):
    need_memory(max(plan.guests), STORE_BYTES + GUEST_BYTES, "--guests")


def need_memory(most, one, option):
    """Says before the start what would run out in the middle."""
    need = most * one + SPARE_BYTES
    have = machine.memory_available()
    if have is not None and need > have:
        fit = max((have - SPARE_BYTES) // one, 0)
        raise Failure(f"{most} guests need {tools.size(need)} of memory, "
                      f"{tools.size(have)} are available: at most {fit} fit "
                      f"({option})")
    limit = machine.largest_file()
    if limit is not None and limit < STORE_BYTES:
        raise Failure(f"a file may have only {tools.size(limit)} here, a store "
                      f"has {tools.size(STORE_BYTES)}: raise `ulimit -f`")


class Scale:
    def __init__(self, world, plan, progress):
        self.world = world
        self.plan = plan
        self.progress = progress
        self.memory = None      # of evergrantd without a disk
        self.samples = {}       # (guests, mode, op) -> one dict a round

    def start(self):
        self.world.start(["--io-threads", str(self.plan.io_threads),
                          "--idle-seconds", "0",
                          "--polling", self.plan.polling])
        self.memory = machine.own_memory(self.world.daemon.pid)
        if self.plan.pin == "none":
            return
        cpus = machine.cpus()
        for i, tid in enumerate(self.world.io_threads()):
            os.sched_setaffinity(tid, {cpus[i % len(cpus)]})

    def run(self):
        self.start()
        for n, _, mode in self.plan.steps():
            self.step(n, mode)

    # ---- one set-up

    def names(self, n):
        return [f"g{i}" for i in range(1, n + 1)]

    def step(self, n, mode):
        names = self.names(n)
        self.progress.say(f"{n} guests, {mode}: starting")
        for name in names:
            self.world.domain(name)
        self.world.attach(names, "xvda", f"ram:{STORE_BYTES >> 20}M",
                          "--grants", mode)
        guests = guest.Guests(self.world, names, "xvda",
                              ["--ring-order", str(self.plan.ring_order()),
                               "--polling", self.plan.polling])
        guests.pin(self.places(names))
        guests.fill()
        memory = self.memory_per_disk(n)
        for op in self.plan.ops:
            self.progress.say(f"{n} guests, {mode}, {op}")
            sample = self.measure(guests, names, op)
            sample["backend_memory_per_disk_bytes"] = memory
            self.samples.setdefault((n, mode, op), []).append(sample)
            self.progress.done(self.plan.weight(n))
        guests.close()
        self.world.detach(names, "xvda")

    def memory_per_disk(self, n):
        """While its n disks are idle, over what it had without any."""
        now = machine.own_memory(self.world.daemon.pid)
        return None if None in (now, self.memory) else (now - self.memory) / n

    def pin(self, n):
        """auto: with a CPU for each thread that works, guests and I/O threads
        are apart. Else they share, and then a guest and its I/O thread, whose
        pages it is, rather than strangers."""
        if self.plan.pin != "auto":
            return self.plan.pin
        busy = n + min(n, self.plan.io_threads)
        return "cross" if busy <= len(machine.cpus()) else "same"

    def places(self, names):
        """A CPU for each guest; cross: never that of its own I/O thread, and
        those of no I/O thread where there are enough."""
        cpus = machine.cpus()
        threads = self.plan.io_threads
        pin = self.pin(len(names))
        if pin == "none" or len(cpus) < 2:
            return []
        if pin == "cross" and len(cpus) >= 2 * threads:
            free = cpus[threads:]
            return [free[i % len(free)] for i in range(len(names))]
        disks = self.world.disks()
        step = 1 if pin == "cross" else 0
        return [cpus[(disks[self.world.domids[n], "xvda"]["io_thread"] + step)
                     % len(cpus)] for n in names]

    # ---- one point

    def accounts(self, names):
        counts = self.world.counts(names)
        ids = {self.world.domids[n] for n in names}
        counts["notifies"] = sum(
            d["counters"]["notifies"]
            for (domid, _), d in self.world.disks().items() if domid in ids)
        return counts

    def job(self, guests, op, seconds, ramp):
        return guests.run(op, BLOCK_BYTES, self.plan.depth, seconds, ramp)

    def machine_now(self):
        pid = self.world.daemon.pid
        return {"ns": time.monotonic_ns(), "tlb": machine.tlb_shootdowns(),
                "cpu": machine.cpu_ns(pid), "switches": machine.switches(pid)}

    def idle_rate(self, seconds):
        """Shootdowns a ns that the rest of the machine causes."""
        a = self.machine_now()
        time.sleep(seconds)
        b = self.machine_now()
        return None if a["tlb"] is None else \
            (b["tlb"] - a["tlb"]) / (b["ns"] - a["ns"])

    def measure(self, guests, names, op):
        seconds = self.plan.seconds
        self.job(guests, op, min(0.1, seconds), 0)
        guests.answers()
        idle = self.idle_rate(min(0.3, seconds))
        before = self.accounts(names)
        begin, end = self.job(guests, op, seconds, min(0.2, seconds / 4))
        sleep_until(begin)
        a = self.machine_now()
        sleep_until(end)
        b = self.machine_now()
        answers = guests.answers()
        after = self.accounts(names)
        counts = {k: after[k] - before[k] for k in before}
        sample = figures(answers, counts, a, b, idle)
        sample["pingpong_ns"] = machine.pingpong()
        return sample


def sleep_until(ns):
    time.sleep(max(0, ns - time.monotonic_ns()) / NS)


def figures(answers, counts, a, b, idle):
    """One round's numbers out of what the guests, pocketxen, evergrantd and
    the kernel said."""
    rates = [r["counted"] * NS / r["counted_ns"] for r in answers]
    iops = sum(rates)
    requests = sum(r["requests"] for r in answers)
    counted = sum(r["counted"] for r in answers)
    during = iops * (b["ns"] - a["ns"]) / NS    # requests from a to b
    latency = {}
    for r in answers:
        for value, n in r["latency"]:
            latency[value] = latency.get(value, 0) + n
    tlb = None
    if idle is not None:
        tlb = max(0, b["tlb"] - a["tlb"] - idle * (b["ns"] - a["ns"])) / during
    kicks = sum(r["kicks"] for r in answers)
    return {
        "iops": iops,
        "requests": requests,
        "maps_per_req": counts["maps"] / requests,
        "unmaps_per_req": counts["unmaps"] / requests,
        "copies_per_req": counts["copies"] / requests,
        "notify_per_req": (counts["notifies"] + kicks) / requests,
        "tlb_per_req": tlb,
        "switches_per_req": (b["switches"] - a["switches"]) / during +
                            sum(r["switches"] for r in answers) / counted,
        "backend_cpu_us": (b["cpu"] - a["cpu"]) / during / 1000,
        "guest_cpu_us": sum(r["cpu_ns"] for r in answers) / counted / 1000,
        "p50_us": tools.quantile(latency, 0.5) / 1000,
        "p99_us": tools.quantile(latency, 0.99) / 1000,
        "p999_us": tools.quantile(latency, 0.999) / 1000,
        "fairness": min(rates) / max(rates),
    }


def summary(samples):
    """Rows of results.json: [min, median, max] of IOPS, medians of the rest."""
    rows = []
    for (n, mode, op), rounds in sorted(
            samples.items(), key=lambda kv: (kv[0][2], kv[0][0],
                                             MODES.index(kv[0][1]))):
        row = {"guests": n, "mode": mode, "op": op,
               "iops": [round(v) for v in spread([r["iops"] for r in rounds])],
               "rounds": len(rounds),
               "requests": sum(r["requests"] for r in rounds)}
        for key in rounds[0]:
            if key not in row:
                values = [r[key] for r in rounds if r[key] is not None]
                row[key] = round(median(values), 6) if values else None
        rows.append(row)
    return rows
