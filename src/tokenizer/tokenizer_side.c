/* What the files beside tokenizer.json add to its tokens (tokenizer_side.h). The order of steps
 * is that of transformers 5.24: which file counts where two disagree, and which tokens get new
 * ids in which order, shows only there. */
#include "tokenizer/tokenizer_side.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/json/json.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 64 << 20, STANDARD_NAMES = 7 };

/* The names that every tokenizer has, in the order in which they are added. */
static const char *const standard_names[STANDARD_NAMES] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

/* A token as one of the files gives it; its content is the file's. */
typedef struct entry {
    cop_added_token token; /* without pattern and id */
    bool normalized_given; /* else it follows from `special` */
    bool bare;             /* given by its content alone */
    bool late;             /* an object of tokenizer_config.json */
    long long id;          /* where it is sorted by */
    const char *name;      /* "bos_token" and the like, NULL: none */
} entry;

typedef struct entry_list {
    entry *data; /* [count], owned */
    size_t count;
    size_t capacity;
} entry_list;

/* What was gathered so far. */
typedef struct gatherer {
    const cop_tokenizer_side *side;
    entry standard[STANDARD_NAMES]; /* content NULL: not given */
    entry_list early;               /* other tokens with a name, those given as objects */
    entry_list late;                /* those given by their content */
    entry_list extra;               /* special tokens without a name */
    entry_list pending; /* the same of special_tokens_map.json, if there are no others */
    bool extra_given;
    entry_list by_id; /* of the lists with ids; one for each id */
    entry_list known; /* the same, all of them, in order */
    entry_list to_add;
} gatherer;

static cop_status push(entry_list *list, const entry *added, cop_error *err)
{
    COP_GROW(list->data, list->capacity, list->count + 1, err);
    list->data[list->count++] = *added;
    return COP_OK;
}

static bool same_content(const entry *a, const entry *b)
{
    return a->token.length == b->token.length &&
           memcmp(a->token.content, b->token.content, a->token.length) == 0;
}

static bool is_normalized(const entry *e)
{
    return e->normalized_given ? e->token.normalized : !e->token.special;
}

/* Equal as Python compares them: a bare content is no token with flags. */
static bool same_entry(const entry *a, const entry *b)
{
    if (a->bare != b->bare || !same_content(a, b)) return false;
    return a->token.single_word == b->token.single_word && a->token.lstrip == b->token.lstrip &&
           a->token.rstrip == b->token.rstrip && a->token.special == b->token.special &&
           is_normalized(a) == is_normalized(b);
}

static const entry *find_content(const entry_list *list, const entry *wanted)
{
    for (size_t i = list->count; i-- > 0;) /* the last one counts */
        if (same_content(&list->data[i], wanted)) return &list->data[i];
    return NULL;
}

static bool holds_entry(const entry_list *list, const entry *wanted)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_entry(&list->data[i], wanted)) return true;
    return false;
}

/* --- reading --- */

static void set_content(entry *e, const json_t *json)
{
    /* jansson's strings stay as long as the files' trees; nothing writes to them. */
    const char *const text = json_string_value(json);
    memcpy(&e->token.content, &text, sizeof text);
    e->token.length = json_string_length(json);
}

static cop_status read_object(const json_t *json, entry *e, cop_error *err)
{
    const json_t *const content = json_object_get(json, "content");
    const json_t *const normalized = json_object_get(json, "normalized");
    COP_CHECK(json_is_string(content), err, COP_ERR_FORMAT,
              "an added token has no \"content\"");
    set_content(e, content);
    COP_TRY(cop_tokenizer_json_bool(json, "single_word", false, &e->token.single_word, err));
    COP_TRY(cop_tokenizer_json_bool(json, "lstrip", false, &e->token.lstrip, err));
    COP_TRY(cop_tokenizer_json_bool(json, "rstrip", false, &e->token.rstrip, err));
    COP_TRY(cop_tokenizer_json_bool(json, "special", e->token.special, &e->token.special, err));
    e->normalized_given = normalized != NULL && !json_is_null(normalized);
    return cop_tokenizer_json_bool(json, "normalized", false, &e->token.normalized, err);
}

