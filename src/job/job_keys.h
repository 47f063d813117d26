/* The table of the job file's keys: it parses, checks, prints and documents all of them. */
#ifndef COP_JOB_JOB_KEYS_H
#define COP_JOB_JOB_KEYS_H

#include "coppice/job/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Type of a key, and so of its field in cop_job. */
typedef enum cop_job_type {
    COP_JOB_INTEGER,  /* int64_t */
    COP_JOB_NUMBER,   /* double */
    COP_JOB_BOOLEAN,  /* bool */
    COP_JOB_STRING,   /* char * */
    COP_JOB_PATH,     /* char *, resolved */
    COP_JOB_NUMBERS,  /* cop_job_numbers */
    COP_JOB_INTEGERS, /* cop_job_integers */
    COP_JOB_STRINGS,  /* cop_job_strings */
    COP_JOB_FIELDS,   /* cop_fields */
    COP_JOB_GUARDS    /* cop_job_guards */
} cop_job_type;

typedef struct cop_job_key {
    const char *name;    /* dotted */
    size_t offset;       /* of the field in cop_job; of a guard's key in cop_job_guard */
    const char *initial; /* default as YAML; "null": absent is allowed; NULL: required */
    const char *before;  /* what programs did that did not know the key; NULL: its default */
    const char *example; /* value to show where a required key is missing */
    int64_t least,
        most;         /* integers, or each of a list: both allowed; INT64_MAX: no upper bound */
    const char *word; /* allowed besides, NULL: none; stands for 0 of an integer and for NaN of
                         a number */
    double low, high; /* numbers, or each of a list */
    const char *const *choices;     /* strings: NULL-terminated; NULL: any text */
    bool (*fits)(const char *text); /* what decides where the choices are not to be listed */
    cop_status (*check)(const char *text, cop_error *err); /* strings: their form; NULL: any */
    const char *unit;                                      /* NULL: none */
    const char *meaning;                                   /* one sentence */
    cop_job_type type;
    bool low_open, high_open; /* the bound itself is not allowed */
    bool may_be_empty;        /* strings: ""; lists: [] */
    bool is_command;          /* strings of a list: program and arguments, paths are resolved */
    bool describes_run;       /* does not take part in the job's identity */
} cop_job_key;

/* A group of keys. */
typedef struct cop_job_section {
    const char *name;     /* dotted */
    const char *stand_in; /* key that a plain value in place of the group means; NULL: none */
    const char *meaning;  /* a few words; NULL: not listed by itself */
} cop_job_section;

enum { COP_JOB_KEYS_MAX = 128, COP_JOB_SECTIONS_MAX = 32 };

/* Key or section `index`; past the last NULL. */
const cop_job_key *cop_job_key_at(size_t index);
const cop_job_section *cop_job_section_at(size_t index);

/* Index of the key or section of that dotted name; -1 if there is none. */
int cop_job_key_find(const char *name);
int cop_job_section_find(const char *name);

/* Index of the mapping that `name` is an entry of: its key and, after a dot, what is mapped; -1
 * if there is none. */
int cop_job_mapping_find(const char *name);

/* The name most likely meant by an unknown one: with the same last part, else the nearest of
 * its section, then of all; NULL if none is near. */
const char *cop_job_key_nearest(const char *name);

/* "integer", "list of numbers", ... */
const char *cop_job_type_name(cop_job_type type);

/* Appends the range: "1 .. 100", "> 0", "auto | cpu"; nothing for free text. */
cop_status cop_job_key_print_range(const cop_job_key *key, cop_text *text, cop_error *err);

#endif
