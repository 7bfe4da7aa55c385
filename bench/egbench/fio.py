# SPDX-License-Identifier: MIT
"""fio, which drives NBD servers (through libnbd) and files."""
import json
import os
import shutil
import subprocess

from .tools import Failure

PATIENCE_S = 60
COMMON = ["--name=job", "--size=64M", "--output-format=json", "--thread",
          "--gtod_reduce=1", "--scramble_buffers=0"]


def missing():
    if shutil.which("fio"):
        return None
    return "fio is not installed (make deps, or install fio)"


def call(server, cpus, args, seconds=0):
    """In Domain-0, so that it ends with the rest, on the client's CPU."""
    pin = ["taskset", "-c", str(cpus[1])] if cpus and len(cpus) > 1 and \
        shutil.which("taskset") else []
    process = server.popen(0, [*pin, "fio", *COMMON, *args],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, cwd=server.world.dir)
    try:
        out, errors = process.communicate(timeout=PATIENCE_S + seconds)
    except subprocess.TimeoutExpired as e:
        process.kill()
        process.communicate()
        raise Failure(f"{server.backend} does not answer: "
                      f"{server.last_words()}") from e
    if process.returncode:
        raise Failure(f"fio: {(errors or out).strip()[-500:]}")
    job = json.loads(out[out.index("{"):])["jobs"][0]
    if job["error"]:
        raise Failure(f"fio: {os.strerror(job['error'])}")
    return job


def fill(server, target, cpus):
    server.cpus = cpus
    call(server, cpus, [*target, "--rw=write", "--bs=64k", "--iodepth=8"])


def ramp(seconds):
    return min(0.2, seconds / 4)


def run(server, target, op, qd, bs, seconds):
    """IOPS of what is done after a run-in. On a crowded machine it takes as
    long as it takes until something is done."""
    for _ in range(8):
        job = call(server, server.cpus, [
            *target, f"--rw=rand{op}", f"--bs={bs}", f"--iodepth={qd}",
            "--norandommap", "--randrepeat=0",
            "--random_generator=tausworthe64", "--time_based",
            f"--runtime={round(seconds * 1000)}ms",
            f"--ramp_time={round(ramp(seconds) * 1000)}ms"], seconds)
        if job[op]["iops"]:
            return job[op]["iops"]
        seconds *= 2
    raise Failure(f"{server.backend} did nothing in {seconds / 2:.0f} s")
