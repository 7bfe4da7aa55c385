# SPDX-License-Identifier: MIT
"""What each case must show: every feature has one row in the matrix, whatever
happens, and passes only by what its log says."""
import os
import re

import side_by_side
from judge import (NO_ERRORS, after, commands_succeed, counter, differ, fewer, fio, has,
                   lacks, number, same, stat, stats)


# Also what evergrantd's own mappings made of it.
DOM0_KERNEL = lacks(r"^.*(BUG:|Oops|Call Trace|WARNING:|Bad page|"
                    r"soft lockup|I/O error).*", "Dom0's kernel complained")


class Case:
    def __init__(self, name, peer, role, features, seconds=900, may_skip=None,
                 by_name=False, dom0="small"):
        self.name, self.peer, self.role = name, peer, role
        self.features = [*features, ("dom0-kernel", [DOM0_KERNEL])]
        self.seconds = seconds
        self.may_skip = may_skip  # the only lab step whose absence skips it
        self.by_name = by_name    # takes long: runs only when it is named
        self.dom0 = dom0          # which: tests/xen/boot


OK = commands_succeed
SAME_BYTES = same(r"^sum in the guest: (\w+)", r"^sum outside: (\w+)")
NO_KERNEL_ERROR = lacks(r"^.*(I/O error|blk_update_request|BUG:|Oops|"
                        r"Call Trace|bad ring|invalid operation).*",
                        "the kernel complained")


def connected(order, queues, indirect):
    """Both sides' keys, the guest's block layer, the daemon's account."""
    checks = [
        OK, fio(2), SAME_BYTES, NO_KERNEL_ERROR, *NO_ERRORS,
        has(r'^feature-persistent = "1"\n(.*\n)*dom0# (.*\n)*'
            r'feature-persistent = "1"', "persistent grants on both sides"),
        stat("persistent", lambda d: d["grants_served"] == "persistent"),
        stat(f"ring order {order}", lambda d: d["ring_order"] == order),
        stat(f"{queues} queues", lambda d: d["queues"] == queues),
        has(rf"^{indirect}$", f"{indirect} segments in the guest's queue"),
        number(r"^xen: grant frames (\d+)", 1, 64, "grant frames"),
        number(r"^grants that blkfront may share: (\d+)", 1, 32768),
    ]
    if order:
        checks.append(has(rf'^ring-page-order = "{order}"', "the ring's order"))
    if queues > 1:
        checks += [has(rf'^multi-queue-num-queues = "{queues}"'),
                   has(r"^0$\n^1$", "two hardware queues in the guest"),
                   stat("I/O on each ring", lambda d: all(
                       r["counters"]["reads"] > 0 and r["counters"]["writes"] > 0
                       for r in d["rings"]))]
    return checks


def kept_are_mapped(text):
    """Xen's account of mapped grants: what is kept, the ring, console and
    xenstore."""
    try:
        kept = stats(text)[-1]["disks"][0]["counters"]["kept"]
    except (IndexError, KeyError, ValueError) as e:
        return f"no usable evergrant stat: {e!r}"
    found = re.findall(r"^xen: mapped grants (\d+)", text, re.M)
    if not found:
        return "no account of Xen's"
    if kept < 1 or not kept < int(found[-1]) <= kept + 8:
        return f"{kept} grants kept, {found[-1]} mapped by Xen's account"


BACKEND_ALONE = ("file-o-direct", "block-device", "block-device-brd",
                 "block-device-loop")


