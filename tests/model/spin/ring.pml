/* SPDX-License-Identifier: MIT */
/* The ring between a frontend and a backend, and when they wake each other:
 * src/ring/front_ring.c with src/front/process.c and queue.c on one side,
 * src/ring/back_ring.c with src/back/service.c on the other. Names of C
 * functions stand where their lines are modelled.
 *
 * Claims, for any number of requests, in any order and any batches:
 * - no lost wake-up: nobody sleeps for ever while a request or a response
 *   waits (an invalid end state; the processes have no other end);
 * - each request is taken once, as it was written, and answered once.
 *
 * -DN=…        slots
 * -DNO_SLOTS   indices and events alone, without what is in the slots: more
 *              slots can be searched then
 * -DTSO        each side's stores wait in a buffer, first in first out (x86)
 * -DPSO        they leave it in any order but for releases (weaker machines)
 * neither      sequential consistency
 * -DBARRIER    some requests are barriers: nothing is taken behind one
 * -DHOSTILE_FRONT, -DHOSTILE_BACK   that side writes any index at any time; the
 *              other one must never have more than a ring in hand
 * -DM_…        a mistake that must be found: see MODELS in scripts/model */

#ifndef N
#define N 2
#endif
#ifndef M
#define M (2 * N) /* the indices wrap around at M, as the real ones at 2^32 */
#endif
#define NEXT(i) (((i) + 1) % M)
#define SUB(a, b) (((a) + M - (b)) % M)

/* enum ring_word, then the slots */
#define REQ_PROD 0
#define REQ_EVENT 1
#define RSP_PROD 2
#define RSP_EVENT 3
#define SLOT(i) (4 + (i) % N)
#ifdef NO_SLOTS
byte mem[4];
#else
byte mem[4 + N];
#endif

/* What is in a slot; ids are those of the frontend's shadow table. What was
 * read is wiped: nobody may read it again, and so there are less states. */
#define REQUEST(id) (1 + (id))
#define RESPONSE(id) (1 + N + (id))
byte asked[N]; /* not part of the ring: what each slot has to hold */

bool wake_front, wake_back; /* the two ends' pending bits */

/* ---- memory ---------------------------------------------------------------
 * Nobody reads what he has just written himself, so that a buffer needs no
 * short cut to its owner: each index has one writer, and a slot changes hands
 * only when it has been seen. */
#if defined(TSO) || defined(PSO)
#define DEPTH (N + 2)
chan front_buffer = [DEPTH] of { byte, byte, bool };
chan back_buffer = [DEPTH] of { byte, byte, bool };
#define STORE(side, word, v) side##_buffer ! word, v, 0
#define STORE_RELEASE(side, word, v) side##_buffer ! word, v, 1
#define FENCE(side) empty(side##_buffer) /* ring_fence_full */

/* The memory system: stores reach the memory at some time. */
proctype commit(chan buffer)
{
        byte word, v;

end:    do
#ifdef TSO
        :: atomic { buffer ? word, v, _ -> mem[word] = v; word = 0; v = 0 }
#else
        /* A release waits for what was stored before it; the others only for
         * their own kind. */
        :: atomic { buffer ? word, v, 1 -> mem[word] = v; word = 0; v = 0 }
        :: atomic { buffer ?? eval(REQ_EVENT), v, 0 -> mem[REQ_EVENT] = v; v = 0 }
        :: atomic { buffer ?? eval(RSP_EVENT), v, 0 -> mem[RSP_EVENT] = v; v = 0 }
        :: atomic { buffer ?? eval(REQ_PROD), v, 0 -> mem[REQ_PROD] = v; v = 0 }
        :: atomic { buffer ?? eval(RSP_PROD), v, 0 -> mem[RSP_PROD] = v; v = 0 }
        :: atomic { buffer ?? eval(SLOT(0)), v, 0 -> mem[SLOT(0)] = v; v = 0 }
        :: atomic { buffer ?? eval(SLOT(1)), v, 0 -> mem[SLOT(1)] = v; v = 0 }
#if N > 2
#error "PSO is for N = 2"
#endif
#endif
        od
}
#else
#define STORE(side, word, v) mem[word] = v
#define STORE_RELEASE(side, word, v) mem[word] = v
#define FENCE(side) skip
#endif

#ifdef M_NO_RELEASE_FRONT
#define RELEASE_REQ STORE
#else
#define RELEASE_REQ STORE_RELEASE
#endif
#ifdef M_NO_RELEASE_BACK
#define RELEASE_RSP STORE
#else
#define RELEASE_RSP STORE_RELEASE
#endif

/* ---- the frontend ---------------------------------------------------------
 */

