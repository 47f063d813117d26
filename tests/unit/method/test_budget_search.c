/* Searches with a budget on the toy landscape: whatever the job and its answers, no budget is
 * exceeded, what is certain is made, and ranks, order and interruptions change nothing. */
#include "unit/method/toy.h"

#include "coppice/base/timer.h"
#include "coppice/method/budget.h"
#include "method/spend.h"

/* What the search took, counted by who answers. */
typedef struct counter {
    toy *t;
    uint64_t answers, tokens;
} counter;

/* Of the base's phase only units that begin before the test set are the search's. */
static cop_status count_and_evaluate(void *context, cop_phase *phase, const uint64_t *units,
                                     size_t count, cop_error *err)
{
    counter *const c = context;
    const size_t search = strcmp(phase->path, "/base") == 0 ? 130 : phase->example_count;
    for (size_t u = 0; u < count; u++) {
        const cop_unit_range range = cop_phase_unit_range(phase, units[u]);
        if (range.first >= search) continue;
        const size_t end = range.first + range.count;
        c->answers += (end < search ? end : search) - range.first;
        c->tokens += toy_tokens(c->t, phase, units[u], range.count);
    }
    return toy_evaluate(c->t, phase, units, count, err);
}

static cop_status watch(void *context, bool *due, cop_error *err)
{
    return toy_watch(((counter *)context)->t, due, err);
}

static cop_status save(void *context, cop_save_when when, cop_error *err)
{
    return toy_save(((counter *)context)->t, when, err);
}

static void count(toy *t, counter *c)
{
    *c = (counter){.t = t};
    t->phases.host = (cop_phase_host){c, count_and_evaluate, watch, NULL, save};
}

static uint64_t number_at(const toy *t, const char *path)
{
    int64_t value = -1;
    assert_true(cop_store_get_i64(t->store, path, &value));
    return (uint64_t)value;
}

static void finish(toy *t)
{
    cop_error err = {0};
    bool improved = false;
    const cop_status status = toy_run(t, &improved, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
}

/* --- any job --- */

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (*state >> 33) % below;
}

enum { SETTINGS = 20, SETTING_BYTES = 64 };

typedef struct settings {
    char text[SETTINGS][SETTING_BYTES];
    const char *list[SETTINGS];
    size_t count;
} settings;

static void set(settings *s, const char *key, unsigned long long value)
{
    assert_true(s->count < SETTINGS);
    (void)snprintf(s->text[s->count], SETTING_BYTES, "%s=%llu", key, value);
    s->list[s->count] = s->text[s->count];
    s->count++;
}

static void draw_job(uint64_t *chance, const char *method, settings *s)
{
    *s = (settings){0};
    set(s, "population.seed", draw(chance, 50));
    set(s, "population.size", 1 + draw(chance, 30));
    set(s, "recenter.size", 1 + draw(chance, 16));
    set(s, "recenter.rounds", draw(chance, 4));
    set(s, "gate.tries", 1 + draw(chance, 4));
    set(s, "rounds.count", 1 + draw(chance, 4));
    set(s, "es.iterations", 1 + draw(chance, 6));
    set(s, "generation.max_new_tokens", 1 + draw(chance, 100));
    if (draw(chance, 2) == 1) set(s, "consolidate.race", 2 + draw(chance, 4));
    if (draw(chance, 2) == 1) set(s, "recenter.race", 2 + draw(chance, 4));
    if (strcmp(method, "randopt") == 0 && draw(chance, 2) == 1) {
        set(s, "population.race", 2 + draw(chance, 4));
        s->list[s->count++] = "analysis.split_half=false";
    } else if (draw(chance, 3) == 0) {
        s->list[s->count++] = "splits.drop_uninformative=true";
        set(s, "splits.drop_after", 2 + draw(chance, 12));
    }
    if (draw(chance, 3) == 1) set(s, "consolidate.max_scale", 2 + draw(chance, 60));
    s->list[s->count] = draw(chance, 3) == 0 ? "population.antithetic=true" : "gate.z=0.1";
    s->count++;
    s->list[s->count] = draw(chance, 3) == 0 ? "consolidate.operators=[two-pass, z-score, rank]"
                                             : "consolidate.operators=[two-pass]";
    s->count++;
}

