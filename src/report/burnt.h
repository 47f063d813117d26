/* What candidates that destroy the model cost. Private to report/. */
#ifndef COP_REPORT_BURNT_H
#define COP_REPORT_BURNT_H

#include "coppice/base/text.h"
#include "coppice/search/search.h"
#include "coppice/store/store.h"

#include <jansson.h>

/* Finds the candidates of the first population that are worse than the base, by `measure`, on
 * the examples that they answered and whose answers are on average as long as they may be (nine
 * tenths of `max_tokens`, or more), and notes at /population/destructive how many these are and
 * what share of the population's tokens is theirs. `base` [M] are the base's scores on the
 * split's own support. */
cop_status cop_burnt_note(cop_store *store, const cop_measure *measure, const float *base,
                          uint64_t max_tokens, cop_error *err);

/* Appends a line on them, after `indent`; nothing where there are none. */
cop_status cop_burnt_print(const cop_store *store, const char *indent, cop_text *text,
                           cop_error *err);

/* The same for summary.json, an object; NULL where nothing is noted. */
json_t *cop_burnt_json(const cop_store *store);

#endif
