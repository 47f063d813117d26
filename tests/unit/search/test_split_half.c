/* The split-half analysis against numpy's, and at its edges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/search/search_golden.h"
#include "unit/search/split_support.h"

#include <stdbool.h>
#include <string.h>

static const double few_q[] = {0.5, 0.8};
static const double few_beta[] = {1.0, 20.0};

static cop_split_options few(void)
{
    return (cop_split_options){.halvings = 12,
                               .permutations = 30,
                               .seed = 5,
                               .q = few_q,
                               .beta = few_beta,
                               .q_count = 2,
                               .beta_count = 2,
                               .threads = 1};
}

static cop_split_half run(const cop_split_input *input, const cop_split_options *options)
{
    cop_split_half result;
    cop_error err = {0};
    if (cop_split_half_run(input, options, &result, &err) != COP_OK)
        fail_msg("%s", err.message);
    return result;
}

/* --- golden numbers --- */

static void check_statistic(const json_t *one, const cop_split_half *result,
                            cop_split_statistic_id id)
{
    static const struct {
        const char *name;
        size_t offset;
        double tolerance;
    } parts[] = {{"median", offsetof(cop_split_summary, median), 1e-9},
                 {"low", offsetof(cop_split_summary, low), 1e-9},
                 {"high", offsetof(cop_split_summary, high), 1e-9},
                 {"null_mean", offsetof(cop_split_summary, null_mean), 1e-9},
                 {"null_95", offsetof(cop_split_summary, null_high), 1e-9},
                 {"z", offsetof(cop_split_summary, z), 1e-7},
                 {"p", offsetof(cop_split_summary, p), 1e-12}};
    const json_t *want = json_object_get(one, cop_split_statistic_name(id));
    const cop_split_statistic *s = &result->statistic[id];
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        size_t count;
        double *list = golden_list(want, parts[p].name, &count);
        assert_int_equal(count, s->count);
        for (size_t i = 0; i < count; i++) {
            double got;
            memcpy(&got, (const char *)&s->summary[i] + parts[p].offset, sizeof got);
            golden_compare(got, list[i], 1.0, parts[p].tolerance, cop_split_statistic_name(id));
        }
        free(list);
    }
}

static uint32_t *read_groups(const json_t *one, size_t count)
{
    const json_t *list = json_object_get(one, "group");
    if (!json_is_array(list)) return NULL;
    uint32_t *group = calloc(count, sizeof *group);
    assert_non_null(group);
    for (size_t i = 0; i < count; i++)
        group[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    return group;
}

static float *read_scores(const json_t *one, size_t *count, size_t *examples)
{
    const json_t *rows = json_object_get(one, "scores");
    *count = json_array_size(rows);
    *examples = json_array_size(json_array_get(rows, 0));
    float *scores = calloc(*count * *examples, sizeof *scores);
    assert_non_null(scores);
    for (size_t i = 0; i < *count; i++)
        for (size_t m = 0; m < *examples; m++)
            scores[i * *examples + m] =
                (float)json_number_value(json_array_get(json_array_get(rows, i), m));
    return scores;
}

static void check_case(const json_t *one)
{
    cop_split_input input = {0};
    size_t sigmas;
    float *scores = read_scores(one, &input.count, &input.examples);
    double *sigma = golden_list(one, "sigma", &sigmas);
    assert_int_equal(sigmas, input.count);
    uint32_t *group = read_groups(one, input.count);
    input.scores = scores;
    input.sigma = sigma;
    input.group = group;
    cop_split_options options = few();
    options.seed = (uint64_t)json_integer_value(json_object_get(one, "seed"));
    options.halvings = (size_t)golden_number(one, "halvings");
    options.permutations = (size_t)golden_number(one, "permutations");
    cop_split_half r = run(&input, &options);
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++)
        check_statistic(one, &r, (cop_split_statistic_id)id);
    assert_int_equal(r.reproducible_rank, (size_t)golden_number(one, "reproducible_rank"));
    assert_int_equal(r.parallel_rank, (size_t)golden_number(one, "parallel_rank"));
    golden_compare_list(one, "eigenvalue", r.eigenvalue, r.spectrum_count, 1e-10);
    golden_compare_list(one, "spectrum_mean", r.spectrum_mean, r.spectrum_count, 1e-10);
    golden_compare_list(one, "spectrum_95", r.spectrum_high, r.spectrum_count, 1e-10);
    golden_compare(r.effective_rank, golden_number(one, "effective_rank"), r.effective_rank,
                   1e-9, "effective rank");
    golden_compare(r.participation_ratio, golden_number(one, "participation_ratio"),
                   r.participation_ratio, 1e-9, "participation ratio");
    cop_split_half_free(&r);
    free(scores);
    free(sigma);
    free(group);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root;
    const json_t *cases = golden_open("tests/data/split_half.json", &root);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i));
    json_decref(root);
}

