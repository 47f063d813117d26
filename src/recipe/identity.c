/* Digests of the files beside a model's weights. */
#include "coppice/recipe/identity.h"

#include "coppice/base/memory.h"
#include "coppice/chat/chat_files.h"
#include "coppice/json/json.h"
#include "coppice/json/json_text.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 256 << 20 };

/* Keys of config.json that no logit depends on. */
static const char *const idle_in_config[] = {"_attn_implementation_autoset",
                                             "_name_or_path",
                                             "architectures",
                                             "attention_dropout",
                                             "auto_map",
                                             "bos_token_id",
                                             "dtype",
                                             "id2label",
                                             "initializer_range",
                                             "is_decoder",
                                             "label2id",
                                             "output_attentions",
                                             "output_hidden_states",
                                             "pad_token_id",
                                             "pretraining_tp",
                                             "problem_type",
                                             "return_dict",
                                             "torch_dtype",
                                             "transformers_version",
                                             "unsloth_fixed",
                                             "unsloth_version",
                                             "use_cache",
                                             NULL};

/* Keys of generation_config.json that no answer depends on here: how long and how an answer is
 * drawn is the job's to say. */
static const char *const idle_in_generation[] = {"_from_model_config",
                                                 "bos_token_id",
                                                 "cache_implementation",
                                                 "do_sample",
                                                 "epsilon_cutoff",
                                                 "eta_cutoff",
                                                 "max_length",
                                                 "max_new_tokens",
                                                 "min_p",
                                                 "num_return_sequences",
                                                 "output_attentions",
                                                 "output_hidden_states",
                                                 "output_scores",
                                                 "pad_token_id",
                                                 "return_dict_in_generate",
                                                 "temperature",
                                                 "top_h",
                                                 "top_k",
                                                 "top_p",
                                                 "transformers_version",
                                                 "typical_p",
                                                 "use_cache",
                                                 NULL};

/* Keys of tokenizer_config.json that no token depends on; the template counts by itself. */
static const char *const idle_in_tokenizer[] = {"auto_map",
                                                "backend",
                                                "chat_template",
                                                "is_local",
                                                "local_files_only",
                                                "max_length",
                                                "model_input_names",
                                                "model_max_length",
                                                "name_or_path",
                                                "padding_side",
                                                "processor_class",
                                                "special_tokens_map_file",
                                                "stride",
                                                "tokenizer_file",
                                                "truncation_side",
                                                "truncation_strategy",
                                                "transformers_version",
                                                NULL};

typedef enum content {
    CONTENT_KEYS,    /* an object, keys in any order */
    CONTENT_TEXT,    /* JSON whose order counts: white space does not */
    CONTENT_TEMPLATE /* the text of the chat template */
} content;

static const struct {
    const char *name;
    content content;
    const char *const *idle; /* keys that do not count; NULL: all do */
} files[COP_IDENTITY_FILES] = {
    {"config.json", CONTENT_KEYS, idle_in_config},
    {"generation_config.json", CONTENT_KEYS, idle_in_generation},
    {"tokenizer.json", CONTENT_TEXT, NULL},
    {"tokenizer_config.json", CONTENT_KEYS, idle_in_tokenizer},
    {"added_tokens.json", CONTENT_KEYS, NULL},
    {"special_tokens_map.json", CONTENT_KEYS, NULL},
    {"chat_template", CONTENT_TEMPLATE, NULL},
};

const char *cop_identity_name(size_t index)
{
    assert(index < COP_IDENTITY_FILES);
    return files[index].name;
}

size_t cop_identity_find(const char *name)
{
    size_t i = 0;
    while (i < COP_IDENTITY_FILES && strcmp(files[i].name, name) != 0)
        i++;
    return i;
}

/* Whole numbers as others, so that 10000 and 1e4 are one, and no number is too large. NULL: it
 * cannot be read so. */
static json_t *load(const cop_text *text)
{
    json_t *root = NULL;
    if (text->length == 0) return NULL;
    (void)cop_json_read(text->data, text->length,
                        JSON_DECODE_INT_AS_REAL | COP_JSON_BIG_AS_REAL, &root, NULL);
    return root;
}

static void drop_keys(json_t *object, const char *const *idle)
{
    for (size_t i = 0; idle != NULL && idle[i] != NULL; i++)
        (void)json_object_del(object, idle[i]);
}

/* What counts of an object; bytes that are no JSON count as they are: whoever uses the file
 * says what is wrong with it. */
