/* Operators, with Python's rules of types. */
#include "jinja/jinja_eval.h"

#include <math.h>
#include <string.h>

static cop_status refuse_types(const jinja_run *run, const char *op, jinja_value a,
                               jinja_value b)
{
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED) {
        const jinja_text name = a.kind == JINJA_UNDEFINED ? a.text : b.text;
        return cop_jinja_fail(run, COP_ERR_FORMAT, "\"%.*s\" is undefined",
                              cop_jinja_shown(name), name.data);
    }
    return cop_jinja_fail(run, COP_ERR_FORMAT, "%s cannot stand between %s and %s", op,
                          cop_jinja_type_name(a), cop_jinja_type_name(b));
}

static cop_status refuse_large(const jinja_run *run)
{
    return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                          "an integer of more than 64 bits is not supported");
}

static cop_status refuse_zero(const jinja_run *run)
{
    return cop_jinja_fail(run, COP_ERR_FORMAT, "division by zero");
}

static const char *name_of(jinja_token_kind op)
{
    switch (op) {
    case JINJA_ADD:
        return "+";
    case JINJA_SUBTRACT:
        return "-";
    case JINJA_MULTIPLY:
        return "*";
    case JINJA_DIVIDE:
        return "/";
    case JINJA_FLOOR_DIVIDE:
        return "//";
    case JINJA_MODULO:
        return "%";
    default:
        return "**";
    }
}

/* --- numbers --- */

static cop_status power_of(const jinja_run *run, int64_t base, int64_t exponent,
                           jinja_value *out)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (base == 0) return refuse_zero(run);
        *out = cop_jinja_float(pow((double)base, (double)exponent));
        return COP_OK;
    }
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result))
            return refuse_large(run);
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return refuse_large(run);
    }
    *out = cop_jinja_int(result);
    return COP_OK;
}

/* Division towards minus infinity. */
static cop_status divide_integers(const jinja_run *run, jinja_token_kind op, int64_t a,
                                  int64_t b, jinja_value *out)
{
    if (b == 0) return refuse_zero(run);
    if (b == -1) {
        int64_t negative = 0;
        if (op == JINJA_FLOOR_DIVIDE && __builtin_sub_overflow((int64_t)0, a, &negative))
            return refuse_large(run);
        *out = cop_jinja_int(negative);
        return COP_OK;
    }
    const int64_t rest = a % b;
    const bool inexact = rest != 0 && (rest < 0) != (b < 0);
    *out = cop_jinja_int(op == JINJA_MODULO ? rest + (inexact ? b : 0)
                                            : a / b - (inexact ? 1 : 0));
    return COP_OK;
}

static cop_status integers(const jinja_run *run, jinja_token_kind op, int64_t a, int64_t b,
                           jinja_value *out)
{
    int64_t result = 0;
    bool large = false;
    switch (op) {
    case JINJA_ADD:
        large = __builtin_add_overflow(a, b, &result);
        break;
    case JINJA_SUBTRACT:
        large = __builtin_sub_overflow(a, b, &result);
        break;
    case JINJA_MULTIPLY:
        large = __builtin_mul_overflow(a, b, &result);
        break;
    case JINJA_DIVIDE:
        if (b == 0) return refuse_zero(run);
        *out = cop_jinja_float((double)a / (double)b);
        return COP_OK;
    case JINJA_POWER:
        return power_of(run, a, b, out);
    default:
        return divide_integers(run, op, a, b, out);
    }
    if (large) return refuse_large(run);
    *out = cop_jinja_int(result);
    return COP_OK;
}

static cop_status floats(const jinja_run *run, jinja_token_kind op, double a, double b,
                         jinja_value *out)
{
    double result = 0;
    if (b == 0 && (op == JINJA_DIVIDE || op == JINJA_FLOOR_DIVIDE || op == JINJA_MODULO))
        return refuse_zero(run);
    switch (op) {
    case JINJA_ADD:
        result = a + b;
        break;
    case JINJA_SUBTRACT:
        result = a - b;
        break;
    case JINJA_MULTIPLY:
        result = a * b;
        break;
    case JINJA_DIVIDE:
        result = a / b;
        break;
    case JINJA_FLOOR_DIVIDE:
        result = floor(a / b);
        break;
    case JINJA_MODULO:
        result = fmod(a, b);
        if (result != 0 && (result < 0) != (b < 0)) result += b;
        break;
    default:
        result = pow(a, b);
        if (isnan(result) && !isnan(a) && !isnan(b))
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                                  "complex numbers are not supported");
        break;
    }
    *out = cop_jinja_float(result);
    return COP_OK;
}

/* --- sequences --- */

