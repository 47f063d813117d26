/* Values of the key `guard`. */
#ifndef COP_JOB_JOB_GUARD_H
#define COP_JOB_JOB_GUARD_H

#include "job/job_keys.h"
#include "job/job_yaml.h"

/* Keys of each guard, [*count]; their offsets are in cop_job_guard. */
const cop_job_key *cop_job_guard_keys(size_t *count);

/* Puts the entry's guards in place of those of the field; the old ones stay on failure. */
cop_status cop_job_guards_set(cop_job_guards *field, const cop_job_key *key,
                              const cop_job_entry *entry, const char *directory,
                              cop_error *err);

/* Frees the guards; there are none then. */
void cop_job_guards_free(cop_job_guards *guards);

#endif
