/* Proposals: directions that operators found, times steps, put to the gate. Private to run/. */
#ifndef COP_RUN_PROPOSALS_H
#define COP_RUN_PROPOSALS_H

#include "run/candidates.h"

/* A direction over the run's seeds, of unit norm where candidates are orthogonal. */
typedef struct cop_proposed_direction {
    const cop_operator *source;
    cop_direction found; /* over the candidates; owned */
    double reference;    /* natural step */
    double *vector;      /* [seeds] */
} cop_proposed_direction;

/* One step that may be taken. */
typedef struct cop_proposal {
    size_t direction; /* index into directions */
    double step;      /* amplitude of the direction */
    double scale;     /* what the step is a multiple of decides the caller */
    /* On probe, where scored there; `merit` is what decides. */
    double merit, accuracy, reward;
    cop_paired paired; /* against the centre on support, where scored there */
} cop_proposal;

typedef struct cop_proposals {
    cop_proposed_direction *directions; /* [direction_count] */
    size_t direction_count, direction_capacity;
    cop_proposal *items; /* [count] */
    size_t count, capacity;
    size_t *order; /* [count] best first, after cop_proposals_rank() */
} cop_proposals;

/* Runs the job's operators on scored candidates. `reward` [N] is what they rank by. */
cop_status cop_proposals_find(const cop_run *run, const cop_candidates *candidates,
                              const double *reward, cop_proposals *proposals, cop_error *err);

/* Adds a step along a direction. */
cop_status cop_proposals_add(cop_proposals *proposals, size_t direction, double step,
                             double scale, cop_error *err);

/* The vector of proposal `index`, [seeds]. */
const double *cop_proposals_vector(const cop_proposals *proposals, size_t index);

/* Adds proposal `index` to a phase: centre + step * vector. */
cop_status cop_proposals_add_row(const cop_run *run, const cop_proposals *proposals,
                                 size_t index, cop_phase *phase, cop_error *err);

/* Sorts: best first, equals in their order. */
cop_status cop_proposals_rank(cop_proposals *proposals,
                              bool (*better)(const cop_proposal *, const cop_proposal *),
                              cop_error *err);

/* q, beta, operator, scale and step of each proposal beside the phase's scores. */
cop_status cop_proposals_record(cop_run *run, const cop_proposals *proposals,
                                const cop_phase *phase, cop_error *err);

/* The gate: tries proposals [count] by their indices `tried`, in that order, on validate
 * against the centre. *winner is the first that passes, SIZE_MAX if none; its scores are then
 * in scores [validate]. `path` is the phase's group, `first_attempt` the number of the first
 * try (from 1), `round` as in cop_gate_record. */
typedef struct cop_gate_request {
    const char *path, *title;
    int64_t round, first_attempt;
    const size_t *tried; /* [count] */
    size_t count;
} cop_gate_request;
cop_status cop_proposals_pass_gate(cop_run *run, const cop_proposals *proposals,
                                   const cop_gate_request *request, float *scores,
                                   size_t *winner, cop_error *err);

/* One move of the centre, for cop_stage1_run(). */
typedef struct cop_move {
    const char *path, *title; /* of the proposals' phase */
    const char *gate_path;
    int64_t round; /* as in cop_gate_record */
} cop_move;

/* CoRP's stage 1 around the centre: what the job's operators make of the candidates, in a grid
 * of steps on probe, the best through the gate on validate. If one passes the centre moves,
 * *moved is true and *accepted (NULL: not wanted; cop_direction_free() it) is the direction. */
cop_status cop_stage1_run(cop_run *run, const cop_move *move, const cop_candidates *candidates,
                          cop_direction *accepted, bool *moved, cop_error *err);

/* CoRP's stage 2: rounds of local search around the accepted model, gated at every step.
 * `population` gives the size of local steps, `cloud` the first principal directions. */
cop_status cop_recenter_run(cop_run *run, const cop_candidates *population,
                            const cop_direction *cloud, cop_error *err);

/* Small populations in a row, the first being `population`: each moves the centre if the gate
 * lets it. *improved: one did. */
cop_status cop_rounds_run(cop_run *run, const cop_candidates *population, bool *improved,
                          cop_error *err);

/* The evolution strategy, whose first population is `population`. *improved: the iterate that
 * is best on probe passed the gate against the base and is the centre. */
cop_status cop_es_run(cop_run *run, const cop_candidates *population, bool *improved,
                      cop_error *err);

/* Frees what proposals own. */
void cop_proposals_free(cop_proposals *proposals);

#endif
