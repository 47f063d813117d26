/* Filters over sequences. */
#include "jinja/jinja_eval.h"

#include <assert.h>
#include <string.h>

static bool is_given(jinja_value value)
{
    return value.kind != JINJA_MISSING;
}

static cop_status filter_length(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    size_t length = 0;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_length(run, self, &length));
    *out = cop_jinja_int((int64_t)length);
    return COP_OK;
}

static cop_status filter_list(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    jinja_list items;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_iterate(run, self, &items));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, items.count, out));
    if (items.count > 0)
        memcpy(out->list->items, items.items, items.count * sizeof *items.items);
    return COP_OK;
}

static cop_status filter_first(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    jinja_list items;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    if (self.kind == JINJA_LIST && self.list->sort == JINJA_SORT_ITERATOR &&
        self.list->count > 0) {
        *out = *self.list->items++; /* the others are still to come */
        self.list->count--;
        return COP_OK;
    }
    COP_TRY(cop_jinja_iterate(run, self, &items));
    *out = items.count > 0 ? items.items[0]
                           : cop_jinja_undefined((jinja_text){"the first item", 14});
    return COP_OK;
}

static cop_status filter_last(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    jinja_list items;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    if (self.kind == JINJA_LIST && self.list->sort == JINJA_SORT_ITERATOR)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "the filter last cannot reverse %s",
                              cop_jinja_type_name(self));
    COP_TRY(cop_jinja_iterate(run, self, &items));
    *out = items.count > 0 ? items.items[items.count - 1]
                           : cop_jinja_undefined((jinja_text){"the last item", 13});
    return COP_OK;
}

static cop_status filter_join(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    static const char *const names[] = {"d", "attribute"};
    jinja_value values[2];
    jinja_text between = {"", 0};
    jinja_list items;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    if (is_given(values[0])) COP_TRY(cop_jinja_to_str(run, values[0], &between));
    COP_TRY(cop_jinja_iterate(run, self, &items));
    for (size_t i = 0; i < items.count; i++) {
        jinja_value item;
        if (i > 0) COP_TRY(cop_jinja_put(run, &buffer, between.data, between.length));
        COP_TRY(cop_jinja_get_path(run, items.items[i], values[1], &item));
        COP_TRY(cop_jinja_put_str(run, &buffer, item));
    }
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status filter_items(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    bool found = false;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    if (self.kind == JINJA_UNDEFINED) return cop_jinja_list(run, JINJA_SORT_ITERATOR, 0, out);
    if (self.kind != JINJA_DICT)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "the filter items needs a mapping, not %s",
                              cop_jinja_type_name(self));
    COP_TRY(cop_jinja_find_method(run, self, (jinja_text){"items", 5}, &found, out));
    COP_TRY(cop_jinja_call(run, *out, args, out));
    out->list->sort = JINJA_SORT_ITERATOR;
    return COP_OK;
}

static cop_status filter_reverse(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    static const jinja_value backward[3] = {
        {.kind = JINJA_NIL}, {.kind = JINJA_NIL}, {.kind = JINJA_INT, .integer = -1}};
    jinja_list items;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    if (self.kind == JINJA_STR) return cop_jinja_slice(run, self, backward, out);
    const bool listed = self.kind == JINJA_LIST && self.list->sort == JINJA_SORT_ITERATOR;
    COP_TRY(cop_jinja_iterate(run, self, &items));
    COP_TRY(
        cop_jinja_list(run, listed ? JINJA_SORT_LIST : JINJA_SORT_ITERATOR, items.count, out));
    for (size_t i = 0; i < items.count; i++)
        out->list->items[i] = items.items[items.count - 1 - i];
    return COP_OK;
}

/* --- ordering --- */

/* What an item is ordered by: in lower case unless case counts. */
static cop_status make_key(jinja_run *run, jinja_value item, jinja_value path, bool case_counts,
                           jinja_value *key)
{
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_get_path(run, item, path, key));
    if (case_counts || key->kind != JINJA_STR) return COP_OK;
    COP_TRY(cop_jinja_put_case(run, &buffer, key->text, JINJA_LOWER));
    *key = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status make_keys(jinja_run *run, const jinja_list *items, jinja_value path,
                            bool case_counts, jinja_value **keys)
{
    if (path.kind == JINJA_STR && path.text.length > 0 &&
        memchr(path.text.data, ',', path.text.length) != NULL)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "several attributes at once are not supported");
    *keys = cop_jinja_take_array(&run->arena, items->count, sizeof **keys, run->err);
    if (*keys == NULL) return COP_ERR_UNSUPPORTED;
    for (size_t i = 0; i < items->count; i++)
        COP_TRY(make_key(run, items->items[i], path, case_counts, &(*keys)[i]));
    return COP_OK;
}

