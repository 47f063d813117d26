#include "tokenizer/tokenizer_decode.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

typedef enum step_kind {
    STEP_BYTE_LEVEL,
    STEP_BYTE_FALLBACK,
    STEP_FUSE,
    STEP_STRIP,
    STEP_REPLACE,
    STEP_METASPACE
} step_kind;

typedef struct step {
    step_kind kind;
    cop_pattern *pattern; /* replace */
    cop_text content;     /* replace; strip: one character */
    size_t strip_start;   /* at most so many characters */
    size_t strip_end;
    cop_metaspace metaspace;
} step;

struct cop_decoder {
    step *steps; /* [count] */
    size_t count;
    size_t capacity;
    bool joins_with_spaces; /* the file has no decoder */
    bool looks_back;        /* what follows may change more of a text than its end */
};

/* Where the decoder is: the strings of the last step, and where the next one writes. */
typedef struct chain {
    cop_strings from;
    cop_strings to;
    cop_matcher *matcher;
} chain;

/* --- reading --- */

static void free_step(step *self)
{
    cop_pattern_destroy(&self->pattern);
    cop_text_free(&self->content);
}

static cop_status read_content(step *self, const json_t *json, cop_error *err)
{
    const char *text = NULL;
    size_t length = 0;
    COP_TRY(cop_tokenizer_json_string(json, "content", &text, &length, err));
    return cop_text_append(&self->content, text, length, err);
}

static cop_status read_strip(step *self, const json_t *json, cop_error *err)
{
    uint32_t code = 0;
    COP_TRY(cop_tokenizer_json_character(json, "content", &code, err));
    COP_TRY(cop_tokenizer_json_count(json, "start", INT32_MAX, &self->strip_start, err));
    COP_TRY(cop_tokenizer_json_count(json, "stop", INT32_MAX, &self->strip_end, err));
    return read_content(self, json, err);
}

static cop_status read_step(step *self, const char *type, const json_t *json, cop_error *err)
{
    static const char *const names[] = {[STEP_BYTE_LEVEL] = "ByteLevel",
                                        [STEP_BYTE_FALLBACK] = "ByteFallback",
                                        [STEP_FUSE] = "Fuse",
                                        [STEP_STRIP] = "Strip",
                                        [STEP_REPLACE] = "Replace",
                                        [STEP_METASPACE] = "Metaspace"};
    const size_t count = sizeof names / sizeof *names;
    const size_t kind = cop_text_find_name(type, names, count);
    COP_CHECK(kind < count, err, COP_ERR_UNSUPPORTED,
              "the decoder \"%.40s\" is not supported (ByteLevel, ByteFallback, Fuse, Strip, "
              "Replace, Metaspace and Sequence are)",
              type);
    self->kind = (step_kind)kind;
    if (self->kind == STEP_STRIP) return read_strip(self, json, err);
    if (self->kind == STEP_METASPACE) return cop_metaspace_parse(json, &self->metaspace, err);
    if (self->kind != STEP_REPLACE) return COP_OK;
    COP_TRY(cop_pattern_parse(json_object_get(json, "pattern"), &self->pattern, err));
    return read_content(self, json, err);
}

/* True if the step puts a fixed text in place of one character, and so looks at no other; the
 * text must have nothing that a byte's token is made of. */
static bool replaces_character(const json_t *json)
{
    const json_t *const from = json_object_get(json_object_get(json, "pattern"), "String");
    const char *const to = json_string_value(json_object_get(json, "content"));
    uint32_t code = 0;
    const size_t length = json_string_length(from);
    return length > 0 && cop_unicode_decode(json_string_value(from), length, &code) == length &&
           to != NULL && to[0] != '\0' && strpbrk(to, "<>0123456789abcdefABCDEFx") == NULL;
}

static bool has_step(const cop_decoder *decoder, size_t end, step_kind kind)
{
    for (size_t i = 0; i < end; i++) {
        if (decoder->steps[i].kind == kind) return true;
    }
    return false;
}

/* True if the last step takes every token, or every character of what is joined, by itself or
 * with what is before it. Runs of bytes, which it does not, are looked at in the tokens, so
 * nothing may have been joined before. */
static bool is_gradual(const cop_decoder *decoder, const json_t *json)
{
    const size_t last = decoder->count - 1;
    const step *const added = &decoder->steps[last];
    const bool joined =
        has_step(decoder, last, STEP_FUSE) || has_step(decoder, last, STEP_BYTE_LEVEL);
    switch (added->kind) {
    case STEP_BYTE_LEVEL:
        return last == 0;
    case STEP_BYTE_FALLBACK:
        return !joined && !has_step(decoder, last, STEP_STRIP) &&
               !has_step(decoder, last, STEP_METASPACE) &&
               !has_step(decoder, last, STEP_BYTE_FALLBACK);
    case STEP_STRIP:
        return added->strip_end == 0;
    case STEP_REPLACE:
        return replaces_character(json);
    default:
        return true;
    }
}

