/* The searches of the table in method.c. Private to method/. */
#ifndef COP_METHOD_METHODS_H
#define COP_METHOD_METHODS_H

#include "coppice/method/method.h"

typedef cop_status cop_method_run(cop_search *search, const cop_candidates *population,
                                  bool *improved, cop_error *err);

/* CoRP: the population merged around the base, then recentred. */
cop_method_run cop_corp_run;

/* Small populations in a row, the first being `population`: each moves the centre if the gate
 * lets it. *improved: one did. */
cop_method_run cop_rounds_run;

/* The evolution strategy, whose first population is `population`. *improved: the iterate that
 * is best on probe passed the gate against the base and is the centre. */
cop_method_run cop_es_run;

/* RandOpt: the best candidate on support, asking nobody. */
cop_method_run cop_randopt_run;

#endif
