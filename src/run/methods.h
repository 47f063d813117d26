/* Methods on the test set: the lines of the final table. Private to run/. */
#ifndef COP_RUN_METHODS_H
#define COP_RUN_METHODS_H

#include "coppice/search/compare.h"
#include "run/phase.h"

/* Compute spent. */
typedef struct cop_spent {
    uint64_t evaluations; /* answers generated */
    uint64_t tokens;      /* generated */
    uint64_t units;       /* of work, by cop_methods_spent() */
} cop_spent;

/* How a method compares with another, example by example. */
typedef struct cop_difference {
    double gain; /* in what decides: accuracy or reward */
    cop_interval gain_95;
    cop_mcnemar test;
} cop_difference;

typedef struct cop_method {
    const char *group; /* in the run file: "/final" or "/baselines" */
    char key[40];      /* the group's name below that, and key in summary.json */
    char title[40];
    float *scores;    /* [examples]; owned */
    size_t answers;   /* per question: K */
    cop_spent search; /* what finding the method took */
    cop_spent test;   /* what its answers to the test questions took */
    /* from cop_methods_measure(): */
    double accuracy, reward;
    cop_interval accuracy_95, reward_95;
    cop_difference to_base, to_consolidated;
} cop_method;

/* All methods of a run, the base first. */
typedef struct cop_methods {
    cop_method *items; /* [count] */
    size_t count, capacity;
    size_t examples;       /* of the test set */
    size_t result;         /* index of the method that the recipe stands for */
    bool has_consolidated; /* and it is one merged model, which all are compared with */
} cop_methods;

/* Adds a method; scores [examples] are copied. *added (may be NULL) is valid until the next. */
cop_status cop_methods_add(cop_methods *methods, const cop_method *method, const float *scores,
                           cop_method **added, cop_error *err);

/* What the phases below a group of the run file took; "" for all. */
cop_spent cop_methods_spent(const cop_store *store, const char *group);

/* What rows first .. first+count-1 of a phase took. */
cop_spent cop_methods_spent_rows(const cop_phase *phase, size_t first, size_t count);

/* Fills in accuracies, intervals and tests. */
cop_status cop_methods_measure(const cop_run *run, cop_methods *methods, cop_error *err);

/* Writes all methods into the run file, in order: /final/methods names their groups. */
cop_status cop_methods_record(cop_run *run, const cop_methods *methods, cop_error *err);

/* Appends the tables of a run file that has ended: accuracies with intervals and tests, and
 * what they cost. */
cop_status cop_methods_print(const cop_store *store, cop_text *text, cop_error *err);

/* Gain over the base per million tokens, search and test together; 0 where none were spent. */
double cop_methods_gain_per_million(const cop_method *method);

/* Frees what methods own. */
void cop_methods_free(cop_methods *methods);

#endif
