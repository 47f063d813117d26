/* What Python does to strings. */
#ifndef COP_JINJA_JINJA_TEXT_H
#define COP_JINJA_JINJA_TEXT_H

#include "jinja/jinja_characters.h"
#include "jinja/jinja_value.h"

/* Which of its characters a change of case is for. */
typedef enum jinja_case {
    JINJA_UPPER,
    JINJA_LOWER,
    JINJA_CAPITALIZE, /* the first as a title, the others lower */
    JINJA_TITLE,      /* the first of each run of letters as a title, the others lower */
    JINJA_FIRST_UPPER /* the first upper, the others lower */
} jinja_case;

/* Appends text in another case. A character whose other case is not one character, or depends
 * on its neighbours, is COP_ERR_UNSUPPORTED. */
cop_status cop_jinja_put_case(jinja_run *run, jinja_buffer *buffer, jinja_text text,
                              jinja_case wanted);

/* True if text has a cased character, and each such is upper (lower). */
bool cop_jinja_is_upper(jinja_text text);
bool cop_jinja_is_lower(jinja_text text);

/* Text without the characters of `set` (NULL: white space) at its ends. */
jinja_text cop_jinja_strip(jinja_text text, const jinja_text *set, bool left, bool right);

/* Characters of a text. */
size_t cop_jinja_count(jinja_text text);

/* The byte at which character `index` (at most their number) begins. */
size_t cop_jinja_byte_of(jinja_text text, size_t index);

/* Where `part` begins in text at `from` or later (`last`: the last place), text.length + 1 if
 * nowhere. */
size_t cop_jinja_find(jinja_text text, jinja_text part, size_t from, bool last);

/* Appends text with `most` (-1: all) of `old` replaced. */
cop_status cop_jinja_put_replaced(jinja_run *run, jinja_buffer *buffer, jinja_text text,
                                  jinja_text old, jinja_text new, int64_t most);

/* Splits at `separator` (NULL: white space), `most` times (-1: everywhere), from the right if
 * so wanted, into a list of strings. */
cop_status cop_jinja_split(jinja_run *run, jinja_text text, const jinja_text *separator,
                           int64_t most, bool right, jinja_value *out);

/* A list of lines. */
cop_status cop_jinja_split_lines(jinja_run *run, jinja_text text, bool keep, jinja_value *out);

/* Appends what `format % values` gives; `values` is a tuple or one value. */
cop_status cop_jinja_put_formatted(jinja_run *run, jinja_buffer *buffer, jinja_text format,
                                   jinja_value values);

/* str.format(). */
cop_status cop_jinja_put_braces(jinja_run *run, jinja_buffer *buffer, jinja_text format,
                                const jinja_arguments *args);

/* What strftime() of Python gives for run->now. */
cop_status cop_jinja_put_date(jinja_run *run, jinja_buffer *buffer, jinja_text format);

/* How json.dumps() is asked to write. */
typedef struct jinja_json_style {
    bool indented, ascii, sorted;
    jinja_text indent, item, key; /* separators */
} jinja_json_style;

cop_status cop_jinja_put_json(jinja_run *run, jinja_buffer *buffer, jinja_value value,
                              const jinja_json_style *style);

/* The first `count` items in their order as Python's sorted() has them; `keys` decide. */
cop_status cop_jinja_sort(jinja_run *run, jinja_value *items, jinja_value *keys, size_t count,
                          bool reverse);

#endif
