/* Phases of a search within its budget. Private to method/. */
#ifndef COP_METHOD_SPEND_H
#define COP_METHOD_SPEND_H

#include "coppice/method/method.h"

/* As cop_phase_run(), and takes what was scored off the budget: of a whole phase, or of each
 * row the units first .. end - 1. Every phase of a search but the base's goes through here.
 * COP_ERR_INTERNAL: what is left does not cover it, which who asks has not looked at. */
cop_status cop_search_run_phase(cop_search *search, cop_phase *phase, cop_error *err);
cop_status cop_search_run_part(cop_search *search, cop_phase *phase, size_t first, size_t end,
                               cop_error *err);

/* Answers that a phase's rows are still to give. */
uint64_t cop_search_count_pending(const cop_phase *phase);

/* Takes the base's phase off the budget; the first `examples` are the search's. */
cop_status cop_search_spend_base(cop_search *search, const cop_phase *base, size_t examples,
                                 cop_error *err);

/* Notes what the budget made of a step: in the run file, and before the user where it is less
 * than what the job wants. Nothing without a budget. */
cop_status cop_search_note_step(cop_search *search, const char *path, const char *of,
                                size_t wanted, size_t made, uint64_t left, cop_error *err);

#endif
