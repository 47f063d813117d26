/** \file phase.h
 * A phase: rows (recipes) times examples, cut into units of at most so many examples, each
 * scored once and kept in the run file's tree, from which a later start takes it over.
 *
 * Who scores the units is a callback: the ranks of a job, or a function of a test. This layer
 * knows no model, no messages and no file. All of it is rank 0's, but for the order of a phase
 * (work_order.h) and the cut of a row into units.
 */
#ifndef COPPICE_PHASE_PHASE_H
#define COPPICE_PHASE_PHASE_H

#include "coppice/base/log.h"
#include "coppice/base/sampling.h"
#include "coppice/base/status.h"
#include "coppice/phase/progress.h"
#include "coppice/rebuild/rebuild.h"
#include "coppice/search/search.h"
#include "coppice/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of a unit that is not scored yet, or nobody knows with what. */
enum { COP_NO_ARITHMETIC = 255 };

/** State of a unit in the run file. */
typedef enum cop_unit_state {
    COP_UNIT_PENDING,
    COP_UNIT_OK,
    COP_UNIT_NOT_FINITE,
    COP_UNIT_LEFT_OUT,  /**< never to be scored: cop_phase_leave_out() */
    COP_UNIT_TAKEN_OVER /**< scored in other phases: cop_phase_take_over() */
} cop_unit_state;

/** A row's recipe, a borrowed view: the base, the phase's trunk or none of it, and these
 *  components. */
typedef struct cop_row {
    const cop_component *components; /**< [count] */
    size_t count;
    bool on_trunk; /**< behind the trunk */
} cop_row;

/** A phase on rank 0. Rows are added, never changed. */
typedef struct cop_phase {
    char path[64];        /**< group in the run file */
    char title[32];       /**< for people */
    size_t *examples;     /**< [example_count] indices into the data set */
    size_t example_count; /**< M */
    size_t batch;         /**< most examples of a unit */
    size_t row_units;     /**< units per row; unit / row_units is the row */
    bool is_cut;          /**< its units are its own: cop_phase_cut() */
    bool keeps_answers;   /**< to be set before the first row */
    /** To be set before the first row; row r draws sample r. */
    cop_sampling sampling;
    size_t row_count; /**< R */
    size_t row_capacity;
    cop_row *recipes; /**< [R] of the rows, in blocks; {NULL, 0} once a run has scored all */
    struct cop_block *blocks; /**< the last one first */
    cop_component *trunk; /**< [trunk_count] that rows may begin with: cop_phase_set_trunk() */
    size_t trunk_count;
    uint64_t trunk_digest; /**< of these */
    uint64_t *digest;      /**< [R] of components and examples: a resume must find the same */
    float *scores;         /**< [R, M]; NaN: pending or left out */
    uint64_t *answers;     /**< [R, M] digests of extracted answers, 0: none; NULL: not kept */
    uint8_t *state;        /**< [R, row_units] cop_unit_state */
    uint64_t *tokens;      /**< [R, row_units] generated */
    float *seconds;        /**< [R, row_units] */
    int32_t *rank;         /**< [R, row_units] who computed it, -1: nobody yet */
    uint8_t *arithmetic;   /**< [R, row_units] with what: index into /job/arithmetic */
} cop_phase;

/** What scoring a unit gave; all pointers are borrowed. */
typedef struct cop_phase_result {
    uint64_t unit;
    cop_status status;   /**< COP_OK, or COP_ERR_NUMERIC: logits are not finite, all scores 0 */
    const float *scores; /**< [score_count] */
    size_t score_count;
    const uint64_t *answers; /**< [score_count] where the phase keeps answers, else NULL */
    uint64_t tokens;         /**< generated */
    double seconds;          /**< of the rank's time */
    int rank;                /**< who computed it */
    uint8_t arithmetic;      /**< with what: index into /job/arithmetic, COP_NO_ARITHMETIC */
} cop_phase_result;

/** When the tree is to be written. */
typedef enum cop_save_when {
    COP_SAVE_IF_DUE,
    COP_SAVE_NOW,    /**< begin to, beside the work */
    COP_SAVE_LEAVING /**< and wait for it a little: the job ends */
} cop_save_when;

/** Who scores units and writes the tree. All but `evaluate` may be NULL: nothing to do. */
typedef struct cop_phase_host {
    void *context;
    /** Scores units [count] of a phase, rising: cop_phase_take() once for each,
     * cop_phase_tick() often, whose failure ends it. */
    cop_status (*evaluate)(void *context, cop_phase *phase, const uint64_t *units, size_t count,
                           cop_error *err);
    /** Looks around. *due: a checkpoint is. Not COP_OK ends the phase: COP_INTERRUPTED for a
     *  job that is to leave. */
    cop_status (*watch)(void *context, bool *due, cop_error *err);
    /** The tree is about to be written: adds what others count. */
    cop_status (*note)(void *context, cop_error *err);
    /** Writes the tree. */
    cop_status (*save)(void *context, cop_save_when when, cop_error *err);
} cop_phase_host;

/** What all phases of a job share. All pointers are borrowed. */
typedef struct cop_phases {
    cop_store *store; /**< the run file's tree */
    const char *file; /**< its path, for messages */
    bool *unsaved;    /**< set where the tree is to hold what the file does not */
    cop_progress *progress;
    cop_log *log;
    size_t batch;        /**< most examples of a unit */
    uint64_t max_tokens; /**< most tokens of one answer */
    cop_phase_host host;
} cop_phases;