static cop_status add_part(void *context, const char *type, const json_t *json, cop_error *err)
{
    cop_decoder *const self = context;
    COP_GROW(self->steps, self->capacity, self->count + 1, err);
    step *const added = &self->steps[self->count];
    *added = (step){0};
    const cop_status status = read_step(added, type, json, err);
    if (status != COP_OK) {
        free_step(added);
        return status;
    }
    self->count++;
    self->looks_back = self->looks_back || !is_gradual(self, json);
    return COP_OK;
}

cop_status cop_decoder_parse(const json_t *json, cop_decoder **decoder, cop_error *err)
{
    static const cop_tokenizer_parts parts = {"decoder", "decoders", add_part};
    *decoder = NULL;
    cop_decoder *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    self->joins_with_spaces = json == NULL || json_is_null(json);
    const cop_status status = cop_tokenizer_json_parts(json, &parts, self, err);
    if (status != COP_OK) cop_decoder_destroy(&self);
    *decoder = self;
    return status;
}

void cop_decoder_destroy(cop_decoder **decoder)
{
    cop_decoder *const self = *decoder;
    if (self == NULL) return;
    for (size_t i = 0; i < self->count; i++)
        free_step(&self->steps[i]);
    cop_memory_free(self->steps);
    cop_memory_free(self);
    *decoder = NULL;
}

/* --- running --- */

cop_status cop_strings_close(cop_strings *strings, cop_error *err)
{
    COP_TRY(cop_text_append(&strings->bytes, "", 0, err)); /* so that there is an address */
    COP_GROW(strings->ends, strings->capacity, strings->count + 1, err);
    strings->ends[strings->count++] = strings->bytes.length;
    return COP_OK;
}

void cop_strings_free(cop_strings *strings)
{
    cop_text_free(&strings->bytes);
    cop_memory_free(strings->ends);
    *strings = (cop_strings){0};
}

static const char *get_string(const cop_strings *strings, size_t index, size_t *length)
{
    const size_t start = index == 0 ? 0 : strings->ends[index - 1];
    *length = strings->ends[index] - start;
    return strings->bytes.data + start;
}

/* Appends the bytes that a token's characters stand for; a token with a character that stands
 * for none is taken as it is. */
static cop_status append_spelt(cop_text *bytes, const char *token, size_t length,
                               cop_error *err)
{
    const size_t start = bytes->length;
    size_t at = 0;
    while (at < length) {
        uint32_t code = 0;
        at += cop_unicode_decode(token + at, length - at, &code);
        const int byte = cop_unicode_to_byte(code);
        if (byte < 0) {
            bytes->length = start;
            return cop_text_append(bytes, token, length, err);
        }
        const char value = (char)byte;
        COP_TRY(cop_text_append(bytes, &value, 1, err));
    }
    return COP_OK;
}

/* All tokens together become one string. */
static cop_status run_byte_level(chain *self, cop_error *err)
{
    cop_status status = COP_OK;
    cop_text bytes = {0};
    for (size_t i = 0; i < self->from.count; i++) {
        size_t length = 0;
        const char *const token = get_string(&self->from, i, &length);
        COP_TRY_OUT(append_spelt(&bytes, token, length, err));
    }
    COP_TRY_OUT(cop_unicode_repair(&self->to.bytes, bytes.data, bytes.length, err));
    COP_TRY_OUT(cop_strings_close(&self->to, err));
out:
    cop_text_free(&bytes);
    return status;
}

