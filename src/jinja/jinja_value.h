/* Values of a rendering, as Python has them. All lies in the rendering's arena. */
#ifndef COP_JINJA_JINJA_VALUE_H
#define COP_JINJA_JINJA_VALUE_H

#include "jinja/jinja_tree.h"

typedef enum jinja_kind {
    JINJA_MISSING, /* no value at all: an argument that was not given */
    JINJA_UNDEFINED,
    JINJA_NIL, /* None */
    JINJA_BOOLEAN,
    JINJA_INT,
    JINJA_FLOAT,
    JINJA_STR,
    JINJA_LIST,
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_LOOP,
    JINJA_CALLABLE
} jinja_kind;

/* What a list is to Python. */
typedef enum jinja_sort {
    JINJA_SORT_LIST,
    JINJA_SORT_TUPLE,
    JINJA_SORT_RANGE,
    JINJA_SORT_VIEW,    /* of a dict's keys, values or items: no order to index by */
    JINJA_SORT_ITERATOR /* gives its items once */
} jinja_sort;

typedef struct jinja_value {
    jinja_kind kind;
    union {
        int64_t integer; /* JINJA_INT, JINJA_BOOLEAN */
        double real;
        jinja_text text; /* JINJA_STR; JINJA_UNDEFINED: its name */
        struct jinja_list *list;
        struct jinja_dict *dict; /* JINJA_DICT, JINJA_NAMESPACE */
        struct jinja_loop *loop;
        const struct jinja_callable *callable;
    };
} jinja_value;

typedef struct jinja_list {
    jinja_sort sort;
    jinja_value *items; /* [count] */
    size_t count;
} jinja_list;

/* In the order of the first insertion. */
typedef struct jinja_dict {
    jinja_value *keys, *values; /* [count] */
    size_t count, capacity;
} jinja_dict;

/* A growing text. */
typedef struct jinja_buffer {
    char *data;
    size_t length, capacity;
} jinja_buffer;

/* Variables of a part of the template. */
typedef struct jinja_scope {
    struct jinja_scope *outer;
    struct jinja_variable *first;
} jinja_scope;

typedef enum jinja_flow { JINJA_FLOW_ON, JINJA_FLOW_BREAK, JINJA_FLOW_CONTINUE } jinja_flow;

/* A rendering. */
typedef struct jinja_run {
    const struct jinja_evaluator *evaluator;
    jinja_arena arena;
    jinja_scope *scope;
    jinja_buffer *out;
    const struct tm *now;
    jinja_flow flow;
    int line;   /* of what is evaluated */
    int depth;  /* of evaluations inside each other */
    long steps; /* that are left */
    cop_error *err;
} jinja_run;

/* What a call is given. */
typedef struct jinja_arguments {
    jinja_value *items; /* [count] */
    size_t count;
    jinja_text *names; /* [named] */
    jinja_value *named_items;
    size_t named;
} jinja_arguments;

/* A filter, a test (gives a boolean), a method or a function; `self` is what it is applied to.
 */
typedef cop_status (*jinja_builtin)(jinja_run *run, jinja_value self,
                                    const jinja_arguments *args, jinja_value *out);

typedef struct jinja_callable {
    jinja_builtin builtin;  /* NULL: a macro */
    jinja_value self;       /* of a method */
    const jinja_node *node; /* JINJA_NODE_MACRO or _CALL_BLOCK */
    jinja_scope *scope;     /* where it was made */
} jinja_callable;

typedef struct jinja_named_builtin {
    const char *name;
    jinja_builtin call;
} jinja_named_builtin;

enum { JINJA_MAX_DEPTH = 400, JINJA_SHOWN_NAME = 60 };

/* Fails with "line N: " and what is wrong. */
cop_status cop_jinja_fail(const jinja_run *run, cop_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For "%.*s": as much of a text as a message shows. */
int cop_jinja_shown(jinja_text text);

/* Fails because `object`, which is undefined, is asked for something. */
cop_status cop_jinja_refuse_undefined(const jinja_run *run, jinja_value object);

/* Takes from what work is left; COP_ERR_UNSUPPORTED where there is none. */
cop_status cop_jinja_spend(jinja_run *run, size_t steps);

/* Goes a level deeper; the caller leaves it by run->depth--. */
cop_status cop_jinja_enter(jinja_run *run);

/* --- making --- */

jinja_value cop_jinja_undefined(jinja_text name);
jinja_value cop_jinja_none(void);
jinja_value cop_jinja_boolean(bool value);
jinja_value cop_jinja_int(int64_t value);
jinja_value cop_jinja_float(double value);
jinja_value cop_jinja_str(const char *text, size_t length);
jinja_value cop_jinja_word(const char *text); /* ended by NUL, outlives the rendering */

/* A list of `count` items, to be filled. */
cop_status cop_jinja_list(jinja_run *run, jinja_sort sort, size_t count, jinja_value *out);

/* An empty dict or namespace. */
cop_status cop_jinja_dict(jinja_run *run, jinja_kind kind, jinja_value *out);
cop_status cop_jinja_dict_set(jinja_run *run, jinja_dict *dict, jinja_value key,
                              jinja_value value);

/* The place of a key, NULL if there is none. */
jinja_value *cop_jinja_dict_find(const jinja_dict *dict, jinja_value key);

cop_status cop_jinja_from_json(jinja_run *run, json_t *json, jinja_value *out);

/* --- text --- */

cop_status cop_jinja_put(jinja_run *run, jinja_buffer *buffer, const char *data, size_t length);
cop_status cop_jinja_put_word(jinja_run *run, jinja_buffer *buffer, const char *word);
jinja_value cop_jinja_buffer_str(const jinja_buffer *buffer);

/* Appends str(value), or repr(value). */
cop_status cop_jinja_put_str(jinja_run *run, jinja_buffer *buffer, jinja_value value);
cop_status cop_jinja_put_repr(jinja_run *run, jinja_buffer *buffer, jinja_value value);

/* str(value), itself if it is one. */
cop_status cop_jinja_to_str(jinja_run *run, jinja_value value, jinja_text *text);

/* A float as Python writes it. */
void cop_jinja_write_float(double value, char out[40]);

/* --- asking --- */

const char *cop_jinja_type_name(jinja_value value);
bool cop_jinja_is_number(jinja_value value); /* int, float or bool */
bool cop_jinja_is_integral(jinja_value value);
double cop_jinja_number(jinja_value value); /* of a number */
bool cop_jinja_is_tuple(jinja_value value);
bool cop_jinja_is_sequence(jinja_value value); /* list, tuple or range */

/* bool(value). */
bool cop_jinja_truth(jinja_value value);

cop_status cop_jinja_equal(jinja_run *run, jinja_value a, jinja_value b, bool *equal);

/* <0, 0, >0; COP_ERR_FORMAT where Python cannot order them. */
cop_status cop_jinja_order(jinja_run *run, jinja_value a, jinja_value b, int *order);

cop_status cop_jinja_contains(jinja_run *run, jinja_value set, jinja_value value, bool *in);

/* The items of what can be iterated: characters, keys, items. An iterator is then empty. */
cop_status cop_jinja_iterate(jinja_run *run, jinja_value value, jinja_list *items);

/* len(value). */
cop_status cop_jinja_length(jinja_run *run, jinja_value value, size_t *length);

#endif
