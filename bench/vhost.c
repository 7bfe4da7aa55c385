/* SPDX-License-Identifier: MIT */
#include "vhost.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DATA_BYTES (32u << 20)
#define DATA_OFFSET (1u << 20)
#define HEADERS_OFFSET (256u << 10)
#define STATUS_OFFSET (512u << 10)
#define USED_OFFSET (128u << 10)
#define AVAIL_OFFSET (64u << 10)

/* The vhost-user protocol's numbers. */
enum request {
        GET_FEATURES = 1,
        SET_FEATURES = 2,
        SET_OWNER = 3,
        SET_MEM_TABLE = 5,
        SET_VRING_NUM = 8,
        SET_VRING_ADDR = 9,
        SET_VRING_BASE = 10,
        SET_VRING_KICK = 12,
        SET_VRING_CALL = 13,
        GET_PROTOCOL_FEATURES = 15,
        SET_PROTOCOL_FEATURES = 16,
        SET_VRING_ENABLE = 18,
        GET_CONFIG = 24,
};
#define VERSION 1u
#define HAS_PROTOCOL_FEATURES (1ull << 30)
#define HAS_CONFIG (1ull << 9)

struct message {
        uint32_t request, flags, size;
        union {
                uint64_t number;
                struct {
                        uint32_t index, num;
                } vring;
                struct {
                        uint32_t index, flags;
                        uint64_t desc, used, avail, log;
                } addr;
                struct {
                        uint32_t regions, padding;
                        uint64_t guest, size, user, offset;
                } memory;
                struct {
                        uint32_t offset, size, flags;
                        uint64_t capacity; /* all that we want to know */
                } __attribute__((packed)) config;
        };
} __attribute__((packed));
#define HEADER offsetof(struct message, number)

static int send_message(struct vhost_disk *d, struct message *m, uint32_t size,
                        int fd)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec iov = {m, HEADER + size};
        struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

        m->flags = VERSION;
        m->size = size;
        if (fd >= 0) {
                h.msg_control = control.bytes;
                h.msg_controllen = sizeof(control.bytes);
                control.align.cmsg_level = SOL_SOCKET;
                control.align.cmsg_type = SCM_RIGHTS;
                control.align.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
        }
        if (sendmsg(d->fd, &h, MSG_NOSIGNAL) != (ssize_t)(HEADER + size))
                return errno ? -errno : -EIO;
        return 0;
}

static int receive(struct vhost_disk *d, struct message *m, uint32_t room)
{
        ssize_t n = recv(d->fd, m, HEADER, MSG_WAITALL);

        if (n != (ssize_t)HEADER || m->size > room)
                return -EPROTO;
        if (m->size == 0)
                return 0;
        n = recv(d->fd, (char *)m + HEADER, m->size, MSG_WAITALL);
        return n == (ssize_t)m->size ? 0 : -EPROTO;
}

static int get_number(struct vhost_disk *d, enum request request, uint64_t *v)
{
        struct message m = {.request = request};
        int ret = send_message(d, &m, 0, -1);

        if (ret == 0)
                ret = receive(d, &m, sizeof(m.number));
        *v = m.number;
        return ret;
}

static int set_number(struct vhost_disk *d, enum request request, uint64_t v,
                      int fd)
{
        struct message m = {.request = request, .number = v};

        return send_message(d, &m, sizeof(m.number), fd);
}

static int set_vring(struct vhost_disk *d, enum request request, uint32_t num)
{
        struct message m = {.request = request, .vring = {0, num}};

        return send_message(d, &m, sizeof(m.vring), -1);
}

static int negotiate(struct vhost_disk *d)
{
        uint64_t features, wanted;
        int ret = get_number(d, GET_FEATURES, &features);

        wanted = 1ull << VIRTIO_F_VERSION_1 | HAS_PROTOCOL_FEATURES;
        if (ret < 0 || (features & wanted) != wanted)
                return ret < 0 ? ret : -EPROTO;
        ret = get_number(d, GET_PROTOCOL_FEATURES, &features);
        if (ret < 0 || !(features & HAS_CONFIG))
                return ret < 0 ? ret : -EPROTO;
        ret = set_number(d, SET_PROTOCOL_FEATURES, HAS_CONFIG, -1);
        if (ret == 0)
                ret = set_number(d, SET_FEATURES, wanted, -1);
        if (ret == 0) {
                struct message m = {.request = SET_OWNER};

                ret = send_message(d, &m, 0, -1);
        }
        return ret;
}

static int get_size(struct vhost_disk *d)
{
        struct message m = {.request = GET_CONFIG,
                            .config = {.size = sizeof(m.config.capacity)}};
        int ret = send_message(d, &m, sizeof(m.config), -1);

        if (ret == 0)
                ret = receive(d, &m, sizeof(m.config));
        if (ret == 0 && m.size != sizeof(m.config))
                ret = -EPROTO;
        d->size_bytes = m.config.capacity * 512;
        return ret;
}

