/** \file identity.h
 * The files of a model directory that decide what a model is asked and how it answers, besides
 * its weights: by digest, so that a run or a recipe is not taken on with others unnoticed.
 *
 * What is digested is what a file says, not its bytes: white space and the order of keys do not
 * count, nor do keys without effect on any score (transformers_version, torch_dtype and the
 * like, listed in identity.c). The chat template counts by its text, whether
 * chat_template.jinja or tokenizer_config.json holds it.
 */
#ifndef COPPICE_RECIPE_IDENTITY_H
#define COPPICE_RECIPE_IDENTITY_H

#include "coppice/base/digest.h"
#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum { COP_IDENTITY_FILES = 7 };

/** Digests of the files, in the order of cop_identity_name(). */
typedef struct cop_identity {
    /** "none": there is no such file; "": not recorded. */
    char digest[COP_IDENTITY_FILES][COP_DIGEST_HEX_BYTES];
} cop_identity;

/** Name of file `index` in records and messages: "config.json", ..., "chat_template". */
const char *cop_identity_name(size_t index);

/** The index of that name, COP_IDENTITY_FILES if there is none. */
size_t cop_identity_find(const char *name);

/** Reads and digests the files of a model directory. `own_template` false: the chat template is
 *  not recorded, since a family that the user named stands for it. */
cop_status cop_identity_read(const char *model_dir, bool own_template, cop_identity *identity,
                             cop_error *err);

/** True if anything is recorded. */
bool cop_identity_is_known(const cop_identity *identity);

/** COP_ERR_MISMATCH, naming the files of `model_dir` that differ from those recorded; what
 *  either does not record, and what `accepted` [accepted_count] names, may differ. `whose`
 *  begins the message, `remedy` ends it. */
cop_status cop_identity_check(const cop_identity *recorded, const cop_identity *now,
                              const char *const *accepted, size_t accepted_count,
                              const char *whose, const char *remedy, cop_error *err);

#endif