/* Between what the job needs at least and a little more than all of it. */
static uint64_t draw_limit(uint64_t *chance, uint64_t least, uint64_t all)
{
    return draw(chance, 6) == 0 ? least : least + draw(chance, all + all / 8 - least + 2);
}

static void draw_budget(uint64_t *chance, const char *method, settings *s)
{
    toy t;
    cop_plan whole;
    cop_error err = {0};
    const cop_method *found = NULL;
    toy_set_up(&t, method, s->list, s->count, NULL);
    const cop_budget none = cop_budget_of(t.job);
    assert_int_equal(cop_method_find(method, &found, &err), COP_OK);
    assert_int_equal(cop_plan_make(found, t.job, &none, SIZE_MAX, &whole, &err), COP_OK);
    const cop_round round = cop_round_of_population(found, t.job);
    const uint64_t least = round.judges * round.candidate + cop_round_least(&round);
    const uint64_t kind = draw(chance, 5);
    uint64_t base = 0;
    uint64_t base_tokens = 0;
    cop_budget_of_base(t.job, &base, &base_tokens);
    if (kind != 0)
        set(s, "budget.tokens",
            draw_limit(chance, base_tokens + least * none.answer_tokens,
                       whole.spent.spent_tokens));
    if (kind <= 2)
        set(s, "budget.answers", draw_limit(chance, base + least, whole.spent.spent_answers));
    toy_take_down(&t);
}

/* What was certain before was made: the first population, in full. Fewer replaced examples than
 * there might be and candidates that leave a race make room for more; who decides about
 * examples and is not finite answers again. */
static void check_plan(const toy *t)
{
    cop_plan plan;
    cop_error err = {0};
    const cop_budget budget = cop_budget_of(t->job);
    assert_int_equal(cop_plan_make(t->search.method, t->job, &budget, SIZE_MAX, &plan, &err),
                     COP_OK);
    const cop_store_array *const reward = cop_store_get(t->store, "/population/reward");
    const bool drops = t->job->splits.drop_uninformative;
    if (!drops || t->bad_seed == 0) assert_true(reward->shape[0] >= plan.candidates.made);
    if (!drops && budget.tokens == 0 && t->job->population.race == 0)
        assert_int_equal(reward->shape[0], plan.candidates.made);
}

static void no_search_exceeds_its_budget(void **state)
{
    (void)state;
    static const double lengths[] = {0, 0.02, 0.3, 0.9, 1};
    uint64_t chance = 20261129;
    size_t reduced = 0;
    size_t moved = 0;
    size_t replaced = 0;
    const double end_s = cop_timer_now_s() + 20; /* of a slow machine; it takes two */
    size_t n = 0;
    for (; n < 600 && cop_timer_now_s() < end_s; n++) {
        const char *const method = cop_method_at(n % 4)->name;
        settings s;
        toy t;
        counter c;
        draw_job(&chance, method, &s);
        draw_budget(&chance, method, &s);
        toy_set_up(&t, method, s.list, s.count, NULL);
        t.length = lengths[draw(&chance, 5)];
        if (t.job->population.size > 4 && strcmp(method, "randopt") == 0 && n % 8 < 4)
            t.bad_seed = cop_noise_bits((uint64_t)t.job->population.seed, COP_STREAM_POPULATION,
                                        0, draw(&chance, 2));
        count(&t, &c);
        finish(&t);
        const cop_budget *const b = &t.search.budget;
        assert_true(b->answers == 0 || c.answers <= b->answers);
        assert_true(b->tokens == 0 || c.tokens <= b->tokens);
        assert_int_equal(b->spent_answers, c.answers);
        assert_int_equal(b->spent_tokens, c.tokens);
        assert_int_equal(number_at(&t, "/budget/spent_answers"), c.answers);
        assert_int_equal(number_at(&t, "/budget/spent_tokens"), c.tokens);
        check_plan(&t);
        for (size_t k = 0; k < t.search.step_count; k++)
            reduced += t.search.steps[k].made < t.search.steps[k].wanted;
        moved += t.search.step > 0;
        replaced += cop_store_get(t.store, "/screen/replaced") != NULL;
        toy_take_down(&t);
    }
    print_message("%zu jobs, %zu steps made smaller, %zu jobs moved, %zu replaced examples\n",
                  n, reduced, moved, replaced);
    assert_true(n > 100 && reduced > n / 2 && moved > n / 4 && replaced > n / 8);
}

