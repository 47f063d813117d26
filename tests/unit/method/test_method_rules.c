/* What methods decide, worked out once more from what they scored. */
#include "unit/method/toy.h"

#include "coppice/method/candidates.h"
#include "coppice/search/search.h"
#include "method/recenter.h"

#include <math.h>

enum { ITERATIONS = 6, LOCAL = 12 };

static void finish(toy *t)
{
    cop_error err = {0};
    bool improved = false;
    const cop_status status = toy_run(t, &improved, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    assert_true(improved);
}

/* --- es --- */

/* Where the iterates are on the landscape, and which of them probe shows nothing good of. */
static double iterate_at[ITERATIONS][TOY_DIMENSIONS];
static unsigned spoilt;

static cop_status look_at_iterates(void *context, cop_phase *phase, const uint64_t *units,
                                   size_t count, cop_error *err)
{
    toy *const t = context;
    const size_t last = phase->row_count - 1;
    if (strcmp(phase->path, "/es/probe") != 0)
        return toy_evaluate(context, phase, units, count, err);
    toy_locate(phase, cop_phase_row(phase, last), iterate_at[last]);
    t->flat = (spoilt >> last & 1) == 1;
    const cop_status status = toy_evaluate(context, phase, units, count, err);
    t->flat = false;
    return status;
}

static double mean_of(const cop_store_array *scores, size_t row)
{
    double sum = 0;
    for (size_t i = 0; i < scores->shape[1]; i++)
        sum += (double)((const float *)scores->data)[row * scores->shape[1] + i];
    return sum / (double)scores->shape[1];
}

static void es_returns_the_last_of_the_best_iterates(void **state)
{
    (void)state;
    static const unsigned masks[] = {0, 1U << 5, 7U << 3, 1U << 2 | 1U << 4, 31U << 1};
    size_t earlier = 0;
    for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
        toy t;
        spoilt = masks[m];
        toy_set_up(&t, "es", NULL, 0, NULL);
        t.phases.host.evaluate = look_at_iterates;
        finish(&t);
        const cop_store_array *const probe = cop_store_get(t.store, "/es/probe/scores");
        assert_int_equal(probe->shape[0], ITERATIONS);
        size_t best = 0;
        for (size_t k = 1; k < ITERATIONS; k++)
            best = mean_of(probe, k) >= mean_of(probe, best) ? k : best;
        earlier += best + 1 < ITERATIONS;
        double at[TOY_DIMENSIONS] = {0};
        for (size_t s = 0; s < t.search.seed_count; s++) {
            for (size_t d = 0; d < TOY_DIMENSIONS; d++)
                at[d] += t.search.centre[s] * toy_point(t.search.seeds[s], d);
        }
        for (size_t d = 0; d < TOY_DIMENSIONS; d++)
            assert_true(fabs(at[d] - iterate_at[best][d]) < 1e-5);
        assert_int_equal(t.search.gate_count, 1);
        assert_int_equal(t.search.gate[0].round, 0);
        assert_true(t.search.gate[0].step == 1);
        toy_take_down(&t);
    }
    assert_int_equal(earlier, 3);
}

/* --- recentring --- */

/* The best sigma is the one with the highest mean; who gave no finite logits counts for no
 * more than any other, and of equals the first sigma is taken. */
static void local_steps_have_the_size_that_scored_best(void **state)
{
    (void)state;
    static const struct {
        double reward[5];
        bool valid[5];
        double best;
    } cases[] = {
        {{0.2, 0.4, 0.2, 0.4, 0.1}, {true, true, true, true, true}, 0.1},
        {{0.3, 0.4, 0.4, 0.1, 0.4}, {true, true, true, true, true}, 0.05},
        {{0.3, 0.3, 0.3, 0.3, 0.3}, {true, true, true, true, true}, 0.05},
        {{0.4, 0.9, 0.4, 0.0, 0.0}, {true, true, true, false, false}, 0.05},
        {{-0.4, -0.3, -0.4, 0.0, 0.0}, {true, true, true, false, false}, 0.1},
        {{-0.4, -0.9, -0.4, 0.0, 0.0}, {true, true, true, false, false}, 0.05},
    };
    toy t;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double sigma[5] = {0.05, 0.1, 0.05, 0.1, 0.1};
        double reward[5];
        bool valid[5];
        memcpy(reward, cases[c].reward, sizeof reward);
        memcpy(valid, cases[c].valid, sizeof valid);
        const cop_candidates candidates = {
            .count = 5, .sigma = sigma, .reward = reward, .valid = valid};
        const cop_search search = {.job = t.job};
        assert_true(cop_candidates_best_sigma(&search, &candidates) == cases[c].best);
        const cop_candidates larger = {
            .count = 1, .sigma = sigma + 1, .reward = reward + 1, .valid = valid + 1};
        assert_true(cop_candidates_best_sigma(&search, &larger) == 0.1);
    }
    toy_take_down(&t);
}

