/* What became of support examples that told no candidate apart. Private to report/. */
#ifndef COP_REPORT_SCREEN_H
#define COP_REPORT_SCREEN_H

#include "coppice/base/text.h"
#include "coppice/store/store.h"

#include <jansson.h>

/* Appends a section on what was replaced and what that does to means; nothing for a run without
 * splits.drop_uninformative. */
cop_status cop_screen_print(const cop_store *store, cop_text *text, cop_error *err);

/* The same for summary.json, an object; NULL for such a run. */
json_t *cop_screen_json(const cop_store *store);

#endif
