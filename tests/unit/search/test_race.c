/* The rule of races, by itself and on generated scores. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/race.h"
#include "unit/search/race_support.h"

#include <string.h>

enum { ROWS = 40, EXAMPLES = 48 };

static double uniform(uint64_t domain, uint64_t index)
{
    return (double)(cop_noise_bits(17, COP_STREAM_BOOTSTRAP, (uint32_t)domain, index) >> 11) *
           0x1p-53;
}

/* Rewards of any size, with differences between rows that show. */
static void fill(double values[ROWS * EXAMPLES], uint64_t seed)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < EXAMPLES; j++)
            values[i * EXAMPLES + j] =
                uniform(2 * seed, i) + 1.5 * uniform(2 * seed + 1, i * EXAMPLES + j);
    }
}

static void run(const cop_race_look *look, cop_race_row *row)
{
    cop_error err = {0};
    assert_int_equal(cop_race_run_look(look, row, &err), COP_OK);
}

/* --- plans --- */

static void stages_end_where_units_do(void **state)
{
    (void)state;
    static const struct {
        size_t examples, stages, batch;
        cop_race_plan want;
    } cases[] = {
        {64, 4, 128, {4, 16, 1, 0}}, {64, 8, 128, {8, 8, 1, 0}}, {128, 4, 16, {4, 16, 2, 0}},
        {100, 4, 16, {4, 13, 2, 0}}, {5, 8, 128, {5, 1, 1, 0}},  {7, 4, 128, {4, 2, 1, 0}},
        {1, 4, 128, {1, 1, 1, 0}},   {30, 3, 16, {3, 10, 1, 0}}, {64, 1, 16, {1, 16, 4, 0}}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const cop_race_plan plan =
            cop_race_make_plan(cases[k].examples, cases[k].stages, cases[k].batch);
        assert_int_equal(plan.stages, cases[k].want.stages);
        assert_int_equal(plan.unit, cases[k].want.unit);
        assert_int_equal(plan.stage_units, cases[k].want.stage_units);
    }
    for (size_t examples = 1; examples < 140; examples++) {
        for (size_t stages = 1; stages < 20; stages++) {
            for (size_t batch = 1; batch < 70; batch += 3) {
                const cop_race_plan p = cop_race_make_plan(examples, stages, batch);
                const size_t stage = p.unit * p.stage_units;
                assert_true(p.unit >= 1 && p.unit <= batch && p.stages <= stages);
                assert_true(stage * (p.stages - 1) < examples && examples <= stage * p.stages);
                assert_true((p.z > 0) == (p.stages > 1));
            }
        }
    }
}

static void chances_of_all_looks_add_up_to_the_error(void **state)
{
    (void)state;
    for (size_t stages = 2; stages <= 64; stages++) {
        const cop_race_plan plan = cop_race_make_plan(640, stages, 640);
        const double looks = (double)plan.stages - 1;
        assert_true(fabs(looks * cop_stats_normal_cdf(-plan.z) - COP_RACE_ERROR) < 1e-5);
    }
}

/* --- the rule --- */

/* d = 1 1 0 1 of 8 examples: m = 3/4, around it 3/4, and 1 for the largest: s^2 = 7/16,
 * e^2 = 7/16 / 4 / 2. */
static void the_rule_is_the_formula(void **state)
{
    (void)state;
    const double values[2][8] = {{1, 1, 0, 1, NAN, NAN, NAN, NAN}, {0}};
    const double e = sqrt(7.0 / 128);
    cop_race_look look = {
        .values = values[0], .rows = 2, .examples = 8, .seen = 4, .z = 0.75 / e + 1e-9};
    cop_race_row row[2] = {{0}};
    run(&look, row);
    assert_int_equal(row[0].seen + row[1].seen, 0);
    look.z = 0.75 / e - 1e-9;
    run(&look, row);
    assert_int_equal(row[0].seen, 0);
    assert_int_equal(row[1].seen, 4);
    assert_int_equal(row[1].behind, 0);
    assert_true(row[1].gap == 0.75);
    assert_true(fabs(row[1].error - e) < 1e-15);
}

