#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the fuzz targets from what real frontends, backends and
tools say: fuzz/corpus/TARGET/NAME. The formats are at the top of each target.
Files called found-* come from the fuzzer and are left alone.

    fuzz/seeds.py [TARGET...]
"""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE, I386, ARM = 0, 1, 2
READ, WRITE, BARRIER, FLUSH, DISCARD, INDIRECT = 0, 1, 2, 3, 5, 6


def u8(v):
    return struct.pack("<B", v & 0xff)


def u16(v):
    return struct.pack("<H", v & 0xffff)


def u32(v):
    return struct.pack("<I", v & 0xffffffff)


def u64(v):
    return struct.pack("<Q", v & 0xffffffffffffffff)


# ---- request ----------------------------------------------------------------

RO, CAN_FLUSH, CAN_BARRIER, CAN_DISCARD, CAN_SECURE, ATTACH = 1, 2, 4, 8, 16, 32
ALL = CAN_FLUSH | CAN_BARRIER | CAN_DISCARD | CAN_SECURE
SIZE = 2048  # sectors


def pad(abi):
    return b"" if abi == I386 else bytes(4)


def rw(abi, op, segs, sector=8, nsegs=None, ident=0x1122334455667788):
    n = len(segs) if nsegs is None else nsegs
    body = u8(op) + u8(n) + u16(51712) + pad(abi) + u64(ident) + u64(sector)
    for gref, first, last in segs[:11]:
        body += u32(gref) + u8(first) + u8(last) + u16(0)
    return body.ljust(108 if abi == I386 else 112, b"\0")


def discard(abi, sector, sectors, flag=0):
    body = (u8(DISCARD) + u8(flag) + u16(0) + pad(abi) + u64(7) + u64(sector) +
            u64(sectors))
    return body.ljust(108 if abi == I386 else 112, b"\0")


def indirect(abi, op, n, sector=0, grefs=(9, 10, 11, 12, 13, 14, 15, 16)):
    body = u8(INDIRECT) + u8(op) + u16(n) + pad(abi) + u64(3) + u64(sector)
    body += u16(51712) + u16(0) + b"".join(u32(g) for g in grefs)
    return body.ljust(108 if abi == I386 else 112, b"\0")


def ring(slots, abi=NATIVE, order=0, flags=ALL, block=0, indirect_segs=256,
         sectors=SIZE, rsp=0, req=None, event=1, pages=b""):
    if req is None:
        req = rsp + len(slots)
    if rsp:
        flags |= ATTACH
    return (u8(abi) + u8(order) + u8(flags) + u8(block) + u16(indirect_segs) +
            u64(sectors) + u32(rsp) + u32(req) + u32(event) + u8(len(slots)) +
            b"".join(slots) + pages)


def segs(*list_):
    return b"".join(u32(g) + u8(f) + u8(l) + u16(0) for g, f, l in list_)


def request():
    page = (100, 0, 7)
    for abi, name in ((NATIVE, "native"), (I386, "i386"), (ARM, "arm")):
        yield f"read-{name}", ring([rw(abi, READ, [page])], abi)
        yield f"write-11-{name}", ring([rw(abi, WRITE, [
            (200 + i, 0, 7) for i in range(11)])], abi)
        yield f"discard-{name}", ring([discard(abi, 16, 64, 1)], abi)
        yield f"indirect-{name}", ring([indirect(abi, READ, 256)], abi)
        yield f"flush-{name}", ring([rw(abi, FLUSH, [])], abi)
        yield f"full-ring-{name}", ring(
            [rw(abi, i % 2, [(i, i % 8, 7)], i * 8) for i in range(32)], abi)
    yield "order-1", ring([rw(NATIVE, READ, [page])] * 64, order=1)
    yield "flush-with-data", ring([rw(NATIVE, FLUSH, [page])])
    yield "barrier-with-data", ring([rw(NATIVE, BARRIER, [page])])
    yield "barrier-empty", ring([rw(NATIVE, BARRIER, [])])
    yield "last-sector", ring([rw(NATIVE, WRITE, [(1, 3, 3)], SIZE - 1)])
    yield "past-the-end", ring([rw(NATIVE, WRITE, [page], SIZE - 7)])
    yield "wraps", ring([rw(NATIVE, READ, [page], 2**64 - 4)])
    yield "discard-wraps", ring([discard(NATIVE, 2**64 - 1, 2**63)])
    yield "discard-nothing", ring([discard(NATIVE, SIZE, 0)])
    yield "12-segments", ring([rw(NATIVE, READ, [page] * 11, nsegs=12)])
    yield "255-segments", ring([rw(NATIVE, READ, [page] * 11, nsegs=255)])
    yield "0-segments", ring([rw(NATIVE, READ, [])])
    yield "last-before-first", ring([rw(NATIVE, READ, [(1, 5, 4)])])
    yield "last-is-8", ring([rw(NATIVE, READ, [(1, 0, 8)])])
    yield "last-is-255", ring([rw(NATIVE, WRITE, [page, (1, 0, 255)])])
    yield "readonly", ring([rw(NATIVE, WRITE, [page]), discard(NATIVE, 0, 8),
                            rw(NATIVE, FLUSH, [page]), rw(NATIVE, FLUSH, []),
                            indirect(NATIVE, WRITE, 4),
                            rw(NATIVE, READ, [page])], flags=ALL | RO)
    yield "block-4096", ring([rw(NATIVE, READ, [page]),
                              rw(NATIVE, READ, [(1, 1, 7)]),
                              rw(NATIVE, READ, [page], 9),
                              discard(NATIVE, 8, 9), discard(NATIVE, 4, 8),
                              indirect(NATIVE, READ, 8, 4)], block=3)
    yield "nothing-offered", ring([rw(NATIVE, FLUSH, []), discard(NATIVE, 0, 8),
                                   rw(NATIVE, BARRIER, []),
                                   indirect(NATIVE, READ, 1)], flags=0,
                                  indirect_segs=0)
    yield "unknown-operations", ring([rw(NATIVE, op, [page])
                                      for op in (4, 7, 8, 128, 255)])
    yield "indirect-4096", ring([indirect(NATIVE, WRITE, 4096)],
                                indirect_segs=65535, sectors=2**40)
    yield "indirect-4097", ring([indirect(NATIVE, WRITE, 4097)],
                                indirect_segs=65535, sectors=2**40)
    yield "indirect-0", ring([indirect(NATIVE, READ, 0)])
    yield "indirect-513", ring([indirect(NATIVE, READ, 513)], indirect_segs=600)
    yield "indirect-over-limit", ring([indirect(NATIVE, READ, 257)])
    yield "indirect-of-flush", ring([indirect(NATIVE, op, 1)
                                     for op in (FLUSH, DISCARD, INDIRECT, 255)])
    yield "indirect-past-the-end", ring([indirect(NATIVE, READ, 9, SIZE - 8)])
    yield "indirect-wraps", ring([indirect(NATIVE, READ, 9, 2**64 - 8)])
    whole = segs(*[(100 + i, 0, 7) for i in range(256)])
    for abi, name in ((NATIVE, "native"), (I386, "i386")):
        yield f"indirect-pages-{name}", ring([indirect(abi, WRITE, 256)], abi,
                                             pages=whole)
    yield "indirect-pages-two-requests", ring(
        [indirect(NATIVE, READ, 12), indirect(NATIVE, WRITE, 20, 64)],
        pages=segs(*[(i, 1, 6) for i in range(32)]))
    yield "indirect-pages-last-is-8", ring(
        [indirect(NATIVE, READ, 12)], pages=whole[:88] + segs((1, 0, 8)))
    yield "indirect-pages-last-is-255", ring(
        [indirect(NATIVE, READ, 3)], pages=whole[:16] + segs((1, 255, 255)))
    yield "indirect-pages-backwards", ring([indirect(NATIVE, READ, 3)],
                                           pages=segs((1, 4, 3)))
    yield "indirect-pages-past-the-end", ring(
        [indirect(NATIVE, READ, 256, SIZE - 256 * 8 + 1)], pages=whole)
    yield "indirect-pages-to-the-end", ring(
        [indirect(NATIVE, READ, 256, SIZE - 256 * 8)], pages=whole)
    yield "indirect-pages-block-4096", ring(
        [indirect(NATIVE, READ, 8), indirect(NATIVE, READ, 8)],
        pages=whole[:64] + segs((9, 0, 6)), block=3)
    yield "indirect-pages-4096", ring([indirect(NATIVE, WRITE, 4096)],
                                      indirect_segs=4096, sectors=2**40,
                                      pages=whole)
    yield "attach-live", ring([rw(NATIVE, READ, [page])] * 3, rsp=77, event=80)
    yield "attach-at-wrap", ring([rw(NATIVE, READ, [page])] * 8,
                                 rsp=2**32 - 5, event=0)
    yield "attach-impossible", ring([], rsp=10, req=43)
    yield "more-than-a-ring", ring([rw(NATIVE, READ, [page])] * 32, req=33)
    yield "index-moved-back", ring([], req=2**32 - 1)
    yield "index-half-way", ring([], req=2**31)


# ---- response ---------------------------------------------------------------

def io(op, length, sector):
    """length: an index of the target's table"""
    return u8(0) + u8(op) + u8(length) + u16(sector)


