/* Operators against plain formulas, their invariances, and scores that show no direction. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/noise/noise.h"
#include "coppice/search/operators.h"
#include "coppice/search/search.h"

#include <math.h>
#include <string.h>

enum { MOST_CANDIDATES = 40, MOST_EXAMPLES = 24 };

/* Random right-or-wrong scores of candidates of three sizes. */
typedef struct sample {
    size_t count, examples;
    float scores[MOST_CANDIDATES * MOST_EXAMPLES];
    double sigma[MOST_CANDIDATES], reward[MOST_CANDIDATES];
    bool valid[MOST_CANDIDATES];
} sample;

static const double quantiles[] = {0.5, 0.8};
static const double betas[] = {1, 20};

static void draw(sample *s, uint64_t seed)
{
    static const double sizes[] = {0.001, 0.002, 0.004};
    *s = (sample){
        .count =
            3 + (size_t)(cop_noise_bits(seed, COP_STREAM_CLOUD, 0, 0) % (MOST_CANDIDATES - 2)),
        .examples = 1 + (size_t)(cop_noise_bits(seed, COP_STREAM_CLOUD, 0, 1) % MOST_EXAMPLES)};
    for (size_t i = 0; i < s->count; i++) {
        s->sigma[i] = sizes[cop_noise_bits(seed, COP_STREAM_CLOUD, 1, i) % 3];
        s->valid[i] = i < 2 || cop_noise_bits(seed, COP_STREAM_CLOUD, 2, i) % 8 != 0;
        double sum = 0;
        for (size_t m = 0; m < s->examples; m++) {
            const float score =
                (float)(cop_noise_bits(seed, COP_STREAM_CLOUD, 3, i * s->examples + m) % 2);
            s->scores[i * s->examples + m] = score;
            sum += (double)score;
        }
        s->reward[i] = sum / (double)s->examples;
    }
}

static cop_operator_input input_of(const sample *s)
{
    return (cop_operator_input){.count = s->count,
                                .examples = s->examples,
                                .scores = s->scores,
                                .sigma = s->sigma,
                                .reward = s->reward,
                                .valid = s->valid,
                                .q = quantiles,
                                .q_count = 2,
                                .beta = betas,
                                .beta_count = 2,
                                .rank = 4};
}

static cop_directions run_operator(const char *name, const cop_operator_input *input)
{
    const cop_operator *chosen = NULL;
    cop_directions found;
    cop_error err = {0};
    assert_int_equal(cop_operator_find(name, &chosen, &err), COP_OK);
    if (cop_operator_run(chosen, input, &found, &err) != COP_OK)
        fail_msg("%s: %s", name, err.message);
    return found;
}

static double mean_where(const sample *s, const double *values)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!s->valid[i]) continue;
        sum += values[i];
        count++;
    }
    return sum / (double)count;
}

static void expect_z_score(const sample *s, double *a)
{
    const double mean = mean_where(s, s->reward);
    for (size_t i = 0; i < s->count; i++)
        a[i] = s->valid[i] ? s->reward[i] - mean : 0;
}

/* Rank = how many are below, plus half of how many others are equal. */
static void expect_rank(const sample *s, double *a)
{
    for (size_t i = 0; i < s->count; i++) {
        a[i] = 0;
        for (size_t j = 0; j < s->count && s->valid[i]; j++) {
            if (!s->valid[j]) continue;
            a[i] += 0.5 * (s->reward[i] > s->reward[j]) - 0.5 * (s->reward[i] < s->reward[j]);
        }
    }
}

static void expect_precision(const sample *s, double *a)
{
    memset(a, 0, s->count * sizeof *a);
    for (size_t m = 0; m < s->examples; m++) {
        double column[MOST_CANDIDATES];
        double square[MOST_CANDIDATES];
        for (size_t i = 0; i < s->count; i++)
            column[i] = (double)s->scores[i * s->examples + m];
        const double mean = mean_where(s, column);
        for (size_t i = 0; i < s->count; i++)
            square[i] = (column[i] - mean) * (column[i] - mean);
        const double weight = 1 / (sqrt(mean_where(s, square)) + 0.05);
        for (size_t i = 0; i < s->count; i++)
            if (s->valid[i]) a[i] += weight * (column[i] - mean);
    }
}

static double norm_of(const double *a, size_t count)
{
    double square = 0;
    for (size_t i = 0; i < count; i++)
        square += a[i] * a[i];
    return sqrt(square);
}

