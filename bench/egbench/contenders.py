# SPDX-License-Identifier: MIT
"""Who takes part in `evergrant-bench peers`: Evergrant in its three ways of
waiting, and what a peer (others.py) is made of. All run in a domain of a
pocketxen, so that all end with it. The client has the second CPU, whatever
serves it the first."""
import os
import shutil
import subprocess
import time

from . import fio, guest, machine, tools, world
from .tools import Failure

STORE_BYTES = 64 << 20
PATIENCE_S = 60
NS = 1000000000
DEEP = ["--ring-order", "3"]    # 256 requests at once


ZEROCOPY = "evergrant-ram-zerocopy"
BARE = "bare-copy"              # the bound, without a server


def ours(store, mode):
    return f"evergrant-{store}-{mode}"


def place(process, cpu):
    """All its threads."""
    for tid in machine.tasks(process.pid):
        try:
            os.sched_setaffinity(tid, {cpu})
        except OSError:
            pass                # it has ended


class Worlds:
    """A pocketxen and a daemon for each way of waiting."""

    def __init__(self):
        self.all = {mode: world.World() for mode in ("off", "auto", "on")}
        self.files = []

    def start(self):
        for mode, w in self.all.items():
            w.start(["--io-threads", "1", "--idle-seconds", "0",
                     "--polling", mode])

    def stop(self):
        for w in self.all.values():
            w.stop()
        for fd in self.files:
            os.close(fd)
        self.files = []

    def file(self):
        """64 MiB of shmem, which is what a tmpfs is made of. It has no name,
        so that nothing is left of it."""
        fd = os.memfd_create("evergrant-bench")
        self.files.append(fd)
        block = os.urandom(1 << 20)
        for _ in range(STORE_BYTES >> 20):
            os.write(fd, block)
        return f"/proc/{os.getpid()}/fd/{fd}"


class Contender:
    is_ours = False
    program, package = None, None
    store = "ram"

    def __init__(self, worlds, name):
        self.worlds, self.name = worlds, name
        self.world = worlds.all["off"]

    def missing(self):
        if shutil.which(self.program):
            return None
        return f"{self.program} is not installed (make deps, or install " \
               f"{self.package})"


class Server:
    """A peer's process in Domain-0; to a Guest, a world of its own."""
    patience_s = PATIENCE_S

    def __init__(self, contender, argv, env=None):
        self.backend = contender.name
        self.world = contender.world
        self.log = os.path.join(self.world.dir, contender.name + ".log")
        argv = ["env", *(f"{k}={v}" for k, v in (env or {}).items()), *argv]
        with open(self.log, "w", encoding="utf-8") as log:
            self.daemon = self.world.popen(0, argv, stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)

    def popen(self, *args, **options):
        return self.world.popen(*args, **options)

    def last_words(self, _=None):
        return machine.read(self.log)[-2000:].strip()

    def wait(self, ready):
        end = time.monotonic() + PATIENCE_S
        while not ready():
            if self.daemon.poll() is not None:
                raise Failure(f"{self.backend} ended: {self.last_words()}")
            if time.monotonic() > end:
                raise Failure(f"{self.backend} does not answer: "
                              f"{self.last_words()}")
            time.sleep(0.02)


class Loaded(Contender):
    """Driven by a process of ours that obeys lines."""
    guests = None

    def client(self, server, domain, target, options, cpus,
               program="bench/evergrant-bench-load"):
        self.guests = guest.Guests(server, [domain], target, options, program)
        if len(cpus) > 1:
            place(server.daemon, cpus[0])
            self.guests.pin([cpus[1]])
        self.guests.fill()

    def measure(self, op, qd, bs, seconds):
        self.guests.all[0].world.patience_s = PATIENCE_S + seconds
        before = machine.cpu_ns(self.guests.all[0].world.daemon.pid)
        self.guests.run(op, bs, qd, seconds, fio.ramp(seconds))
        r = self.guests.answers()[0]
        spent = machine.cpu_ns(self.guests.all[0].world.daemon.pid) - before
        return {"iops": r["counted"] * NS / r["counted_ns"],
                "server_us": spent / r["requests"] / 1000}


class Ours(Loaded):
    is_ours = True

    def __init__(self, worlds, store, mode):
        super().__init__(worlds, ours(store, mode))
        self.world, self.store = worlds.all[mode], store
        self.options = [*DEEP, "--polling", mode]

    def missing(self):
        return None

    def start(self, cpus):
        target = f"ram:{STORE_BYTES >> 20}M" if self.store == "ram" \
            else self.worlds.file()
        self.world.domain(self.name)
        self.world.attach([self.name], "xvda", target)
        self.client(self.world, self.name, "xvda", self.options, cpus)


class OursZerocopy(Ours):
    """Both ends poll; the application's data are in the library's buffers, of
    which there may be too few for a point: then it is left out like a peer."""
    is_ours = False

    def __init__(self, worlds):
        super().__init__(worlds, "ram", "on")
        self.name = ZEROCOPY
        self.options = [*self.options, "--zerocopy"]


class Bare(Loaded):
    """No server and no ring: a thread that copies each block once."""

    def missing(self):
        return None

    def start(self, cpus):
        server = Server(self, ["sleep", "infinity"])
        self.client(server, "0", str(STORE_BYTES), [], cpus,
                    "bench/evergrant-bench-bare")

    def measure(self, op, qd, bs, seconds):
        return {**super().measure(op, qd, bs, seconds), "server_us": None}