KICK, PROCESS = u8(2), u8(3)
EVENT = u8(13)


def serve(n=8, backwards=0):
    return u8(5) + u8(n - 1) + u8(backwards)


def answer(which=0, okay=True, error=0):
    return u8(6) + u8(which | (0x80 if okay else error << 5))


def lie(ident, op, status):
    if ident < 0x80:
        return u8(8) + u8(ident) + u8(op) + u16(status)
    return u8(8) + u8(0xff) + u8(op) + u16(status) + u64(ident)


def index(which, value):
    return u8(9) + u8(which) + u32(value)


def word(at, value):
    return u8(10) + u16(at) + u32(value)


def state(s, away=0):
    return u8(11) + u8(s) + u8(away)


def key(i):
    return u8(12) + u8(i)


def opened(flags, more=0):
    """more: 0 to 3 further rings, 4 indirect requests, 8 secure discard"""
    return u8(flags) + u8(more)


def at_ring(n):
    return u8(14) + u8(n)


def follow(n):
    return u8(15) + u8(n)


def response():
    read, write = io(0, 1, 8), io(1, 1, 16)
    load = read + write + io(0, 0, 1) + io(1, 2, 100) + KICK
    for flags, name in ((0, "plain"), (1, "order-1"), (2, "not-persistent"),
                        (4 | 2, "share-per-request"), (8, "untrusted"),
                        (16, "small-pool"), (32, "no-reconnect")):
        yield f"honest-{name}", (opened(flags) + load + serve() + PROCESS +
                                 io(2, 0, 0) + io(3, 1, 8) + KICK +
                                 serve(8, 1) + PROCESS)
    yield "large", opened(0) + io(0, 4, 0) + io(1, 4, 200) + KICK + serve() + PROCESS
    yield "no-pages-left", (opened(16) + io(1, 4, 0) * 4 + KICK + serve() + PROCESS +
                            serve() + PROCESS)
    yield "out-of-order", (opened(0) + load + answer(2) + answer(1) + PROCESS +
                           answer(0) + PROCESS)
    yield "errors", (opened(0) + load + answer(0, False, 1) + answer(0, False, 2) +
                     PROCESS)
    yield "flush-not-there", (opened(0) + io(2, 0, 0) + KICK + answer(0, False, 2) +
                              PROCESS + io(2, 0, 0) + PROCESS)
    yield "unknown-id", opened(0) + load + lie(31, 0, 0) + PROCESS
    yield "huge-id", opened(0) + load + lie(2**63, 0, 0) + PROCESS
    yield "id-past-the-ring", opened(0) + load + lie(32, 0, 0) + PROCESS
    yield "free-id", opened(0) + read + KICK + lie(1, 0, 0) + PROCESS
    yield "other-operation", opened(0) + load + lie(0, 1, 0) + PROCESS
    yield "unknown-status", opened(0) + load + lie(0, 0, 1) + PROCESS
    yield "status-minus-3", opened(0) + load + lie(0, 0, -3) + PROCESS
    yield "twice", opened(0) + load + lie(0, 0, 0) + lie(0, 0, 0) + PROCESS
    yield "before-its-request", (opened(0) + read + KICK + read + lie(0, 0, 0) +
                                 lie(1, 0, 0) + PROCESS)
    yield "too-many", opened(0) + load + index(2, 33) + PROCESS
    yield "index-back", opened(0) + load + index(2, 2**32 - 1) + PROCESS
    yield "index-half-way", opened(0) + load + index(2, 2**31) + PROCESS
    yield "events-moved", (opened(0) + load + index(1, 2**31) + index(3, 0) +
                           serve() + PROCESS + read + KICK + PROCESS)
    yield "scribbled", opened(0) + load + word(20, 2**32 - 1) + index(2, 4) + PROCESS
    yield "event-storm", opened(0) + load + EVENT * 20 + PROCESS * 20
    for s in range(9):
        yield f"backend-goes-to-{s}", (opened(0) + load + state(s) + PROCESS +
                                       serve() + PROCESS)
    yield "backend-comes-back", (opened(0) + load + state(6, 1) + PROCESS +
                                 state(2, 1) + PROCESS + serve() + PROCESS +
                                 read + KICK + serve() + PROCESS)
    yield "backend-comes-back-small-pool", (
        opened(16) + io(1, 4, 0) * 3 + KICK + state(5, 1) + PROCESS + state(6, 1) +
        PROCESS + state(2, 1) + PROCESS + serve() + PROCESS + serve() + PROCESS)
    yield "taken-away", opened(0) + load + key(0) + state(5, 1) + PROCESS
    yield "taken-away-for-good", opened(32) + load + state(6, 1) + PROCESS
    yield "smaller", opened(0) + load + key(4) + state(4) + PROCESS + read + KICK
    every = io(0, 1, 0) * 3 + io(1, 1, 64) * 3 + KICK
    for n in (2, 3, 4):
        yield f"queues-{n}", (opened(0, n - 1) + every + serve() + PROCESS +
                              io(2, 0, 0) + KICK + serve(8, 1) + PROCESS)
    yield "unknown-operation", opened(0) + io(4, 1, 0) + KICK
    yield "no-memory", opened(0) + io(8, 1, 0) + io(9, 1, 0) + KICK
    yield "odd-length", opened(0) + io(0, 6, 0) + io(0, 5, 0) + io(1, 6, 0)
    yield "past-the-end", opened(0) + io(0, 1, 16384 - 1) + io(3, 1, 16384)
    yield "read-only", (opened(0) + key(7) + state(6, 1) + PROCESS +
                        state(2, 1) + PROCESS + io(1, 1, 0) + io(3, 1, 0))
    yield "barrier-not-there", (
        opened(0) + key(2) + key(11) + state(6, 1) + PROCESS + state(2, 1) +
        PROCESS + io(2, 0, 0) + KICK + answer(0, False, 2) + PROCESS +
        io(2, 0, 0) + PROCESS)
    yield "discard-not-there", (opened(0) + io(3, 1, 0) + KICK +
                                answer(0, False, 2) + PROCESS + io(3, 1, 0))
    yield "discard-gone-at-return", (
        opened(0) + io(3, 1, 0) + KICK + key(3) + state(6, 1) + PROCESS +
        state(2, 1) + PROCESS * 2)
    yield "smaller-requests-at-return", (
        opened(0, 4) + io(1, 4, 0) + io(0, 4, 64) + KICK + key(10) +
        state(6, 1) + PROCESS + state(2, 1) + PROCESS + (serve() + PROCESS) * 4)
    yield "writes-wait-over-the-bound", (opened(16, 16) + io(1, 4, 0) * 6 +
                                         KICK + (serve() + PROCESS) * 6)
    yield "no-more-shares", opened(0, 32 | 4) + io(1, 4, 0) * 6 + KICK + (
        serve() + PROCESS) * 8
    yield "queues-no-more-shares", opened(0, 32 | 3) + io(1, 4, 0) * 6 + KICK + (
        serve() + PROCESS) * 8
    yield "shares-per-request-run-out", (opened(4 | 2, 32) + io(1, 4, 0) * 6 +
                                         KICK + (serve() + PROCESS) * 8)
    yield "does-not-come-back", (opened(0, 64) + load + state(6, 1) + PROCESS +
                                 u8(16) + PROCESS * 2)
    yield "store-lost", opened(0) + load + u8(17) + PROCESS + serve() + PROCESS
    yield "never-connects", opened(0, 128) + load
    yield "after-the-end", (opened(0) + load + lie(31, 0, 0) + PROCESS +
                            io(0, 1, 0) + io(1, 1, 0) + KICK + PROCESS)
    yield "merged-writes", opened(16) + io(1, 4, 0) * 2 + (
        b"".join(io(1, 0, 400 + i) for i in range(8))) + KICK + (
        serve() + PROCESS) * 6
    yield "gone-while-away", (opened(0) + load + state(6, 1) + PROCESS +
                              key(0) + state(5, 1) + PROCESS)
    yield "queues-indirect", (opened(0, 7) + io(1, 4, 0) * 5 + KICK + serve(8) +
                              PROCESS)
    yield "queues-storm", (opened(0, 3) + every +
                           b"".join(at_ring(q) + EVENT for q in range(4)) * 5 +
                           PROCESS * 9)
    yield "queues-id-of-another", (opened(0, 1) + io(0, 1, 0) + KICK + at_ring(1) +
                                   lie(0, 0, 0) + PROCESS)
    yield "queues-second-lies", (opened(0, 2) + every + at_ring(2) +
                                 lie(31, 0, 0) + PROCESS)
    yield "queues-second-index", (opened(0, 1) + every + at_ring(1) +
                                  index(2, 2**31) + PROCESS)
    yield "queues-fewer-at-return", (
        opened(0, 3) + every + state(6, 1) + PROCESS + state(2, 1) + PROCESS +
        serve(8) + PROCESS)
    yield "secure-discard", (opened(0, 8) + io(3 + 32, 1, 8) + KICK + serve() +
                             PROCESS)
    yield "secure-discard-not-there", (opened(0) + io(3 + 32, 1, 8) + KICK +
                                       PROCESS)
    yield "merged", opened(16) + io(1, 4, 0) + follow(20) + KICK + (
        serve(8) + PROCESS) * 4
    yield "merged-fails", (opened(16) + io(1, 4, 0) + follow(20) + KICK +
                           (answer(0, True) + PROCESS) * 2 +
                           (answer(0, False, 1) + PROCESS) * 9)
    yield "merged-comes-back", (
        opened(16) + io(1, 4, 0) + follow(20) + KICK + serve(1) + PROCESS +
        state(6, 1) + PROCESS + state(2, 1) + PROCESS + (serve(8) + PROCESS) * 4)
    yield "other-backend", opened(0) + load + key(9) + state(4) + PROCESS


