#include "tokenizer/pretokenize_pattern.h"
#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct cop_pattern {
    pcre2_code *code;
    pcre2_code *spelt; /* for texts where versions of Unicode differ; NULL: names no category */
    cop_pattern_sets sets;
    char *source; /* the start of it, for messages */
};

struct cop_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    size_t most; /* bytes that a text may become */
};

static const char *describe_error(int number, char text[static 128])
{
    const int length = pcre2_get_error_message(number, (PCRE2_UCHAR *)text, 128);
    return length < 0 ? "unknown error" : text;
}

static cop_status compile(const cop_pattern *self, const char *text, size_t length,
                          bool literal, pcre2_code **code, cop_error *err)
{
    pcre2_compile_context *const context = pcre2_compile_context_create(NULL);
    COP_CHECK(context != NULL, err, COP_ERR_MEMORY, "no memory to compile a pattern");
    const uint32_t options =
        PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE);
    int number = 0;
    PCRE2_SIZE where = 0;
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    *code = pcre2_compile((PCRE2_SPTR)text, length, options, &number, &where, context);
    pcre2_compile_context_free(context);
    if (*code == NULL) {
        char reason[128];
        return cop_error_set(err, COP_ERR_UNSUPPORTED, "the pattern \"%s\" cannot be used: %s",
                             self->source, describe_error(number, reason));
    }
    /* Without a just-in-time compiler on this processor matching is slower, no more. */
    (void)pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE);
    return COP_OK;
}

static cop_status translate(cop_pattern *self, const char *source, size_t length, bool spelt,
                            cop_text *translated, pcre2_code **code, cop_error *err)
{
    cop_text_clear(translated);
    const cop_status status =
        cop_pattern_translate(source, length, spelt, &self->sets, translated, err);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "the pattern \"%s\"", self->source);
        return status;
    }
    return compile(self, translated->data, translated->length, false, code, err);
}

cop_status cop_pattern_create(const char *source, size_t length, bool literal,
                              cop_pattern **pattern, cop_error *err)
{
    *pattern = NULL;
    cop_pattern *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    cop_text translated = {0};
    const int shown = cop_unicode_clip(source, length, 200);
    self->source = cop_memory_copy_string(source, (size_t)shown, err);
    if (self->source == NULL) {
        status = COP_ERR_MEMORY;
        goto out;
    }
    if (literal) {
        COP_TRY_OUT(compile(self, source, length, true, &self->code, err));
    } else {
        COP_TRY_OUT(translate(self, source, length, false, &translated, &self->code, err));
        if (self->sets.count > 0)
            COP_TRY_OUT(translate(self, source, length, true, &translated, &self->spelt, err));
    }
    *pattern = self;
    self = NULL;
out:
    cop_text_free(&translated);
    cop_pattern_destroy(&self);
    return status;
}

cop_status cop_pattern_parse(const json_t *json, cop_pattern **pattern, cop_error *err)
{
    *pattern = NULL;
    const json_t *const regex = json_object_get(json, "Regex");
    const json_t *const string = json_object_get(json, "String");
    const json_t *const found = regex != NULL ? regex : string;
    COP_CHECK(json_object_size(json) == 1 && json_is_string(found), err, COP_ERR_FORMAT,
              "\"pattern\" must be {\"Regex\": \"...\"} or {\"String\": \"...\"}");
    return cop_pattern_create(json_string_value(found), json_string_length(found),
                              regex == NULL, pattern, err);
}

void cop_pattern_destroy(cop_pattern **pattern)
{
    if (*pattern == NULL) return;
    pcre2_code_free((*pattern)->code);
    pcre2_code_free((*pattern)->spelt);
    cop_memory_free((*pattern)->source);
    cop_memory_free(*pattern);
    *pattern = NULL;
}

cop_status cop_matcher_create(cop_matcher **matcher, cop_error *err)
{
    *matcher = NULL;
    cop_matcher *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    self->data = pcre2_match_data_create(1, NULL);
    self->context = pcre2_match_context_create(NULL);
    self->most = SIZE_MAX;
    if (self->data == NULL || self->context == NULL) {
        cop_matcher_destroy(&self);
        return cop_error_set(err, COP_ERR_MEMORY, "no memory to match patterns");
    }
    *matcher = self;
    return COP_OK;
}

void cop_matcher_destroy(cop_matcher **matcher)
{
    if (*matcher == NULL) return;
    pcre2_match_data_free((*matcher)->data);
    pcre2_match_context_free((*matcher)->context);
    cop_memory_free(*matcher);
    *matcher = NULL;
}

void cop_matcher_bound(cop_matcher *matcher, size_t length)
{
    enum { GROWTH = 64, ALWAYS = 1 << 16 }; /* NFKD makes 18 characters of one */
    if (!__builtin_mul_overflow(length, (size_t)GROWTH, &matcher->most) &&
        !__builtin_add_overflow(matcher->most, (size_t)ALWAYS, &matcher->most))
        return;
    matcher->most = SIZE_MAX;
}

cop_status cop_matcher_check(const cop_matcher *matcher, size_t length, cop_error *err)
{
    COP_CHECK(length <= matcher->most, err, COP_ERR_UNSUPPORTED,
              "the tokenizer's normalizer or decoder makes over %zu bytes of a text, 64 times "
              "what it was: such growth is not supported",
              matcher->most);
    return COP_OK;
}

