/* Calls: arguments, filters and tests by name, macros. */
#include "jinja/jinja_eval.h"

#include <string.h>

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
        COP_TRY(run->evaluator->evaluate(run, arg->a, value));
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
            COP_TRY(run->evaluator->evaluate(run, arg->a, &out->named_items[out->named++]));
        } else {
            COP_TRY(run->evaluator->evaluate(run, arg, &out->items[out->count++]));
        }
    }
    return COP_OK;
}

/* --- calling --- */

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
    if (callable->builtin == NULL) return run->evaluator->call_macro(run, callable, args, out);
    return callable->builtin(run, callable->self, args, out);
}
