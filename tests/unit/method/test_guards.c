/* Guards on the toy landscape: who harms what they hold is refused, whatever it earns; who does
 * not is none of their business; and interruptions and budgets change nothing. */
#include "unit/method/toy.h"

#include "coppice/method/budget.h"

#include <math.h>
#include <stdlib.h>

#define GUARD(loss) "guard=[{task: text, data: g, examples: 20, loss: " loss "}]"

static bool finish(toy *t)
{
    cop_error err = {0};
    bool improved = false;
    const cop_status status = toy_run(t, &improved, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    return improved;
}

static void assert_same_centre(const toy *a, const toy *b)
{
    assert_int_equal(a->search.seed_count, b->search.seed_count);
    assert_memory_equal(a->search.centre, b->search.centre,
                        a->search.seed_count * sizeof *a->search.centre);
}

/* Decisions that a guard was asked about. */
static size_t count_asked(const toy *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->search.gate_count; i++)
        count += t->search.gate[i].guards != NULL;
    return count;
}

/* Who has passed by the task's examples, and nobody else, was put to the guards. */
static void check_asked(const toy *t)
{
    for (size_t i = 0; i < t->search.gate_count; i++) {
        const cop_gate_record *const r = &t->search.gate[i];
        const bool passed = r->decision.bound > 0 && r->decision.paired.constructive > 0;
        assert_int_equal(passed, r->guards != NULL);
        if (r->guards != NULL) assert_int_equal(r->decision.accepted, r->guards[0].accepted);
    }
    assert_int_equal(t->search.guards[0].phase->row_count, 1 + count_asked(t));
}

static void a_harmless_step_passes(void **state)
{
    (void)state;
    const char *const guard[] = {GUARD("0.01")};
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        if (!cop_method_at(m)->is_gated) continue;
        toy plain;
        toy guarded;
        toy_set_up(&plain, cop_method_at(m)->name, NULL, 0, NULL);
        toy_set_up(&guarded, cop_method_at(m)->name, guard, 1, NULL);
        assert_true(finish(&plain));
        assert_true(finish(&guarded));
        assert_same_centre(&plain, &guarded);
        check_asked(&guarded);
        assert_true(count_asked(&guarded) > 0);
        assert_true(guarded.search.guards[0].has_moved);
        assert_true(guarded.search.guards[0].centre.accepted);
        assert_int_equal(guarded.search.guards[0].centre.paired.regressions, 0);
        toy_take_down(&guarded);
        toy_take_down(&plain);
    }
}

static void a_harmful_step_is_refused(void **state)
{
    (void)state;
    const char *const guard[] = {GUARD("0.01")};
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        if (!cop_method_at(m)->is_gated) continue;
        toy t;
        int64_t accepted = -1;
        double bound = 0;
        toy_set_up(&t, cop_method_at(m)->name, guard, 1, NULL);
        t.harm = 1;
        assert_false(finish(&t));
        for (size_t s = 0; s < t.search.seed_count; s++)
            assert_true(t.search.centre[s] == 0);
        check_asked(&t);
        assert_true(count_asked(&t) > 0);
        assert_false(t.search.guards[0].has_moved);
        assert_true(
            cop_store_get_i64(t.store, "/gate/decisions/01/guard_1/accepted", &accepted));
        assert_int_equal(accepted, 0);
        assert_true(cop_store_get_f64(t.store, "/gate/decisions/01/guard_1/bound", &bound));
        assert_true(bound <= -0.01);
        assert_true(cop_store_get_i64(t.store, "/gate/decisions/01/accepted", &accepted));
        assert_int_equal(accepted, 0);
        toy_take_down(&t);
    }
}

/* The second of two guards is enough. */
static void one_guard_is_enough(void **state)
{
    (void)state;
    const char *const guards[] = {"guard=[{task: text, data: g, examples: 20, loss: 100}, "
                                  "{task: text, data: h, examples: 20, loss: 0.01}]"};
    toy t;
    toy_set_up(&t, "corp", guards, 1, NULL);
    t.harm = 1;
    assert_false(finish(&t));
    for (size_t i = 0; i < t.search.gate_count; i++) {
        if (t.search.gate[i].guards == NULL) continue;
        assert_true(t.search.gate[i].guards[0].accepted);
        assert_false(t.search.gate[i].guards[1].accepted);
    }
    toy_take_down(&t);
}

static bool is_same_direction(const cop_gate_record *a, const cop_gate_record *b)
{
    return a->round == b->round && strcmp(a->source, b->source) == 0 &&
           (a->q == b->q || isnan(a->q)) && (a->beta == b->beta || isnan(a->beta));
}

/* A try follows the other, as many as the job allows; after a refusal comes a shorter step of
 * the same, and later nothing that leads as far there. */
