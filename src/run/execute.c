/* cop_run_execute(): sets up a rank, runs its part, takes it down. */
#include "run/context.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/signals.h"
#include "coppice/noise/noise.h"
#include "run/arithmetic.h"
#include "run/inputs.h"
#include "run/placement.h"
#include "run/units.h"

#include <stdio.h>
#include <string.h>

/* Products of noise of low rank that the longest recipe adds to a matrix; 0: noise is full. */
static cop_status count_noise_products(const cop_job *job, size_t *products, cop_error *err)
{
    const cop_method *method = NULL;
    size_t rank = 0;
    COP_TRY(cop_method_find(job->method, &method, err));
    (void)cop_noise_kind_parse(job->population.noise, &rank); /* a checked key */
    *products = rank * cop_method_seed_count(method, job);
    return COP_OK;
}

/* What the model's prompts lack or are given that nobody may expect. */
static void warn_of_prompts(const cop_rank *rank)
{
    const cop_job *const job = rank->job;
    const char *const unstopped = cop_evaluator_unstopped(rank->evaluator);
    if (unstopped != NULL) {
        cop_log_write(rank->log, COP_LOG_WARN,
                      "%s: its chat template ends an answer by %s, which is no stop token of "
                      "the model: answers go on to generation.max_new_tokens unless "
                      "generation.stop ends them",
                      job->model, unstopped);
    }
    if (cop_evaluator_asks_date(rank->evaluator)) {
        cop_log_write(rank->log, COP_LOG_WARN,
                      "%s: its chat template asks for today's date; in this job that is %s "
                      "(task.prompt.date)",
                      job->model, job->task.date);
    }
}