# ---- keys -------------------------------------------------------------------

def lines(**keys):
    return b"".join(f"{k.replace('__', '-')}={v}\n".encode()
                    for k, v in keys.items())


def front_dir(**more):
    keys = {"protocol": "x86_64-abi", "feature__persistent": "1",
            "ring__ref": "8", "event__channel": "5"}
    keys.update({k: v for k, v in more.items()})
    return lines(**{k: v for k, v in keys.items() if v is not None})


def refs(n):
    return {f"ring__ref{i}": str(8 + i) for i in range(n)}


def keys_back():
    yield "linux", u8(4) + front_dir()
    yield "windows", u8(4) + front_dir(multi__queue__num__queues="1",
                                       feature__surprise__remove="1")
    yield "no-protocol", u8(4) + front_dir(protocol=None)
    yield "i386", u8(4) + front_dir(protocol="x86_32-abi")
    yield "arm", u8(4) + front_dir(protocol="arm-abi")
    yield "unknown-protocol", u8(4) + front_dir(protocol="x86_128-abi")
    yield "empty-protocol", u8(4) + front_dir(protocol="")
    for order in range(6):
        yield f"order-{order}", u8(4) + front_dir(
            ring__ref=None, ring__page__order=str(order), **refs(1 << order))
    yield "order-0-old-name", u8(4) + front_dir(ring__page__order="0")
    yield "order-not-offered", u8(0) + front_dir(ring__page__order="1",
                                                 **refs(2))
    yield "one-ref-lacks", u8(4) + front_dir(ring__page__order="2", **refs(3))
    yield "stale-ring-ref0", u8(4) + front_dir(ring__ref=None, ring__ref0="9")
    yield "no-ring-ref", u8(4) + front_dir(ring__ref=None)
    yield "no-port", u8(4) + front_dir(event__channel=None)
    yield "no-persistent", u8(4) + front_dir(feature__persistent=None)
    yield "persistent-2", u8(4) + front_dir(feature__persistent="2")
    yield "two-queues", u8(4) + front_dir(multi__queue__num__queues="2",
                                          ring__ref=None)
    for n in (2, 4, 16):
        rings = {f"queue__{q}/{k}": v for q in range(n) for k, v in (
            ("ring__ref", str(8 + q)), ("event__channel", str(3 + q)))}
        several = dict(multi__queue__num__queues=str(n), ring__ref=None,
                       event__channel=None)
        offered = u8(4 | (15 << 3))
        yield f"queues-{n}", offered + front_dir(**several, **rings)
        yield f"queues-{n}-not-offered", u8(4) + front_dir(**several, **rings)
        rings2 = {f"queue__{q}/ring__ref{i}": str(8 + q * 4 + i)
                  for q in range(n) for i in range(4)}
        rings2.update({f"queue__{q}/event__channel": "5" for q in range(n)})
        yield f"queues-{n}-order-2", offered + front_dir(
            ring__page__order="2", **several, **rings2)
        lacks = dict(rings2)
        del lacks[f"queue__{n - 1}/ring__ref3"]
        yield f"queues-{n}-one-ref-lacks", offered + front_dir(
            ring__page__order="2", **several, **lacks)
        lacks = dict(rings)
        del lacks[f"queue__{n - 1}/event__channel"]
        yield f"queues-{n}-one-port-lacks", offered + front_dir(
            **several, **lacks)
    yield "queues-17", u8(4 | (31 << 3)) + front_dir(
        multi__queue__num__queues="17")
    yield "queues-at-the-top", u8(4 | (3 << 3)) + front_dir(
        multi__queue__num__queues="2")
    yield "no-queues", u8(4) + front_dir(multi__queue__num__queues="0")
    for name, v in (("empty", ""), ("minus", "-1"), ("plus", "+1"),
                    ("hex", "0x10"), ("space", " 8"), ("2-32", "4294967296"),
                    ("2-64", "18446744073709551616"), ("text", "eight"),
                    ("newline-escape", "8\\n"), ("binary", "\x07\x1b[31m8"),
                    ("long", "9" * 300), ("leading-zero", "0008")):
        yield f"ring-ref-{name}", u8(4) + front_dir(ring__ref=v)
        yield f"port-{name}", u8(4) + front_dir(event__channel=v)
    yield "unreadable", u8(4) + front_dir(ring__ref="\x01")
    yield "unreadable-protocol", u8(4) + front_dir(protocol="\x01")
    yield "nothing", u8(4)


