/* Loops: their items, and what {{ loop }} tells. */
#include "jinja/jinja_loop.h"

#include <string.h>

/* The next item that the loop's "if" lets pass; *found false at the end. */
static cop_status fetch(jinja_run *run, jinja_loop *loop, bool *found, jinja_value *item)
{
    *found = false;
    while (!*found && loop->at < loop->source.count) {
        *item = loop->source.items[loop->at++];
        *found = true;
        if (loop->node->c == NULL || loop->measured) break;
        jinja_scope *const outside = run->scope;
        jinja_value value;
        COP_TRY(cop_jinja_push_scope(run, loop->outside));
        COP_TRY(run->evaluator->assign(run, loop->node->a, *item));
        COP_TRY(run->evaluator->evaluate(run, loop->node->c, &value));
        run->scope = outside;
        *found = cop_jinja_truth(value);
    }
    return COP_OK;
}

static cop_status peek(jinja_run *run, jinja_loop *loop)
{
    if (loop->peeked) return COP_OK;
    COP_TRY(fetch(run, loop, &loop->has_after, &loop->after));
    loop->peeked = true;
    return COP_OK;
}

cop_status cop_jinja_loop_next(jinja_run *run, jinja_loop *loop, bool *found)
{
    jinja_value item;
    if (loop->peeked) {
        *found = loop->has_after;
        item = loop->after;
        loop->peeked = false;
    } else {
        COP_TRY(fetch(run, loop, found, &item));
    }
    if (!*found) return COP_OK;
    loop->index++;
    loop->before = loop->current;
    loop->current = item;
    return COP_OK;
}

/* The number of all items; where there is an "if", those to come are asked about now. */
static cop_status measure(jinja_run *run, jinja_loop *loop, int64_t *length)
{
    if (loop->node->c == NULL) {
        *length = (int64_t)loop->source.count;
        return COP_OK;
    }
    if (!loop->measured) {
        jinja_value rest;
        COP_TRY(peek(run, loop));
        COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, loop->source.count - loop->at, &rest));
        size_t count = 0;
        for (;;) {
            bool found = false;
            jinja_value item;
            COP_TRY(fetch(run, loop, &found, &item));
            if (!found) break;
            rest.list->items[count++] = item;
        }
        loop->length = loop->index + 1 + (loop->has_after ? 1 : 0) + (int64_t)count;
        loop->measured = true;
        loop->source = (jinja_list){.items = rest.list->items, .count = count};
        loop->at = 0;
    }
    *length = loop->length;
    return COP_OK;
}

static cop_status loop_cycle(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    if (args->count == 0)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "loop.cycle() of no items");
    *out = args->items[(size_t)self.loop->index % args->count];
    return COP_OK;
}

static cop_status loop_changed(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    jinja_loop *const loop = self.loop;
    jinja_value values;
    bool equal = false;
    COP_TRY(cop_jinja_list(run, JINJA_SORT_TUPLE, args->count, &values));
    for (size_t i = 0; i < args->count; i++)
        values.list->items[i] = args->items[i];
    if (loop->changed.kind != JINJA_MISSING)
        COP_TRY(cop_jinja_equal(run, loop->changed, values, &equal));
    loop->changed = values;
    *out = cop_jinja_boolean(!equal);
    return COP_OK;
}

static cop_status make_method(jinja_run *run, jinja_loop *loop, jinja_builtin builtin,
                              jinja_value *out)
{
    jinja_callable *const made = cop_jinja_take(&run->arena, sizeof *made, run->err);
    if (made == NULL) return COP_ERR_UNSUPPORTED;
    *made = (jinja_callable){.builtin = builtin, .self = {.kind = JINJA_LOOP, .loop = loop}};
    *out = (jinja_value){.kind = JINJA_CALLABLE, .callable = made};
    return COP_OK;
}

/* What needs the items to come. */
static cop_status get_ahead(jinja_run *run, jinja_loop *loop, jinja_text name, jinja_value *out)
{
    int64_t length = 0;
    if (cop_jinja_text_is(name, "last") || cop_jinja_text_is(name, "nextitem")) {
        COP_TRY(peek(run, loop));
        if (cop_jinja_text_is(name, "last")) {
            *out = cop_jinja_boolean(!loop->has_after);
        } else if (loop->has_after) {
            *out = loop->after;
        }
        return COP_OK;
    }
    COP_TRY(measure(run, loop, &length));
    if (cop_jinja_text_is(name, "length")) *out = cop_jinja_int(length);
    if (cop_jinja_text_is(name, "revindex")) *out = cop_jinja_int(length - loop->index);
    if (cop_jinja_text_is(name, "revindex0")) *out = cop_jinja_int(length - loop->index - 1);
    return COP_OK;
}

cop_status cop_jinja_loop_get(jinja_run *run, jinja_loop *loop, jinja_text name,
                              jinja_value *out)
{
    static const char *const ahead[] = {"last", "nextitem", "length", "revindex", "revindex0"};
    *out = cop_jinja_undefined(name);
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        if (cop_jinja_text_is(name, ahead[i])) return get_ahead(run, loop, name, out);
    }
    if (cop_jinja_text_is(name, "index")) *out = cop_jinja_int(loop->index + 1);
    if (cop_jinja_text_is(name, "index0")) *out = cop_jinja_int(loop->index);
    if (cop_jinja_text_is(name, "first")) *out = cop_jinja_boolean(loop->index == 0);
    if (cop_jinja_text_is(name, "depth")) *out = cop_jinja_int(1);
    if (cop_jinja_text_is(name, "depth0")) *out = cop_jinja_int(0);
    if (cop_jinja_text_is(name, "previtem") && loop->index > 0) *out = loop->before;
    if (cop_jinja_text_is(name, "cycle")) return make_method(run, loop, loop_cycle, out);
    if (cop_jinja_text_is(name, "changed")) return make_method(run, loop, loop_changed, out);
    return COP_OK;
}
