#include "tokenizer/tokenizer_cut.h"

#include <string.h>

/* Finds the value of a member by its key, which has no escapes; value->json stays NULL if there
 * is none. Of two with that key it takes the first: the rest keeps the second, which is then
 * refused as a duplicate. */
static void find_member(cop_scan object, const char *key, cop_scan *value)
{
    cop_text name = {0};
    bool more = true;
    size_t count = 0;
    *value = (cop_scan){0};
    if (cop_scan_open(&object, '{', NULL) != COP_OK) return;
    while (value->json == NULL) {
        cop_scan found = {0};
        cop_text_clear(&name);
        if (cop_scan_next(&object, '}', &count, &more, NULL) != COP_OK || !more) break;
        if (cop_scan_string(&object, &name, NULL) != COP_OK) break;
        if (cop_scan_skip(&object, &found, NULL) != COP_OK) break;
        if (name.length == strlen(key) && memcmp(name.data, key, name.length) == 0)
            *value = found;
    }
    cop_text_free(&name);
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
    cop_scan model = {0};
    find_member(root, "model", &model);
    if (model.json != NULL) {
        find_member(model, "vocab", &cuts->vocab);
        find_member(model, "merges", &cuts->merges);
    }
    const bool merges_first = cuts->merges.json != NULL && cuts->merges.at < cuts->vocab.at;
    size_t done = 0;
    COP_TRY(
        leave_out(&cuts->rest, json, &done, merges_first ? &cuts->merges : &cuts->vocab, err));
    COP_TRY(
        leave_out(&cuts->rest, json, &done, merges_first ? &cuts->vocab : &cuts->merges, err));
    return cop_text_append(&cuts->rest, json + done, length - done, err);
}
