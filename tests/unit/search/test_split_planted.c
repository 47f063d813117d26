/* The split-half analysis finds the structure that was planted, and none where there is none.
 * COPPICE_CALIBRATION=full takes the numbers of draws that the claims are made for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/affinity.h"
#include "unit/search/split_support.h"

#include <stdio.h>
#include <string.h>

enum { CANDIDATES = 300, EXAMPLES = 128 };

/* How much is drawn. */
typedef struct effort {
    size_t draws, halvings, permutations;
    size_t null_draws, null_permutations;
} effort;

static effort effort_of(void)
{
    const char *const wish = getenv("COPPICE_CALIBRATION");
    const bool full = wish != NULL && strcmp(wish, "full") == 0;
    return (effort){.draws = full ? 100 : 4,
                    .halvings = full ? 100 : 20,
                    .permutations = 40,
                    .null_draws = full ? 200 : 40,
                    .null_permutations = full ? 99 : 59};
}

static cop_split_half analyse_input(const cop_split_input *input, size_t halvings,
                                    size_t permutations)
{
    static const double q[] = {0.7};
    static const double beta[] = {2.0, 20.0};
    const cop_split_options options = {.halvings = halvings,
                                       .permutations = permutations,
                                       .seed = 17,
                                       .q = q,
                                       .beta = beta,
                                       .q_count = 1,
                                       .beta_count = 2,
                                       .threads = cop_affinity_core_count()};
    cop_split_half result;
    cop_error err = {0};
    if (cop_split_half_run(input, &options, &result, &err) != COP_OK)
        fail_msg("%s", err.message);
    return result;
}

static cop_split_half analyse(const population *p, size_t halvings, size_t permutations)
{
    const cop_split_input input = split_input(p);
    return analyse_input(&input, halvings, permutations);
}

/* Draws of one kind: how many have their rank right, and how many too high. */
static void count_ranks(size_t dimensions, double ratio, bool powerful)
{
    const effort much = effort_of();
    size_t right = 0;
    size_t above = 0;
    size_t parallel = 0;
    for (size_t d = 0; d < much.draws; d++) {
        population p = split_plant(1000 + d, CANDIDATES, EXAMPLES, dimensions, ratio);
        cop_split_half result = analyse(&p, much.halvings, much.permutations);
        right += result.reproducible_rank == dimensions;
        above += result.reproducible_rank > dimensions;
        parallel += result.parallel_rank == dimensions;
        cop_split_half_free(&result);
        population_free(&p);
    }
    print_message(
        "* %zu dimensions at signal to noise %g: rank right in %zu of %zu draws, above "
        "in %zu; parallel analysis right in %zu\n",
        dimensions, ratio, right, much.draws, above, parallel);
    (void)fflush(stdout);
    if (powerful) assert_true(right * 100 >= much.draws * 95);
    assert_true(above * 100 <= much.draws * 5);
}

static void test_planted_rank_is_found(void **state)
{
    (void)state;
    static const size_t dimensions[] = {1, 3, 8};
    static const double ratios[] = {2.0, 1.0, 0.5};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            count_ranks(dimensions[i], ratios[j], ratios[j] >= 1.0);
}

static void test_no_rank_where_none_is(void **state)
{
    (void)state;
    count_ranks(0, 0.0, true);
}

/* --- p-values without structure --- */

enum { LOOKED_AT = 8, MOST_DRAWS = 1000 };

/* A few of all statistics. */
static void pick(const cop_split_half *result, double p[LOOKED_AT])
{
    const cop_split_statistic *const s = result->statistic;
    const size_t last = s[COP_SPLIT_OVERLAP].count - 1;
    p[0] = s[COP_SPLIT_PEARSON].summary[0].p;
    p[1] = s[COP_SPLIT_SPEARMAN].summary[0].p;
    p[2] = s[COP_SPLIT_DIRECTION].summary[0].p;
    p[3] = s[COP_SPLIT_DIRECTION].summary[1].p;
    p[4] = s[COP_SPLIT_OVERLAP].summary[0].p;
    p[5] = s[COP_SPLIT_OVERLAP].summary[3].p;
    p[6] = s[COP_SPLIT_OVERLAP].summary[last].p;
    p[7] = s[COP_SPLIT_CANONICAL].summary[0].p;
}

