/* What a budget leaves of a round, and the plan of a search: arithmetic on whole numbers. */
#include "unit/method/toy.h"

#include "coppice/method/budget.h"

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (*state >> 33) % below;
}

static cop_round draw_round(uint64_t *state)
{
    return (cop_round){.first = draw(state, 2) * 40,
                       .candidate = 1 + draw(state, 60),
                       .candidates = 1 + draw(state, 100),
                       .paired = draw(state, 2) == 1,
                       .direction = 1 + draw(state, 200),
                       .directions = draw(state, 2) * (1 + draw(state, 30)),
                       .doubling = 1 + draw(state, 50),
                       .doublings = draw(state, 5),
                       .gate = 2 + draw(state, 60),
                       .tries = 1 + draw(state, 5),
                       .rest = draw(state, 2) * 100};
}

/* Candidates, directions, doublings and tries, one after the other, never take more than there
 * is; what the round needs at least it gets, and with room for all it gets all. */
static void a_round_keeps_within_what_is_left(void **state)
{
    (void)state;
    uint64_t chance = 11;
    size_t whole = 0;
    size_t least = 0;
    size_t none = 0;
    for (size_t n = 0; n < 20000; n++) {
        const cop_round r = draw_round(&chance);
        const uint64_t all = r.first + r.candidates * r.candidate + r.directions * r.direction +
                             r.tries * r.gate + r.rest;
        const uint64_t given = draw(&chance, 2 * all) + (n % 7 == 0 ? all : 0);
        uint64_t left = given;
        const uint64_t reserve = cop_round_reserve(&r, left);
        const size_t candidates = cop_round_candidates(&r, left, reserve, 0);
        assert_true(candidates <= r.candidates);
        assert_true(candidates == 0 || candidates >= COP_ROUND_LEAST ||
                    candidates == r.candidates);
        if (given >= cop_round_least(&r)) assert_true(candidates > 0);
        if (given >= all) assert_int_equal(candidates, r.candidates);
        none += candidates == 0;
        if (candidates == 0) continue;
        assert_true(candidates == r.candidates || !r.paired || candidates % 2 == 0);
        left -= r.first + candidates * r.candidate;
        assert_true(left <= given);
        if (r.directions == 0) {
            assert_true(left >= r.rest);
            continue;
        }
        const size_t tried = cop_round_directions(&r, left, r.directions, 0);
        assert_true(tried >= 1 && tried <= r.directions);
        left -= tried * r.direction;
        if (given >= all) assert_int_equal(tried, r.directions);
        const bool doubled = cop_round_may_double(&r, left, tried);
        if (doubled) left -= tried * r.doubling;
        const size_t tries = cop_round_tries(&r, left);
        assert_true(tries >= 1 && tries <= r.tries);
        if (doubled || given >= all) assert_int_equal(tries, r.tries);
        assert_true(left <= given && left >= tries * r.gate + r.rest);
        whole += given >= all;
        least += tried == 1 && tries < r.tries;
    }
    assert_true(whole > 1000 && least > 10 && none > 1000);
}

/* Where not all has room, neither side takes the other's half. */
static void both_sides_of_a_round_have_half(void **state)
{
    (void)state;
    const cop_round r = {.candidate = 10,
                         .candidates = 100,
                         .direction = 100,
                         .directions = 20,
                         .gate = 50,
                         .tries = 3};
    /* 1000 for the candidates, 2150 for what follows */
    assert_int_equal(cop_round_reserve(&r, 5000), 2150);
    assert_int_equal(cop_round_reserve(&r, 4000), 2000);
    assert_int_equal(cop_round_candidates(&r, 4000, 2150, 0), 100);
    assert_int_equal(cop_round_candidates(&r, 3150, cop_round_reserve(&r, 3150), 0), 100);
    assert_int_equal(cop_round_reserve(&r, 3149), 3149 / 2);
    assert_int_equal(cop_round_candidates(&r, 3149, 3149 / 2, 0), 100);
    assert_int_equal(cop_round_reserve(&r, 1000), 500);
    assert_int_equal(cop_round_candidates(&r, 1000, 500, 0), 50);
    /* with little left first one direction and one try, then no fewer than eight candidates */
    assert_int_equal(cop_round_reserve(&r, 240), 150);
    assert_int_equal(cop_round_candidates(&r, 240, 150, 0), 9);
    assert_int_equal(cop_round_least(&r), 230);
    assert_int_equal(cop_round_candidates(&r, 230, cop_round_reserve(&r, 230), 0), 8);
    assert_int_equal(cop_round_candidates(&r, 229, cop_round_reserve(&r, 229), 0), 0);
    /* more of them later, but not a few */
    assert_int_equal(cop_round_candidates(&r, 530, 500, 50), 3);
    assert_int_equal(cop_round_candidates(&r, 529, 500, 50), 0);
    assert_int_equal(cop_round_candidates(&r, 520, 500, 98), 2);
    assert_int_equal(cop_round_candidates(&r, UINT64_MAX, 2150, 0), 100);
}