static size_t check_tries(const toy *t)
{
    size_t shorter = 0;
    for (size_t i = 0; i < t->search.gate_count; i++) {
        const cop_gate_record *const r = &t->search.gate[i];
        const cop_gate_record *const before = i == 0 ? NULL : &t->search.gate[i - 1];
        char path[64];
        double share = 0;
        assert_true(r->share > 0 && r->share <= 1);
        (void)snprintf(path, sizeof path, "/gate/decisions/%02zu/share", i + 1);
        assert_true(cop_store_get_f64(t->store, path, &share));
        assert_true(share == r->share);
        if (r->attempt <= t->job->gate.tries && before != NULL && before->round == r->round)
            assert_int_equal(r->attempt, before->attempt + 1);
        if (r->share < 1) {
            shorter++;
            assert_true(before != NULL && before->guards != NULL && !before->decision.accepted);
            assert_true(is_same_direction(before, r) && fabs(r->step) < fabs(before->step));
        }
        for (size_t k = 0; k < i; k++) {
            const cop_gate_record *const early = &t->search.gate[k];
            if (early->guards != NULL && !early->decision.accepted &&
                is_same_direction(early, r))
                assert_true(fabs(r->step) < fabs(early->step));
        }
    }
    return shorter;
}

/* What harms by the square of a step is not given up, but taken less far. */
static void a_shorter_step_is_let_pass(void **state)
{
    (void)state;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        if (!cop_method_at(m)->is_gated) continue;
        toy far;
        toy t;
        char loss[96];
        toy_set_up(&far, cop_method_at(m)->name, (const char *const[]){GUARD("100")}, 1, NULL);
        far.curve = 0.5;
        assert_true(finish(&far));
        assert_int_equal(check_tries(&far), 0);
        const cop_guard_decision *const first = far.search.gate[0].guards;
        assert_non_null(first);
        const double allowed = -first->paired.mean * 0.6;
        (void)snprintf(loss, sizeof loss,
                       "guard=[{task: text, data: g, examples: 20, loss: %.3f}]", allowed);
        toy_set_up(&t, cop_method_at(m)->name, (const char *const[]){loss}, 1, NULL);
        t.curve = 0.5;
        assert_true(finish(&t));
        check_asked(&t);
        assert_true(check_tries(&t) > 0);
        const cop_guard_decision *const held = &t.search.guards[0].centre;
        print_message("%s: %+.3f where %.3f may be lost, %+.3f by the first step\n",
                      cop_method_at(m)->name, held->paired.mean, allowed, first->paired.mean);
        assert_true(held->bound > -allowed && held->paired.mean > first->paired.mean);
        /* The result is what was let through, not the whole step. */
        double square = 0;
        double at[TOY_DIMENSIONS] = {0};
        for (size_t s = 0; s < t.search.seed_count; s++) {
            for (size_t d = 0; d < TOY_DIMENSIONS; d++)
                at[d] += t.search.centre[s] * toy_point(t.search.seeds[s], d);
        }
        for (size_t d = 0; d < TOY_DIMENSIONS; d++)
            square += at[d] * at[d];
        assert_true(fabs(-t.curve * square - held->paired.mean) < 1e-4);
        toy_take_down(&t);
        toy_take_down(&far);
    }
}

/* A run whose gate an older version has begun goes on as it began: nothing is left in its file
 * that two versions made. */
static void what_an_older_version_began_goes_on_so(void **state)
{
    (void)state;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        if (!cop_method_at(m)->is_gated) continue;
        toy t;
        cop_store *store = NULL;
        cop_error err = {0};
        assert_int_equal(cop_store_create(&store, &err), COP_OK);
        assert_int_equal(
            cop_store_set_i64(store, "/gate/decisions/01/accepted", 0, NULL, "as then", &err),
            COP_OK);
        toy_set_up(&t, cop_method_at(m)->name, (const char *const[]){GUARD("0.3")}, 1, store);
        cop_store_destroy(&store);
        t.curve = 0.5;
        (void)finish(&t);
        assert_true(count_asked(&t) > 0);
        for (size_t i = 0; i < t.search.gate_count; i++)
            assert_true(t.search.gate[i].share == 1);
        assert_null(cop_store_get(t.store, "/gate/decisions/01/share"));
        assert_null(t.search.shorter);
        if (strcmp(cop_method_at(m)->name, "es") == 0)
            assert_true(t.search.gate[0].decision.z == 1 && t.search.gate_count == 1);
        toy_take_down(&t);
    }
}

