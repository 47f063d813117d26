/* What was spent of a budget, for people. Private to report/. */
#ifndef COP_REPORT_SPENDING_H
#define COP_REPORT_SPENDING_H

#include "coppice/base/text.h"
#include "coppice/store/store.h"

/* Appends "19840 of 20000 answers, 812345 tokens"; a limit of 0 is none. */
cop_status cop_spending_describe(uint64_t answers, uint64_t spent_answers, uint64_t tokens,
                                 uint64_t spent_tokens, cop_text *text, cop_error *err);

/* Prints what the run file says of its budget, and which steps were made smaller by it; nothing
 * if it had none. */
cop_status cop_spending_print(const cop_store *store, cop_text *text, cop_error *err);

#endif
