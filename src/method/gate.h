/* The gate: who may become the centre. Private to method/. */
#ifndef COP_METHOD_GATE_H
#define COP_METHOD_GATE_H

#include "coppice/method/method.h"

/* One who wants to become the centre: the centre now plus step * vector. */
typedef struct cop_gate_candidate {
    const double *vector; /* [seeds] */
    double step;
    const char *source; /* operator that found the direction */
    double q, beta;     /* NaN: it has none */
    double *refused;    /* the least step of the direction that a guard refused; 0: none was */
} cop_gate_candidate;

/* What to try. */
typedef struct cop_gate_request {
    const char *path, *title;             /* of the phase */
    int64_t round;                        /* as in cop_gate_record */
    int64_t first_attempt;                /* number of the first try, from 1 */
    const cop_gate_candidate *candidates; /* [count], best first */
    size_t count;
    size_t most;  /* tries to make now */
    size_t tries; /* that the method may make in a round: z is raised for them */
} cop_gate_request;

/* Who was let through. */
typedef struct cop_gate_winner {
    size_t index; /* of the candidate; SIZE_MAX: nobody */
    double step;  /* the candidate's or, where a guard refused that, a shorter one */
} cop_gate_winner;

/* Scores the candidates on validate against the centre, and lets the first through that is
 * better beyond doubt (cop_gate_decide()) and that no guard refuses. What a guard refuses is
 * tried again with a shorter step, which is a try like others, and what leads farther in the
 * same direction not at all (search->in_turn). The winner's scores are then in scores
 * [validate]. Every decision goes into the run file, the log and before the user. */
cop_status cop_gate_pass(cop_search *search, const cop_gate_request *request, float *scores,
                         cop_gate_winner *winner, cop_error *err);

#endif
