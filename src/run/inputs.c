/* What a job is made of before there are ranks: its task, its examples, its prompts, and what
 * rank 0 will hold of it. `coppice run --check` looks at the same. */
#include "run/inputs.h"
#include "run/arithmetic.h"
#include "run/guards.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The task as the job wants it. */
cop_status cop_inputs_find_task(cop_rank *rank, cop_error *err)
{
    const cop_job *const job = rank->job;
    const cop_task *known = NULL;
    COP_TRY(cop_task_find(job->task.name, &known, err));
    rank->own_task = *known;
    if (!isnan(job->task.correct_at)) rank->own_task.correct_at = job->task.correct_at;
    rank->task = &rank->own_task;
    rank->setup = (cop_task_setup){.command = (const char *const *)job->task.command.data,
                                   .command_count = job->task.command.count,
                                   .timeout_s = job->task.timeout,
                                   .correct_at = rank->own_task.correct_at};
    COP_CHECK(known->scorer != NULL || job->task.command.count == 0, err, COP_ERR_CONFIG,
              "task.command: task %s is not scored by a command; did you mean task.name: exec?",
              known->name);
    return COP_OK;
}

/* Divides the data set; of its examples those of a split are kept. */
static cop_status split_data(cop_rank *rank, const uint64_t *keys, size_t total, cop_error *err)
{
    const cop_job *const job = rank->job;
    const size_t counts[COP_SPLIT_COUNT] = {
        (size_t)job->splits.support, (size_t)job->splits.probe, (size_t)job->splits.validate,
        (size_t)job->splits.test};
    const size_t pool = job->splits.drop_uninformative ? counts[COP_SPLIT_SUPPORT] : 0;
    if (cop_splits_create(total, counts, pool, job->splits.seed, keys, &rank->splits, err) !=
        COP_OK)
        return cop_error_prefix(err, "splits of %s", job->task.data);
    bool *const wanted = cop_memory_alloc(total, sizeof *wanted, err);
    size_t count = 0;
    size_t *const list = cop_splits_list(&rank->splits, &count, err);
    cop_status status = wanted == NULL || list == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++)
        wanted[list[i]] = true;
    const cop_dataset_options options = {.wanted = wanted, .wanted_count = total};
    if (status == COP_OK)
        status = cop_task_load(rank->task, job->task.data, &job->task.fields, &options,
                               &rank->dataset, err);
    cop_memory_free(list);
    cop_memory_free(wanted);
    return status;
}

cop_status cop_inputs_divide(cop_rank *rank, cop_error *err)
{
    const cop_job *const job = rank->job;
    uint64_t *keys = NULL;
    size_t total = 0;
    COP_TRY(cop_task_scan(rank->task, job->task.data, &job->task.fields, job->task.user, &keys,
                          &total, err));
    const cop_status status = split_data(rank, keys, total, err);
    cop_memory_free(keys);
    return status;
}

cop_status cop_inputs_load_shots(cop_rank *rank, cop_error *err)
{
    const cop_job *const job = rank->job;
    if (job->task.examples == NULL) return COP_OK;
    return cop_task_load(rank->task, job->task.examples, &job->task.fields, NULL,
                         &rank->examples, err);
}

cop_status cop_inputs_load(cop_rank *rank, cop_error *err)
{
    COP_TRY(cop_inputs_find_task(rank, err));
    COP_TRY(cop_inputs_divide(rank, err));
    COP_TRY(cop_run_guards_load(rank, err));
    return cop_inputs_load_shots(rank, err);
}

void cop_inputs_free(cop_rank *rank)
{
    cop_run_guards_free(rank);
    cop_splits_free(&rank->splits);
    cop_dataset_destroy(&rank->dataset);
    cop_dataset_destroy(&rank->examples);
}

cop_evaluator_options cop_inputs_prompt_options(const cop_rank *rank)
{
    const cop_job *const job = rank->job;
    return (cop_evaluator_options){
        .model_dir = job->model,
        .task = rank->task,
        .setup = &rank->setup,
        .dataset = rank->dataset,
        .guards = rank->guard_sets,
        .guard_count = rank->guard_count,
        .system = job->task.system,
        .user = job->task.user,
        .assistant = job->task.assistant,
        .examples = rank->examples,
        .shots = (size_t)job->task.shots,
        .shot_seed = job->splits.seed,
        .chat = job->task.chat,
        .date = job->task.date,
        .stop = (const char *const *)job->generation.stop.data,
        .stop_count = job->generation.stop.count,
        .stop_decided = job->generation.stop_decided,
        .answers = {.ignore_model = !job->generation.model_rules,
                    .repetition_penalty = job->generation.repetition_penalty,
                    .no_repeat_ngram = job->generation.no_repeat_ngram_size,
                    .min_new_tokens = job->generation.min_new_tokens,
                    .stop_tokens = (const char *const *)job->generation.stop_tokens.data,
                    .stop_token_count = job->generation.stop_tokens.count},
        .max_new_tokens = (size_t)job->generation.max_new_tokens};
}