/* --- without a budget --- */

static const char *const compared[] = {"/scores",   "/status",     "/tokens",   "/row_digest",
                                       "/accepted", "/left_after", "/left_gap", "/scale",
                                       "/merge",    "/direction",  "/seed",     "/sigma"};

static size_t bytes_of(const cop_store_array *array)
{
    static const size_t width[] = {[COP_STORE_F32] = 4,
                                   [COP_STORE_F64] = 8,
                                   [COP_STORE_I64] = 8,
                                   [COP_STORE_U64] = 8,
                                   [COP_STORE_U8] = 1};
    size_t bytes = width[array->type];
    for (int d = 0; d < array->rank; d++)
        bytes *= array->shape[d];
    return bytes;
}

/* All of a that is compared is in b, and as many paths, with `budget` of those in b alone. */
static void assert_same_search(const toy *a, const toy *b, bool budget)
{
    size_t own = 0;
    size_t seen = 0;
    for (size_t i = 0; i < cop_store_count(b->store); i++)
        own += strncmp(cop_store_path_at(b->store, i), "/budget/", 8) == 0;
    assert_int_equal(own > 0, budget);
    for (size_t i = 0; i < cop_store_count(a->store); i++) {
        const char *const path = cop_store_path_at(a->store, i);
        for (size_t k = 0; k < sizeof compared / sizeof compared[0]; k++) {
            if (strcmp(strrchr(path, '/'), compared[k]) != 0) continue;
            const cop_store_array *const mine = cop_store_get(a->store, path);
            const cop_store_array *const other = cop_store_get(b->store, path);
            if (other == NULL || bytes_of(mine) != bytes_of(other)) print_error("%s\n", path);
            assert_non_null(other);
            assert_int_equal(bytes_of(mine), bytes_of(other));
            assert_memory_equal(mine->data, other->data, bytes_of(mine));
            seen++;
        }
    }
    assert_true(seen > 5);
    assert_int_equal(a->search.seed_count, b->search.seed_count);
    assert_memory_equal(a->search.centre, b->search.centre,
                        a->search.seed_count * sizeof *a->search.centre);
}

static void a_budget_with_room_for_all_changes_nothing(void **state)
{
    (void)state;
    static const char *const limits[] = {"budget.answers=5800", "budget.tokens=99999999"};
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        toy free_of_it;
        toy_set_up(&free_of_it, cop_method_at(m)->name, NULL, 0, NULL);
        free_of_it.length = 0.5;
        finish(&free_of_it);
        assert_null(cop_store_get(free_of_it.store, "/budget/spent_answers"));
        assert_int_equal(free_of_it.search.step_count, 0);
        for (size_t k = 0; k < 2; k++) {
            toy t;
            if (k == 0 && cop_method_at(m)->population_count(free_of_it.job) > 3) continue;
            toy_set_up(&t, cop_method_at(m)->name, &limits[k], 1, NULL);
            t.length = 0.5;
            finish(&t);
            assert_same_search(&free_of_it, &t, true);
            assert_int_equal(cop_store_count(t.store), cop_store_count(free_of_it.store) + 7);
            toy_take_down(&t);
        }
        toy_take_down(&free_of_it);
    }
}

/* --- with a small one --- */

typedef struct small_job {
    const char *method;
    const char *settings[4];
    size_t count;
} small_job;

