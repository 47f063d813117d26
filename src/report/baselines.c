#include "coppice/report/baselines.h"

#include "coppice/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rising, each once, at most `most`; always with 1 where asked. Owned by the caller. */
typedef struct sizes {
    size_t *data; /* [count] */
    size_t count;
} sizes;

static int compare_sizes(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a;
    const size_t y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static cop_status list_sizes(const cop_job_integers *wanted, bool with_one, size_t most,
                             sizes *list, cop_error *err)
{
    *list = (sizes){.data = cop_memory_alloc(wanted->count + 1, sizeof *list->data, err)};
    if (list->data == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    if (with_one) list->data[count++] = 1;
    for (size_t i = 0; i < wanted->count; i++) {
        if ((size_t)wanted->data[i] <= most) list->data[count++] = (size_t)wanted->data[i];
    }
    qsort(list->data, count, sizeof *list->data, compare_sizes);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || list->data[i] != list->data[i - 1])
            list->data[list->count++] = list->data[i];
    }
    return COP_OK;
}

static bool is_randopt(const cop_job *job)
{
    const cop_method *method = NULL;
    return cop_method_find(job->method, &method, NULL) == COP_OK && !method->is_gated;
}

/* Of a population of `members`. */
static cop_status list_randopt(const cop_job *job, size_t members, sizes *list, cop_error *err)
{
    const cop_job_integers *const wanted = &job->baselines.randopt;
    /* K = 1 stands beside every ensemble, and is the result where the method is RandOpt. */
    const bool with_one = wanted->count > 0 || is_randopt(job);
    return list_sizes(wanted, with_one, members, list, err);
}

static cop_status list_self_consistency(const cop_job *job, sizes *list, cop_error *err)
{
    return list_sizes(&job->baselines.self_consistency, false, SIZE_MAX, list, err);
}

static size_t largest(const sizes *list)
{
    return list->count == 0 ? 0 : list->data[list->count - 1];
}

/* "K = 1, 10, 50" */
static void describe_sizes(const sizes *list, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "K =");
    for (size_t i = 0; i < list->count && length < size; i++) {
        length += (size_t)snprintf(text + length, size - length, "%s %zu", i == 0 ? "" : ",",
                                   list->data[i]);
    }
}

void cop_baselines_print_plan(cop_search *search)
{
    const cop_job *const job = search->job;
    const size_t test = search->splits->counts[COP_SPLIT_TEST];
    const size_t population = (size_t)job->population.size * (size_t)job->splits.support;
    sizes randopt = {0};
    sizes drawn = {0};
    if (list_randopt(job, (size_t)job->population.size, &randopt, NULL) == COP_OK &&
        list_self_consistency(job, &drawn, NULL) == COP_OK && test > 0) {
        char votes[96];
        char samples[96];
        describe_sizes(&randopt, votes, sizeof votes);
        describe_sizes(&drawn, samples, sizeof samples);
        if (randopt.count + drawn.count > 0) {
            cop_progress_print(
                search->phases->progress,
                "baselines on test: %s%s%s%s%s; %zu answers, the population takes %zu%s",
                randopt.count > 0 ? "RandOpt " : "", randopt.count > 0 ? votes : "",
                randopt.count > 0 && drawn.count > 0 ? "; " : "",
                drawn.count > 0 ? "self-consistency " : "", drawn.count > 0 ? samples : "",
                (largest(&randopt) + largest(&drawn)) * test, population,
                cop_budget_is_set(&search->budget) ? " at most" : "");
        }
    }
    cop_memory_free(randopt.data);
    cop_memory_free(drawn.data);
}