static int share_memory(struct vhost_disk *d)
{
        struct message m = {.request = SET_MEM_TABLE};
        int fd = memfd_create("vhost", MFD_CLOEXEC), ret;

        d->memory_bytes = DATA_OFFSET + DATA_BYTES;
        d->data_bytes = DATA_BYTES;
        if (fd < 0 || ftruncate(fd, (off_t)d->memory_bytes) < 0)
                return -errno;
        d->memory = mmap(NULL, d->memory_bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_POPULATE, fd, 0);
        if (d->memory == MAP_FAILED)
                return -errno;
        d->desc = (void *)d->memory;
        d->avail = (void *)(d->memory + AVAIL_OFFSET);
        d->used = (void *)(d->memory + USED_OFFSET);
        d->headers = (void *)(d->memory + HEADERS_OFFSET);
        d->status = (void *)(d->memory + STATUS_OFFSET);
        d->data = d->memory + DATA_OFFSET;
        /* Addresses of the "guest" are ours. */
        m.memory.regions = 1;
        m.memory.guest = m.memory.user = (uintptr_t)d->memory;
        m.memory.size = d->memory_bytes;
        ret = send_message(d, &m, sizeof(m.memory), fd);
        close(fd);
        return ret;
}

static int start_queue(struct vhost_disk *d)
{
        struct message m = {.request = SET_VRING_ADDR,
                            .addr = {.desc = (uintptr_t)d->desc,
                                     .used = (uintptr_t)d->used,
                                     .avail = (uintptr_t)d->avail}};
        int ret;

        d->kick_fd = eventfd(0, EFD_CLOEXEC);
        d->call_fd = eventfd(0, EFD_CLOEXEC);
        if (d->kick_fd < 0 || d->call_fd < 0)
                return -errno;
        d->avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* we poll */
        ret = set_vring(d, SET_VRING_NUM, VHOST_DESCS);
        if (ret == 0)
                ret = set_vring(d, SET_VRING_BASE, 0);
        if (ret == 0)
                ret = send_message(d, &m, sizeof(m.addr), -1);
        if (ret == 0)
                ret = set_number(d, SET_VRING_CALL, 0, d->call_fd);
        if (ret == 0)
                ret = set_number(d, SET_VRING_KICK, 0, d->kick_fd);
        if (ret == 0)
                ret = set_vring(d, SET_VRING_ENABLE, 1);
        return ret;
}

int vhost_open(struct vhost_disk *d, const char *path, const char **what)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int ret;

        memset(d, 0, sizeof(*d));
        *what = "connect";
        if (strlen(path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        memcpy(sa.sun_path, path, strlen(path) + 1);
        d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (d->fd < 0 || connect(d->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
                return -errno;
        *what = "negotiate";
        ret = negotiate(d);
        if (ret < 0)
                return ret;
        *what = "size";
        ret = get_size(d);
        if (ret < 0)
                return ret;
        *what = "share memory";
        ret = share_memory(d);
        if (ret < 0)
                return ret;
        *what = "start the queue";
        return start_queue(d);
}

/* ---- the queue ------------------------------------------------------------
 */

void vhost_submit(struct vhost_disk *d, unsigned slot, bool write,
                  uint64_t offset_bytes, uint32_t bytes)
{
        struct vring_desc *desc = &d->desc[3ul * slot];
        uint16_t first = (uint16_t)(3 * slot);

        d->headers[slot] = (struct virtio_blk_outhdr){
                .type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
                .sector = offset_bytes / 512};
        d->status[slot] = 0xff;
        desc[0] = (struct vring_desc){(uintptr_t)&d->headers[slot],
                                      sizeof(d->headers[slot]),
                                      VRING_DESC_F_NEXT, first + 1};
        desc[1] = (struct vring_desc){
                (uintptr_t)d->data + (uint64_t)slot * bytes, bytes,
                VRING_DESC_F_NEXT | (write ? 0 : VRING_DESC_F_WRITE),
                first + 2};
        desc[2] = (struct vring_desc){(uintptr_t)&d->status[slot], 1,
                                      VRING_DESC_F_WRITE, 0};
        d->avail->ring[d->made++ % VHOST_DESCS] = first;
}

void vhost_kick(struct vhost_disk *d)
{
        const uint64_t one = 1;
        ssize_t n = 0;

        /* The server must see the descriptors before the index, and we its
         * wish after it. */
        __atomic_store_n(&d->avail->idx, d->made, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!(__atomic_load_n(&d->used->flags, __ATOMIC_SEQ_CST) &
              VRING_USED_F_NO_NOTIFY))
                n = write(d->kick_fd, &one, sizeof(one));
        (void)n;
}

int vhost_answer(struct vhost_disk *d, bool *ok)
{
        unsigned slot;

        if (__atomic_load_n(&d->used->idx, __ATOMIC_ACQUIRE) == d->seen)
                return -1;
        slot = d->used->ring[d->seen++ % VHOST_DESCS].id / 3 % VHOST_MOST;
        *ok = d->status[slot] == VIRTIO_BLK_S_OK;
        return (int)slot;
}