/* Both limits hold, and a token is not an answer. */
static void what_is_left_covers_the_longest_answers(void **state)
{
    (void)state;
    cop_budget b = {.answer_tokens = 10};
    assert_false(cop_budget_is_set(&b));
    assert_true(cop_budget_left(&b) == UINT64_MAX);
    b.tokens = 1009;
    assert_int_equal(cop_budget_left(&b), 100);
    b.answers = 90;
    assert_int_equal(cop_budget_left(&b), 90);
    cop_budget_spend(&b, 50, 700);
    assert_int_equal(cop_budget_left(&b), 30);
    cop_budget_spend(&b, 39, 1);
    assert_int_equal(cop_budget_left(&b), 1);
    cop_budget_spend(&b, 1, 308);
    assert_int_equal(cop_budget_left(&b), 0);
}

static cop_status make(const char *method, const char *budget, cop_plan *plan, cop_error *err)
{
    toy t;
    const cop_method *found = NULL;
    toy_set_up(&t, method, &budget, budget == NULL ? 0 : 1, NULL);
    const cop_budget own = cop_budget_of(t.job);
    assert_int_equal(cop_method_find(method, &found, err), COP_OK);
    const cop_status status = cop_plan_make(found, t.job, &own, SIZE_MAX, plan, err);
    toy_take_down(&t);
    return status;
}

/* The toy's numbers: support 40, probe 30, validate 60; 24 candidates, 4 directions at 2 steps,
 * one doubling, 3 tries, 3 rounds of 12 local candidates at 3 steps. */
static void a_plan_without_a_budget_is_the_whole_search(void **state)
{
    (void)state;
    cop_plan plan;
    cop_error err = {0};
    assert_int_equal(make("corp", NULL, &plan, &err), COP_OK);
    assert_int_equal(plan.base, 130);
    assert_int_equal(plan.populations, 24 * 40);
    assert_int_equal(plan.consolidation, 4 * 3 * 30 + 3 * 60);
    /* line searches go on to 4 */
    assert_int_equal(plan.recentring, 3 * ((13 + 12) * 40 + 3 * 60 + (4 + 1) * 30 + 60));
    assert_int_equal(plan.recentrings.made, 3);
    assert_int_equal(make("rounds", NULL, &plan, &err), COP_OK);
    assert_int_equal(plan.populations, 3 * 24 * 40);
    assert_int_equal(plan.consolidation, 3 * (4 * 3 * 30 + 3 * 60));
    assert_int_equal(make("es", NULL, &plan, &err), COP_OK);
    assert_int_equal(plan.consolidation, 6 * 30 + 60);
    assert_int_equal(make("randopt", NULL, &plan, &err), COP_OK);
    assert_int_equal(plan.spent.spent_answers, 130 + 24 * 40);
}

