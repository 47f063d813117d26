/* Methods of strings, lists and mappings. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_eval.h"

#include <string.h>

/* --- strings --- */

static cop_status strip_ends(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             bool left, bool right, jinja_value *out)
{
    static const char *const names[] = {"chars"};
    jinja_value set;
    jinja_text characters = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 1, 0, &set));
    const bool given = set.kind != JINJA_MISSING && set.kind != JINJA_NIL;
    if (given) COP_TRY(cop_jinja_need_text(run, set, &characters));
    COP_TRY(cop_jinja_spend(run, self.text.length / 64));
    const jinja_text text = cop_jinja_strip(self.text, given ? &characters : NULL, left, right);
    *out = cop_jinja_str(text.data, text.length);
    return COP_OK;
}

static cop_status str_strip(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return strip_ends(run, self, args, true, true, out);
}

static cop_status str_lstrip(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    return strip_ends(run, self, args, true, false, out);
}

static cop_status str_rstrip(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    return strip_ends(run, self, args, false, true, out);
}

static cop_status split_text(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             bool right, jinja_value *out)
{
    static const char *const names[] = {"sep", "maxsplit"};
    jinja_value values[2];
    jinja_text separator = {0};
    int64_t most = -1;
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    const bool given = values[0].kind != JINJA_MISSING && values[0].kind != JINJA_NIL;
    if (given) COP_TRY(cop_jinja_need_text(run, values[0], &separator));
    COP_TRY(cop_jinja_take_int(run, values[1], -1, &most));
    return cop_jinja_split(run, self.text, given ? &separator : NULL, most < 0 ? -1 : most,
                           right, out);
}

static cop_status str_split(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return split_text(run, self, args, false, out);
}

static cop_status str_rsplit(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    return split_text(run, self, args, true, out);
}

static cop_status str_splitlines(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    static const char *const names[] = {"keepends"};
    jinja_value keep;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 0, &keep));
    return cop_jinja_split_lines(run, self.text, cop_jinja_truth(keep), out);
}

static cop_status partition(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            bool last, jinja_value *out)
{
    static const char *const names[] = {"sep"};
    jinja_value value;
    jinja_text separator;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &value));
    COP_TRY(cop_jinja_need_text(run, value, &separator));
    if (separator.length == 0)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "partition() at an empty separator");
    COP_TRY(cop_jinja_spend(run, self.text.length / 16));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_TUPLE, 3, out));
    jinja_value *const items = out->list->items;
    const size_t found = cop_jinja_find(self.text, separator, 0, last);
    for (size_t i = 0; i < 3; i++)
        items[i] = cop_jinja_word("");
    if (found > self.text.length) {
        items[last ? 2 : 0] = self;
        return COP_OK;
    }
    const size_t behind = found + separator.length;
    items[0] = cop_jinja_str(self.text.data, found);
    items[1] = value;
    items[2] = cop_jinja_str(self.text.data + behind, self.text.length - behind);
    return COP_OK;
}

static cop_status str_partition(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    return partition(run, self, args, false, out);
}

static cop_status str_rpartition(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    return partition(run, self, args, true, out);
}

/* The part of self that start and end (in characters) leave. */
static cop_status narrow(jinja_run *run, jinja_text self, jinja_value start, jinja_value end,
                         jinja_text *part)
{
    const jinja_value parts[3] = {start.kind == JINJA_MISSING ? cop_jinja_none() : start,
                                  end.kind == JINJA_MISSING ? cop_jinja_none() : end,
                                  cop_jinja_none()};
    jinja_value sliced;
    COP_TRY(cop_jinja_slice(run, cop_jinja_str(self.data, self.length), parts, &sliced));
    *part = sliced.text;
    return COP_OK;
}

static bool begins(jinja_text text, jinja_text part, bool at_end)
{
    return part.length <= text.length &&
           memcmp(text.data + (at_end ? text.length - part.length : 0), part.data,
                  part.length) == 0;
}

