/* Screening the support examples by the first candidates. Private to method/. */
#ifndef COP_METHOD_SCREEN_H
#define COP_METHOD_SCREEN_H

#include "coppice/method/method.h"

/* Scores the first candidates of a drawn population (splits.drop_after) on the support examples
 * and replaces, in search->support, those that tell none of them apart, as far as the pool
 * goes. Opens the population's phase on what support is then: the rows of these candidates are
 * taken over where all their logits were finite, for they are scored on the new examples as
 * well, and so is the base. All of it is on record at /screen. */
cop_status cop_screen_run(cop_search *search, cop_candidates *population, cop_error *err);

/* Once the population is scored: mean rewards of those who decided and of the others, for the
 * record. */
cop_status cop_screen_compare(const cop_search *search, const cop_candidates *population,
                              cop_error *err);

#endif
