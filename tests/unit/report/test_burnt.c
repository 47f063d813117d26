/* What candidates cost that destroy the model, from scores and tokens by unit. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/phase/phase.h"
#include "report/burnt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rows of ten examples in two units, answers of eight tokens at most: 80 a row. */
enum { ROWS = 5, EXAMPLES = 10, UNITS = 2, LONGEST = 8 };

static void put(cop_store *store, const char *path, cop_store_type type, size_t rows,
                size_t width, const void *data)
{
    const cop_store_array array = {
        .type = type, .rank = 2, .shape = {rows, width}, .data = data};
    assert_int_equal(cop_store_set(store, path, &array, NULL, "test", NULL), COP_OK);
}

/* A phase at `group` whose row i has `right` [rows] right answers, and [rows, units] tokens. */
static void put_phase(cop_store *store, const char *group, size_t rows, size_t examples,
                      const size_t *right, const uint64_t *tokens, uint8_t first_state)
{
    float scores[ROWS * EXAMPLES] = {0};
    uint8_t status[ROWS * UNITS];
    char path[64];
    memset(status, COP_UNIT_OK, sizeof status);
    status[0] = first_state;
    status[1] = first_state;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < right[i]; j++)
            scores[i * examples + j] = 1;
    }
    (void)snprintf(path, sizeof path, "%s/scores", group);
    put(store, path, COP_STORE_F32, rows, examples, scores);
    (void)snprintf(path, sizeof path, "%s/tokens", group);
    put(store, path, COP_STORE_U64, rows, UNITS, tokens);
    (void)snprintf(path, sizeof path, "%s/status", group);
    put(store, path, COP_STORE_U8, rows, UNITS, status);
}

static void check(const cop_store *store, int64_t candidates, double share)
{
    int64_t count = -1;
    double got = NAN;
    assert_true(cop_store_get_i64(store, "/population/destructive/candidates", &count));
    assert_true(cop_store_get_f64(store, "/population/destructive/token_share", &got));
    assert_int_equal(count, candidates);
    assert_true(fabs(got - share) < 1e-12);
}

static cop_store *create(void)
{
    cop_store *store = NULL;
    assert_int_equal(cop_store_create(&store, NULL), COP_OK);
    return store;
}

static const cop_measure by_right = {.correct_at = 1};

/* The base is right on three of ten, the last ones but one. */
static const float base[EXAMPLES] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 0};

static void who_is_wrong_and_long_is_counted(void **state)
{
    (void)state;
    /* Bad and at the limit; bad and nearly; bad and short; good and long; as good as the base.
     */
    static const size_t right[ROWS] = {0, 2, 0, 9, 3};
    static const uint64_t tokens[ROWS * UNITS] = {40, 40, 40, 32, 40, 31, 40, 40, 40, 40};
    cop_store *store = create();
    cop_text text = {0};
    put_phase(store, "/population", ROWS, EXAMPLES, right, tokens, COP_UNIT_OK);
    assert_int_equal(cop_burnt_note(store, &by_right, base, LONGEST, NULL), COP_OK);
    check(store, 2, 152.0 / 383);
    assert_int_equal(cop_burnt_print(store, "  ", &text, NULL), COP_OK);
    assert_non_null(strstr(text.data, "  2 candidates"));
    assert_non_null(strstr(text.data, "40% of its tokens"));
    json_t *const json = cop_burnt_json(store);
    assert_int_equal(json_integer_value(json_object_get(json, "candidates")), 2);
    json_decref(json);
    cop_text_free(&text);
    cop_store_destroy(&store);
}

/* What decides is what counts: nobody is right, and the rewards tell them apart. */
static void worse_is_what_the_measure_says(void **state)
{
    (void)state;
    static const size_t right[ROWS] = {2, 4, 4, 4, 4};
    static const uint64_t tokens[ROWS * UNITS] = {40, 40, 40, 40, 9, 9, 9, 9, 9, 9};
    const cop_measure by_reward = {.on_reward = true, .correct_at = 1.5};
    const cop_measure stricter = {.correct_at = 1.5};
    cop_store *store = create();
    put_phase(store, "/population", ROWS, EXAMPLES, right, tokens, COP_UNIT_OK);
    assert_int_equal(cop_burnt_note(store, &stricter, base, LONGEST, NULL), COP_OK);
    check(store, 0, 0);
    assert_int_equal(cop_burnt_note(store, &by_reward, base, LONGEST, NULL), COP_OK);
    check(store, 1, 80.0 / 214);
    cop_store_destroy(&store);
}

