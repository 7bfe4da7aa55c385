/* SPDX-License-Identifier: MIT */
/* The states of a xenbus device, as in Xen's io/xenbus.h. */
#ifndef EVERGRANT_XEN_XENBUS_H
#define EVERGRANT_XEN_XENBUS_H

enum xenbus_state {
        XENBUS_UNKNOWN = 0, /* the node is absent or no number from 1 to 8 */
        XENBUS_INITIALISING = 1,
        XENBUS_INIT_WAIT = 2,
        XENBUS_INITIALISED = 3,
        XENBUS_CONNECTED = 4,
        XENBUS_CLOSING = 5,
        XENBUS_CLOSED = 6,
        XENBUS_RECONFIGURING = 7,
        XENBUS_RECONFIGURED = 8,
};
#define XENBUS_STATES 9

/* "Connected" and so on, for people. */
const char *xenbus_state_name(enum xenbus_state s);

#endif