/* A content, or an object with flags too. */
static cop_status read_value(const json_t *json, const char *key, entry *e, cop_error *err)
{
    if (json_is_object(json)) return read_object(json, e, err);
    COP_CHECK(json_is_string(json), err, COP_ERR_FORMAT,
              "\"%.60s\" is neither a token's content nor an object with it", key);
    set_content(e, json);
    e->bare = true;
    e->token.special = true;
    return COP_OK;
}

static size_t find_standard(const char *key)
{
    return cop_text_find_name(key, standard_names, STANDARD_NAMES);
}

/* Sets the token of a name, in its old place if there is one. */
static cop_status set_named(entry_list *list, const entry *added, cop_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->data[i].name, added->name) != 0) continue;
        list->data[i] = *added;
        return COP_OK;
    }
    return push(list, added, err);
}

static cop_status read_extra(const json_t *list, const char *key, bool map, entry_list *extra,
                             cop_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        entry e = {.token.special = map};
        COP_TRY(read_value(json_array_get(list, i), key, &e, err));
        e.late = !map && !e.bare;
        if (!map || !holds_entry(extra, &e)) COP_TRY(push(extra, &e, err));
    }
    return COP_OK;
}

/* {"image_token": "<image>"} under "extra_special_tokens". */
static cop_status read_extra_names(gatherer *self, json_t *object, cop_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        entry e = {.name = key};
        COP_TRY(read_value(value, key, &e, err));
        COP_TRY(set_named(&self->late, &e, err));
    }
    return COP_OK;
}

/* A member that gives a token its name; others are left alone. */
static cop_status read_named(gatherer *self, const char *key, const json_t *value, bool map,
                             cop_error *err)
{
    const size_t standard = find_standard(key);
    if (standard == STANDARD_NAMES && !cop_text_ends_in(key, "_token")) return COP_OK;
    entry e = {.name = key, .token.special = map};
    if (standard < STANDARD_NAMES) {
        if (!json_is_null(value)) COP_TRY(read_value(value, key, &e, err));
        e.late = !map && !e.bare;
        self->standard[standard] = e;
        return COP_OK;
    }
    if (!json_is_string(value) && !json_is_string(json_object_get(value, "content")))
        return COP_OK;
    COP_TRY(read_value(value, key, &e, err));
    return set_named(map || !e.bare ? &self->early : &self->late, &e, err);
}

static cop_status read_config(gatherer *self, cop_error *err)
{
    json_t *const config = self->side->config;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(config, key, value)
    {
        COP_TRY(read_named(self, key, value, false, err));
    }
    json_t *extra = json_object_get(config, "extra_special_tokens");
    const char *name = "extra_special_tokens";
    self->extra_given = extra != NULL;
    if (json_array_size(extra) + json_object_size(extra) == 0 &&
        json_object_get(config, "additional_special_tokens") != NULL) {
        name = "additional_special_tokens";
        extra = json_object_get(config, name);
        self->extra_given = true;
    }
    if (json_is_object(extra)) { /* names, which leave the place to the other list */
        self->extra_given = false;
        COP_TRY(read_extra_names(self, extra, err));
        if (name[0] == 'a') return COP_OK;
        name = "additional_special_tokens";
        return read_extra(json_object_get(config, name), name, false, &self->pending, err);
    }
    return read_extra(extra, name, false, &self->extra, err);
}

static cop_status read_special_map(gatherer *self, cop_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(self->side->special_map, key, value)
    {
        if (strcmp(key, "extra_special_tokens") == 0 && json_is_array(value)) {
            self->extra_given = true;
            COP_TRY(read_extra(value, key, true, &self->extra, err));
        } else if (strcmp(key, "extra_special_tokens") == 0 && json_is_object(value)) {
            self->extra.count = 0;
            self->extra_given = false;
            COP_TRY(read_extra_names(self, value, err));
        } else if (strcmp(key, "additional_special_tokens") == 0) {
            self->pending.count = 0;
            COP_TRY(read_extra(value, key, true, &self->pending, err));
        } else {
            COP_TRY(read_named(self, key, value, true, err));
        }
    }
    return COP_OK;
}

/* --- the lists with ids --- */

