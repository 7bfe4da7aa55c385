/* SPDX-License-Identifier: MIT */
/* libevergrant: a Xen virtual disk (vbd) as seen from inside a domain, for
 * ordinary processes. The library is the frontend of the block protocol: it
 * finds the disk in the domain's xenstore directory, connects to whatever
 * backend serves it and moves data through pages that are shared once and used
 * again and again (persistent grants).
 *
 *      struct eg_disk *disk;
 *
 *      if (eg_open(&disk, "xvda", NULL) < 0)
 *              errx(1, "%s", eg_error());
 *      eg_pread(disk, buf, 4096, 0);
 *      eg_close(disk);
 *
 * Errors. Every call that returns int gives 0 (or a count) or a negative
 * errno; eg_error() has a sentence about the calling thread's last failure.
 *
 * Threads. All calls on one disk may be made by several threads at once,
 * except eg_close, which must be the last. A struct eg_io and an eg_buf belong
 * to one thread at a time. done callbacks run inside eg_process (and eg_close)
 * and nowhere else: never inside eg_submit, never inside a blocking call of
 * another thread. No lock is held while they run; they may call anything but
 * eg_close and eg_process. An open disk does not survive fork(): open it in
 * the process that uses it.
 *
 * Units: every size and offset is in bytes. Offsets and lengths on the disk are
 * multiples of eg_info.block_bytes (512 nearly always); memory may have any
 * alignment. */
#ifndef EVERGRANT_H
#define EVERGRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define EG_API __attribute__((visibility("default")))
#else
#define EG_API
#endif

struct eg_disk; /* an open disk */
struct eg_buf;  /* pages that are already shared with the backend */

/* ---- options ------------------------------------------------------------- */

enum eg_reconnect {
        EG_RECONNECT_WAIT = 0, /* wait for the backend to come back (default) */
        EG_RECONNECT_NEVER,    /* its leaving fails all I/O with ENODEV */
};

enum eg_log_level { EG_LOG_ERR, EG_LOG_WARNING, EG_LOG_INFO, EG_LOG_DEBUG };

/* Fill with eg_options_init, then change what you want to. */
/* A short look around saves a sleep and a wake-up, and most of the latency;
 * it takes a processor. */
enum eg_polling {
        EG_POLLING_OFF,
        /* While it pays, with at most a quarter of a processor where it does
         * not, and not while others want the processor. */
        EG_POLLING_AUTO,
        EG_POLLING_ON, /* always, 10 ms at a time */
};

struct eg_options {
        /* The ring has 1 << ring_order pages of 32 requests each: 0 to 4.
         * The backend may allow less; that is no error. Default 0. */
        unsigned ring_order;
        /* At most this many pages a ring are ever shared for data. Default
         * 1,056; from 22 to 65,536. When they are all busy, I/O waits. */
        unsigned pool_pages;
        /* Offer persistent grants: the backend may keep pages mapped between
         * requests. Default true. */
        bool persistent;
        /* The path that persistent grants replace: share fresh pages for each
         * request, take them back after the response. Slow; for comparison,
         * usually with persistent = false. Default false. */
        bool share_per_request;
        /* The backend shall not see data of earlier requests: pages are zeroed
         * before they are used again. Also switched on by a node "trusted" of 0
         * in the disk's xenstore directory. Default false. */
        bool untrusted_backend;
        /* eg_open gives up after this; 0: never. Default 20,000. */
        unsigned connect_timeout_ms;
        /* How long eg_close waits, first for outstanding I/O, then for each
         * step of the backend's goodbye. Default 5,000. */
        unsigned close_timeout_ms;
        enum eg_reconnect reconnect;
        /* With EG_RECONNECT_WAIT: I/O fails with ENODEV if the backend is not
         * back after this; 0: wait for ever. Default 0. */
        unsigned reconnect_timeout_ms;
        /* Data of writes that were accepted but do not fit into the pool yet
         * is copied aside, up to this. Default 16 MiB. */
        size_t queue_bytes;
        /* Where log lines go; NULL: stderr. May run on any thread that uses
         * the disk, with the disk's lock held: it must not call the library. */
        void (*log)(void *arg, enum eg_log_level level, const char *line);
        void *log_arg;
        /* At most this many pages a request, if the backend takes indirect
         * requests, whose list of pages is itself in a shared page: 0 to 256;
         * up to 11 it needs none and asks for none. Default 32 (128 KiB). */
        unsigned max_indirect_segs;
        /* Rings to spread requests over, each with a pool of pool_pages and
         * an event channel of its own: 1 to 16, fewer if the backend serves
         * fewer. Default 1. */
        unsigned queues;
        /* Whether eg_wait and the blocking calls look at the ring for a while
         * before they sleep. Default EG_POLLING_AUTO. */
        enum eg_polling polling;
        uint64_t reserved[6]; /* zero */
};
EG_API void eg_options_init(struct eg_options *opts);

/* ---- opening and closing ------------------------------------------------- */

