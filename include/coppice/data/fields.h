/** \file fields.h
 * Names of fields: what a task calls them, and where a data file has them.
 */
#ifndef COPPICE_DATA_FIELDS_H
#define COPPICE_DATA_FIELDS_H

#include "coppice/base/status.h"

#include <jansson.h>
#include <stddef.h>

/** One pair. Owned by its list. */
typedef struct cop_field {
    char *name;   /**< the task's */
    char *source; /**< the data's: a field, or a path such as "choices.text" or "answers.0" */
} cop_field;

/** A list of pairs, in byte order of the names, each name once. Start from {0}. */
typedef struct cop_fields {
    cop_field *data; /**< [count], owned */
    size_t count;
    size_t capacity;
} cop_fields;

/** Adds a pair, or gives a name another source. */
cop_status cop_fields_set(cop_fields *fields, const char *name, const char *source,
                          cop_error *err);

/** Adds "name=source", as a command line has it; COP_ERR_USAGE if it is not of that form or the
 *  name is there already. */
cop_status cop_fields_add_text(cop_fields *fields, const char *text, cop_error *err);

/** The source of a name; NULL if there is none. */
const char *cop_fields_get(const cop_fields *fields, const char *name);

/** Frees the list; it is then {0} again. */
void cop_fields_free(cop_fields *fields);

/** The value at a path [length] of an object, borrowed: the field of exactly that name, or else
 *  its parts between dots, one inside the other; a number selects from a list, 0 the first.
 *  \return NULL if there is none. */
const json_t *cop_field_find(const json_t *example, const char *path, size_t length);

/** Puts what the data has under each source in place of (or beside) the field that the task
 * looks for. All sources are looked up before anything is changed, so two fields can be
 * exchanged. COP_ERR_FORMAT names a source that is missing, the nearest field and all fields.
 */
cop_status cop_fields_apply(const cop_fields *fields, json_t *example, cop_error *err);

#endif
