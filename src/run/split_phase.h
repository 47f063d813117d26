/* The split-half analysis as a step of the job. Private to run/. */
#ifndef COP_RUN_SPLIT_PHASE_H
#define COP_RUN_SPLIT_PHASE_H

#include "run/context.h"

/* On rank 0, after the population phase: analyses its scores into /split_half of the run file,
 * unless the job says no or it is there. A population too small for it is noted there and in
 * the log. Not collective: the other ranks wait for the next phase. */
cop_status cop_split_phase_run(cop_lead *lead, cop_error *err);

#endif