/* Opens the disk that the domain knows as vdev ("xvda", "51712") and waits
 * until it is connected. opts may be NULL.
 * EINVAL     vdev or an option makes no sense
 * ENOENT     there is no xenstore, or this domain has no such disk
 * EBUSY      another process of this domain has it open
 * EPERM      the xenstore entries are not consistent; refused
 * EPROTO     the backend says something impossible about the disk
 * ENODEV     the disk is being removed
 * ECONNREFUSED  the backend did not take what this side offered
 * ETIMEDOUT  the backend did not connect in time
 * ENOSPC     no pages can be shared (see xen_gntalloc's limit)
 * ENOMEM, EMFILE, EACCES as usual. *disk is set only if 0 is returned. */
EG_API int eg_open(struct eg_disk **disk, const char *vdev,
                   const struct eg_options *opts);

/* Waits for outstanding I/O (close_timeout_ms), tells the backend goodbye,
 * takes all pages back. I/O that is still not answered is completed with
 * ESHUTDOWN. Callbacks that were due run here. All eg_bufs of the disk must
 * have been freed. Accepts NULL. */
EG_API void eg_close(struct eg_disk *disk);

/* A sentence about this thread's last failed call; valid until its next. */
EG_API const char *eg_error(void);

/* ---- what the disk is ---------------------------------------------------- */

enum eg_state {
        EG_STATE_CONNECTING, /* or paused: the backend is away */
        EG_STATE_CONNECTED,
        EG_STATE_GONE,  /* removed: all I/O fails with ENODEV */
        EG_STATE_ERROR, /* the backend broke the protocol: EIO */
};
EG_API const char *eg_state_name(enum eg_state s);

struct eg_info {
        uint64_t size_bytes;           /* may change while the disk is open */
        uint32_t block_bytes;          /* offsets and lengths: multiples */
        uint32_t physical_block_bytes; /* what avoids read-modify-write */
        uint32_t max_transfer_bytes;   /* one request; longer I/O is split */
        bool readonly;
        bool can_flush;   /* false: eg_flush has nothing to do, gives 0 */
        bool can_discard; /* false: eg_discard gives EOPNOTSUPP */
        bool removable, cdrom;
        bool persistent; /* both sides said so */
        bool untrusted;  /* pages are zeroed before they are used again */
        bool can_discard_secure; /* with EG_IO_SECURE */
        uint32_t discard_granularity_bytes;
        uint32_t ring_order, ring_slots; /* of each ring */
        uint32_t vdev;
        uint32_t backend_domid;
        uint32_t queues;        /* rings; 0 while the backend is away */
        uint32_t indirect_segs; /* agreed; 0: no indirect requests */
        uint64_t reserved[7];
};
/* As of the last connect. */
EG_API void eg_info(struct eg_disk *disk, struct eg_info *info);

struct eg_stats {
        enum eg_state state;
        uint64_t ios;      /* accepted by eg_submit and the blocking calls */
        uint64_t requests; /* put on the ring, those sent again included */
        uint64_t segments;
        uint64_t bytes_read, bytes_written; /* answered OKAY */
        uint64_t errors;                    /* requests not answered OKAY */
        uint64_t inflight;                  /* requests now */
        uint64_t waiting;                   /* I/Os not wholly on the ring */
        uint64_t resubmitted; /* requests sent again: after a reconnect, or
                                 apart after a merged one failed */
        uint64_t reconnects;
        uint64_t bad_responses; /* impossible; the first one ends it */
        uint64_t notifications; /* events sent */
        uint64_t events;        /* events received */
        uint64_t pool_pages, pool_taken, pool_taken_high, pool_empty;
        /* Flat in steady state, except with share_per_request. */
        uint64_t share_calls, unshare_calls;
        uint64_t bounced_bytes;     /* writes that were copied aside */
        uint64_t polls, poll_finds; /* looks before sleeping; of these, with
                                     * success */
        uint64_t merged; /* I/Os that went along in another one's request */
        uint64_t reserved[5];
};
EG_API void eg_stats(struct eg_disk *disk, struct eg_stats *stats);

/* ---- asynchronous I/O ---------------------------------------------------- */

enum eg_op { EG_READ, EG_WRITE, EG_FLUSH, EG_DISCARD };

/* Writes: iov's memory stays unchanged until done, so nothing needs to be
 * copied aside when the pool is full. */
#define EG_IO_STABLE 1u
/* Discards: no copy of the bytes may be left on the backend's device. */
#define EG_IO_SECURE 2u

/* Owned by the caller, but the library's from eg_submit until done is called;
 * so is the iov array, and the memory of reads. The memory of a write is the
 * caller's again as soon as eg_submit returns 0: what it does to it then cannot
 * change what is written (unless it said EG_IO_STABLE, or uses a buf). */
struct eg_io {
        enum eg_op op;
        unsigned flags;
        uint64_t offset_bytes;
        uint64_t length_bytes; /* of discards, and with buf; else ignored */
        /* Reads and writes: either iov, pieces of any size and alignment whose
         * sum is the length … */
        const struct iovec *iov;
        unsigned niov;
        /* … or, where not NULL, the part of a buf from buf_offset_bytes. */
        struct eg_buf *buf;
        size_t buf_offset_bytes;
        /* Called once, with 0 or -errno. May be NULL. io is the caller's again
         * and may be submitted or freed in it. A part of a read that failed
         * leaves its memory untouched; parts are max_transfer_bytes each, less
         * where few pages can be shared. */
        void (*done)(struct eg_io *io, int error);
        void *user;        /* yours */
        uint64_t priv[16]; /* the library's; needs no initialisation */
};

