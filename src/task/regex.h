/* Regular expressions (PCRE2, UTF-8, newline is a line feed) with bounds on what they may cost.
 */
#ifndef COP_TASK_REGEX_H
#define COP_TASK_REGEX_H

#include "coppice/base/status.h"
#include "task/tasks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cop_regex cop_regex;

typedef struct cop_regex_options {
    bool caseless;
    bool multiline;       /* $ matches before every line feed */
    bool unicode_classes; /* \w, \d and \s go by Unicode's properties */
    bool counted;         /* steps are counted, for cop_regex_search() */
} cop_regex_options;

/* Compiles a pattern [length]. One that is not valid, too long or too deeply nested is
 * COP_ERR_FORMAT. */
cop_status cop_regex_create(const char *pattern, size_t length, cop_regex_options options,
                            cop_regex **regex, cop_error *err);

/* Frees *regex and sets it to NULL; NULL is allowed. */
void cop_regex_destroy(cop_regex **regex);

typedef enum cop_regex_result {
    COP_REGEX_NONE,
    COP_REGEX_FOUND,
    COP_REGEX_TOO_COSTLY
} cop_regex_result;

/* Looks for the first match in text (valid UTF-8) of a pattern that is counted, within `steps`
 * steps back from any one place and `all_steps` items of the pattern tried. Only a lack of
 * memory, or text that is not UTF-8, fails. */
cop_status cop_regex_search(const cop_regex *regex, cop_slice text, uint32_t steps,
                            uint64_t all_steps, cop_regex_result *result, cop_error *err);

/* *group: group 1 of the last match of a pattern without empty matches. Where that costs more
 * than a pattern of this program may, the search ends with COP_ERR_INTERNAL: such a pattern is
 * a fault of its own. */
cop_status cop_regex_find_last(const cop_regex *regex, cop_slice text, cop_slice *group,
                               bool *found, cop_error *err);

#endif