static const small_job small[] = {
    {"corp", {"budget.answers=2500"}, 1},
    {"corp",
     {"budget.tokens=200000", "consolidate.race=3", "recenter.race=4",
      "consolidate.beta=[1, 2, 5, 10]"},
     4},
    {"rounds", {"budget.answers=2500", "budget.tokens=300000", "consolidate.race=3"}, 3},
    {"es", {"budget.tokens=300000"}, 1},
    {"randopt", {"budget.answers=701", "population.antithetic=true"}, 2},
    {"corp",
     {"budget.answers=2000", "splits.drop_uninformative=true", "splits.drop_after=6"},
     3},
};
enum { SMALL = sizeof small / sizeof small[0] };

static void set_up_small(toy *t, const small_job *job, const cop_store *store)
{
    toy_set_up(t, job->method, job->settings, job->count, store);
    t->length = 0.5;
}

static void an_interrupted_search_spends_alike(void **state)
{
    (void)state;
    static const long pieces[] = {7, 29, 64};
    for (size_t j = 0; j < SMALL; j++) {
        toy whole;
        set_up_small(&whole, &small[j], NULL);
        finish(&whole);
        size_t reduced = 0;
        for (size_t k = 0; k < whole.search.step_count; k++)
            reduced += whole.search.steps[k].made < whole.search.steps[k].wanted;
        if (reduced == 0) print_error("%s: nothing is made smaller\n", small[j].settings[0]);
        assert_true(reduced > 0);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            toy t;
            bool improved = false;
            size_t scored = 0;
            size_t starts = 1;
            cop_error err = {0};
            set_up_small(&t, &small[j], NULL);
            t.left = pieces[k];
            while (toy_run(&t, &improved, &err) == COP_INTERRUPTED) {
                toy next;
                scored += t.scored;
                set_up_small(&next, &small[j], t.store);
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
            assert_true(starts > 1 || (size_t)pieces[k] > whole.scored);
            assert_int_equal(scored + t.scored, whole.scored); /* no unit twice, none in vain */
            assert_same_search(&whole, &t, true);
            assert_int_equal(t.search.budget.spent_tokens, whole.search.budget.spent_tokens);
            assert_int_equal(t.search.step_count, whole.search.step_count);
            for (size_t i = 0; i < t.search.step_count; i++) {
                assert_int_equal(t.search.steps[i].made, whole.search.steps[i].made);
                assert_int_equal(t.search.steps[i].left, whole.search.steps[i].left);
            }
            toy_take_down(&t);
        }
        toy_take_down(&whole);
    }
}

/* A host that scores what it is given from the last unit to the first, as ranks may. */
static cop_status evaluate_backwards(void *context, cop_phase *phase, const uint64_t *units,
                                     size_t unit_count, cop_error *err)
{
    for (size_t u = unit_count; u > 0; u--)
        COP_TRY(toy_evaluate(context, phase, &units[u - 1], 1, err));
    return COP_OK;
}

static void the_order_of_work_spends_alike(void **state)
{
    (void)state;
    for (size_t j = 0; j < SMALL; j++) {
        toy forth;
        toy back;
        set_up_small(&forth, &small[j], NULL);
        set_up_small(&back, &small[j], NULL);
        back.phases.host.evaluate = evaluate_backwards;
        finish(&forth);
        finish(&back);
        assert_same_search(&forth, &back, true);
        toy_take_down(&back);
        toy_take_down(&forth);
    }
}

/* Directions of stage 1 in the order of their first proposals, [most]; gives their number. */
static size_t list_directions(const toy *t, double *order, size_t most)
{
    const cop_store_array *const merge = cop_store_get(t->store, "/stage1/merge");
    const double *const numbers = merge->data;
    size_t count = 0;
    for (size_t k = 0; k < merge->shape[0]; k++) {
        size_t before = 0;
        while (before < count && order[before] != numbers[k])
            before++;
        if (before < count) continue;
        assert_true(count < most);
        order[count++] = numbers[k];
    }
    return count;
}

