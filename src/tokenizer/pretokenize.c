#include "tokenizer/pretokenize.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_json.h"

#include <string.h>

typedef enum step_kind {
    STEP_SPLIT,    /* cuts at a pattern */
    STEP_PREFIX,   /* a space before every piece that has none */
    STEP_METASPACE /* spaces become marks, a mark goes before pieces */
} step_kind;

typedef struct step {
    step_kind kind;
    cop_pattern *pattern; /* split */
    cop_split_behavior behavior;
    bool invert;
    cop_metaspace metaspace;
} step;

struct cop_pretokenizer {
    step *steps; /* [count] */
    size_t count;
    size_t capacity;
    bool byte_level;
};

/* What ByteLevel cuts at if the file gives no pattern of its own. */
static const char byte_level_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* --- reading --- */

static cop_status make_room(cop_pretokenizer *self, cop_error *err)
{
    COP_GROW(self->steps, self->capacity, self->count + 1, err);
    return COP_OK;
}

static cop_status append_step(cop_pretokenizer *self, step added, cop_error *err)
{
    const cop_status status = make_room(self, err);
    if (status != COP_OK) {
        cop_pattern_destroy(&added.pattern);
        return status;
    }
    self->steps[self->count++] = added;
    return COP_OK;
}

static cop_status append_split(cop_pretokenizer *self, const char *pattern, bool literal,
                               cop_split_behavior behavior, cop_error *err)
{
    step split = {.kind = STEP_SPLIT, .behavior = behavior};
    COP_TRY(cop_pattern_create(pattern, strlen(pattern), literal, &split.pattern, err));
    return append_step(self, split, err);
}

static cop_status parse_byte_level(cop_pretokenizer *self, const json_t *json, cop_error *err)
{
    bool prefix = false;
    bool regex = false;
    COP_TRY(cop_tokenizer_json_bool(json, "add_prefix_space", true, &prefix, err));
    COP_TRY(cop_tokenizer_json_bool(json, "use_regex", true, &regex, err));
    self->byte_level = true;
    if (prefix) COP_TRY(append_step(self, (step){.kind = STEP_PREFIX}, err));
    if (!regex) return COP_OK;
    return append_split(self, byte_level_pattern, false, COP_SPLIT_ISOLATED, err);
}

static cop_status parse_digits(cop_pretokenizer *self, const json_t *json, cop_error *err)
{
    bool individual = false;
    COP_TRY(cop_tokenizer_json_bool(json, "individual_digits", false, &individual, err));
    return append_split(self, "\\p{N}", false,
                        individual ? COP_SPLIT_ISOLATED : COP_SPLIT_CONTIGUOUS, err);
}

static cop_status parse_split(cop_pretokenizer *self, const json_t *json, cop_error *err)
{
    static const char *const names[] = {[COP_SPLIT_ISOLATED] = "Isolated",
                                        [COP_SPLIT_REMOVED] = "Removed",
                                        [COP_SPLIT_WITH_BEFORE] = "MergedWithPrevious",
                                        [COP_SPLIT_WITH_NEXT] = "MergedWithNext",
                                        [COP_SPLIT_CONTIGUOUS] = "Contiguous"};
    const char *name = NULL;
    size_t length = 0;
    COP_TRY(cop_tokenizer_json_string(json, "behavior", &name, &length, err));
    step split = {.kind = STEP_SPLIT};
    const size_t count = sizeof names / sizeof *names;
    const size_t found = cop_text_find_name(name, names, count);
    COP_CHECK(found < count, err, COP_ERR_UNSUPPORTED,
              "the behavior \"%.40s\" of a Split pre-tokenizer is not supported", name);
    split.behavior = (cop_split_behavior)found;
    COP_TRY(cop_tokenizer_json_bool(json, "invert", false, &split.invert, err));
    COP_TRY(cop_pattern_parse(json_object_get(json, "pattern"), &split.pattern, err));
    return append_step(self, split, err);
}