cop_status cop_baselines_count_answers(const cop_job *job, uint64_t *answers, cop_error *err)
{
    sizes randopt = {0};
    sizes drawn = {0};
    cop_status status = list_randopt(job, (size_t)job->population.size, &randopt, err);
    if (status == COP_OK) status = list_self_consistency(job, &drawn, err);
    if (status == COP_OK)
        *answers = ((is_randopt(job) ? 0 : 1) + largest(&randopt) + largest(&drawn)) *
                   (uint64_t)job->splits.test;
    cop_memory_free(randopt.data);
    cop_memory_free(drawn.data);
    return status;
}

/* --- RandOpt --- */

/* An empty phase on the test set whose answers can vote. */
static cop_status open_phase(cop_search *search, const char *path, const char *title,
                             const cop_sampling *sampling, cop_phase **phase, cop_error *err)
{
    COP_TRY(cop_phase_create(search->phases, path, title,
                             search->splits->examples[COP_SPLIT_TEST],
                             search->splits->counts[COP_SPLIT_TEST], phase, err));
    (*phase)->keeps_answers = true;
    (*phase)->sampling = *sampling;
    return COP_OK;
}

/* Adds the method "first K rows of the phase"; more than one of them vote. */
static cop_status add_vote(const cop_phase *phase, size_t members, cop_result *method,
                           cop_results *results, cop_error *err)
{
    const cop_ballot ballot = {.answers = phase->answers,
                               .scores = phase->scores,
                               .members = members,
                               .examples = phase->example_count};
    method->answers = members;
    method->test = cop_results_spent_rows(phase, 0, members);
    if (members == 1) return cop_results_add(results, method, cop_phase_scores(phase, 0), err);
    float *const scores = cop_memory_alloc(phase->example_count, sizeof *scores, err);
    if (scores == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_vote(&ballot, NULL, scores, err);
    if (status == COP_OK) status = cop_results_add(results, method, scores, err);
    cop_memory_free(scores);
    return status;
}

/* The member that is best on test, the first among equals. */
static cop_status add_best_member(cop_search *search, const cop_phase *phase, cop_spent spent,
                                  cop_results *results, cop_error *err)
{
    size_t best = 0;
    for (size_t k = 1; k < phase->row_count; k++) {
        const bool ahead = cop_phase_merit(phase, k, &search->measure) >
                           cop_phase_merit(phase, best, &search->measure);
        const bool valid = cop_phase_row_valid(phase, k);
        if (valid && (ahead || !cop_phase_row_valid(phase, best))) best = k;
    }
    /* Finding it takes what RandOpt takes, and the answers of all members to the test set. */
    const cop_spent members = cop_results_spent_rows(phase, 0, phase->row_count);
    spent.evaluations += members.evaluations;
    spent.tokens += members.tokens;
    cop_result method = {.group = "/baselines",
                         .key = "best_member",
                         .answers = 1,
                         .search = spent,
                         .test = cop_results_spent_rows(phase, best, 1)};
    (void)snprintf(method.title, sizeof method.title, "best of %zu on test (*)",
                   phase->row_count);
    COP_TRY(cop_store_set_i64(search->phases->store, "/baselines/best_member/rank",
                              (int64_t)best, NULL,
                              "on support of the member that is best on test, from 0", err));
    return cop_results_add(results, &method, cop_phase_scores(phase, best), err);
}

static cop_status run_members(cop_search *search, const cop_candidates *population,
                              const size_t *members, size_t count, cop_phase *phase,
                              cop_error *err)
{
    uint64_t *const column = cop_memory_alloc(count, sizeof *column, err);
    cop_status status = column == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t k = 0; k < count && status == COP_OK; k++) {
        const size_t i = members[k];
        const cop_component own = {.seed = search->seeds[population->seed_index[i]],
                                   .amplitude =
                                       (float)(population->sigma[i] * population->sign[i])};
        column[k] = i;
        status = cop_phase_add(phase, &own, 1, err);
    }
    if (status == COP_OK) status = cop_phase_run(search->phases, phase, err);
    if (status == COP_OK) {
        cop_progress_end(search->phases->progress, NULL);
        status = cop_phase_column(search->phases, phase, "candidate", COP_STORE_U64, column,
                                  NULL, "of the population, best on support first", err);
    }
    cop_memory_free(column);
    return status;
}

