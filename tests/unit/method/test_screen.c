/* Support examples that tell no candidate apart are replaced, once, by what no split uses; what
 * comes of it follows from the scores alone. */
#include "unit/method/toy.h"

#include <math.h>

enum { JUDGES = 5 };

static const char *const dropping[] = {"splits.drop_uninformative=true", "splits.drop_after=5"};
enum { DROPPING = sizeof dropping / sizeof dropping[0] };

static void finish(toy *t)
{
    cop_error err = {0};
    bool improved = false;
    const cop_status status = toy_run(t, &improved, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
}

static const cop_store_array *array_at(const toy *t, const char *path)
{
    const cop_store_array *const array = cop_store_get(t->store, path);
    if (array == NULL) print_error("no %s\n", path);
    assert_non_null(array);
    return array;
}

static int64_t whole_at(const toy *t, const char *path)
{
    int64_t value = -1;
    assert_true(cop_store_get_i64(t->store, path, &value));
    return value;
}

static double real_at(const toy *t, const char *path)
{
    double value = NAN;
    assert_true(cop_store_get_f64(t->store, path, &value));
    return value;
}

static size_t replaced_count(const toy *t)
{
    const cop_store_array *const replaced = cop_store_get(t->store, "/screen/replaced");
    return replaced == NULL ? 0 : replaced->shape[0];
}

/* The score of candidate i of the first population on an example, anew. */
static float score_of(const toy *t, size_t i, size_t example)
{
    double at[TOY_DIMENSIONS] = {0};
    const double sigma = ((const double *)array_at(t, "/population/sigma")->data)[i];
    const cop_component own = {.seed = t->search.seeds[i], .amplitude = (float)sigma};
    toy_go(&own, 1, at);
    return toy_score(t, at, example);
}

/* By the toy's function alone: the examples that the population must have been scored on. */
static size_t expect_support(const toy *t, size_t judges, size_t support[TOY_EXAMPLES])
{
    const cop_splits *const splits = &t->splits;
    size_t replaced = 0;
    for (size_t j = 0; j < splits->counts[COP_SPLIT_SUPPORT]; j++) {
        const size_t example = splits->examples[COP_SPLIT_SUPPORT][j];
        bool equal = true;
        for (size_t i = 1; i < judges; i++)
            equal = equal && score_of(t, i, example) == score_of(t, 0, example);
        const bool goes = equal && replaced < splits->pool_count;
        support[j] = goes ? splits->pool[replaced++] : example;
    }
    return replaced;
}

/* The record of a run agrees with what was to be done. \return how many were replaced. */
static size_t check_record(const toy *t, size_t judges)
{
    size_t support[TOY_EXAMPLES];
    const size_t count = t->splits.counts[COP_SPLIT_SUPPORT];
    const size_t replaced = expect_support(t, judges, support);
    const cop_store_array *const scores = array_at(t, "/population/scores");
    const cop_store_array *const status = array_at(t, "/population/status");
    const uint64_t *const examples = array_at(t, "/population/examples")->data;
    assert_int_equal(replaced_count(t), replaced);
    assert_int_equal(whole_at(t, "/screen/judges"), judges);
    assert_int_equal(array_at(t, "/screen/population/scores")->shape[0], judges);
    assert_true(whole_at(t, "/screen/solved_by_all") + whole_at(t, "/screen/solved_by_none") +
                    whole_at(t, "/screen/equal_reward") >=
                (int64_t)replaced);
    for (size_t j = 0; j < count; j++) {
        assert_int_equal(examples[j], support[j]);
        assert_int_equal(t->search.support[j], support[j]);
    }
    for (size_t i = 0; i < scores->shape[0]; i++) {
        for (size_t j = 0; j < count; j++)
            assert_true(((const float *)scores->data)[i * count + j] ==
                        score_of(t, i, support[j]));
        for (size_t c = 0; c < status->shape[1]; c++)
            assert_int_equal(((const uint8_t *)status->data)[i * status->shape[1] + c],
                             i < judges ? COP_UNIT_TAKEN_OVER : COP_UNIT_OK);
    }
    return replaced;
}

static void what_says_nothing_is_replaced(void **state)
{
    (void)state;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        toy t;
        toy_set_up(&t, cop_method_at(m)->name, dropping, DROPPING, NULL);
        finish(&t);
        const size_t replaced = check_record(&t, JUDGES);
        assert_in_range(replaced, 1, t.splits.counts[COP_SPLIT_SUPPORT] - 1);
        /* Base and judges on the new ones, and on nothing twice. */
        const cop_store_array *const again = array_at(&t, "/screen/replacements/scores");
        assert_int_equal(again->shape[0], JUDGES + 1);
        assert_int_equal(again->shape[1], replaced);
        const uint64_t *const went = array_at(&t, "/screen/replaced")->data;
        const uint64_t *const came = array_at(&t, "/screen/replacement")->data;
        for (size_t k = 0; k < replaced; k++) {
            assert_int_equal(came[k], t.splits.pool[k]);
            for (size_t j = 0; j < t.search.support_count; j++)
                assert_int_not_equal(t.search.support[j], went[k]);
        }
        print_message("%s: %zu replaced; base %.3f on them, judges %.3f, others %.3f\n",
                      cop_method_at(m)->name, replaced, real_at(&t, "/screen/base_accuracy"),
                      real_at(&t, "/screen/judges_reward"),
                      real_at(&t, "/screen/others_reward"));
        toy_take_down(&t);
    }
}

