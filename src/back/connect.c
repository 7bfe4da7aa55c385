/* SPDX-License-Identifier: MIT */
#include "connect.h"

/* Columns: the frontend's state, unknown and 1 to 8. Frontends may skip 2 and
 * 3, and 3 and 4 are the same to us (PROTOCOL.md Q6). */
#define ROW(s0, s1, s2, s3, s4, s5, s6, s7, s8)                         \
        {                                                               \
                CONNECT_##s0, CONNECT_##s1, CONNECT_##s2, CONNECT_##s3, \
                        CONNECT_##s4, CONNECT_##s5, CONNECT_##s6,       \
                        CONNECT_##s7, CONNECT_##s8                      \
        }
#define ALL(x) ROW(x, x, x, x, x, x, x, x, x)

/* clang-format off */
static const uint8_t when_online[CONNECT_OWNS][XENBUS_STATES] = {
[CONNECT_ABSENT]   = ALL(NONE),
[CONNECT_EARLY]    = ALL(ANNOUNCE),
[CONNECT_WAITING]  = ALL(NONE),
[CONNECT_NEW]      = ALL(OFFER),
[CONNECT_REPLACED] = ALL(RESTART),
[CONNECT_OFFERED]  = ROW(NONE, NONE, NONE, ATTACH, ATTACH,
                         CLOSE, CLOSE, UNEXPECTED, UNEXPECTED),
/* Back at 1 without closing: the frontend's program died and came back. */
[CONNECT_SERVING]  = ROW(CLOSE, CLOSE, UNEXPECTED, NONE, NONE,
                         CLOSE, CLOSE, UNEXPECTED, UNEXPECTED),
[CONNECT_STOPPED]  = ROW(CLOSE, CLOSE, UNEXPECTED, REATTACH, REATTACH,
                         CLOSE, CLOSE, UNEXPECTED, UNEXPECTED),
[CONNECT_ENDING]   = ROW(FINISH, FINISH, UNEXPECTED, NONE, NONE,
                         FINISH, FINISH, UNEXPECTED, UNEXPECTED),
[CONNECT_ENDED]    = ALL(FINISH),
/* 3 and 4: the frontend of the former connection; it has to close first. */
[CONNECT_CLOSED]   = ROW(NONE, OFFER, OFFER, NONE, NONE,
                         NONE, NONE, NONE, NONE),
[CONNECT_FAILED]   = ALL(NONE),
[CONNECT_ODD]      = ALL(UNEXPECTED),
};

/* online = 0: the toolstack takes the disk away. */
static const uint8_t when_offline[CONNECT_OWNS][XENBUS_STATES] = {
[CONNECT_ABSENT]   = ALL(NONE),
[CONNECT_EARLY]    = ALL(NONE),
[CONNECT_WAITING]  = ALL(CLOSE),
[CONNECT_NEW]      = ALL(NONE),
[CONNECT_REPLACED] = ALL(RESTART),
[CONNECT_OFFERED]  = ALL(CLOSE),
/* State 5 has not been asked for yet: the guest goes on. */
[CONNECT_SERVING]  = ROW(CLOSE, CLOSE, UNEXPECTED, NONE, NONE,
                         CLOSE, CLOSE, UNEXPECTED, UNEXPECTED),
[CONNECT_STOPPED]  = ROW(CLOSE, CLOSE, UNEXPECTED, REATTACH, REATTACH,
                         CLOSE, CLOSE, UNEXPECTED, UNEXPECTED),
[CONNECT_ENDING]   = ROW(FINISH, FINISH, UNEXPECTED, NONE, NONE,
                         FINISH, FINISH, UNEXPECTED, UNEXPECTED),
[CONNECT_ENDED]    = ALL(FINISH),
[CONNECT_CLOSED]   = ALL(RELEASE),
[CONNECT_FAILED]   = ALL(RELEASE),
[CONNECT_ODD]      = ALL(UNEXPECTED),
};
/* clang-format on */

enum connect_own connect_own(enum xenbus_state state, bool held, bool failed)
{
        switch (state) {
        case XENBUS_UNKNOWN:
                return held ? CONNECT_ODD : CONNECT_ABSENT;
        case XENBUS_INITIALISING:
                return held ? CONNECT_REPLACED : CONNECT_NEW;
        case XENBUS_INIT_WAIT:
        case XENBUS_INITIALISED:
                return held ? CONNECT_REPLACED : CONNECT_OFFERED;
        case XENBUS_CONNECTED:
                return held ? CONNECT_SERVING : CONNECT_STOPPED;
        case XENBUS_CLOSING:
                return held ? CONNECT_ENDING : CONNECT_ENDED;
        case XENBUS_CLOSED:
                if (held)
                        return CONNECT_ODD;
                return failed ? CONNECT_FAILED : CONNECT_CLOSED;
        case XENBUS_RECONFIGURING:
        case XENBUS_RECONFIGURED:
                break;
        }
        return CONNECT_ODD;
}

enum connect_own connect_own_scripted(enum xenbus_state state, bool ready,
                                      bool failed)
{
        switch (state) {
        case XENBUS_INITIALISING:
                return ready ? CONNECT_NEW : CONNECT_EARLY;
        case XENBUS_INIT_WAIT:
        case XENBUS_INITIALISED:
                return ready ? CONNECT_NEW : CONNECT_WAITING;
        case XENBUS_CONNECTED:
                return CONNECT_WAITING;
        case XENBUS_CLOSED:
                return ready && !failed ? CONNECT_CLOSED : CONNECT_FAILED;
        default:
                return connect_own(state, false, failed);
        }
}

enum connect_action connect_action(const struct connect_input *in)
{
        unsigned front = in->front;

        if (in->dead)
                return CONNECT_REMOVE;
        if (front >= XENBUS_STATES)
                front = XENBUS_UNKNOWN;
        if (in->online)
                return when_online[in->own][front];
        return when_offline[in->own][front];
}

const char *connect_own_name(enum connect_own own)
{
        static const char *const names[CONNECT_OWNS] = {
                [CONNECT_ABSENT] = "absent",     [CONNECT_EARLY] = "early",
                [CONNECT_WAITING] = "waiting",   [CONNECT_NEW] = "new",
                [CONNECT_REPLACED] = "replaced", [CONNECT_OFFERED] = "offered",
                [CONNECT_SERVING] = "serving",   [CONNECT_STOPPED] = "stopped",
                [CONNECT_ENDING] = "ending",     [CONNECT_ENDED] = "ended",
                [CONNECT_CLOSED] = "closed",     [CONNECT_FAILED] = "failed",
                [CONNECT_ODD] = "odd",
        };

        return own < CONNECT_OWNS ? names[own] : "?";
}

const char *connect_action_name(enum connect_action action)
{
        static const char *const names[] = {
                [CONNECT_UNDEFINED] = "undefined",
                [CONNECT_NONE] = "none",
                [CONNECT_ANNOUNCE] = "announce",
                [CONNECT_OFFER] = "offer",
                [CONNECT_ATTACH] = "attach",
                [CONNECT_REATTACH] = "re-attach",
                [CONNECT_CLOSE] = "close",
                [CONNECT_FINISH] = "finish",
                [CONNECT_RELEASE] = "release",
                [CONNECT_RESTART] = "restart",
                [CONNECT_REMOVE] = "remove",
                [CONNECT_UNEXPECTED] = "unexpected",
        };

        return action < ARRAY_SIZE(names) ? names[action] : "?";
}
