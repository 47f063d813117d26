/* The regular expressions of tokenizer files: written for Oniguruma (Ruby's syntax), run here
 * by PCRE2. A pattern is translated so that it means the same; what would not is refused by
 * name. */
#ifndef COP_TOKENIZER_PRETOKENIZE_PATTERN_H
#define COP_TOKENIZER_PRETOKENIZE_PATTERN_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/unicode/unicode_table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct cop_pattern cop_pattern;

/* A stretch of a text, in bytes. */
typedef struct cop_span {
    size_t start;
    size_t end;
    bool match; /* false: what lies between matches */
} cop_span;

/* A growing list of spans; start from {0}. */
typedef struct cop_spans {
    cop_span *data; /* [count], owned */
    size_t count;
    size_t capacity;
} cop_spans;

/* What searching needs besides the pattern; one per thread, for all patterns. */
typedef struct cop_matcher cop_matcher;

/* Most sets of categories that a pattern may name. */
enum { COP_PATTERN_SETS = 16 };

/* The sets of general categories that a pattern names; start from {0}. */
typedef struct cop_pattern_sets {
    cop_category_set data[COP_PATTERN_SETS];
    size_t count;
} cop_pattern_sets;

/* Appends the PCRE2 pattern that means what the Oniguruma pattern source [length] means.
 * `spelt` writes the sets' code points out, by the Unicode version of unicode_table.h; else
 * PCRE2 looks them up, which is faster, in a version of its own. */
cop_status cop_pattern_translate(const char *source, size_t length, bool spelt,
                                 cop_pattern_sets *sets, cop_text *out, cop_error *err);

/* Compiles a regular expression, or with `literal` a plain string, source [length]. */
cop_status cop_pattern_create(const char *source, size_t length, bool literal,
                              cop_pattern **pattern, cop_error *err);

/* Compiles {"Regex": ...} or {"String": ...}. */
cop_status cop_pattern_parse(const json_t *json, cop_pattern **pattern, cop_error *err);

/* Frees *pattern and sets it to NULL; NULL is allowed. */
void cop_pattern_destroy(cop_pattern **pattern);

cop_status cop_matcher_create(cop_matcher **matcher, cop_error *err);

/* Frees *matcher and sets it to NULL; NULL is allowed. */
void cop_matcher_destroy(cop_matcher **matcher);

/* Appends the matches in text [length] (valid UTF-8) and what lies between them, in order and
 * without gaps. An empty text has one empty span that is no match. Matches may be empty. */
cop_status cop_pattern_find(const cop_pattern *pattern, cop_matcher *matcher, const char *text,
                            size_t length, cop_spans *spans, cop_error *err);

/* Sets how many bytes a text of `length` may become by what follows with this matcher: far more
 * than a real tokenizer makes of one, and a bound where each step multiplies the one before. */
void cop_matcher_bound(cop_matcher *matcher, size_t length);

/* COP_ERR_UNSUPPORTED if a text has become `length` bytes and that is beyond the bound. */
cop_status cop_matcher_check(const cop_matcher *matcher, size_t length, cop_error *err);

/* Appends text [length] with every match replaced; *out is kept within the bound. */
cop_status cop_pattern_replace(const cop_pattern *pattern, cop_matcher *matcher,
                               const char *text, size_t length, const cop_text *replacement,
                               cop_text *out, cop_error *err);

/* Appends one span. */
cop_status cop_spans_append(cop_spans *spans, cop_span span, cop_error *err);

/* Frees the memory; the list is then {0} again. */
void cop_spans_free(cop_spans *spans);

#endif
