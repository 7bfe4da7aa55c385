# SPDX-License-Identifier: MIT
"""The same job against other people's servers: reads or writes, uniformly at
random over 64 MiB, so many at once, from one client that takes the data out of
the transport into memory of its own. All of them stand ready at once and take
turns, round by round; the turns begin one further on each round."""
from dataclasses import dataclass

from . import contenders, machine, others, tools
from .contenders import STORE_BYTES
from .tools import Failure, spread

OPS = ["read", "write"]
POINTS = [(1, 4096), (32, 4096), (256, 4096), (32, 131072)]
QUICK_POINTS = POINTS[:3]
MOST_BYTES = 32 << 20           # that a point has in flight
SPARE_BYTES = 256 << 20         # QEMU and the rest of the programs


@dataclass
class Plan:
    peers: list
    points: list                # of (requests at once, bytes)
    ops: list
    seconds: float = 1.0
    rounds: int = 3

    def jobs(self):
        return [(op, qd, bs) for qd, bs in self.points for op in self.ops]

    def weight(self):
        """Seconds that a turn takes, roughly."""
        return self.seconds * 1.25 + 0.6


class Peers:
    def __init__(self, plan, progress):
        self.plan, self.progress = plan, progress
        self.world = contenders.Worlds()
        self.all = others.everybody(self.world, plan.peers)
        self.samples = {}       # (op, qd, bs) -> one dict a round
        self.why = {}           # name -> why there is no number

    def run(self):
        for c in self.all:
            why = c.missing()
            if why:
                self.why[c.name] = why
        if set(self.plan.peers) <= set(self.why):
            return              # nobody to compare with
        self.world.start()
        cpus = machine.cpus()
        for c in self.all:
            if c.name not in self.why:
                self.progress.say(f"starting {c.name}")
                self.attempt(c, lambda c=c: c.start(cpus))
        for r in range(self.plan.rounds):
            for job in self.plan.jobs():
                self.turn(r, *job)

    def attempt(self, c, action):
        """A peer that fails is left out from then on; we do not fail."""
        try:
            return action()
        except Failure as e:
            if c.is_ours:
                raise
            self.why[c.name] = str(e)
            return None

    def turn(self, r, op, qd, bs):
        first = r % len(self.all)
        sample = {}
        self.samples.setdefault((op, qd, bs), []).append(sample)
        for c in self.all[first:] + self.all[:first]:
            self.progress.say(f"{c.name}, {op}, {qd} of {tools.size(bs)}")
            if c.name not in self.why:
                sample[c.name] = self.attempt(
                    c, lambda c=c: c.measure(op, qd, bs, self.plan.seconds))
            self.progress.done(self.plan.weight())
        sample["pingpong_ns"] = machine.pingpong()


def check_memory(plan):
    """Each of them has a store of its own, or a file."""
    need = (others.stores(plan.peers)) * STORE_BYTES + SPARE_BYTES
    have = machine.memory_available()
    if have is not None and need > have:
        raise Failure(f"the peers and their stores need {tools.size(need)} of "
                      f"memory, {tools.size(have)} are available: choose some "
                      "of them (--peers)")
    limit = machine.largest_file()
    if limit is not None and limit < STORE_BYTES:
        raise Failure(f"a file may have only {tools.size(limit)} here, a store "
                      f"has {tools.size(STORE_BYTES)}: raise `ulimit -f`")


def compared(rounds, peer, ours):
    """[min, median, max] of both and of their ratio, out of the rounds that
    have both; None if there is none."""
    pairs = [(r[ours]["iops"], r[peer]["iops"]) for r in rounds
             if r.get(ours) and r.get(peer)]
    if not pairs:
        return None
    return ([round(v) for v in spread([p for _, p in pairs])],
            [round(v) for v in spread([o for o, _ in pairs])],
            [round(v, 4) for v in spread([o / p for o, p in pairs])])


def server_us(rounds, name):
    """The server's CPU a request; None where there is no server."""
    found = [r[name]["server_us"] for r in rounds if r.get(name)]
    if not found or None in found:
        return None
    return round(tools.median(found), 3)


def summary(samples, plan, why):
    """Rows of results.json. iops, ours, ratio: event-driven; the others with
    both ends' polling adaptive and on, and on without a copy in the frontend."""
    rows = []
    for name in plan.peers:
        store = others.PEERS[name].store
        for (op, qd, bs), rounds in samples.items():
            row = {"peer": name, "qd": qd, "op": op, "bs": bs}
            for us, key in ((contenders.ours(store, "off"), ""),
                            (contenders.ours(store, "auto"), "_adaptive"),
                            (contenders.ours(store, "on"), "_polling"),
                            (contenders.ZEROCOPY, "_zerocopy")):
                if key == "_zerocopy" and name != contenders.BARE:
                    continue
                found = compared(rounds, name, us)
                if found and not key:
                    row["iops"] = found[0]
                if found:
                    row["ours" + key], row["ratio" + key] = found[1:]
            if "iops" in row:
                pings = [r["pingpong_ns"] for r in rounds
                         if r.get("pingpong_ns")]
                row["server_us"] = server_us(rounds, name)
                row["ours_server_us"] = server_us(
                    rounds, contenders.ours(store, "off"))
                row["pingpong_ns"] = tools.median(pings)
                rows.append(row)
        if name in why:
            rows.append({"peer": name, "missing": why[name]})
    return rows
