/* SPDX-License-Identifier: MIT */
/* Persistent grants of one ring: the frontend's pool (src/grant/pool.c), the
 * backend's cache with its cap and its purges (src/grant/cache.c,
 * src/back/data.c), requests in flight, pages that are revoked and granted
 * anew at any moment, and connections one after the other. Which idle page a
 * purge takes is left open, so that every rule of eviction is covered.
 *
 * A gref g leads to a frame; a frame that the guest got back and uses for
 * something else is another frame number.
 *
 * Claims:
 * - no page is given back to the guest's memory while it is mapped (H19, F3);
 * - no page is unmapped while a request uses it (H18), and a request reads and
 *   writes the frame that the guest means;
 * - kept pages stay within the cap, and what is not kept is unmapped before
 *   the response;
 * - Closed means that nothing is mapped; all comes to an end.
 *
 * -DDUPLICATES: a frontend that puts one gref into several requests.
 * -DREVOKES: one that revokes what is in flight.
 * -DSUDDEN: one that closes with requests in flight.
 * -DM_…: a mistake that must be found; see scripts/model. */

#ifndef G
#define G 2 /* grefs */
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef R
#define R 3 /* requests a connection */
#endif
#define S 2 /* slots of the ring */
#define ROUNDS 2

/* the hypervisor's grant table */
bool granted[G];
byte frame[G];
byte pins[G];

/* the ring, and the two states */
chan ring = [S] of { byte };
chan rsp = [S] of { byte };
bool connected, closing, closed;

byte inflight[G]; /* the frontend's view */
bool kept[G];     /* the backend's */
byte transients[G];

#define MAPPED(g) (kept[g] + transients[g])

/* The guest's page goes back to its allocator, and the gref is free. */
inline give_back(g)
{
        assert(pins[g] == 0);
        frame[g] = (frame[g] + 1) % 4
}

inline take_response()
{
        rsp?g;
#if !defined(DUPLICATES)
        /* Revocable at once, but for what is kept. */
        assert(pins[g] == kept[g]);
#endif
        inflight[g]--; total--
}

active proctype frontend()
{
        byte n, g, total, round;

        do
        :: round == ROUNDS -> break
        :: else ->
                atomic {
                        for (g : 0 .. G - 1) { granted[g] = 1 };
                        g = 0; n = 0; closed = 0; closing = 0; connected = 1
                };
                do
                :: atomic { n < R && total < S ->
                        select(g : 0 .. G - 1);
                        if
#ifdef DUPLICATES
                        :: granted[g] ->
#else
#ifdef M_GIVES_TWICE
                        :: granted[g] ->
#else
                        :: granted[g] && !inflight[g] ->
#endif
#endif
#ifndef DUPLICATES
                                assert(!inflight[g]);
#endif
                                inflight[g]++; total++; n++; ring!g
                        :: else
                        fi; g = 0 }
                :: atomic { nempty(rsp) -> take_response(); g = 0 }
                /* the pool shrinks, or the guest does as it likes */
                :: atomic { select(g : 0 .. G - 1);
                        if
#ifdef REVOKES
                        :: granted[g] -> granted[g] = 0
#else
                        :: granted[g] && !inflight[g] -> granted[g] = 0
#endif
                        :: else
                        fi; g = 0 }
                /* what was mapped when it was revoked waits for the unmap */
                :: atomic { select(g : 0 .. G - 1);
                        if
#ifdef M_FREES_WHAT_IS_MAPPED
                        :: !granted[g] ->
#else
                        :: !granted[g] && pins[g] == 0 && !inflight[g] ->
#endif
                                give_back(g); granted[g] = 1
                        :: else
                        fi; g = 0 }
                :: n == R && total == 0 -> break
#ifdef SUDDEN
                :: n > 0 -> break
#endif
                od;
                closing = 1;
                do
                :: atomic { nempty(rsp) -> take_response(); g = 0 }
                :: atomic { closed && empty(rsp) -> break }
                od;
                atomic {
                        do
                        :: nempty(ring) -> ring?g
                        :: empty(ring) -> break
                        od;
                        for (g : 0 .. G - 1) {
                                granted[g] = 0; inflight[g] = 0; give_back(g)
                        };
                        g = 0; total = 0; round++
                }
        od
}