/* --- properties --- */

static void check_same(const cop_split_half *a, const cop_split_half *b)
{
    assert_int_equal(a->candidates, b->candidates);
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++) {
        const cop_split_statistic *s = &a->statistic[id];
        const cop_split_statistic *t = &b->statistic[id];
        assert_int_equal(s->count, t->count);
        assert_memory_equal(s->value, t->value, a->halvings * s->count * sizeof *s->value);
        assert_memory_equal(s->summary, t->summary, s->count * sizeof *s->summary);
    }
    assert_memory_equal(a->eigenvalue, b->eigenvalue, a->spectrum_count * sizeof(double));
    assert_memory_equal(a->spectrum_high, b->spectrum_high, a->spectrum_count * sizeof(double));
    assert_int_equal(a->reproducible_rank, b->reproducible_rank);
}

static void test_threads_leave_no_trace(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{70, 160}, {60, 31}, {12, 64}};
    for (size_t i = 0; i < 3; i++) {
        population p = split_plant(3, shapes[i][0], shapes[i][1], 2, 1.0);
        const cop_split_input input = split_input(&p);
        cop_split_options options = few();
        cop_split_half one = run(&input, &options);
        options.threads = 3;
        cop_split_half three = run(&input, &options);
        check_same(&one, &three);
        cop_split_half_free(&three);
        options.seed++;
        three = run(&input, &options);
        assert_memory_not_equal(one.statistic[COP_SPLIT_PEARSON].value,
                                three.statistic[COP_SPLIT_PEARSON].value,
                                one.halvings * sizeof(double));
        cop_split_half_free(&one);
        cop_split_half_free(&three);
        population_free(&p);
    }
}

/* Candidates that do not take part may hold anything, and are as if they were not there. */
static void test_left_out_candidates(void **state)
{
    (void)state;
    population p = split_plant(4, 20, 24, 1, 1.0);
    cop_split_input input = split_input(&p);
    const cop_split_options options = few();
    bool valid[20];
    for (size_t i = 0; i < 20; i++) {
        valid[i] = i < 15;
        for (size_t m = 0; m < 24 && !valid[i]; m++)
            p.scores[i * 24 + m] = NAN;
    }
    input.valid = valid;
    cop_split_half some = run(&input, &options);
    assert_int_equal(some.candidates, 15);
    input.valid = NULL;
    input.count = 15;
    cop_split_half all = run(&input, &options);
    check_same(&some, &all);
    cop_split_half_free(&some);
    cop_split_half_free(&all);
    population_free(&p);
}

/* Scores that only the group decides: permuting within groups changes nothing, so that nothing
 * is left beyond it; permuting among all does. */
static void test_groups(void **state)
{
    (void)state;
    population p = split_plant(5, 24, 16, 0, 0.0);
    uint32_t group[24];
    for (size_t i = 0; i < 24; i++) {
        group[i] = i % 3 == 0;
        for (size_t m = 0; m < 16; m++)
            p.scores[i * 16 + m] = (float)(group[i] * (m + 1));
    }
    cop_split_input input = split_input(&p);
    const cop_split_options options = few();
    cop_split_half among_all = run(&input, &options);
    input.group = group;
    cop_split_half within = run(&input, &options);
    assert_true(among_all.statistic[COP_SPLIT_PEARSON].summary[0].p < 0.04);
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++)
        assert_true(within.statistic[id].summary[0].p == 1.0);
    assert_int_equal(within.reproducible_rank, 0);
    cop_split_half_free(&among_all);
    cop_split_half_free(&within);
    population_free(&p);
}

/* --- edges --- */

static void check_finite(const cop_split_half *r)
{
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++) {
        const cop_split_statistic *s = &r->statistic[id];
        for (size_t i = 0; i < r->halvings * s->count; i++)
            assert_true(isfinite(s->value[i]) && s->value[i] >= -1.0 && s->value[i] <= 1.0);
        for (size_t i = 0; i < s->count; i++) {
            const cop_split_summary *one = &s->summary[i];
            assert_true(isfinite(one->median) && isfinite(one->null_high) && isfinite(one->z));
            assert_true(one->low <= one->median && one->median <= one->high);
            assert_true(one->p > 0.0 && one->p <= 1.0);
        }
    }
    for (size_t k = 0; k < r->spectrum_count; k++)
        assert_true(isfinite(r->eigenvalue[k]) && r->eigenvalue[k] >= 0.0);
    assert_true(isfinite(r->effective_rank) && isfinite(r->participation_ratio));
}

