/* Evaluating expressions. */
#include "jinja/jinja_eval.h"

#include <string.h>

/* What jinja2 defines and this does not. */
static cop_status refuse_global(const jinja_run *run, jinja_text name)
{
    static const char *const globals[] = {"self", "lipsum", "cycler", "joiner"};
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        if (cop_jinja_text_is(name, globals[i]))
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED, "\"%s\" is not supported",
                                  globals[i]);
    }
    return COP_OK;
}

static cop_status evaluate_name(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    const jinja_value *const found = cop_jinja_lookup(run, node->text);
    COP_TRY(cop_jinja_spend(run, 1));
    if (found != NULL) {
        *out = *found;
        return COP_OK;
    }
    *out = cop_jinja_undefined(node->text);
    const jinja_builtin builtin = cop_jinja_find_function(node->text);
    if (builtin == NULL) return refuse_global(run, node->text);
    jinja_callable *const made = cop_jinja_take(&run->arena, sizeof *made, run->err);
    if (made == NULL) return COP_ERR_UNSUPPORTED;
    *made = (jinja_callable){.builtin = builtin};
    *out = (jinja_value){.kind = JINJA_CALLABLE, .callable = made};
    return COP_OK;
}

static cop_status evaluate_list(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    size_t count = 0;
    for (const jinja_node *item = node->args; item != NULL; item = item->next)
        count++;
    COP_TRY(cop_jinja_list(
        run, node->kind == JINJA_NODE_TUPLE ? JINJA_SORT_TUPLE : JINJA_SORT_LIST, count, out));
    jinja_value *at = out->list->items;
    for (const jinja_node *item = node->args; item != NULL; item = item->next)
        COP_TRY(cop_jinja_evaluate(run, item, at++));
    return COP_OK;
}

static cop_status evaluate_dict(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    COP_TRY(cop_jinja_dict(run, JINJA_DICT, out));
    for (const jinja_node *item = node->args; item != NULL; item = item->next->next) {
        jinja_value key;
        jinja_value value;
        COP_TRY(cop_jinja_evaluate(run, item, &key));
        COP_TRY(cop_jinja_evaluate(run, item->next, &value));
        COP_TRY(cop_jinja_dict_set(run, out->dict, key, value));
    }
    return COP_OK;
}

static cop_status evaluate_slice(jinja_run *run, jinja_value object, const jinja_node *slice,
                                 jinja_value *out)
{
    const jinja_node *const nodes[3] = {slice->a, slice->b, slice->c};
    jinja_value parts[3];
    for (size_t i = 0; i < 3; i++) {
        parts[i] = cop_jinja_none();
        if (nodes[i] != NULL) COP_TRY(cop_jinja_evaluate(run, nodes[i], &parts[i]));
    }
    return cop_jinja_slice(run, object, parts, out);
}

static cop_status evaluate_item(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    jinja_value object;
    jinja_value index;
    COP_TRY(cop_jinja_evaluate(run, node->a, &object));
    if (node->b->kind == JINJA_NODE_SLICE) return evaluate_slice(run, object, node->b, out);
    COP_TRY(cop_jinja_evaluate(run, node->b, &index));
    run->line = node->line;
    return cop_jinja_getitem(run, object, index, out);
}

static cop_status evaluate_call(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    jinja_value called;
    jinja_arguments args;
    COP_TRY(cop_jinja_evaluate(run, node->a, &called));
    COP_TRY(cop_jinja_evaluate_arguments(run, node->args, &args));
    run->line = node->line;
    return cop_jinja_call(run, called, &args, out);
}

static cop_status evaluate_filter(jinja_run *run, const jinja_node *node, jinja_value value,
                                  jinja_value *out)
{
    jinja_arguments args;
    COP_TRY(cop_jinja_evaluate_arguments(run, node->args, &args));
    run->line = node->line;
    return cop_jinja_filter(run, node->text, value, &args, out);
}

static cop_status evaluate_test(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    jinja_value value;
    jinja_arguments args;
    bool holds = false;
    COP_TRY(cop_jinja_evaluate(run, node->a, &value));
    COP_TRY(cop_jinja_evaluate_arguments(run, node->args, &args));
    run->line = node->line;
    COP_TRY(cop_jinja_test(run, node->text, value, &args, &holds));
    *out = cop_jinja_boolean(holds);
    return COP_OK;
}

static cop_status evaluate_binary(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    jinja_value a;
    jinja_value b;
    COP_TRY(cop_jinja_evaluate(run, node->a, &a));
    COP_TRY(cop_jinja_evaluate(run, node->b, &b));
    run->line = node->line;
    return cop_jinja_binary(run, node->op, a, b, out);
}