/* Later parts go first: recentring, then doublings, then both sides of the first round. */
static void a_plan_leaves_out_the_last_parts_first(void **state)
{
    (void)state;
    static const struct {
        const char *budget;
        size_t candidates, directions, doublings, tries, recentrings;
    } plans[] = {
        {"budget.answers=5800", 24, 4, 1, 3, 3}, /* all takes 5800 */
        {"budget.answers=5799", 24, 4, 1, 3, 3}, /* the last round is smaller */
        {"budget.answers=4500", 24, 4, 1, 3, 2}, {"budget.answers=1630", 24, 4, 1, 3, 0},
        {"budget.answers=1629", 24, 4, 0, 3, 0}, {"budget.answers=1510", 24, 4, 0, 3, 0},
        {"budget.answers=1509", 23, 4, 0, 3, 0}, {"budget.answers=800", 8, 2, 0, 3, 0},
        {"budget.answers=571", 8, 1, 0, 1, 0},   {"budget.answers=570", 8, 1, 0, 1, 0}};
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        cop_plan plan;
        cop_error err = {0};
        assert_int_equal(make("corp", plans[i].budget, &plan, &err), COP_OK);
        print_message("%s: %zu %zu %zu %zu %zu, %llu\n", plans[i].budget, plan.candidates.made,
                      plan.directions.made, plan.doublings.made, plan.tries.made,
                      plan.recentrings.made, (unsigned long long)plan.spent.spent_answers);
        assert_int_equal(plan.candidates.made, plans[i].candidates);
        assert_int_equal(plan.directions.made, plans[i].directions);
        assert_int_equal(plan.doublings.made, plans[i].doublings);
        assert_int_equal(plan.tries.made, plans[i].tries);
        assert_int_equal(plan.recentrings.made, plans[i].recentrings);
        assert_true(plan.spent.spent_answers <= plan.spent.answers);
    }
}

static void a_budget_below_the_least_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method, *least;
    } methods[] = {{"corp", "570"}, {"rounds", "570"}, {"es", "540"}, {"randopt", "450"}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char budget[64];
        cop_plan plan;
        cop_error err = {0};
        const unsigned long least = strtoul(methods[i].least, NULL, 10);
        (void)snprintf(budget, sizeof budget, "budget.answers=%lu", least);
        assert_int_equal(make(methods[i].method, budget, &plan, &err), COP_OK);
        (void)snprintf(budget, sizeof budget, "budget.answers=%lu", least - 1);
        assert_int_equal(make(methods[i].method, budget, &plan, &err), COP_ERR_CONFIG);
        (void)snprintf(budget, sizeof budget, "needs %lu at least", least);
        if (strstr(err.message, budget) == NULL) print_error("%s\n", err.message);
        assert_non_null(strstr(err.message, budget));
        assert_non_null(strstr(err.message, "budget.answers"));
        /* All units of the base up to the test set's first: 9 of 16 answers, of 256 tokens. */
        const unsigned long tokens = (144 + least - 130) * 256;
        (void)snprintf(budget, sizeof budget, "budget.tokens=%lu", tokens);
        assert_int_equal(make(methods[i].method, budget, &plan, &err), COP_OK);
        (void)snprintf(budget, sizeof budget, "budget.tokens=%lu", tokens - 1);
        assert_int_equal(make(methods[i].method, budget, &plan, &err), COP_ERR_CONFIG);
        assert_non_null(strstr(err.message, "budget.tokens"));
    }
}

/* The population's first candidates decide, on 40 examples each; for an example that comes in
 * these and the base answer: no more than half of what the least search leaves. */
static void replacing_examples_is_planned(void **state)
{
    (void)state;
    static const struct {
        const char *budget;
        size_t candidates, replacements;
    } plans[] = {{NULL, 24, 40 * 11},
                 {"budget.answers=6240", 24, 40 * 11}, /* all takes 6240 */
                 {"budget.answers=1500", 20, 20 * 11},
                 {"budget.answers=1071", 20, 0}, /* an example has no room */
                 {"budget.answers=1072", 20, 11},
                 {"budget.answers=1050", 20, 0}};
    cop_plan plan;
    cop_error err = {0};
    const cop_method *found = NULL;
    assert_int_equal(cop_method_find("corp", &found, &err), COP_OK);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        const char *const both[] = {"splits.drop_uninformative=true", "splits.drop_after=10",
                                    plans[i].budget};
        toy t;
        toy_set_up(&t, "corp", both, plans[i].budget == NULL ? 2 : 3, NULL);
        const cop_budget own = cop_budget_of(t.job);
        assert_int_equal(cop_plan_make(found, t.job, &own, SIZE_MAX, &plan, &err), COP_OK);
        print_message("%s: %zu candidates, %llu answers for replacements, %llu of all\n",
                      plans[i].budget, plan.candidates.made,
                      (unsigned long long)plan.replacements,
                      (unsigned long long)plan.spent.spent_answers);
        assert_int_equal(plan.candidates.made, plans[i].candidates);
        assert_int_equal(plan.replacements, plans[i].replacements);
        assert_true(own.answers == 0 || plan.spent.spent_answers <= own.answers);
        toy_take_down(&t);
    }
}