static void test_all_equal(void **state)
{
    (void)state;
    population p = split_plant(6, 10, 12, 0, 0.0);
    for (size_t i = 0; i < 120; i++)
        p.scores[i] = 0.3F;
    const cop_split_input input = split_input(&p);
    const cop_split_options options = few();
    cop_split_half r = run(&input, &options);
    check_finite(&r);
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++)
        for (size_t i = 0; i < r.statistic[id].count; i++)
            assert_true(r.statistic[id].summary[i].p == 1.0);
    assert_int_equal(r.reproducible_rank, 0);
    assert_int_equal(r.parallel_rank, 0);
    assert_true(r.effective_rank == 0.0);
    cop_split_half_free(&r);
    population_free(&p);
}

/* So few candidates or examples that 16 vectors are most of the dimensions there are: what is
 * planted is found all the same. */
static void test_few_have_a_rank(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{20, 32}, {24, 64}, {60, 24}, {100, 16}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (size_t planted = 0; planted <= 1; planted++) {
            population p = split_plant(50 + i, shapes[i][0], shapes[i][1], planted, 1.5);
            const cop_split_input input = split_input(&p);
            const cop_split_options options = few();
            cop_split_half r = run(&input, &options);
            assert_int_equal(r.reproducible_rank, planted);
            cop_split_half_free(&r);
            population_free(&p);
        }
    }
}

/* Right or wrong: rows and columns without spread, equal rows, odd and small numbers, more
 * examples than candidates and the other way round. */
static void test_binary_scores(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{4, 4}, {5, 5}, {4, 37}, {37, 4}, {9, 23}, {40, 21}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const size_t n = shapes[i][0];
        const size_t m = shapes[i][1];
        population p = split_plant(7 + i, n, m, 1, 1.0);
        for (size_t e = 0; e < n * m; e++)
            p.scores[e] = p.scores[e] > 0.4F ? 1.0F : 0.0F;
        for (size_t e = 0; e < m; e++) {
            p.scores[e] = 0.0F;
            p.scores[m + e] = 1.0F;
            p.scores[3 * m + e] = p.scores[2 * m + e];
        }
        for (size_t c = 0; c < n; c++) {
            p.scores[c * m] = 1.0F;
            p.scores[c * m + 1] = 0.0F;
        }
        const cop_split_input input = split_input(&p);
        const cop_split_options options = few();
        cop_split_half r = run(&input, &options);
        check_finite(&r);
        cop_split_half_free(&r);
        population_free(&p);
    }
}

static void check_refused(const cop_split_input *input, const cop_split_options *options,
                          cop_status status, const char *words)
{
    cop_split_half result;
    cop_error err = {0};
    assert_int_equal(cop_split_half_run(input, options, &result, &err), status);
    if (strstr(err.message, words) == NULL) fail_msg("%s", err.message);
    assert_null(result.eigenvalue);
}

static void test_refused(void **state)
{
    (void)state;
    population p = split_plant(8, 12, 12, 0, 0.0);
    cop_split_options options = few();
    cop_split_input input = split_input(&p);
    input.count = 3;
    check_refused(&input, &options, COP_ERR_CONFIG, "here are 3 and 12");
    input.count = 12;
    input.examples = 3;
    check_refused(&input, &options, COP_ERR_CONFIG, "here are 12 and 3");
    const bool none[12] = {false};
    input.examples = 12;
    input.valid = none;
    check_refused(&input, &options, COP_ERR_CONFIG, "here are 0 and 12");
    input.valid = NULL;
    p.scores[12 * 5 + 7] = NAN;
    check_refused(&input, &options, COP_ERR_NUMERIC, "candidate 5 on example 7");
    p.scores[12 * 5 + 7] = 0.0F;
    p.sigma[2] = 0.0;
    check_refused(&input, &options, COP_ERR_NUMERIC, "candidate 2");
    p.sigma[2] = 0.001;
    options.halvings = 0;
    check_refused(&input, &options, COP_ERR_CONFIG, "at least 1");
    options.halvings = 2;
    const double wrong = 1.5;
    options.q = &wrong;
    options.q_count = 1;
    check_refused(&input, &options, COP_ERR_CONFIG, "q = 1.5");
    population_free(&p);
}

static bool stop_soon(void *context, size_t done, size_t total)
{
    size_t *calls = context;
    assert_true(done >= 1 && done <= total);
    return ++*calls == 3;
}

static void test_stop(void **state)
{
    (void)state;
    population p = split_plant(9, 12, 12, 0, 0.0);
    size_t calls = 0;
    cop_split_options options = few();
    options.tick = stop_soon;
    options.context = &calls;
    const cop_split_input input = split_input(&p);
    check_refused(&input, &options, COP_INTERRUPTED, "stopped");
    assert_int_equal(calls, 3);
    population_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_threads_leave_no_trace),
        cmocka_unit_test(test_left_out_candidates),
        cmocka_unit_test(test_few_have_a_rank),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_all_equal),
        cmocka_unit_test(test_binary_scores),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