/* Who left a race is measured by what it was asked: row 0 by its first unit of five, where the
 * base is right on none and nobody can be worse, row 1 by the second. */
static void a_race_counts_what_was_answered(void **state)
{
    (void)state;
    static const size_t right[ROWS] = {0, 0, 9, 9, 9};
    static const uint64_t tokens[ROWS * UNITS] = {40, 0, 0, 40, 9, 9, 9, 9, 9, 9};
    float scores[ROWS * EXAMPLES] = {0};
    cop_store *store = create();
    put_phase(store, "/population", ROWS, EXAMPLES, right, tokens, COP_UNIT_OK);
    for (size_t m = 0; m < EXAMPLES; m++) {
        scores[m] = m < EXAMPLES / 2 ? 0 : NAN;
        scores[EXAMPLES + m] = m < EXAMPLES / 2 ? NAN : 0;
        for (size_t i = 2; i < ROWS; i++)
            scores[i * EXAMPLES + m] = 1;
    }
    put(store, "/population/scores", COP_STORE_F32, ROWS, EXAMPLES, scores);
    assert_int_equal(cop_burnt_note(store, &by_right, base, LONGEST, NULL), COP_OK);
    check(store, 1, 40.0 / 134);
    cop_store_destroy(&store);
}

/* The tokens of who decided about the examples stand at /screen; the base is the one on the
 * examples as they are. */
static void a_screen_is_looked_through(void **state)
{
    (void)state;
    static const size_t right[ROWS] = {1, 0, 9, 9, 9};
    static const uint64_t tokens[ROWS * UNITS] = {0, 0, 40, 40, 9, 9, 9, 9, 9, 9};
    static const size_t first_right[1] = {1};
    static const uint64_t first[UNITS] = {40, 38};
    static const size_t again_right[2] = {2, 0};
    static const uint64_t again[2 * UNITS] = {3, 3, 12, 12};
    cop_store *store = create();
    put_phase(store, "/population", ROWS, EXAMPLES, right, tokens, COP_UNIT_TAKEN_OVER);
    put_phase(store, "/screen/population", 1, EXAMPLES, first_right, first, COP_UNIT_OK);
    put_phase(store, "/screen/replacements", 2, 3, again_right, again, COP_UNIT_OK);
    assert_int_equal(
        cop_store_set_f64(store, "/screen/base_accuracy", 0.05, NULL, "test", NULL), COP_OK);
    assert_int_equal(cop_burnt_note(store, &by_right, base, LONGEST, NULL), COP_OK);
    check(store, 1, 80.0 / (102 + 80 + 54)); /* the first one is better than 0.05 */
    assert_int_equal(cop_store_set_f64(store, "/screen/base_accuracy", 0.2, NULL, "test", NULL),
                     COP_OK);
    assert_int_equal(cop_burnt_note(store, &by_right, base, LONGEST, NULL), COP_OK);
    check(store, 2, (102.0 + 80) / (102 + 80 + 54));
    cop_store_destroy(&store);
}

static void without_them_nothing_is_said(void **state)
{
    (void)state;
    static const size_t right[ROWS] = {9, 9, 9, 9, 9};
    static const uint64_t tokens[ROWS * UNITS] = {0};
    cop_store *store = create();
    cop_text text = {0};
    assert_int_equal(cop_burnt_note(store, &by_right, base, LONGEST, NULL), COP_OK);
    assert_null(cop_burnt_json(store)); /* no population */
    put_phase(store, "/population", ROWS, EXAMPLES, right, tokens, COP_UNIT_OK);
    assert_int_equal(cop_burnt_note(store, &by_right, base, LONGEST, NULL), COP_OK);
    check(store, 0, 0);
    assert_int_equal(cop_burnt_print(store, "", &text, NULL), COP_OK);
    assert_int_equal(text.length, 0);
    cop_text_free(&text);
    cop_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_wrong_and_long_is_counted),
        cmocka_unit_test(worse_is_what_the_measure_says),
        cmocka_unit_test(a_race_counts_what_was_answered),
        cmocka_unit_test(a_screen_is_looked_through),
        cmocka_unit_test(without_them_nothing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
