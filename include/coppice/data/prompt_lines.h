/** \file prompt_lines.h
 * Prompts without a task: text, one a line, or JSON lines.
 */
#ifndef COPPICE_DATA_PROMPT_LINES_H
#define COPPICE_DATA_PROMPT_LINES_H

#include "coppice/data/dataset.h"

/** Loads prompts as examples {"prompt": "..."}. A file whose name ends in .jsonl, .ndjson or
 *  .json is JSON lines, each with the field "prompt"; of any other each line that is not blank
 *  is a prompt, without white space at its ends. COP_ERR_FORMAT, with the line: text that is
 *  not UTF-8, an object without a prompt; a file without any, or, if plain, of more than 64
 *  MiB. */
cop_status cop_prompt_lines_load(const char *path, cop_dataset **dataset, cop_error *err);

#endif