static cop_status join(jinja_run *run, jinja_value a, jinja_value b, jinja_value *out)
{
    if (a.kind == JINJA_STR) {
        jinja_buffer buffer = {0};
        COP_TRY(cop_jinja_put(run, &buffer, a.text.data, a.text.length));
        COP_TRY(cop_jinja_put(run, &buffer, b.text.data, b.text.length));
        *out = cop_jinja_buffer_str(&buffer);
        return COP_OK;
    }
    COP_TRY(cop_jinja_list(run, a.list->sort, a.list->count + b.list->count, out));
    for (size_t i = 0; i < a.list->count; i++)
        out->list->items[i] = a.list->items[i];
    for (size_t i = 0; i < b.list->count; i++)
        out->list->items[a.list->count + i] = b.list->items[i];
    return COP_OK;
}

static bool is_joinable(jinja_value a, jinja_value b)
{
    if (a.kind == JINJA_STR) return b.kind == JINJA_STR;
    return a.kind == JINJA_LIST && b.kind == JINJA_LIST && a.list->sort == b.list->sort &&
           a.list->sort <= JINJA_SORT_TUPLE;
}

static bool is_repeatable(jinja_value value)
{
    return value.kind == JINJA_STR ||
           (value.kind == JINJA_LIST && value.list->sort <= JINJA_SORT_TUPLE);
}

static cop_status repeat(jinja_run *run, jinja_value value, int64_t times, jinja_value *out)
{
    const size_t count = times > 0 ? (size_t)times : 0;
    if (value.kind == JINJA_STR) {
        jinja_buffer buffer = {0};
        for (size_t i = 0; i < count && value.text.length > 0; i++)
            COP_TRY(cop_jinja_put(run, &buffer, value.text.data, value.text.length));
        *out = cop_jinja_buffer_str(&buffer);
        return COP_OK;
    }
    const size_t each = value.list->count;
    size_t total = 0;
    if (__builtin_mul_overflow(each, count, &total)) total = SIZE_MAX;
    COP_TRY(cop_jinja_list(run, value.list->sort, total, out));
    for (size_t i = 0; i < total; i++)
        out->list->items[i] = value.list->items[i % each];
    return COP_OK;
}

/* --- */

static cop_status concatenate(jinja_run *run, jinja_value a, jinja_value b, jinja_value *out)
{
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_put_str(run, &buffer, a));
    COP_TRY(cop_jinja_put_str(run, &buffer, b));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

cop_status cop_jinja_binary(jinja_run *run, jinja_token_kind op, jinja_value a, jinja_value b,
                            jinja_value *out)
{
    if (op == JINJA_TILDE) return concatenate(run, a, b, out);
    if (cop_jinja_is_integral(a) && cop_jinja_is_integral(b))
        return integers(run, op, a.integer, b.integer, out);
    if (cop_jinja_is_number(a) && cop_jinja_is_number(b))
        return floats(run, op, cop_jinja_number(a), cop_jinja_number(b), out);
    if (op == JINJA_ADD && is_joinable(a, b)) return join(run, a, b, out);
    if (op == JINJA_MULTIPLY && is_repeatable(a) && cop_jinja_is_integral(b))
        return repeat(run, a, b.integer, out);
    if (op == JINJA_MULTIPLY && cop_jinja_is_integral(a) && is_repeatable(b))
        return repeat(run, b, a.integer, out);
    if (op == JINJA_MODULO && a.kind == JINJA_STR) {
        jinja_buffer buffer = {0};
        COP_TRY(cop_jinja_put_formatted(run, &buffer, a.text, b));
        *out = cop_jinja_buffer_str(&buffer);
        return COP_OK;
    }
    return refuse_types(run, name_of(op), a, b);
}

cop_status cop_jinja_unary(jinja_run *run, jinja_token_kind op, jinja_value a, jinja_value *out)
{
    const bool negative = op == JINJA_SUBTRACT;
    if (a.kind == JINJA_FLOAT) {
        *out = cop_jinja_float(negative ? -a.real : a.real);
        return COP_OK;
    }
    if (cop_jinja_is_integral(a))
        return negative ? integers(run, JINJA_SUBTRACT, 0, a.integer, out)
                        : integers(run, JINJA_ADD, 0, a.integer, out);
    return refuse_types(run, "a sign", cop_jinja_none(), a);
}

cop_status cop_jinja_compare(jinja_run *run, jinja_token_kind op, jinja_value a, jinja_value b,
                             bool *holds)
{
    int order = 0;
    if (op == JINJA_IN || op == JINJA_NOT_IN) {
        COP_TRY(cop_jinja_contains(run, b, a, holds));
        *holds = *holds == (op == JINJA_IN);
        return COP_OK;
    }
    if (op == JINJA_EQUAL || op == JINJA_NOT_EQUAL) {
        COP_TRY(cop_jinja_equal(run, a, b, holds));
        *holds = *holds == (op == JINJA_EQUAL);
        return COP_OK;
    }
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        return refuse_types(run, "a comparison", a, b);
    COP_TRY(cop_jinja_order(run, a, b, &order));
    *holds = op == JINJA_LESS         ? order < 0
             : op == JINJA_LESS_EQUAL ? order <= 0
             : op == JINJA_GREATER    ? order > 0
                                      : order >= 0;
    return COP_OK;
}