/* Short answers leave room for candidates and directions that were not certain before. */
static void what_short_answers_leave_is_used(void **state)
{
    (void)state;
    static const double lengths[] = {1, 0.5, 0};
    const char *const settings_of[] = {"budget.tokens=220000",
                                       "consolidate.beta=[1, 2, 5, 10, 20]"};
    size_t candidates[3];
    size_t directions[3];
    for (size_t i = 0; i < 3; i++) {
        toy t;
        toy_set_up(&t, "corp", settings_of, 2, NULL);
        t.length = lengths[i];
        finish(&t);
        candidates[i] = (size_t)cop_store_get(t.store, "/population/reward")->shape[0];
        double order[10];
        directions[i] = list_directions(&t, order, 10);
        assert_int_equal(t.search.steps[1].made, directions[i]);
        toy_take_down(&t);
    }
    print_message("%zu, %zu, %zu candidates; %zu, %zu, %zu directions\n", candidates[0],
                  candidates[1], candidates[2], directions[0], directions[1], directions[2]);
    assert_true(candidates[0] < candidates[1] && candidates[1] <= candidates[2]);
    assert_true(directions[0] < directions[1] && directions[1] <= directions[2]);
    assert_int_equal(candidates[2], 24);
    assert_int_equal(directions[2], 10);
}

/* Few directions of many lie apart in the operators' grid. */
static void few_directions_are_spread(void **state)
{
    (void)state;
    toy t;
    const char *const settings_of[] = {"budget.answers=1000",
                                       "consolidate.beta=[1, 2, 5, 10, 20, 50, 100, 200]",
                                       "consolidate.q=[0.5]", "recenter.rounds=0"};
    toy_set_up(&t, "corp", settings_of, 4, NULL);
    finish(&t);
    static const double wanted[] = {0, 4, 2, 6, 1, 5, 3, 7};
    double order[8];
    const size_t tried = list_directions(&t, order, 8);
    assert_int_equal(tried, t.search.steps[1].made);
    assert_true(tried >= 2 && tried < 8);
    for (size_t k = 0; k < tried; k++)
        assert_true(order[k] == wanted[k]);
    toy_take_down(&t);
}

/* The guard behind it all: a phase that nobody asked room for is not begun. */
static void a_phase_without_room_is_not_begun(void **state)
{
    (void)state;
    toy t;
    cop_error err = {0};
    cop_phase *phase = NULL;
    const char *const budget[] = {"budget.answers=1000"};
    toy_set_up(&t, "randopt", budget, 1, NULL);
    finish(&t);
    const uint64_t left = cop_budget_left(&t.search.budget);
    const size_t scored = t.scored;
    assert_int_equal(left, 1000 - 130 - 21 * 40); /* one more candidate has no room */
    assert_int_equal(cop_phase_create(&t.phases, "/more", "more",
                                      t.splits.examples[COP_SPLIT_PROBE], 30, &phase, &err),
                     COP_OK);
    assert_int_equal(cop_phase_add(phase, NULL, 0, &err), COP_OK);
    assert_int_equal(cop_search_run_phase(&t.search, phase, &err), COP_OK);
    assert_int_equal(cop_budget_left(&t.search.budget), 0);
    assert_int_equal(cop_search_run_phase(&t.search, phase, &err), COP_OK); /* all is known */
    assert_int_equal(cop_phase_add(phase, NULL, 0, &err), COP_OK);
    assert_int_equal(cop_search_run_phase(&t.search, phase, &err), COP_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "/more is to take 30 answers"));
    assert_int_equal(t.scored, scored + 2);
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

/* What the check before a job refuses the search refuses, too. */
static void a_population_without_room_is_refused(void **state)
{
    (void)state;
    toy t;
    bool improved = false;
    cop_error err = {0};
    const char *const budget[] = {"budget.answers=449"};
    toy_set_up(&t, "randopt", budget, 1, NULL);
    assert_int_equal(toy_run(&t, &improved, &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "no room for a population"));
    toy_take_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_search_exceeds_its_budget),
        cmocka_unit_test(a_budget_with_room_for_all_changes_nothing),
        cmocka_unit_test(an_interrupted_search_spends_alike),
        cmocka_unit_test(the_order_of_work_spends_alike),
        cmocka_unit_test(what_short_answers_leave_is_used),
        cmocka_unit_test(few_directions_are_spread),
        cmocka_unit_test(a_phase_without_room_is_not_begun),
        cmocka_unit_test(a_population_without_room_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
