/* What the gate, guards, races and intervals hold of what they promise, on scores that are
 * drawn with nothing to find in them. The figures of jobs/README.md and race.h are those that
 * this prints with COPPICE_CALIBRATION=full, which draws as much as they need (make
 * check-calibration). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/compare.h"
#include "unit/search/race_support.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES = 3, ROUNDS = 4, MOST = 400 };

static const cop_measure right = {.correct_at = 1.0};
static const cop_measure reward = {.on_reward = true, .correct_at = 1.0};

static size_t draws_of(size_t few, size_t full)
{
    const char *const wish = getenv("COPPICE_CALIBRATION");
    return wish != NULL && strcmp(wish, "full") == 0 ? full : few;
}

/* Numbers of a stream, one after the other. */
typedef struct source {
    uint64_t seed, next;
} source;

static double uniform(source *s)
{
    return cop_noise_uniform(s->seed, COP_STREAM_BOOTSTRAP, 5, s->next++);
}

/* Three standard errors above a share of so many draws. */
static double at_most(double share, size_t draws)
{
    return share + 3 * sqrt(share * (1 - share) / (double)draws);
}

/* --- the gate --- */

typedef enum difference {
    RIGHT_OR_WRONG, /* `changed` of the examples, as many fixed as broken */
    SKEWED,         /* losses are log-normal, gains what makes up for them */
    RARE            /* gains of 0.01, and one of 101 loses 1 */
} difference;

/* How a proposal's rewards differ from what it is compared with: they are worse by `loss` in
 * the mean, in truth. */
typedef struct proposal {
    difference kind;
    size_t examples;
    double changed, loss;
    double z;       /* of one try */
    double promise; /* the share that passes at the most; 0: nothing is promised */
} proposal;

static const cop_measure *measure_of(const proposal *p)
{
    return p->kind == RIGHT_OR_WRONG ? &right : &reward;
}

static const char *name_of(const proposal *p)
{
    static const char *const names[] = {"right or wrong", "log-normal losses",
                                        "one in 101 loses 1"};
    return names[p->kind];
}

static double draw_difference(const proposal *p, source *s)
{
    const double u = uniform(s);
    switch (p->kind) {
    case RIGHT_OR_WRONG:
        return u < p->changed / 2 ? 1 : (u < p->changed + p->loss ? -1 : 0);
    case SKEWED:
        return exp(0.5) - exp(cop_stats_normal_quantile(u)) - p->loss;
    default:
        return (u < 1.0 / 101 ? -1 : 0.01) - p->loss;
    }
}

static void draw_scores(const proposal *p, source *s, float *scores, float *other)
{
    for (size_t i = 0; i < p->examples; i++) {
        const double d = draw_difference(p, s);
        other[i] = d < 0 ? 1.0F : 0.0F;
        scores[i] = other[i] + (float)d;
    }
}

/* Of rounds of three tries the share that lets a proposal through. */
static double share_through_gate(const proposal *p, double weight, size_t rounds)
{
    source s = {.seed = 1};
    size_t through = 0;
    float scores[MOST], centre[MOST];
    for (size_t r = 0; r < rounds; r++) {
        bool accepted = false;
        for (size_t k = 0; k < TRIES && !accepted; k++) {
            draw_scores(p, &s, scores, centre);
            accepted = cop_gate_decide(scores, centre, p->examples, measure_of(p), weight,
                                       cop_gate_raise_z(p->z, TRIES))
                           .accepted;
        }
        through += accepted;
    }
    return (double)through / (double)rounds;
}

static void level_proposals_pass_the_gate_as_seldom_as_promised(void **state)
{
    (void)state;
    static const proposal cells[] = {{RIGHT_OR_WRONG, 128, 0.02, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 128, 0.05, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 128, 0.10, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 128, 0.30, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 200, 0.02, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 200, 0.05, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 200, 0.10, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 200, 0.30, 0, 1, 0.16},
                                     {RIGHT_OR_WRONG, 128, 0.05, 0, 2, 0.03},
                                     {RIGHT_OR_WRONG, 128, 0.10, 0, 2, 0.03},
                                     {SKEWED, 128, 1, 0, 1, 0},
                                     {RARE, 128, 1, 0, 1, 0}};
    const size_t rounds = draws_of(400, 20000);
    print_message("gate: of %zu rounds of %d tries with what is level those that let one\n"
                  "through, and of searches of %d rounds; regression_weight 2 and 1\n",
                  rounds, TRIES, ROUNDS);
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        const proposal *const p = &cells[i];
        const double share = share_through_gate(p, 2, rounds);
        const double once = share_through_gate(p, 1, rounds);
        print_message("  z %g, %zu examples, %2.0f%% change, %-18s  %.3f %.3f   %.3f %.3f\n",
                      p->z, p->examples, 100 * p->changed, name_of(p), share,
                      1 - pow(1 - share, ROUNDS), once, 1 - pow(1 - once, ROUNDS));
        assert_true(share <= once);
        if (p->promise > 0) assert_true(share <= at_most(p->promise * 1.15, rounds));
    }
}