def disk_dirs(more_front=None, more_back=None):
    front = {"backend": "/local/domain/0/backend/vbd/5/51712",
             "backend-id": "0", "state": "1", "virtual-device": "51712"}
    back = {"frontend": "/local/domain/5/device/vbd/51712", "frontend-id": "5",
            "online": "1", "mode": "w", "state": "4", "sectors": "2097152",
            "sector-size": "512", "physical-sector-size": "4096", "info": "0",
            "feature-persistent": "1", "feature-flush-cache": "1",
            "feature-barrier": "1", "feature-discard": "1",
            "discard-granularity": "4096", "discard-alignment": "0",
            "discard-secure": "0", "max-ring-page-order": "4",
            "feature-max-indirect-segments": "256",
            "multi-queue-max-queues": "4"}
    front.update(more_front or {})
    back.update(more_back or {})
    text = "".join(f"f/{k}={v}\n" for k, v in front.items() if v is not None)
    text += "".join(f"b/{k}={v}\n" for k, v in back.items() if v is not None)
    return text.encode("latin-1")


def keys_front():
    yield "linux", u8(1) + u8(0) + disk_dirs()
    yield "not-persistent", u8(0) + u8(4) + disk_dirs()
    yield "untrusted", u8(3) + u8(1) + disk_dirs()
    yield "nothing", u8(0) + u8(0)
    for n in (2, 3, 16):
        yield f"queues-{n}", u8(1 | (n - 1) << 2) + u8(n % 5) + disk_dirs(
            {"ring-ref": "2", "event-channel": "9", "queue-15/ring-ref": "4",
             "queue-17/ring-ref": "4", "multi-queue-num-queues": "18"})
    yield "queues-stale-queue-dirs", u8(1 | 2 << 2) + u8(4) + disk_dirs(
        {f"queue-{q}/ring-ref{i}": "3" for q in range(5) for i in range(17)})
    yield "stale-keys", u8(1) + u8(2) + disk_dirs(
        {**{f"ring-ref{i}": "1" for i in range(17)}, "queue-0/ring-ref": "3",
         "queue-0": "", "num-ring-pages": "16", "ring-ref": "2",
         "multi-queue-num-queues": "4", "ring-page-order": "4"})
    yield "stale-order-for-one-page", u8(1) + u8(0) + disk_dirs(
        {"ring-page-order": "0", "ring-ref0": "9"})
    for name, f in (
            ("other-domain", {"backend-id": "7"}),
            ("own-directory", {"backend": "/local/domain/5/data/vbd/5/51712"}),
            ("other-device",
             {"backend": "/local/domain/0/backend/vbd/5/51728"}),
            ("other-guest", {"backend": "/local/domain/0/backend/vbd/6/51712"}),
            ("no-kind", {"backend": "/local/domain/0/backend//5/51712"}),
            ("dots", {"backend": "/local/domain/0/backend/../5/51712"}),
            ("tail", {"backend": "/local/domain/0/backend/vbd/5/51712/x"}),
            ("long-kind", {"backend": "/local/domain/0/backend/" + "k" * 32 +
                           "/5/51712"}),
            ("qdisk", {"backend": "/local/domain/0/backend/qdisk/5/51712"}),
            ("driver-domain", {"backend": "/local/domain/3/backend/vbd/5/51712",
                               "backend-id": "3"}),
            ("no-backend", {"backend": None}),
            ("no-backend-id", {"backend-id": None}),
            ("backend-id-large", {"backend-id": "32752"}),
            ("binary", {"backend": "\x1b]0;x\x07"}),
            ("unreadable", {"backend": "\x01"}),
            ("not-trusted", {"trusted": "0"}),
            ("trusted-no-number", {"trusted": "no"})):
        yield f"path-{name}", u8(1) + u8(0) + disk_dirs(f)
    for name, b in (
            ("sectors-0", {"sectors": "0"}), ("sectors-1", {"sectors": "1"}),
            ("sectors-huge", {"sectors": "18446744073709551615"}),
            ("sectors-lacks", {"sectors": None}),
            ("block-4096", {"sector-size": "4096", "sectors": "2097153"}),
            ("block-0", {"sector-size": "0"}),
            ("block-513", {"sector-size": "513"}),
            ("block-8192", {"sector-size": "8192"}),
            ("block-lacks", {"sector-size": None,
                             "physical-sector-size": None}),
            ("small-disk", {"sector-size": "4096", "sectors": "7"}),
            ("physical-3", {"physical-sector-size": "3"}),
            ("granularity-0", {"discard-granularity": "0"}),
            ("cdrom", {"info": "5", "mode": "r"}),
            ("readonly-by-mode", {"mode": "r"}),
            ("info-text", {"info": "x"}), ("offline", {"online": "0"}),
            ("nothing-offered", {k: "0" for k in (
                "feature-persistent", "feature-flush-cache", "feature-barrier",
                "feature-discard", "max-ring-page-order")}),
            ("features-2", {"feature-persistent": "2",
                            "feature-discard": "yes"}),
            ("order-huge", {"max-ring-page-order": "4294967296"}),
            ("names-another", {"frontend": "/local/domain/6/device/vbd/1"}),
            ("names-another-id", {"frontend-id": "6"}),
            ("state-9", {"state": "9"})):
        yield f"back-{name}", u8(1) + u8(0) + disk_dirs(None, b)


