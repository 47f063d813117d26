/* model.safetensors.index.json: which shard holds which tensor. */
#ifndef COP_CHECKPOINT_CHECKPOINT_INDEX_H
#define COP_CHECKPOINT_CHECKPOINT_INDEX_H

#include "coppice/base/status.h"

#include <jansson.h>
#include <stddef.h>

typedef struct cop_weight_index {
    json_t *root;       /* owned */
    json_t *map;        /* tensor name -> shard's file name; borrowed from root */
    const char **files; /* [file_count], the shards in rising order; array owned, names not */
    size_t file_count;
} cop_weight_index;

/* Reads and checks an index file. */
cop_status cop_weight_index_read(const char *path, cop_weight_index *index, cop_error *err);

/* Parses one from text [length]; `origin` names it in messages. */
cop_status cop_weight_index_parse(const char *text, size_t length, const char *origin,
                                  cop_weight_index *index, cop_error *err);

/* File name of the shard that should hold the tensor, NULL if the tensor is not listed. */
const char *cop_weight_index_shard(const cop_weight_index *index, const char *tensor_name);

/* Frees all; the struct is then {0} again. */
void cop_weight_index_free(cop_weight_index *index);

#endif
