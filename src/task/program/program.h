/* Finds the program in a response. Private to task/. */
#ifndef COP_TASK_PROGRAM_PROGRAM_H
#define COP_TASK_PROGRAM_PROGRAM_H

#include "task/tasks.h"

/* The program in a response, without white space around it; nothing is appended where there is
 * none. `tests` [{0}: unknown] tell which names the program has to define.
 *
 * Places are looked through in this order, and the first with something that defines such a
 * name is taken: what stands between <answer> and </answer> (or a like pair of marks), the last
 * pair first, either mark may be missing; between [BEGIN] and [DONE], likewise; the whole
 * response. Within a place it is the last fenced block that defines one, with those other
 * blocks that define or import what it and the tests use; without such a block, the lines that
 * are Python. Where no place has such a definition any other will do, and where there is none
 * it is as the published reward has it: the last <answer>...</answer>, else the last block
 * fenced with ```python, else the last fenced block, else what stands between [BEGIN] and
 * [DONE]. */
cop_status cop_program_find(cop_slice response, cop_slice tests, cop_text *program,
                            cop_error *err);

#endif
