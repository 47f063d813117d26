/* Tests ("is defined") and the functions that every template has. */
#include "jinja/jinja_eval.h"

#include <string.h>

/* --- tests --- */

/* A test of the value alone. */
#define TEST(name, condition)                                                    \
    static cop_status test_##name(jinja_run *run, jinja_value self,              \
                                  const jinja_arguments *args, jinja_value *out) \
    {                                                                            \
        (void)self;                                                              \
        COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));                    \
        *out = cop_jinja_boolean(condition);                                     \
        return COP_OK;                                                           \
    }

TEST(defined, self.kind != JINJA_UNDEFINED)
TEST(undefined, self.kind == JINJA_UNDEFINED)
TEST(none, self.kind == JINJA_NIL)
TEST(boolean, self.kind == JINJA_BOOLEAN)
TEST(true, self.kind == JINJA_BOOLEAN && self.integer != 0)
TEST(false, self.kind == JINJA_BOOLEAN && self.integer == 0)
TEST(integer, self.kind == JINJA_INT)
TEST(float, self.kind == JINJA_FLOAT)
TEST(number, cop_jinja_is_number(self))
TEST(string, self.kind == JINJA_STR)
TEST(mapping, self.kind == JINJA_DICT)
TEST(callable, self.kind == JINJA_CALLABLE || self.kind == JINJA_UNDEFINED)
TEST(escaped, false)
TEST(iterable, self.kind == JINJA_UNDEFINED || self.kind == JINJA_STR ||
                   self.kind == JINJA_LIST || self.kind == JINJA_DICT)
TEST(sequence, self.kind == JINJA_UNDEFINED || self.kind == JINJA_STR ||
                   self.kind == JINJA_DICT || cop_jinja_is_sequence(self))

static cop_status test_lower(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    jinja_text text;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    *out = cop_jinja_boolean(cop_jinja_is_lower(text));
    return COP_OK;
}

static cop_status test_upper(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    jinja_text text;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    *out = cop_jinja_boolean(cop_jinja_is_upper(text));
    return COP_OK;
}

static cop_status divides(jinja_run *run, jinja_value self, jinja_value by, int64_t rest,
                          jinja_value *out)
{
    bool equal = false;
    COP_TRY(cop_jinja_binary(run, JINJA_MODULO, self, by, out));
    COP_TRY(cop_jinja_equal(run, *out, cop_jinja_int(rest), &equal));
    *out = cop_jinja_boolean(equal);
    return COP_OK;
}

static cop_status test_even(jinja_run *run, jinja_value self, const jinja_arguments *args,
                            jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    return divides(run, self, cop_jinja_int(2), 0, out);
}

static cop_status test_odd(jinja_run *run, jinja_value self, const jinja_arguments *args,
                           jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    return divides(run, self, cop_jinja_int(2), 1, out);
}

static cop_status test_divisibleby(jinja_run *run, jinja_value self,
                                   const jinja_arguments *args, jinja_value *out)
{
    static const char *const names[] = {"num"};
    jinja_value by;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &by));
    return divides(run, self, by, 0, out);
}

static cop_status compare(jinja_run *run, jinja_value self, const jinja_arguments *args,
                          jinja_token_kind op, jinja_value *out)
{
    static const char *const names[] = {"other"};
    jinja_value other;
    bool holds = false;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &other));
    COP_TRY(cop_jinja_compare(run, op, self, other, &holds));
    *out = cop_jinja_boolean(holds);
    return COP_OK;
}

#define COMPARISON(name, op)                                                     \
    static cop_status test_##name(jinja_run *run, jinja_value self,              \
                                  const jinja_arguments *args, jinja_value *out) \
    {                                                                            \
        return compare(run, self, args, op, out);                                \
    }

COMPARISON(eq, JINJA_EQUAL)
COMPARISON(ne, JINJA_NOT_EQUAL)
COMPARISON(lt, JINJA_LESS)
COMPARISON(le, JINJA_LESS_EQUAL)
COMPARISON(gt, JINJA_GREATER)
COMPARISON(ge, JINJA_GREATER_EQUAL)
COMPARISON(in, JINJA_IN)

/* The same object: what has no identity of its own is the same if it is equal. */
static cop_status test_sameas(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    static const char *const names[] = {"other"};
    jinja_value other;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &other));
    const bool plain = self.kind == JINJA_NIL || self.kind == JINJA_BOOLEAN;
    const bool container = self.kind == JINJA_LIST || self.kind == JINJA_DICT;
    if (self.kind == other.kind && !plain && !container)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "the test sameas of two values of the type %s is not supported",
                              cop_jinja_type_name(self));
    *out = cop_jinja_boolean(self.kind == other.kind &&
                             (self.kind == JINJA_NIL || (plain ? self.integer == other.integer
                                                               : self.list == other.list)));
    return COP_OK;
}

static cop_status test_filter(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    jinja_text name;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_need_text(run, self, &name));
    *out = cop_jinja_boolean(cop_jinja_find_filter(name) != NULL);
    return COP_OK;
}

static const jinja_named_builtin tests[] = {
    {"defined", test_defined},
    {"undefined", test_undefined},
    {"none", test_none},
    {"boolean", test_boolean},
    {"true", test_true},
    {"false", test_false},
    {"integer", test_integer},
    {"float", test_float},
    {"number", test_number},
    {"string", test_string},
    {"mapping", test_mapping},
    {"callable", test_callable},
    {"escaped", test_escaped},
    {"iterable", test_iterable},
    {"sequence", test_sequence},
    {"lower", test_lower},
    {"upper", test_upper},
    {"even", test_even},
    {"odd", test_odd},
    {"divisibleby", test_divisibleby},
    {"sameas", test_sameas},
    {"filter", test_filter},
    {"in", test_in},
    {"eq", test_eq},
    {"equalto", test_eq},
    {"==", test_eq},
    {"ne", test_ne},
    {"!=", test_ne},
    {"lt", test_lt},
    {"lessthan", test_lt},
    {"<", test_lt},
    {"le", test_le},
    {"<=", test_le},
    {"gt", test_gt},
    {"greaterthan", test_gt},
    {">", test_gt},
    {"ge", test_ge},
    {">=", test_ge},
};