static cop_status digest_keys(const cop_text *text, const char *const *idle,
                              char hex[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    json_t *const root = load(text);
    drop_keys(root, idle);
    char *const plain =
        json_is_object(root)
            ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))
            : NULL;
    json_decref(root);
    const cop_status status = plain == NULL
                                  ? cop_digest_bytes(text->data, text->length, hex, err)
                                  : cop_digest_bytes(plain, strlen(plain), hex, err);
    free(plain);
    return status;
}

static cop_status digest_text(const cop_text *text, char hex[COP_DIGEST_HEX_BYTES],
                              cop_error *err)
{
    cop_text compact = {0};
    cop_status status = cop_json_compact(text->data, text->length, &compact, err);
    if (status == COP_OK) status = cop_digest_bytes(compact.data, compact.length, hex, err);
    cop_text_free(&compact);
    return status;
}

/* The template that cop_chat_create() takes, whichever file holds it. */
static cop_status digest_template(const char *model_dir, char hex[COP_DIGEST_HEX_BYTES],
                                  bool *found, cop_error *err)
{
    cop_chat_files held;
    COP_TRY(cop_chat_files_read(model_dir, &held, err));
    *found = held.source != NULL;
    const cop_status status =
        *found ? cop_digest_bytes(held.template.length > 0 ? held.template.data : "",
                                  held.template.length, hex, err)
               : COP_OK;
    cop_chat_files_free(&held);
    return status;
}

static cop_status digest_file(const char *model_dir, size_t index, cop_text *text,
                              char hex[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    bool found = false;
    if (files[index].content == CONTENT_TEMPLATE) {
        COP_TRY(digest_template(model_dir, hex, &found, err));
    } else {
        COP_TRY(cop_text_read_optional(text, model_dir, files[index].name, MAX_FILE_BYTES,
                                       &found, err));
        if (found && files[index].content == CONTENT_KEYS)
            COP_TRY(digest_keys(text, files[index].idle, hex, err));
        if (found && files[index].content == CONTENT_TEXT) COP_TRY(digest_text(text, hex, err));
    }
    if (!found) memcpy(hex, "none", sizeof "none");
    return COP_OK;
}

cop_status cop_identity_read(const char *model_dir, bool own_template, cop_identity *identity,
                             cop_error *err)
{
    cop_text text = {0};
    cop_status status = COP_OK;
    *identity = (cop_identity){0};
    for (size_t i = 0; i < COP_IDENTITY_FILES && status == COP_OK; i++) {
        if (files[i].content == CONTENT_TEMPLATE && !own_template) continue;
        status = digest_file(model_dir, i, &text, identity->digest[i], err);
    }
    cop_text_free(&text);
    return status;
}

bool cop_identity_is_known(const cop_identity *identity)
{
    for (size_t i = 0; i < COP_IDENTITY_FILES; i++) {
        if (identity->digest[i][0] != '\0') return true;
    }
    return false;
}

static bool is_accepted(const char *name, const char *const *accepted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(accepted[i], name) == 0) return true;
    }
    return false;
}

static cop_status describe(const char *name, const char *before, const char *now,
                           cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "%s%s", text->length == 0 ? "" : "; ", name));
    if (strcmp(name, "chat_template") == 0)
        COP_TRY(cop_text_format(text, err, " (chat_template.jinja or tokenizer_config.json)"));
    if (strcmp(before, "none") == 0)
        return cop_text_format(text, err, ": there was none, now there is one");
    if (strcmp(now, "none") == 0) return cop_text_format(text, err, ": is missing now");
    return cop_text_format(text, err, ": SHA-256 %.12s..., now %.12s...", before, now);
}

cop_status cop_identity_check(const cop_identity *recorded, const cop_identity *now,
                              const char *const *accepted, size_t accepted_count,
                              const char *whose, const char *remedy, cop_error *err)
{
    cop_text text = {0};
    cop_status status = COP_OK;
    for (size_t i = 0; i < COP_IDENTITY_FILES && status == COP_OK; i++) {
        const char *const a = recorded->digest[i];
        const char *const b = now->digest[i];
        if (a[0] == '\0' || b[0] == '\0' || strcmp(a, b) == 0 ||
            is_accepted(files[i].name, accepted, accepted_count))
            continue;
        status = describe(files[i].name, a, b, &text, err);
    }
    if (status == COP_OK && text.length > 0) {
        status = cop_error_set(err, COP_ERR_MISMATCH,
                               "%s belongs to a model with other files: %s; %s", whose,
                               text.data, remedy);
    }
    cop_text_free(&text);
    return status;
}
