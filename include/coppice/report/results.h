/** \file results.h
 * Results on the test set: the lines of the final table.
 */
#ifndef COPPICE_REPORT_RESULTS_H
#define COPPICE_REPORT_RESULTS_H

#include "coppice/base/text.h"
#include "coppice/phase/phase.h"
#include "coppice/search/compare.h"

/** Compute spent. */
typedef struct cop_spent {
    uint64_t evaluations; /**< answers generated */
    uint64_t tokens;      /**< generated */
    uint64_t units;       /**< of work, by cop_results_spent() */
    uint64_t saved; /**< answers not generated, their rows having left a race; by it too */
} cop_spent;

/** How a method compares with another, example by example. */
typedef struct cop_difference {
    double gain; /**< in what decides: accuracy or reward */
    cop_interval gain_95;
    cop_mcnemar test;
} cop_difference;

typedef struct cop_result {
    const char *group; /**< in the run file: "/final" or "/baselines" */
    char key[40];      /**< the group's name below that, and key in summary.json */
    char title[40];
    float *scores;    /**< [examples]; owned */
    size_t answers;   /**< per question: K */
    cop_spent search; /**< what finding the method took */
    cop_spent test;   /**< what its answers to the test questions took */
    /** from cop_results_measure(): */
    double accuracy, reward;
    cop_interval accuracy_95, reward_95;
    cop_difference to_base, to_consolidated;
} cop_result;

/** All results of a run, the base first. */
typedef struct cop_results {
    cop_result *items; /**< [count] */
    size_t count, capacity;
    size_t examples;       /**< of the test set */
    size_t result;         /**< index of the method that the recipe stands for */
    bool has_consolidated; /**< and it is one merged model, which all are compared with */
} cop_results;

/** Adds a method; scores [examples] are copied. */
cop_status cop_results_add(cop_results *results, const cop_result *method, const float *scores,
                           cop_error *err);

/** What the phases below a group of the run file took; "" for all. */
cop_spent cop_results_spent(const cop_store *store, const char *group);

/** What rows first .. first+count-1 of a phase took. */
cop_spent cop_results_spent_rows(const cop_phase *phase, size_t first, size_t count);

/** Fills in accuracies, intervals and tests, by bootstraps of this seed; `measure` decides. */
cop_status cop_results_measure(cop_results *results, const cop_measure *measure, uint64_t seed,
                               cop_error *err);

/** Writes all results into the run file, in order: /final/methods names their groups. */
cop_status cop_results_record(cop_store *store, const cop_results *results, cop_error *err);

/** Appends the tables of a run file that has ended: accuracies with intervals and tests, and
 * what they cost. */
cop_status cop_results_print(const cop_store *store, cop_text *text, cop_error *err);

/** Gain over the base per million tokens, search and test together; 0 where none were spent. */
double cop_results_gain_per_million(const cop_result *method);

/** Frees what results own. */
void cop_results_free(cop_results *results);

#endif