/* The last examples count: with most of them known the same gap says more. */
static void examples_seen_are_part_of_those_asked_about(void **state)
{
    (void)state;
    double values[2 * 100] = {0};
    for (size_t j = 0; j < 20; j++)
        values[j] = j % 7 == 0; /* ahead by 3 of 20 */
    cop_race_look look = {.values = values, .rows = 2, .examples = 100, .seen = 20, .z = 2.1};
    cop_race_row row[2] = {{0}};
    run(&look, row);
    assert_int_equal(row[1].seen, 0);
    double few[2 * 21] = {0};
    memcpy(few, values, 20 * sizeof *few);
    look = (cop_race_look){.values = few, .rows = 2, .examples = 21, .seen = 20, .z = 2.1};
    run(&look, row);
    assert_int_equal(row[1].seen, 20);
}

static void the_order_of_rows_does_not_matter(void **state)
{
    (void)state;
    size_t left = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        double values[ROWS * EXAMPLES];
        double moved[ROWS * EXAMPLES];
        size_t place[ROWS];
        fill(values, seed);
        race_permute(seed, ROWS, place);
        for (size_t i = 0; i < ROWS; i++)
            memcpy(moved + i * EXAMPLES, values + place[i] * EXAMPLES,
                   EXAMPLES * sizeof *moved);
        cop_race_look look = {.values = values,
                              .rows = ROWS,
                              .examples = EXAMPLES,
                              .seen = 1 + seed % (EXAMPLES - 1),
                              .keep = 3,
                              .z = 1.5};
        cop_race_row row[ROWS] = {{0}};
        cop_race_row other[ROWS] = {{0}};
        run(&look, row);
        look.values = moved;
        run(&look, other);
        for (size_t i = 0; i < ROWS; i++) {
            const cop_race_row *const mine = &row[place[i]];
            assert_int_equal(other[i].seen, mine->seen);
            assert_true(other[i].gap == mine->gap && other[i].error == mine->error);
            if (mine->seen > 0) assert_int_equal(place[other[i].behind], mine->behind);
            left += mine->seen > 0;
        }
    }
    assert_true(left > 500);
}

static void ties_go_to_the_first(void **state)
{
    (void)state;
    const double values[5][6] = {{0}, {1, 1, 1, 1, 1, 0}, {0}, {1, 1, 1, 1, 1, 0}, {0}};
    cop_race_look look = {
        .values = values[0], .rows = 5, .examples = 6, .seen = 5, .keep = 3, .z = 2};
    cop_race_row row[5] = {{0}};
    run(&look, row);
    assert_int_equal(row[0].seen, 0); /* of three alike the first fills the number */
    assert_int_equal(row[1].seen + row[3].seen, 0);
    assert_int_equal(row[2].seen, 5);
    assert_int_equal(row[4].seen, 5);
    assert_int_equal(row[2].behind, 1);
}

/* Five places: who is behind the fifth beyond doubt leaves, never who is ahead of it. */
static void several_places_are_raced_for(void **state)
{
    (void)state;
    size_t left = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        double values[ROWS * EXAMPLES];
        fill(values, seed);
        cop_race_look look = {.values = values,
                              .rows = ROWS,
                              .examples = EXAMPLES,
                              .seen = EXAMPLES / 2,
                              .places = 5,
                              .z = 1.5};
        cop_race_row row[ROWS] = {{0}};
        cop_race_row one[ROWS] = {{0}};
        run(&look, row);
        look.places = 1;
        run(&look, one);
        size_t stayed = 0;
        for (size_t i = 0; i < ROWS; i++) {
            if (row[i].seen == 0) {
                stayed++;
                continue;
            }
            left++;
            assert_int_equal(one[i].seen, look.seen); /* behind the best all the more */
            size_t ahead = 0;
            double behind = 0;
            for (size_t k = 0; k < ROWS; k++) {
                double gap = 0;
                for (size_t j = 0; j < look.seen; j++)
                    gap += values[k * EXAMPLES + j] - values[row[i].behind * EXAMPLES + j];
                ahead += gap > 0 || (gap == 0 && k < row[i].behind);
            }
            for (size_t j = 0; j < look.seen; j++)
                behind += values[row[i].behind * EXAMPLES + j] - values[i * EXAMPLES + j];
            assert_int_equal(ahead, 4);
            assert_true(behind > 0);
        }
        assert_true(stayed >= 5);
    }
    assert_true(left > 100);
}

