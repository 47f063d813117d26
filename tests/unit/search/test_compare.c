/* Votes, the bootstrap and McNemar's test, against scipy, statsmodels and plain references. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/compare.h"
#include "coppice/search/search.h"
#include "unit/search/search_golden.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWS = 200, MEMBERS = 12, EXAMPLES = 40 };

static json_t *golden;

static int load_golden(void **state)
{
    (void)state;
    golden = json_load_file("tests/data/stats.json", 0, NULL);
    return golden == NULL ? -1 : 0;
}

static int drop_golden(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

static const json_t *cases_of(const char *key)
{
    const json_t *const list = json_object_get(golden, key);
    assert_true(json_array_size(list) > 0);
    return list;
}

static uint64_t golden_u64(const json_t *text)
{
    assert_true(json_is_string(text));
    return strtoull(json_string_value(text), NULL, 10);
}

/* --- votes --- */

static void test_vote_golden(void **state)
{
    (void)state;
    const json_t *const cases = cases_of("vote");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *const one = json_array_get(cases, c);
        const json_t *const list = json_object_get(one, "answers");
        uint64_t answers[64];
        float scores[64];
        cop_ballot ballot = {.answers = answers, .scores = scores, .examples = 1};
        ballot.members = json_array_size(list);
        assert_in_range(ballot.members, 1, 64);
        for (size_t k = 0; k < ballot.members; k++) {
            answers[k] = golden_u64(json_array_get(list, k));
            scores[k] = (float)(answers[k] % 97) + 1;
        }
        size_t winner;
        float score;
        assert_int_equal(cop_vote(&ballot, &winner, &score, NULL), COP_OK);
        assert_int_equal(winner, golden_number(one, "winner"));
        assert_true(score == scores[winner == ballot.members ? 0 : winner]);
    }
}

/* Each example by itself, counted the plain way; the least score of the winner's voters. */
static void test_vote_reference(void **state)
{
    (void)state;
    uint64_t answers[MEMBERS * EXAMPLES];
    float scores[MEMBERS * EXAMPLES];
    uint32_t x = 7;
    for (size_t i = 0; i < (size_t)MEMBERS * EXAMPLES; i++) {
        x = x * 1664525U + 1013904223U;
        answers[i] = (x >> 24) % (1 + i % EXAMPLES);
        scores[i] = (float)(x >> 8 & 255U) / 256.0F;
    }
    for (size_t members = 0; members <= MEMBERS; members++) {
        const cop_ballot ballot = {answers, scores, members, EXAMPLES};
        size_t winner[EXAMPLES];
        float score[EXAMPLES];
        assert_int_equal(cop_vote(&ballot, winner, score, NULL), COP_OK);
        for (size_t m = 0; m < EXAMPLES; m++) {
            size_t best = members;
            size_t most = 0;
            float least = members > 0 ? scores[m] : 0; /* where nobody answers */
            for (size_t k = 0; k < members; k++) {
                const uint64_t own = answers[k * EXAMPLES + m];
                size_t votes = 0;
                float lowest = 2;
                for (size_t j = 0; j < members && own != COP_VOTE_NO_ANSWER; j++) {
                    if (answers[j * EXAMPLES + m] != own) continue;
                    votes++;
                    lowest = fminf(lowest, scores[j * EXAMPLES + m]);
                }
                if (votes <= most) continue;
                most = votes;
                best = k;
                least = lowest;
            }
            assert_int_equal(winner[m], best);
            assert_true(score[m] == least);
        }
    }
}

/* --- the bootstrap --- */

static void check_bootstrap(const json_t *one)
{
    const size_t count = (size_t)golden_number(one, "count");
    const json_t *const rows = json_object_get(one, "values");
    const json_t *const wanted = json_object_get(one, "intervals");
    const cop_bootstrap how = {.resamples = (size_t)golden_number(one, "resamples"),
                               .confidence = golden_number(one, "confidence"),
                               .seed = golden_u64(json_object_get(one, "seed"))};
    double values[2 * 64];
    cop_interval both[2], alone;
    assert_int_equal(json_array_size(rows), 2);
    assert_in_range(count, 1, 64);
    for (size_t r = 0; r < 2; r++)
        for (size_t i = 0; i < count; i++)
            values[r * count + i] =
                json_number_value(json_array_get(json_array_get(rows, r), i));
    assert_int_equal(cop_compare_bootstrap(values, 2, count, &how, both, NULL), COP_OK);
    for (size_t r = 0; r < 2; r++) {
        const json_t *const want = json_array_get(wanted, r);
        golden_compare(both[r].low, json_number_value(json_array_get(want, 0)), 1, 1e-13,
                       "low");
        golden_compare(both[r].high, json_number_value(json_array_get(want, 1)), 1, 1e-13,
                       "high");
        assert_int_equal(
            cop_compare_bootstrap(values + r * count, 1, count, &how, &alone, NULL), COP_OK);
        assert_true(alone.low == both[r].low && alone.high == both[r].high);
    }
}

