/* Values of a job: from YAML items to fields of cop_job and back. */
#ifndef COP_JOB_JOB_VALUE_H
#define COP_JOB_JOB_VALUE_H

#include "job/job_keys.h"
#include "job/job_yaml.h"

/* All but guards, see job_guard.h. */

/* Checks the entry's value against the key and puts it into the job in place of the old one.
 * Paths are resolved against `directory`. Messages name the key; the old value stays on
 * failure. */
cop_status cop_job_value_set(cop_job *job, const cop_job_key *key, const cop_job_entry *entry,
                             const char *directory, cop_error *err);

/* Puts an entry of a mapping into the job: `name` is what is mapped. */
cop_status cop_job_value_set_pair(cop_job *job, const cop_job_key *key, const char *name,
                                  const cop_job_entry *entry, cop_error *err);

/* Puts a single value into a field of the key's type, which must be of one that has such. */
cop_status cop_job_value_set_item(void *field, const cop_job_key *key, const cop_job_item *item,
                                  const char *directory, cop_error *err);

/* Frees what the job holds for that key. */
void cop_job_value_free(cop_job *job, const cop_job_key *key);

#endif
