/* Races replayed on the scores of finished runs, which scored all of their proposals: the
 * choice is the full comparison's nearly always, and the answers are a good deal fewer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/store/store.h"
#include "unit/search/race_support.h"

#include <stdio.h>
#include <string.h>

enum { REPLAYS = 100, MOST_SETS = 16, TRIES = 3 };

/* Values of one phase of proposals, as its race looks at them. */
typedef struct value_set {
    char name[96];
    double *values; /* [rows, examples] */
    size_t rows, examples;
} value_set;

typedef struct archive {
    value_set sets[MOST_SETS];
    size_t count;
} archive;

static const float *scores_at(const cop_store *store, const char *path, size_t *rows,
                              size_t *examples)
{
    const cop_store_array *const array = cop_store_get(store, path);
    if (array == NULL) return NULL;
    assert_true(array->type == COP_STORE_F32 && array->rank == 2);
    *rows = array->shape[0];
    *examples = array->shape[1];
    return array->data;
}

/* Proposals on probe, or on support where there is a centre, by this measure. */
static void add(archive *all, const char *name, const float *scores, const float *centre,
                size_t rows, size_t examples, const cop_measure *measure)
{
    static const double weight = 2; /* recenter.regression_weight */
    assert_true(all->count < MOST_SETS);
    value_set *const set = &all->sets[all->count++];
    (void)snprintf(set->name, sizeof set->name, "%s", name);
    set->rows = rows;
    set->examples = examples;
    set->values = cop_memory_alloc(rows * examples, sizeof *set->values, NULL);
    assert_non_null(set->values);
    for (size_t k = 0; k < rows * examples; k++) {
        double value = cop_measure_value(measure, scores[k]);
        if (centre != NULL) value -= cop_measure_value(measure, centre[k % examples]);
        set->values[k] = centre != NULL && value < 0 ? weight * value : value;
    }
}

static void load(archive *all, const char *path, const cop_measure *measure)
{
    cop_store *store = NULL;
    cop_error err = {0};
    size_t rows = 0;
    size_t examples = 0;
    char name[96];
    assert_int_equal(cop_store_read(path, &store, &err), COP_OK);
    assert_non_null(store);
    const float *const stage = scores_at(store, "/stage1/scores", &rows, &examples);
    assert_non_null(stage);
    (void)snprintf(name, sizeof name, "%s stage 1%s", path + strlen("tests/data/runs/"),
                   measure->on_reward ? ", reward" : "");
    add(all, name, stage, NULL, rows, examples, measure);
    for (size_t k = 1;; k++) {
        char of_local[64];
        char of_steps[64];
        size_t locals = 0;
        (void)snprintf(of_local, sizeof of_local, "/recenter/round_%zu/local/scores", k);
        (void)snprintf(of_steps, sizeof of_steps, "/recenter/round_%zu/proposals/scores", k);
        const float *const centre = scores_at(store, of_local, &locals, &examples);
        const float *const steps = scores_at(store, of_steps, &rows, &examples);
        if (centre == NULL || steps == NULL) break;
        (void)snprintf(name, sizeof name, "%s recenter %zu", path + strlen("tests/data/runs/"),
                       k);
        add(all, name, steps, centre, rows, examples, measure);
    }
    cop_store_destroy(&store);
}

static int open_archive(void **state)
{
    static archive all;
    const cop_measure right = {.correct_at = 1};
    const cop_measure reward = {.on_reward = true, .correct_at = 1};
    load(&all, "tests/data/runs/race-arith-1.h5", &right);
    load(&all, "tests/data/runs/race-arith-2.h5", &right);
    load(&all, "tests/data/runs/race-arith-3.h5", &right);
    load(&all, "tests/data/runs/race-countdown.h5", &right);
    load(&all, "tests/data/runs/race-countdown.h5", &reward);
    assert_true(all.count >= 10);
    *state = &all;
    return 0;
}

static int close_archive(void **state)
{
    archive *const all = *state;
    for (size_t i = 0; i < all->count; i++)
        cop_memory_free(all->sets[i].values);
    return 0;
}

/* Replay k: the examples in another order; the run's own one at first. */
static double *shuffle(const value_set *set, uint64_t k)
{
    double *const values = cop_memory_alloc(set->rows * set->examples, sizeof *values, NULL);
    size_t *const place = cop_memory_alloc(set->examples, sizeof *place, NULL);
    assert_non_null(values);
    assert_non_null(place);
    race_permute(k, set->examples, place);
    for (size_t i = 0; i < set->rows; i++) {
        for (size_t j = 0; j < set->examples; j++)
            values[i * set->examples + j] = set->values[i * set->examples + place[j]];
    }
    cop_memory_free(place);
    return values;
}

static void races_choose_as_all_scores_do(void **state)
{
    const archive *const all = *state;
    for (size_t stages = 2; stages <= 16; stages *= 2) {
        size_t same = 0;
        double answers = 0;
        double whole = 0;
        for (size_t r = 0; r < REPLAYS; r++) {
            const value_set *const set = &all->sets[r % all->count];
            double *const values = shuffle(set, r / all->count);
            const race_replay got = race_run(values, set->rows, set->examples, stages, TRIES);
            same += got.chosen == race_choose(values, set->rows, set->examples, NULL);
            answers += got.answers;
            whole += (double)(set->rows * set->examples);
            cop_memory_free(values);
        }
        print_message("%2zu stages: %zu of %d alike, %.0f%% of the answers\n", stages, same,
                      REPLAYS, 100 * answers / whole);
        assert_true(same >= 90);
        assert_true(answers < (stages == 2 ? 0.72 : 0.62) * whole);
    }
}

/* Not on average alone: every phase by itself, each in many orders. */
static void no_phase_fares_ill(void **state)
{
    const archive *const all = *state;
    for (size_t s = 0; s < all->count; s++) {
        const value_set *const set = &all->sets[s];
        size_t same = 0;
        double answers = 0;
        for (uint64_t k = 0; k < REPLAYS; k++) {
            double *const values = shuffle(set, k);
            const race_replay got = race_run(values, set->rows, set->examples, 4, TRIES);
            same += got.chosen == race_choose(values, set->rows, set->examples, NULL);
            answers += got.answers;
            cop_memory_free(values);
        }
        print_message("%-40s %3zu x %3zu: %3zu of %d alike, %.0f%% of the answers\n", set->name,
                      set->rows, set->examples, same, REPLAYS,
                      100 * answers / REPLAYS / (double)(set->rows * set->examples));
        assert_true(same >= 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(races_choose_as_all_scores_do),
        cmocka_unit_test(no_phase_fares_ill),
    };
    return cmocka_run_group_tests(tests, open_archive, close_archive);
}