/* --- guards --- */

static void what_loses_just_what_is_allowed_seldom_passes_a_guard(void **state)
{
    (void)state;
    static const proposal cells[] = {{RIGHT_OR_WRONG, 128, 0.05, 0.05, 1, 0.16},
                                     {RIGHT_OR_WRONG, 128, 0.20, 0.05, 1, 0.16},
                                     {RIGHT_OR_WRONG, 400, 0.20, 0.05, 1, 0.16},
                                     {SKEWED, 128, 1, 0.05, 1, 0},
                                     {SKEWED, 400, 1, 0.05, 1, 0},
                                     {RARE, 128, 1, 0.05, 1, 0}};
    const size_t draws = draws_of(400, 20000);
    print_message("guard: of %zu proposals that lose just what is allowed those that pass\n",
                  draws);
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        const proposal *const p = &cells[i];
        source s = {.seed = 2};
        size_t through = 0;
        float scores[MOST], base[MOST];
        for (size_t d = 0; d < draws; d++) {
            draw_scores(p, &s, scores, base);
            through += cop_guard_decide(scores, base, p->examples, measure_of(p), p->loss, p->z)
                           .accepted;
        }
        const double share = (double)through / (double)draws;
        print_message("  z %g, %zu examples, %-18s  %.3f\n", p->z, p->examples, name_of(p),
                      share);
        if (p->promise > 0) assert_true(share <= at_most(p->promise * 1.25, draws));
    }
}

/* --- races --- */

enum { PROPOSALS = 126, LEVEL = 60, PROBE = 64 };

static double sum_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t j = 0; j < count; j++)
        sum += values[j];
    return sum;
}

static void the_best_of_many_is_seldom_lost(void **state)
{
    (void)state;
    static double values[PROPOSALS * 100];
    const size_t races = draws_of(30, 1000);
    print_message("race: of %zu among %d proposals those that lose the best, and how far what\n"
                  "is taken then lies behind it; the share of answers\n",
                  races, PROPOSALS);
    for (size_t k = 0; k < 6; k++) {
        const size_t examples = k < 3 ? PROBE : 100;
        const size_t stages = (size_t)4 << k % 3;
        size_t lost = 0;
        double behind = 0;
        double answers = 0;
        for (size_t r = 0; r < races; r++) {
            race_generate(r, PROPOSALS, examples, values);
            const size_t best = race_choose(values, PROPOSALS, examples, NULL);
            const race_replay got = race_run(values, PROPOSALS, examples, stages, TRIES);
            answers += got.answers / (double)(PROPOSALS * examples * races);
            if (got.chosen == best) continue;
            lost++;
            behind += (sum_of(values + best * examples, examples) -
                       sum_of(values + got.chosen * examples, examples)) /
                      (double)examples;
        }
        print_message("  %2zu stages, %3zu examples  %.3f  %.3f  %.2f\n", stages, examples,
                      (double)lost / (double)races, lost > 0 ? behind / (double)lost : 0,
                      answers);
        assert_true((double)lost / (double)races <= at_most(0.1, races));
    }
}

/* Rows that all examples show alike: as many right in each, other ones. */
static void fill_level(uint64_t seed, double *values)
{
    for (size_t i = 0; i < LEVEL; i++) {
        size_t place[PROBE];
        race_permute(1 + seed * LEVEL + i, PROBE, place);
        for (size_t j = 0; j < PROBE; j++)
            values[i * PROBE + place[j]] = j < PROBE / 2 ? 1 : 0;
    }
}