/* Bytes of rows of a phase: what a row of `seeds` components and all of `examples` takes. */
static double phase_bytes(double rows, double examples, double batch, double seeds)
{
    const double chunks = ceil(examples / batch);
    return rows * (examples * (double)sizeof(float) +
                   chunks * (double)(sizeof(uint8_t) + sizeof(uint64_t) + sizeof(float) +
                                     sizeof(int32_t)) +
                   seeds * (double)sizeof(cop_component) +
                   (double)(sizeof(cop_row) + sizeof(uint64_t)));
}

/* What rank 0 holds at most: the scores of every candidate, in memory and while they are
 * written, and the recipes of the largest phase. An estimate. */
static double memory_bytes(const cop_method *method, const cop_job *job)
{
    const double size = (double)job->population.size;
    const double populations = (double)method->population_count(job);
    const double batch = (double)job->backend.batch;
    const double support = (double)job->splits.support;
    const double local = method->recentres ? (double)job->recenter.size : 0;
    const double rounds = method->recentres ? (double)job->recenter.rounds : 0;
    const double seeds = (double)cop_method_seed_count(method, job);
    const double grid = (double)(job->consolidate.q.count * job->consolidate.beta.count +
                                 job->consolidate.operators.count) *
                        (double)(job->consolidate.scale.count + 8);
    const double judges = job->splits.drop_uninformative ? (double)cop_job_judges(job) : 0;
    double kept = phase_bytes(size * populations, support, batch, 1) +
                  phase_bytes(2 * judges, support, batch, 1) +
                  phase_bytes(rounds * local, support, batch, 0) +
                  phase_bytes(populations, (double)job->splits.probe, batch, 0);
    /* The largest phase at work: its rows' recipes. */
    const double component = (double)sizeof(cop_component);
    /* A candidate holds a component behind the centre, of which there are four copies. */
    double working = (size + (populations > 1 ? 4 * seeds : 0)) * component;
    if (method->recentres)
        working = fmax(working, local * seeds * (component + (double)sizeof(double)));
    if (method->proposes) working = fmax(working, grid * seeds * component);
    /* What the scores of candidates that race are worth. */
    if (job->population.race > 0) working += size * support * (double)sizeof(double);
    /* The tree of the run file holds every phase, a write has one more copy and its encoding.
     */
    return 3 * kept + working + seeds * 4 * (double)sizeof(double);
}

cop_status cop_inputs_check_memory(const cop_rank *rank, cop_error *err)
{
    static const double gib = 1024.0 * 1024.0 * 1024.0;
    const cop_method *method = NULL;
    COP_TRY(cop_method_find(rank->job->method, &method, err));
    const double need = memory_bytes(method, rank->job);
    const double have = (double)cop_memory_available_bytes();
    COP_CHECK(
        have <= 0 || need <= have, err, COP_ERR_MEMORY,
        "rank 0 needs %.1f GiB for the scores and recipes of %lld candidates, and %.1f GiB "
        "are free; lower population.size, %s, or splits.support",
        need / gib, (long long)rank->job->population.size, have / gib, method->memory_keys);
    return COP_OK;
}

cop_status cop_inputs_check_budget(const cop_rank *rank, cop_error *err)
{
    const cop_method *method = NULL;
    const cop_budget budget = cop_budget_of(rank->job);
    cop_plan plan;
    COP_TRY(cop_method_find(rank->job->method, &method, err));
    return cop_plan_make(method, rank->job, &budget, rank->splits.pool_count, &plan, err);
}

cop_status cop_run_check(const cop_job *job, cop_run_facts *facts, cop_error *err)
{
    cop_rank rank = {.job = job};
    cop_checkpoint *base = NULL;
    const cop_backend_options asked = cop_arithmetic_asked(job);
    cop_status status = cop_inputs_load(&rank, err);
    *facts = (cop_run_facts){.pool = status == COP_OK ? rank.splits.pool_count : SIZE_MAX};
    if (status == COP_OK) {
        const cop_evaluator_options options = cop_inputs_prompt_options(&rank);
        status = cop_evaluator_check(&options, err);
    }
    if (status == COP_OK) status = cop_backend_check(&asked, err);
    if (status == COP_OK) status = cop_checkpoint_open(job->model, &base, err);
    if (status == COP_OK) status = cop_rank_check_noise(job, base, &facts->idle_pattern, err);
    if (status == COP_OK) status = cop_inputs_check_budget(&rank, err);
    if (status == COP_OK) status = cop_inputs_check_memory(&rank, err);
    cop_checkpoint_close(&base);
    cop_inputs_free(&rank);
    return status;
}
