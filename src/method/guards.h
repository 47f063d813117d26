/* Guards: what the result must not harm. Private to method/. */
#ifndef COP_METHOD_GUARDS_H
#define COP_METHOD_GUARDS_H

#include "coppice/method/method.h"

/* Scores the base on what each guard holds, as the first row of its phase. COP_ERR_NUMERIC: its
 * logits are not finite there. */
cop_status cop_guards_score_base(cop_search *search, cop_error *err);

/* Asks every guard about the centre plus step * vector, which has passed the gate by the task:
 * decisions [guard_count] (cop_guard_decide() against the base). *accepted: none is against it.
 */
cop_status cop_guards_ask(cop_search *search, const double *vector, double step, double z,
                          cop_guard_decision *decisions, bool *accepted, cop_error *err);

/* What share of the step that was asked about last, and refused, no guard should be against:
 * as cop_guard_shorten() has it for those that were, the least; 0: none. */
double cop_guards_shorten(const cop_search *search, const cop_guard_decision *decisions,
                          int power);

/* A decision's numbers into the run file, below that of the gate at `group`, and before the
 * user. */
cop_status cop_guards_note(const cop_search *search, const char *group,
                           const cop_guard_decision *decisions, cop_error *err);

/* The proposal that was accepted last is the centre now. */
void cop_guards_commit(cop_search *search);

#endif
