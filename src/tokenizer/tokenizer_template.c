#include "tokenizer/tokenizer_template.h"
#include "coppice/base/memory.h"
#include "tokenizer/tokenizer_json.h"

#include <string.h>

/* Far above any template there is. */
enum { MAX_ITEMS = 1024 };

/* What the processors so far have made of a text. Each piece of a template becomes a part of
 * its own, and the next template takes two parts for a pair of texts: the begin token that one
 * adds is the other's sequence A. */
typedef struct parts {
    cop_template list[MAX_ITEMS];
    size_t count;
    size_t items; /* of all */
} parts;

/* What processors are added to. */
typedef struct reader {
    parts *now;
    parts *next;
    bool special;
    bool refused; /* a template found neither one part nor two */
    size_t size;  /* ids are below it */
} reader;

static void free_parts(parts *self)
{
    for (size_t i = 0; i < self->count; i++)
        cop_template_free(&self->list[i]);
    self->count = 0;
    self->items = 0;
}

static cop_status append(cop_template *self, const int32_t *items, size_t count, cop_error *err)
{
    COP_GROW(self->items, self->capacity, self->count + count, err);
    if (count > 0) memcpy(self->items + self->count, items, count * sizeof *items);
    self->count += count;
    return COP_OK;
}

static cop_status add_part(parts *self, const int32_t *items, size_t count, cop_error *err)
{
    COP_CHECK(self->count < MAX_ITEMS && self->items + count <= MAX_ITEMS, err, COP_ERR_FORMAT,
              "the post-processor adds more than %d tokens", MAX_ITEMS);
    cop_template *const part = &self->list[self->count++];
    *part = (cop_template){0};
    self->items += count;
    return append(part, items, count, err);
}

static cop_status add_special(reader *self, const json_t *token, const json_t *specials,
                              cop_error *err)
{
    const char *const name = json_string_value(json_object_get(token, "id"));
    COP_CHECK(name != NULL, err, COP_ERR_FORMAT,
              "a SpecialToken of the template has no \"id\"");
    const json_t *const list = json_object_get(json_object_get(specials, name), "ids");
    COP_CHECK(json_is_array(list), err, COP_ERR_FORMAT,
              "\"special_tokens\" of the template have no \"ids\" for \"%.60s\"", name);
    cop_template ids = {0};
    cop_status status = COP_OK;
    for (size_t i = 0; i < json_array_size(list) && status == COP_OK; i++) {
        const json_t *const value = json_array_get(list, i);
        const json_int_t number = json_integer_value(value);
        const bool exists =
            json_is_integer(value) && number >= 0 && (uint64_t)number < self->size;
        const int32_t id = exists ? (int32_t)number : 0;
        status = exists
                     ? append(&ids, &id, 1, err)
                     : cop_error_set(err, COP_ERR_FORMAT,
                                     "the template's token \"%.60s\" has an id that does not "
                                     "exist",
                                     name);
    }
    if (status == COP_OK) status = add_part(self->next, ids.items, ids.count, err);
    cop_template_free(&ids);
    return status;
}

/* The part that a Sequence of a template stands for: A, or B of a pair. */
static cop_status add_sequence(reader *self, const json_t *text, const char *kind,
                               cop_error *err)
{
    const char *const name = json_string_value(json_object_get(text, "id"));
    const size_t index = name != NULL && strcmp(name, "B") == 0 ? 1 : 0;
    COP_CHECK(
        name != NULL && (index == 1 || strcmp(name, "A") == 0) && index < self->now->count, err,
        COP_ERR_FORMAT, "an item of \"%s\" is neither a SpecialToken nor the Sequence \"A\"%s",
        kind, self->now->count == 2 ? " or \"B\"" : "");
    const cop_template *const part = &self->now->list[index];
    return add_part(self->next, part->items, part->count, err);
}

static cop_status run_template(reader *self, const json_t *json, cop_error *err)
{
    const json_t *items = NULL;
    const char *const kind = self->now->count == 2 ? "pair" : "single";
    COP_TRY(cop_tokenizer_json_array(json, kind, &items, err));
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *const item = json_array_get(items, i);
        const json_t *const token = json_object_get(item, "SpecialToken");
        if (token == NULL) {
            COP_TRY(add_sequence(self, json_object_get(item, "Sequence"), kind, err));
        } else if (self->special) {
            const json_t *const specials = json_object_get(json, "special_tokens");
            COP_TRY(add_special(self, token, specials, err));
        }
    }
    return COP_OK;
}

static cop_status add_processor(void *context, const char *type, const json_t *json,
                                cop_error *err)
{
    reader *const self = context;
    if (strcmp(type, "ByteLevel") == 0) return COP_OK; /* changes offsets only */
    COP_CHECK(
        strcmp(type, "TemplateProcessing") == 0, err, COP_ERR_UNSUPPORTED,
        "the post-processor \"%.40s\" is not supported (TemplateProcessing, ByteLevel and "
        "Sequence are)",
        type);
    /* The usual library has no template for none or three, and fails where a text is encoded.
     */
    if (self->now->count != 1 && self->now->count != 2) self->refused = true;
    if (self->refused) return COP_OK;
    COP_TRY(run_template(self, json, err));
    parts *const done = self->now;
    self->now = self->next;
    self->next = done;
    free_parts(done);
    return COP_OK;
}

static cop_status parse(const json_t *json, reader *self, cop_template *template,
                        cop_error *err)
{
    static const cop_tokenizer_parts processors = {"post_processor", "processors",
                                                   add_processor};
    static const int32_t text = COP_TEMPLATE_TEXT;
    COP_TRY(add_part(self->now, &text, 1, err));
    COP_TRY(cop_tokenizer_json_parts(json, &processors, self, err));
    template->refused = self->refused;
    for (size_t i = 0; i < self->now->count; i++) {
        const cop_template *const part = &self->now->list[i];
        COP_TRY(append(template, part->items, part->count, err));
    }
    return COP_OK;
}

cop_status cop_template_parse(const json_t *json, bool special, size_t size,
                              cop_template *template, cop_error *err)
{
    *template = (cop_template){0};
    parts *const both = cop_memory_alloc(2, sizeof *both, err);
    if (both == NULL) return COP_ERR_MEMORY;
    reader self = {.now = &both[0], .next = &both[1], .special = special, .size = size};
    const cop_status status = parse(json, &self, template, err);
    if (status != COP_OK) cop_template_free(template);
    free_parts(&both[0]);
    free_parts(&both[1]);
    cop_memory_free(both);
    return status;
}

void cop_template_free(cop_template *template)
{
    cop_memory_free(template->items);
    *template = (cop_template){0};
}