def blkfront(name, peer, orders, leave_out=(), **kw):
    features = [
        *[(f"ring-order-{n}", connected(n, 1, 32)) for n in orders],
        ("indirect-256", connected(0, 1, 256)),
        ("two-queues", connected(1, 2, 32)),
        ("persistent-grants", [
            OK, fio(2), NO_KERNEL_ERROR, *NO_ERRORS,
            has(r"xvdb: .*persistent grants: enabled", "the guest's word"),
            has(r'^feature-persistent = "1"\n(.*\n)*dom0# (.*\n)*'
                r'feature-persistent = "1"', "the key on both sides"),
            stat("persistent", lambda d: d["grants_served"] == "persistent"),
            stat("more hits than maps", lambda d: d["counters"]["hits"] >
                 d["counters"]["map_pages"]),
            # Xen's own account: the ring's page, the console's and so on, and
            # what is kept.
            kept_are_mapped]),
        ("verified-load", [OK, fio(4), SAME_BYTES, NO_KERNEL_ERROR, *NO_ERRORS]),
        ("file-o-direct", [
            OK, fio(2), *NO_ERRORS, has(r'"direct": ?true', "direct in list"),
            has(r"^fd of the image: flags:\s+[0-7]*[4-7][0-7]{4}$",
                "descriptor with O_DIRECT")]),
        ("flush", [OK, fio(1), NO_KERNEL_ERROR, *NO_ERRORS,
                   counter("flushes", 32), counter("barriers", 0, 0)]),
        ("hot-attach", [
            OK, fio(1), NO_KERNEL_ERROR,
            has(r"^sectors: 32768$", "the new disk's size"),
            has(r"^load below is on$")]),
        ("hot-detach", [
            OK, fio(1), NO_KERNEL_ERROR,
            has(r"^load below is on$"), has(r"^load below ended with 0$"),
            lacks(r"^xvdc$", "the detached disk in the guest"),
            lacks(r"^.*51744", "the detached disk's nodes")]),
        ("resize", [
            OK, fio(1), NO_KERNEL_ERROR,
            has(r"^sectors: 98304$", "the new size in the guest"),
            has(r"^bytes outside: 50331648$", "the file's new size")]),
        ("file-system", [
            OK, NO_KERNEL_ERROR, *NO_ERRORS,
            number(r"^files: (\d+)", 100),
            same(r"^tree in the guest: (\w+)", r"^tree outside: (\w+)"),
            has(r"^/data/fs.img: \d+/\d+ files", "e2fsck's summary"),
            lacks(r"^.*(FIXED|ERROR|UNEXPECTED INCONSISTENCY).*")]),
        ("fstrim", [
            OK, NO_KERNEL_ERROR, *NO_ERRORS,
            has(r"trimmed", "fstrim's word"), counter("discards", 1),
            # 512-byte blocks: 40 MiB at least
            fewer(r"^blocks before: (\d+)", r"^blocks after: (\d+)", 81920),
            has(r"^/data/fs.img: \d+/\d+ files", "e2fsck's summary")]),
        ("read-only", [
            has(r"^ro: 1$", "the guest's word"),
            has(r'^mode = "r"'),
            has(r"(Operation not permitted|Read-only|Permission denied)",
                "the refusal"),
            counter("writes", 0, 0), counter("reads", 1),
            same(r"^sum before: (\w+)", r"^sum after: (\w+)")]),
        ("barrier", [
            OK, fio(1), NO_KERNEL_ERROR, *NO_ERRORS,
            has(r"xvdb: barrier: enabled", "the guest's word"),
            counter("barriers", 16)]),
        ("block-device", [OK, fio(2), SAME_BYTES, *NO_ERRORS,
                          has(r"/dev/vde")]),
        ("block-device-brd", [OK, fio(2), SAME_BYTES, has(r"/dev/ram0")]),
        ("block-device-loop", [OK, fio(2), SAME_BYTES, has(r"/dev/loop0")]),
        ("nothing-left", [
            number(r"^xen: mapped grants (\d+)", 0, 2),
            has(r"^ends$"), lacks(r"^ *frontend.*", "nodes left"),
            has(r"^evergrantd ended with status 0$")]),
    ]
    return Case(name, peer, "backend",
                [f for f in features if f[0] not in leave_out],
                seconds=2400, **kw)


def path(via, frontend_persistent):
    """A disk without persistent grants: after the responses nothing but the ring
    (2 pages), console and xenstore is mapped, by Xen's own account."""
    checks = [OK, fio(2), SAME_BYTES, NO_KERNEL_ERROR, *NO_ERRORS,
              number(r"^xen: mapped grants (\d+)", 2, 8,
                     "grants mapped while idle"),
              counter("kept", 0, 0), counter("hits", 0, 0),
              has(rf"xvdb: .*persistent grants: disabled", "the guest's word"),
              stat("transient", lambda d: d["counters"]["map_pages"] -
                   d["counters"]["unmap_pages"] in (0, 1, 2))]
    if via:
        checks += [counter(f"via_{via}", 100),
                   stat(via, lambda d: d["grants_served"] == via)]
    return checks