static cop_status begins_with(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              bool at_end, jinja_value *out)
{
    static const char *const names[] = {"prefix", "start", "end"};
    jinja_value values[3];
    jinja_text text;
    COP_TRY(cop_jinja_bind(run, args, names, 3, 1, values));
    COP_TRY(narrow(run, self.text, values[1], values[2], &text));
    const jinja_value *parts = &values[0];
    size_t count = 1;
    if (cop_jinja_is_tuple(values[0])) {
        parts = values[0].list->items;
        count = values[0].list->count;
    }
    *out = cop_jinja_boolean(false);
    for (size_t i = 0; i < count; i++) {
        jinja_text part;
        COP_TRY(cop_jinja_need_text(run, parts[i], &part));
        if (begins(text, part, at_end)) *out = cop_jinja_boolean(true);
    }
    return COP_OK;
}

static cop_status str_startswith(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    return begins_with(run, self, args, false, out);
}

static cop_status str_endswith(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    return begins_with(run, self, args, true, out);
}

static cop_status remove_part(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              bool at_end, jinja_value *out)
{
    static const char *const names[] = {"prefix"};
    jinja_value value;
    jinja_text part;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &value));
    COP_TRY(cop_jinja_need_text(run, value, &part));
    *out = self;
    if (!begins(self.text, part, at_end)) return COP_OK;
    *out = cop_jinja_str(self.text.data + (at_end ? 0 : part.length),
                         self.text.length - part.length);
    return COP_OK;
}

static cop_status str_removeprefix(jinja_run *run, jinja_value self,
                                   const jinja_arguments *args, jinja_value *out)
{
    return remove_part(run, self, args, false, out);
}

static cop_status str_removesuffix(jinja_run *run, jinja_value self,
                                   const jinja_arguments *args, jinja_value *out)
{
    return remove_part(run, self, args, true, out);
}

static cop_status find_text(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            bool last, bool must, jinja_value *out)
{
    static const char *const names[] = {"sub", "start", "end"};
    jinja_value values[3];
    jinja_text text;
    jinja_text part;
    COP_TRY(cop_jinja_bind(run, args, names, 3, 1, values));
    COP_TRY(cop_jinja_need_text(run, values[0], &part));
    COP_TRY(narrow(run, self.text, values[1], values[2], &text));
    COP_TRY(cop_jinja_spend(run, text.length / 16));
    const size_t found = cop_jinja_find(text, part, 0, last);
    if (found > text.length && must)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "index(): \"%.*s\" is not there",
                              cop_jinja_shown(part), part.data);
    const size_t before = (size_t)(text.data - self.text.data);
    const jinja_text front = {self.text.data, before + found};
    *out = cop_jinja_int(found > text.length ? -1 : (int64_t)cop_jinja_count(front));
    return COP_OK;
}

static cop_status str_find(jinja_run *run, jinja_value self, const jinja_arguments *args,
                           jinja_value *out)
{
    return find_text(run, self, args, false, false, out);
}

static cop_status str_rfind(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return find_text(run, self, args, true, false, out);
}

static cop_status str_index(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return find_text(run, self, args, false, true, out);
}

static cop_status str_rindex(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    return find_text(run, self, args, true, true, out);
}

static cop_status str_count(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    static const char *const names[] = {"sub"};
    jinja_value value;
    jinja_text part;
    int64_t count = 0;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &value));
    COP_TRY(cop_jinja_need_text(run, value, &part));
    COP_TRY(cop_jinja_spend(run, self.text.length / 16));
    if (part.length == 0) {
        count = (int64_t)cop_jinja_count(self.text) + 1;
    } else {
        for (size_t at = 0;
             (at = cop_jinja_find(self.text, part, at, false)) <= self.text.length;
             at += part.length)
            count++;
    }
    *out = cop_jinja_int(count);
    return COP_OK;
}