static void test_bootstrap_golden(void **state)
{
    (void)state;
    const json_t *const cases = cases_of("bootstrap");
    for (size_t c = 0; c < json_array_size(cases); c++)
        check_bootstrap(json_array_get(cases, c));
}

/* scipy's own paired bootstrap draws other numbers: the ends agree to a tenth of a standard
 * error, or to one step of the mean where that is more. */
static void test_bootstrap_scipy(void **state)
{
    (void)state;
    const json_t *const cases = cases_of("scipy_bootstrap");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *const one = json_array_get(cases, c);
        size_t count;
        double *const before = golden_list(one, "before", &count);
        double *const after = golden_list(one, "after", &count);
        for (size_t i = 0; i < count; i++)
            after[i] -= before[i];
        const cop_bootstrap how = {.resamples = 20000, .confidence = 0.95, .seed = 3};
        cop_interval got;
        assert_int_equal(cop_compare_bootstrap(after, 1, count, &how, &got, NULL), COP_OK);
        const double near =
            fmax(0.1 * golden_number(one, "standard_error"), 1.001 / (double)count);
        golden_compare(got.low, golden_number(one, "low"), 1, near, "low");
        golden_compare(got.high, golden_number(one, "high"), 1, near, "high");
        free(before);
        free(after);
    }
}

static cop_interval bootstrap(const double *values, size_t count, size_t resamples,
                              double confidence, uint64_t seed)
{
    const cop_bootstrap how = {resamples, confidence, seed};
    cop_interval got;
    assert_int_equal(cop_compare_bootstrap(values, 1, count, &how, &got, NULL), COP_OK);
    return got;
}

static void test_bootstrap_seeds(void **state)
{
    (void)state;
    double values[DRAWS];
    for (size_t i = 0; i < DRAWS; i++)
        values[i] = i % 4 == 0; /* mean 1/4, standard error 0.0306 */
    const cop_interval one = bootstrap(values, DRAWS, 4000, 0.95, 7);
    golden_compare(one.low, 0.25 - 1.96 * 0.0306, 1, 0.012, "low");
    golden_compare(one.high, 0.25 + 1.96 * 0.0306, 1, 0.012, "high");
    const cop_interval again = bootstrap(values, DRAWS, 4000, 0.95, 7);
    assert_true(one.low == again.low && one.high == again.high);
    const cop_interval other = bootstrap(values, DRAWS, 4000, 0.95, 8);
    assert_true(one.low != other.low || one.high != other.high);
    /* Every value is drawn. */
    const double two[] = {-1.0, 1.0};
    const cop_interval wide = bootstrap(two, 2, 64, 0.999, 1);
    golden_compare(wide.low, -1.0, 1, 0.1, "low");
    golden_compare(wide.high, 1.0, 1, 0.1, "high");
}

static void test_bootstrap_refuses(void **state)
{
    (void)state;
    const double value = 1.0;
    const struct {
        size_t rows, count;
        cop_bootstrap how;
        cop_status status;
    } wrong[] = {
        {1, 0, {10, 0.95, 1}, COP_ERR_INTERNAL},   {0, 1, {10, 0.95, 1}, COP_ERR_INTERNAL},
        {1, 1, {0, 0.95, 1}, COP_ERR_INTERNAL},    {1, 1, {10, 1.0, 1}, COP_ERR_CONFIG},
        {1, 1, {10, 0.0, 1}, COP_ERR_CONFIG},      {1, 1, {10, NAN, 1}, COP_ERR_CONFIG},
        {SIZE_MAX, 2, {1, 0.5, 1}, COP_ERR_MEMORY}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cop_interval got;
        cop_error err = {0};
        assert_int_equal(cop_compare_bootstrap(&value, wrong[i].rows, wrong[i].count,
                                               &wrong[i].how, &got, &err),
                         wrong[i].status);
        assert_int_equal(err.status, wrong[i].status);
    }
}