static cop_status set_id(gatherer *self, const entry *added, cop_error *err)
{
    COP_TRY(push(&self->known, added, err));
    for (size_t i = 0; i < self->by_id.count; i++) {
        if (self->by_id.data[i].id != added->id) continue;
        self->by_id.data[i] = *added;
        return COP_OK;
    }
    return push(&self->by_id, added, err);
}

static cop_status read_decoder(gatherer *self, json_t *decoder, cop_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    COP_CHECK(json_is_object(decoder), err, COP_ERR_FORMAT,
              "\"added_tokens_decoder\" is not an object");
    json_object_foreach(decoder, key, value)
    {
        char *end = NULL;
        entry e = {.id = strtoll(key, &end, 10)};
        COP_CHECK(end != key && *end == '\0', err, COP_ERR_FORMAT,
                  "\"added_tokens_decoder\": \"%.60s\" is not an id", key);
        COP_CHECK(json_is_object(value), err, COP_ERR_FORMAT,
                  "\"added_tokens_decoder\": the token %.60s is not an object", key);
        COP_TRY(read_object(value, &e, err));
        COP_TRY(set_id(self, &e, err));
    }
    return COP_OK;
}

/* Whether it is among the special tokens as read so far, where objects of tokenizer_config.json
 * do not count yet. */
static bool is_special(const gatherer *self, const entry *e)
{
    for (size_t i = 0; i < STANDARD_NAMES; i++) {
        const entry *const named = &self->standard[i];
        if (named->token.content != NULL && !named->late && same_content(named, e)) return true;
    }
    for (size_t i = 0; i < self->extra.count; i++)
        if (!self->extra.data[i].late && same_content(&self->extra.data[i], e)) return true;
    return false;
}

/* {"<x>": 258} of added_tokens.json. */
static cop_status read_added_file(gatherer *self, cop_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(self->side->added, key, value)
    {
        COP_CHECK(json_is_integer(value), err, COP_ERR_FORMAT,
                  "added_tokens.json: the id of \"%.60s\" is not a whole number", key);
        entry e = {.id = json_integer_value(value), .normalized_given = true};
        memcpy(&e.token.content, &key, sizeof key);
        e.token.length = strlen(key);
        e.token.special = is_special(self, &e);
        e.token.normalized = !e.token.special;
        COP_TRY(set_id(self, &e, err));
    }
    return COP_OK;
}

static cop_status read_listed(gatherer *self, const json_t *listed, cop_error *err)
{
    for (size_t i = 0; i < json_array_size(listed); i++) {
        const json_t *const item = json_array_get(listed, i);
        entry e = {.id = json_integer_value(json_object_get(item, "id"))};
        COP_TRY(read_object(item, &e, err));
        COP_TRY(set_id(self, &e, err));
    }
    return COP_OK;
}

static cop_status gather(gatherer *self, const json_t *listed, cop_error *err)
{
    COP_TRY(read_config(self, err));
    json_t *const decoder = json_object_get(self->side->config, "added_tokens_decoder");
    if (decoder != NULL) {
        COP_TRY(read_decoder(self, decoder, err));
    } else {
        COP_TRY(read_special_map(self, err));
        COP_TRY(read_added_file(self, err));
        COP_TRY(read_listed(self, listed, err));
    }
    for (size_t i = 0; i < STANDARD_NAMES; i++) {
        entry *const named = &self->standard[i];
        const entry *const known =
            named->token.content == NULL ? NULL : find_content(&self->known, named);
        if (known != NULL) *named = *known;
    }
    if (self->extra_given) self->pending.count = 0;
    return COP_OK;
}

/* --- adding --- */

static int compare_ids(const void *a, const void *b)
{
    const long long x = ((const entry *)a)->id;
    const long long y = ((const entry *)b)->id;
    return (x > y) - (x < y);
}

/* All of the lists with ids are added, also those that tokenizer.json has with the same flags:
 * one that has a name becomes special by it. */
static cop_status choose_by_id(gatherer *self, cop_error *err)
{
    if (self->by_id.count > 0)
        qsort(self->by_id.data, self->by_id.count, sizeof *self->by_id.data, compare_ids);
    for (size_t i = 0; i < self->by_id.count; i++)
        COP_TRY(push(&self->to_add, &self->by_id.data[i], err));
    return COP_OK;
}

