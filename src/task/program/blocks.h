/* Pieces of Python in a text. Private to task/. */
#ifndef COP_TASK_PROGRAM_BLOCKS_H
#define COP_TASK_PROGRAM_BLOCKS_H

#include "task/tasks.h"

enum { COP_BLOCKS_MOST = 64 };

/* Pieces in the order of the text. Start from {0}, free with cop_blocks_free(). */
typedef struct cop_blocks {
    cop_text pieces[COP_BLOCKS_MOST];
    size_t count;
} cop_blocks;

/* Takes the fenced blocks of a text (``` or ~~~, with any word behind them, also one that is
 * not closed), each without the indentation of its fence and without prompts (>>>). What
 * belongs to other languages is left out. Of more than COP_BLOCKS_MOST the last are kept. */
cop_status cop_blocks_find_fenced(cop_slice text, cop_blocks *blocks, cop_error *err);

/* Takes the runs of lines that are Python and no prose; fenced blocks are passed over. */
cop_status cop_blocks_find_bare(cop_slice text, cop_blocks *blocks, cop_error *err);

void cop_blocks_free(cop_blocks *blocks);

#endif
