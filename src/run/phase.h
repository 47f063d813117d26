/* A phase: rows (recipes) times examples, cut into units of at most `backend.batch` examples;
 * evaluated by all ranks, kept in the run file. Private to run/. */
#ifndef COP_RUN_PHASE_H
#define COP_RUN_PHASE_H

#include "run/context.h"

/* State of a unit in the run file. */
typedef enum cop_unit_state {
    COP_UNIT_PENDING,
    COP_UNIT_OK,
    COP_UNIT_NOT_FINITE
} cop_unit_state;

typedef struct cop_phase {
    char path[64];         /* group in the run file */
    char title[32];        /* for people */
    size_t *examples;      /* [example_count] indices into the data set */
    size_t example_count;  /* M */
    size_t chunks;         /* units per row */
    bool keeps_answers;    /* to be set before the first row */
    cop_sampling sampling; /* to be set before the first row; row r draws sample r */
    size_t row_count;      /* R */
    size_t row_capacity;
    cop_component **components; /* [R] recipe of each row */
    size_t *component_count;    /* [R] */
    uint64_t *digest;  /* [R] of components and examples: a resume must find the same */
    float *scores;     /* [R, M]; NaN: pending */
    uint64_t *answers; /* [R, M] digests of the extracted answers, 0 for none; NULL: not kept */
    uint8_t *state;    /* [R, chunks] cop_unit_state */
    uint64_t *tokens;  /* [R, chunks] generated */
    float *seconds;    /* [R, chunks] */
    int32_t *rank;     /* [R, chunks] who computed it */
    uint8_t *arithmetic; /* [R, chunks] with what: index into /job/arithmetic, 255: none */
} cop_phase;

/* The examples of its row that a unit covers; none where the row has no such unit. */
typedef struct cop_unit_range {
    size_t first, count;
} cop_unit_range;

static inline cop_unit_range cop_unit_range_of(uint64_t unit, size_t chunks,
                                               size_t example_count, size_t batch)
{
    const size_t first = unit % chunks * batch;
    const size_t left = first < example_count ? example_count - first : 0;
    return (cop_unit_range){.first = first, .count = left < batch ? left : batch};
}

/* An empty phase over examples [example_count] (copied). */
cop_status cop_phase_create(const cop_run *run, const char *path, const char *title,
                            const size_t *examples, size_t example_count, cop_phase **phase,
                            cop_error *err);

/* Adds a row: the base plus centre + step * direction, vectors over the run's seeds; NULLs are
 * zero. */
cop_status cop_phase_add(const cop_run *run, cop_phase *phase, const double *centre,
                         const double *direction, double step, cop_error *err);

/* Evaluates what is pending, on the ranks that are in cop_phase_serve(). May be called again
 * after more rows were added. */
cop_status cop_phase_run(cop_run *run, cop_phase *phase, cop_error *err);

/* On the other ranks: evaluates units until rank 0 dismisses them. May be entered late. */
cop_status cop_phase_serve(cop_run *run, cop_error *err);

/* On rank 0: lets the others leave cop_phase_serve(). Those that do not answer are counted in
 * run->missing: MPI can then only be aborted. */
cop_status cop_phase_dismiss(cop_run *run, cop_error *err);

/* The digest of an extracted answer that votes are counted by; 0 for none: NULL or empty. */
cop_status cop_phase_answer(const char *extracted, uint64_t *answer, cop_error *err);

/* Puts what messages and the coordinator have cost into the run file's tree. (0) */
cop_status cop_phase_note_traffic(cop_run *run, cop_error *err);

/* Scores of a row, [M]. */
const float *cop_phase_scores(const cop_phase *phase, size_t row);

/* True if all units of the row gave finite logits. */
bool cop_phase_row_valid(const cop_phase *phase, size_t row);

/* Mean score and share of right examples of a row, and that of the two which decides. */
double cop_phase_mean(const cop_phase *phase, size_t row);
double cop_phase_accuracy(const cop_run *run, const cop_phase *phase, size_t row);
double cop_phase_merit(const cop_run *run, const cop_phase *phase, size_t row);

/* Adds a column beside the scores: values [R] of type `type`. */
cop_status cop_phase_column(cop_run *run, const cop_phase *phase, const char *name,
                            cop_store_type type, const void *values, const char *unit,
                            const char *meaning, cop_error *err);

/* Frees *phase and sets it to NULL; NULL is allowed. */
void cop_phase_destroy(cop_phase **phase);

#endif
