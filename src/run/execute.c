/* cop_run_execute(): sets up a rank, runs its part, takes it down. */
#include "run/phase.h"

#include "coppice/base/memory.h"
#include "run/arithmetic.h"
#include "run/inputs.h"
#include "run/placement.h"
#include "run/signals.h"

#include <stdio.h>
#include <string.h>

static cop_gemm_provider provider_of(const cop_job *job)
{
    cop_gemm_provider provider = COP_GEMM_AUTO;
    (void)cop_gemm_provider_parse(job->backend.gemm, &provider); /* the job file was checked */
    return provider;
}

/* What the model's prompts lack or are given that nobody may expect. */
static void warn_of_prompts(const cop_run *run)
{
    const cop_job *const job = run->job;
    const char *const unstopped = cop_evaluator_unstopped(run->evaluator);
    if (unstopped != NULL) {
        cop_log_write(run->log, COP_LOG_WARN,
                      "%s: its chat template ends an answer by %s, which is no stop token of "
                      "the model: answers go on to generation.max_new_tokens unless "
                      "generation.stop ends them",
                      job->model, unstopped);
    }
    if (cop_evaluator_asks_date(run->evaluator)) {
        cop_log_write(run->log, COP_LOG_WARN,
                      "%s: its chat template asks for today's date; in this job that is %s "
                      "(task.prompt.date)",
                      job->model, job->task.date);
    }
}

