/* SPDX-License-Identifier: MIT */
/* A vhost-user-blk client for `evergrant-bench peers`: one split virtqueue in
 * shared memory, polled. Trusts the server, which the benchmark has started. */
#ifndef EVERGRANT_BENCH_VHOST_H
#define EVERGRANT_BENCH_VHOST_H

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_DESCS 1024u /* three a request */
#define VHOST_MOST 256u   /* requests at once */

struct vhost_disk {
        int fd; /* the socket */
        int kick_fd, call_fd;
        uint64_t size_bytes;
        /* One shared memory: queue, then headers and status bytes, then data.
         */
        char *memory;
        size_t memory_bytes;
        struct vring_desc *desc;
        struct vring_avail *avail;
        struct vring_used *used;
        struct virtio_blk_outhdr *headers;
        uint8_t *status;
        char *data;
        uint64_t data_bytes;
        uint16_t made, seen; /* avail and used indices */
};

/* 0 or -errno; `what` is then the step that failed. */
int vhost_open(struct vhost_disk *d, const char *path, const char **what);

/* Requests are named by a slot below VHOST_MOST, whose data are at
 * d->data + slot * bytes. */
void vhost_submit(struct vhost_disk *d, unsigned slot, bool write,
                  uint64_t offset_bytes, uint32_t bytes);
/* Tells the server of what was submitted. */
void vhost_kick(struct vhost_disk *d);
/* The next slot that was answered, or -1; *ok: without an error. */
int vhost_answer(struct vhost_disk *d, bool *ok);

#endif
