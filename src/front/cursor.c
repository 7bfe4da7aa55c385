/* SPDX-License-Identifier: MIT */
/* Walking over the caller's memory, whatever its pieces are. */
#include "common/copy.h"
#include "front.h"

#include <errno.h>
#include <string.h>

void front_cursor_init(struct front_cursor *c, const struct iovec *iov,
                       size_t skip_bytes)
{
        c->iov = iov;
        c->at = 0;
        c->in_bytes = 0;
        front_cursor_skip(c, skip_bytes);
}

/* The longest piece in one run from the cursor, at most max_bytes. Empty
 * pieces are stepped over; the caller knows that there is more. */
static void *cursor_piece(struct front_cursor *c, size_t max_bytes, size_t *len)
{
        const struct iovec *v;

        while (c->iov[c->at].iov_len == c->in_bytes) {
                c->at++;
                c->in_bytes = 0;
        }
        v = &c->iov[c->at];
        *len = min_u64(v->iov_len - c->in_bytes, max_bytes);
        return (char *)v->iov_base + c->in_bytes;
}

void front_cursor_skip(struct front_cursor *c, size_t len_bytes)
{
        while (len_bytes) {
                size_t n;

                (void)cursor_piece(c, len_bytes, &n);
                c->in_bytes += n;
                len_bytes -= n;
        }
}

static void copy_out(struct front_cursor c, void *dst, size_t len_bytes,
                     copy_fn *copy)
{
        while (len_bytes) {
                size_t n;
                const void *piece = cursor_piece(&c, len_bytes, &n);

                copy(dst, piece, n);
                dst = (char *)dst + n;
                c.in_bytes += n;
                len_bytes -= n;
        }
}

void front_cursor_copy_out(struct front_cursor c, void *dst, size_t len_bytes)
{
        copy_out(c, dst, len_bytes, memcpy);
}

void front_cursor_to_pages(struct front_cursor c, uint8_t *const *mem,
                           size_t at_bytes, size_t len_bytes,
                           bool read_elsewhere)
{
        copy_fn *copy = read_elsewhere ? copy_past_caches : memcpy;
        size_t end = at_bytes + len_bytes;

        while (at_bytes < end) {
                size_t in_page = at_bytes % GRANT_PAGE_BYTES;
                size_t n = min_u64(end - at_bytes, GRANT_PAGE_BYTES - in_page);

                copy_out(c, mem[at_bytes / GRANT_PAGE_BYTES] + in_page, n,
                         copy);
                front_cursor_skip(&c, n);
                at_bytes += n;
        }
}

void front_cursor_from_pages(struct front_cursor c, uint8_t *const *mem,
                             size_t at_bytes, size_t len_bytes)
{
        size_t end = at_bytes + len_bytes;

        while (at_bytes < end) {
                size_t in_page = at_bytes % GRANT_PAGE_BYTES;
                size_t max =
                        min_u64(end - at_bytes, GRANT_PAGE_BYTES - in_page);
                size_t n;
                void *piece = cursor_piece(&c, max, &n);

                copy_through_caches(
                        piece, mem[at_bytes / GRANT_PAGE_BYTES] + in_page, n);
                c.in_bytes += n;
                at_bytes += n;
        }
}

int front_iov_bytes(const struct iovec *iov, unsigned niov, uint64_t *bytes)
{
        uint64_t sum = 0;

        if (niov && !iov)
                return -EINVAL;
        for (unsigned i = 0; i < niov; i++) {
                if (!add_u64(sum, iov[i].iov_len, &sum))
                        return -EINVAL;
        }
        if (sum == 0 || sum > INT64_MAX)
                return -EINVAL;
        *bytes = sum;
        return 0;
}
