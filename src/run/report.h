/* What a run leaves behind. Private to run/. */
#ifndef COP_RUN_REPORT_H
#define COP_RUN_REPORT_H

#include "run/methods.h"

/* What the gate has said of the result. */
typedef enum cop_verdict {
    COP_VERDICT_UNGATED = -1, /* the method has no gate */
    COP_VERDICT_NOTHING = 0,  /* nothing passed: the result is the base */
    COP_VERDICT_PASSED = 1
} cop_verdict;

typedef struct cop_report {
    cop_methods *methods;  /* all that were tested, the base first */
    size_t candidate;      /* RandOpt's best on support */
    double support_reward; /* of it */
    cop_verdict verdict;
    double seconds;
} cop_report;

/* Writes recipe.json and summary.json and prints the final table. run->centre is the result. */
cop_status cop_report_finish(cop_run *run, const cop_report *report, cop_error *err);

#endif