cop_status cop_spans_append(cop_spans *spans, cop_span span, cop_error *err)
{
    if (spans->count == spans->capacity) {
        COP_GROW(spans->data, spans->capacity, spans->count + 1, err);
    }
    spans->data[spans->count++] = span;
    return COP_OK;
}

void cop_spans_free(cop_spans *spans)
{
    cop_memory_free(spans->data);
    *spans = (cop_spans){0};
}

/* A search through a text, from one match to the next. */
typedef struct scan {
    const cop_pattern *pattern;
    const pcre2_code *code; /* the pattern's for this text */
    cop_matcher *matcher;
    const char *text; /* [length] */
    size_t length;
    size_t from; /* where the next search starts */
    size_t last; /* where the last match ended, SIZE_MAX: none yet */
} scan;

/* Room for backtracking in proportion to the text, so that a long one is no error of its own.
 */
static void set_limits(const cop_matcher *matcher, size_t length)
{
    const size_t most = UINT32_MAX / 16;
    const uint32_t scale = (uint32_t)(length < most ? length : most);
    (void)pcre2_set_match_limit(matcher->context, 10000000u + 8u * scale);
}

static cop_status search(const scan *self, bool *found, cop_error *err)
{
    const pcre2_code *const code = self->code;
    const PCRE2_SPTR subject = (PCRE2_SPTR)self->text;
    pcre2_match_data *const data = self->matcher->data;
    pcre2_match_context *const context = self->matcher->context;
    const uint32_t options = PCRE2_NO_UTF_CHECK;
    int got = pcre2_match(code, subject, self->length, self->from, options, data, context);
    if (got == PCRE2_ERROR_JIT_STACKLIMIT) {
        got = pcre2_match(code, subject, self->length, self->from, options | PCRE2_NO_JIT, data,
                          context);
    }
    *found = got >= 0;
    if (got >= 0 || got == PCRE2_ERROR_NOMATCH) return COP_OK;
    char reason[128];
    return cop_error_set(err,
                         got == PCRE2_ERROR_NOMEMORY ? COP_ERR_MEMORY : COP_ERR_UNSUPPORTED,
                         "the pattern \"%s\" failed on a text of %zu bytes: %s",
                         self->pattern->source, self->length, describe_error(got, reason));
}

/* *match: the next one, or match->match false. An empty match right where the last one ended
 * does not count. */
static cop_status next_match(scan *self, cop_span *match, cop_error *err)
{
    const PCRE2_SIZE *const ends = pcre2_get_ovector_pointer(self->matcher->data);
    *match = (cop_span){0};
    while (self->from <= self->length) {
        bool found = false;
        COP_TRY(search(self, &found, err));
        if (!found) return COP_OK;
        if (ends[0] != ends[1] || ends[1] != self->last) {
            self->from = self->last = ends[1];
            *match = (cop_span){.start = ends[0], .end = ends[1], .match = true};
            return COP_OK;
        }
        uint32_t code = 0;
        const size_t left = self->length - self->from;
        self->from += left > 0 ? cop_unicode_decode(self->text + self->from, left, &code) : 1;
    }
    return COP_OK;
}

cop_status cop_pattern_find(const cop_pattern *pattern, cop_matcher *matcher, const char *text,
                            size_t length, cop_spans *spans, cop_error *err)
{
    if (length == 0) return cop_spans_append(spans, (cop_span){0}, err);
    set_limits(matcher, length);
    const bool differs =
        pattern->spelt != NULL &&
        cop_unicode_has_change(text, length, pattern->sets.data, pattern->sets.count);
    scan state = {.pattern = pattern,
                  .code = differs ? pattern->spelt : pattern->code,
                  .matcher = matcher,
                  .text = text,
                  .length = length,
                  .last = SIZE_MAX};
    size_t done = 0;
    for (;;) {
        cop_span match;
        COP_TRY(next_match(&state, &match, err));
        if (!match.match) break;
        if (match.start > done) {
            const cop_span between = {.start = done, .end = match.start};
            COP_TRY(cop_spans_append(spans, between, err));
        }
        COP_TRY(cop_spans_append(spans, match, err));
        done = match.end;
    }
    if (done == length) return COP_OK;
    return cop_spans_append(spans, (cop_span){.start = done, .end = length}, err);
}

cop_status cop_pattern_replace(const cop_pattern *pattern, cop_matcher *matcher,
                               const char *text, size_t length, const cop_text *replacement,
                               cop_text *out, cop_error *err)
{
    cop_spans spans = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_pattern_find(pattern, matcher, text, length, &spans, err));
    for (size_t i = 0; i < spans.count; i++) {
        const cop_span span = spans.data[i];
        COP_TRY_OUT(cop_matcher_check(matcher, out->length, err));
        if (span.match) {
            COP_TRY_OUT(cop_text_append(out, replacement->data, replacement->length, err));
        } else {
            COP_TRY_OUT(cop_text_append(out, text + span.start, span.end - span.start, err));
        }
    }
out:
    cop_spans_free(&spans);
    return status;
}
