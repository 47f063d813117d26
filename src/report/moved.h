/* What a candidate moves at all, for people. */
#ifndef COP_REPORT_MOVED_H
#define COP_REPORT_MOVED_H

#include "coppice/base/text.h"
#include "coppice/store/store.h"

/* Appends a table of /population/moved; nothing where an older version wrote the run. */
cop_status cop_moved_print(const cop_store *store, cop_text *text, cop_error *err);

#endif