static cop_status str_replace(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    static const char *const names[] = {"old", "new", "count"};
    jinja_value values[3];
    jinja_text old;
    jinja_text new;
    int64_t most = -1;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 3, 2, values));
    COP_TRY(cop_jinja_need_text(run, values[0], &old));
    COP_TRY(cop_jinja_need_text(run, values[1], &new));
    COP_TRY(cop_jinja_take_int(run, values[2], -1, &most));
    COP_TRY(cop_jinja_put_replaced(run, &buffer, self.text, old, new, most < 0 ? -1 : most));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status str_join(jinja_run *run, jinja_value self, const jinja_arguments *args,
                           jinja_value *out)
{
    static const char *const names[] = {"iterable"};
    jinja_value value;
    jinja_list items;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &value));
    COP_TRY(cop_jinja_iterate(run, value, &items));
    for (size_t i = 0; i < items.count; i++) {
        jinja_text text;
        if (i > 0) COP_TRY(cop_jinja_put(run, &buffer, self.text.data, self.text.length));
        COP_TRY(cop_jinja_need_text(run, items.items[i], &text));
        COP_TRY(cop_jinja_put(run, &buffer, text.data, text.length));
    }
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status change_case(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_case wanted, jinja_value *out)
{
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_put_case(run, &buffer, self.text, wanted));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status str_upper(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return change_case(run, self, args, JINJA_UPPER, out);
}

static cop_status str_lower(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return change_case(run, self, args, JINJA_LOWER, out);
}

static cop_status str_title(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return change_case(run, self, args, JINJA_TITLE, out);
}

static cop_status str_capitalize(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    return change_case(run, self, args, JINJA_CAPITALIZE, out);
}

static bool is_alnum(uint32_t code)
{
    return cop_jinja_is_alpha(code) || cop_jinja_is_numeric(code);
}

/* True if there are characters, and all are of the class. */
static cop_status all_are(jinja_run *run, jinja_value self, const jinja_arguments *args,
                          bool (*is)(uint32_t code), jinja_value *out)
{
    uint32_t code = 0;
    bool all = self.text.length > 0;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    for (size_t i = 0; i < self.text.length && all;) {
        i += cop_unicode_decode(self.text.data + i, self.text.length - i, &code);
        all = is(code);
    }
    *out = cop_jinja_boolean(all);
    return COP_OK;
}

static cop_status str_isdigit(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    return all_are(run, self, args, cop_jinja_is_decimal, out);
}

static cop_status str_isalpha(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    return all_are(run, self, args, cop_jinja_is_alpha, out);
}

static cop_status str_isalnum(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    return all_are(run, self, args, is_alnum, out);
}

static cop_status str_isspace(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    return all_are(run, self, args, cop_jinja_is_space, out);
}

static cop_status str_isupper(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    *out = cop_jinja_boolean(cop_jinja_is_upper(self.text));
    return COP_OK;
}

static cop_status str_islower(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    *out = cop_jinja_boolean(cop_jinja_is_lower(self.text));
    return COP_OK;
}

static cop_status str_format(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_put_braces(run, &buffer, self.text, args));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static const jinja_named_builtin str_methods[] = {
    {"strip", str_strip},
    {"lstrip", str_lstrip},
    {"rstrip", str_rstrip},
    {"split", str_split},
    {"rsplit", str_rsplit},
    {"splitlines", str_splitlines},
    {"partition", str_partition},
    {"rpartition", str_rpartition},
    {"startswith", str_startswith},
    {"endswith", str_endswith},
    {"removeprefix", str_removeprefix},
    {"removesuffix", str_removesuffix},
    {"find", str_find},
    {"rfind", str_rfind},
    {"index", str_index},
    {"rindex", str_rindex},
    {"count", str_count},
    {"replace", str_replace},
    {"join", str_join},
    {"upper", str_upper},
    {"lower", str_lower},
    {"title", str_title},
    {"capitalize", str_capitalize},
    {"isdigit", str_isdigit},
    {"isdecimal", str_isdigit},
    {"isalpha", str_isalpha},
    {"isalnum", str_isalnum},
    {"isspace", str_isspace},
    {"isupper", str_isupper},
    {"islower", str_islower},
    {"format", str_format},
};

/* --- lists --- */

static cop_status list_count(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    static const char *const names[] = {"value"};
    jinja_value value;
    int64_t count = 0;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &value));
    for (size_t i = 0; i < self.list->count; i++) {
        bool equal = false;
        COP_TRY(cop_jinja_equal(run, self.list->items[i], value, &equal));
        count += equal;
    }
    *out = cop_jinja_int(count);
    return COP_OK;
}

static cop_status list_index(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    static const char *const names[] = {"value"};
    jinja_value value;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &value));
    for (size_t i = 0; i < self.list->count; i++) {
        bool equal = false;
        COP_TRY(cop_jinja_equal(run, self.list->items[i], value, &equal));
        if (!equal) continue;
        *out = cop_jinja_int((int64_t)i);
        return COP_OK;
    }
    return cop_jinja_fail(run, COP_ERR_FORMAT, "index(): the value is not in the list");
}

