/* Memory that is given back all at once: a template's tree, or all values of one rendering. */
#ifndef COP_JINJA_JINJA_ARENA_H
#define COP_JINJA_JINJA_ARENA_H

#include "coppice/base/status.h"

#include <stddef.h>

typedef struct jinja_arena {
    struct jinja_chunk *chunks; /* the newest first */
    size_t left;                /* bytes of the newest */
    size_t total, limit;        /* bytes */
} jinja_arena;

/* Takes bytes, zeroed and aligned for anything. \return NULL with *err set where memory or the
 * arena's limit is short. */
void *cop_jinja_take(jinja_arena *arena, size_t bytes, cop_error *err);

/* Takes an array; the product is checked. */
void *cop_jinja_take_array(jinja_arena *arena, size_t count, size_t size, cop_error *err);

/* Gives everything back. */
void cop_jinja_arena_free(jinja_arena *arena);

#endif
