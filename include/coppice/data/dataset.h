/** \file dataset.h
 * A data set: JSON lines, one object per example, and its division into disjoint splits.
 */
#ifndef COPPICE_DATA_DATASET_H
#define COPPICE_DATA_DATASET_H

#include "coppice/base/digest.h"
#include "coppice/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cop_dataset cop_dataset;

/** Called with an example, an object, whose fields it may change. */
typedef cop_status (*cop_dataset_visit)(void *context, size_t index, json_t *example,
                                        cop_error *err);

/** What is done while a file is read. {0}: all examples are kept as they are. */
typedef struct cop_dataset_options {
    size_t limit;       /**< the file is read so far only; 0: to its end */
    const bool *wanted; /**< [wanted_count] which of the file's examples are kept; NULL: all */
    size_t wanted_count;
    cop_dataset_visit edit; /**< of what is kept; NULL: nothing */
    void *context;          /**< of `edit` */
} cop_dataset_options;

/** Loads a JSONL file, as a stream: what is not wanted takes no memory. Blank lines are
 * skipped, a byte order mark and CRLF are tolerated. A line that is not one JSON object in
 * UTF-8, or is longer than 16 MiB, or that `edit` refuses, is an error with its number; a file
 * without any is an error too. */
cop_status cop_dataset_load(const char *path, const cop_dataset_options *options,
                            cop_dataset **dataset, cop_error *err);

/** Visits every example of such a file in turn and keeps none; *count: how many there are.
 *  Messages tell which line it was. */
cop_status cop_dataset_scan(const char *path, cop_dataset_visit visit, void *context,
                            size_t *count, cop_error *err);

/** Number of examples, with those that are not kept. */
size_t cop_dataset_count(const cop_dataset *dataset);

/** Example `index`, an object; borrowed. NULL: it is not kept. */
const json_t *cop_dataset_at(const cop_dataset *dataset, size_t index);

/** SHA-256 of the file's bytes; "" where it was not read to its end. */
const char *cop_dataset_digest(const cop_dataset *dataset);

/** Frees *dataset and sets it to NULL; NULL is allowed. */
void cop_dataset_destroy(cop_dataset **dataset);

/** The four disjoint sets of examples. */
typedef enum cop_split {
    COP_SPLIT_SUPPORT,
    COP_SPLIT_PROBE,
    COP_SPLIT_VALIDATE,
    COP_SPLIT_TEST,
    COP_SPLIT_COUNT
} cop_split;

/** "support", "probe", "validate" or "test". */
const char *cop_split_name(cop_split split);

/** Examples of each split: examples[s] [counts[s]] are indices into the data set. */
typedef struct cop_splits {
    size_t *examples[COP_SPLIT_COUNT]; /**< owned */
    size_t counts[COP_SPLIT_COUNT];
    size_t *pool;      /**< [pool_count] examples of no split, in the order they were drawn */
    size_t pool_count; /**< owned, as the above */
    /** Examples of guards, one guard's after the other's, from guard_start[g] on; they are of
     *  other data sets, and their numbers follow those of this one. Owned, both. */
    size_t *guarded;
    size_t *guard_start; /**< [guard_count + 1]; NULL: there are none */
    size_t guard_count;
    size_t repeated; /**< examples of the data set whose prompt an earlier one has too */
} cop_splits;

/** Divides `total` examples, and lists at most `pool` of those that come next for
 *  replacements: in file order if seed < 0, else by the Fisher-Yates permutation
 *  that stream COP_STREAM_SPLITS of that seed gives: place i = 0, 1, ... is exchanged with
 *  place i + draw % (total - i), draws from domain 0 in order, those below 2^64 mod (total - i)
 *  left out. The first counts[0] are the support set and so on; a split does not depend on the
 *  counts of those after it.
 *
 *  `keys` [total] (may be NULL) are equal for examples of one prompt, which never come into two
 *  splits: with the first of them the others come into its split, in the file's order, as far
 * as it has room; the rest is left out, of the pool too. Fails with the figures if there are
 * too few examples (COP_ERR_CONFIG). */
cop_status cop_splits_create(size_t total, const size_t counts[COP_SPLIT_COUNT], size_t pool,
                             int64_t seed, const uint64_t *keys, cop_splits *splits,
                             cop_error *err);

/** Adds the examples [count] of one more guard, whose data set's number 0 is `first`. */
cop_status cop_splits_add_guard(cop_splits *splits, const size_t *examples, size_t count,
                                size_t first, cop_error *err);

/** All examples that a job may need, [*count]: the splits', one after the other, then the
 *  pool's and the guards'. cop_memory_free(). */
size_t *cop_splits_list(const cop_splits *splits, size_t *count, cop_error *err);

/** Frees the lists; the struct is then {0} again. */
void cop_splits_free(cop_splits *splits);

#endif
