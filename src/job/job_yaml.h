/* YAML to a flat sequence of dotted names with values: the only file here that sees yaml.h. */
#ifndef COP_JOB_JOB_YAML_H
#define COP_JOB_JOB_YAML_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* A scalar. */
typedef struct cop_job_item {
    char *text; /* [length + 1], owned */
    size_t length;
    bool quoted; /* in quotes or a block: a string even if it looks like a number */
    char *name;  /* of a list of mappings: what it is the value of; else NULL; owned */
    size_t of;   /* of a list of mappings: the mapping that it belongs to, from 0 */
} cop_job_item;

typedef enum cop_job_shape {
    COP_JOB_SCALAR,
    COP_JOB_LIST,
    COP_JOB_RECORDS, /* a list of mappings of plain values: one item for each value */
    COP_JOB_GROUP
} cop_job_shape;

/* A name with its value. A mapping gives one entry of its own (COP_JOB_GROUP, no items), then
 * one for each of its keys. */
typedef struct cop_job_entry {
    const char *name; /* dotted */
    cop_job_shape shape;
    cop_job_item *items; /* [count] */
    size_t count;
    size_t records; /* mappings of a list of them */
    size_t line;    /* of the name, from 1 */
} cop_job_entry;

/* Gets the entries in their order in the text; a status other than COP_OK ends the reading. */
typedef cop_status (*cop_job_take)(void *context, const cop_job_entry *entry, cop_error *err);

/* YAML text [length]. */
typedef struct cop_job_yaml {
    const char *text;
    size_t length;
    const char *name;   /* what the whole text is the value of; "": the job, a mapping */
    const char *origin; /* where it comes from, for messages */
    bool has_lines;     /* messages tell the line */
} cop_job_yaml;

/* Reads the text. Errors, those of `take` included, begin with the origin and the line.
 * Anchors, aliases, tags, several documents, lists of lists and of more than one kind are
 * refused. */
cop_status cop_job_yaml_read(const cop_job_yaml *yaml, cop_job_take take, void *context,
                             cop_error *err);

/* True if the item is YAML's null: nothing, ~ or null, without quotes. */
bool cop_job_item_is_null(const cop_job_item *item);

/* Text fit for a message: cut, and without control characters. */
typedef struct cop_job_shown {
    char text[80];
} cop_job_shown;
cop_job_shown cop_job_show(const char *text, size_t length);

#endif