/* A warning for each line of `notes`, which may be NULL. */
static void warn_of_notes(const cop_rank *rank, const char *notes)
{
    for (const char *at = notes; at != NULL && *at != '\0';) {
        const int length = (int)strcspn(at, "\n");
        cop_log_write(rank->log, COP_LOG_WARN, "%s: %.*s", rank->job->model, length, at);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
}

static cop_status load_evaluator(cop_rank *rank, cop_error *err)
{
    const cop_job *const job = rank->job;
    cop_evaluator_options options = cop_inputs_prompt_options(rank);
    options.batch = (size_t)job->backend.batch;
    /* One keeps a processor busy, and the bits of its products may follow their rows. */
    options.lanes = rank->has_gpu ? (size_t)job->backend.candidates : 1;
    options.fit_lanes = rank->has_gpu && job->backend.candidates == 0;
    COP_TRY(count_noise_products(job, &options.noise_products, err));
    options.backend = (cop_backend_options){.kind = rank->kind,
                                            .compute = rank->compute,
                                            .gemm = cop_arithmetic_asked(job).gemm,
                                            .arithmetic = rank->arithmetic,
                                            .threads = (int)job->backend.threads,
                                            .isa = cop_isa_hold_kernels(rank->isa),
                                            .memory_bytes = rank->memory_bytes,
                                            .local_rank = rank->computing_rank,
                                            .gpu_sharers = rank->gpu_sharers};
    COP_TRY(cop_evaluator_create(&options, &rank->evaluator, err));
    const char *const unused = cop_evaluator_unused_tensors(rank->evaluator);
    if (unused != NULL && cop_world_rank(rank->world) <= 1) {
        cop_log_write(rank->log, COP_LOG_WARN,
                      "%s: tensors that this architecture has no use for: %s", job->model,
                      unused);
    }
    if (cop_world_rank(rank->world) <= 1) warn_of_prompts(rank);
    if (cop_world_rank(rank->world) <= 1)
        warn_of_notes(rank, cop_evaluator_notes(rank->evaluator)->data);
    return COP_OK;
}

static void print_start(cop_lead *lead)
{
    const cop_rank *const rank = lead->rank;
    const cop_job *const job = rank->job;
    const int ranks = cop_world_size(rank->world);
    cop_progress_print(&lead->progress, "coppice: %s on %s, %lld candidates, %s",
                       rank->task->name, job->model, (long long)job->population.size,
                       lead->dir.resumed ? "going on with the run in this directory"
                                         : "a new run");
    cop_progress_print(&lead->progress, "%s: %d rank%s, %lld thread%s each%s",
                       rank->options->out_dir, ranks, ranks == 1 ? "" : "s",
                       (long long)job->backend.threads, job->backend.threads == 1 ? "" : "s",
                       ranks == 1 ? "" : ", rank 0 coordinates");
    if (cop_backend_lack() != NULL && !rank->has_gpu)
        cop_progress_print(&lead->progress, "%s", cop_backend_lack());
}

/* Rank 0 looks at the data and the memory that it will need, and takes the run directory. */
static cop_status claim(cop_lead *lead, cop_error *err)
{
    const cop_rank *const rank = lead->rank;
    const cop_job *const job = rank->job;
    const cop_keeper_facts facts = {.job = job->path,
                                    .ranks = cop_world_size(rank->world),
                                    .nodes = cop_world_node_count(rank->world),
                                    .threads = job->backend.threads};
    const char *idle_pattern = NULL;
    if (rank->splits.repeated > 0) {
        cop_log_write(
            rank->log, COP_LOG_WARN,
            "%s: %zu of %zu examples have a prompt that another has too; equal prompts "
            "were put into one split, or left out where it was full",
            job->task.data, rank->splits.repeated, cop_dataset_count(rank->dataset));
    }
    if (job->task.examples != NULL && job->task.shots == 0)
        cop_log_write(rank->log, COP_LOG_WARN,
                      "task.examples stands before no question: task.shots is 0");
    COP_TRY(cop_rank_check_noise(job, rank->base, &idle_pattern, err));
    if (idle_pattern != NULL)
        cop_log_write(rank->log, COP_LOG_WARN, "population.scope: no tensor of %s matches '%s'",
                      job->model, idle_pattern);
    COP_TRY(cop_inputs_check_budget(rank, err));
    COP_TRY(cop_inputs_check_memory(rank, err));
    lead->dir.times = (cop_rundir_times){.interval_s = job->checkpoint.interval,
                                         .patience_s = job->checkpoint.patience,
                                         .heartbeat_s = job->checkpoint.heartbeat};
    lead->dir.log = rank->log;
    COP_TRY(cop_rundir_claim(&lead->dir, rank->options->out_dir, &facts, err));
    return cop_rundir_read(&lead->dir, err);
}

/* On every rank: what does not need the others. `lead` is NULL but on rank 0. */
static cop_status prepare(cop_rank *rank, cop_lead *lead, cop_error *err)
{
    COP_TRY(cop_log_create(cop_world_rank(rank->world), COP_LOG_WARN, &rank->log, err));
    COP_TRY(cop_signals_catch(err));
    COP_TRY(cop_inputs_load(rank, err));
    COP_TRY(cop_checkpoint_open(rank->job->model, &rank->base, err));
    return lead == NULL ? COP_OK : claim(lead, err);
}

/* Opens the run file for this job, if it belongs to it. */
static cop_status open_run_file(cop_lead *lead, cop_error *err)
{
    const cop_world *const world = lead->rank->world;
    const char *const lack = cop_backend_lack();
    COP_TRY(cop_base_files_read(lead, err));
    if (lead->dir.resumed) COP_TRY(cop_run_identity_check(lead, err));
    COP_TRY(cop_rundir_open(&lead->dir, err));
    cop_log_write(
        lead->rank->log, COP_LOG_INFO,
        "coppice %s (%s), %s, %d ranks on %d nodes, pid %lld%s%s", cop_build_version(),
        cop_build_git(), lead->dir.resumed ? "resumed" : "new run", cop_world_size(world),
        cop_world_node_count(world), (long long)cop_claim_get(lead->dir.claim)->owner.pid,
        lack == NULL ? "" : "; ", lack == NULL ? "" : lack);
    COP_TRY(cop_base_files_note(lead, err));
    return cop_run_identity_note(lead, err);
}

/* The model where units are evaluated, the run file on rank 0. */
static cop_status load(cop_rank *rank, cop_lead *lead, cop_error *err)
{
    if (lead == NULL || cop_world_size(rank->world) == 1) {
        const cop_status status = load_evaluator(rank, err);
        if (status == COP_ERR_MEMORY && rank->computing_ranks > 1) {
            return cop_error_prefix(err, "each of the %d computing ranks on host %s",
                                    rank->computing_ranks, cop_world_host(rank->world));
        }
        COP_TRY(status);
    }
    if (lead != NULL) return open_run_file(lead, err);
    cop_checkpoint_close(&rank->base);
    return COP_OK;
}

/* Address space that is to be left once all is loaded: messages, the run file and its copies.
 * Libraries that find none in the middle of it do not all say so well. */
enum { ROOM_MIB = 96 };

/* What fails on one rank stops all before the next step, in which they need each other. */
static cop_status set_up(cop_rank *rank, cop_lead *lead, cop_error *err)
{
    cop_world *const world = rank->world;
    COP_TRY(cop_world_agree(world, prepare(rank, lead, err), err));
    COP_TRY(cop_arithmetic_choose(rank, lead, err));
    COP_TRY(cop_world_agree(
        world, cop_placement_plan(rank, cop_checkpoint_bytes(rank->base), err), err));
    COP_TRY(cop_world_agree(world, load(rank, lead, err), err));
    COP_TRY(cop_base_share_marks(rank, err));
    if (lead != NULL) print_start(lead);
    cop_status status = cop_placement_record(rank, lead, err);
    /* What rank 0 has still got is what all have loaded. */
    if (status == COP_OK && lead != NULL) status = cop_base_check(lead, err);
    if (status == COP_OK)
        status = cop_memory_check_room((uint64_t)ROOM_MIB << 20, "the run itself", err);
    return cop_world_agree(world, status, err);
}

static void show_progress(void *context, bool before)
{
    cop_lead *const lead = context;
    if (before) cop_progress_clear(&lead->progress);
}

/* Rank 0's part. The others are dismissed whatever happens. */
static cop_status drive(cop_lead *lead, cop_error *err)
{
    cop_log *const log = lead->rank->log;
    cop_log_set_terminal_hook(log, show_progress, lead);
    const cop_status status = cop_driver_run(lead, err);
    cop_progress_clear(&lead->progress);
    cop_error saving = {0};
    if (status != COP_OK && cop_rundir_save_and_leave(&lead->dir, &saving) != COP_OK &&
        saving.status != status) {
        cop_log_write(log, COP_LOG_WARN, "no last checkpoint: %s", saving.message);
    }
    if (status != COP_OK) cop_log_write(log, COP_LOG_INFO, "stopped: %s", err->message);
    if (status != COP_ERR_MPI) {
        cop_error dismissing = {0};
        (void)cop_lead_dismiss(lead, &dismissing);
    }
    return status;
}

static void take_down(cop_rank *rank, cop_lead *lead, cop_status status, const char *message)
{
    if (lead != NULL) {
        cop_rundir_close(&lead->dir, status, message);
        cop_search_free(&lead->search);
        cop_memory_free(lead->arithmetic_of);
    }
    cop_evaluator_destroy(&rank->evaluator);
    cop_checkpoint_close(&rank->base);
    cop_inputs_free(rank);
    cop_log_destroy(&rank->log);
}

/* Some ranks will never take part in the end of MPI. All is saved; whatever is left to do, the
 * same command does. */
static void abort_without(cop_rank *rank, cop_lead *lead, cop_status status,
                          const cop_error *why)
{
    cop_world *const world = rank->world;
    if (status != COP_OK) cop_log_write(rank->log, COP_LOG_ERROR, "%s", why->message);
    take_down(rank, lead, status, why->message);
    cop_world_abort(world, cop_status_exit_code(status == COP_OK ? COP_INTERRUPTED : status));
}

cop_status cop_run_execute(cop_world *world, const cop_job *job, const cop_run_options *options,
                           cop_error *err)
{
    cop_error own = {0};
    cop_error *const report = err != NULL ? err : &own;
    cop_rank rank = {.world = world, .job = job, .options = options};
    cop_lead here = {.rank = &rank, .dir.save.saved_s = -1};
    here.dir.progress = &here.progress;
    cop_lead *const lead = cop_world_rank(world) == 0 ? &here : NULL;
    cop_progress_start(&here.progress, options->progress, options->quiet);
    cop_status status = set_up(&rank, lead, report);
    if (status == COP_OK) {
        status = lead != NULL ? drive(lead, report) : cop_units_serve(&rank, report);
        if (here.missing > 0) abort_without(&rank, lead, status, report);
        if (status != COP_ERR_MPI) status = cop_world_agree(world, status, report);
    }
    take_down(&rank, lead, status, report->message);
    return status;
}
