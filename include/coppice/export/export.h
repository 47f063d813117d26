/** \file export.h
 * Applies a recipe to a checkpoint on disk: the model that was evaluated, written out.
 */
#ifndef COPPICE_EXPORT_EXPORT_H
#define COPPICE_EXPORT_EXPORT_H

#include "coppice/base/status.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/recipe/recipe.h"

/** What an export or a dry run did. */
typedef struct cop_export_report {
    size_t tensors;          /**< floating-point tensors in scope */
    uint64_t elements;       /**< their elements, as far as they were looked at */
    uint64_t elements_moved; /**< of these, with other bits than in the base */
} cop_export_report;

/** Writes the model directory `out_dir` from `base`, an opened directory that
 *  cop_model_settle() was called for: every weight file of the base with the same headers,
 *  names, sharding and dtypes and the rebuilt weights, all side files (configuration,
 *  tokenizer, ...) copied, the recipe as coppice_recipe.json, and a line in README.md if there
 *  is one (a minimal one is written if not). A config.json that ties the head though the files
 *  hold another one (recipe->untied_head) is copied without the tie. Subdirectories are not
 *  copied, nor are weights in other formats, which README.md names. The base's digest must be
 *  the recipe's (COP_ERR_MISMATCH). `out_dir` must not exist or be empty. It is written as
 *  "<out_dir>.tmp-..." beside it, brought to the disk and renamed, so that it appears complete
 *  or not at all; a failure leaves nothing. threads: at least 1. [out] report may be NULL. */
cop_status cop_export_write(const cop_checkpoint *base, const cop_recipe *recipe,
                            const char *out_dir, int threads, cop_export_report *report,
                            cop_error *err);

/** Counts what a recipe moves without writing anything: the share of weights that a
 *  perturbation does not move in the base's type. At most `sample` elements of each tensor are
 *  looked at, evenly in blocks; 0 means all. moved [cop_checkpoint_count(base)] gets the share
 *  of each tensor that moves, NaN where it gets no noise; NULL: not wanted. */
void cop_export_measure(const cop_checkpoint *base, const cop_recipe *recipe, size_t sample,
                        int threads, cop_export_report *report, float *moved);

#endif
