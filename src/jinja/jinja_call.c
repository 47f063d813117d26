/* Calls: arguments, builtins by name, variables. */
#include "jinja/jinja_eval.h"

#include <string.h>

typedef struct jinja_variable {
    jinja_text name;
    jinja_value value;
    struct jinja_variable *next;
} jinja_variable;

static bool same_text(jinja_text a, jinja_text b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* --- variables --- */

cop_status cop_jinja_push_scope(jinja_run *run, jinja_scope *outer)
{
    jinja_scope *const scope = cop_jinja_take(&run->arena, sizeof *scope, run->err);
    if (scope == NULL) return COP_ERR_UNSUPPORTED;
    scope->outer = outer;
    run->scope = scope;
    return COP_OK;
}

static jinja_variable *find(const jinja_scope *scope, jinja_text name)
{
    jinja_variable *variable = scope->first;
    while (variable != NULL && !same_text(variable->name, name))
        variable = variable->next;
    return variable;
}

const jinja_value *cop_jinja_lookup(const jinja_run *run, jinja_text name)
{
    for (const jinja_scope *scope = run->scope; scope != NULL; scope = scope->outer) {
        const jinja_variable *const variable = find(scope, name);
        if (variable != NULL) return &variable->value;
    }
    return NULL;
}

cop_status cop_jinja_assign(jinja_run *run, jinja_text name, jinja_value value)
{
    jinja_variable *variable = find(run->scope, name);
    COP_TRY(cop_jinja_spend(run, 1));
    if (variable == NULL) {
        variable = cop_jinja_take(&run->arena, sizeof *variable, run->err);
        if (variable == NULL) return COP_ERR_UNSUPPORTED;
        variable->name = name;
        variable->next = run->scope->first;
        run->scope->first = variable;
    }
    variable->value = value;
    return COP_OK;
}

/* --- arguments --- */

/* How many arguments a call may have: those written, and the items of those with stars. */
static cop_status count_arguments(jinja_run *run, const jinja_node *args, jinja_value *stars,
                                  jinja_arguments *room)
{
    size_t star = 0;
    for (const jinja_node *arg = args; arg != NULL; arg = arg->next) {
        if (arg->kind != JINJA_NODE_STAR && arg->kind != JINJA_NODE_STAR_STAR) {
            room->count += arg->kind != JINJA_NODE_KEYWORD;
            room->named += arg->kind == JINJA_NODE_KEYWORD;
            continue;
        }
        jinja_value *const value = &stars[star++];
        jinja_list items;
        COP_TRY(cop_jinja_evaluate(run, arg->a, value));
        if (arg->kind == JINJA_NODE_STAR_STAR) {
            if (value->kind != JINJA_DICT)
                return cop_jinja_fail(run, COP_ERR_FORMAT, "** needs a mapping, not %s",
                                      cop_jinja_type_name(*value));
            room->named += value->dict->count;
            continue;
        }
        COP_TRY(cop_jinja_iterate(run, *value, &items));
        COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, items.count, value));
        if (items.count > 0)
            memcpy(value->list->items, items.items, items.count * sizeof *items.items);
        room->count += items.count;
    }
    return COP_OK;
}

static cop_status add_star(const jinja_run *run, jinja_value value, jinja_arguments *out)
{
    if (value.kind == JINJA_LIST) {
        for (size_t i = 0; i < value.list->count; i++)
            out->items[out->count++] = value.list->items[i];
        return COP_OK;
    }
    for (size_t i = 0; i < value.dict->count; i++) {
        if (value.dict->keys[i].kind != JINJA_STR)
            return cop_jinja_fail(run, COP_ERR_FORMAT, "** needs keys that are strings");
        out->names[out->named] = value.dict->keys[i].text;
        out->named_items[out->named++] = value.dict->values[i];
    }
    return COP_OK;
}

cop_status cop_jinja_evaluate_arguments(jinja_run *run, const jinja_node *args,
                                        jinja_arguments *out)
{
    jinja_value stars[2] = {{0}, {0}}; /* the parser lets pass one of each */
    jinja_arguments room = {0};
    size_t star = 0;
    *out = (jinja_arguments){0};
    if (args == NULL) return COP_OK;
    COP_TRY(count_arguments(run, args, stars, &room));
    out->items = cop_jinja_take_array(&run->arena, room.count, sizeof *out->items, run->err);
    out->names = cop_jinja_take_array(&run->arena, room.named, sizeof *out->names, run->err);
    out->named_items =
        cop_jinja_take_array(&run->arena, room.named, sizeof *out->named_items, run->err);
    if (out->items == NULL || out->names == NULL || out->named_items == NULL)
        return COP_ERR_UNSUPPORTED;
    for (const jinja_node *arg = args; arg != NULL; arg = arg->next) {
        if (arg->kind == JINJA_NODE_STAR || arg->kind == JINJA_NODE_STAR_STAR) {
            COP_TRY(add_star(run, stars[star++], out));
        } else if (arg->kind == JINJA_NODE_KEYWORD) {
            out->names[out->named] = arg->text;
            COP_TRY(cop_jinja_evaluate(run, arg->a, &out->named_items[out->named++]));
        } else {
            COP_TRY(cop_jinja_evaluate(run, arg, &out->items[out->count++]));
        }
    }
    return COP_OK;
}

