/* A job from text in memory. */
#ifndef COP_JOB_JOB_PARSE_H
#define COP_JOB_JOB_PARSE_H

#include "coppice/job/job.h"

enum { COP_JOB_MOST_BYTES = 1 << 20 };

typedef struct cop_job_source {
    const char *text;
    size_t length;
    const char *path; /* for messages and relative paths; the file need not exist */
} cop_job_source;

/* As cop_job_load(), from text. */
cop_status cop_job_parse(const cop_job_source *source, const char *const *overrides,
                         size_t override_count, cop_job **job, cop_error *err);

#endif