def blkfront_without():
    return Case("blkfront-no-persistent", "Linux 6.1 blkfront", "backend", [
        ("auto", path(None, False)),
        ("persistent-asked", path(None, False) + [
            has(r'"grants_why": ?"[^"]+')]),
        ("map", path("map", False)),
        ("copy", path("copy", False)),
        ("map-only-backend", path("map", True)),
        ("copy-only-backend", path("copy", True))])


def stat_first(what, holds):
    """The same as stat, of the first one in the log."""
    def check(text):
        found = stats(text)
        if not found or not holds(found[0]["disks"][0]):
            return f"evergrant stat: not {what}"
    return check


def gone(text):
    dead = re.search(r"^the dead domain was d(\d+)$", text, re.M)
    if not dead:
        return "no number of the dead domain"
    if re.search(rf"grant-table for remote d{dead.group(1)} ", text):
        return "Xen still has its grant table"
    tables = text.split("dom0# xl list")
    if len(tables) < 2 or re.search(rf"^\S+ +{dead.group(1)} ", tables[1], re.M):
        return "still in xl list"
    return lacks(rf"^ *{dead.group(1)} = ", "nodes of it")(text)


DESTROYED = Case("domain-destroyed", "Linux 6.1 blkfront", "backend", [
    ("the-other-goes-on", [
        OK, fio(1), SAME_BYTES, NO_KERNEL_ERROR, *NO_ERRORS,
        stat_first("requests in flight",
                   lambda d: d["counters"]["inflight"] > 0),
        has(r"^load other is on$"), has(r"^load other ended with 0$")]),
    ("the-dead-one-is-gone", [
        OK, gone, has(r"^ends$"), lacks(r"^fd /data/a.img", "its image is open"),
        has(r"^fd /data/b.img"), has(r"^evergrantd ended with status 0$")])])


def rounds(text):
    for i in range(1, 11):
        if not re.search(rf"^round {i}: state of the guest's end 4, ours 4$", text,
                         re.M):
            return f"round {i}: not both ends stayed connected"
        n = re.search(rf"^round {i}: requests before (\d+), after (\d+)$", text,
                      re.M)
        if not n or int(n.group(1)) < 1 or int(n.group(2)) < 1:
            return f"round {i}: no requests before and after"
    if len(re.findall(r"^evergrantd ended with status 0$", text, re.M)) != 10:
        return "not ten clean ends"


RESTARTS = Case("daemon-restarts", "Linux 6.1 blkfront", "backend", [
    ("ten-restarts", [
        OK, rounds, fio(2), NO_KERNEL_ERROR, *NO_ERRORS,
        has(r"^load load is on$"), has(r"^load load ended with 0$"),
        stat("2 queues", lambda d: d["queues"] == 2)]),
    ("bytes-after-restarts", [OK, fio(1), SAME_BYTES, NO_KERNEL_ERROR,
                              *NO_ERRORS])])


RESTORE = Case("save-restore", "Linux 6.1 blkfront", "backend", [
    ("saved-while-busy", [
        OK, number(r"^busy: (\d+)", 1), has(r"^ends$"),
        after("# xl save", lacks(r"^ *(params|frontend) = .*",
                                 "nodes left of the saved domain")),
        lacks(r"^g1 +\d+ .*", "the saved domain in xl list"),
        has(r'^script = ".*block-evergrant"', "xl's route"),
        has(r"^no disks are attached$")]),
    ("restored", [
        OK, fio(1), NO_KERNEL_ERROR, *NO_ERRORS,
        differ(r"^domain (\d+)", r"is now (\d+)"),
        number(r"^after: (\d+)", 1),
        has(r"^load load is on$"), has(r"^load tree is on$"),
        has(r"^load load ended with 0$"), has(r"^load tree ended with 0$"),
        has(r'^feature-persistent = "1"\n(.*\n)*dom0# (.*\n)*'
            r'feature-persistent = "1"', "persistent grants on both sides")]),
    ("bytes-after-restore", [
        OK, SAME_BYTES, *NO_ERRORS,
        has(r"^/data/fs.img: \d+/\d+ files", "e2fsck's summary"),
        has(r"^evergrantd ended with status 0$")])])


