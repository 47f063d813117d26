/* What must hold for any bytes taken as a job: a message that says where, or a job whose
 * printed values read back as the same. */
#ifndef COP_FUZZ_JOB_H
#define COP_FUZZ_JOB_H

#include "coppice/job/job.h"
#include "job/job_keys.h"
#include "job/job_parse.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { COP_FUZZ_MOST_OVERRIDES = 8 };

/* Appends all values, one a line, as "name=value" with NULs between if `overrides`. */
static inline cop_status cop_fuzz_print(const cop_job *job, cop_text *text,
                                        size_t starts[COP_JOB_KEYS_MAX])
{
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        starts[i] = text->length;
        COP_TRY(cop_text_format(text, NULL, "%s=", cop_job_key_name(i)));
        COP_TRY(cop_job_print_value(job, i, text, NULL));
        COP_TRY(cop_text_append(text, "", 1, NULL));
    }
    return COP_OK;
}

/* True if the job, printed and given as overrides to nothing, prints the same. */
static inline _Bool cop_fuzz_round_trip(const cop_job *job)
{
    cop_text first = {0};
    cop_text second = {0};
    size_t starts[COP_JOB_KEYS_MAX];
    const char *overrides[COP_JOB_KEYS_MAX];
    cop_job *again = NULL;
    const cop_job_source nothing = {.text = "", .length = 0, .path = "again.yaml"};
    _Bool same = cop_fuzz_print(job, &first, starts) == COP_OK;
    for (size_t i = 0; same && i < cop_job_key_count(); i++)
        overrides[i] = first.data + starts[i];
    same = same &&
           cop_job_parse(&nothing, overrides, cop_job_key_count(), &again, NULL) == COP_OK &&
           cop_fuzz_print(again, &second, starts) == COP_OK && first.length == second.length &&
           memcmp(first.data, second.data, first.length) == 0;
    cop_job_destroy(&again);
    cop_text_free(&first);
    cop_text_free(&second);
    return same;
}

/* The bytes up to the first NUL are the file, those up to the next ones overrides.
 * Returns false if what must hold does not. */
static inline _Bool cop_fuzz_job(const uint8_t *data, size_t size)
{
    char *const text = malloc(size + 1);
    if (text == NULL) return 1;
    memcpy(text, data, size);
    text[size] = '\0';
    const char *overrides[COP_FUZZ_MOST_OVERRIDES];
    size_t count = 0;
    for (size_t at = strlen(text) + 1; at <= size && count < COP_FUZZ_MOST_OVERRIDES;) {
        overrides[count++] = text + at;
        at += strlen(text + at) + 1;
    }
    const cop_job_source source = {.text = text, .length = strlen(text), .path = "fuzz.yaml"};
    cop_job *job = NULL;
    cop_error err = {0};
    const cop_status status = cop_job_parse(&source, overrides, count, &job, &err);
    _Bool good = 0;
    if (status == COP_OK) {
        good = job != NULL && cop_fuzz_round_trip(job);
    } else {
        good = job == NULL && err.status == status &&
               (strncmp(err.message, "fuzz.yaml:", 10) == 0 ||
                strncmp(err.message, "-s ", 3) == 0) &&
               (status == COP_ERR_CONFIG || status == COP_ERR_USAGE);
    }
    cop_job_destroy(&job);
    free(text);
    return good;
}

#endif