/* --- McNemar's test --- */

static void test_mcnemar_golden(void **state)
{
    (void)state;
    const json_t *const cases = cases_of("mcnemar");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *const one = json_array_get(cases, c);
        const size_t gained = (size_t)golden_number(one, "gained");
        const size_t lost = (size_t)golden_number(one, "lost");
        const cop_mcnemar got = cop_compare_mcnemar_counts(gained, lost);
        const double exact = golden_number(one, "exact");
        const double mid = golden_number(one, "mid");
        golden_compare(got.exact, exact, exact, 1e-10, "exact");
        golden_compare(got.mid, mid, mid, 1e-10, "mid");
        assert_true(got.gained == gained && got.lost == lost);
        if (gained + lost == 0) continue;
        const double chi2 = golden_number(one, "chi2");
        golden_compare(got.chi2, chi2, chi2, 1e-9, "chi2");
        golden_compare(got.chi2_value, golden_number(one, "chi2_value"), 1 + got.chi2_value,
                       1e-13, "chi2_value");
    }
}

static void test_mcnemar_scores(void **state)
{
    (void)state;
    const cop_measure right = {.correct_at = 1.0};
    const cop_measure reward = {.on_reward = true};
    const float mine[] = {1.0F, 1.1F, 0.9F, 0.0F, 1.0F, 1.0F};
    const float theirs[] = {1.0F, 0.1F, 1.0F, 0.0F, 0.99F, 0.0F};
    const cop_mcnemar got = cop_compare_mcnemar(mine, theirs, 6, &right);
    assert_int_equal(got.gained, 3);
    assert_int_equal(got.lost, 1);
    golden_compare(got.exact, 0.625, 1, 1e-15, "exact");
    golden_compare(got.mid, 0.375, 1, 1e-15, "mid");
    const cop_mcnemar signs = cop_compare_mcnemar(mine, theirs, 6, &reward);
    assert_true(signs.gained == 3 && signs.lost == 1); /* 1.0 above 0.99, 0.9 below 1.0 */
    const cop_mcnemar same = cop_compare_mcnemar(mine, mine, 6, &right);
    assert_true(same.exact == 1 && same.mid == 1 && same.chi2 == 1);
    const cop_mcnemar none = cop_compare_mcnemar(NULL, NULL, 0, &right);
    assert_true(none.exact == 1);
}

/* Far tails neither trap nor leave [0, 1]; both directions agree; the size of a set does not
 * matter. */
static void test_mcnemar_extremes(void **state)
{
    (void)state;
    for (size_t a = 0; a < 100000; a = a * 3 + 1) {
        for (size_t b = 0; b < 100000; b = b * 5 + 2) {
            const cop_mcnemar one = cop_compare_mcnemar_counts(a, b);
            const cop_mcnemar two = cop_compare_mcnemar_counts(b, a);
            assert_true(one.exact == two.exact && one.mid == two.mid && one.chi2 == two.chi2);
            assert_true(one.exact >= 0 && one.exact <= 1 && one.mid >= 0 &&
                        one.mid <= one.exact);
        }
    }
}

/* --- Wilson's interval --- */

static void test_wilson_golden(void **state)
{
    (void)state;
    const json_t *const cases = cases_of("wilson");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *const one = json_array_get(cases, c);
        double low, high;
        cop_stats_wilson((size_t)golden_number(one, "successes"),
                         (size_t)golden_number(one, "count"), golden_number(one, "confidence"),
                         &low, &high);
        golden_compare(low, golden_number(one, "low"), 1, 1e-13, "low");
        golden_compare(high, golden_number(one, "high"), 1, 1e-13, "high");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vote_golden),      cmocka_unit_test(test_vote_reference),
        cmocka_unit_test(test_bootstrap_golden), cmocka_unit_test(test_bootstrap_scipy),
        cmocka_unit_test(test_bootstrap_seeds),  cmocka_unit_test(test_bootstrap_refuses),
        cmocka_unit_test(test_mcnemar_golden),   cmocka_unit_test(test_mcnemar_scores),
        cmocka_unit_test(test_mcnemar_extremes), cmocka_unit_test(test_wilson_golden),
    };
    return cmocka_run_group_tests(tests, load_golden, drop_golden);
}
