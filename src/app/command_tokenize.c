/* coppice tokenize */
#include "app/app.h"

#include "coppice/base/memory.h"
#include "coppice/tokenizer/tokenizer.h"

#include <stdio.h>

typedef struct arguments {
    const char *model, *tokenizer;
    bool special, decode, skip_special;
} arguments;

enum { KEY_MODEL = 0x100, KEY_TOKENIZER, KEY_SPECIAL, KEY_DECODE, KEY_SKIP };

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "DIR", 0,
     "Model directory; its tokenizer.json is used, with the tokens and flags that the "
     "files beside it have",
     0},
    {"tokenizer", KEY_TOKENIZER, "FILE", 0, "A tokenizer.json file", 0},
    {"special", KEY_SPECIAL, NULL, 0,
     "Add what the tokenizer's post-processor adds, for example begin-of-text", 0},
    {"decode", KEY_DECODE, NULL, 0, "Ids to text instead of text to ids", 0},
    {"skip-special", KEY_SKIP, NULL, 0, "With --decode: leave special tokens out", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case KEY_MODEL:
        a->model = text;
        return 0;
    case KEY_TOKENIZER:
        a->tokenizer = text;
        return 0;
    case KEY_SPECIAL:
        a->special = true;
        return 0;
    case KEY_DECODE:
        a->decode = true;
        return 0;
    case KEY_SKIP:
        a->skip_special = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    NULL,
    "Text to token ids and back: JSON strings in, one per line, lists of ids out; with "
    "--decode the other way.\v"
    "  echo '\"Tom has 3 pens.\"' | coppice tokenize --model jobs/demo/model\n"
    "  echo '[1, 2, 3]' | coppice tokenize --model jobs/demo/model --decode",
    NULL,
    NULL,
    NULL};

typedef struct translation {
    const arguments *a;
    cop_tokenizer *tokenizer;
    cop_ids ids;
    cop_text text;
} translation;

static cop_status encode_line(translation *t, const json_t *value, cop_error *err)
{
    COP_CHECK(json_is_string(value), err, COP_ERR_FORMAT, "must be a JSON string");
    t->ids.count = 0;
    COP_TRY(cop_tokenizer_encode(t->tokenizer, json_string_value(value),
                                 json_string_length(value), t->a->special, &t->ids, err));
    return cop_app_print_json(cop_app_ids_json(t->ids.data, t->ids.count), err);
}

static cop_status decode_line(translation *t, const json_t *value, cop_error *err)
{
    COP_CHECK(json_is_array(value), err, COP_ERR_FORMAT, "must be a JSON list of ids");
    t->ids.count = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *const id = json_array_get(value, i);
        COP_CHECK(json_is_integer(id) && json_integer_value(id) >= 0, err, COP_ERR_FORMAT,
                  "ids are whole numbers, not below 0");
        if (json_integer_value(id) > INT32_MAX) continue; /* no token has it */
        COP_TRY(cop_ids_append(&t->ids, (int32_t)json_integer_value(id), err));
    }
    cop_text_clear(&t->text);
    COP_TRY(cop_text_append(&t->text, "", 0, err));
    COP_TRY(cop_tokenizer_decode(t->tokenizer, t->ids.data, t->ids.count, t->a->skip_special,
                                 &t->text, err));
    return cop_app_print_json(json_stringn(t->text.data, t->text.length), err);
}

static cop_status translate(void *context, size_t number, const json_t *value, cop_error *err)
{
    (void)number;
    translation *const t = context;
    return t->a->decode ? decode_line(t, value, err) : encode_line(t, value, err);
}

cop_status cop_command_tokenize(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    COP_CHECK((a.model != NULL) != (a.tokenizer != NULL), err, COP_ERR_USAGE,
              "give one of --model DIR and --tokenizer FILE");
    COP_CHECK(!a.decode || !a.special, err, COP_ERR_USAGE,
              "--special is for text to ids; with --decode there is --skip-special");
    COP_CHECK(a.decode || !a.skip_special, err, COP_ERR_USAGE,
              "--skip-special goes with --decode");
    translation t = {.a = &a};
    cop_status status = a.model != NULL ? cop_tokenizer_load_model(a.model, &t.tokenizer, err)
                                        : cop_tokenizer_load(a.tokenizer, &t.tokenizer, err);
    if (status == COP_OK) status = cop_app_each_line(translate, &t, err);
    if (status == COP_OK) status = cop_app_flush(err);
    cop_tokenizer_destroy(&t.tokenizer);
    cop_ids_free(&t.ids);
    cop_text_free(&t.text);
    return status;
}