jinja_builtin cop_jinja_find_test(jinja_text name)
{
    return cop_jinja_find_builtin(tests, sizeof tests / sizeof *tests, name);
}

/* --- functions --- */

static cop_status function_raise(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    static const char *const names[] = {"message"};
    jinja_value message;
    jinja_text text;
    (void)self;
    *out = cop_jinja_none();
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &message));
    COP_TRY(cop_jinja_to_str(run, message, &text));
    const size_t shown = text.length < 400 ? text.length : 400;
    return cop_jinja_fail(run, COP_ERR_FORMAT, "the template refuses this: %.*s", (int)shown,
                          text.data);
}

static cop_status function_strftime(jinja_run *run, jinja_value self,
                                    const jinja_arguments *args, jinja_value *out)
{
    static const char *const names[] = {"format"};
    jinja_value format;
    jinja_text text;
    jinja_buffer buffer = {0};
    (void)self;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &format));
    COP_TRY(cop_jinja_need_text(run, format, &text));
    COP_TRY(cop_jinja_put_date(run, &buffer, text));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status function_range(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    enum { MOST_OF_RANGE = 100000 }; /* as the sandbox has it */
    static const char *const names[] = {"start", "stop", "step"};
    jinja_value values[3];
    (void)self;
    COP_TRY(cop_jinja_bind(run, args, names, 3, 1, values));
    for (size_t i = 0; i < 3; i++) {
        if (values[i].kind != JINJA_MISSING && !cop_jinja_is_integral(values[i]))
            return cop_jinja_fail(run, COP_ERR_FORMAT, "range() needs integers, not %s",
                                  cop_jinja_type_name(values[i]));
    }
    const bool alone = values[1].kind == JINJA_MISSING;
    const int64_t start = alone ? 0 : values[0].integer;
    const int64_t stop = alone ? values[0].integer : values[1].integer;
    const int64_t step = values[2].kind == JINJA_MISSING ? 1 : values[2].integer;
    if (step == 0) return cop_jinja_fail(run, COP_ERR_FORMAT, "range() with a step of zero");
    size_t count = 0;
    for (int64_t at = start; step > 0 ? at < stop : at > stop; count++) {
        if (count == MOST_OF_RANGE)
            return cop_jinja_fail(run, COP_ERR_FORMAT, "range() of more than %d numbers",
                                  MOST_OF_RANGE);
        if (__builtin_add_overflow(at, step, &at)) at = stop;
    }
    COP_TRY(cop_jinja_list(run, JINJA_SORT_RANGE, count, out));
    for (size_t i = 0; i < count; i++)
        out->list->items[i] = cop_jinja_int(start + (int64_t)i * step);
    return COP_OK;
}

/* Puts the pairs of a list into a mapping. */
static cop_status add_pairs(jinja_run *run, jinja_value pairs, jinja_dict *dict)
{
    jinja_list items;
    COP_TRY(cop_jinja_iterate(run, pairs, &items));
    for (size_t i = 0; i < items.count; i++) {
        jinja_list pair;
        COP_TRY(cop_jinja_iterate(run, items.items[i], &pair));
        if (pair.count != 2)
            return cop_jinja_fail(run, COP_ERR_FORMAT, "a mapping is made of pairs");
        COP_TRY(cop_jinja_dict_set(run, dict, pair.items[0], pair.items[1]));
    }
    return COP_OK;
}

static cop_status fill(jinja_run *run, const jinja_arguments *args, jinja_dict *dict)
{
    if (args->count > 1)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "a mapping is made of one other at most");
    if (args->count == 1 && args->items[0].kind == JINJA_DICT) {
        const jinja_dict *const other = args->items[0].dict;
        for (size_t i = 0; i < other->count; i++)
            COP_TRY(cop_jinja_dict_set(run, dict, other->keys[i], other->values[i]));
    } else if (args->count == 1) {
        COP_TRY(add_pairs(run, args->items[0], dict));
    }
    for (size_t i = 0; i < args->named; i++) {
        const jinja_text name = args->names[i];
        COP_TRY(cop_jinja_dict_set(run, dict, cop_jinja_str(name.data, name.length),
                                   args->named_items[i]));
    }
    return COP_OK;
}

static cop_status function_dict(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    (void)self;
    COP_TRY(cop_jinja_dict(run, JINJA_DICT, out));
    return fill(run, args, out->dict);
}

static cop_status function_namespace(jinja_run *run, jinja_value self,
                                     const jinja_arguments *args, jinja_value *out)
{
    (void)self;
    COP_TRY(cop_jinja_dict(run, JINJA_NAMESPACE, out));
    return fill(run, args, out->dict);
}

static const jinja_named_builtin functions[] = {{"raise_exception", function_raise},
                                                {"strftime_now", function_strftime},
                                                {"range", function_range},
                                                {"dict", function_dict},
                                                {"namespace", function_namespace}};

jinja_builtin cop_jinja_find_function(jinja_text name)
{
    return cop_jinja_find_builtin(functions, sizeof functions / sizeof *functions, name);
}