cop_status cop_metaspace_parse(const json_t *json, cop_metaspace *metaspace, cop_error *err)
{
    static const char *const names[] = {[COP_METASPACE_ALWAYS] = "always",
                                        [COP_METASPACE_FIRST] = "first",
                                        [COP_METASPACE_NEVER] = "never"};
    COP_TRY(cop_tokenizer_json_character(json, "replacement", &metaspace->mark, err));
    COP_CHECK(metaspace->mark != 0, err, COP_ERR_FORMAT, "\"replacement\" must not be NUL");
    COP_TRY(cop_tokenizer_json_bool(json, "split", true, &metaspace->split, err));
    bool prefix = true;
    COP_TRY(cop_tokenizer_json_bool(json, "add_prefix_space", true, &prefix, err));
    metaspace->scheme = prefix ? COP_METASPACE_ALWAYS : COP_METASPACE_NEVER;
    const json_t *const scheme = json_object_get(json, "prepend_scheme");
    if (scheme == NULL) return COP_OK;
    const char *const name = json_string_value(scheme);
    const size_t count = sizeof names / sizeof *names;
    const size_t found = name == NULL ? count : cop_text_find_name(name, names, count);
    COP_CHECK(found < count, err, COP_ERR_FORMAT,
              "\"prepend_scheme\" must be \"always\", \"first\" or \"never\"");
    metaspace->scheme = (cop_metaspace_scheme)found;
    return COP_OK;
}

static cop_status parse_metaspace(cop_pretokenizer *self, const json_t *json, cop_error *err)
{
    step marks = {.kind = STEP_METASPACE};
    COP_TRY(cop_metaspace_parse(json, &marks.metaspace, err));
    COP_TRY(append_step(self, marks, err));
    if (!marks.metaspace.split) return COP_OK;
    char mark[5] = {0};
    (void)cop_unicode_encode(marks.metaspace.mark, mark);
    return append_split(self, mark, true, COP_SPLIT_WITH_NEXT, err);
}

static cop_status add_part(void *context, const char *type, const json_t *json, cop_error *err)
{
    cop_pretokenizer *const self = context;
    COP_CHECK(!self->byte_level, err, COP_ERR_UNSUPPORTED,
              "the pre-tokenizer \"%.40s\" after ByteLevel is not supported", type);
    if (strcmp(type, "ByteLevel") == 0) return parse_byte_level(self, json, err);
    if (strcmp(type, "Split") == 0) return parse_split(self, json, err);
    if (strcmp(type, "Digits") == 0) return parse_digits(self, json, err);
    if (strcmp(type, "Metaspace") == 0) return parse_metaspace(self, json, err);
    return cop_error_set(
        err, COP_ERR_UNSUPPORTED,
        "the pre-tokenizer \"%.40s\" is not supported (ByteLevel, Split, Digits, "
        "Metaspace and Sequence are)",
        type);
}

cop_status cop_pretokenizer_parse(const json_t *json, cop_pretokenizer **pretokenizer,
                                  cop_error *err)
{
    static const cop_tokenizer_parts parts = {"pre_tokenizer", "pretokenizers", add_part};
    *pretokenizer = NULL;
    cop_pretokenizer *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_tokenizer_json_parts(json, &parts, self, err);
    if (status != COP_OK) cop_pretokenizer_destroy(&self);
    *pretokenizer = self;
    return status;
}

void cop_pretokenizer_destroy(cop_pretokenizer **pretokenizer)
{
    cop_pretokenizer *const self = *pretokenizer;
    if (self == NULL) return;
    for (size_t i = 0; i < self->count; i++)
        cop_pattern_destroy(&self->steps[i].pattern);
    cop_memory_free(self->steps);
    cop_memory_free(self);
    *pretokenizer = NULL;
}

bool cop_pretokenizer_is_byte_level(const cop_pretokenizer *pretokenizer)
{
    return pretokenizer->byte_level;
}

/* --- running --- */

static void swap_texts(cop_text *a, cop_text *b)
{
    const cop_text kept = *a;
    *a = *b;
    *b = kept;
}

static void swap_spans(cop_spans *a, cop_spans *b)
{
    const cop_spans kept = *a;
    *a = *b;
    *b = kept;
}

