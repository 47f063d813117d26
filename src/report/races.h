/* Races in a run file, for people. Private to report/. */
#ifndef COP_REPORT_RACES_H
#define COP_REPORT_RACES_H

#include "coppice/base/text.h"
#include "coppice/store/store.h"

/* Appends a section that says of each race who left when, and what that saved; nothing for a
 * run without one. */
cop_status cop_races_print(const cop_store *store, cop_text *text, cop_error *err);

#endif
