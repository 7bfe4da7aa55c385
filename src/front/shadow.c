/* SPDX-License-Identifier: MIT */
/* The private table of what is on the ring. A response is peer bytes: it names
 * a slot, and everything else about the request comes from here, never from
 * the ring (T-BADRSP). */
#include "front.h"

void front_shadow_init(struct front_shadow *s, uint32_t slots)
{
        s->slots = slots;
        s->used = 0;
        for (uint32_t i = 0; i < slots; i++) {
                s->part[i] = NULL;
                s->free[i] = (uint16_t)(slots - 1 - i);
        }
}

int front_shadow_put(struct front_shadow *s, struct front_part *p)
{
        uint16_t slot;

        if (s->used == s->slots)
                return -1;
        slot = s->free[s->slots - ++s->used];
        s->part[slot] = p;
        return slot;
}

static struct front_part *take(struct front_shadow *s, uint32_t slot)
{
        struct front_part *p = s->part[slot];

        s->part[slot] = NULL;
        s->free[s->slots - s->used--] = (uint16_t)slot;
        return p;
}

void front_shadow_expect(const struct front_shadow *s,
                         const struct blk_response *rsp)
{
        const char *part = NULL;

        if (rsp->id < s->slots)
                part = (const char *)s->part[rsp->id];
        for (size_t i = 0; part && i < FRONT_PART_LINES; i++)
                __builtin_prefetch(part + i * COPY_LINE_BYTES, 1);
}

struct front_part *front_shadow_match(struct front_shadow *s,
                                      const struct blk_response *rsp,
                                      uint32_t req_pushed, const char **why)
{
        const struct front_part *p;

        if (rsp->id >= s->slots) {
                *why = "a response with an id that was never used";
                return NULL;
        }
        p = s->part[rsp->id];
        if (!p) {
                *why = "a response to no outstanding request";
                return NULL;
        }
        if ((int32_t)(req_pushed - p->ring_index) <= 0) {
                *why = "a response before its request";
                return NULL;
        }
        if (rsp->op != p->wire_op) {
                *why = "a response with another operation";
                return NULL;
        }
        if (rsp->status > BLK_OKAY || rsp->status < BLK_EOPNOTSUPP) {
                *why = "a response with an unknown status";
                return NULL;
        }
        return take(s, (uint32_t)rsp->id);
}

struct front_part *front_shadow_oldest(struct front_shadow *s)
{
        uint32_t oldest = s->slots;

        for (uint32_t i = 0; i < s->slots; i++) {
                const struct front_part *p = s->part[i];

                if (!p)
                        continue;
                if (oldest == s->slots ||
                    (int32_t)(p->ring_index - s->part[oldest]->ring_index) < 0)
                        oldest = i;
        }
        return oldest == s->slots ? NULL : take(s, oldest);
}