/* All of a population is on the new set, and so is what comes after it. */
static void later_phases_use_the_new_set(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
    } cases[] = {{"corp", "/recenter/round_1/local/examples"},
                 {"corp", "/recenter/round_1/proposals/examples"},
                 {"rounds", "/rounds/round_2/population/examples"},
                 {"es", "/es/iteration_2/examples"}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        toy t;
        toy_set_up(&t, cases[k].method, dropping, DROPPING, NULL);
        finish(&t);
        const cop_store_array *const now = array_at(&t, cases[k].path);
        assert_int_equal(now->shape[0], t.search.support_count);
        assert_memory_equal(now->data, array_at(&t, "/population/examples")->data,
                            now->shape[0] * sizeof(uint64_t));
        toy_take_down(&t);
    }
}

static void base_is_known_on_the_new_set(void **state)
{
    (void)state;
    toy t;
    toy_set_up(&t, "randopt", dropping, DROPPING, NULL);
    finish(&t);
    const double zero[TOY_DIMENSIONS] = {0};
    double right = 0;
    double before = 0;
    for (size_t j = 0; j < t.search.support_count; j++) {
        right += (double)toy_score(&t, zero, t.search.support[j]);
        before += (double)toy_score(&t, zero, t.splits.examples[COP_SPLIT_SUPPORT][j]);
    }
    assert_true(fabs(real_at(&t, "/screen/base_accuracy") -
                     right / (double)t.search.support_count) < 1e-12);
    assert_true(fabs(real_at(&t, "/base/accuracy_support") -
                     before / (double)t.search.support_count) < 1e-12);
    assert_true(right != before); /* or the test shows nothing */
    toy_take_down(&t);
}

static void without_the_key_nothing_is_done(void **state)
{
    (void)state;
    const char *const off[] = {"splits.drop_uninformative=false", "splits.drop_after=3"};
    toy plain;
    toy t;
    toy_set_up(&plain, "corp", NULL, 0, NULL);
    toy_set_up(&t, "corp", off, 2, NULL);
    finish(&plain);
    finish(&t);
    assert_int_equal(t.scored, plain.scored);
    assert_int_equal(cop_store_count(t.store), cop_store_count(plain.store));
    assert_null(cop_store_get(t.store, "/screen/judges"));
    assert_memory_equal(t.search.centre, plain.search.centre,
                        plain.search.seed_count * sizeof *plain.search.centre);
    toy_take_down(&t);
    toy_take_down(&plain);
}

static void a_small_pool_gives_what_it_has(void **state)
{
    (void)state;
    for (size_t pool = 0; pool <= 3; pool += 3) {
        toy t;
        toy_set_up(&t, "corp", dropping, DROPPING, NULL);
        t.splits.pool_count = pool;
        finish(&t);
        assert_int_equal(check_record(&t, JUDGES), pool);
        assert_int_equal(whole_at(&t, "/screen/pool"), pool);
        assert_true(whole_at(&t, "/screen/solved_by_all") +
                        whole_at(&t, "/screen/solved_by_none") >
                    (int64_t)pool);
        assert_int_equal(cop_store_get(t.store, "/screen/replacements/scores") != NULL,
                         pool > 0);
        toy_take_down(&t);
    }
}

/* With room for all of it a budget changes nothing; with less the first of those that say
 * nothing are replaced. */