/* Places that rows without finite values would have are not theirs. */
static void places_go_to_finite_rows(void **state)
{
    (void)state;
    const double values[4][8] = {{1, 1, 1, 1, 1, 1}, {NAN}, {0, 1, 1, 1, 1, 1}, {INFINITY, 1}};
    cop_race_look look = {
        .values = values[0], .rows = 4, .examples = 8, .seen = 6, .places = 3, .z = 0.1};
    cop_race_row row[4] = {{0}};
    run(&look, row);
    assert_int_equal(row[0].seen + row[2].seen, 0);
    assert_int_equal(row[1].seen, 6);
    assert_int_equal(row[3].seen, 6);
    assert_int_equal(row[1].behind, 2);
}

static void equal_rows_stay(void **state)
{
    (void)state;
    double values[ROWS * EXAMPLES];
    cop_race_row row[ROWS] = {{0}};
    fill(values, 3);
    for (size_t i = 1; i < ROWS; i++)
        memcpy(values + i * EXAMPLES, values, EXAMPLES * sizeof *values);
    for (size_t seen = 1; seen < EXAMPLES; seen++) {
        const cop_race_look look = {
            .values = values, .rows = ROWS, .examples = EXAMPLES, .seen = seen, .z = 0.1};
        run(&look, row);
        for (size_t i = 0; i < ROWS; i++)
            assert_int_equal(row[i].seen, 0);
    }
}

static void a_row_alone_stays(void **state)
{
    (void)state;
    const double values[2][3] = {{0, 0, 0}, {NAN, NAN, NAN}};
    for (size_t k = 0; k < 2; k++) {
        const cop_race_look look = {
            .values = values[k], .rows = 1, .examples = 3, .seen = 2, .z = 2};
        cop_race_row row = {0};
        run(&look, &row);
        assert_int_equal(row.seen, 0);
    }
    const cop_race_look none = {.values = values[0], .examples = 3, .seen = 2, .z = 2};
    run(&none, NULL);
}

static void rows_that_are_not_finite_leave(void **state)
{
    (void)state;
    double values[4][8] = {{0}, {0}, {0}, {0}};
    cop_race_row row[4] = {{0}};
    values[0][2] = NAN;
    values[2][0] = INFINITY;
    values[3][7] = NAN; /* not seen yet */
    cop_race_look look = {.values = values[0], .rows = 4, .examples = 8, .seen = 4, .z = 3};
    run(&look, row);
    assert_int_equal(row[0].seen, 4);
    assert_int_equal(row[0].behind, 1);
    assert_true(isnan(row[0].gap) && isnan(row[0].error));
    assert_int_equal(row[1].seen, 0);
    assert_int_equal(row[2].seen, 4);
    assert_int_equal(row[3].seen, 0);
    /* Where none is finite, the first ones stay. */
    memset(row, 0, sizeof row);
    for (size_t i = 0; i < 4; i++)
        values[i][1] = NAN;
    look.keep = 2;
    run(&look, row);
    assert_int_equal(row[0].seen + row[1].seen, 0);
    assert_int_equal(row[2].seen, 4);
    assert_int_equal(row[3].seen, 4);
}

/* Over a whole race: the best so far stays at every look, who left stays away, and no fewer
 * than `keep` are left. */