static int compare_rising(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's p of values [count] against the uniform distribution: the limit law
 * at Stephens' corrected distance. */
static double test_uniform(double *values, size_t count)
{
    const double n = (double)count;
    double distance = 0.0;
    qsort(values, count, sizeof *values, compare_rising);
    for (size_t i = 0; i < count; i++) {
        distance = fmax(distance, (double)(i + 1) / n - values[i]);
        distance = fmax(distance, values[i] - (double)i / n);
    }
    const double t = distance * (sqrt(n) + 0.12 + 0.11 / sqrt(n));
    double p = 0.0;
    for (int k = 1; k <= 100; k++)
        p += (k % 2 == 1 ? 2.0 : -2.0) * exp(-2.0 * k * k * t * t);
    return fmax(0.0, fmin(1.0, p));
}

static void test_p_is_uniform_without_structure(void **state)
{
    (void)state;
    static const char *const names[LOOKED_AT] = {
        "reward, Pearson", "reward, Spearman", "direction, beta 2", "direction, beta 20",
        "overlap(1)",      "overlap(4)",       "overlap(16)",       "canonical, first"};
    static double p[LOOKED_AT][MOST_DRAWS];
    const effort much = effort_of();
    assert_true(much.null_draws <= MOST_DRAWS);
    for (size_t d = 0; d < much.null_draws; d++) {
        population none = split_plant(5000 + d, CANDIDATES, EXAMPLES, 0, 0.0);
        /* p is made of the first halvings only. */
        cop_split_half result = analyse(&none, COP_SPLIT_NULL_HALVINGS, much.null_permutations);
        double one[LOOKED_AT];
        pick(&result, one);
        for (size_t i = 0; i < LOOKED_AT; i++)
            p[i][d] = one[i];
        cop_split_half_free(&result);
        population_free(&none);
    }
    for (size_t i = 0; i < LOOKED_AT; i++) {
        const double ks = test_uniform(p[i], much.null_draws);
        print_message("* %s: p over %zu draws of noise, Kolmogorov-Smirnov p %.3f\n", names[i],
                      much.null_draws, ks);
        assert_true(ks > 0.01);
    }
}

/* --- candidates who chose the examples --- */

enum { SCREENED = 60, JUDGES = 16 };

/* Right answers to 5% of the questions, of nobody more than of others, and of the questions
 * that the first candidates all fail or all solve each is replaced once. */
static population draw_screened(uint64_t draw)
{
    population p = split_plant(draw, SCREENED, EXAMPLES, 0, 0.0);
    for (size_t m = 0; m < EXAMPLES; m++) {
        for (uint64_t question = m; question < 2 * EXAMPLES; question += EXAMPLES) {
            size_t solved = 0;
            for (size_t i = 0; i < SCREENED; i++) {
                const bool right = cop_noise_uniform(draw, COP_STREAM_BOOTSTRAP, 6,
                                                     question * SCREENED + i) < 0.05;
                p.scores[i * EXAMPLES + m] = right ? 1.0F : 0.0F;
                solved += i < JUDGES && right;
            }
            if (solved > 0 && solved < JUDGES) break;
        }
    }
    return p;
}

/* Permuted among those who chose and among the others p keeps what it promises; the promise is
 * broken without that. */
static void test_p_holds_where_candidates_chose_the_examples(void **state)
{
    (void)state;
    const effort much = effort_of();
    uint32_t group[SCREENED];
    size_t below[2] = {0};
    double reliability = 0;
    for (size_t i = 0; i < SCREENED; i++)
        group[i] = i < JUDGES ? 0 : JUDGES;
    for (size_t d = 0; d < much.null_draws; d++) {
        population p = draw_screened(9000 + d);
        for (size_t apart = 0; apart < 2; apart++) {
            cop_split_input input = split_input(&p);
            input.group = apart ? group : NULL;
            cop_split_half result =
                analyse_input(&input, COP_SPLIT_NULL_HALVINGS, much.null_permutations);
            below[apart] += result.statistic[COP_SPLIT_PEARSON].summary[0].p < 0.05;
            if (apart)
                reliability += result.statistic[COP_SPLIT_SPEARMAN_BROWN].summary[0].median /
                               (double)much.null_draws;
            cop_split_half_free(&result);
        }
        population_free(&p);
    }
    print_message(
        "* examples that %d of %d chose: p below 0.05 in %zu of %zu draws of noise, in "
        "%zu permuted apart; mean reliability %.2f\n",
        JUDGES, SCREENED, below[0], much.null_draws, below[1], reliability);
    assert_true(below[1] * 100 <= much.null_draws * 13);
    assert_true(below[0] > below[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_rank_is_found),
        cmocka_unit_test(test_no_rank_where_none_is),
        cmocka_unit_test(test_p_is_uniform_without_structure),
        cmocka_unit_test(test_p_holds_where_candidates_chose_the_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
