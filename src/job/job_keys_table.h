/* What the parts of the table of keys are written with. */
#ifndef COP_JOB_JOB_KEYS_TABLE_H
#define COP_JOB_JOB_KEYS_TABLE_H

#include "job/job_keys.h"

/* Keys that follow each other in the reference. */
typedef struct cop_job_key_table {
    const cop_job_key *keys; /* [count] */
    size_t count;
} cop_job_key_table;

extern const cop_job_key_table cop_job_keys_task;   /* model, task, data */
extern const cop_job_key_table cop_job_keys_search; /* from the population to the gate */
extern const cop_job_key_table cop_job_keys_run;    /* baselines, backend, checkpoint */

#define FIELD(member) offsetof(cop_job, member)
#define CHOICES(...)      \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }
#define KEY_TABLE(array)                          \
    {                                             \
        array, sizeof(array) / sizeof((array)[0]) \
    }

#endif