def twice(text):
    """The boot loader and the kernel each connected, and the rings differ."""
    found = re.findall(r"connected, queues (\d+), ring order (\d+)", text)
    if found[:1] != [("1", "0")] or len(found) != 2 or found[1][1] != "2":
        return f"connections: {found}"


GRUB = Case("grub", "GRUB 2.06 PV, then Linux 6.1", "backend", [
    ("boots", [
        OK, has(r"GRUB reads its configuration from the disk", "GRUB's word"),
        has(r"^systemd$", "Debian's init as process 1"),
        has(r"^/dev/xvda / ext4 rw"), has(r"multi-user.target")]),
    ("negotiated-anew", [
        OK, twice, has(r'^ring-page-order = "2"'), has(r'^ring-ref3 = '),
        # GRUB itself writes an empty one when it lets go.
        lacks(r'^ring-ref = "\d.*', "GRUB's ring among the kernel's keys"),
        stat("order 2", lambda d: d["ring_order"] == 2)]),
    ("lives-on-it", [
        OK, NO_KERNEL_ERROR, *NO_ERRORS,
        number(r"^files: (\d+), all the same$", 100),
        lacks(r"^deb +\d+ .*", "the domain after its poweroff"),
        has(r"^/dev/vdf: \d+/\d+ files", "e2fsck's summary"),
        has(r"^evergrantd ended with status 0$")])])


OURS = [OK, fio(1), SAME_BYTES, NO_KERNEL_ERROR, *NO_ERRORS,
        has(r'^backend = "/local/domain/0/backend/vbd/'),
        has(r'^script = ".*block-evergrant"'),
        has(r'^feature-persistent = "1"\n(.*\n)*dom0# (.*\n)*'
            r'feature-persistent = "1"', "persistent grants on both sides"),
        has(r"^g1 \(\d+\) +xvda .*Connected +persistent +/data/guest.img")]


def refused(words):
    """xl fails with a sentence, and nothing stays."""
    return [has(r"^=> 1$", "xl's refusal"), has(words, "what is wrong"),
            number(r"^took (\d+) s$", 0, 60, "seconds"),
            lacks(r"^51904$", "nodes of the refused disk"),
            lacks(r"^g1 .*xvdm", "the refused disk in evergrant list"),
            lacks(r"^GAVE UP.*")]


GONE = [gone, has(r"^ends$"), lacks(r"^ *frontend = .*", "nodes left"),
        has(r"^no disks are attached$"),
        lacks(r"^GAVE UP.*")]


