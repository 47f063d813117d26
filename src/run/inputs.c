/* What a job is made of before there are ranks: its task, its examples, its prompts, and what
 * rank 0 will hold of it. `coppice run --check` looks at the same. */
#include "run/inputs.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The task as the job wants it. */
static cop_status find_task(cop_run *run, cop_error *err)
{
    const cop_job *const job = run->job;
    const cop_task *known = NULL;
    COP_TRY(cop_task_find(job->task.name, &known, err));
    run->own_task = *known;
    if (!isnan(job->task.correct_at)) run->own_task.correct_at = job->task.correct_at;
    run->task = &run->own_task;
    /* Scores are binary32, so what they are held against is. */
    run->measure = (cop_measure){.correct_at = (double)(float)run->own_task.correct_at};
    run->setup = (cop_task_setup){.command = (const char *const *)job->task.command.data,
                                  .command_count = job->task.command.count,
                                  .timeout_s = job->task.timeout,
                                  .correct_at = run->own_task.correct_at};
    COP_CHECK(known->scorer != NULL || job->task.command.count == 0, err, COP_ERR_CONFIG,
              "task.command: task %s is not scored by a command; did you mean task.name: exec?",
              known->name);
    return COP_OK;
}

/* Divides the data set; of its examples those of a split are kept. */
static cop_status split_data(cop_run *run, const uint64_t *keys, size_t total, cop_error *err)
{
    const cop_job *const job = run->job;
    const size_t counts[COP_SPLIT_COUNT] = {
        (size_t)job->splits.support, (size_t)job->splits.probe, (size_t)job->splits.validate,
        (size_t)job->splits.test};
    if (cop_splits_create(total, counts, job->splits.seed, keys, &run->splits, err) != COP_OK)
        return cop_error_prefix(err, "splits of %s", job->task.data);
    bool *const wanted = cop_memory_alloc(total, sizeof *wanted, err);
    if (wanted == NULL) return COP_ERR_MEMORY;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        for (size_t i = 0; i < counts[s]; i++)
            wanted[run->splits.examples[s][i]] = true;
    }
    const cop_dataset_options options = {.wanted = wanted, .wanted_count = total};
    const cop_status status = cop_task_load(run->task, job->task.data, &job->task.fields,
                                            &options, &run->dataset, err);
    cop_memory_free(wanted);
    return status;
}

cop_status cop_inputs_load(cop_run *run, cop_error *err)
{
    const cop_job *const job = run->job;
    COP_TRY(find_task(run, err));
    uint64_t *keys = NULL;
    size_t total = 0;
    COP_TRY(cop_task_scan(run->task, job->task.data, &job->task.fields, job->task.user, &keys,
                          &total, err));
    const cop_status status = split_data(run, keys, total, err);
    cop_memory_free(keys);
    COP_TRY(status);
    if (job->task.examples == NULL) return COP_OK;
    return cop_task_load(run->task, job->task.examples, &job->task.fields, NULL, &run->examples,
                         err);
}

void cop_inputs_free(cop_run *run)
{
    cop_splits_free(&run->splits);
    cop_dataset_destroy(&run->dataset);
    cop_dataset_destroy(&run->examples);
}

cop_evaluator_options cop_inputs_prompt_options(const cop_run *run)
{
    const cop_job *const job = run->job;
    return (cop_evaluator_options){
        .model_dir = job->model,
        .task = run->task,
        .setup = &run->setup,
        .dataset = run->dataset,
        .system = job->task.system,
        .user = job->task.user,
        .assistant = job->task.assistant,
        .examples = run->examples,
        .shots = (size_t)job->task.shots,
        .shot_seed = job->splits.seed,
        .chat = job->task.chat,
        .date = job->task.date,
        .stop = (const char *const *)job->generation.stop.data,
        .stop_count = job->generation.stop.count,
        .answers = {.ignore_model = !job->generation.model_rules,
                    .repetition_penalty = job->generation.repetition_penalty,
                    .no_repeat_ngram = job->generation.no_repeat_ngram_size,
                    .min_new_tokens = job->generation.min_new_tokens,
                    .stop_tokens = (const char *const *)job->generation.stop_tokens.data,
                    .stop_token_count = job->generation.stop_tokens.count},
        .max_new_tokens = (size_t)job->generation.max_new_tokens};
}