#define FREE 0
#define KEPT 1
#define TRANSIENT 2
#define FAILED 3

/* grant_cache_acquire, and the transient map of what it does not keep */
inline acquire(i)
{
        if
        :: kept[g] && !held[g] -> held[g] = 1; how[i] = KEPT
#ifdef M_SHARES_WHAT_IS_HELD
        :: kept[g] && held[g] -> how[i] = KEPT
#else
        :: kept[g] && held[g] -> map_transient(i)
#endif
#ifdef M_OVER_THE_CAP
        :: !kept[g] ->
#else
        :: !kept[g] && nkept >= CAP -> map_transient(i)
        :: !kept[g] && nkept < CAP ->
#endif
                if
                :: granted[g] ->
                        pins[g]++; kept[g] = 1; held[g] = 1; nkept++;
                        kept_frame[g] = frame[g]; how[i] = KEPT
                :: else -> how[i] = FAILED
                fi
        fi
}

inline map_transient(i)
{
        if
        :: granted[g] ->
                pins[g]++; transients[g]++; frame_of[i] = frame[g];
                how[i] = TRANSIENT
        :: else -> how[i] = FAILED
        fi
}

/* The store reads or writes the page, at any time before the response. */
inline use(i)
{
        if
        :: how[i] == KEPT ->
                assert(kept[gref[i]]);
                assert(kept_frame[gref[i]] == frame[gref[i]])
        :: how[i] == TRANSIENT ->
                assert(transients[gref[i]] > 0);
                assert(frame_of[i] == frame[gref[i]])
        :: else
        fi;
        used[i] = 1
}

inline let_go(i)
{
        if
        :: how[i] == KEPT -> held[gref[i]] = 0
        :: how[i] == TRANSIENT ->
                pins[gref[i]]--; transients[gref[i]]--
        :: else
        fi
}

inline respond(i)
{
#ifdef M_RESPONDS_FIRST
        rsp!gref[i];
        late[i] = 1; used[i] = 0
#else
        let_go(i);
        rsp!gref[i];
        how[i] = FREE; gref[i] = 0; used[i] = 0; frame_of[i] = 0
#endif
}

inline unmap_kept()
{
        for (g : 0 .. G - 1) {
                if
                :: kept[g] ->
                        kept[g] = 0; held[g] = 0; pins[g]--;
                        kept_frame[g] = 0
                :: else
                fi
        };
        g = 0; nkept = 0
}

#define SLOT(i) \
        :: atomic { connected && !closing && how[i] == FREE && \
                    nempty(ring) -> \
                ring?g; gref[i] = g; acquire(i); g = 0; \
                assert(nkept <= CAP) } \
        :: atomic { how[i] != FREE && !used[i] && !late[i] -> use(i) } \
        :: atomic { how[i] != FREE && used[i] -> respond(i) } \
        :: atomic { late[i] -> let_go(i); late[i] = 0; how[i] = FREE; \
                    gref[i] = 0; frame_of[i] = 0 }

active proctype backend()
{
        byte g, nkept;
        byte how[S], gref[S], frame_of[S], kept_frame[G];
        bool held[G], used[S], late[S];

end:    do
        SLOT(0)
        SLOT(1)
        /* grant_cache_evict, grant_cache_shrink: any idle page */
        :: atomic { nkept > 0 ->
                select(g : 0 .. G - 1);
                if
#ifdef M_EVICTS_WHAT_IS_HELD
                :: kept[g] ->
#else
                :: kept[g] && !held[g] ->
#endif
                        kept[g] = 0; pins[g]--; nkept--; kept_frame[g] = 0;
                        held[g] = 0
                :: else
                fi; g = 0 }
#ifdef M_CLOSES_WITH_REQUESTS
        :: atomic { connected && closing && !closed ->
#else
        :: atomic { connected && closing && !closed && how[0] == FREE &&
                    how[1] == FREE ->
#endif
#ifndef M_KEEPS_THE_CACHE
                unmap_kept();
#endif
                connected = 0; closed = 1 }
        od
}