XL = Case("xl-disk-lines", "xl 4.17 and its hotplug scripts", "backend", [
    ("installed", [OK, has(r"^Type=notify"),
                   has(r"^After=.*xenstored.service"),
                   has(r"^-rwxr-xr-x.*/etc/xen/scripts/block-evergrant$"),
                   has(r"^no disks are attached$")]),
    ("disk-line-without-blkback", OURS + [has(r"^0$", "no xen-blkback")]),
    ("block-attach", [
        fio(1), has(r"^sectors: 32768$"),
        has(r"^g1 \(\d+\) +xvdd .*Connected"),
        # An image that is written has no second user, not even a reader.
        has(r"^=> 1$", "the refusal of a second use"), has(r"^0$")]),
    ("block-attach-read-only", [OK, has(r"^ro: 1$"),
                                has(r"xvdf .* r +Connected")]),
    ("block-detach", [OK, lacks(r"^xvd[df]$"), lacks(r"^g1 .*xvd[df]"),
                      has(r"^xvda$")]),
    ("resize", [OK, has(r"^sectors: 81920$")]),
    ("destroyed", [OK, has(r"^no disks are attached$"), has(r"^ends$"),
                   lacks(r"^ *frontend = .*", "nodes left")]),
    ("disk-line-with-blkback", OURS + [
        has(r"^xen_blkback"), lacks(r"^vbd-\d+-51712$\n(.*\n)*bind",
                                    "blkback has our device")]),
    ("both-drivers-side-by-side", [OK, fio(2), NO_KERNEL_ERROR,
                                   lacks(r"^g1 .*xvdk")]),
    ("bad-missing-file", refused(r"does not exist")),
    ("bad-second-writer", refused(r"in use")),
    ("bad-size", refused(r"multiple of 512")),
    ("bad-relative", refused(r"absolute path")),
    ("bad-driver", refused(r"no driver")),
    ("bad-no-daemon", refused(r"not running") + [fio(1)]),
    ("nodes-removed-by-hand", [
        fio(1), has(r"^0$"), lacks(r"^g1 .*more.img"), lacks(r"^GAVE UP.*")]),
    ("nodes-removed-in-attach", refused(r"nodes .* are gone") + [fio(1)]),
    ("dies-in-connect", [OK, *GONE]),
    ("dies-before-connect", [OK, has(r"^g1 \(\d+\) +xvda .*InitWait"), *GONE]),
    ("bad-create", [
        has(r"^=> [1-9]", "xl's refusal"), has(r"does not exist"),
        number(r"^took (\d+) s$", 0, 60, "seconds"), has(r"^ends$"),
        lacks(r"^ *frontend = .*", "nodes left"),
        has(r"^no disks are attached$"), lacks(r"^g1 .*"), lacks(r"^GAVE UP.*")]),
    ("dies-in-attach", refused(r"(nodes .* are gone|domain)") + GONE),
    ("no-gntdev", refused(r"script:.*its start failed: .*gntdev") + [
        has(r"^evergrantd ended with 1$")]),
    ("no-permission", refused(r"script:.*its start failed: .*as root") + [
        has(r"^evergrantd ended with 1$")]),
], seconds=1500)


# By the page alone, under systemd; then the host starts again: the unit has to
# come after what starts xenstored, and before what starts the guests.
OPERATORS = Case("operators", "Debian's Dom0: systemd, udev, Xen's start scripts",
                 "backend", [
    ("make-install", [
        OK, has(r"^-rwxr-xr-x.*/usr/local/sbin/evergrantd$"),
        has(r"^-rwxr-xr-x.*/etc/xen/scripts/block-evergrant$"),
        has(r"^ActiveState=active$"), has(r"^Type=notify$"),
        has(r"^StatusText=Serving domain 0's disks"),
        has(r"^no disks are attached$")]),
    ("a-guest-starts", [
        OK, fio(1), SAME_BYTES, NO_KERNEL_ERROR, *NO_ERRORS,
        has(r"^g1 \(\d+\) +xvda .*Connected +persistent +/srv/guest.img")]),
    ("block-attach-and-detach", [
        OK, has(r"^sectors: 32768$"), has(r"xvdd .*Connected"),
        after("dom0# xl block-detach", lacks(r"^g1 .*xvdd"))]),
    ("resize", [OK, has(r"^sectors: 81920$")]),
    ("restart-under-load", [
        OK, fio(1), NO_KERNEL_ERROR, *NO_ERRORS,
        has(r"^load load is on$"), has(r"^load load ended with 0$"),
        differ(r"^MainPID=(\d+) before", r"^MainPID=(\d+) after")]),
    ("bad-line", [has(r"^=> 1$", "xl's refusal"), has(r"does not exist"),
                  lacks(r"^g1 .*xvdm")]),
    ("journal", [OK, has(r"evergrantd\[\d+\]: ")]),
    ("host-starts-again", [
        OK, has(r"^state of the host: running$"),
        has(r"^ActiveState=active$"), has(r"^NRestarts=0$"),
        has(r"^xenstored before evergrantd: yes$"),
        has(r"^g1 .*Connected"), has(r"^its memory: kept$")]),
    ("its-guest-too", [OK, fio(1), NO_KERNEL_ERROR, *NO_ERRORS])],
    seconds=900, dom0="systemd")


def as_recorded(name):
    """The observations are those that pocketxen is held to in `make test`."""
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "same", name)

    def check(text):
        got = [line[2:] for line in text.splitlines() if line.startswith(": ")]
        with open(path) as f:
            wanted = f.read().splitlines()
        for i, (a, b) in enumerate(zip(got, wanted)):
            if a != b:
                return f"Xen says {a!r}, recorded is {b!r} (line {i + 1})"
        if len(got) != len(wanted):
            return f"{len(got)} observations, recorded are {len(wanted)}"
    return check