static void of_many_that_are_level_some_stay(void **state)
{
    (void)state;
    static double values[LEVEL * PROBE];
    const size_t races = draws_of(20, 500);
    print_message("race: of %d proposals level on %d examples the share that leaves, in %zu\n",
                  LEVEL, PROBE, races);
    for (size_t stages = 2; stages <= 16; stages *= 2) {
        double left = 0;
        for (size_t r = 0; r < races; r++) {
            const cop_race_plan plan = cop_race_make_plan(PROBE, stages, PROBE);
            cop_race_row row[LEVEL] = {{0}};
            size_t gone = 0;
            fill_level(r, values);
            for (size_t k = 1; k < plan.stages; k++) {
                const cop_race_look look = {.values = values,
                                            .rows = LEVEL,
                                            .examples = PROBE,
                                            .seen = k * plan.unit * plan.stage_units,
                                            .z = plan.z};
                assert_int_equal(cop_race_run_look(&look, row, NULL), COP_OK);
            }
            for (size_t i = 0; i < LEVEL; i++)
                gone += row[i].seen > 0;
            assert_true(gone < LEVEL);
            left += (double)gone / (double)(LEVEL * races);
        }
        print_message("  %2zu stages  %.2f\n", stages, left);
    }
}

/* One earns 1 on seven of 64 examples, the other 0.1 on each. */
static void who_earns_on_few_examples_may_be_lost(void **state)
{
    (void)state;
    const size_t races = draws_of(200, 10000);
    print_message(
        "race: of %zu those that lose who earns 1 on 7 of %d to who earns 0.1 on each\n", races,
        PROBE);
    for (size_t stages = 2; stages <= 16; stages *= 2) {
        size_t lost = 0;
        for (size_t r = 0; r < races; r++) {
            double values[2 * PROBE];
            size_t place[PROBE];
            race_permute(1 + r, PROBE, place);
            for (size_t j = 0; j < PROBE; j++) {
                values[place[j]] = j < 7 ? 1 : 0;
                values[PROBE + j] = 0.1;
            }
            lost += race_run(values, 2, PROBE, stages, 1).chosen == 1;
        }
        print_message("  %2zu stages  %.2f\n", stages, (double)lost / (double)races);
        assert_true(lost < races);
    }
}

/* --- intervals --- */

/* Of rows of differences, `fixed` and `broken` shares, those whose interval holds the truth. */
static double share_held(size_t rows, size_t count, double fixed, double broken)
{
    double *const values = cop_memory_alloc(rows * count, sizeof *values, NULL);
    cop_interval *const intervals = cop_memory_alloc(rows, sizeof *intervals, NULL);
    const cop_bootstrap how = {.resamples = draws_of(1000, 10000), .confidence = 0.95};
    source s = {.seed = 3};
    size_t held = 0;
    assert_true(values != NULL && intervals != NULL);
    for (size_t i = 0; i < rows * count; i++) {
        const double u = uniform(&s);
        values[i] = u < fixed ? 1 : (u < fixed + broken ? -1 : 0);
    }
    assert_int_equal(cop_compare_bootstrap(values, rows, count, &how, intervals, NULL), COP_OK);
    for (size_t i = 0; i < rows; i++)
        held += intervals[i].low <= fixed - broken && intervals[i].high >= fixed - broken;
    cop_memory_free(values);
    cop_memory_free(intervals);
    return (double)held / (double)rows;
}

static void intervals_hold_the_truth_where_answers_differ(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        double fixed, broken, least;
    } cells[] = {{100, 0.01, 0, 0},     {200, 0.01, 0, 0},     {400, 0.01, 0, 0},
                 {100, 0.1, 0.02, 0.9}, {200, 0.1, 0.05, 0.9}, {400, 0.02, 0.01, 0.9},
                 {400, 0.1, 0.05, 0.9}};
    const size_t rows = draws_of(200, 2000);
    print_message("bootstrap: of %zu intervals of 95%% those that hold the truth\n", rows);
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        const double held = share_held(rows, cells[i].count, cells[i].fixed, cells[i].broken);
        print_message("  %zu examples, %2.0f%% fixed, %2.0f%% broken  %.3f\n", cells[i].count,
                      100 * cells[i].fixed, 100 * cells[i].broken, held);
        assert_true(1 - held <= at_most(1 - cells[i].least, rows));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_proposals_pass_the_gate_as_seldom_as_promised),
        cmocka_unit_test(what_loses_just_what_is_allowed_seldom_passes_a_guard),
        cmocka_unit_test(the_best_of_many_is_seldom_lost),
        cmocka_unit_test(of_many_that_are_level_some_stay),
        cmocka_unit_test(who_earns_on_few_examples_may_be_lost),
        cmocka_unit_test(intervals_hold_the_truth_where_answers_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
