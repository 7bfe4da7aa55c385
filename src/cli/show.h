/* SPDX-License-Identifier: MIT */
/* evergrantd's answers, printed. None trusts a field to be there. */
#ifndef EVERGRANT_CLI_SHOW_H
#define EVERGRANT_CLI_SHOW_H

#include <json-c/json.h>
#include <stdio.h>

void show_list(struct json_object *reply, FILE *f);
/* Takes "ok" out of reply. */
void show_json(struct json_object *reply, FILE *f);

/* The daemon, then totals since each disk was connected. */
void show_stat(struct json_object *reply, FILE *f);
void show_daemon(struct json_object *reply, FILE *f);
/* What happened between two answers, per second. A disk that is new, or was
 * connected anew (its counters fell), counts from 0. */
void show_rates(struct json_object *before, struct json_object *now,
                double seconds, FILE *f);
/* The Prometheus text exposition format, for node_exporter's textfile
 * collector. */
void show_prometheus(struct json_object *reply, FILE *f);
/* Each ring of a disk that has several, a line each; and their samples. */
void show_rings(struct json_object *disk, FILE *f);
void show_prometheus_rings(struct json_object *reply, FILE *f);
/* A sample's name and the labels of its disk; leaves the brace open. */
void show_metric_disk(const char *metric, struct json_object *disk, FILE *f);

#endif