/** The examples of its row that a unit covers; none where the row has no such unit. */
typedef struct cop_unit_range {
    size_t first, count;
} cop_unit_range;

/** Of a unit in rows of `row_units` over `example_count` examples, at most `batch` each. */
static inline cop_unit_range cop_unit_range_of(uint64_t unit, size_t row_units,
                                               size_t example_count, size_t batch)
{
    const size_t first = unit % row_units * batch;
    const size_t left = first < example_count ? example_count - first : 0;
    return (cop_unit_range){.first = first, .count = left < batch ? left : batch};
}

/** The same for a unit of a phase. */
cop_unit_range cop_phase_unit_range(const cop_phase *phase, uint64_t unit);

/** An empty phase over examples [example_count] (copied); free with cop_phase_destroy(). */
cop_status cop_phase_create(const cop_phases *phases, const char *path, const char *title,
                            const size_t *examples, size_t example_count, cop_phase **phase,
                            cop_error *err);

/** Has units of at most `unit` examples instead of the job's batch, which is no smaller. Before
 *  the first row. */
void cop_phase_cut(cop_phase *phase, size_t unit);

/** Takes a copy of components [count] that many rows begin with, once: they are kept, digested
 *  and sent to a rank once and not for every row. */
cop_status cop_phase_set_trunk(cop_phase *phase, const cop_component *components, size_t count,
                               cop_error *err);

/** Adds a row: the trunk, and components [count], copied, behind it. */
cop_status cop_phase_add_to_trunk(cop_phase *phase, const cop_component *components,
                                  size_t count, cop_error *err);

/** Adds a row: components [count], copied; none is the base. */
cop_status cop_phase_add(cop_phase *phase, const cop_component *components, size_t count,
                         cop_error *err);

/** Has what is pending scored, after what the tree holds of it was taken over. May be called
 *  again after more rows were added. Whatever happens, what was scored is in the tree.
 *  COP_ERR_MISMATCH: the tree's rows were made of other recipes or examples. */
cop_status cop_phase_run(cop_phases *phases, cop_phase *phase, cop_error *err);

/** The same of a part: of each row the units first .. end - 1. Parts follow each other from the
 *  first unit on; rows may be left out in between. */
cop_status cop_phase_run_part(cop_phases *phases, cop_phase *phase, size_t first, size_t end,
                              cop_error *err);

/** What is pending of a row is never scored. A later start must decide so again: of what the
 *  tree says is left out it takes over nothing. */
void cop_phase_leave_out(cop_phase *phase, size_t row);

/** A row's scores [M] are known from other phases, where its tokens and seconds stand too: no
 *  unit of it is scored. A later start must take it over again. */
void cop_phase_take_over(cop_phase *phase, size_t row, const float *scores);

/** Tells whether a result can be true: its unit, numbers of scores, answers, tokens. */
cop_status cop_phase_check(const cop_phases *phases, const cop_phase *phase,
                           const cop_phase_result *result, cop_error *err);

/** A unit is scored: its result, which cop_phase_check() has let through, is kept. */
void cop_phase_take(cop_phases *phases, cop_phase *phase, const cop_phase_result *result);

/** What goes on beside the work: progress, signals, checkpoints. COP_INTERRUPTED: leave. */
cop_status cop_phase_tick(cop_phases *phases, const cop_phase *phase, cop_error *err);

/** The digest of an extracted answer that votes are counted by; 0 for none: NULL or empty. */
cop_status cop_phase_answer(const char *extracted, uint64_t *answer, cop_error *err);

/** A row's recipe, while one of its units is pending. */
cop_row cop_phase_row(const cop_phase *phase, size_t row);

/** Scores of a row, [M]. */
const float *cop_phase_scores(const cop_phase *phase, size_t row);

/** True if all units of the row are scored and gave finite logits. */
bool cop_phase_row_valid(const cop_phase *phase, size_t row);

/** Examples of a row that are scored. */
size_t cop_phase_count_scored(const cop_phase *phase, size_t row);

/** Mean score of a row; share of right examples; that of the two which the measure is on. Of a
 *  row that is all scored. */
double cop_phase_mean(const cop_phase *phase, size_t row);
double cop_phase_accuracy(const cop_phase *phase, size_t row, const cop_measure *measure);
double cop_phase_merit(const cop_phase *phase, size_t row, const cop_measure *measure);

/** Adds a column beside the scores in the tree: values [R] of type `type`. */
cop_status cop_phase_column(const cop_phases *phases, const cop_phase *phase, const char *name,
                            cop_store_type type, const void *values, const char *unit,
                            const char *meaning, cop_error *err);

/** Lets go of the recipes of all rows, none of which has a pending unit. */
void cop_phase_drop_recipes(cop_phase *phase);

/** True if its parts agree: rows, states, and scores that are NaN exactly where a unit is
 *  pending or left out. Looks at all of it; for tests and assertions. */
bool cop_phase_is_valid(const cop_phase *phase);

/** Frees *phase and sets it to NULL; NULL is allowed. */
void cop_phase_destroy(cop_phase **phase);

#endif
