/** \file split_analysis.h
 * The split-half analysis of a run file: from /population to /split_half.
 */
#ifndef COPPICE_REPORT_SPLIT_ANALYSIS_H
#define COPPICE_REPORT_SPLIT_ANALYSIS_H

#include "coppice/base/text.h"
#include "coppice/search/split_half.h"
#include "coppice/store/store.h"

/** What to do; zeros are not defaults. */
typedef struct cop_split_request {
    size_t halvings, permutations;
    uint64_t seed;
    bool within_sigma; /**< the null permutes among candidates of equal sigma only */
    int threads;       /**< at most: fewer where memory is short */
    bool (*tick)(void *context, size_t done, size_t total); /**< true: stop; may be NULL */
    void *context;
} cop_split_request;

enum { COP_SPLIT_HALVINGS = 100, COP_SPLIT_PERMUTATIONS = 1000 }; /**< defaults */

/** Analyses `from`'s population by the job's q and beta, into group /split_half of `to`, which
 * may be the same tree. Where its first candidates chose the examples (/screen), scores are
 * permuted among these and among the others. A population that is not there or not complete is
 * COP_ERR_FORMAT. */
cop_status cop_split_analyse(const cop_store *from, const cop_split_request *request,
                             cop_store *to, cop_error *err);

/** True if /split_half holds what this request would give. */
bool cop_split_is_there(const cop_store *store, const cop_split_request *request);

/** Prints /split_half for people, nothing if there is none; `whole`: with bars. */
cop_status cop_split_print(const cop_store *store, bool whole, cop_text *text, cop_error *err);

/** A number of /split_half by its path there, 0 if there is none. */
double cop_split_number(const cop_store *store, const char *name, size_t index);

#endif