# ---- xstore -----------------------------------------------------------------

XS = {name: i for i, name in enumerate(
    ("control", "directory", "read", "get-perms", "watch", "unwatch", "start",
     "end", "introduce", "release", "get-domain-path", "write", "mkdir", "rm",
     "set-perms", "event", "error", "is-introduced", "resume", "set-target",
     "restrict", "reset-watches", "directory-part"))}
WORDS = ["/", "/local/domain/1/data", "/local/domain/1/data/a",
         "/local/domain/2/data", "/secret", "data/b", "/local/domain/1",
         "@introduceDomain", "@releaseDomain", "/tool", "a//b", "token", "T",
         "F", "1", "2", "n1", "b2", "r0", "/local/domain/1/data/a/b/c/d",
         "quota", "0", "help", "print", "check", "long"]


def w(text):
    return u8(WORDS.index(text))


def own(data):
    """up to 63 bytes of the seed's own"""
    return u8(0xc0 | len(data)) + data


def msg(conn, kind, *strings, tx=0):
    return (u8(0) + u8(conn) + u8(XS[kind]) + u8(tx) + u8(len(strings)) +
            b"".join(strings))


def raw_msg(conn, kind, data, pieces=1, length=None):
    m = struct.pack("<IIII", kind, 1, 0, len(data) if length is None else
                    length) + data
    step = (len(m) + pieces - 1) // pieces
    return b"".join(u8(4) + u8(conn) + u8(len(m[i:i + step])) + m[i:i + step]
                    for i in range(0, len(m), step))


def xstore():
    a = w("/local/domain/1/data/a")
    write = msg(1, "write", a, own(b"value"))
    for mode, name in ((0, "all"), (1, "guests")):
        yield f"write-read-{name}", (u8(mode) + write + msg(1, "read", a) +
                                     msg(2, "read", a) + msg(1, "read", w("/secret")))
        yield f"directory-{name}", (u8(mode) + write + msg(
            1, "directory", w("/local/domain/1/data")) + msg(
            1, "directory", w("/")) + msg(1, "directory-part", w("/"), w("0")) +
            msg(1, "directory-part", w("/local/domain/1"), w("1")))
        yield f"watches-{name}", (
            u8(mode) + msg(1, "watch", w("/local/domain/1/data"), w("token")) +
            msg(2, "watch", w("/local/domain/1/data"), w("T")) +
            msg(1, "watch", w("data/b"), w("token")) +
            msg(1, "watch", w("@releaseDomain"), w("token")) + write +
            msg(1, "rm", a) + u8(6) + u8(1) +
            msg(1, "unwatch", w("data/b"), w("token")) +
            msg(1, "unwatch", w("data/b"), w("token")) +
            msg(1, "reset-watches", w("T")))
        yield f"transaction-{name}", (
            u8(mode) + msg(1, "start", own(b"")) +
            msg(1, "write", a, own(b"1"), tx=1) + msg(1, "read", a, tx=1) +
            msg(3, "write", a, own(b"2")) + msg(1, "end", w("T"), tx=1) +
            msg(1, "start", own(b"")) + msg(1, "rm", a, tx=2) +
            msg(1, "mkdir", w("data/b"), tx=2) + msg(1, "end", w("F"), tx=2))
        yield f"transaction-commits-{name}", (
            u8(mode) + msg(1, "start", own(b"")) +
            msg(1, "write", w("/local/domain/1/data/a/b/c/d"), own(b"1"), tx=1) +
            msg(1, "set-perms", a, w("n1"), w("b2"), tx=1) +
            msg(1, "directory", w("/local/domain/1/data"), tx=1) +
            msg(1, "end", w("T"), tx=1) + msg(2, "write", a, own(b"2")) +
            msg(2, "read", a))
        yield f"perms-{name}", (u8(mode) + write + msg(1, "get-perms", a) + msg(
            1, "set-perms", a, w("n1"), w("b2")) + msg(2, "write", a, own(b"x")) +
            msg(2, "mkdir", w("/local/domain/1/data/a/b/c/d")) + msg(
            2, "get-perms", w("/local/domain/1/data/a/b/c/d")) +
            msg(2, "set-perms", a, w("b2")) + msg(1, "set-perms", a, w("r0")) +
            msg(1, "set-perms", a, w("quota")) + msg(1, "set-perms", a))
        yield f"deep-{name}", (u8(mode) + msg(
            1, "mkdir", w("/local/domain/1/data/a/b/c/d")) + msg(
            1, "rm", w("/local/domain/1/data")) + msg(1, "rm", w("/")))
        yield f"no-right-{name}", (
            u8(mode) + msg(1, "write", w("/secret"), own(b"x")) + msg(
                1, "rm", w("/secret")) + msg(1, "mkdir", w("/tool"), w("T")) +
            msg(2, "write", w("/local/domain/1/data"), own(b"")) + msg(
                1, "control", w("quota")) + msg(1, "introduce", w("1")) + msg(
                1, "set-target", w("1"), w("2")) + msg(1, "release", w("2")) +
            msg(1, "is-introduced", w("2")) + msg(1, "resume", w("2")))
        yield f"bad-paths-{name}", (u8(mode) + msg(1, "read", w("a//b")) + msg(
            1, "read", own(b"")) + msg(1, "read", own(b"data/")) + msg(
            1, "read", own(b"data/\x80")) + msg(1, "watch", own(b"@x"), w("T")) +
            msg(1, "read") + msg(1, "write", u8(0x20 | 1)))
        yield f"split-{name}", (u8(mode) + raw_msg(
            1, 2, b"/local/domain/1/data\0", 7) + raw_msg(
            2, 11, b"data/x\0value", 30) + raw_msg(3, 1, b"/\0", 2))
        yield f"too-long-{name}", u8(mode) + raw_msg(1, 2, b"/", 1, 4097) + write
        yield f"unknown-type-{name}", (u8(mode) + raw_msg(1, 99, b"/\0") +
                                       raw_msg(1, 2**32 - 1, b"") + raw_msg(
            1, 15, b"a\0b\0") + raw_msg(1, 20, b"1\0"))
        yield f"large-value-{name}", (
            u8(mode) + msg(1, "write", a, u8(0xf0) + u16(2040) + b"v" * 2000) +
            msg(1, "write", a, u8(0xf0) + u16(4000)) + msg(1, "read", a))
    yield "payload-over-4096", u8(1) + msg(
        1, "write", a, u8(0xf0) + u16(4190)) + write
    yield "toolstack", (u8(0) + msg(0, "introduce", w("1"), w("1"), w("1")) + msg(
        0, "introduce", w("2"), w("1"), w("0")) + msg(
        0, "is-introduced", w("1")) + msg(0, "get-domain-path", w("2")) + msg(
        0, "set-target", w("1"), w("2")) + msg(0, "resume", w("1")) + msg(
        0, "release", w("2")) + msg(0, "release", w("2")))
    yield "target", (u8(0) + msg(0, "set-target", w("1"), w("2")) + msg(
        1, "write", w("/local/domain/2/data"), own(b"x")) + u8(7) + u8(1) +
        msg(1, "write", w("/local/domain/2/data"), own(b"y")))
    yield "control", (u8(0) + msg(0, "control", w("help")) + msg(
        0, "control", w("quota")) + msg(0, "control", w("quota"), w("1")) + msg(
        0, "control", w("quota"), own(b"999")) + msg(0, "control", w("check")) +
        msg(0, "control", w("print"), w("T")) + msg(0, "control", w("print")) +
        msg(0, "control"))
    yield "special-perms", (u8(0) + msg(
        0, "set-perms", w("@releaseDomain"), w("n1")) + msg(
        0, "set-perms", w("@introduceDomain"), w("r0"), w("b2")) + msg(
        1, "watch", w("@releaseDomain"), w("T")) + msg(
        1, "set-perms", w("@releaseDomain"), w("n1")) + msg(
        0, "set-perms", own(b"@nothing"), w("n1")) + u8(6) + u8(0))
    yield "owner-does-not-exist", (u8(0) + u8(6) + u8(1) + msg(
        0, "set-perms", w("/tool"), own(b"n9")) + msg(
        0, "set-perms", w("/tool"), own(b"n9x")))
    yield "domain-ends", (u8(0) + msg(2, "mkdir", w("data/b")) + msg(
        1, "set-perms", w("/local/domain/1/data"), w("n1"), w("b2")) + msg(
        0, "watch", w("@releaseDomain"), w("T")) + msg(
        2, "watch", w("/"), w("T")) + u8(7) + u8(3) + msg(
        2, "read", w("data/b")) + u8(7) + u8(0))
    yield "rm-with-watches", (u8(0) + msg(0, "watch", w("/"), w("T")) + msg(
        0, "watch", w("/local/domain/1/data/a"), w("token")) + write + msg(
        0, "rm", w("/local/domain/1")) + msg(0, "rm", w("/local/domain/1")))
    yield "many-transactions", u8(1) + msg(1, "start", own(b"")) * 13 + u8(5) + u8(1)
    yield "many-watches", u8(1) + b"".join(
        msg(1, "watch", w("data/b"), own(b"%d" % i)) for i in range(131))
    yield "many-permissions", (u8(1) + write + msg(
        1, "set-perms", w("/local/domain/1/data/a"),
        *[own(b"n1\0b2\0r0\0r1\0b0\0w2")]))
    yield "many-nodes", u8(1) + b"".join(
        msg(1, "mkdir", own(b"data/%d" % i)) for i in range(1005))
    full = b"".join(msg(1, "mkdir", own(b"data/%d" % i)) for i in range(993))
    deep = b"".join(msg(1, "mkdir", own(b"data/%d/b/c/d" % i))
                    for i in range(2000, 2005))
    yield "deep-at-the-quota", u8(1) + full + deep
    yield "deep-at-the-quota-in-a-transaction", (
        u8(1) + full + msg(1, "start", own(b"")) + deep.replace(
            u8(1) + u8(XS["mkdir"]) + u8(0), u8(1) + u8(XS["mkdir"]) + u8(1)) +
        msg(1, "end", w("T"), tx=1))
    yield "changed-by-others", (
        u8(1) + write + msg(1, "start", own(b"")) + msg(
            1, "directory", w("/local/domain/1/data"), tx=1) + msg(
            1, "mkdir", w("data/b"), tx=1) + msg(1, "rm", w("data/b"), tx=1) +
        msg(1, "rm", a, tx=1) + msg(1, "write", a, own(b"3"), tx=1) + msg(
            1, "end", w("T"), tx=1) + msg(1, "start", own(b"")) + msg(
            1, "rm", w("/local/domain/1/data"), tx=2) + msg(
            1, "read", a, tx=2) + msg(1, "end", w("T"), tx=2) + msg(
            1, "start", own(b"")) + msg(1, "start", own(b"")) + msg(
            1, "write", w("data/b"), own(b"1"), tx=4) + msg(
            1, "end", w("T"), tx=3) + msg(1, "end", w("T"), tx=4))
    yield "wide-directory", (u8(0) + b"".join(
        msg(0, "mkdir", own(b"/tool/a-name-of-some-length-%08d" % i))
        for i in range(120)) + msg(0, "directory", w("/tool")) + msg(
        0, "directory-part", w("/tool"), w("0")) + msg(
        0, "directory-part", w("/tool"), own(b"3700")) + msg(
        0, "directory-part", w("/tool"), own(b"99999")))
    yield "large-transaction", (
        u8(1) + msg(1, "start", own(b"")) + b"".join(
            msg(1, "read", own(b"data/%d" % i), tx=1) for i in range(1030)) +
        msg(1, "end", w("T"), tx=1))