#ifdef HOSTILE_FRONT
proctype front()
{
        byte v;

end:    do
        :: select(v : 0 .. M - 1); mem[REQ_PROD] = v
        :: select(v : 0 .. M - 1); mem[RSP_EVENT] = v
        :: wake_back = 1
        od
}
#else
/* front_ring_waiting: one load, an acquire */
inline front_waiting(n)
{
#ifdef M_NO_ACQUIRE_FRONT
        early = mem[SLOT(rsp_cons)];
#endif
        atomic {
        n = SUB(mem[RSP_PROD], rsp_cons);
        /* broken: an honest backend is never taken for a liar */
#ifdef HOSTILE_BACK
#ifndef M_NO_BOUND_FRONT
        if
        :: n > SUB(req_pushed, rsp_cons) -> n = 0; broken = 1
        :: else
        fi;
#endif
#else
        assert(n <= SUB(req_pushed, rsp_cons))
#endif
        }
}

proctype front()
{
        byte req_prod, req_pushed, rsp_cons, n, v, id;
        bool broken;
        bool quiet;  /* sends no more until everything is answered */
#ifndef NO_SLOTS
        bool out[N]; /* the shadow table: what is on the ring */
#endif
#ifdef M_NO_ACQUIRE_FRONT
        byte early;
#endif

        do
        /* eg_submit, front_dispatch: as many as are free, then front_publish */
        :: atomic { !broken && !quiet && SUB(req_prod, rsp_cons) < N ->
                if
                :: quiet = 1 /* these are the last for now */
                :: skip
                fi }
                do
                :: SUB(req_prod, rsp_cons) < N ->
#ifndef NO_SLOTS
                        atomic { /* front_shadow_put, front_ring_put */
                                id = 0;
                                do
                                :: id < N && out[id] -> id++
                                :: else -> break
                                od;
                                assert(id < N);
                                out[id] = 1;
                                asked[req_prod % N] = id }
                        STORE(front, SLOT(req_prod), REQUEST(id));
#endif
                        atomic { req_prod = NEXT(req_prod); id = 0 }
                :: req_prod != req_pushed -> break
                od;
                /* front_ring_push */
                RELEASE_REQ(front, REQ_PROD, req_prod);
#ifndef M_NO_FENCE_FRONT_PUSH
                FENCE(front);
#endif
                atomic { /* ring_event_due */
                        v = SUB(req_prod, mem[REQ_EVENT]);
                        if
                        :: v < SUB(req_prod, req_pushed) -> wake_back = 1
                        :: else
                        fi;
                        req_pushed = req_prod; v = 0 }
        /* take_event, take_responses */
        :: atomic { wake_front && !broken -> wake_front = 0 }
take:           front_waiting(n);
                do
                :: atomic { n > 0 ->
#ifndef NO_SLOTS
                        v = mem[SLOT(rsp_cons)]; /* front_ring_take */
                        mem[SLOT(rsp_cons)] = 0;
#endif
#ifdef M_NO_ACQUIRE_FRONT
                        if
                        :: early -> v = early
                        :: else
                        fi;
                        early = 0;
#endif
                        assert(SUB(req_pushed, rsp_cons) > 0);
#if !defined(HOSTILE_BACK) && !defined(NO_SLOTS)
                        /* front_shadow_match */
                        assert(v >= RESPONSE(0) && v < RESPONSE(N));
                        id = v - RESPONSE(0);
                        assert(out[id]); /* never twice, never unasked */
                        out[id] = 0; id = 0;
#endif
                        rsp_cons = NEXT(rsp_cons); n--; v = 0 }
                :: else -> break
                od;
                if
                :: broken -> goto ended
                :: else
                fi;
                /* front_ring_final_check */
                front_waiting(n);
                if
                :: n > 0 -> n = 0; goto take
                :: else
                fi;
#ifndef M_CHECK_THEN_ASK_FRONT
                STORE(front, RSP_EVENT, NEXT(rsp_cons));
#ifndef M_NO_FENCE_FRONT_CHECK
                FENCE(front);
#endif
#endif
#ifndef M_NO_CHECK_FRONT
                front_waiting(n);
#endif
#ifdef M_CHECK_THEN_ASK_FRONT
                STORE(front, RSP_EVENT, NEXT(rsp_cons));
                FENCE(front);
#endif
                if
                :: n > 0 -> n = 0; goto take
                :: else
                fi;
                if
                :: rsp_cons == req_prod -> quiet = 0
                :: else
                fi
        :: broken -> goto ended
        od;
ended:  skip
}
#endif

/* ---- the backend ----------------------------------------------------------
 */

#ifdef HOSTILE_BACK
proctype back()
{
        byte v;

end:    do
        :: select(v : 0 .. M - 1); mem[RSP_PROD] = v
        :: select(v : 0 .. M - 1); mem[REQ_EVENT] = v
        :: wake_front = 1
        od
}
#else
/* back_ring_waiting */
inline back_waiting(n)
{
#ifdef M_NO_ACQUIRE_BACK
        early = mem[SLOT(req_cons)];
#endif
        atomic {
        n = SUB(mem[REQ_PROD], req_cons);
#ifdef HOSTILE_FRONT
#ifndef M_NO_BOUND_BACK
        if
        :: n > N - SUB(req_cons, rsp_prod) -> n = 0; broken = 1
        :: else
        fi;
#endif
#else
        assert(n <= N - SUB(req_cons, rsp_prod))
#endif
        }
}