/* a < b < c: each pair in turn, up to the first that does not hold. */
static cop_status evaluate_compare(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    jinja_value left;
    bool holds = true;
    COP_TRY(cop_jinja_evaluate(run, node->a, &left));
    for (const jinja_node *operand = node->args; operand != NULL && holds;
         operand = operand->next) {
        jinja_value right;
        COP_TRY(cop_jinja_evaluate(run, operand->a, &right));
        run->line = operand->line;
        COP_TRY(cop_jinja_compare(run, operand->op, left, right, &holds));
        left = right;
    }
    *out = cop_jinja_boolean(holds);
    return COP_OK;
}

static cop_status evaluate_logic(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    COP_TRY(cop_jinja_evaluate(run, node->a, out));
    if (node->kind == JINJA_NODE_NOT) {
        *out = cop_jinja_boolean(!cop_jinja_truth(*out));
        return COP_OK;
    }
    if (node->kind == JINJA_NODE_CHOICE) {
        if (cop_jinja_truth(*out)) return cop_jinja_evaluate(run, node->b, out);
        *out = cop_jinja_undefined((jinja_text){"the value of an if without else", 31});
        return node->c == NULL ? COP_OK : cop_jinja_evaluate(run, node->c, out);
    }
    if (cop_jinja_truth(*out) == (node->kind == JINJA_NODE_OR)) return COP_OK;
    return cop_jinja_evaluate(run, node->b, out);
}

static cop_status evaluate_other(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    switch (node->kind) {
    case JINJA_NODE_GETATTR:
        COP_TRY(cop_jinja_evaluate(run, node->a, out));
        run->line = node->line;
        return cop_jinja_getattr(run, *out, node->text, out);
    case JINJA_NODE_GETITEM:
        return evaluate_item(run, node, out);
    case JINJA_NODE_CALL:
        return evaluate_call(run, node, out);
    case JINJA_NODE_FILTER:
        COP_TRY(cop_jinja_evaluate(run, node->a, out));
        return evaluate_filter(run, node, *out, out);
    case JINJA_NODE_TEST:
        return evaluate_test(run, node, out);
    case JINJA_NODE_UNARY:
        COP_TRY(cop_jinja_evaluate(run, node->a, out));
        return cop_jinja_unary(run, node->op, *out, out);
    case JINJA_NODE_BINARY:
        return evaluate_binary(run, node, out);
    case JINJA_NODE_COMPARE:
        return evaluate_compare(run, node, out);
    case JINJA_NODE_AND:
    case JINJA_NODE_OR:
    case JINJA_NODE_NOT:
    case JINJA_NODE_CHOICE:
        return evaluate_logic(run, node, out);
    default:
        return cop_jinja_fail(run, COP_ERR_INTERNAL, "a node of the kind %d has no value",
                              (int)node->kind);
    }
}

static cop_status evaluate(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    switch (node->kind) {
    case JINJA_NODE_STRING:
        *out = cop_jinja_str(node->text.data, node->text.length);
        return COP_OK;
    case JINJA_NODE_INTEGER:
        *out = cop_jinja_int(node->integer);
        return COP_OK;
    case JINJA_NODE_REAL:
        *out = cop_jinja_float(node->real);
        return COP_OK;
    case JINJA_NODE_BOOLEAN:
        *out = cop_jinja_boolean(node->integer != 0);
        return COP_OK;
    case JINJA_NODE_NONE:
        *out = cop_jinja_none();
        return COP_OK;
    case JINJA_NODE_NAME:
        return evaluate_name(run, node, out);
    case JINJA_NODE_LIST:
    case JINJA_NODE_TUPLE:
        return evaluate_list(run, node, out);
    case JINJA_NODE_DICT:
        return evaluate_dict(run, node, out);
    default:
        return evaluate_other(run, node, out);
    }
}

cop_status cop_jinja_evaluate(jinja_run *run, const jinja_node *node, jinja_value *out)
{
    run->line = node->line;
    COP_TRY(cop_jinja_enter(run));
    COP_TRY(evaluate(run, node, out));
    run->depth--;
    return COP_OK;
}

cop_status cop_jinja_apply_filters(jinja_run *run, const jinja_node *node, jinja_value text,
                                   jinja_value *out)
{
    *out = text;
    if (node == NULL) return COP_OK;
    COP_TRY(cop_jinja_enter(run));
    COP_TRY(cop_jinja_apply_filters(run, node->a, text, out));
    COP_TRY(evaluate_filter(run, node, *out, out));
    run->depth--;
    return COP_OK;
}
