/* Variables. */
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