/* may_take: there is always a free record, there are as many as slots */
#ifdef BARRIER
#define MAY_TAKE (!broken && !barrier)
#else
#define MAY_TAKE (!broken)
#endif

/* respond: in the next slot, whatever the order */
inline respond(id)
{
#ifndef NO_SLOTS
        STORE(back, SLOT(rsp_prod), RESPONSE(id));
        infl[id] = 0;
#endif
        atomic { rsp_prod = NEXT(rsp_prod); id = 0; marked = 1 }
}

proctype back()
{
        byte req_cons, rsp_prod, rsp_pushed, n, v, id;
#ifndef NO_SLOTS
        bool infl[N]; /* taken and not answered */
#endif
        bool broken;
        bool posted = 1; /* attach_on_thread looks once by itself */
        bool marked;     /* the turn has an end to do: back_thread_mark */
#ifdef BARRIER
        bool barrier;    /* one was taken and is not answered */
        byte barrier_id;
#endif
#ifdef M_NO_ACQUIRE_BACK
        byte early;
#endif

        do
        /* back_service_run, by an event or by itself */
        :: atomic { wake_back -> wake_back = 0; marked = 1; goto serve }
        :: atomic { posted -> posted = 0; marked = 1; goto serve }
        /* store_done: any of them, at any time */
#ifdef NO_SLOTS
        :: req_cons != rsp_prod -> respond(id)
#else
        :: atomic { req_cons != rsp_prod ->
                select(id : 0 .. N - 1);
                if
#ifdef BARRIER
                /* start_barrier: when it is the only one */
                :: infl[id] && (!barrier || id != barrier_id ||
                                SUB(req_cons, rsp_prod) == 1)
#else
                :: infl[id]
#endif
                :: else -> id = 0; goto next
                fi }
#ifdef BARRIER
                if
                :: barrier && id == barrier_id -> barrier = 0; barrier_id = 0
                :: else
                fi;
#endif
                respond(id)
#endif
        :: atomic { marked -> marked = 0; goto turn_end }
next:   skip
        od;

serve:  if
        :: MAY_TAKE -> back_waiting(n)
        :: else
        fi;
        do
        :: atomic { n > 0 && MAY_TAKE ->
#ifndef NO_SLOTS
                v = mem[SLOT(req_cons)]; /* back_ring_take */
                mem[SLOT(req_cons)] = 0;
#endif
#ifdef M_NO_ACQUIRE_BACK
                if
                :: early -> v = early
                :: else
                fi;
                early = 0;
#endif
                assert(SUB(req_cons, rsp_prod) < N);
#ifndef NO_SLOTS
                /* whole, and never twice */
                assert(v == REQUEST(asked[req_cons % N]));
                id = v - REQUEST(0);
                assert(!infl[id]);
                infl[id] = 1;
                asked[req_cons % N] = 0;
#endif
#ifdef BARRIER
                if
                :: barrier = 1; barrier_id = id
                :: skip
                fi;
#endif
                id = 0;
                req_cons = NEXT(req_cons); n--; v = 0 }
        :: else -> n = 0; break
        od;
        goto next;

turn_end: /* back_service_turn_end */
        if
        :: rsp_prod != rsp_pushed -> /* back_ring_push */
                RELEASE_RSP(back, RSP_PROD, rsp_prod);
#ifndef M_NO_FENCE_BACK_PUSH
                FENCE(back);
#endif
                atomic {
                        v = SUB(rsp_prod, mem[RSP_EVENT]);
                        if
                        :: v < SUB(rsp_prod, rsp_pushed) -> wake_front = 1
                        :: else
                        fi;
                        rsp_pushed = rsp_prod; v = 0 }
        :: else
        fi;
        /* more_to_do */
        if
        :: !posted && MAY_TAKE ->
                /* back_ring_final_check */
                back_waiting(n);
                if
                :: n > 0 || broken -> skip
                :: else ->
#ifndef M_CHECK_THEN_ASK_BACK
                        STORE(back, REQ_EVENT, NEXT(req_cons));
#ifndef M_NO_FENCE_BACK_CHECK
                        FENCE(back);
#endif
#endif
#ifndef M_NO_CHECK_BACK
                        back_waiting(n);
#endif
#ifdef M_CHECK_THEN_ASK_BACK
                        STORE(back, REQ_EVENT, NEXT(req_cons));
                        FENCE(back)
#endif
                fi;
                atomic {
                if
                :: n > 0 -> posted = 1
                :: else
                fi;
                n = 0 }
        :: else
        fi;
        goto next
}
#endif

init {
        atomic {
                /* front_ring_init */
                mem[REQ_EVENT] = 1;
                mem[RSP_EVENT] = 1;
                run front();
                run back();
#if defined(TSO) || defined(PSO)
                run commit(front_buffer);
                run commit(back_buffer)
#endif
        }
}