size_t cop_inputs_population_count(const cop_job *job)
{
    if (strcmp(job->method, "rounds") == 0) return (size_t)job->rounds.count;
    if (strcmp(job->method, "es") == 0) return (size_t)job->es.iterations;
    return 1;
}

/* Bytes of rows of a phase: what a row of `seeds` components and all of `examples` takes. */
static double phase_bytes(double rows, double examples, double batch, double seeds)
{
    const double chunks = ceil(examples / batch);
    return rows * (examples * (double)sizeof(float) +
                   chunks * (double)(sizeof(uint8_t) + sizeof(uint64_t) + sizeof(float) +
                                     sizeof(int32_t)) +
                   seeds * (double)sizeof(cop_component) + 3.0 * (double)sizeof(void *));
}

double cop_inputs_memory_bytes(const cop_job *job)
{
    const double size = (double)job->population.size;
    const double populations = (double)cop_inputs_population_count(job);
    const double batch = (double)job->backend.batch;
    const double support = (double)job->splits.support;
    const bool recenters = strcmp(job->method, "corp") == 0;
    const double local = recenters ? (double)job->recenter.size : 0;
    const double rounds = recenters ? (double)job->recenter.rounds : 0;
    const double seeds = size * populations + local * rounds;
    const double grid = (double)(job->consolidate.q.count * job->consolidate.beta.count +
                                 job->consolidate.operators.count) *
                        (double)(job->consolidate.scale.count + 8);
    const bool centred = populations > 1; /* candidates of later populations own the centre's */
    double kept = phase_bytes(size * populations, support, batch, 1) +
                  phase_bytes(rounds * local, support, batch, 0) +
                  (strcmp(job->method, "es") == 0
                       ? phase_bytes(populations, (double)job->splits.probe, batch, 0)
                       : 0);
    /* The largest phase at work: its rows' recipes. */
    const double component = (double)sizeof(cop_component);
    double working = size * (centred ? seeds : 1) * component;
    if (recenters)
        working = fmax(working, local * seeds * (component + (double)sizeof(double)));
    if (strcmp(job->method, "randopt") != 0 && strcmp(job->method, "es") != 0)
        working = fmax(working, grid * seeds * component);
    if (strcmp(job->method, "es") == 0) working += populations * seeds * component;
    /* The tree of the run file holds every phase, a write has one more copy and its encoding.
     */
    return 3 * kept + working + seeds * 4 * (double)sizeof(double);
}

cop_status cop_inputs_check_memory(const cop_run *run, cop_error *err)
{
    static const double gib = 1024.0 * 1024.0 * 1024.0;
    const double need = cop_inputs_memory_bytes(run->job);
    const double have = (double)cop_memory_available_bytes();
    COP_CHECK(
        have <= 0 || need <= have, err, COP_ERR_MEMORY,
        "rank 0 needs %.1f GiB for the scores and recipes of %lld candidates, and %.1f GiB "
        "are free; lower population.size%s, or splits.support",
        need / gib, (long long)run->job->population.size, have / gib,
        strcmp(run->job->method, "es") == 0       ? ", es.iterations"
        : strcmp(run->job->method, "rounds") == 0 ? ", rounds.count"
                                                  : ", recenter.size");
    return COP_OK;
}

cop_status cop_run_check(const cop_job *job, cop_error *err)
{
    cop_run run = {.job = job};
    cop_checkpoint *base = NULL;
    cop_status status = cop_inputs_load(&run, err);
    if (status == COP_OK) {
        const cop_evaluator_options options = cop_inputs_prompt_options(&run);
        status = cop_evaluator_check(&options, err);
    }
    if (status == COP_OK) status = cop_checkpoint_open(job->model, &base, err);
    if (status == COP_OK) status = cop_inputs_check_memory(&run, err);
    cop_checkpoint_close(&base);
    cop_inputs_free(&run);
    return status;
}
