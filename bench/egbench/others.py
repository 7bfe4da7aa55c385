# SPDX-License-Identifier: MIT
"""The peers of `evergrant-bench peers`: other people's servers, and the bounds
that need none."""
import os
import shutil

from . import fio, machine
from .contenders import (BARE, DEEP, STORE_BYTES, Bare, Contender, Loaded, Ours,
                         OursZerocopy, Server, place)

QEMU_XEN = "/usr/libexec/xen-qemu-system-i386"


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
    program, package = "qemu-storage-daemon", "qemu-system-common"

    def command(self, socket):
        return storage_daemon(f"driver=null-co,size={STORE_BYTES}",
                              "type=nbd,name=", "--nbd-server",
                              f"addr.type=unix,addr.path={socket}")


class StorageVhost(Loaded):
    """Over a ring in shared memory, as with us; both ends poll it."""
    program, package = "qemu-storage-daemon", "qemu-system-common"

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