/* Row 0 of a round is the centre, which each candidate is held against. */
static void constructive_scores_are_their_candidates_own(void **state)
{
    (void)state;
    toy t;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    finish(&t);
    for (size_t n = 1; n <= 3; n++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/recenter/round_%zu/local/scores", n);
        const cop_store_array *const scores = cop_store_get(t.store, path);
        (void)snprintf(path, sizeof path, "/recenter/round_%zu/constructive", n);
        const cop_store_array *const found = cop_store_get(t.store, path);
        assert_non_null(scores);
        assert_int_equal(found->shape[0], LOCAL);
        assert_int_equal(scores->shape[0], LOCAL + 1);
        const size_t examples = scores->shape[1];
        const float *const score = scores->data;
        for (size_t i = 0; i < LOCAL; i++) {
            double sum = 0;
            for (size_t j = 0; j < examples; j++) {
                const double gain = (double)(score[(i + 1) * examples + j] - score[j]);
                sum += gain < 0 ? gain * t.job->recenter.regression_weight : gain;
            }
            const double own = ((const double *)found->data)[i];
            assert_true(fabs(own - sum / (double)examples) < 1e-12);
        }
    }
    toy_take_down(&t);
}

/* Seeds that a candidate moves along: one of its own. */
static void fill_local(const toy *t, cop_candidates *local, double *vector, double *sigma)
{
    for (size_t i = 0; i < LOCAL; i++) {
        sigma[i] = 0.1;
        vector[i * t->search.seed_count + i] = 0.1;
    }
    *local = (cop_candidates){.count = LOCAL, .vector = vector, .sigma = sigma};
}

/* In each round the cloud is that of the candidates with more fixes than regressions, at the
 * round's effective sample size. */
static void the_next_cloud_is_of_who_helped(void **state)
{
    (void)state;
    static const double helped[LOCAL] = {0, 0.1, -0.2, 0.3,   0.05, 0.25,
                                         0, 0.2, -0.1, 0.125, 0.15, 0.35};
    toy t;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    finish(&t);
    double *const vector =
        cop_memory_alloc((size_t)LOCAL * t.search.seed_count, sizeof *vector, NULL);
    double *const direction = cop_memory_alloc(t.search.seed_count, sizeof *direction, NULL);
    double sigma[LOCAL];
    cop_candidates local;
    assert_non_null(vector);
    assert_non_null(direction);
    fill_local(&t, &local, vector, sigma);
    const size_t rank = (size_t)t.job->consolidate.rank;
    for (size_t round = 0; round < 3; round++) {
        cop_search_update wanted = {0};
        cop_error err = {0};
        const double target = cop_search_target_ess(round, 3, 8);
        assert_int_equal(
            cop_search_update_run(sigma, helped, LOCAL, target, 0.5, rank, &wanted, &err),
            COP_OK);
        assert_int_equal(wanted.member_count, 8);
        cop_local_search drawn = {
            .lambda = 0.5,
            .rank = rank,
            .principal = cop_memory_alloc(rank * t.search.seed_count, sizeof(double), NULL),
            .share = cop_memory_alloc(rank, sizeof(double), NULL)};
        assert_int_equal(
            cop_local_search_update(&t.search, &drawn, round, &local, helped, &err), COP_OK);
        assert_true(drawn.lambda == wanted.lambda_after);
        assert_true(wanted.rank > 0);
        assert_int_equal(drawn.principal_count, wanted.rank);
        for (size_t k = 0; k < wanted.rank; k++) {
            /* Candidates lie at right angles, so a cloud's direction has their shares in it. */
            const double *const row = drawn.principal + k * t.search.seed_count;
            for (size_t i = 0; i < t.search.seed_count; i++) {
                const double own = i < LOCAL ? wanted.principal[k * LOCAL + i] : 0;
                assert_true(fabs(row[i] - own) < 1e-9);
            }
        }
        cop_search_update_free(&wanted);
        cop_local_search_free(&drawn);
    }
    cop_memory_free(direction);
    cop_memory_free(vector);
    toy_take_down(&t);
}

/* --- the gate's measure --- */

/* A base that is right on all or on no example leaves correctness nothing to tell. */
static void a_base_of_one_kind_is_judged_by_reward(void **state)
{
    (void)state;
    const char *const allowed[] = {"gate.allow_flat=true"};
    for (int kind = 0; kind < 3; kind++) {
        toy t;
        bool improved = false;
        cop_error err = {0};
        toy_set_up(&t, "corp", allowed, 1, NULL);
        t.flat = true;
        size_t hardest = 0;
        size_t easiest = 0;
        for (size_t i = 0; i < TOY_EXAMPLES; i++) {
            if (toy_normal(11, i) < toy_normal(11, hardest)) hardest = i;
            if (toy_normal(11, i) > toy_normal(11, easiest)) easiest = i;
        }
        const double nowhere[TOY_DIMENSIONS] = {0};
        assert_true(toy_score(&t, nowhere, easiest) > toy_score(&t, nowhere, hardest));
        for (int s = 0; s < COP_SPLIT_COUNT; s++) {
            for (size_t i = 0; i < t.splits.counts[s]; i++)
                t.splits.examples[s][i] =
                    kind == 0 || (kind == 2 && i % 2 == 0) ? hardest : easiest;
        }
        assert_int_equal(toy_run(&t, &improved, &err), COP_OK);
        assert_int_equal(t.search.measure.on_reward, kind < 2);
        toy_take_down(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(es_returns_the_last_of_the_best_iterates),
        cmocka_unit_test(local_steps_have_the_size_that_scored_best),
        cmocka_unit_test(constructive_scores_are_their_candidates_own),
        cmocka_unit_test(the_next_cloud_is_of_who_helped),
        cmocka_unit_test(a_base_of_one_kind_is_judged_by_reward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
