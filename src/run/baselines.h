/* What a result has to beat: RandOpt's ensembles and self-consistency. Private to run/. */
#ifndef COP_RUN_BASELINES_H
#define COP_RUN_BASELINES_H

#include "run/candidates.h"
#include "run/methods.h"

/* Says which baselines the job asks for and what they cost, before anything is computed. */
void cop_baselines_print_plan(cop_run *run);

/* Ranks candidates by their reward on support, those with finite logits first, equals in their
 * order: members [count] are the best. */
cop_status cop_baselines_rank(const cop_candidates *candidates, size_t *members, size_t count,
                              cop_error *err);

/* RandOpt on the test set: K = 1, the ensembles of baselines.randopt, the best member. */
cop_status cop_baselines_randopt(cop_run *run, const cop_candidates *population,
                                 cop_methods *methods, cop_error *err);

/* Self-consistency on the test set: votes over answers drawn from the base. */
cop_status cop_baselines_self_consistency(cop_run *run, cop_methods *methods, cop_error *err);

#endif