static cop_status filter_sort(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    static const char *const names[] = {"reverse", "case_sensitive", "attribute"};
    static const jinja_arguments none = {0};
    jinja_value values[3];
    jinja_value *keys = NULL;
    COP_TRY(cop_jinja_bind(run, args, names, 3, 0, values));
    COP_TRY(filter_list(run, self, &none, out));
    COP_TRY(make_keys(run, out->list, values[2], cop_jinja_truth(values[1]), &keys));
    return cop_jinja_sort(run, out->list->items, keys, out->list->count,
                          cop_jinja_truth(values[0]));
}

static cop_status filter_dictsort(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                  jinja_value *out)
{
    static const char *const names[] = {"case_sensitive", "by", "reverse"};
    static const jinja_arguments none = {0};
    jinja_value values[3];
    jinja_value *keys = NULL;
    jinja_text by = {"key", 3};
    COP_TRY(cop_jinja_bind(run, args, names, 3, 0, values));
    if (is_given(values[1])) COP_TRY(cop_jinja_need_text(run, values[1], &by));
    if (self.kind != JINJA_DICT ||
        (!cop_jinja_text_is(by, "key") && !cop_jinja_text_is(by, "value")))
        return cop_jinja_fail(run, COP_ERR_FORMAT,
                              "the filter dictsort needs a mapping, by \"key\" or \"value\"");
    COP_TRY(filter_items(run, self, &none, out));
    out->list->sort = JINJA_SORT_LIST;
    COP_TRY(make_keys(run, out->list, cop_jinja_int(cop_jinja_text_is(by, "value")),
                      cop_jinja_truth(values[0]), &keys));
    return cop_jinja_sort(run, out->list->items, keys, out->list->count,
                          cop_jinja_truth(values[2]));
}

static cop_status filter_unique(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    static const char *const names[] = {"case_sensitive", "attribute"};
    jinja_value values[2];
    jinja_value *keys = NULL;
    jinja_list items;
    size_t kept = 0;
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    COP_TRY(cop_jinja_iterate(run, self, &items));
    COP_TRY(make_keys(run, &items, values[1], cop_jinja_truth(values[0]), &keys));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_ITERATOR, items.count, out));
    for (size_t i = 0; i < items.count; i++) {
        bool seen = false;
        assert(keys != NULL);
        for (size_t k = 0; k < kept && !seen; k++)
            COP_TRY(cop_jinja_equal(run, keys[k], keys[i], &seen));
        if (seen) continue;
        keys[kept] = keys[i];
        out->list->items[kept++] = items.items[i];
    }
    out->list->count = kept;
    return COP_OK;
}

static cop_status extreme(jinja_run *run, jinja_value self, const jinja_arguments *args,
                          int wanted, jinja_value *out)
{
    static const char *const names[] = {"case_sensitive", "attribute"};
    jinja_value values[2];
    jinja_value *keys = NULL;
    jinja_list items;
    size_t best = 0;
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    COP_TRY(cop_jinja_iterate(run, self, &items));
    COP_TRY(make_keys(run, &items, values[1], cop_jinja_truth(values[0]), &keys));
    for (size_t i = 1; i < items.count; i++) {
        int order = 0;
        assert(keys != NULL);
        COP_TRY(cop_jinja_order(run, keys[i], keys[best], &order));
        if (order * wanted > 0) best = i;
    }
    *out = items.count > 0 ? items.items[best]
                           : cop_jinja_undefined((jinja_text){"the aggregated item", 19});
    return COP_OK;
}

static cop_status filter_min(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    return extreme(run, self, args, -1, out);
}

static cop_status filter_max(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    return extreme(run, self, args, 1, out);
}