# ---- hypercall --------------------------------------------------------------

(HELLO, ATTACH_OP, SHARE, UNSHARE, ON_UNMAP, FIRE, UNBOUND, BIND, VIRQ, CLOSE,
 RESOLVE, RESTRICT, ADOPT) = range(1, 14)
GRANTS, SHARES, EVTCHN = 1, 2, 3
LAST = 0x80          # number: something remembered
SELF, EVENTFD, ALL_ONES = 0xc1, 0xc2, 0xc3


def conn(i, dom):
    return u8(0) + u8(i) + u8(dom)


def bye(i):
    return u8(1) + u8(i)


def call(i, op, a=0, b=0, c=0, d=0, refs_=()):
    return (u8(8) + u8(i) + u8(op) + u8(a) + u8(b) + u8(c) + u8(d) +
            u8(len(refs_)) + bytes(refs_))


def map_ref(handle, dom, record, ref, writable=1, dies=False):
    return (u8(5 if dies else 3) + u8(handle) + u8(dom) + u8(record) + u8(ref) +
            u8(writable))


def hypercall():
    def hello(i, dom, kind):
        return conn(i, dom) + call(i, HELLO, kind, 1)
    guest = hello(0, 1, SHARES) + call(0, SHARE, 0, 4, 1)
    backend = hello(1, 0, GRANTS) + call(1, ATTACH_OP, 1)
    for kind, name in ((GRANTS, "grants"), (SHARES, "shares"),
                       (EVTCHN, "evtchn")):
        yield f"hello-{name}", hello(0, 1, kind) + call(0, HELLO, kind, 1)
    yield "hello-version", conn(0, 0) + call(0, HELLO, GRANTS, 2)
    yield "hello-kind", conn(0, 0) + call(0, HELLO, 9, 1)
    yield "no-hello", conn(0, 0) + call(0, SHARE, 1, 1)
    yield "share", guest + call(0, UNSHARE, refs_=(8, 9))
    yield "share-too-much", (hello(0, 1, SHARES) + call(0, SHARE, 0, 127) +
                             call(0, SHARE, 0, 127) + call(0, SHARE, 0, 127) +
                             call(0, SHARE, 0, 0) + call(0, SHARE, SELF, 1) +
                             call(0, SHARE, 0, ALL_ONES))
    yield "unshare-not-mine", guest + hello(1, 1, SHARES) + call(
        1, UNSHARE, refs_=(8, 9)) + call(0, UNSHARE, refs_=(8, ALL_ONES))
    yield "unshare-twice-in-one", guest + call(0, UNSHARE, refs_=(8, 8, 8))
    yield "attach-nobody", hello(0, 0, GRANTS) + call(0, ATTACH_OP, 77) + call(
        0, ATTACH_OP, SELF)
    yield "mapped", guest + backend + map_ref(0, 1, 0, 8) + map_ref(
        0, 1, 1, 9, 0) + u8(6) + u8(0) + u8(0) + bye(1)
    yield "unshared-while-mapped", (guest + backend + map_ref(0, 1, 0, 8) + call(
        0, UNSHARE, refs_=(8, 9)) + call(0, SHARE, 0, 1, 1) + u8(6) + u8(0) +
        u8(0) + call(0, SHARE, 0, 1, 1))
    yield "sharer-dies-first", (guest + backend + map_ref(0, 1, 0, 8) + bye(0) +
                                bye(1))
    yield "dies-in-a-map", (guest + backend + map_ref(0, 1, 0, 9) + map_ref(
        0, 1, 1, 8, 1, True))
    yield "two-mappers-one-dies-inside", (
        guest + backend + hello(2, 0, GRANTS) + map_ref(0, 1, 0, 8) + map_ref(
            1, 1, 0, 8, 0) + map_ref(1, 1, 1, 8, 1, True))
    yield "scribbled", (guest + backend + map_ref(0, 1, 0, 8) + u8(7) + u8(0) +
                        u8(1) + u8(9) + u32(0xfffffff0))
    yield "on-unmap", (guest + backend + hello(2, 0, EVTCHN) + call(
        2, UNBOUND, 1) + call(1, ON_UNMAP, 1, 8, 0, LAST) + call(
        1, ON_UNMAP, 1, 8, ALL_ONES, ALL_ONES) + call(
        1, ON_UNMAP, 9, 8) + call(1, FIRE, 1) + call(1, FIRE, 1))
    ports = (hello(0, 1, EVTCHN) + call(0, UNBOUND, 0) + hello(1, 0, EVTCHN) +
             call(1, BIND, 1, 1))
    yield "ports", ports + call(1, RESOLVE, 1) + call(0, RESOLVE, 1) + call(
        1, CLOSE, 1) + call(0, RESOLVE, 1) + call(0, CLOSE, 1) + call(0, CLOSE, 1)
    yield "port-peer-dies", ports + bye(1) + call(0, RESOLVE, 1)
    yield "bind-wrong", (ports + call(1, BIND, 1, 1) + call(1, BIND, 1, 0) + call(
        1, BIND, 77, 1) + call(1, BIND, SELF, 1) + call(1, BIND, 1, ALL_ONES))
    yield "virq", hello(0, 0, EVTCHN) + call(0, VIRQ, 3) + call(
        0, VIRQ, 3) + call(0, VIRQ, 99) + hello(1, 1, EVTCHN) + call(
        1, VIRQ, 3) + call(1, VIRQ, 0)
    yield "restricted", ports + call(1, RESTRICT, 1) + call(
        1, RESTRICT, 2) + call(1, VIRQ, 1) + call(1, UNBOUND, 1) + call(
        1, BIND, 2, 1)
    yield "adopt", ports + hello(2, 1, EVTCHN) + call(2, ADOPT, EVENTFD) + call(
        2, RESOLVE, 1) + bye(0) + call(2, CLOSE, 1) + bye(1) + call(2, ADOPT, 0)
    yield "to-myself", hello(0, 1, EVTCHN) + call(0, UNBOUND, SELF) + call(
        0, BIND, SELF, 1) + call(0, RESOLVE, 1) + call(0, RESOLVE, 2) + call(
        0, RESOLVE, 0) + call(0, CLOSE, 1) + call(0, CLOSE, 2)
    yield "all-ports", hello(0, 1, EVTCHN) + call(0, UNBOUND, 0) * 4097
    yield "adopt-other-kinds", (hello(0, 0, EVTCHN) + call(
        0, UNBOUND, 0) + hello(1, 0, GRANTS) + call(1, ADOPT, EVENTFD) + bye(
        1) + hello(2, 0, SHARES) + call(2, ADOPT, EVENTFD))
    yield "adopt-own", hello(0, 0, EVTCHN) + call(0, ADOPT, EVENTFD)
    yield "wrong-kinds", (hello(0, 0, GRANTS) + call(0, SHARE, 1, 1) + call(
        0, UNBOUND, 1) + call(0, BIND, 1, 1) + call(0, VIRQ, 1) + call(
        0, RESTRICT, 1) + call(0, CLOSE, 1) + hello(1, 0, EVTCHN) + call(
        1, SHARE, 1, 1))
    yield "unknown", hello(0, 0, GRANTS) + call(0, 14) + call(0, 0)
    yield "short", conn(0, 0) + u8(2) + u8(0) + u8(3) + b"abc"
    yield "n-too-large", conn(0, 0) + u8(2) + u8(0) + u8(24) + u32(3) + bytes(
        16) + u32(2**32 - 1)
    yield "n-without-refs", conn(0, 0) + u8(2) + u8(0) + u8(24) + u32(4) + bytes(
        16) + u32(4)
    yield "refs-without-n", conn(0, 0) + u8(2) + u8(0) + u8(28) + u32(4) + bytes(
        24)