static cop_status split_pieces(const step *self, cop_matcher *matcher, cop_pieces *pieces,
                               cop_error *err)
{
    pieces->cuts.count = 0;
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const cop_span piece = pieces->spans.data[i];
        const size_t length = piece.end - piece.start;
        pieces->marked.count = 0;
        COP_TRY(cop_pattern_find(self->pattern, matcher, pieces->text.data + piece.start,
                                 length, &pieces->marked, err));
        const size_t before = pieces->cuts.count;
        COP_TRY(
            cop_spans_cut(&pieces->marked, self->behavior, self->invert, &pieces->cuts, err));
        for (size_t k = before; k < pieces->cuts.count; k++) {
            pieces->cuts.data[k].start += piece.start;
            pieces->cuts.data[k].end += piece.start;
        }
    }
    const bool same_start = pieces->spans.count > 0 && pieces->cuts.count > 0 &&
                            pieces->cuts.data[0].start == pieces->spans.data[0].start;
    pieces->at_start = pieces->at_start && same_start;
    swap_spans(&pieces->spans, &pieces->cuts);
    return COP_OK;
}

static cop_status append_marked(cop_text *out, const char *text, size_t length,
                                const char *mark, cop_error *err)
{
    const char *const end = text + length;
    while (text < end) {
        const char *const space = memchr(text, ' ', (size_t)(end - text));
        const char *const stop = space == NULL ? end : space;
        COP_TRY(cop_text_append(out, text, (size_t)(stop - text), err));
        if (space != NULL) COP_TRY(cop_text_append(out, mark, strlen(mark), err));
        text = stop + 1;
    }
    return COP_OK;
}

/* Rewrites every piece: `mark` for each space, and one before it if `prepend` (first: for the
 * first piece, rest: for the others) says so and the piece has none. */
static cop_status mark_pieces(const char *mark, bool prepend_first, bool prepend_rest,
                              cop_pieces *pieces, cop_error *err)
{
    const size_t mark_length = strlen(mark);
    cop_text_clear(&pieces->spare);
    for (size_t i = 0; i < pieces->spans.count; i++) {
        cop_span *const piece = &pieces->spans.data[i];
        const char *const text = pieces->text.data + piece->start;
        const size_t length = piece->end - piece->start;
        const bool has_mark =
            text[0] == ' ' || (length >= mark_length && memcmp(text, mark, mark_length) == 0);
        const bool prepend = !has_mark && (i == 0 ? prepend_first : prepend_rest);
        piece->start = pieces->spare.length;
        if (prepend) COP_TRY(cop_text_append(&pieces->spare, mark, mark_length, err));
        COP_TRY(append_marked(&pieces->spare, text, length, mark, err));
        piece->end = pieces->spare.length;
    }
    swap_texts(&pieces->text, &pieces->spare);
    return COP_OK;
}

static cop_status run_step(const step *self, cop_matcher *matcher, cop_pieces *pieces,
                           cop_error *err)
{
    if (self->kind == STEP_SPLIT) return split_pieces(self, matcher, pieces, err);
    if (self->kind == STEP_PREFIX) return mark_pieces(" ", true, true, pieces, err);
    char mark[5] = {0};
    (void)cop_unicode_encode(self->metaspace.mark, mark);
    const bool always = self->metaspace.scheme == COP_METASPACE_ALWAYS;
    const bool first = self->metaspace.scheme == COP_METASPACE_FIRST && pieces->at_start;
    return mark_pieces(mark, always || first, always, pieces, err);
}

cop_status cop_pretokenizer_run(const cop_pretokenizer *pretokenizer, cop_matcher *matcher,
                                cop_pieces *pieces, cop_error *err)
{
    pieces->spans.count = 0;
    if (pieces->text.length == 0) return COP_OK;
    const cop_span whole = {.end = pieces->text.length};
    COP_TRY(cop_spans_append(&pieces->spans, whole, err));
    for (size_t i = 0; i < pretokenizer->count; i++)
        COP_TRY(run_step(&pretokenizer->steps[i], matcher, pieces, err));
    return COP_OK;
}

void cop_pieces_free(cop_pieces *pieces)
{
    cop_text_free(&pieces->text);
    cop_text_free(&pieces->spare);
    cop_spans_free(&pieces->spans);
    cop_spans_free(&pieces->cuts);
    cop_spans_free(&pieces->marked);
    *pieces = (cop_pieces){0};
}