/* A warning for each line of `notes`, which may be NULL. */
static void warn_of_notes(const cop_run *run, const char *notes)
{
    for (const char *at = notes; at != NULL && *at != '\0';) {
        const int length = (int)strcspn(at, "\n");
        cop_log_write(run->log, COP_LOG_WARN, "%s: %.*s", run->job->model, length, at);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
}

static cop_status load_evaluator(cop_run *run, cop_error *err)
{
    const cop_job *const job = run->job;
    cop_evaluator_options options = cop_inputs_prompt_options(run);
    options.batch = (size_t)job->backend.batch;
    /* One keeps a processor busy, and the bits of its products may follow their rows. */
    options.lanes = run->has_gpu ? (size_t)job->backend.candidates : 1;
    options.fit_lanes = run->has_gpu && job->backend.candidates == 0;
    options.backend = (cop_backend_options){.kind = run->kind,
                                            .compute = run->compute,
                                            .gemm = provider_of(job),
                                            .threads = (int)job->backend.threads,
                                            .isa = cop_isa_hold_kernels(run->isa),
                                            .memory_bytes = run->memory_bytes,
                                            .local_rank = run->computing_rank,
                                            .local_ranks = run->computing_ranks};
    COP_TRY(cop_evaluator_create(&options, &run->evaluator, err));
    const char *const unused = cop_evaluator_unused_tensors(run->evaluator);
    if (unused != NULL && cop_world_rank(run->world) <= 1) {
        cop_log_write(run->log, COP_LOG_WARN,
                      "%s: tensors that this architecture has no use for: %s", job->model,
                      unused);
    }
    if (cop_world_rank(run->world) <= 1) warn_of_prompts(run);
    if (cop_world_rank(run->world) <= 1)
        warn_of_notes(run, cop_evaluator_notes(run->evaluator)->data);
    return COP_OK;
}

static void print_start(cop_run *run)
{
    const cop_job *const job = run->job;
    const int ranks = cop_world_size(run->world);
    cop_progress_print(&run->progress, "coppice: %s on %s, %lld candidates, %s",
                       run->task->name, job->model, (long long)job->population.size,
                       run->resumed ? "going on with the run in this directory" : "a new run");
    cop_progress_print(&run->progress, "%s: %d rank%s, %lld thread%s each%s",
                       run->options->out_dir, ranks, ranks == 1 ? "" : "s",
                       (long long)job->backend.threads, job->backend.threads == 1 ? "" : "s",
                       ranks == 1 ? "" : ", rank 0 coordinates");
    if (cop_backend_lack() != NULL && !run->has_gpu)
        cop_progress_print(&run->progress, "%s", cop_backend_lack());
}

/* On every rank: what does not need the others. */
static cop_status prepare(cop_run *run, cop_error *err)
{
    const cop_job *const job = run->job;
    COP_TRY(cop_log_create(cop_world_rank(run->world), COP_LOG_WARN, &run->log, err));
    COP_TRY(cop_signals_catch(err));
    COP_TRY(cop_inputs_load(run, err));
    if (run->splits.repeated > 0 && cop_world_rank(run->world) == 0) {
        cop_log_write(
            run->log, COP_LOG_WARN,
            "%s: %zu of %zu examples have a prompt that another has too; equal prompts "
            "were put into one split, or left out where it was full",
            job->task.data, run->splits.repeated, cop_dataset_count(run->dataset));
    }
    if (cop_world_rank(run->world) == 0) COP_TRY(cop_inputs_check_memory(run, err));
    COP_TRY(cop_checkpoint_open(job->model, &run->base, err));
    if (cop_world_rank(run->world) != 0) return COP_OK;
    COP_TRY(cop_rundir_claim(run, err));
    return cop_rundir_read(run, err);
}

/* The model where units are evaluated, the run file on rank 0. */
static cop_status load(cop_run *run, cop_error *err)
{
    const int rank = cop_world_rank(run->world);
    if (rank != 0 || cop_world_size(run->world) == 1) {
        const cop_status status = load_evaluator(run, err);
        if (status == COP_ERR_MEMORY && run->computing_ranks > 1) {
            return cop_error_prefix(err, "each of the %d computing ranks on host %s",
                                    run->computing_ranks, cop_world_host(run->world));
        }
        COP_TRY(status);
    }
    if (rank != 0) {
        cop_checkpoint_close(&run->base);
        return COP_OK;
    }
    COP_TRY(cop_base_files_read(run, err));
    return cop_rundir_open(run, err);
}

/* Address space that is to be left once all is loaded: messages, the run file and its copies.
 * Libraries that find none in the middle of it do not all say so well. */
enum { ROOM_MIB = 96 };

/* What fails on one rank stops all before the next step, in which they need each other. */
static cop_status set_up(cop_run *run, cop_error *err)
{
    cop_world *const world = run->world;
    COP_TRY(cop_world_agree(world, prepare(run, err), err));
    COP_TRY(cop_arithmetic_choose(run, err));
    COP_TRY(cop_world_agree(
        world, cop_placement_plan(run, cop_checkpoint_bytes(run->base), err), err));
    COP_TRY(cop_world_agree(world, load(run, err), err));
    COP_TRY(cop_run_share_marks(run, err));
    if (cop_world_rank(world) == 0) print_start(run);
    cop_status status = cop_placement_record(run, err);
    /* What rank 0 has still got is what all have loaded. */
    if (status == COP_OK && cop_world_rank(world) == 0) status = cop_run_check_base(run, err);
    if (status == COP_OK)
        status = cop_memory_check_room((uint64_t)ROOM_MIB << 20, "the run itself", err);
    return cop_world_agree(world, status, err);
}

static void show_progress(void *context, bool before)
{
    cop_run *const run = context;
    if (before) cop_progress_clear(&run->progress);
}

/* Rank 0's part. The others are dismissed whatever happens. */
static cop_status lead(cop_run *run, cop_error *err)
{
    cop_log_set_terminal_hook(run->log, show_progress, run);
    const cop_status status = cop_driver_run(run, err);
    cop_progress_clear(&run->progress);
    cop_error saving = {0};
    if (status != COP_OK && cop_rundir_save_and_leave(run, &saving) != COP_OK &&
        saving.status != status) {
        cop_log_write(run->log, COP_LOG_WARN, "no last checkpoint: %s", saving.message);
    }
    if (status != COP_OK) {
        cop_log_write(run->log, COP_LOG_INFO, "stopped: %s", err->message);
    }
    if (status != COP_ERR_MPI) {
        cop_error dismissing = {0};
        (void)cop_phase_dismiss(run, &dismissing);
    }
    return status;
}

static void take_down(cop_run *run, cop_status status, const char *message)
{
    cop_rundir_close(run, status, message);
    cop_evaluator_destroy(&run->evaluator);
    cop_checkpoint_close(&run->base);
    cop_inputs_free(run);
    cop_memory_free(run->arithmetic_of);
    cop_memory_free(run->seeds);
    cop_memory_free(run->centre);
    cop_memory_free(run->centre_validate);
    cop_memory_free(run->gate);
    cop_log_destroy(&run->log);
}

/* Some ranks will never take part in the end of MPI. All is saved; whatever is left to do, the
 * same command does. */
static void abort_without(cop_run *run, cop_status status, const cop_error *why)
{
    cop_world *const world = run->world;
    if (status != COP_OK) cop_log_write(run->log, COP_LOG_ERROR, "%s", why->message);
    take_down(run, status, why->message);
    cop_world_abort(world, cop_status_exit_code(status == COP_OK ? COP_INTERRUPTED : status));
}

cop_status cop_run_execute(cop_world *world, const cop_job *job, const cop_run_options *options,
                           cop_error *err)
{
    cop_error own = {0};
    cop_error *const report = err != NULL ? err : &own;
    cop_run run = {.world = world, .job = job, .options = options, .save.saved_s = -1};
    cop_progress_start(&run.progress, options);
    cop_status status = set_up(&run, report);
    if (status == COP_OK) {
        status =
            cop_world_rank(world) == 0 ? lead(&run, report) : cop_phase_serve(&run, report);
        if (run.missing > 0) abort_without(&run, status, report);
        if (status != COP_ERR_MPI) status = cop_world_agree(world, status, report);
    }
    take_down(&run, status, report->message);
    return status;
}
