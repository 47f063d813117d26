/* The two phases that every method begins with: the base, which everything is measured against
 * and which decides whether probe and gate compare right answers or rewards, and the
 * population. */
#include "coppice/base/memory.h"
#include "coppice/method/method.h"
#include "method/guards.h"
#include "method/screen.h"
#include "method/spend.h"

#include <stdio.h>
#include <string.h>

static double accuracy_of(const cop_search *search, const float *scores, size_t count)
{
    const cop_measure correctness = {.correct_at = search->measure.correct_at};
    return cop_measure_mean(&correctness, scores, count);
}

/* Decides what probe and gate decide by, from the base's scores [count] on all examples that
 * the search sees. */
static cop_status choose_measure(cop_search *search, bool graded, const float *scores,
                                 size_t count, cop_error *err)
{
    const char *const on = search->job->gate.on;
    const double share = accuracy_of(search, scores, count);
    bool flat = true;
    for (size_t i = 1; i < count; i++)
        flat = flat && scores[i] == scores[0];
    search->measure.on_reward =
        strcmp(on, "reward") == 0 ||
        (strcmp(on, "auto") == 0 && (graded || share <= 0 || share >= 1));
    COP_TRY(cop_store_set_text(search->phases->store, "/gate/on",
                               search->measure.on_reward ? "reward" : "correct",
                               "what the choice on probe and the gate compare", err));
    COP_CHECK(
        !flat || search->job->gate.allow_flat, err, COP_ERR_CONFIG,
        "the base earns the reward %g with each of the %zu examples of support, probe and "
        "validate, so nothing tells one from another and no update could be judged; look "
        "at answers with coppice eval, check task, prompt and generation.max_new_tokens, "
        "or set gate.allow_flat: true to search all the same",
        (double)scores[0], count);
    if (!search->measure.on_reward) return COP_OK;
    cop_progress_print(search->phases->progress, "  decided by mean reward: %s",
                       strcmp(on, "reward") == 0 ? "gate.on says so"
                       : graded                  ? "the task's rewards are graded (gate.on)"
                       : share <= 0              ? "the base is right on no example (gate.on)"
                                    : "the base is right on all examples (gate.on)");
    return COP_OK;
}

/* Candidates are told by their mean reward on support: so is the base where that is another
 * number than its accuracy. */
static void tell_base(const cop_search *search, const float *support, const float *validate)
{
    static const cop_measure rewards = {.on_reward = true};
    const size_t count = search->splits->counts[COP_SPLIT_SUPPORT];
    const double accuracy = accuracy_of(search, support, count);
    const double reward = cop_measure_mean(&rewards, support, count);
    char text[96];
    char more[40] = "";
    if (reward != accuracy)
        (void)snprintf(more, sizeof more, "; reward %.3f on support", reward);
    (void)snprintf(text, sizeof text, "accuracy %.3f on support, %.3f on validate%s", accuracy,
                   accuracy_of(search, validate, search->splits->counts[COP_SPLIT_VALIDATE]),
                   more);
    cop_progress_end(search->phases->progress, text);
}

cop_status cop_search_score_base(cop_search *search, bool graded, cop_base_scores *base,
                                 cop_error *err)
{
    size_t total = 0;
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        base->start[s] = total;
        total += search->splits->counts[s];
    }
    size_t *const examples = cop_memory_alloc(total, sizeof *examples, err);
    if (examples == NULL) return COP_ERR_MEMORY;
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        if (search->splits->counts[s] > 0) {
            memcpy(examples + base->start[s], search->splits->examples[s],
                   search->splits->counts[s] * sizeof *examples);
        }
    }
    cop_status status =
        cop_phase_create(search->phases, "/base", "base", examples, total, &base->phase, err);
    cop_memory_free(examples);
    COP_TRY(status);
    COP_TRY(cop_phase_add(base->phase, NULL, 0, err));
    COP_TRY(cop_phase_run(search->phases, base->phase, err));
    COP_TRY(cop_search_spend_base(search, base->phase, base->start[COP_SPLIT_TEST], err));
    COP_CHECK(
        cop_phase_row_valid(base->phase, 0), err, COP_ERR_NUMERIC,
        "%s: the base model itself gives logits that are not finite; check its weights, or set "
        "backend.compute: f32",
        search->job->model);
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/base/accuracy_%s", cop_split_name((cop_split)s));
        COP_TRY(cop_store_set_f64(search->phases->store, path,
                                  accuracy_of(search,
                                              cop_phase_scores(base->phase, 0) + base->start[s],
                                              search->splits->counts[s]),
                                  NULL, "share of right examples of the base", err));
    }
    const float *const scores = cop_phase_scores(base->phase, 0);
    const size_t validate = search->splits->counts[COP_SPLIT_VALIDATE];
    search->centre_validate = cop_memory_alloc(validate, sizeof *search->centre_validate, err);
    if (search->centre_validate == NULL) return COP_ERR_MEMORY;
    memcpy(search->centre_validate, scores + base->start[COP_SPLIT_VALIDATE],
           validate * sizeof *scores);
    search->base_support =
        cop_memory_alloc(search->support_count, sizeof *search->base_support, err);
    if (search->base_support == NULL) return COP_ERR_MEMORY;
    memcpy(search->base_support, scores, search->support_count * sizeof *scores);
    tell_base(search, scores, scores + base->start[COP_SPLIT_VALIDATE]);
    COP_TRY(choose_measure(search, graded, scores, base->start[COP_SPLIT_TEST], err));
    return cop_guards_score_base(search, err);
}

cop_status cop_search_score_population(cop_search *search, cop_candidates *population,
                                       cop_error *err)
{
    const size_t size = (size_t)search->job->population.size;
    const cop_round round = cop_round_of_population(search->method, search->job);
    COP_TRY(cop_candidates_draw(search, 0, size, 1, population, err));
    if (search->job->splits.drop_uninformative)
        COP_TRY(cop_screen_run(search, population, err));
    COP_TRY(cop_candidates_score(search, population, &round, "/population", "population", err));
    COP_CHECK(population->count > 0, err, COP_ERR_CONFIG,
              "the budget has no room for a population; coppice run --check tells the least");
    if (search->job->splits.drop_uninformative)
        COP_TRY(cop_screen_compare(search, population, err));
    COP_CHECK(population->usable > 0, err, COP_ERR_NUMERIC,
              "no candidate gave finite logits: lower population.sigma");
    return COP_OK;
}
