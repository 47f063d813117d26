#include "tokenizer/tokenizer_cut.h"

#include <string.h>

/* Takes the next member's key, which is in `name` then. \return false at the object's end, or
 * where there is no member. */
static bool next_key(cop_scan *object, size_t *count, cop_text *name)
{
    bool more = false;
    cop_text_clear(name);
    return cop_scan_next(object, '}', count, &more, NULL) == COP_OK && more &&
           cop_scan_string(object, name, NULL) == COP_OK;
}

static bool is_key(const cop_text *name, const char *key)
{
    return name->length == strlen(key) && memcmp(name->data, key, name->length) == 0;
}

/* Where the object's member "model" begins: nearly the whole file, so that it is not skipped to
 * find its end. json is NULL if there is none. */
static cop_scan find_model(cop_scan object, cop_text *name)
{
    cop_scan skipped = {0};
    size_t count = 0;
    if (cop_scan_open(&object, '{', NULL) != COP_OK) return (cop_scan){0};
    while (next_key(&object, &count, name)) {
        if (is_key(name, "model")) {
            if (cop_scan_peek(&object) != ':') break;
            object.at++;
            return object;
        }
        if (cop_scan_skip(&object, &skipped, NULL) != COP_OK) break;
    }
    return (cop_scan){0};
}

/* Finds the two members in one pass; json stays NULL of one that there is not. Keys have no
 * escapes. Of two with one key it takes the first: the rest keeps the second, which is then
 * refused as a duplicate. */
static void find_members(cop_scan object, cop_text *name, cop_tokenizer_cuts *cuts)
{
    size_t count = 0;
    if (cop_scan_open(&object, '{', NULL) != COP_OK) return;
    while ((cuts->vocab.json == NULL || cuts->merges.json == NULL) &&
           next_key(&object, &count, name)) {
        cop_scan found = {0};
        if (cop_scan_skip(&object, &found, NULL) != COP_OK) return;
        if (cuts->vocab.json == NULL && is_key(name, "vocab")) cuts->vocab = found;
        if (cuts->merges.json == NULL && is_key(name, "merges")) cuts->merges = found;
    }
}

/* Appends what lies before the value, and null for it. */
static cop_status leave_out(cop_text *rest, const char *json, size_t *done,
                            const cop_scan *value, cop_error *err)
{
    if (value->json == NULL) return COP_OK;
    COP_TRY(cop_text_append(rest, json + *done, value->at - *done, err));
    *done = value->length;
    return cop_text_append(rest, "null", 4, err);
}

cop_status cop_tokenizer_cut(const char *json, size_t length, cop_tokenizer_cuts *cuts,
                             cop_error *err)
{
    *cuts = (cop_tokenizer_cuts){0};
    const cop_scan root = {.json = json, .length = length};
    cop_text name = {0};
    const cop_scan model = find_model(root, &name);
    if (model.json != NULL) find_members(model, &name, cuts);
    cop_text_free(&name);
    const bool merges_first = cuts->merges.json != NULL && cuts->merges.at < cuts->vocab.at;
    size_t done = 0;
    COP_TRY(
        leave_out(&cuts->rest, json, &done, merges_first ? &cuts->merges : &cuts->vocab, err));
    COP_TRY(
        leave_out(&cuts->rest, json, &done, merges_first ? &cuts->vocab : &cuts->merges, err));
    return cop_text_append(&cuts->rest, json + done, length - done, err);
}
