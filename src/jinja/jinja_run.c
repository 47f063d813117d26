/* Executing statements, and renderings as a whole. */
#include "jinja/jinja_loop.h"

#include <limits.h>
#include <string.h>

enum { MAX_RUN_BYTES = 256 << 20, MAX_STEPS = 40000000 };

/* --- assignments --- */

static cop_status assign_attribute(jinja_run *run, const jinja_node *target, jinja_value value)
{
    const jinja_value *const found = cop_jinja_lookup(run, target->a->text);
    const jinja_text name = target->text;
    if (found == NULL || found->kind != JINJA_NAMESPACE)
        return cop_jinja_fail(run, COP_ERR_FORMAT,
                              "an attribute of \"%.*s\" is set, which is no namespace",
                              cop_jinja_shown(target->a->text), target->a->text.data);
    return cop_jinja_dict_set(run, found->dict, cop_jinja_str(name.data, name.length), value);
}

static cop_status assign_target(jinja_run *run, const jinja_node *target, jinja_value value);

static cop_status unpack(jinja_run *run, const jinja_node *target, jinja_value value)
{
    jinja_list items;
    size_t place = 0;
    COP_TRY(cop_jinja_iterate(run, value, &items));
    for (const jinja_node *item = target->args; item != NULL; item = item->next) {
        if (place < items.count) COP_TRY(assign_target(run, item, items.items[place]));
        place++;
    }
    if (place != items.count)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "%zu values are given to %zu names",
                              items.count, place);
    return COP_OK;
}

static cop_status assign_target(jinja_run *run, const jinja_node *target, jinja_value value)
{
    if (target->kind == JINJA_NODE_NAME) return cop_jinja_assign(run, target->text, value);
    if (target->kind == JINJA_NODE_GETATTR) return assign_attribute(run, target, value);
    return unpack(run, target, value);
}

/* --- bodies with a text or a scope of their own --- */

/* Runs a body in a scope inside `outer`, its text into *text. */
static cop_status capture(jinja_run *run, const jinja_node *body, jinja_value *text)
{
    jinja_buffer *const outside = run->out;
    jinja_buffer *const buffer = cop_jinja_take(&run->arena, sizeof *buffer, run->err);
    if (buffer == NULL) return COP_ERR_UNSUPPORTED;
    run->out = buffer;
    COP_TRY(cop_jinja_execute(run, body));
    run->out = outside;
    *text = cop_jinja_buffer_str(buffer);
    return COP_OK;
}

static cop_status execute_scope(jinja_run *run, const jinja_node *body)
{
    jinja_scope *const outside = run->scope;
    COP_TRY(cop_jinja_push_scope(run, outside));
    COP_TRY(cop_jinja_execute(run, body));
    run->scope = outside;
    return COP_OK;
}

/* The text of a block through its filters. */
static cop_status execute_filtered(jinja_run *run, const jinja_node *node, jinja_value *text)
{
    jinja_scope *const outside = run->scope;
    COP_TRY(cop_jinja_push_scope(run, outside));
    COP_TRY(capture(run, node->body, text));
    COP_TRY(cop_jinja_apply_filters(run, node->b, *text, text));
    run->scope = outside;
    return COP_OK;
}

static cop_status execute_with(jinja_run *run, const jinja_node *node)
{
    jinja_scope *const outside = run->scope;
    COP_TRY(cop_jinja_push_scope(run, outside));
    jinja_scope *const inside = run->scope;
    for (const jinja_node *target = node->args; target != NULL; target = target->next->next) {
        jinja_value value;
        run->scope = outside;
        COP_TRY(cop_jinja_evaluate(run, target->next, &value));
        run->scope = inside;
        COP_TRY(assign_target(run, target, value));
    }
    COP_TRY(cop_jinja_execute(run, node->body));
    run->scope = outside;
    return COP_OK;
}

/* --- macros --- */

static cop_status make_macro(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    jinja_callable *const macro = cop_jinja_take(&run->arena, sizeof *macro, run->err);
    if (macro == NULL) return COP_ERR_UNSUPPORTED;
    *macro = (jinja_callable){.node = node, .scope = run->scope};
    *out = (jinja_value){.kind = JINJA_CALLABLE, .callable = macro};
    return COP_OK;
}

/* What was passed by name; NULL if nothing was. */
static const jinja_value *find_named(const jinja_arguments *args, jinja_text name, bool *taken)
{
    for (size_t i = 0; i < args->named; i++) {
        if (args->names[i].length != name.length ||
            memcmp(args->names[i].data, name.data, name.length) != 0)
            continue;
        taken[i] = true;
        return &args->named_items[i];
    }
    return NULL;
}

static cop_status bind_parameters(jinja_run *run, const jinja_node *node,
                                  const jinja_arguments *args, bool *taken, size_t *used)
{
    *used = 0;
    for (const jinja_node *name = node->args; name != NULL; name = name->next) {
        jinja_value value = cop_jinja_undefined(name->text);
        if (*used < args->count) {
            value = args->items[(*used)++];
        } else {
            const jinja_value *const named = find_named(args, name->text, taken);
            if (named != NULL) {
                value = *named;
            } else if (name->a != NULL) {
                COP_TRY(cop_jinja_evaluate(run, name->a, &value));
            }
        }
        COP_TRY(cop_jinja_assign(run, name->text, value));
    }
    return COP_OK;
}

