/** \file baselines.h
 * What a result has to beat: RandOpt's ensembles and self-consistency.
 */
#ifndef COPPICE_REPORT_BASELINES_H
#define COPPICE_REPORT_BASELINES_H

#include "coppice/method/method.h"
#include "coppice/report/results.h"

/** Says which baselines the job asks for and what they cost, before anything is computed. */
void cop_baselines_print_plan(cop_search *search);

/** Most answers that a job's result and baselines give to the test set. */
cop_status cop_baselines_count_answers(const cop_job *job, uint64_t *answers, cop_error *err);

/** RandOpt on the test set: K = 1, the ensembles of baselines.randopt, the best member. */
cop_status cop_baselines_randopt(cop_search *search, const cop_candidates *population,
                                 cop_results *results, cop_error *err);

/** Self-consistency on the test set: votes over answers drawn from the base. */
cop_status cop_baselines_self_consistency(cop_search *search, cop_results *results,
                                          cop_error *err);

#endif
