/* Reading JSON piece by piece. A vocabulary with its merges is half a million strings: as a
 * tree of objects they take several times as long to load and as much memory as is kept of
 * them. */
#ifndef COP_TOKENIZER_TOKENIZER_SCAN_H
#define COP_TOKENIZER_TOKENIZER_SCAN_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* A place in a JSON text, which must be well-formed UTF-8. */
typedef struct cop_scan {
    const char *json; /* [length], not owned */
    size_t length;
    size_t at;
} cop_scan;

/* Skips white space. \return the next byte, NUL at the end. */
char cop_scan_peek(cop_scan *scan);

/* Takes the opening bracket `open`. */
cop_status cop_scan_open(cop_scan *scan, char open, cop_error *err);

/* Between the members of an object or list: takes the ',' or the bracket `close`, which ends
 * it. *count says how many members there have been; it goes up by one if there is another. */
cop_status cop_scan_next(cop_scan *scan, char close, size_t *count, bool *more, cop_error *err);

/* Takes a string; its value, without the escapes, is appended to `out`. */
cop_status cop_scan_string(cop_scan *scan, cop_text *out, cop_error *err);

/* Takes an integer from 0 to `most`. */
cop_status cop_scan_integer(cop_scan *scan, size_t most, size_t *value, cop_error *err);

/* Takes the value of a member of an object: skips its ':' and any value, without looking into
 * it. *value is that value's text. */
cop_status cop_scan_skip(cop_scan *scan, cop_scan *value, cop_error *err);

#endif