static void the_best_so_far_stays(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        double values[ROWS * EXAMPLES];
        cop_race_row row[ROWS] = {{0}};
        const size_t keep = (size_t)seed % 7;
        fill(values, seed);
        if (seed % 2 == 1) { /* many ties */
            for (size_t k = 0; k < (size_t)ROWS * EXAMPLES; k++)
                values[k] = values[k] > 1.2;
        }
        for (size_t seen = 4; seen < EXAMPLES; seen += 4) {
            cop_race_row before[ROWS];
            double best = -1;
            size_t leader = 0;
            size_t left = 0;
            memcpy(before, row, sizeof before);
            for (size_t i = 0; i < ROWS; i++) {
                double sum = 0;
                for (size_t j = 0; j < seen; j++)
                    sum += values[i * EXAMPLES + j];
                if (row[i].seen > 0 || sum <= best) continue;
                best = sum;
                leader = i;
            }
            const cop_race_look look = {.values = values,
                                        .rows = ROWS,
                                        .examples = EXAMPLES,
                                        .seen = seen,
                                        .keep = keep,
                                        .z = 0.5};
            run(&look, row);
            assert_int_equal(row[leader].seen, 0);
            for (size_t i = 0; i < ROWS; i++) {
                left += row[i].seen == 0;
                if (before[i].seen > 0)
                    assert_memory_equal(&row[i], &before[i], sizeof row[i]);
                else if (row[i].seen > 0)
                    assert_true(row[i].gap > 0.5 * row[i].error && row[i].behind == leader);
            }
            assert_true(left >= (keep < 1 ? 1 : keep));
        }
    }
}

/* Rows of an earlier race lead but do not leave. */
static void rows_that_are_through_stay(void **state)
{
    (void)state;
    const double values[3][8] = {{0}, {1, 1, 1, 1, 1, 1, 1, 1}, {0}};
    const cop_race_look look = {
        .values = values[0], .rows = 3, .examples = 8, .seen = 4, .first = 2, .z = 2};
    cop_race_row row[3] = {{0}};
    run(&look, row);
    assert_int_equal(row[0].seen, 0);
    assert_int_equal(row[1].seen, 0);
    assert_int_equal(row[2].seen, 4);
    assert_int_equal(row[2].behind, 1);
}

/* --- replays --- */

static void races_of_generated_scores_choose_as_all_scores_do(void **state)
{
    (void)state;
    enum { REPLAYS = 100, R = 60, M = 96 };
    static double values[R * M];
    for (size_t stages = 2; stages <= 16; stages *= 2) {
        size_t same = 0;
        double share = 0;
        for (uint64_t k = 0; k < REPLAYS; k++) {
            race_generate(k, R, M, values);
            const race_replay got = race_run(values, R, M, stages, 3);
            same += got.chosen == race_choose(values, R, M, NULL);
            share += got.answers / (R * M) / REPLAYS;
        }
        print_message("%2zu stages: %zu of %d alike, %.0f%% of the answers\n", stages, same,
                      REPLAYS, 100 * share);
        assert_true(same >= 90);
        assert_true(share < (stages == 2 ? 0.75 : 0.6));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_end_where_units_do),
        cmocka_unit_test(chances_of_all_looks_add_up_to_the_error),
        cmocka_unit_test(the_rule_is_the_formula),
        cmocka_unit_test(examples_seen_are_part_of_those_asked_about),
        cmocka_unit_test(the_order_of_rows_does_not_matter),
        cmocka_unit_test(ties_go_to_the_first),
        cmocka_unit_test(several_places_are_raced_for),
        cmocka_unit_test(places_go_to_finite_rows),
        cmocka_unit_test(equal_rows_stay),
        cmocka_unit_test(a_row_alone_stays),
        cmocka_unit_test(rows_that_are_not_finite_leave),
        cmocka_unit_test(the_best_so_far_stays),
        cmocka_unit_test(rows_that_are_through_stay),
        cmocka_unit_test(races_of_generated_scores_choose_as_all_scores_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
