/* What a run file says of its job. Private to run/. */
#ifndef COP_RUN_RECORDED_H
#define COP_RUN_RECORDED_H

#include "coppice/job/job.h"
#include "coppice/store/store.h"

/* Appends the value of a key that the run was begun with, by a program that may not have known
 * it. */
cop_status cop_recorded_key(const cop_store *store, size_t key, cop_text *value,
                            cop_error *err);

#endif
