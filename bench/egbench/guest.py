# SPDX-License-Identifier: MIT
"""Guests: each a process in its own domain, told what to do line by line."""
import json
import os
import select
import subprocess
import tempfile
import time

from . import tools
from .tools import Failure



class Guest:
    def __init__(self, world, name, vdev, options=(),
                 program="bench/evergrant-bench-load"):
        self.world = world
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")
        self.process = world.popen(
            name, [tools.program(program), *options, vdev],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.info = None

    def say(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass                # its last words say why

    def wait(self):
        """Guests wait for ever for a backend that has gone; we do not."""
        end = time.monotonic() + self.world.patience_s
        while not select.select([self.process.stdout], [], [], 0.5)[0]:
            if self.world.daemon.poll() is not None:
                raise Failure(f"{self.world.backend} ended: " +
                              self.world.last_words(self.world.daemon))
            if time.monotonic() > end:
                raise Failure(f"the guest in {self.name} does not answer")

    def answer(self):
        self.wait()
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            self.process.wait()
            self.errors.seek(0)
            raise Failure(f"the guest in {self.name} ended: "
                          f"{self.errors.read().strip()}")
        return json.loads(line)

    def close(self):
        """Says goodbye to the backend; waits for it."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Guests:
    """A number of them that work together."""

    def __init__(self, world, names, vdev, options=(),
                 program="bench/evergrant-bench-load"):
        self.all = []
        for i, name in enumerate(names):
            self.all.append(Guest(world, name, vdev,
                                  [*options, "--seed", str(i + 1)], program))
        for g in self.all:
            g.info = g.answer()

    def fill(self):
        self.tell("fill")

    def tell(self, line):
        for g in self.all:
            g.say(line)
        return [g.answer() for g in self.all]

    def run(self, op, block_bytes, depth, seconds, ramp):
        """Starts it; the moments between which it counts."""
        start = time.monotonic_ns() + 20000000 + 2000000 * len(self.all)
        begin = start + int(ramp * 1e9)
        end = begin + int(seconds * 1e9)
        for g in self.all:
            g.say(f"run {op} {block_bytes} {depth} {start} {begin} {end}")
        return begin, end

    def answers(self):
        answers = [g.answer() for g in self.all]
        errors = sum(r["errors"] for r in answers)
        if errors:
            raise Failure(f"{errors} requests failed")
        return answers

    def pin(self, cpus):
        for g, cpu in zip(self.all, cpus):
            os.sched_setaffinity(g.process.pid, {cpu})

    def close(self):
        for g in self.all:
            g.process.stdin.close()
        for g in self.all:
            g.process.wait()
            g.process.stdout.close()
            g.errors.close()
