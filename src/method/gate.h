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
} cop_gate_candidate;

/* What to try. */
typedef struct cop_gate_request {
    const char *path, *title;             /* of the phase */
    int64_t round;                        /* as in cop_gate_record */
    int64_t first_attempt;                /* number of the first try, from 1 */
    const cop_gate_candidate *candidates; /* [count], best first */
    size_t count;
    size_t tries; /* that the method may make in a round: z is raised for them */
} cop_gate_request;

/* Scores the candidates on validate against the centre, and lets the first through that is
 * better beyond doubt (cop_gate_decide()). *winner is its index, SIZE_MAX if none is; its
 * scores are then in scores [validate]. Every decision goes into the run file, the log and
 * before the user. */
cop_status cop_gate_pass(cop_search *search, const cop_gate_request *request, float *scores,
                         size_t *winner, cop_error *err);

#endif