static cop_status copy_self(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    *out = self; /* nothing can change what it is a copy of */
    return COP_OK;
}

static const jinja_named_builtin list_methods[] = {
    {"count", list_count}, {"index", list_index}, {"copy", copy_self}};

/* --- mappings --- */

static cop_status dict_get(jinja_run *run, jinja_value self, const jinja_arguments *args,
                           jinja_value *out)
{
    static const char *const names[] = {"key", "default"};
    jinja_value values[2];
    COP_TRY(cop_jinja_bind(run, args, names, 2, 1, values));
    const jinja_value *const found = cop_jinja_dict_find(self.dict, values[0]);
    *out = found != NULL                     ? *found
           : values[1].kind == JINJA_MISSING ? cop_jinja_none()
                                             : values[1];
    return COP_OK;
}

static cop_status make_view(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            const jinja_value *items, jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_VIEW, self.dict->count, out));
    for (size_t i = 0; i < self.dict->count; i++)
        out->list->items[i] = items[i];
    return COP_OK;
}

static cop_status dict_keys(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    return make_view(run, self, args, self.dict->keys, out);
}

static cop_status dict_values(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    return make_view(run, self, args, self.dict->values, out);
}

static cop_status dict_items(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    COP_TRY(make_view(run, self, args, self.dict->keys, out));
    for (size_t i = 0; i < self.dict->count; i++) {
        jinja_value *const pair = &out->list->items[i];
        COP_TRY(cop_jinja_list(run, JINJA_SORT_TUPLE, 2, pair));
        pair->list->items[0] = self.dict->keys[i];
        pair->list->items[1] = self.dict->values[i];
    }
    return COP_OK;
}

static const jinja_named_builtin dict_methods[] = {{"get", dict_get},
                                                   {"keys", dict_keys},
                                                   {"values", dict_values},
                                                   {"items", dict_items},
                                                   {"copy", copy_self}};

/* --- */

/* What the sandbox refuses, because it would change the object. */
static bool is_mutator(jinja_value object, jinja_text name)
{
    static const char *const of_lists[] = {"append", "extend",  "insert", "pop",
                                           "remove", "reverse", "sort",   "clear"};
    static const char *const of_dicts[] = {"clear", "pop", "popitem", "setdefault", "update"};
    const bool dict = object.kind == JINJA_DICT;
    const bool list = object.kind == JINJA_LIST && object.list->sort == JINJA_SORT_LIST;
    const size_t count =
        dict ? sizeof of_dicts / sizeof *of_dicts : sizeof of_lists / sizeof *of_lists;
    for (size_t i = 0; (dict || list) && i < count; i++) {
        if (cop_jinja_text_is(name, dict ? of_dicts[i] : of_lists[i])) return true;
    }
    return false;
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

cop_status cop_jinja_find_method(jinja_run *run, jinja_value object, jinja_text name,
                                 bool *found, jinja_value *out)
{
    jinja_builtin builtin = NULL;
    *found = is_mutator(object, name);
    if (*found) { /* undefined, so that a call of it fails by name */
        *out = cop_jinja_undefined(name);
        return COP_OK;
    }
    if (object.kind == JINJA_STR)
        builtin = cop_jinja_find_builtin(str_methods, COUNT(str_methods), name);
    if (object.kind == JINJA_LIST && object.list->sort <= JINJA_SORT_RANGE)
        builtin = cop_jinja_find_builtin(list_methods, COUNT(list_methods), name);
    if (object.kind == JINJA_DICT)
        builtin = cop_jinja_find_builtin(dict_methods, COUNT(dict_methods), name);
    *found = builtin != NULL;
    if (builtin == NULL) return COP_OK;
    jinja_callable *const method = cop_jinja_take(&run->arena, sizeof *method, run->err);
    if (method == NULL) return COP_ERR_UNSUPPORTED;
    *method = (jinja_callable){.builtin = builtin, .self = object};
    *out = (jinja_value){.kind = JINJA_CALLABLE, .callable = method};
    return COP_OK;
}
