/* What guards said, for people and files. Private to report/. */
#ifndef COP_REPORT_GUARDS_H
#define COP_REPORT_GUARDS_H

#include "coppice/method/method.h"

#include <jansson.h>

/* Of one gate decision, a list; NULL where no guard was asked. */
json_t *cop_guards_decision_json(const cop_search *search, const cop_gate_record *record);

/* Of the result: what it costs each guard, a list; NULL without guards. */
json_t *cop_guards_result_json(const cop_search *search);

/* Appends the same, a line for each guard that ends without a newline; nothing without guards.
 */
cop_status cop_guards_print(const cop_search *search, cop_text *text, cop_error *err);

/* Appends what a run file holds of guards below the gate's decision at `group`. */
cop_status cop_guards_print_decision(const cop_store *store, const char *group, cop_text *text,
                                     cop_error *err);

#endif