/* Steps in a row lose no more than one may: all are held against the base. */
static void losses_do_not_add_up(void **state)
{
    (void)state;
    const char *const guard[] = {GUARD("0.6")};
    const char *const methods[] = {"corp", "rounds"};
    for (size_t m = 0; m < 2; m++) {
        toy free_run;
        toy t;
        toy_set_up(&free_run, methods[m], (const char *const[]){GUARD("100")}, 1, NULL);
        toy_set_up(&t, methods[m], guard, 1, NULL);
        free_run.harm = t.harm = 0.5;
        assert_true(finish(&free_run));
        const cop_guard_decision *const far = &free_run.search.guards[0].centre;
        print_message("%s: %.3f without, ", methods[m], far->paired.mean);
        assert_true(far->bound < -0.6);
        const bool improved = finish(&t);
        const cop_guard *const held = &t.search.guards[0];
        print_message("%.3f with the guard\n", improved ? held->centre.paired.mean : 0);
        if (improved) assert_true(held->centre.bound > -0.6);
        toy_take_down(&t);
        toy_take_down(&free_run);
    }
}

static void interrupted_runs_end_alike(void **state)
{
    (void)state;
    static const long pieces[] = {3, 17};
    const char *const guard[] = {GUARD("0.3")};
    size_t shorter = 0;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        if (!cop_method_at(m)->is_gated) continue;
        toy whole;
        toy_set_up(&whole, cop_method_at(m)->name, guard, 1, NULL);
        whole.curve = 0.3;
        (void)finish(&whole);
        shorter += check_tries(&whole);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            toy t;
            bool again = false;
            size_t scored = 0;
            cop_error err = {0};
            toy_set_up(&t, cop_method_at(m)->name, guard, 1, NULL);
            t.curve = 0.3;
            t.left = pieces[k];
            cop_status status = COP_OK;
            while ((status = toy_run(&t, &again, &err)) == COP_INTERRUPTED) {
                toy next;
                scored += t.scored;
                toy_set_up(&next, cop_method_at(m)->name, guard, 1, t.store);
                next.curve = 0.3;
                next.left = pieces[k];
                toy_take_down(&t);
                t = next;
                t.phases.progress = &t.progress;
                t.phases.unsaved = &t.unsaved;
                t.phases.host.context = &t;
            }
            assert_int_equal(status, COP_OK);
            assert_same_centre(&whole, &t);
            assert_int_equal(whole.scored, scored + t.scored);
            const cop_phase *const a = whole.search.guards[0].phase;
            const cop_phase *const b = t.search.guards[0].phase;
            assert_int_equal(a->row_count, b->row_count);
            assert_memory_equal(a->scores, b->scores,
                                a->row_count * a->example_count * sizeof *a->scores);
            toy_take_down(&t);
        }
        toy_take_down(&whole);
    }
    assert_true(shorter > 1);
}

/* Whatever the budget, guards are paid for. */
static void budgets_cover_guards(void **state)
{
    (void)state;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        const cop_method *const method = cop_method_at(m);
        if (!method->is_gated) continue;
        toy probe;
        cop_plan whole;
        cop_error err = {0};
        const char *const guard[] = {GUARD("0.01"), NULL};
        toy_set_up(&probe, method->name, guard, 1, NULL);
        const cop_budget none = {.answer_tokens = cop_budget_of(probe.job).answer_tokens};
        assert_int_equal(cop_plan_make(method, probe.job, &none, SIZE_MAX, &whole, &err),
                         COP_OK);
        const cop_round round = cop_round_of_population(method, probe.job);
        uint64_t base = 0;
        uint64_t tokens = 0;
        cop_budget_of_base(probe.job, &base, &tokens);
        assert_int_equal(base, 40 + 30 + 60 + TOY_GUARDED);
        assert_true(whole.guards >= 2 * TOY_GUARDED);
        const uint64_t least = base + cop_round_least(&round);
        for (uint64_t limit = least; limit < whole.spent.spent_answers; limit += 150) {
            char budget[48];
            (void)snprintf(budget, sizeof budget, "budget.answers=%llu",
                           (unsigned long long)limit);
            const char *const settings[] = {GUARD("0.01"), budget};
            toy t;
            toy_set_up(&t, method->name, settings, 2, NULL);
            t.harm = limit % 2 == 0 ? 1 : 0;
            t.curve = 0.1;
            (void)finish(&t);
            check_asked(&t);
            (void)check_tries(&t);
            assert_true(t.search.budget.spent_answers <= limit);
            toy_take_down(&t);
        }
        toy_take_down(&probe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_harmless_step_passes),
        cmocka_unit_test(a_harmful_step_is_refused),
        cmocka_unit_test(one_guard_is_enough),
        cmocka_unit_test(a_shorter_step_is_let_pass),
        cmocka_unit_test(losses_do_not_add_up),
        cmocka_unit_test(interrupted_runs_end_alike),
        cmocka_unit_test(budgets_cover_guards),
        cmocka_unit_test(what_an_older_version_began_goes_on_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