static void a_budget_limits_what_is_replaced(void **state)
{
    (void)state;
    static const char *const limits[] = {"budget.answers=6000", "budget.answers=900"};
    size_t replaced[2];
    uint64_t went[2][TOY_EXAMPLES];
    for (size_t k = 0; k < 2; k++) {
        const char *const settings[] = {dropping[0], dropping[1], limits[k]};
        toy t;
        toy_set_up(&t, "corp", settings, 3, NULL);
        finish(&t);
        if (k == 0) (void)check_record(&t, JUDGES);
        replaced[k] = replaced_count(&t);
        memcpy(went[k], array_at(&t, "/screen/replaced")->data, replaced[k] * sizeof **went);
        assert_true(whole_at(&t, "/budget/spent_answers") <= (k == 0 ? 6000 : 900));
        assert_int_equal(array_at(&t, "/screen/replacements/scores")->shape[1], replaced[k]);
        toy_take_down(&t);
    }
    print_message("%zu replaced, %zu with a small budget\n", replaced[0], replaced[1]);
    assert_in_range(replaced[1], 1, replaced[0] - 1);
    assert_memory_equal(went[0], went[1], replaced[1] * sizeof **went);
}

/* A population that is smaller than that decides as a whole: nothing is left to score. */
static void a_small_population_decides_as_a_whole(void **state)
{
    (void)state;
    const char *const small[] = {"splits.drop_uninformative=true", "splits.drop_after=100"};
    toy t;
    toy again;
    toy_set_up(&t, "randopt", small, 2, NULL);
    finish(&t);
    (void)check_record(&t, 24);
    assert_true(isnan(real_at(&t, "/screen/others_reward")));
    toy_set_up(&again, "randopt", small, 2, t.store);
    finish(&again);
    assert_int_equal(again.scored, 0);
    (void)check_record(&again, 24);
    toy_take_down(&again);
    toy_take_down(&t);
}

static uint64_t seed_of(size_t index)
{
    return cop_noise_bits(3, COP_STREAM_POPULATION, 0, index);
}

/* Who has no logits says nothing about examples, and is scored with the others. */
static void logits_that_are_not_finite_decide_nothing(void **state)
{
    (void)state;
    toy t;
    toy_set_up(&t, "randopt", dropping, DROPPING, NULL);
    t.bad_seed = seed_of(2);
    finish(&t);
    assert_int_equal(whole_at(&t, "/screen/judges"), JUDGES);
    assert_int_equal(whole_at(&t, "/screen/finite"), JUDGES - 1);
    assert_true(replaced_count(&t) > 0);
    const cop_store_array *const status = array_at(&t, "/population/status");
    const uint8_t *const states = status->data;
    assert_int_equal(states[2 * status->shape[1]], COP_UNIT_NOT_FINITE);
    assert_int_equal(states[1 * status->shape[1]], COP_UNIT_TAKEN_OVER);
    toy_take_down(&t);
}

static void one_judge_cannot_tell(void **state)
{
    (void)state;
    const char *const two[] = {"splits.drop_uninformative=true", "splits.drop_after=2"};
    toy t;
    toy_set_up(&t, "randopt", two, 2, NULL);
    t.bad_seed = seed_of(0);
    finish(&t);
    assert_int_equal(whole_at(&t, "/screen/finite"), 1);
    assert_int_equal(replaced_count(&t), 0);
    assert_memory_equal(t.search.support, t.splits.examples[COP_SPLIT_SUPPORT],
                        t.search.support_count * sizeof(size_t));
    toy_take_down(&t);
}

/* Where rewards decide, 0.25 for wrong answers of some examples is as equal as 1. */
static cop_status evaluate_graded(void *context, cop_phase *phase, const uint64_t *units,
                                  size_t count, cop_error *err)
{
    toy *const t = context;
    float scores[TOY_EXAMPLES];
    for (size_t u = 0; u < count; u++) {
        const cop_unit_range range = cop_phase_unit_range(phase, units[u]);
        const cop_row row = cop_phase_row(phase, units[u] / phase->row_units);
        double at[TOY_DIMENSIONS];
        toy_locate(phase, row, at);
        for (size_t i = 0; i < range.count; i++) {
            const size_t example = phase->examples[range.first + i];
            scores[i] = toy_score(t, at, example);
            if (scores[i] > 0) continue;
            /* Wrong answers to every third example are told from each other. */
            scores[i] = example % 3 == 0 && row.count > 0 && at[1] > 0 ? 0.5F : 0.25F;
        }
        const cop_phase_result result = {.unit = units[u],
                                         .scores = scores,
                                         .score_count = range.count,
                                         .tokens = range.count};
        cop_phase_take(&t->phases, phase, &result);
        COP_TRY(cop_phase_tick(&t->phases, phase, err));
    }
    return COP_OK;
}