# ---- control ----------------------------------------------------------------

def control():
    def line(text, piece=0):
        return u8(piece) + text.encode("latin-1") + b"\n"
    v = '{"version":1,"command":'
    yield "ping", line(v + '"ping"}')
    yield "list", line(v + '"list"}')
    yield "stat", line(v + '"stat"}')
    yield "stat-byte-by-byte", line(v + '"stat"}', 1)
    yield "stat-disk", line(v + '"stat","domain":3,"vdev":51712}')
    yield "stat-names", line(v + '"stat","domain":"guest1","vdev":"xvda"}')
    yield "stat-nobody", line(v + '"stat","domain":"nobody"}')
    yield "stat-no-such", line(v + '"stat","domain":9,"vdev":"xvdb"}')
    yield "stat-domain-negative", line(v + '"stat","domain":-1}')
    yield "stat-domain-null", line(v + '"stat","domain":null}')
    yield "stat-vdev-wrong", line(v + '"stat","vdev":"zzz"}')
    yield "stat-vdev-large", line(v + '"stat","vdev":4294967296}')
    for name, size in (("grow", "2097152"), ("shrink", "512"), ("odd", "513"),
                       ("0", "0"), ("text", '"1M"'), ("same", "1048576"),
                       ("huge", "9223372036854775807"),
                       ("too-huge", "18446744073709551616")):
        for dom in (3, 4):
            yield f"resize-{name}-{dom}", line(
                v + f'"resize","domain":{dom},"vdev":51712,"size_bytes":{size}}}')
    yield "resize-what", line(v + '"resize","size_bytes":512}')
    yield "resize-no-such", line(v + '"resize","domain":3,"vdev":1,"size_bytes":512}')
    yield "version-2", line('{"version":2,"command":"ping"}')
    yield "version-text", line('{"version":"1","command":"ping"}')
    yield "no-version", line('{"command":"ping"}')
    yield "no-command", line('{"version":1}')
    yield "unknown", line(v + '"halt"}')
    yield "binary-command", line(v + '"\\u001b[31m\xff"}')
    yield "misspelt", line(v + '"stat","domian":3}')
    yield "array", line("[1,2]")
    yield "text", line('"ping"')
    yield "nothing", line("")
    yield "half", line('{"version":1,')
    yield "more", line(v + '"ping"} x')
    yield "comment", line(v + '"ping"} /* x */')
    yield "deep", line("[" * 100)
    yield "nul", line(v + '"ping"\0}')
    yield "many", u8(0) + (v + '"list"}\n').encode() * 40
    yield "many-in-pieces", u8(7) + (v + '"ping"}\n').encode() * 9
    yield "no-end", u8(0) + (v + '"ping"}').encode()
    yield "too-long", u8(0) + b" " * 65536 + b"\n"
    yield "long", u8(0) + b" " * 65000 + (v + '"ping"}\n').encode()


