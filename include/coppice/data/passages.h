/** \file passages.h
 * Plain text whose likelihood is asked for: a file as it is, or a field of JSON lines.
 */
#ifndef COPPICE_DATA_PASSAGES_H
#define COPPICE_DATA_PASSAGES_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <jansson.h>
#include <stddef.h>

/** Passages, one after the other. Start from {0}. */
typedef struct cop_passages {
    cop_text text; /**< of all of them */
    size_t *start; /**< [count + 1] offsets into it; owned */
    size_t count;
    size_t capacity; /**< of `start` */
} cop_passages;

/** Reads a file. One whose name ends in .jsonl, .ndjson or .json is JSON lines, and each line's
 *  field "text" a passage; any other is one passage, a byte order mark left out.
 * COP_ERR_FORMAT, with the line: text that is not UTF-8, a line of more than 16 MiB, an empty
 * file, a line without a text. */
cop_status cop_passages_load(const char *path, cop_passages *passages, cop_error *err);

/** The text [*length] of an example, borrowed; COP_ERR_FORMAT: it has none, or an empty one. */
cop_status cop_passage_of(const json_t *example, const char **text, size_t *length,
                          cop_error *err);

/** Frees what they own; they are then {0} again. */
void cop_passages_free(cop_passages *passages);

#endif