/* What is left over: varargs, kwargs, caller. */
static cop_status bind_rest(jinja_run *run, const jinja_node *node, const jinja_arguments *args,
                            const bool *taken, size_t used)
{
    jinja_value list;
    jinja_value dict;
    COP_TRY(cop_jinja_list(run, JINJA_SORT_TUPLE, args->count - used, &list));
    for (size_t i = used; i < args->count; i++)
        list.list->items[i - used] = args->items[i];
    COP_TRY(cop_jinja_dict(run, JINJA_DICT, &dict));
    for (size_t i = 0; i < args->named; i++) {
        const jinja_text name = args->names[i];
        if (taken[i]) continue;
        if (cop_jinja_text_is(name, "caller")) {
            COP_TRY(cop_jinja_assign(run, name, args->named_items[i]));
        } else {
            COP_TRY(cop_jinja_dict_set(run, dict.dict, cop_jinja_str(name.data, name.length),
                                       args->named_items[i]));
        }
    }
    if ((list.list->count > 0 && (node->reads & JINJA_READS_VARARGS) == 0) ||
        (dict.dict->count > 0 && (node->reads & JINJA_READS_KWARGS) == 0))
        return cop_jinja_fail(run, COP_ERR_FORMAT,
                              "the macro %.*s is given arguments that it does not take",
                              cop_jinja_shown(node->text), node->text.data);
    if ((node->reads & JINJA_READS_VARARGS) != 0)
        COP_TRY(cop_jinja_assign(run, (jinja_text){"varargs", 7}, list));
    if ((node->reads & JINJA_READS_KWARGS) != 0)
        COP_TRY(cop_jinja_assign(run, (jinja_text){"kwargs", 6}, dict));
    return COP_OK;
}

static cop_status call_macro(jinja_run *run, const jinja_callable *macro,
                             const jinja_arguments *args, jinja_value *out)
{
    jinja_scope *const outside = run->scope;
    size_t used = 0;
    bool *const taken = cop_jinja_take_array(&run->arena, args->named, sizeof *taken, run->err);
    if (taken == NULL) return COP_ERR_UNSUPPORTED;
    COP_TRY(cop_jinja_push_scope(run, macro->scope));
    COP_TRY(bind_parameters(run, macro->node, args, taken, &used));
    COP_TRY(bind_rest(run, macro->node, args, taken, used));
    COP_TRY(capture(run, macro->node->body, out));
    run->scope = outside;
    return COP_OK;
}

/* {% call(a) f(b) %}: the body is f's caller(). */
static cop_status execute_call(jinja_run *run, const jinja_node *node)
{
    jinja_value called;
    jinja_value result;
    jinja_arguments args;
    COP_TRY(cop_jinja_evaluate(run, node->a->a, &called));
    COP_TRY(cop_jinja_evaluate_arguments(run, node->a->args, &args));
    jinja_arguments more = {.items = args.items, .count = args.count};
    more.names =
        cop_jinja_take_array(&run->arena, args.named + 1, sizeof *more.names, run->err);
    more.named_items =
        cop_jinja_take_array(&run->arena, args.named + 1, sizeof *more.named_items, run->err);
    if (more.names == NULL || more.named_items == NULL) return COP_ERR_UNSUPPORTED;
    for (; more.named < args.named; more.named++) {
        more.names[more.named] = args.names[more.named];
        more.named_items[more.named] = args.named_items[more.named];
    }
    more.names[more.named] = (jinja_text){"caller", 6};
    COP_TRY(make_macro(run, node, &more.named_items[more.named++]));
    run->line = node->line;
    COP_TRY(cop_jinja_call(run, called, &more, &result));
    return cop_jinja_put_str(run, run->out, result);
}

/* --- loops and conditions --- */

static cop_status execute_turns(jinja_run *run, const jinja_node *node, jinja_loop *loop)
{
    const jinja_value told = {.kind = JINJA_LOOP, .loop = loop};
    bool found = false;
    for (;;) {
        COP_TRY(cop_jinja_loop_next(run, loop, &found));
        if (!found) return COP_OK;
        COP_TRY(cop_jinja_push_scope(run, loop->outside));
        COP_TRY(assign_target(run, node->a, loop->current));
        COP_TRY(cop_jinja_assign(run, (jinja_text){"loop", 4}, told));
        COP_TRY(cop_jinja_execute(run, node->body));
        const bool leave = run->flow == JINJA_FLOW_BREAK;
        loop->completed = loop->completed || run->flow == JINJA_FLOW_ON;
        run->flow = JINJA_FLOW_ON;
        run->scope = loop->outside;
        if (leave) return COP_OK;
    }
}