static cop_status add_ensembles(cop_search *search, const cop_phase *phase, const sizes *list,
                                cop_results *results, cop_error *err)
{
    cop_spent spent = cop_results_spent(search->phases->store, "/population");
    const cop_spent screen = cop_results_spent(search->phases->store, "/screen");
    spent.evaluations += screen.evaluations;
    spent.tokens += screen.tokens;
    for (size_t i = 0; i < list->count; i++) {
        cop_result method = {.group = "/baselines", .search = spent};
        (void)snprintf(method.key, sizeof method.key, "randopt_k%zu", list->data[i]);
        (void)snprintf(method.title, sizeof method.title, "RandOpt, K = %zu", list->data[i]);
        COP_TRY(add_vote(phase, list->data[i], &method, results, err));
    }
    if (phase->row_count == 1) return COP_OK;
    return add_best_member(search, phase, spent, results, err);
}

cop_status cop_baselines_randopt(cop_search *search, const cop_candidates *population,
                                 cop_results *results, cop_error *err)
{
    static const cop_sampling greedy = {0};
    sizes list = {0};
    cop_phase *phase = NULL;
    if (search->splits->counts[COP_SPLIT_TEST] == 0) return COP_OK;
    COP_TRY(list_randopt(search->job, population->count, &list, err));
    cop_status status = COP_OK;
    size_t *const members = cop_memory_alloc(largest(&list), sizeof *members, err);
    if (list.count == 0) goto out;
    if (members == NULL) {
        status = COP_ERR_MEMORY;
        goto out;
    }
    COP_TRY_OUT(cop_candidates_rank(population, members, largest(&list), err));
    COP_TRY_OUT(
        open_phase(search, "/baselines/randopt", "randopt members", &greedy, &phase, err));
    COP_TRY_OUT(run_members(search, population, members, largest(&list), phase, err));
    status = add_ensembles(search, phase, &list, results, err);
out:
    cop_phase_destroy(&phase);
    cop_memory_free(members);
    cop_memory_free(list.data);
    return status;
}

/* --- self-consistency --- */

static cop_status draw_samples(cop_search *search, size_t samples, cop_phase **phase,
                               cop_error *err)
{
    const cop_job *const job = search->job;
    const cop_sampling sampling = {.temperature = job->baselines.temperature,
                                   .top_p = job->baselines.top_p,
                                   .seed = (uint64_t)job->population.seed};
    COP_TRY(open_phase(search, "/baselines/self_consistency", "self-consistency", &sampling,
                       phase, err));
    for (size_t k = 0; k < samples; k++)
        COP_TRY(cop_phase_add(*phase, NULL, 0, err));
    COP_TRY(cop_phase_run(search->phases, *phase, err));
    cop_progress_end(search->phases->progress, NULL);
    return COP_OK;
}

cop_status cop_baselines_self_consistency(cop_search *search, cop_results *results,
                                          cop_error *err)
{
    sizes list = {0};
    cop_phase *phase = NULL;
    COP_TRY(list_self_consistency(search->job, &list, err));
    cop_status status = COP_OK;
    if (list.count == 0 || search->splits->counts[COP_SPLIT_TEST] == 0) goto out;
    COP_TRY_OUT(draw_samples(search, largest(&list), &phase, err));
    for (size_t i = 0; i < list.count; i++) {
        cop_result method = {.group = "/baselines"};
        (void)snprintf(method.key, sizeof method.key, "self_consistency_k%zu", list.data[i]);
        (void)snprintf(method.title, sizeof method.title, "self-consistency, K = %zu",
                       list.data[i]);
        COP_TRY_OUT(add_vote(phase, list.data[i], &method, results, err));
    }
out:
    cop_phase_destroy(&phase);
    cop_memory_free(list.data);
    return status;
}
