# SPDX-License-Identifier: MIT
"""What the kernel says about this machine and about processes."""
import ctypes
import os
import platform
import resource
import subprocess
import time

from . import tools

MEMINFO = os.environ.get("EVERGRANT_BENCH_MEMINFO", "/proc/meminfo")


def cpus():
    return sorted(os.sched_getaffinity(0))


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def field(text, key):
    """The value of 'key : value' in a file of /proc."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def number(path):
    text = read(path).split()
    return int(text[0]) if text and text[0].isdigit() else None


def cgroup_room():
    """What the memory cgroup still allows, or None."""
    room = None
    for line in read("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if names == "":
            base, top, now = "/sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in names.split(","):
            base = "/sys/fs/cgroup/memory"
            top, now = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        limit = number(f"{base}{path}/{top}")
        used = number(f"{base}{path}/{now}")
        if limit is not None and used is not None:
            room = min(room or limit, limit - used)
    return room


def memory_available():
    """Bytes that may still be used, by the tightest limit that is known.
    (A memfd is no file of /dev/shm: its size limit does not apply.)"""
    text = field(read(MEMINFO), "MemAvailable")
    rooms = [cgroup_room()]
    if text:
        rooms.append(int(text.split()[0]) * 1024)
    rooms = [r for r in rooms if r is not None]
    return min(rooms) if rooms else None


def largest_file():
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


PERSONALITY_NOW = 0xffffffff    # asks, and changes nothing
ADDR_NO_RANDOMIZE = 0x0040000


def personality(value):
    """What it was before; -1 where the call is forbidden."""
    return ctypes.CDLL(None).personality(ctypes.c_ulong(value))


def fix_addresses():
    """What is started from now on lies at the same addresses each time. Guests
    are copies of one program; at random places each has entries of its own in
    the branch predictor, and those that take turns on a CPU drive out each
    other's. Where that is not allowed, describe() says so."""
    now = personality(PERSONALITY_NOW)
    if now >= 0:
        personality(now | ADDR_NO_RANDOMIZE)


def addresses_are_fixed():
    now = personality(PERSONALITY_NOW)
    return now >= 0 and now & ADDR_NO_RANDOMIZE != 0


def describe():
    cpu = field(read("/proc/cpuinfo"), "model name") or platform.machine()
    total = field(read("/proc/meminfo"), "MemTotal")
    return {
        "cpu": cpu,
        "cpus": len(cpus()),
        "memory_bytes": int(total.split()[0]) * 1024 if total else None,
        "kernel": platform.release(),
        "arch": platform.machine(),
        "fixed_addresses": addresses_are_fixed(),
        "load_average": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
        "evergrant": tools.VERSION,
    }


def tlb_shootdowns():
    """Interrupts of that kind since boot, or None where they are not known or
    cannot happen."""
    if len(cpus()) < 2:
        return None
    for line in read("/proc/interrupts").splitlines():
        words = line.split()
        if words and words[0] == "TLB:":
            return sum(int(w) for w in words[1:] if w.isdigit())
    return None


def tasks(pid):
    try:
        return [int(t) for t in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def cpu_whole_ns(pid):
    """Of the whole process with the threads that have ended; in ticks."""
    stat = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12]) if stat else 0
    return ticks * 1000000000 // os.sysconf("SC_CLK_TCK")


def cpu_ns(pid):
    """What the process's threads have run. To the ns where the kernel says
    so, else in ticks."""
    total = 0
    for tid in tasks(pid):
        words = read(f"/proc/{pid}/task/{tid}/schedstat").split()
        if not words:
            return cpu_whole_ns(pid)
        total += int(words[0])
    return total


def switches(pid):
    total = 0
    for tid in tasks(pid):
        text = read(f"/proc/{pid}/task/{tid}/status")
        for key in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"):
            total += int(field(text, key) or 0)
    return total


def own_memory(pid):
    """Bytes of the process that are neither a guest's pages nor a store's,
    which are shared memory. None: the kernel does not say.

    Mapping by mapping: the sums in /proc/PID/status are up to 32 pages a
    processor behind."""
    kib = private = None
    for line in read(f"/proc/{pid}/smaps").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            private = words[1].endswith("p")
        elif words[0] == "Rss:" and private:
            kib = (kib or 0) + int(words[1])
    return None if kib is None else kib * 1024


def task_name(pid, tid):
    return read(f"/proc/{pid}/task/{tid}/comm").strip()


def pingpong():
    two = cpus()[:2]
    if len(two) < 2:
        return None
    out = subprocess.run([tools.program("bench/evergrant-bench-pingpong"),
                          str(two[0]), str(two[1]), "20"],
                         capture_output=True, text=True, check=False)
    return float(out.stdout) if out.returncode == 0 else None