/* Those that neither tokenizer.json nor the lists with ids have. */
static cop_status choose(gatherer *self, const cop_added *added, const entry *e, size_t listed,
                         cop_error *err)
{
    if (e->token.content == NULL) return COP_OK;
    if (cop_added_find(added, e->token.content, e->token.length) != NULL) return COP_OK;
    for (size_t i = 0; i < self->to_add.count; i++) {
        const entry *const other = &self->to_add.data[i];
        if (i < listed ? same_content(other, e) : same_entry(other, e)) return COP_OK;
    }
    return push(&self->to_add, e, err);
}

static bool has_name(const gatherer *self, const entry *e)
{
    for (size_t i = 0; i < STANDARD_NAMES; i++) {
        const entry *const named = &self->standard[i];
        if (named->token.content != NULL && same_content(named, e)) return true;
    }
    return find_content(&self->early, e) != NULL || find_content(&self->late, e) != NULL;
}

/* Where both have a name, it stands where the earlier one does, with the later one's token. */
static cop_status join_named(gatherer *self, cop_error *err)
{
    for (size_t i = 0; i < self->late.count; i++)
        COP_TRY(set_named(&self->early, &self->late.data[i], err));
    self->late.count = 0;
    return COP_OK;
}

static cop_status choose_all(gatherer *self, const cop_added *added, cop_error *err)
{
    COP_TRY(choose_by_id(self, err));
    const size_t listed = self->to_add.count;
    COP_TRY(join_named(self, err));
    for (size_t i = 0; i < STANDARD_NAMES; i++)
        COP_TRY(choose(self, added, &self->standard[i], listed, err));
    const entry_list *const lists[] = {&self->early, &self->extra, &self->pending};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        for (size_t i = 0; i < lists[k]->count; i++)
            COP_TRY(choose(self, added, &lists[k]->data[i], listed, err));
    }
    return COP_OK;
}

cop_status cop_tokenizer_side_add(const cop_tokenizer_side *side, const json_t *listed,
                                  cop_added *added, cop_error *err)
{
    gatherer self = {.side = side};
    cop_status status = COP_OK;
    COP_TRY_OUT(gather(&self, listed, err));
    COP_TRY_OUT(choose_all(&self, added, err));
    for (size_t i = 0; i < self.to_add.count; i++) {
        entry *const e = &self.to_add.data[i];
        if (has_name(&self, e)) e->token.special = true;
        e->token.normalized = is_normalized(e);
        COP_TRY_OUT(cop_added_add(added, &e->token, err));
    }
out:
    cop_memory_free(self.early.data);
    cop_memory_free(self.late.data);
    cop_memory_free(self.extra.data);
    cop_memory_free(self.pending.data);
    cop_memory_free(self.by_id.data);
    cop_memory_free(self.known.data);
    cop_memory_free(self.to_add.data);
    return status;
}

/* --- the files --- */

cop_status cop_tokenizer_side_load(const char *model_dir, cop_tokenizer_side *side,
                                   cop_error *err)
{
    *side = (cop_tokenizer_side){0};
    cop_status status = cop_json_read_optional(model_dir, "tokenizer_config.json",
                                               MAX_FILE_BYTES, &side->config, err);
    if (status == COP_OK)
        status = cop_json_read_optional(model_dir, "special_tokens_map.json", MAX_FILE_BYTES,
                                        &side->special_map, err);
    if (status == COP_OK)
        status = cop_json_read_optional(model_dir, "added_tokens.json", MAX_FILE_BYTES,
                                        &side->added, err);
    if (status == COP_OK && json_is_true(json_object_get(side->config, "split_special_tokens")))
        status = cop_error_set(err, COP_ERR_UNSUPPORTED,
                               "%s/tokenizer_config.json: \"split_special_tokens\" is true, "
                               "which is not supported",
                               model_dir);
    if (status != COP_OK) cop_tokenizer_side_free(side);
    return status;
}

void cop_tokenizer_side_free(cop_tokenizer_side *side)
{
    json_decref(side->config);
    json_decref(side->special_map);
    json_decref(side->added);
    *side = (cop_tokenizer_side){0};
}
