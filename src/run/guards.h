/* The guards' data, and what the search sees of them. Private to run/. */
#ifndef COP_RUN_GUARDS_H
#define COP_RUN_GUARDS_H

#include "run/context.h"

/* Loads the examples of the job's guards into rank->guards, and lists them in rank->splits:
 * their numbers follow those of the data set, one guard's after the other's. */
cop_status cop_run_guards_load(cop_rank *rank, cop_error *err);

/* Frees what that made, but for the list. */
void cop_run_guards_free(cop_rank *rank);

/* Draws `wanted` of the `total` examples of a file by the seed of splits: *drawn [wanted],
 * owned by the caller. Of the job's own data, known by its digest, none of a split or its pool
 * is drawn: a guard has no part in the search, and test decides nothing. */
cop_status cop_run_guards_draw(const cop_rank *rank, const char *digest, size_t wanted,
                               size_t total, size_t **drawn, cop_error *err);

/* Tells the search of them. */
cop_status cop_run_guards_give(const cop_rank *rank, cop_search *search, cop_error *err);

/* Appends what the guards are, whatever the paths of their data: "" for none. */
cop_status cop_run_guards_print(const cop_rank *rank, cop_text *text, cop_error *err);

#endif
