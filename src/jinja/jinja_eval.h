/* What evaluating is made of: operators, access, calls, and the tables of what can be called.
 */
#ifndef COP_JINJA_JINJA_EVAL_H
#define COP_JINJA_JINJA_EVAL_H

#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

/* Evaluating goes round: a call evaluates its arguments, an attribute of a loop its "if", a
 * macro's call statements. The files do not: what is asked of one above is asked through this,
 * which each rendering carries. */
typedef struct jinja_evaluator {
    cop_status (*evaluate)(jinja_run *run, const jinja_node *node, jinja_value *out);
    /* Assigns to a name, an attribute of a namespace, or a tuple of such. */
    cop_status (*assign)(jinja_run *run, const jinja_node *target, jinja_value value);
    /* Calls a macro or the body of a call block. */
    cop_status (*call_macro)(jinja_run *run, const jinja_callable *macro,
                             const jinja_arguments *args, jinja_value *out);
} jinja_evaluator;

/* --- expressions --- */

cop_status cop_jinja_evaluate(jinja_run *run, const jinja_node *node, jinja_value *out);

/* The arguments [args] of a call. */
cop_status cop_jinja_evaluate_arguments(jinja_run *run, const jinja_node *args,
                                        jinja_arguments *out);

/* A block's text through the filters `node`, innermost first. */
cop_status cop_jinja_apply_filters(jinja_run *run, const jinja_node *node, jinja_value text,
                                   jinja_value *out);

/* --- operators --- */

cop_status cop_jinja_binary(jinja_run *run, jinja_token_kind op, jinja_value a, jinja_value b,
                            jinja_value *out);
cop_status cop_jinja_unary(jinja_run *run, jinja_token_kind op, jinja_value a,
                           jinja_value *out);
cop_status cop_jinja_compare(jinja_run *run, jinja_token_kind op, jinja_value a, jinja_value b,
                             bool *holds);

/* --- access --- */

/* object.name and object[index]; what is not there is undefined. */
cop_status cop_jinja_getattr(jinja_run *run, jinja_value object, jinja_text name,
                             jinja_value *out);
cop_status cop_jinja_getitem(jinja_run *run, jinja_value object, jinja_value index,
                             jinja_value *out);

/* object[a:b:c]; parts that are not given are None. */
cop_status cop_jinja_slice(jinja_run *run, jinja_value object, const jinja_value parts[3],
                           jinja_value *out);

/* object.a.0.b of a dotted path, as filters take it. */
cop_status cop_jinja_get_path(jinja_run *run, jinja_value object, jinja_value path,
                              jinja_value *out);

/* A bound method, found false if the object has none of that name. */
cop_status cop_jinja_find_method(jinja_run *run, jinja_value object, jinja_text name,
                                 bool *found, jinja_value *out);

/* --- variables --- */

cop_status cop_jinja_assign(jinja_run *run, jinja_text name, jinja_value value);

/* NULL if there is none. */
const jinja_value *cop_jinja_lookup(const jinja_run *run, jinja_text name);

/* A new innermost scope. */
cop_status cop_jinja_push_scope(jinja_run *run, jinja_scope *outer);

/* --- calls --- */

cop_status cop_jinja_call(jinja_run *run, jinja_value called, const jinja_arguments *args,
                          jinja_value *out);

/* The builtin of that name, NULL if there is none. */
jinja_builtin cop_jinja_find_filter(jinja_text name);
jinja_builtin cop_jinja_find_test(jinja_text name);
jinja_builtin cop_jinja_find_function(jinja_text name);
jinja_builtin cop_jinja_find_builtin(const jinja_named_builtin *table, size_t count,
                                     jinja_text name);

cop_status cop_jinja_filter(jinja_run *run, jinja_text name, jinja_value value,
                            const jinja_arguments *args, jinja_value *out);
cop_status cop_jinja_test(jinja_run *run, jinja_text name, jinja_value value,
                          const jinja_arguments *args, bool *holds);

/* Puts arguments in the order of names [count], JINJA_MISSING where they were not given. */
cop_status cop_jinja_bind(const jinja_run *run, const jinja_arguments *args,
                          const char *const *names, size_t count, size_t least,
                          jinja_value *values);

/* An optional argument as an integer; the default where it is missing or None. */
cop_status cop_jinja_take_int(const jinja_run *run, jinja_value value, int64_t otherwise,
                              int64_t *out);

/* An argument that must be a string. */
cop_status cop_jinja_need_text(const jinja_run *run, jinja_value value, jinja_text *text);

/* --- statements --- */

cop_status cop_jinja_execute(jinja_run *run, const jinja_node *body);

/* What {{ loop.name }} is. */
cop_status cop_jinja_loop_get(jinja_run *run, struct jinja_loop *loop, jinja_text name,
                              jinja_value *out);

/* Filters over sequences, in a table of their own. */
extern const jinja_named_builtin cop_jinja_sequence_filters[];
extern const size_t cop_jinja_sequence_filter_count;

#endif