cop_status cop_jinja_bind(const jinja_run *run, const jinja_arguments *args,
                          const char *const *names, size_t count, size_t least,
                          jinja_value *values)
{
    if (args->count > count)
        return cop_jinja_fail(run, COP_ERR_FORMAT,
                              "%zu arguments are given, at most %zu are "
                              "taken",
                              args->count, count);
    for (size_t i = 0; i < count; i++)
        values[i] = i < args->count ? args->items[i] : (jinja_value){.kind = JINJA_MISSING};
    for (size_t n = 0; n < args->named; n++) {
        size_t place = 0;
        while (place < count && !cop_jinja_text_is(args->names[n], names[place]))
            place++;
        if (place == count || values[place].kind != JINJA_MISSING)
            return cop_jinja_fail(run, COP_ERR_FORMAT,
                                  "the argument \"%.*s\" is not known, or given twice",
                                  cop_jinja_shown(args->names[n]), args->names[n].data);
        values[place] = args->named_items[n];
    }
    for (size_t i = 0; i < least; i++) {
        if (values[i].kind == JINJA_MISSING)
            return cop_jinja_fail(run, COP_ERR_FORMAT, "the argument \"%s\" is missing",
                                  names[i]);
    }
    return COP_OK;
}

cop_status cop_jinja_take_int(const jinja_run *run, jinja_value value, int64_t otherwise,
                              int64_t *out)
{
    *out = otherwise;
    if (value.kind == JINJA_MISSING || value.kind == JINJA_NIL) return COP_OK;
    if (!cop_jinja_is_integral(value))
        return cop_jinja_fail(run, COP_ERR_FORMAT, "an integer is needed, not %s",
                              cop_jinja_type_name(value));
    *out = value.integer;
    return COP_OK;
}

cop_status cop_jinja_need_text(const jinja_run *run, jinja_value value, jinja_text *text)
{
    if (value.kind != JINJA_STR)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "a string is needed, not %s",
                              cop_jinja_type_name(value));
    *text = value.text;
    return COP_OK;
}

/* --- calling --- */

jinja_builtin cop_jinja_find_builtin(const jinja_named_builtin *table, size_t count,
                                     jinja_text name)
{
    for (size_t i = 0; i < count; i++) {
        if (cop_jinja_text_is(name, table[i].name)) return table[i].call;
    }
    return NULL;
}

cop_status cop_jinja_filter(jinja_run *run, jinja_text name, jinja_value value,
                            const jinja_arguments *args, jinja_value *out)
{
    const jinja_builtin filter = cop_jinja_find_filter(name);
    if (filter == NULL)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED, "the filter \"%.*s\" is not supported",
                              cop_jinja_shown(name), name.data);
    return filter(run, value, args, out);
}

cop_status cop_jinja_test(jinja_run *run, jinja_text name, jinja_value value,
                          const jinja_arguments *args, bool *holds)
{
    const jinja_builtin test = cop_jinja_find_test(name);
    jinja_value result = cop_jinja_none();
    if (test == NULL)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED, "the test \"%.*s\" is not supported",
                              cop_jinja_shown(name), name.data);
    COP_TRY(test(run, value, args, &result));
    *holds = cop_jinja_truth(result);
    return COP_OK;
}

cop_status cop_jinja_call(jinja_run *run, jinja_value called, const jinja_arguments *args,
                          jinja_value *out)
{
    if (called.kind == JINJA_UNDEFINED)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "\"%.*s\" is called, which is not defined or not supported",
                              cop_jinja_shown(called.text), called.text.data);
    if (called.kind != JINJA_CALLABLE)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "%s cannot be called",
                              cop_jinja_type_name(called));
    const jinja_callable *const callable = called.callable;
    if (callable->builtin == NULL) return cop_jinja_call_macro(run, callable, args, out);
    return callable->builtin(run, callable->self, args, out);
}
