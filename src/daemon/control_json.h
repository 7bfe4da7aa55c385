/* SPDX-License-Identifier: MIT */
/* What a disk and the daemon look like in answers. */
#ifndef EVERGRANT_DAEMON_CONTROL_JSON_H
#define EVERGRANT_DAEMON_CONTROL_JSON_H

#include <json-c/json.h>

#include "disk.h"

/* An entry of "disks"; with counters for `stat`. */
struct json_object *control_json_disk(struct disk *k, bool with_counters);
/* "daemon" of `stat`. */
struct json_object *control_json_daemon(struct daemon *d);

/* ---- control_counters.c -------------------------------------------------- */
/* Adds "counters" and "latency_us", the sums over the rings (all zero without
 * one), and "rings", one entry each. */
void control_json_counters(struct json_object *o, const struct disk *k);

#endif