static void rewards_and_right_answers_differ(void **state)
{
    (void)state;
    static const char *const on[] = {"gate.on=correct", "gate.on=reward"};
    int64_t found[2] = {0, 0};
    for (size_t k = 0; k < 2; k++) {
        const char *const settings[] = {dropping[0], dropping[1], on[k]};
        toy t;
        toy_set_up(&t, "randopt", settings, 3, NULL);
        t.phases.host.evaluate = evaluate_graded;
        finish(&t);
        const int64_t equal = whole_at(&t, "/screen/equal_reward");
        const int64_t solved =
            whole_at(&t, "/screen/solved_by_all") + whole_at(&t, "/screen/solved_by_none");
        assert_true(k == 0 ? equal == 0 : solved == 0);
        found[k] = equal + solved;
        toy_take_down(&t);
    }
    print_message("%lld by right answers, %lld by rewards\n", (long long)found[0],
                  (long long)found[1]);
    /* Rewards tell more apart than right and wrong do. */
    assert_true(found[1] > 0 && found[1] < found[0]);
}

/* --- interruptions, order --- */

static void assert_same_tree(const toy *a, const toy *b)
{
    static const size_t width[] = {[COP_STORE_F32] = 4,
                                   [COP_STORE_F64] = 8,
                                   [COP_STORE_I64] = 8,
                                   [COP_STORE_U64] = 8,
                                   [COP_STORE_U8] = 1};
    assert_int_equal(cop_store_count(a->store), cop_store_count(b->store));
    for (size_t i = 0; i < cop_store_count(a->store); i++) {
        const char *const path = cop_store_path_at(a->store, i);
        const cop_store_array *const mine = cop_store_get(a->store, path);
        const cop_store_array *const other = array_at(b, path);
        if (mine->type == COP_STORE_TEXT) continue;
        size_t bytes = width[mine->type];
        assert_int_equal(mine->rank, other->rank);
        for (int d = 0; d < mine->rank; d++) {
            assert_int_equal(mine->shape[d], other->shape[d]);
            bytes *= mine->shape[d];
        }
        if (memcmp(mine->data, other->data, bytes) != 0) print_error("%s\n", path);
        assert_memory_equal(mine->data, other->data, bytes);
    }
}

static void interrupted_runs_end_alike(void **state)
{
    (void)state;
    static const long pieces[] = {3, 17, 40};
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        toy whole;
        toy_set_up(&whole, cop_method_at(m)->name, dropping, DROPPING, NULL);
        finish(&whole);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            toy t;
            bool improved = false;
            size_t scored = 0;
            size_t starts = 1;
            cop_error err = {0};
            toy_set_up(&t, cop_method_at(m)->name, dropping, DROPPING, NULL);
            t.left = pieces[k];
            while (toy_run(&t, &improved, &err) == COP_INTERRUPTED) {
                toy next;
                scored += t.scored;
                toy_set_up(&next, cop_method_at(m)->name, dropping, DROPPING, t.store);
                toy_take_down(&t);
                t = next;
                t.phases.unsaved = &t.unsaved;
                t.phases.progress = &t.progress;
                t.phases.host.context = &t;
                t.left = pieces[k];
                assert_true(++starts < 1000);
                err = (cop_error){0};
            }
            assert_int_equal(err.status, COP_OK);
            assert_true(starts > 1);
            assert_int_equal(scored + t.scored, whole.scored); /* no unit twice, none in vain */
            assert_same_tree(&whole, &t);
            toy_take_down(&t);
        }
        toy_take_down(&whole);
    }
}

static cop_status evaluate_backwards(void *context, cop_phase *phase, const uint64_t *units,
                                     size_t count, cop_error *err)
{
    for (size_t u = count; u > 0; u--)
        COP_TRY(toy_evaluate(context, phase, &units[u - 1], 1, err));
    return COP_OK;
}

static void the_order_of_work_decides_nothing(void **state)
{
    (void)state;
    toy forth;
    toy back;
    toy_set_up(&forth, "corp", dropping, DROPPING, NULL);
    toy_set_up(&back, "corp", dropping, DROPPING, NULL);
    back.phases.host.evaluate = evaluate_backwards;
    finish(&forth);
    finish(&back);
    assert_same_tree(&forth, &back);
    toy_take_down(&back);
    toy_take_down(&forth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_says_nothing_is_replaced),
        cmocka_unit_test(later_phases_use_the_new_set),
        cmocka_unit_test(base_is_known_on_the_new_set),
        cmocka_unit_test(without_the_key_nothing_is_done),
        cmocka_unit_test(a_small_pool_gives_what_it_has),
        cmocka_unit_test(a_budget_limits_what_is_replaced),
        cmocka_unit_test(a_small_population_decides_as_a_whole),
        cmocka_unit_test(logits_that_are_not_finite_decide_nothing),
        cmocka_unit_test(one_judge_cannot_tell),
        cmocka_unit_test(rewards_and_right_answers_differ),
        cmocka_unit_test(interrupted_runs_end_alike),
        cmocka_unit_test(the_order_of_work_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
