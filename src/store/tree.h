/* The run file's tree in memory: arrays sorted by path. Groups exist only as prefixes of paths.
 */
#ifndef COP_STORE_TREE_H
#define COP_STORE_TREE_H

#include "coppice/store/store.h"

enum {
    COP_STORE_MAX_PATH = 1023, /* bytes of a path */
    COP_STORE_MAX_DEPTH = 32   /* components of a path */
};

/* One array; everything in it is owned. */
typedef struct cop_store_entry {
    char *path;
    cop_store_array array;
    char *unit;    /* NULL for none */
    char *meaning; /* NULL for none */
} cop_store_entry;

struct cop_store {
    cop_store_entry **entries; /* [count], by rising path; each allocated on its own, so that a
                                  borrowed array stays where it is while others come and go */
    size_t count;
    size_t capacity;
};

/* Bytes of one element in memory. */
size_t cop_store_element_bytes(cop_store_type type);

/* Number of elements of a shape and their bytes, checked for overflow. */
cop_status cop_store_array_size(const cop_store_array *array, size_t *count, size_t *bytes,
                                cop_error *err);

/* An owned array of texts from `count` pointers (NULL reads as ""): pointers and bytes in one
 * block. NULL when memory is short. */
void *cop_store_copy_texts(const char *const *texts, size_t count, cop_error *err);

/* Puts *entry into the tree and sets it to NULL; an entry of the same path is replaced. On
 * failure the entry stays the caller's. */
cop_status cop_store_insert(cop_store *store, cop_store_entry **entry, cop_error *err);

/* Frees *entry and sets it to NULL; NULL is allowed. */
void cop_store_entry_destroy(cop_store_entry **entry);

#endif
