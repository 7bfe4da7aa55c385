/* SPDX-License-Identifier: MIT */
#include "xenbus.h"

static const char *const names[XENBUS_STATES] = {
        [XENBUS_UNKNOWN] = "Unknown",
        [XENBUS_INITIALISING] = "Initialising",
        [XENBUS_INIT_WAIT] = "InitWait",
        [XENBUS_INITIALISED] = "Initialised",
        [XENBUS_CONNECTED] = "Connected",
        [XENBUS_CLOSING] = "Closing",
        [XENBUS_CLOSED] = "Closed",
        [XENBUS_RECONFIGURING] = "Reconfiguring",
        [XENBUS_RECONFIGURED] = "Reconfigured",
};

const char *xenbus_state_name(enum xenbus_state s)
{
        if ((unsigned)s >= XENBUS_STATES)
                s = XENBUS_UNKNOWN;
        return names[s];
}
