/* What builtins make of their arguments, and how they are found by name. */
#include "jinja/jinja_eval.h"

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

jinja_builtin cop_jinja_find_builtin(const jinja_named_builtin *table, size_t count,
                                     jinja_text name)
{
    for (size_t i = 0; i < count; i++) {
        if (cop_jinja_text_is(name, table[i].name)) return table[i].call;
    }
    return NULL;
}