static void check_against(const char *name, void (*expect)(const sample *, double *))
{
    size_t with_direction = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        sample s;
        double wanted[MOST_CANDIDATES];
        draw(&s, seed);
        const cop_operator_input input = input_of(&s);
        cop_directions found = run_operator(name, &input);
        expect(&s, wanted);
        const double norm = norm_of(wanted, s.count);
        assert_int_equal(found.count, norm > 1e-9);
        for (size_t i = 0; i < s.count && found.count > 0; i++) {
            if (fabs(found.items[0].amplitude[i] - wanted[i] / norm) > 1e-12)
                fail_msg("%s, seed %d, candidate %zu: %g, expected %g", name, (int)seed, i,
                         found.items[0].amplitude[i], wanted[i] / norm);
        }
        with_direction += found.count;
        cop_directions_free(&found);
    }
    assert_true(with_direction > 150);
}

static void test_z_score_is_reward_minus_mean(void **state)
{
    (void)state;
    check_against("z-score", expect_z_score);
}

static void test_rank_shares_ties(void **state)
{
    (void)state;
    check_against("rank", expect_rank);
}

static void test_precision_weighs_columns(void **state)
{
    (void)state;
    check_against("precision", expect_precision);
}

static void test_two_pass_is_the_merge_over_its_grid(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        sample s;
        draw(&s, seed);
        const cop_operator_input input = input_of(&s);
        cop_directions found = run_operator("two-pass", &input);
        assert_int_equal(found.count, 4);
        for (size_t k = 0; k < found.count; k++) {
            cop_merge merge;
            assert_int_equal(cop_merge_run(s.sigma, s.reward, s.valid, s.count,
                                           quantiles[k / 2], betas[k % 2], 4, &merge, NULL),
                             COP_OK);
            assert_true(found.items[k].q == quantiles[k / 2]);
            assert_true(found.items[k].beta == betas[k % 2]);
            assert_true(found.items[k].reference == merge.mean_rss);
            assert_memory_equal(found.items[k].amplitude, merge.direction,
                                s.count * sizeof(double));
            cop_merge_free(&merge);
        }
        cop_directions_free(&found);
    }
}

/* Unit norm, a step of the size of a mean of candidates, orthonormal principal directions. */
static void test_every_direction_is_well_formed(void **state)
{
    (void)state;
    const cop_operator *chosen;
    for (size_t k = 0; (chosen = cop_operator_at(k)) != NULL; k++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            sample s;
            draw(&s, seed);
            const cop_operator_input input = input_of(&s);
            cop_directions found = run_operator(chosen->name, &input);
            for (size_t d = 0; d < found.count; d++) {
                const cop_direction *const one = &found.items[d];
                assert_true(fabs(norm_of(one->amplitude, s.count) - 1) < 1e-9);
                assert_true(one->reference > 0 && one->reference <= 0.004 + 1e-12);
                for (size_t i = 0; i < s.count; i++)
                    if (!s.valid[i]) assert_true(one->amplitude[i] == 0);
                for (size_t a = 0; a < one->rank; a++)
                    assert_true(fabs(norm_of(one->principal + a * s.count, s.count) - 1) <
                                1e-9);
            }
            cop_directions_free(&found);
        }
    }
}

static void test_equal_candidates_show_no_direction(void **state)
{
    (void)state;
    static const char *const names[] = {"z-score", "rank", "precision"};
    sample s;
    draw(&s, 3);
    for (size_t i = 0; i < s.count; i++) {
        s.reward[i] = 0.3;
        for (size_t m = 0; m < s.examples; m++)
            s.scores[i * s.examples + m] = 0.3F;
    }
    const cop_operator_input input = input_of(&s);
    for (size_t k = 0; k < 3; k++) {
        cop_directions found = run_operator(names[k], &input);
        assert_int_equal(found.count, 0);
        cop_directions_free(&found);
    }
}

static void test_bad_input_is_refused(void **state)
{
    (void)state;
    const cop_operator *chosen = NULL;
    cop_directions found;
    cop_error err = {0};
    assert_int_equal(cop_operator_find("presision", &chosen, &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "precision"));
    sample s;
    for (size_t k = 0; (chosen = cop_operator_at(k)) != NULL; k++) {
        draw(&s, 5);
        cop_operator_input input = input_of(&s);
        s.reward[0] = NAN;
        assert_int_equal(cop_operator_run(chosen, &input, &found, &err), COP_ERR_NUMERIC);
        memset(s.valid, 0, sizeof s.valid);
        assert_int_equal(cop_operator_run(chosen, &input, &found, &err), COP_ERR_NUMERIC);
        assert_null(found.items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_z_score_is_reward_minus_mean),
        cmocka_unit_test(test_rank_shares_ties),
        cmocka_unit_test(test_precision_weighs_columns),
        cmocka_unit_test(test_two_pass_is_the_merge_over_its_grid),
        cmocka_unit_test(test_every_direction_is_well_formed),
        cmocka_unit_test(test_equal_candidates_show_no_direction),
        cmocka_unit_test(test_bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
