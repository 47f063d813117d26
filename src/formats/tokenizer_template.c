#include "formats/tokenizer_template.h"
#include "coppice/memory.h"
#include "formats/tokenizer_json.h"

#include <string.h>

/* Templates in a Sequence wrap each other, which could grow without bounds. */
enum { MAX_ITEMS = 1024 };

static cop_status append(cop_template *self, const int32_t *items, size_t count, cop_error *err)
{
    COP_CHECK(self->count + count <= MAX_ITEMS, err, COP_ERR_FORMAT,
              "the post-processor adds more than %d tokens", MAX_ITEMS);
    void *memory = self->items;
    COP_TRY(cop_memory_grow(&memory, &self->capacity, self->count + count, sizeof *items, err));
    self->items = memory;
    memcpy(self->items + self->count, items, count * sizeof *items);
    self->count += count;
    return COP_OK;
}

static cop_status append_special(cop_template *self, const json_t *token,
                                 const json_t *specials, size_t size, cop_error *err)
{
    const char *const name = json_string_value(json_object_get(token, "id"));
    COP_CHECK(name != NULL, err, COP_ERR_FORMAT,
              "a SpecialToken of the template has no \"id\"");
    const json_t *const ids = json_object_get(json_object_get(specials, name), "ids");
    COP_CHECK(json_is_array(ids), err, COP_ERR_FORMAT,
              "\"special_tokens\" of the template have no \"ids\" for \"%.60s\"", name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *const value = json_array_get(ids, i);
        const json_int_t number = json_integer_value(value);
        COP_CHECK(json_is_integer(value) && number >= 0 && (uint64_t)number < size, err,
                  COP_ERR_FORMAT,
                  "the template's token \"%.60s\" has an id that does not exist", name);
        const int32_t id = (int32_t)number;
        COP_TRY(append(self, &id, 1, err));
    }
    return COP_OK;
}

/* Appends the template's items, `inner` in the place of the text. */
static cop_status append_template(cop_template *self, const json_t *json,
                                  const cop_template *inner, size_t size, cop_error *err)
{
    const json_t *items = NULL;
    COP_TRY(cop_tokenizer_json_array(json, "single", &items, err));
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *const item = json_array_get(items, i);
        const json_t *const token = json_object_get(item, "SpecialToken");
        if (token != NULL) {
            const json_t *const specials = json_object_get(json, "special_tokens");
            COP_TRY(append_special(self, token, specials, size, err));
            continue;
        }
        const json_t *const text = json_object_get(item, "Sequence");
        const char *const name = json_string_value(json_object_get(text, "id"));
        COP_CHECK(name != NULL && strcmp(name, "A") == 0, err, COP_ERR_FORMAT,
                  "an item of \"single\" is neither a SpecialToken nor the Sequence \"A\"");
        COP_TRY(append(self, inner->items, inner->count, err));
    }
    return COP_OK;
}

/* What parts are added to. */
typedef struct target {
    cop_template *template;
    size_t size; /* ids are below it */
} target;

static cop_status add_part(void *context, const char *type, const json_t *json, cop_error *err)
{
    const target *const self = context;
    if (strcmp(type, "ByteLevel") == 0) return COP_OK; /* changes offsets only */
    COP_CHECK(
        strcmp(type, "TemplateProcessing") == 0, err, COP_ERR_UNSUPPORTED,
        "the post-processor \"%.40s\" is not supported (TemplateProcessing, ByteLevel and "
        "Sequence are)",
        type);
    cop_template outer = {0};
    const cop_status status = append_template(&outer, json, self->template, self->size, err);
    if (status != COP_OK) {
        cop_template_free(&outer);
        return status;
    }
    cop_template_free(self->template);
    *self->template = outer;
    return COP_OK;
}

cop_status cop_template_parse(const json_t *json, size_t size, cop_template *template,
                              cop_error *err)
{
    static const cop_tokenizer_parts parts = {"post_processor", "processors", add_part};
    static const int32_t text = COP_TEMPLATE_TEXT;
    *template = (cop_template){0};
    cop_status status = append(template, &text, 1, err);
    if (status == COP_OK) {
        target self = {template, size};
        status = cop_tokenizer_json_parts(json, &parts, &self, err);
    }
    if (status != COP_OK) cop_template_free(template);
    return status;
}

void cop_template_free(cop_template *template)
{
    cop_memory_free(template->items);
    *template = (cop_template){0};
}