static void a_budget_without_room_for_those_who_decide_is_refused(void **state)
{
    (void)state;
    cop_plan plan;
    cop_error err = {0};
    const cop_method *found = NULL;
    toy t;
    const char *const both[] = {"splits.drop_uninformative=true", "splits.drop_after=10",
                                "budget.answers=1049"};
    toy_set_up(&t, "corp", both, 3, NULL);
    const cop_budget own = cop_budget_of(t.job);
    assert_int_equal(cop_method_find("corp", &found, &err), COP_OK);
    assert_int_equal(cop_plan_make(found, t.job, &own, SIZE_MAX, &plan, &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "needs 1050 at least"));
    assert_non_null(strstr(err.message, "which examples say nothing"));
    toy_take_down(&t);
}

static void plans_are_printed(void **state)
{
    (void)state;
    toy t;
    cop_text text = {0};
    cop_error err = {0};
    const char *const budget[] = {"budget.answers=1000", "budget.tokens=9999999"};
    toy_set_up(&t, "corp", budget, 2, NULL);
    assert_int_equal(cop_plan_print_work(t.job, 77, SIZE_MAX, &text, &err), COP_OK);
    assert_string_equal(text.data, "base 160, population 440, consolidation 420, recentring 0, "
                                   "spare 10, test 77\n");
    cop_text_clear(&text);
    assert_int_equal(cop_plan_print_budget(t.job, SIZE_MAX, &text, &err), COP_OK);
    assert_non_null(strstr(text.data, "budget: 1000 answers, 9999999 tokens for support"));
    assert_non_null(strstr(text.data, "budget.population: 11 of 24 candidates\n"));
    assert_non_null(strstr(text.data, "budget.consolidation: 4 of 4 directions, 0 of 1"));
    assert_non_null(strstr(text.data, "budget.recentring: 0 of 3 rounds\n"));
    toy_take_down(&t);
    toy_set_up(&t, "es", NULL, 0, NULL);
    cop_text_clear(&text);
    assert_int_equal(cop_plan_print_work(t.job, 0, SIZE_MAX, &text, &err), COP_OK);
    assert_string_equal(text.data, "base 160, populations 5760, iterates 240, test 0\n");
    cop_text_clear(&text);
    assert_int_equal(cop_plan_print_budget(t.job, SIZE_MAX, &text, &err), COP_OK);
    assert_int_equal(text.length, 0);
    cop_text_free(&text);
    toy_take_down(&t);
}

/* A try is scored on validate and on what guards hold; without guards there is one. */
static void es_tries_what_there_is_room_for(void **state)
{
    (void)state;
    static const struct {
        uint64_t left;
        size_t tries;
    } cases[] = {{0, 1}, {60, 1}, {159, 1}, {160, 2}, {239, 2}, {240, 3}, {1000, 3}};
    const char *const guards[] = {"guard=[{task: text, data: g, examples: 20, loss: 1}]"};
    for (size_t guarded = 0; guarded < 2; guarded++) {
        toy t;
        toy_set_up(&t, "es", guards, guarded, NULL);
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
            assert_int_equal(cop_budget_es_tries(t.job, cases[c].left),
                             guarded == 1 ? cases[c].tries : 1);
        toy_take_down(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_keeps_within_what_is_left),
        cmocka_unit_test(both_sides_of_a_round_have_half),
        cmocka_unit_test(what_is_left_covers_the_longest_answers),
        cmocka_unit_test(a_plan_without_a_budget_is_the_whole_search),
        cmocka_unit_test(a_plan_leaves_out_the_last_parts_first),
        cmocka_unit_test(a_budget_below_the_least_is_refused),
        cmocka_unit_test(replacing_examples_is_planned),
        cmocka_unit_test(a_budget_without_room_for_those_who_decide_is_refused),
        cmocka_unit_test(plans_are_printed),
        cmocka_unit_test(es_tries_what_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