static cop_status filter_sum(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    static const char *const names[] = {"attribute", "start"};
    jinja_value values[2];
    jinja_list items;
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    COP_TRY(cop_jinja_iterate(run, self, &items));
    *out = is_given(values[1]) ? values[1] : cop_jinja_int(0);
    for (size_t i = 0; i < items.count; i++) {
        jinja_value item;
        COP_TRY(cop_jinja_get_path(run, items.items[i], values[0], &item));
        COP_TRY(cop_jinja_binary(run, JINJA_ADD, *out, item, out));
    }
    return COP_OK;
}

/* --- map, select and their like --- */

/* The arguments but for the first `count`. */
static jinja_arguments behind(const jinja_arguments *args, size_t count)
{
    jinja_arguments rest = *args;
    rest.items += count;
    rest.count -= count;
    return rest;
}

static cop_status map_attribute(jinja_run *run, const jinja_list *items,
                                const jinja_arguments *args, jinja_value *out)
{
    static const char *const names[] = {"attribute", "default"};
    jinja_value values[2];
    COP_TRY(cop_jinja_bind(run, args, names, 2, 1, values));
    for (size_t i = 0; i < items->count; i++) {
        jinja_value *const item = &out->list->items[i];
        COP_TRY(cop_jinja_get_path(run, items->items[i], values[0], item));
        if (item->kind == JINJA_UNDEFINED && is_given(values[1]) && values[1].kind != JINJA_NIL)
            *item = values[1];
    }
    return COP_OK;
}

static cop_status filter_map(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    jinja_list items = {0};
    jinja_text name;
    if (cop_jinja_truth(self)) COP_TRY(cop_jinja_iterate(run, self, &items));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_ITERATOR, items.count, out));
    if (args->count == 0) return map_attribute(run, &items, args, out);
    COP_TRY(cop_jinja_need_text(run, args->items[0], &name));
    const jinja_arguments rest = behind(args, 1);
    for (size_t i = 0; i < items.count; i++)
        COP_TRY(cop_jinja_filter(run, name, items.items[i], &rest, &out->list->items[i]));
    return COP_OK;
}

static cop_status choose(jinja_run *run, jinja_value self, const jinja_arguments *args,
                         bool attribute, bool wanted, jinja_value *out)
{
    jinja_list items = {0};
    size_t kept = 0;
    const size_t used = attribute ? 1 : 0;
    if (args->count < used)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "the filter needs the name of an attribute");
    if (cop_jinja_truth(self)) COP_TRY(cop_jinja_iterate(run, self, &items));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_ITERATOR, items.count, out));
    for (size_t i = 0; i < items.count; i++) {
        jinja_value value = items.items[i];
        jinja_text name;
        if (attribute) COP_TRY(cop_jinja_get_path(run, value, args->items[0], &value));
        bool holds = cop_jinja_truth(value);
        if (args->count > used) {
            const jinja_arguments rest = behind(args, used + 1);
            COP_TRY(cop_jinja_need_text(run, args->items[used], &name));
            COP_TRY(cop_jinja_test(run, name, value, &rest, &holds));
        }
        if (holds == wanted) out->list->items[kept++] = items.items[i];
    }
    out->list->count = kept;
    return COP_OK;
}

static cop_status filter_select(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    return choose(run, self, args, false, true, out);
}

static cop_status filter_reject(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    return choose(run, self, args, false, false, out);
}

static cop_status filter_selectattr(jinja_run *run, jinja_value self,
                                    const jinja_arguments *args, jinja_value *out)
{
    return choose(run, self, args, true, true, out);
}

static cop_status filter_rejectattr(jinja_run *run, jinja_value self,
                                    const jinja_arguments *args, jinja_value *out)
{
    return choose(run, self, args, true, false, out);
}

const jinja_named_builtin cop_jinja_sequence_filters[] = {
    {"length", filter_length},
    {"count", filter_length},
    {"list", filter_list},
    {"first", filter_first},
    {"last", filter_last},
    {"join", filter_join},
    {"items", filter_items},
    {"reverse", filter_reverse},
    {"sort", filter_sort},
    {"dictsort", filter_dictsort},
    {"unique", filter_unique},
    {"min", filter_min},
    {"max", filter_max},
    {"sum", filter_sum},
    {"map", filter_map},
    {"select", filter_select},
    {"reject", filter_reject},
    {"selectattr", filter_selectattr},
    {"rejectattr", filter_rejectattr},
};

const size_t cop_jinja_sequence_filter_count =
    sizeof cop_jinja_sequence_filters / sizeof *cop_jinja_sequence_filters;
