/* A run file from outside: opened to be shown, and as JSON. Private to report/. */
#ifndef COP_REPORT_RUN_FILE_H
#define COP_REPORT_RUN_FILE_H

#include "coppice/base/text.h"
#include "coppice/store/store.h"

/* Reads the run file of a run directory, or the file itself. *file (to be freed by the caller,
 * also on failure) is its path. Where the newest generation is damaged the one before it is
 * read and `note`, unless NULL, says so in a line. No run file is COP_ERR_FORMAT. */
cop_status cop_run_file_open(const char *path, char **file, cop_store **store, cop_text *note,
                             cop_error *err);

/* A number of a group; 0 where there is none. */
double cop_run_file_number(const cop_store *store, const char *group, const char *name);

/* Whether rewards decide (gate.on), not right answers. */
bool cop_run_file_is_on_reward(const cop_store *store);

/* A list of at least `count` entries of that type; NULL where there is none. */
const cop_store_array *cop_run_file_column(const cop_store *store, const char *path,
                                           cop_store_type type, size_t count);

/* Appends what lies below `group` ("": all of it) as a JSON object of nested objects and lists.
 * NaN (not evaluated) becomes null; unsigned 64-bit numbers become strings, for a JSON number
 * does not hold all of them. `digits`: of a real number. */
cop_status cop_run_file_json(const cop_store *store, const char *group, int digits,
                             cop_text *text, cop_error *err);

#endif