static cop_status execute_for(jinja_run *run, const jinja_node *node)
{
    jinja_value source;
    jinja_loop *const loop = cop_jinja_take(&run->arena, sizeof *loop, run->err);
    if (loop == NULL) return COP_ERR_UNSUPPORTED;
    COP_TRY(cop_jinja_evaluate(run, node->b, &source));
    *loop = (jinja_loop){.node = node, .outside = run->scope, .index = -1};
    COP_TRY(cop_jinja_iterate(run, source, &loop->source));
    COP_TRY(execute_turns(run, node, loop));
    /* jinja2 takes a loop for empty if all its turns were cut short. */
    return loop->completed ? COP_OK : execute_scope(run, node->otherwise);
}

static cop_status execute_if(jinja_run *run, const jinja_node *node)
{
    for (;;) {
        jinja_value condition;
        COP_TRY(cop_jinja_evaluate(run, node->a, &condition));
        if (cop_jinja_truth(condition)) return cop_jinja_execute(run, node->body);
        if (node->otherwise == NULL || node->otherwise->kind != JINJA_NODE_IF ||
            node->otherwise->next != NULL)
            return cop_jinja_execute(run, node->otherwise);
        node = node->otherwise;
    }
}

/* --- statements --- */

static cop_status execute_set(jinja_run *run, const jinja_node *node)
{
    jinja_value value;
    COP_TRY(node->kind == JINJA_NODE_SET ? cop_jinja_evaluate(run, node->b, &value)
                                         : execute_filtered(run, node, &value));
    run->line = node->line;
    return assign_target(run, node->a, value);
}

static cop_status execute(jinja_run *run, const jinja_node *node)
{
    jinja_value value;
    switch (node->kind) {
    case JINJA_NODE_DATA:
        return cop_jinja_put(run, run->out, node->text.data, node->text.length);
    case JINJA_NODE_OUTPUT:
        COP_TRY(cop_jinja_evaluate(run, node->a, &value));
        return cop_jinja_put_str(run, run->out, value);
    case JINJA_NODE_IF:
        return execute_if(run, node);
    case JINJA_NODE_FOR:
        return execute_for(run, node);
    case JINJA_NODE_SET:
    case JINJA_NODE_SET_BLOCK:
        return execute_set(run, node);
    case JINJA_NODE_MACRO:
        COP_TRY(make_macro(run, node, &value));
        return cop_jinja_assign(run, node->text, value);
    case JINJA_NODE_CALL_BLOCK:
        return execute_call(run, node);
    case JINJA_NODE_FILTERED:
        COP_TRY(execute_filtered(run, node, &value));
        return cop_jinja_put_str(run, run->out, value);
    case JINJA_NODE_WITH:
        return execute_with(run, node);
    case JINJA_NODE_SCOPE:
        return execute_scope(run, node->body);
    case JINJA_NODE_BREAK:
        run->flow = JINJA_FLOW_BREAK;
        return COP_OK;
    case JINJA_NODE_CONTINUE:
        run->flow = JINJA_FLOW_CONTINUE;
        return COP_OK;
    default:
        return cop_jinja_fail(run, COP_ERR_INTERNAL, "a node of the kind %d is no statement",
                              (int)node->kind);
    }
}

cop_status cop_jinja_execute(jinja_run *run, const jinja_node *body)
{
    COP_TRY(cop_jinja_enter(run));
    for (const jinja_node *node = body; node != NULL && run->flow == JINJA_FLOW_ON;
         node = node->next) {
        run->line = node->line;
        COP_TRY(cop_jinja_spend(run, 1));
        COP_TRY(execute(run, node));
    }
    run->depth--;
    return COP_OK;
}

/* --- renderings --- */

static cop_status render(jinja_run *run, const cop_jinja *template, json_t *variables)
{
    const char *name = NULL;
    json_t *item = NULL;
    COP_TRY(cop_jinja_push_scope(run, NULL));
    json_object_foreach(variables, name, item)
    {
        jinja_value value;
        COP_TRY(cop_jinja_from_json(run, item, &value));
        COP_TRY(cop_jinja_assign(run, (jinja_text){name, strlen(name)}, value));
    }
    COP_TRY(cop_jinja_push_scope(run, run->scope));
    return cop_jinja_execute(run, template->body);
}

cop_status cop_jinja_render(const cop_jinja *template, json_t *variables, const struct tm *now,
                            cop_text *out, cop_error *err)
{
    jinja_buffer buffer = {0};
    cop_error own = {0};
    cop_error *const report = err != NULL ? err : &own;
    static const jinja_evaluator evaluator = {
        .evaluate = cop_jinja_evaluate, .assign = assign_target, .call_macro = call_macro};
    jinja_run run = {.evaluator = &evaluator,
                     .arena = {.limit = MAX_RUN_BYTES},
                     .out = &buffer,
                     .now = now,
                     .steps = MAX_STEPS,
                     .line = 1,
                     .err = report};
    cop_status status = render(&run, template, variables);
    if (status == COP_OK)
        status =
            cop_text_append(out, buffer.length == 0 ? "" : buffer.data, buffer.length, report);
    cop_jinja_arena_free(&run.arena);
    return status == COP_OK ? COP_OK : report->status;
}
