#include "task/regex.h"

#include "coppice/base/memory.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    MOST_PATTERN_BYTES = 4096,
    MOST_NESTING = 100,
    DEFAULT_STEPS = 10000000,
    MOST_HEAP_KIB = 65536
};

struct cop_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

static cop_status compile(cop_regex *self, const char *pattern, size_t length,
                          cop_regex_options options, cop_error *err)
{
    pcre2_compile_context *const context = pcre2_compile_context_create(NULL);
    COP_CHECK(context != NULL, err, COP_ERR_MEMORY, "no memory to compile a pattern");
    const uint32_t bits =
        PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (options.caseless ? PCRE2_CASELESS : 0) |
        (options.multiline ? PCRE2_MULTILINE : 0) | (options.unicode_classes ? PCRE2_UCP : 0) |
        (options.counted ? PCRE2_AUTO_CALLOUT : 0);
    int number = 0;
    PCRE2_SIZE where = 0;
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    (void)pcre2_set_max_pattern_length(context, MOST_PATTERN_BYTES);
    (void)pcre2_set_parens_nest_limit(context, MOST_NESTING);
    self->code = pcre2_compile((PCRE2_SPTR)pattern, length, bits, &number, &where, context);
    pcre2_compile_context_free(context);
    if (self->code != NULL) return COP_OK;
    PCRE2_UCHAR reason[128];
    const bool told = pcre2_get_error_message(number, reason, sizeof reason) >= 0;
    return cop_error_set(err, COP_ERR_FORMAT, "the pattern is refused at byte %zu: %s", where,
                         told ? (const char *)reason : "unknown error");
}

cop_status cop_regex_create(const char *pattern, size_t length, cop_regex_options options,
                            cop_regex **regex, cop_error *err)
{
    *regex = NULL;
    cop_regex *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    cop_status status = compile(self, pattern, length, options, err);
    if (status == COP_OK) {
        self->data = pcre2_match_data_create(2, NULL);
        self->limits = pcre2_match_context_create(NULL);
        if (self->data == NULL || self->limits == NULL)
            status = cop_error_set(err, COP_ERR_MEMORY, "no memory to match a pattern");
    }
    if (status != COP_OK) {
        cop_regex_destroy(&self);
        return status;
    }
    (void)pcre2_set_heap_limit(self->limits, MOST_HEAP_KIB);
    *regex = self;
    return COP_OK;
}

void cop_regex_destroy(cop_regex **regex)
{
    if (*regex == NULL) return;
    pcre2_code_free((*regex)->code);
    pcre2_match_data_free((*regex)->data);
    pcre2_match_context_free((*regex)->limits);
    cop_memory_free(*regex);
    *regex = NULL;
}

static int search(const cop_regex *regex, cop_slice text, size_t from)
{
    return pcre2_match(regex->code, (PCRE2_SPTR)text.data, text.length, from,
                       PCRE2_NO_UTF_CHECK, regex->data, regex->limits);
}

/* What pcre2_match() gave: a match, none, one of its limits, or a failure. */
static cop_status judge(int got, size_t length, cop_regex_result *result, cop_error *err)
{
    *result = got >= 0 ? COP_REGEX_FOUND : COP_REGEX_NONE;
    if (got >= 0 || got == PCRE2_ERROR_NOMATCH) return COP_OK;
    *result = COP_REGEX_TOO_COSTLY;
    if (got == PCRE2_ERROR_MATCHLIMIT || got == PCRE2_ERROR_DEPTHLIMIT ||
        got == PCRE2_ERROR_HEAPLIMIT || got == PCRE2_ERROR_CALLOUT ||
        got == PCRE2_ERROR_RECURSELOOP)
        return COP_OK;
    PCRE2_UCHAR reason[128];
    const bool told = pcre2_get_error_message(got, reason, sizeof reason) >= 0;
    return cop_error_set(err, got == PCRE2_ERROR_NOMEMORY ? COP_ERR_MEMORY : COP_ERR_INTERNAL,
                         "a pattern failed on a text of %zu bytes: %s", length,
                         told ? (const char *)reason : "unknown error");
}

/* Called at every item of a pattern: the matcher's own limit starts anew at each place of a
 * text, which lets a long one take as many times that. */
static int count_step(pcre2_callout_block *block, void *context)
{
    uint64_t *const left = context;
    (void)block;
    if (*left == 0) return PCRE2_ERROR_CALLOUT;
    (*left)--;
    return 0;
}

cop_status cop_regex_search(const cop_regex *regex, cop_slice text, uint32_t steps,
                            uint64_t all_steps, cop_regex_result *result, cop_error *err)
{
    (void)pcre2_set_match_limit(regex->limits, steps);
    (void)pcre2_set_callout(regex->limits, count_step, &all_steps);
    const int got = search(regex, text, 0);
    (void)pcre2_set_callout(regex->limits, NULL, NULL);
    return judge(got, text.length, result, err);
}

cop_status cop_regex_find_last(const cop_regex *regex, cop_slice text, cop_slice *group,
                               bool *found, cop_error *err)
{
    cop_regex_result result = COP_REGEX_NONE;
    const PCRE2_SIZE *const ends = pcre2_get_ovector_pointer(regex->data);
    (void)pcre2_set_match_limit(regex->limits, DEFAULT_STEPS);
    *found = false;
    for (size_t from = 0;; from = ends[1]) {
        COP_TRY(judge(search(regex, text, from), text.length, &result, err));
        COP_CHECK(result != COP_REGEX_TOO_COSTLY, err, COP_ERR_INTERNAL,
                  "a pattern of this program met its limit on a text of %zu bytes",
                  text.length);
        if (result == COP_REGEX_NONE) return COP_OK;
        *found = true;
        *group = (cop_slice){text.data + ends[2], ends[3] - ends[2]};
    }
}