SAME = Case("same-answers", "Xen 4.17, Linux 6.1, xenstored", "backend", [
    ("one-domain", [OK, as_recorded("xen-4.17.txt")]),
    ("two-domains", [OK, as_recorded("xen-4.17-two.txt")])])


def all_measured(text):
    """Three backends, 16 kinds of load, three rounds, each with I/O."""
    found = re.findall(side_by_side.LINE, text, re.M)
    if len(found) != 3 * 16 * 3:
        return f"{len(found)} measurements, not {3 * 16 * 3}"
    if any(int(r) + int(w) == 0 for *_, r, w in found):
        return "a measurement of no I/O"


RANDLOAD = [OK, has(r'"errors": ?0\b'), has(r'"mismatches": ?0\b'),
            number(r'"requests": ?(\d+)', 100),
            number(r'"verified_bytes": ?(\d+)', 1 << 20)]


def frontend(name, peer, persists, kernel=True, extra=()):
    """What a backend cannot do is not asked of it: QEMU 7.2 has one queue, keeps
    no grants and knows no indirect requests."""
    offers = r'^feature-persistent = "1"\n(.*\n)*dom0# '
    both = has(r'^feature-persistent = "1"\n(.*\n)*dom0# (.*\n)*'
               r'feature-persistent = "1"', "persistent grants on both sides")
    kept = both if persists else lacks(offers, "an offer to keep grants")
    many = [
        ("two-queues", RANDLOAD + [has(r'^multi-queue-num-queues = "2"')]),
        ("indirect", RANDLOAD + [
            number(r'^feature-max-indirect-segments = "(\d+)"', 32)]),
    ] if kernel else [
        ("two-queues", RANDLOAD + [lacks(r'^multi-queue-num-queues = "2"')]),
        ("indirect", RANDLOAD + [
            lacks(r'^feature-max-indirect-segments = "[1-9]')])]
    return Case(name, peer, "frontend", [
        ("library", RANDLOAD + [kept]),
        ("library-128k", RANDLOAD + [kept]),
        ("ring-order-4", RANDLOAD + [has(r'^ring-page-order = "4"')]),
        *many,
        ("not-persistent", RANDLOAD + [has(r'^feature-persistent = "0"')]),
        ("share-per-request", RANDLOAD),
        ("plugin", [OK, fio(1), kept]),
        ("plugin-all", [OK, fio(1), has(r'^ring-page-order = "4"')]),
        ("same-bytes", [OK, SAME_BYTES]),
        *extra], seconds=1500)


LIMIT = [
    ("gntalloc-limit-smaller-pool", RANDLOAD + [has(r"^1024$")]),
    ("gntalloc-limit-no-ring", [
        has(r"^randload: .*/sys/module/xen_gntalloc/parameters/limit$",
            "the knob in the message"),
        # With the limit as it was, the same works.
        has(r"^\d+ I/Os of 4096 bytes .* 0 errors")])]


CASES = [
    blkfront("blkfront-6.1", "Linux 6.1 blkfront", range(5)),
    blkfront("blkfront-6.12", "Linux 6.12 blkfront", (0, 4), BACKEND_ALONE,
             may_skip="kernel-6.12"),
    blkfront_without(),
    DESTROYED,
    RESTARTS,
    GRUB,
    RESTORE,
    XL,
    OPERATORS,
    SAME,
    Case("side-by-side", "blkback, qdisk and evergrantd", "backend", [
        ("measured", [OK, all_measured]),
        ("system-calls", [OK, number(r"^calls xvdd .*io_uring_enter=(\d+)", 1),
                          has(side_by_side.COST, "what a system call takes")])],
        seconds=2400, by_name=True),
    frontend("on-blkback-loop", "Linux 6.1 xen-blkback, loop device", True),
    frontend("on-blkback-brd", "Linux 6.1 xen-blkback, RAM disk", True),
    frontend("on-qdisk", "QEMU 7.2 qdisk", False, kernel=False),
    frontend("on-evergrant", "evergrantd", True, extra=LIMIT),
]
