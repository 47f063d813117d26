/** \file method.h
 * Methods: what becomes of a scored population. A method sees scores by index, proposes rows
 * and moves the centre; who scores them is the phases' business (phase.h). Everything here is
 * on rank 0, follows from the scores alone, and so gives the same bytes for any ranks and
 * resumes.
 */
#ifndef COPPICE_METHOD_METHOD_H
#define COPPICE_METHOD_METHOD_H

#include "coppice/data/dataset.h"
#include "coppice/job/job.h"
#include "coppice/method/budget.h"
#include "coppice/method/candidates.h"
#include "coppice/phase/phase.h"
#include "coppice/search/search.h"

/** A guard, as a search sees it: what its examples are worth to whom. */
typedef struct cop_guard {
    const char *name; /**< of its task, or "text"; borrowed, as `examples` */
    cop_measure measure;
    double loss;            /**< of the mean that is allowed */
    const size_t *examples; /**< [count] */
    size_t count;
    cop_phase *phase; /**< the base, then each proposal that it was asked about; the search's */
    cop_guard_decision passed; /**< of the proposal that was accepted last */
    cop_guard_decision centre; /**< of the centre, once has_moved */
    bool has_moved;
} cop_guard;

/** One gate decision for the record. */
typedef struct cop_gate_record {
    int64_t round;      /**< of rounds or recentring, from 1; 0: of stage 1 or es */
    int64_t attempt;    /**< from 1 */
    const char *source; /**< operator that found the direction */
    double q, beta, step;
    double share; /**< of the candidate's own step; below 1 where a guard refused more */
    bool broken;  /**< its logits were not finite */
    cop_gate_decision decision;
    cop_guard_decision *guards; /**< [guard_count]; NULL: they were not asked; owned */
} cop_gate_record;

/** What the budget made of a step of the search. */
typedef struct cop_budget_step {
    char path[64];       /**< of the phase in the run file */
    const char *of;      /**< what is counted */
    size_t wanted, made; /**< by the job; by the budget */
    uint64_t left;       /**< answers that what was left covered before */
} cop_budget_step;

/** A search in progress. */
typedef struct cop_search {
    const cop_method *method; /**< borrowed */
    const cop_job *job;       /**< borrowed */
    const cop_splits *splits; /**< borrowed */
    cop_phases *phases;       /**< borrowed */
    cop_measure measure;      /**< that probe and gate decide by; known after the base */
    size_t *support;          /**< [support_count] the support examples as they are now */
    size_t support_count;     /**< as the split's */
    float *base_support;      /**< [support_count] the base's scores on the split's own */
    uint64_t *seeds;          /**< [seed_count] of all populations, then each local round */
    size_t seed_count;        /**< length of every direction */
    double *centre;           /**< [seed_count] the accepted model; all zero: the base */
    /** A direction is added as one sum times its step (consolidate.sums), and the centre is
     * what was added so far, one after the other; else each seed by itself, with its amplitude
     * of the whole. */
    bool sums;
    cop_component *trunk; /**< [trunk_count] the centre as a recipe, with `sums` */
    size_t trunk_count, trunk_capacity;
    float *centre_validate; /**< [validate] scores of the centre, to pair with at the gate */
    double step;            /**< norm of the last accepted step */
    cop_component *row;     /**< a recipe in the making */
    size_t row_capacity;
    cop_gate_record *gate; /**< [gate_count] */
    size_t gate_count, gate_capacity;
    cop_guard *guards; /**< [guard_count] */
    size_t guard_count;
    /** Tries at the gate follow each other, and shorter steps of what guards refuse are tried:
     *  with guards, but in a run whose gate an older version began. */
    bool in_turn;
    cop_phase *shorter;     /**< those steps; NULL: none was tried */
    cop_budget budget;      /**< what may be spent, and was */
    cop_budget_step *steps; /**< [step_count] of a search with a budget */
    size_t step_count, step_capacity;
} cop_search;

/** A method by its table: the value of the job's key `method`. */
struct cop_method {
    const char *name;
    const char *title; /**< in tables */
    bool is_gated;     /**< its result passed the gate, or is the base */
    bool proposes;     /**< puts a grid of directions and steps on probe */
    bool recentres;    /**< draws local rounds: recenter.rounds of recenter.size */
    /** Job keys, besides population.size, that a search needs less memory with. */
    const char *memory_keys;
    /** Populations of population.size that it draws at most. */
    size_t (*population_count)(const cop_job *job);
    /** From the scored population to the search's centre. *improved: the centre is better than
     *  the base by the gate's word; else it is the base, or nobody was asked. */
    cop_status (*run)(cop_search *search, const cop_candidates *population, bool *improved,
                      cop_error *err);
};

/** Method `index` of the table, NULL past the last. */
const cop_method *cop_method_at(size_t index);

/** The method of a name; COP_ERR_CONFIG with those that there are. */
cop_status cop_method_find(const char *name, const cop_method **method, cop_error *err);

/** Seeds that a whole search by a job may need. */
size_t cop_method_seed_count(const cop_method *method, const cop_job *job);

/** Draws the seeds of a search by the job's method; the centre is the base. Scores count as
 * right from correct_at on. Free with cop_search_free(). */
cop_status cop_search_create(const cop_method *method, const cop_job *job,
                             const cop_splits *splits, cop_phases *phases, double correct_at,
                             cop_search *search, cop_error *err);

/** Tells a new search of its guards [count], copied: all but phase and decisions. */
cop_status cop_search_set_guards(cop_search *search, const cop_guard *guards, size_t count,
                                 cop_error *err);

/** The examples of a split, [*count]: of support, where some were replaced, with the new ones
 *  in their places. */
const size_t *cop_search_examples(const cop_search *search, cop_split split, size_t *count);

/** Adds the centre to a phase as a row. */
cop_status cop_search_add_centre(cop_search *search, cop_phase *phase, cop_error *err);

/** Adds a row to a phase: the centre plus a candidate, vector [seed_count]. */
cop_status cop_search_add_candidate(cop_search *search, cop_phase *phase,
                                    const double *candidate, cop_error *err);

/** Adds a row to a phase: the centre plus step * direction [seed_count]. Rows along one
 *  direction have its noises in common (`sums`). */
cop_status cop_search_add_step(cop_search *search, cop_phase *phase, const double *direction,
                               double step, cop_error *err);

/** Moves the centre to where cop_search_add_step() looked, and takes note of the step. */
cop_status cop_search_move(cop_search *search, const double *direction, double step,
                           cop_error *err);

/** The centre as a recipe: *components [*count], the search's until it is used again. */
cop_status cop_search_recipe(cop_search *search, const cop_component **components,
                             size_t *count, cop_error *err);

/** Base scores of every split, one after the other. */
typedef struct cop_base_scores {
    cop_phase *phase;
    size_t start[COP_SPLIT_COUNT]; /**< of a split's examples in the phase */
} cop_base_scores;

/** Scores the base on all splits, as the phase /base, and for the guards, and decides what
 * probe and gate decide by; `graded`: the task's rewards are. COP_ERR_CONFIG: nothing tells
 * examples apart. cop_phase_destroy() the phase. */
cop_status cop_search_score_base(cop_search *search, bool graded, cop_base_scores *base,
                                 cop_error *err);

/** Draws and scores the first population, as the phase /population. With
 *  splits.drop_uninformative its first candidates decide which support examples are replaced
 *  (/screen), from here on. */
cop_status cop_search_score_population(cop_search *search, cop_candidates *population,
                                       cop_error *err);

/** Frees what a search owns. */
void cop_search_free(cop_search *search);

#endif
