# SPDX-License-Identifier: MIT
"""Who takes part in `evergrant-bench peers`: Evergrant in its three ways of
waiting, and each peer. All run in a domain of a pocketxen, so that all end with
it. The client has the second CPU, whatever serves it the first."""
import os
import shutil
import subprocess
import time

from . import fio, guest, machine, tools, world
from .tools import Failure

STORE_BYTES = 64 << 20
QEMU_XEN = "/usr/libexec/xen-qemu-system-i386"
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


class Qdisk(Loaded):
    """QEMU's own Xen block backend, unmodified, on pocketxen."""
    program, package = QEMU_XEN, "qemu-system-xen"
    env = {}

    def start(self, cpus):
        node = f"driver=file,filename={self.worlds.file()},locking=off" \
            if self.store == "file" else f"driver=null-co,size={STORE_BYTES}"
        domid = self.world.domain(self.name)
        server = Server(self, [
            QEMU_XEN, "-M", "xenpv", "-xen-domid", str(domid), "-xen-attach",
            "-m", "16", "-nodefaults", "-no-user-config", "-display", "none",
            "-monitor", "none", "-serial", "none", "-object", "iothread,id=io",
            "-blockdev", node + ",node-name=n",
            "-device", "xen-disk,vdev=xvda,drive=n,iothread=io"], self.env)
        state = f"/local/domain/0/backend/qdisk/{domid}/51712/state"
        server.wait(lambda: self.world.works("exec", "0", "--", "xenstore-read",
                                             state))
        self.client(server, self.name, "xvda", DEEP, cpus)


    def missing(self):
        if not shutil.which("xenstore-read"):
            return "xenstore-read is not installed (make deps, or install " \
                   "xenstore-utils)"
        return super().missing()


class QdiskMap(Qdisk):
    """The same where there is no grant copy."""
    env = {"POCKETXEN_GRANT_COPY": "off"}


class QdiskFile(Qdisk):
    store = "file"


class Nbd(Contender):
    """Over a socket in the file system, by fio's client on libnbd."""
    server = None

    def missing(self):
        return super().missing() or fio.missing()

    def command(self, socket):
        raise NotImplementedError

    def start(self, cpus):
        socket = os.path.join(self.world.dir, self.name + ".sock")
        self.server = Server(self, self.command(socket))
        self.server.wait(lambda: os.path.exists(socket))
        if len(cpus) > 1:
            place(self.server.daemon, cpus[0])
        self.target = ["--ioengine=nbd", f"--uri=nbd+unix:///?socket={socket}"]
        fio.fill(self.server, self.target, cpus)

    def measure(self, op, qd, bs, seconds):
        # nbdkit has a thread a connection, which ends with it.
        before = machine.cpu_whole_ns(self.server.daemon.pid)
        iops = fio.run(self.server, self.target, op, qd, bs, seconds)
        spent = machine.cpu_whole_ns(self.server.daemon.pid) - before
        # fio does not say how many it did in the run-in: as many as later.
        return {"iops": iops, "server_us": spent / 1000 /
                (iops * (seconds + fio.ramp(seconds)))}


class Nbdkit(Nbd):
    program, package = "nbdkit", "nbdkit"

    def command(self, socket):
        return ["nbdkit", "-f", "-U", socket, "memory", str(STORE_BYTES)]


class QemuNbd(Nbd):
    program, package = "qemu-nbd", "qemu-utils"

    def command(self, socket):
        return ["qemu-nbd", "-t", "-k", socket, "--image-opts",
                f"driver=null-co,size={STORE_BYTES}"]


class QemuNbdFile(QemuNbd):
    store = "file"

    def command(self, socket):
        return ["qemu-nbd", "-t", "-k", socket, "-f", "raw",
                "--cache=writeback", "--aio=io_uring", self.worlds.file()]


def storage_daemon(node, export, *server):
    return ["qemu-storage-daemon", *server, "--object", "iothread,id=io",
            "--blockdev", node + ",node-name=n", "--export",
            export + ",id=e,node-name=n,writable=on"]


class StorageNbd(Nbd):
    # In its main thread: 7.2 aborts when an export of an I/O thread is closed.
    program, package = "qemu-storage-daemon", "qemu-utils"

    def command(self, socket):
        return storage_daemon(f"driver=null-co,size={STORE_BYTES}",
                              "type=nbd,name=", "--nbd-server",
                              f"addr.type=unix,addr.path={socket}")


class StorageVhost(Loaded):
    """Over a ring in shared memory, as with us; both ends poll it."""
    program, package = "qemu-storage-daemon", "qemu-utils"

    def start(self, cpus):
        socket = os.path.join(self.world.dir, self.name + ".sock")
        node = f"driver=file,filename={self.worlds.file()},aio=io_uring" \
            if self.store == "file" else f"driver=null-co,size={STORE_BYTES}"
        server = Server(self, storage_daemon(
            node, f"type=vhost-user-blk,iothread=io,addr.type=unix,"
            f"addr.path={socket}"))
        server.wait(lambda: os.path.exists(socket))
        self.client(server, "0", socket, [], cpus, "bench/evergrant-bench-vhost")


class StorageVhostFile(StorageVhost):
    store = "file"


class FioFile(Contender):
    """No server at all: the bound."""
    store = "file"

    def missing(self):
        return fio.missing()

    def start(self, cpus):
        self.server = Server(self, ["sleep", "infinity"])
        self.target = ["--ioengine=io_uring", f"--filename={self.worlds.file()}"]
        fio.fill(self.server, self.target, cpus)

    def measure(self, op, qd, bs, seconds):
        return {"iops": fio.run(self.server, self.target, op, qd, bs, seconds),
                "server_us": None}


PEERS = {
    BARE: Bare,
    "nbdkit-memory": Nbdkit,
    "qemu-nbd-null": QemuNbd,
    "qsd-nbd-null": StorageNbd,
    "qsd-vhost-null": StorageVhost,
    "qemu-qdisk-null": Qdisk,
    "qemu-qdisk-null-map": QdiskMap,
    "qemu-nbd-file": QemuNbdFile,
    "qsd-vhost-file": StorageVhostFile,
    "qemu-qdisk-file": QdiskFile,
    "fio-io_uring-file": FioFile,
}


def everybody(worlds, names):
    """Ours first, then the peers that are asked for, by what they serve."""
    found = []
    for store in ("ram", "file"):
        peers = [n for n in names if PEERS[n].store == store]
        if peers:
            found += [Ours(worlds, store, mode) for mode in worlds.all]
            if BARE in peers:
                found.append(OursZerocopy(worlds))
            found += [PEERS[n](worlds, n) for n in peers]
    return found


def stores(names):
    return sum(3 if PEERS[n].store == "file" else 1 for n in names) + 7
