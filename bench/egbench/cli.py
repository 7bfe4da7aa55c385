# SPDX-License-Identifier: MIT
"""The command line."""
import argparse
import os
import signal
import sys

from . import (machine, micro, micro_report, others, output, peers,
               peers_report, progress, scale, scale_report, tools, world)
from .tools import Failure, Usage

MAX_GUESTS = 512
AGAIN_S = 0.5


class Interrupted(Exception):
    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def say(text):
    print(f"evergrant-bench: {text}", file=sys.stderr, flush=True)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Usage(f"{message} (--help)")


def one_of(names, what):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in names:
                raise Usage(f"there is no {what} {name!r}; there are "
                            + ", ".join(names))
        return list(dict.fromkeys(chosen))
    return parse


def guest_counts(text):
    counts = []
    for word in text.split(","):
        if not word.isascii() or not word.isdigit() or \
                not 1 <= int(word) <= MAX_GUESTS:
            raise Usage(f"{word!r} is no number of guests; it is 1 to "
                        f"{MAX_GUESTS}, several with commas between")
        counts.append(int(word))
    return list(dict.fromkeys(counts))


def within(kind, low, high, name):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise Usage(f"{name}: {text!r} is no number from {low} to {high}")
        return value
    return parse


def scale_options(commands):
    p = commands.add_parser(
        "scale", help="IOPS against the number of guests",
        description="The founding experiment: guests, each with a 64 MiB RAM "
        "disk of its own, over persistent grants, maps and copies.")
    p.add_argument("--quick", action="store_true",
                   help="1, 2 and 10 guests, reads")
    p.add_argument("--guests", type=guest_counts, metavar="N,N…",
                   help="default 1,2,5,10,15,32")
    p.add_argument("--modes", type=one_of(scale.MODES, "mode"),
                   default=scale.MODES, metavar="M,M…",
                   help="of persistent, map, copy; default all")
    p.add_argument("--ops", type=one_of(scale.OPS, "operation"),
                   metavar="O,O…", help="of read, write; default both")
    p.add_argument("--seconds", type=within(float, 0.05, 600, "--seconds"),
                   default=1.5, metavar="S", help="a point, default 1.5")
    p.add_argument("--rounds", type=within(int, 1, 1000, "--rounds"),
                   default=3, metavar="N", help="default 3")
    p.add_argument("--depth", type=within(int, 1, 512, "--depth"), default=32,
                   metavar="N", help="requests in flight a guest, default 32")
    p.add_argument("--io-threads", type=within(int, 1, 64, "--io-threads"),
                   default=2, metavar="N", help="of evergrantd, default 2")
    p.add_argument("--pin", choices=scale.PINS, default="auto",
                   help="guests on another CPU than their I/O thread, on the "
                   "same, or where the kernel puts all of them; auto "
                   "(default): cross if there is a CPU for each that works, "
                   "else same")
    p.add_argument("--polling", choices=["off", "auto", "on"], default="off",
                   help="of both ends; default off: event-driven")
    p.add_argument("--out", metavar="DIR",
                   help="where the files go, default build/bench")
    p.set_defaults(command=run_scale)


def micro_options(commands):
    p = commands.add_parser(
        "micro", help="what single steps cost",
        description="Map, unmap, copy, notify, ring, memcpy, beside the bare "
        "system calls under them; the guest's CPU by block size; the hit rate "
        "by the cap; the index by its size.")
    p.add_argument("--quick", action="store_true",
                   help="one round, shorter, fewer sizes, reads")
    p.add_argument("--parts", type=one_of(micro.PARTS, "part"),
                   default=micro.PARTS, metavar="P,P…",
                   help="of steps, trip, cpu, cap, index; default all")
    p.add_argument("--seconds", type=within(float, 0.02, 60, "--seconds"),
                   metavar="S", help="a point of trip, cpu and cap, "
                   "default 0.4 (--quick: 0.2)")
    p.add_argument("--rounds", type=within(int, 1, 100, "--rounds"),
                   metavar="N", help="of trip, cpu and cap, default 3 "
                   "(--quick: 1)")
    p.add_argument("--turns", type=within(int, 1, 101, "--turns"),
                   metavar="N", help="of each step, default 21 (--quick: 7)")
    p.add_argument("--out", metavar="DIR",
                   help="where the files go, default build/bench")
    p.set_defaults(command=run_micro)


def points(text):
    found = []
    for word in text.split(","):
        depth, _, size = word.partition("x")
        scaled = size[:-1] if size.endswith("k") else size
        if not all(w.isascii() and w.isdigit() for w in (depth, scaled)):
            raise Usage(f"{word!r} is no point; it is DEPTHxBYTES, for "
                        "instance 32x4k")
        qd, bs = int(depth), int(scaled) * (1024 if size != scaled else 1)
        if not 1 <= qd <= 256 or bs % 512 or not 512 <= bs <= 1 << 20 or \
                qd * bs > peers.MOST_BYTES:
            raise Usage(f"{word!r}: 1 to 256 at once, of 512 to 1024k bytes in "
                        "steps of 512, together at most "
                        + tools.size(peers.MOST_BYTES))
        found.append((qd, bs))
    return list(dict.fromkeys(found))