/* Accepts io, and puts it on the ring as far as there is room; the rest
 * follows by itself, in order. The backend hears of it at the next eg_kick or
 * eg_process, and before that of each eight. While the backend is away, I/O is
 * accepted and waits. Unless 0 is returned, done is not called and io is still
 * the caller's:
 * - EINVAL: not on the block size, past the end, empty, a wrong buf
 * - EROFS: write or discard on a read-only disk
 * - EOPNOTSUPP: discard, where the disk has none, or no secure one
 * - EAGAIN: a write found queue_bytes exhausted; try again after eg_process
 * - ENODEV, EIO: the disk is gone, or broken
 *
 * done gets: 0; EIO (the backend failed it, or the disk broke); ENODEV; ENOSPC
 * (no page can be shared); ENOMEM; EOPNOTSUPP; ESHUTDOWN (eg_close). A flush
 * covers the writes that were done before it was submitted. */
EG_API int eg_submit(struct eg_disk *disk, struct eg_io *io);
/* Tells the backend about what was submitted. One kick for many submits. */
EG_API void eg_kick(struct eg_disk *disk);

/* Readable (POLLIN) when eg_process has something to do. Stays the disk's; do
 * not read from it. */
EG_API int eg_fd(struct eg_disk *disk);
/* Takes responses, follows the backend's state, runs done callbacks, puts
 * waiting I/O on the ring and kicks. Never blocks on I/O. While the backend
 * goes on at the same time: a few answers and their callbacks at a time, so
 * that what these submit keeps it awake. The number of callbacks that it ran,
 * or, once there is none, ENODEV or EIO if the disk is gone or broken. */
EG_API int eg_process(struct eg_disk *disk);
/* Waits for at most timeout_ms (-1: no limit) until eg_process has something
 * to do, then does it; returns what that returns, 0 if there was nothing. Looks
 * at the ring before it sleeps (eg_options.polling), which poll(2) on eg_fd
 * cannot. While the backend goes on at the same time it takes two answers and
 * leaves the others to the next call: submit and kick in between, and neither
 * end falls asleep. A program uses one or the other: after eg_wait, call
 * eg_process once before you poll eg_fd. One thread at a time. */
EG_API int eg_wait(struct eg_disk *disk, int timeout_ms);

/* ---- buffers that are shared already ------------------------------------- */

/* Gives a buffer of the pool's own pages: I/O from and to it is not copied.
 * EINVAL bytes is 0; EAGAIN the pool has not so many pages left (some stay
 * reserved for other I/O); ENOSPC the platform shares no more. The content is
 * undefined. After the backend has gone and come back, a buffer goes on working
 * but its I/O is copied: free it and take a new one at leisure. */
EG_API int eg_buf_alloc(struct eg_disk *disk, size_t bytes,
                        struct eg_buf **buf);
/* No I/O may be using it. Accepts NULL. */
EG_API void eg_buf_free(struct eg_disk *disk, struct eg_buf *buf);
/* Its memory: pieces of 4,096 bytes (the last may be shorter), in order. Valid
 * until eg_buf_free. The backend can see and change these pages at any time:
 * what was read may be used in place only if the backend is trusted not to. One
 * I/O at a time on each page. */
EG_API const struct iovec *eg_buf_iov(const struct eg_buf *buf, unsigned *niov);

/* ---- blocking I/O -------------------------------------------------------- */

/* Everything or nothing: 0, or an error of eg_submit or of done. Several
 * threads may call at once; their I/O is in flight together. While the backend
 * is away they wait. */
EG_API int eg_pread(struct eg_disk *disk, void *buf, size_t len_bytes,
                    uint64_t offset_bytes);
EG_API int eg_pwrite(struct eg_disk *disk, const void *buf, size_t len_bytes,
                     uint64_t offset_bytes);
EG_API int eg_preadv(struct eg_disk *disk, const struct iovec *iov,
                     unsigned niov, uint64_t offset_bytes);
EG_API int eg_pwritev(struct eg_disk *disk, const struct iovec *iov,
                      unsigned niov, uint64_t offset_bytes);
/* Writes that have returned are on stable storage when this returns 0. */
EG_API int eg_flush(struct eg_disk *disk);
/* The range's content may be dropped; what a read gives then is undefined. */
EG_API int eg_discard(struct eg_disk *disk, uint64_t offset_bytes,
                      uint64_t length_bytes);
/* The same, and no copy of the content may be left: EOPNOTSUPP where the
 * backend's device cannot promise that. What reaches the device is what was
 * asked for, or nothing. */
EG_API int eg_discard_secure(struct eg_disk *disk, uint64_t offset_bytes,
                             uint64_t length_bytes);

#ifdef __cplusplus
}
#endif

#endif
