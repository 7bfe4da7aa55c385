# SPDX-License-Identifier: MIT
"""A pocketxen of our own with evergrantd in Domain-0. It ends with this
process, however that ends: its keeper waits for the end of a pipe."""
import json
import os
import shutil
import subprocess
import tempfile
import time

from . import machine, tools
from .tools import Failure

# What outlives this process: pocketxen, as long as the pipe is open. All
# processes of its domains end with it.
KEEPER = 'trap "" INT TERM HUP; "$1" run --beside-xen -- cat; rm -rf "$2"'
PATIENCE_S = 60


class World:
    backend = "evergrantd"
    patience_s = 1200           # a point has at most 600 s

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="eg-bench.")
        self.env = dict(os.environ, POCKETXEN_DIR=os.path.join(self.dir, "px"),
                        EVERGRANT_SOCKET=os.path.join(self.dir, "px/c.sock"),
                        LC_ALL="C.UTF-8")
        self.keeper = None
        self.daemon = None
        self.domids = {}
        self.px = tools.pocketxen()

    # ---- programs

    def popen(self, dom, argv, **options):
        """In the domain. In a session of its own: Ctrl-C is for us only."""
        return subprocess.Popen([self.px, "exec", str(dom), "--"] + argv,
                                env=self.env, start_new_session=True,
                                text=True, **options)

    def run(self, argv, what):
        done = subprocess.run(argv, env=self.env, start_new_session=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise Failure(f"{what}: {done.stderr.strip() or done.stdout}")
        return done.stdout

    def all(self, commands, what):
        """Each command in Domain-0, all at once."""
        running = [self.popen(0, c, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) for c in commands]
        errors = [(p.communicate()[1], p.returncode) for p in running]
        for text, status in errors:
            if status:
                raise Failure(f"{what}: {text.strip()}")

    def evergrant(self, *args):
        return self.run([self.px, "exec", "0", "--",
                         tools.program("src/cli/evergrant"), *args],
                        "evergrant " + " ".join(args))

    # ---- life

    def start(self, daemon_args):
        self.keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "sh", self.px, self.dir], env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True)
        self.wait("pocketxen", self.keeper, lambda: self.works("list"))
        self.start_daemon(daemon_args)

    def start_daemon(self, args):
        path = os.path.join(self.dir, "daemon.log")
        with open(path, "a", encoding="utf-8") as log:
            self.daemon = self.popen(
                0, [tools.program("src/daemon/evergrantd")] + args,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait("evergrantd", self.daemon, lambda: self.works(
            "exec", "0", "--", tools.program("src/cli/evergrant"), "list"))

    def works(self, *args):
        return subprocess.run([self.px, *args], env=self.env,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL,
                              start_new_session=True,
                              check=False).returncode == 0

    def wait(self, what, process, ready):
        end = time.monotonic() + PATIENCE_S
        while not ready():
            if process.poll() is not None:
                raise Failure(f"{what} ended: {self.last_words(process)}")
            if time.monotonic() > end:
                raise Failure(f"{what} does not answer")
            time.sleep(0.02)

    def last_words(self, process):
        if process.stderr:
            return process.stderr.read().decode(errors="replace").strip()
        return machine.read(os.path.join(self.dir, "daemon.log"))[-2000:]

    def stop(self):
        """Also after half of a start. Twice is once."""
        keeper, self.keeper = self.keeper, None
        if keeper:
            keeper.stdin.close()
            keeper.wait()
            keeper.stderr.close()
        if self.daemon:
            self.daemon.kill()  # had it just begun when the others were told
            self.daemon.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- domains and disks

    def domain(self, name):
        if name not in self.domids:
            out = self.run([self.px, "create", name],
                           f"pocketxen create {name}")
            self.domids[name] = int(out)
        return self.domids[name]

    def attach(self, names, vdev, target, *options):
        self.all([[tools.program("src/cli/evergrant"), "attach", n, vdev,
                   target, *options] for n in names], "evergrant attach")

    def detach(self, names, vdev):
        self.all([[tools.program("src/cli/evergrant"), "detach", n, vdev]
                  for n in names], "evergrant detach")

    def counts(self, names):
        """pocketxen's own account of what Domain-0 did with these domains'
        pages."""
        ids = {self.domids[n] for n in names}
        sums = {"maps": 0, "unmaps": 0, "copies": 0}
        listed = json.loads(self.run([self.px, "list", "--json"],
                                     "pocketxen list"))
        for pair in listed["pairs"]:
            if pair["mapper"] == 0 and pair["granter"] in ids:
                sums["maps"] += pair["maps_pages"]
                sums["unmaps"] += pair["unmaps_pages"]
                sums["copies"] += pair["copies_segments"]
        return sums

    def disks(self):
        """evergrantd's account, by (domid, name of the disk)."""
        listed = json.loads(self.evergrant("stat", "--json"))
        return {(d["domid"], d["name"]): d for d in listed["disks"]}

    def io_threads(self):
        pid = self.daemon.pid
        return sorted(t for t in machine.tasks(pid)
                      if machine.task_name(pid, t).startswith("io-"))
