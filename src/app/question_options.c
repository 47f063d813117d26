#include "app/question_options.h"

#include "app/app.h"

enum {
    KEY_DATA = 0x500,
    KEY_LIMIT,
    KEY_SYSTEM,
    KEY_USER,
    KEY_ASSISTANT,
    KEY_FIELD,
    KEY_EXAMPLES,
    KEY_SHOTS,
    KEY_SHOT_SEED,
    KEY_STOP
};

static const struct argp_option options[] = {
    {"data", KEY_DATA, "FILE", 0, "Examples, JSON lines", 0},
    {"field", KEY_FIELD, "NAME=FIELD", 0,
     "What the data calls the task's field NAME, for example question=problem; may be repeated",
     0},
    {"limit", KEY_LIMIT, "N", 0, "Only the first N examples", 0},
    {"system", KEY_SYSTEM, "TEMPLATE", 0, "System message over the fields of the data", 0},
    {"user", KEY_USER, "TEMPLATE", 0, "User message, for example '{question}'", 0},
    {"examples", KEY_EXAMPLES, "FILE", 0, "Few-shot examples, JSON lines as the data", 0},
    {"shots", KEY_SHOTS, "N", 0, "Few-shot examples before each question (default 0)", 0},
    {"shot-seed", KEY_SHOT_SEED, "S", 0, "Order they are drawn in (default 0; -1: file order)",
     0},
    {"assistant", KEY_ASSISTANT, "TEMPLATE", 0, "Answer of a few-shot example", 0},
    {"stop", KEY_STOP, "TEXT", 0,
     "Text that ends an answer, and is no part of it, besides the model's own stop tokens; may "
     "be repeated",
     0},
    {0}};

/* Where the text of an option goes that is one; NULL for others. */
static const char **place_of(cop_app_question *q, int key)
{
    switch (key) {
    case KEY_DATA:
        return &q->data;
    case KEY_LIMIT:
        return &q->limit;
    case KEY_SYSTEM:
        return &q->system;
    case KEY_USER:
        return &q->user;
    case KEY_ASSISTANT:
        return &q->assistant;
    case KEY_EXAMPLES:
        return &q->examples;
    case KEY_SHOTS:
        return &q->shots;
    case KEY_SHOT_SEED:
        return &q->shot_seed;
    default:
        return NULL;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    cop_app_question *const q = state->input;
    const char **const place = place_of(q, key);
    if (place != NULL) {
        *place = text;
        return 0;
    }
    if (key == KEY_FIELD) {
        if (q->field_count == COP_APP_MOST_FIELDS)
            argp_error(state, "more than %d fields", COP_APP_MOST_FIELDS);
        q->fields[q->field_count++] = text;
        return 0;
    }
    if (key != KEY_STOP) return ARGP_ERR_UNKNOWN;
    if (*text == '\0')
        argp_error(state, "--stop: an empty text would end every answer at once");
    if (q->stop_count == COP_APP_MOST_STOPS)
        argp_error(state, "more than %d texts that end an answer", COP_APP_MOST_STOPS);
    q->stops[q->stop_count++] = text;
    return 0;
}

const struct argp cop_app_question_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

cop_status cop_app_question_resolve(const cop_app_question *q, cop_app_question_numbers *n,
                                    cop_error *err)
{
    if (q->limit != NULL)
        COP_TRY(cop_app_parse_int("limit", q->limit, 1, INT64_MAX, &n->limit, err));
    COP_TRY(cop_app_parse_like("shots", "task.shots", q->shots, &n->shots, err));
    if (q->shot_seed == NULL) return COP_OK;
    return cop_app_parse_int("shot-seed", q->shot_seed, -1, INT64_MAX, &n->shot_seed, err);
}

cop_status cop_app_question_fields(const cop_app_question *q, cop_fields *fields,
                                   cop_error *err)
{
    for (size_t i = 0; i < q->field_count; i++) {
        if (cop_fields_add_text(fields, q->fields[i], err) != COP_OK)
            return cop_error_prefix(err, "--field");
    }
    return COP_OK;
}
