/* SPDX-License-Identifier: MIT */
/* Reading evergrantd's answers: a field that is missing or of another type
 * (an older or newer evergrantd) is told apart from one that is 0. */
#ifndef EVERGRANT_CLI_VIEW_H
#define EVERGRANT_CLI_VIEW_H

#include <json-c/json.h>

#include "common/util.h"

/* The field at a path such as "counters.refused.bad-op"; NULL if there is no
 * such field (o may be NULL). */
struct json_object *view_field(struct json_object *o, const char *path);
/* True and *value if the field is a number (a negative one is none). */
bool view_number(struct json_object *o, const char *path, double *value);
/* The same for a whole number. */
bool view_count(struct json_object *o, const char *path, uint64_t *value);
/* The string, or instead; never NULL if instead is not. */
const char *view_string(struct json_object *o, const char *path,
                        const char *instead);
bool view_is_true(struct json_object *o, const char *path);

/* "g1 (1)" or "1"; control characters escaped. Returns dst. */
char *view_domain(char *dst, size_t dst_bytes, struct json_object *disk);
/* "copy"; "copy, asked persistent" where they differ; "asked auto" before
 * there is a connection. */
char *view_grants(char *dst, size_t dst_bytes, struct json_object *disk);

/* The array "disks" of an answer: its length, 0 if there is none. */
size_t view_disks(struct json_object *reply);
struct json_object *view_disk(struct json_object *reply, size_t i);
/* By domain, then by disk. */
void view_sort(struct json_object *reply);

#endif