def peers_options(commands):
    p = commands.add_parser(
        "peers", help="the same job on other people's servers",
        description="Random reads and writes over 64 MiB against a bare copy "
        "of memory, nbdkit, qemu-nbd, qemu-storage-daemon, QEMU's Xen block "
        "backend and fio on the bare file, in turn with Evergrant.")
    p.add_argument("--quick", action="store_true",
                   help="reads of 4 KiB, two rounds, shorter")
    p.add_argument("--peers", type=one_of(list(others.PEERS), "peer"),
                   default=list(others.PEERS), metavar="P,P…",
                   help="of " + ", ".join(others.PEERS) + "; default all")
    p.add_argument("--points", type=points, metavar="DxB,DxB…",
                   help="requests at once, and bytes; default "
                   "1x4k,32x4k,256x4k,32x128k")
    p.add_argument("--ops", type=one_of(peers.OPS, "operation"),
                   metavar="O,O…", help="of read, write; default both")
    p.add_argument("--seconds", type=within(float, 0.05, 600, "--seconds"),
                   metavar="S", help="a turn, default 1 (--quick: 0.5)")
    p.add_argument("--rounds", type=within(int, 1, 1000, "--rounds"),
                   metavar="N", help="default 3 (--quick: 2)")
    p.add_argument("--out", metavar="DIR",
                   help="where the files go, default build/bench")
    p.set_defaults(command=run_peers)


def parser():
    p = Parser(prog="evergrant-bench", description="What Evergrant's "
               "mechanisms are worth on this machine. Needs no Xen.",
               epilog="See evergrant-bench(1).")
    p.add_argument("--version", action="version", version=tools.VERSION)
    commands = p.add_subparsers(title="commands", metavar="COMMAND")
    scale_options(commands)
    micro_options(commands)
    peers_options(commands)
    return p


def out_directory(args):
    directory = os.path.abspath(args.out or os.path.join(tools.BUILD, "bench"))
    output.prepare(directory)
    return directory


def ignore_signals():
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def watch_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:   # nohup
        signal.signal(signal.SIGHUP, on_signal)


def on_signal(number, _frame):
    def interrupt(*_):
        raise Interrupted(number)

    # Cleaning up is not to be interrupted. An exception that comes while Python
    # deletes an object is lost: it comes again until it is heard.
    ignore_signals()
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S, AGAIN_S)
    interrupt()


def measured(thing, report):
    """Runs it, stops its world, writes what there is; the exit status."""
    status = 0
    try:
        try:
            thing.run()
        except Interrupted as e:
            status = 128 + e.number
        finally:
            ignore_signals()
            thing.progress.end()
            thing.world.stop()
    except Failure as e:
        say(e)
        status = 1
    if status > 128:
        say("interrupted; this is what was done")
    report(status == 0)
    return status


def run_scale(args):
    quick = args.quick
    plan = scale.Plan(
        guests=args.guests or ([1, 2, 10] if quick else scale.GUESTS),
        modes=args.modes, ops=args.ops or (["read"] if quick else scale.OPS),
        seconds=args.seconds, rounds=args.rounds, depth=args.depth,
        io_threads=args.io_threads, pin=args.pin,
        polling=args.polling)
    directory = out_directory(args)
    scale.check_memory(plan)
    weight = sum(plan.weight(n) for n, _, _ in plan.steps()) * len(plan.ops)
    bar = progress.Progress(plan.points(), weight)
    thing = scale.Scale(world.World(), plan, bar)
    return measured(thing, lambda complete: scale_report.report(
        thing.samples, plan, directory, complete, say))


def run_micro(args):
    quick = args.quick
    plan = micro.Plan(parts=args.parts, rounds=args.rounds or (1 if quick else 3),
                      seconds=args.seconds or (0.2 if quick else 0.4),
                      turns=args.turns or (7 if quick else 21))
    if quick:
        plan.sizes, plan.ops = [512, 4096, 65536, 1048576], ["read"]
    directory = out_directory(args)
    scale.need_memory(micro.guests_needed(plan),
                      micro.STORE_BYTES + micro.GUEST_BYTES, "--parts")
    weights = plan.weights()
    bar = progress.Progress(len(plan.parts),
                            sum(weights[p] for p in plan.parts))
    thing = micro.Micro(world.World(), plan, bar)
    return measured(thing, lambda complete: micro_report.report(
        thing.result, directory, complete, say))


def run_peers(args):
    quick = args.quick
    plan = peers.Plan(
        peers=args.peers,
        points=args.points or (peers.QUICK_POINTS if quick else peers.POINTS),
        ops=args.ops or (["read"] if quick else peers.OPS),
        seconds=args.seconds or (0.5 if quick else 1.0),
        rounds=args.rounds or (2 if quick else 3))
    directory = out_directory(args)
    peers.check_memory(plan)
    bar = progress.Progress(0, 0)
    thing = peers.Peers(plan, bar)
    bar.points = len(thing.all) * len(plan.jobs()) * plan.rounds
    bar.weight = bar.points * plan.weight()
    return measured(thing, lambda complete: peers_report.report(
        thing, directory, complete, say))


def main(argv):
    try:
        args = parser().parse_args(argv)
        if not hasattr(args, "command"):
            raise Usage("no command given; there are scale, micro and "
                        "peers (--help)")
        watch_signals()
        machine.fix_addresses()
        return args.command(args)
    except Usage as e:
        say(e)
        return 2
    except Failure as e:
        say(e)
        return 1
    except Interrupted as e:
        ignore_signals()
        return 128 + e.number