# ---- cache and pool ---------------------------------------------------------

def cache():
    def g(n):                      # a gref: 0xc0 and up stand for themselves
        return u8(0xc0 | n)

    def take(n):
        return u8(0) + g(n)

    def give(i):
        return u8(3) + u8(i)

    def evict(idle, most):
        return u8(4) + u8(idle) + u8(most)

    def later(ms):
        return u8(7) + u8(ms)
    shrink = u8(5) + u8(3)
    no_memory, bad_ref, works = (u8(6) + u8(i) for i in (1, 2, 0))
    for cap in (0, 1, 2, 8, 40):
        yield f"cap-{cap}", u8(cap) + b"".join(take(i) for i in range(10)) + give(
            0) * 4 + b"".join(take(i) for i in range(10))
    yield "hit", u8(8) + take(1) + give(0) + take(1) + give(0) + take(1)
    yield "in-use", u8(8) + take(1) + take(1) + give(0) + give(0)
    yield "no-memory", u8(8) + no_memory + take(1) + works + take(1)
    yield "bad-ref", u8(8) + bad_ref + take(1) + take(2) + works + take(1)
    yield "idle", u8(8) + take(1) + take(2) + give(0) + later(50) + give(
        0) + later(60) + evict(55, 8) + evict(55, 8) + take(1)
    yield "idle-off", u8(8) + take(1) + give(0) + later(255) + evict(0, 8)
    yield "clock-back", u8(8) + later(255) + take(1) + give(0) + u8(7) + u8(
        100) + u8(255) + evict(1, 8)
    yield "overflow-evicts", u8(2) + take(1) + take(2) + give(0) + give(0) + take(
        3) + evict(0, 8) + take(3) + take(1)
    yield "overflow-none-idle", u8(1) + take(1) + take(2) + evict(0, 8) + give(
        0) + evict(0, 8)
    yield "most-is-0", u8(2) + take(1) + give(0) + later(9) + evict(1, 0)
    yield "lru", u8(3) + take(1) + take(2) + take(3) + give(1) + give(0) + give(
        0) + take(2) + give(2) + shrink + take(2)
    yield "shrink", u8(8) + b"".join(take(i) for i in range(6)) + give(
        0) * 5 + shrink + shrink + shrink
    yield "extremes", u8(40) + b"".join(u8(0) + u8(i * 8) + u32(i << 20)
                                        for i in range(24))
    yield "ascending", u8(40) + b"".join(take(i) for i in range(40))
    yield "descending", u8(40) + b"".join(take(39 - i) for i in range(40))
    yield "held-at-the-end", u8(8) + take(1) + take(2) + give(0)
    yield "turnover", u8(8) + b"".join(
        take(i) + give(i % 8) + (evict(0, 2) if i % 7 == 0 else b"")
        for i in range(60))
    yield "empty", u8(8)


def pool():
    def take(n):
        return u8(0) + u8(n - 1)

    def give(i, wipe=0):
        return u8(3) + u8(i) + u8(wipe)
    trim = u8(6)

    def room(n):
        return u8(7) + u8(n)
    for most in (0, 1, 7, 22, 130):
        yield f"max-{most}", u8(most) + u8(255) + take(1) + take(11) + take(
            40) + give(0) * 3 + take(2)
    yield "lifo", u8(64) + u8(255) + take(4) + give(2) + give(1) + take(1) + take(1)
    yield "wipe", u8(64) + u8(255) + take(3) + give(0, 1) + give(0, 1) + take(2)
    yield "empty", u8(22) + u8(255) + take(22) + take(1) + give(5) + take(
        1) + take(2)
    yield "room-0", u8(64) + u8(0) + take(1)
    yield "room-1", u8(64) + u8(1) + take(1) + take(1) + give(0) + take(1)
    yield "room-5", u8(64) + u8(5) + take(3) + take(3) + give(0) + take(3)
    yield "room-45", u8(130) + u8(45) + take(40) + take(11) + give(0) + take(1)
    yield "room-comes", u8(64) + u8(4) + take(4) + room(200) + take(8)
    yield "room-goes", u8(130) + u8(255) + take(4) + room(0) + take(40) + give(
        0) + take(1)
    yield "retry", u8(64) + u8(3) + take(3) + take(2) * 64 + room(99) + take(
        2) * 64 + take(2)
    yield "trim-idle", u8(64) + u8(255) + take(4) + give(0) * 4 + trim + take(1)
    yield "trim-busy", u8(130) + u8(255) + take(40) + give(0) * 39 + trim + take(
        5) + trim
    yield "trim-all-busy", u8(40) + u8(255) + take(40) + trim
    yield "trim-nothing", u8(40) + u8(255) + trim
    yield "three-chunks", u8(96) + u8(255) + take(40) + take(40) + give(
        70) + give(3) + give(40) + trim + take(3)
    yield "turnover", u8(50) + u8(255) + b"".join(
        take(i % 11 + 1) + give(i) + give(0) + (trim if i % 9 == 0 else b"")
        for i in range(40))
    yield "given-twice", u8(8) + u8(255) + take(2) + give(0) + give(0) + give(0)
    yield "all-operations", u8(60) + u8(255) + bytes(range(0, 200, 3))


TARGETS = {"request": request, "response": response, "keys-back": keys_back,
           "keys-front": keys_front, "xstore": xstore, "hypercall": hypercall,
           "control": control, "cache": cache, "pool": pool}


def main():
    for target in sys.argv[1:] or TARGETS:
        folder = os.path.join(HERE, "corpus", target)
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            if not name.startswith("found-"):
                os.unlink(os.path.join(folder, name))
        n = 0
        for name, data in TARGETS[target]():
            with open(os.path.join(folder, name), "xb") as f:
                f.write(data)
            n += 1
        print(f"{target}: {n} seeds")


if __name__ == "__main__":
    main()
