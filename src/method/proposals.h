/* Proposals: directions that operators found, times steps, as rows of a phase. Private to
 * method/. */
#ifndef COP_METHOD_PROPOSALS_H
#define COP_METHOD_PROPOSALS_H

#include "method/gate.h"
#include "method/race.h"

/* A direction over the run's seeds, of unit norm where candidates are orthogonal. */
typedef struct cop_proposed_direction {
    const cop_operator *source;
    cop_direction found; /* over the candidates, without its cloud; owned */
    double reference;    /* natural step */
    double refused;      /* the least step that a guard refused; 0: none was */
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
    bool broken; /* logits were not finite: its scores say nothing, it is behind all others */
    size_t turn; /* who comes first among equals: the least */
} cop_proposal;

typedef struct cop_proposals {
    cop_proposed_direction *directions; /* [direction_count] */
    size_t direction_count, direction_capacity;
    size_t *sequence;    /* [direction_count] in which they are tried; NULL: none was yet */
    size_t tried;        /* the first ones of it */
    cop_proposal *items; /* [count] */
    size_t count, capacity;
    size_t *order;       /* [count] best first, after cop_proposals_rank() */
    cop_phase_race race; /* whose rows are the first proposals */
} cop_proposals;

/* Runs the job's operators on scored candidates. `reward` [N] is what they rank by. */
cop_status cop_proposals_find(const cop_search *search, const cop_candidates *candidates,
                              const double *reward, cop_proposals *proposals, cop_error *err);

/* Says which directions are tried next, before their first proposals: those of *more places of
 * the sequence, the last of proposals->tried. All are where the budget leaves room, in their
 * order; else as many as it leaves room for, spread over all of them; *more 0: no more. */
cop_status cop_proposals_choose(const cop_search *search, const cop_round *round,
                                cop_proposals *proposals, size_t *more, cop_error *err);

/* One of the directions once more, with its cloud over the candidates, which those of
 * cop_proposals_find() lack; cop_direction_free() it. */
cop_status cop_proposals_find_cloud(const cop_search *search, const cop_candidates *candidates,
                                    const double *reward, const cop_proposed_direction *of,
                                    cop_direction *found, cop_error *err);

/* Adds a step along a direction. */
cop_status cop_proposals_add(cop_proposals *proposals, size_t direction, double step,
                             double scale, cop_error *err);

/* The vector of proposal `index`, [seeds]. */
const double *cop_proposals_vector(const cop_proposals *proposals, size_t index);

/* Adds proposal `index` to a phase: centre + step * vector. */
cop_status cop_proposals_add_row(cop_search *search, const cop_proposals *proposals,
                                 size_t index, cop_phase *phase, cop_error *err);

/* A phase of proposals on a split, whose rows are the first proposals; they race by the rules
 * in proposals->race. */
cop_status cop_proposals_create_phase(cop_search *search, const char *path, const char *title,
                                      cop_split split, cop_proposals *proposals,
                                      cop_phase **phase, cop_error *err);

/* True if a proposal left its race: its scores are a part, and it takes part in nothing. */
bool cop_proposals_has_left(const cop_proposals *proposals, size_t index);

/* Proposals that have not left, at most `most`: they are the first in the order. */
size_t cop_proposals_count_left(const cop_proposals *proposals, size_t most);

/* True if a comes before b: who left the race comes after all who did not, and before them
 * whose logits were not finite. */
bool cop_proposals_precede(const cop_proposals *proposals, size_t a, size_t b,
                           bool (*better)(const cop_proposal *, const cop_proposal *));

/* Sorts: best first by that, equals in their order. */
cop_status cop_proposals_rank(cop_proposals *proposals,
                              bool (*better)(const cop_proposal *, const cop_proposal *),
                              cop_error *err);

/* q, beta, operator, scale and step of each proposal beside the phase's scores, and who left
 * the race when and why. */
cop_status cop_proposals_record(cop_search *search, const cop_proposals *proposals,
                                const cop_phase *phase, cop_error *err);

/* Notes how many of the directions were tried and, before the gate, how many tries may be made
 * at it: *tries, of those who stayed in the race. `left` is what the budget covered before the
 * first was tried. */
cop_status cop_proposals_close(cop_search *search, const cop_round *round,
                               const cop_proposals *proposals, const cop_phase *phase,
                               uint64_t left, size_t *tries, cop_error *err);

/* Puts proposals [count] by their indices `tried` to the gate, in that order; the rest as in
 * cop_gate_pass(), whose candidates are these: *winner is the proposal's index, of a new one
 * where a shorter step was let through. */
cop_status cop_proposals_pass_gate(cop_search *search, cop_proposals *proposals,
                                   const size_t *tried, cop_gate_request request, float *scores,
                                   size_t *winner, cop_error *err);

/* Frees what proposals own. */
void cop_proposals_free(cop_proposals *proposals);

#endif