/* The byte of a token <0xHH>, -1 if it is no such token. */
static int read_byte_token(const char *token, size_t length)
{
    if (length != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
    const char digits[3] = {token[3], token[4], '\0'};
    char *end = NULL;
    if (strspn(digits, "0123456789abcdefABCDEF") != 2) return -1;
    return (int)strtoul(digits, &end, 16);
}

/* Ends a run of byte tokens: text if they are valid together, else U+FFFD for each. */
static cop_status flush_bytes(cop_text *run, cop_strings *to, cop_error *err)
{
    if (run->length == 0) return COP_OK;
    if (cop_unicode_is_valid(run->data, run->length)) {
        COP_TRY(cop_text_append(&to->bytes, run->data, run->length, err));
        COP_TRY(cop_strings_close(to, err));
    } else {
        for (size_t i = 0; i < run->length; i++) {
            COP_TRY(cop_text_append(&to->bytes, "\xEF\xBF\xBD", 3, err));
            COP_TRY(cop_strings_close(to, err));
        }
    }
    cop_text_clear(run);
    return COP_OK;
}

static cop_status run_byte_fallback(chain *self, cop_error *err)
{
    cop_status status = COP_OK;
    cop_text run = {0};
    for (size_t i = 0; i < self->from.count; i++) {
        size_t length = 0;
        const char *const token = get_string(&self->from, i, &length);
        const int byte = read_byte_token(token, length);
        if (byte >= 0) {
            const char value = (char)byte;
            COP_TRY_OUT(cop_text_append(&run, &value, 1, err));
            continue;
        }
        COP_TRY_OUT(flush_bytes(&run, &self->to, err));
        COP_TRY_OUT(cop_text_append(&self->to.bytes, token, length, err));
        COP_TRY_OUT(cop_strings_close(&self->to, err));
    }
    COP_TRY_OUT(flush_bytes(&run, &self->to, err));
out:
    cop_text_free(&run);
    return status;
}

static cop_status append_stripped(const step *self, const char *token, size_t length,
                                  cop_text *out, cop_error *err)
{
    const char *const mark = self->content.data;
    const size_t bytes = self->content.length;
    for (size_t i = 0; i < self->strip_start; i++) {
        if (length < bytes || memcmp(token, mark, bytes) != 0) break;
        token += bytes;
        length -= bytes;
    }
    for (size_t i = 0; i < self->strip_end; i++) {
        if (length < bytes || memcmp(token + length - bytes, mark, bytes) != 0) break;
        length -= bytes;
    }
    return cop_text_append(out, token, length, err);
}

/* Marks become spaces; those of the first token are left out if encoding put them there. */
static cop_status append_unmarked(const step *self, bool first, const char *token,
                                  size_t length, cop_text *out, cop_error *err)
{
    const bool drop = first && self->metaspace.scheme != COP_METASPACE_NEVER;
    size_t at = 0;
    while (at < length) {
        uint32_t code = 0;
        const size_t bytes = cop_unicode_decode(token + at, length - at, &code);
        if (code != self->metaspace.mark) {
            COP_TRY(cop_text_append(out, token + at, bytes, err));
        } else if (!drop) {
            COP_TRY(cop_text_append(out, " ", 1, err));
        }
        at += bytes;
    }
    return COP_OK;
}

static cop_status run_each(const step *self, chain *state, cop_error *err)
{
    cop_text *const out = &state->to.bytes;
    for (size_t i = 0; i < state->from.count; i++) {
        size_t length = 0;
        const char *const token = get_string(&state->from, i, &length);
        if (self->kind == STEP_STRIP) {
            COP_TRY(append_stripped(self, token, length, out, err));
        } else if (self->kind == STEP_REPLACE) {
            COP_TRY(cop_pattern_replace(self->pattern, state->matcher, token, length,
                                        &self->content, out, err));
        } else if (self->kind == STEP_METASPACE) {
            COP_TRY(append_unmarked(self, i == 0, token, length, out, err));
        } else { /* fuse: one string of all */
            COP_TRY(cop_text_append(out, token, length, err));
            if (i + 1 < state->from.count) continue;
        }
        COP_TRY(cop_strings_close(&state->to, err));
    }
    return COP_OK;
}

static cop_status run_step(const step *self, chain *state, cop_error *err)
{
    cop_text_clear(&state->to.bytes);
    state->to.count = 0;
    if (self->kind == STEP_BYTE_LEVEL) {
        COP_TRY(run_byte_level(state, err));
    } else if (self->kind == STEP_BYTE_FALLBACK) {
        COP_TRY(run_byte_fallback(state, err));
    } else {
        COP_TRY(run_each(self, state, err));
    }
    COP_TRY(cop_matcher_check(state->matcher, state->to.bytes.length, err));
    const cop_strings kept = state->from;
    state->from = state->to;
    state->to = kept;
    return COP_OK;
}

void cop_decoder_keep_settled(const cop_decoder *decoder, cop_strings *tokens)
{
    if (tokens->ends == NULL) return; /* there are none */
    size_t count = decoder->looks_back ? 0 : tokens->count;
    const bool runs = has_step(decoder, decoder->count, STEP_BYTE_FALLBACK);
    while (count > 0 && runs) {
        size_t length = 0;
        const char *const token = get_string(tokens, count - 1, &length);
        if (read_byte_token(token, length) < 0) break;
        count--;
    }
    tokens->count = count;
    tokens->bytes.length = count > 0 ? tokens->ends[count - 1] : 0;
}

static cop_status join(const cop_strings *strings, bool spaces, cop_text *text, cop_error *err)
{
    for (size_t i = 0; i < strings->count; i++) {
        size_t length = 0;
        const char *const string = get_string(strings, i, &length);
        if (spaces && i > 0) COP_TRY(cop_text_append(text, " ", 1, err));
        COP_TRY(cop_text_append(text, string, length, err));
    }
    return COP_OK;
}

cop_status cop_decoder_run(const cop_decoder *decoder, cop_strings *tokens, cop_text *text,
                           cop_error *err)
{
    chain state = {.from = *tokens};
    *tokens = (cop_strings){0};
    cop_status status = cop_matcher_create(&state.matcher, err);
    if (status == COP_OK) cop_matcher_bound(state.matcher, state.from.bytes.length);
    for (size_t i = 0; i < decoder->count && status == COP_OK; i++)
        status = run_step(&decoder->steps[i], &state, err);
    if (status == COP_OK) status = join(&state.from, decoder->joins_with_spaces, text, err);
    cop_strings_free(&state.from);
    cop_strings_free(&state.to);
    cop_matcher_destroy(&state.matcher);
    return status;
}
