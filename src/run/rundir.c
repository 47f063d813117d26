/* The run directory: whose it is, its run file, its log. */
#include "run/context.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "run/signals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static cop_status make_directory(const char *path, cop_error *err)
{
    cop_text part = {0};
    cop_status status = COP_OK;
    for (const char *end = path; status == COP_OK && end != NULL;) {
        end = strchr(end + 1, '/');
        cop_text_clear(&part);
        status = cop_text_append(&part, path, end == NULL ? strlen(path) : (size_t)(end - path),
                                 err);
        if (status == COP_OK && mkdir(part.data, 0777) != 0 && errno != EEXIST) {
            status = cop_error_set(err, COP_ERR_IO, "%s: cannot make the run directory: %s",
                                   part.data, strerror(errno));
        }
    }
    cop_text_free(&part);
    return status;
}

/* --- the claim --- */

static void tell_waiting(void *context, const char *text)
{
    const cop_run *const run = context;
    cop_log_write(run->log, COP_LOG_WARN, "%s", text);
}

static bool is_signalled(void *context)
{
    (void)context;
    return cop_signals_pending() != 0;
}

static cop_status may_commit(void *context, cop_error *err)
{
    return cop_claim_check(context, err);
}

/* A living owner is waited for a while: one that was just told to leave, or killed, may take a
 * moment to be gone. */
cop_status cop_rundir_claim(cop_run *run, cop_error *err)
{
    cop_claim_options options = {.directory = run->options->out_dir,
                                 .heartbeat_s = run->job->checkpoint.heartbeat,
                                 .patience_s = 10,
                                 .waiting = tell_waiting,
                                 .cancelled = is_signalled,
                                 .context = run};
    const cop_keeper_facts facts = {.job = run->job->path,
                                    .ranks = cop_world_size(run->world),
                                    .nodes = cop_world_node_count(run->world),
                                    .threads = run->job->backend.threads};
    COP_TRY(make_directory(run->options->out_dir, err));
    run->directory =
        cop_memory_copy_string(run->options->out_dir, strlen(run->options->out_dir), err);
    if (run->directory == NULL) return COP_ERR_MEMORY;
    cop_claim_describe_self(&options.owner);
    COP_TRY(cop_claim_acquire(&options, &run->claim, err));
    return cop_keeper_start(run->claim, &facts, &run->keeper, err);
}

cop_status cop_rundir_follow(cop_run *run, cop_error *err)
{
    char now[COP_CLAIM_PATH_BYTES];
    cop_claim_locate(run->claim, now);
    if (strcmp(now, run->directory) == 0) return COP_OK;
    char *const directory = cop_memory_copy_string(now, strlen(now), err);
    char *const path = cop_text_join_path(now, "run.h5", err);
    cop_status status = directory == NULL || path == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) status = cop_saver_move(run->saver, path, err);
    if (status != COP_OK) {
        cop_memory_free(directory);
        cop_memory_free(path);
        return status;
    }
    cop_log_write(
        run->log, COP_LOG_WARN,
        "the run directory was moved while its job runs: it was %s, and goes on as %s",
        run->directory, now);
    cop_memory_free(run->directory);
    cop_memory_free(run->run_path);
    run->directory = directory;
    run->run_path = path;
    return COP_OK;
}

static cop_status start_log(cop_run *run, cop_error *err)
{
    char *const path = cop_text_join_path(run->options->out_dir, "log", err);
    if (path == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_log_open_file(run->log, path, err);
    cop_memory_free(path);
    return status;
}

/* --- what the run file says of the job --- */

static void key_path(char *path, size_t size, size_t key)
{
    (void)snprintf(path, size, "/job/keys/%s", cop_job_key_name(key));
}

static const char *examples_digest(const cop_run *run)
{
    return run->examples == NULL ? "none" : cop_dataset_digest(run->examples);
}

/* Writes this job's identity and surroundings into the tree. */
static cop_status describe(cop_run *run, cop_error *err)
{
    char host[512];
    char cpu[128];
    char now[32];
    cop_cpu_describe(cpu, sizeof cpu);
    cop_timer_utc(now, sizeof now);
    (void)snprintf(host, sizeof host, "%s (%s)", cop_world_host(run->world), cpu);
    const struct {
        const char *path, *value, *meaning;
    } texts[] = {
        {"/job/file", run->job->source, "text of the job file"},
        {"/job/version", cop_build_version(), "of coppice, last start"},
        {"/job/git", cop_build_git(), "git describe of coppice, last start"},
        {"/job/compiler", cop_build_compiler(), "that built coppice"},
        {"/job/host", host, "of rank 0, last start"},
        {"/job/started", now, "last start, UTC"},
        {"/base/data_sha256", cop_dataset_digest(run->dataset), "digest of the data file"},
        {"/base/examples_sha256", examples_digest(run), "digest of the few-shot examples"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        COP_TRY(cop_store_set_text(run->store, texts[i].path, texts[i].value, texts[i].meaning,
                                   err));
    }
    COP_TRY(cop_store_set_i64(run->store, "/job/ranks", cop_world_size(run->world), "ranks",
                              "MPI ranks, last start", err));
    COP_TRY(cop_store_set_i64(run->store, "/job/threads", run->job->backend.threads, "threads",
                              "per rank, last start", err));
    cop_text value = {0};
    cop_status status = COP_OK;
    for (size_t key = 0; key < cop_job_key_count() && status == COP_OK; key++) {
        char path[160];
        key_path(path, sizeof path, key);
        cop_text_clear(&value);
        status = cop_job_print_value(run->job, key, &value, err);
        if (status == COP_OK)
            status = cop_store_set_text(run->store, path, value.data,
                                        "of this key of the job, as YAML", err);
    }
    cop_text_free(&value);
    return status;
}

static cop_status check_digest(const cop_run *run, const char *path, const char *mine,
                               const char *what, cop_error *err)
{
    const char *const theirs = cop_store_get_text(run->store, path);
    COP_CHECK(theirs != NULL, err, COP_ERR_FORMAT, "%s: it holds no %s", run->run_path, path);
    COP_CHECK(strcmp(theirs, mine) == 0, err, COP_ERR_MISMATCH,
              "%s belongs to another %s (SHA-256 %.12s..., now %.12s...); choose another --out",
              run->run_path, what, theirs, mine);
    return COP_OK;
}

/* A path may change between starts: its content is compared instead. */
static bool compares_by_content(const char *key)
{
    return strcmp(key, "model") == 0 || strcmp(key, "task.data") == 0 ||
           strcmp(key, "task.examples") == 0;
}

/* The value of a key that the run was begun with. A program that did not know the key did what
 * its default says. */
static cop_status read_value(const cop_run *run, size_t key, cop_text *value, cop_error *err)
{
    char path[160];
    key_path(path, sizeof path, key);
    const char *const recorded = cop_store_get_text(run->store, path);
    cop_text_clear(value);
    /* Programs that kept no digests of the base's files wrote 0 for the task's own value. */
    if (recorded != NULL && strcmp(recorded, "0") == 0 &&
        strcmp(cop_job_key_name(key), "task.correct_at") == 0 &&
        cop_store_get_text(run->store, "/base/files/config.json") == NULL)
        return cop_text_append(value, "auto", 4, err);
    return recorded == NULL ? cop_job_print_default(key, value, err)
                            : cop_text_append(value, recorded, strlen(recorded), err);
}

/* Refuses a run file of another job, naming the key. */
static cop_status check_identity(const cop_run *run, cop_error *err)
{
    cop_text value = {0};
    cop_text theirs = {0};
    cop_status status = COP_OK;
    for (size_t key = 0; key < cop_job_key_count() && status == COP_OK; key++) {
        const char *const name = cop_job_key_name(key);
        if (!cop_job_key_is_identity(key) || compares_by_content(name)) continue;
        cop_text_clear(&value);
        COP_TRY_OUT(cop_job_print_value(run->job, key, &value, err));
        COP_TRY_OUT(read_value(run, key, &theirs, err));
        if (strcmp(theirs.data, value.data) != 0) {
            status = cop_error_set(err, COP_ERR_MISMATCH,
                                   "%s belongs to another job: %s was %s and is now "
                                   "%s; restore it, or choose another --out",
                                   run->run_path, name, theirs.data, value.data);
        }
    }
out:
    cop_text_free(&value);
    cop_text_free(&theirs);
    COP_TRY(status);
    COP_TRY(cop_base_files_check(run, err));
    COP_TRY(check_digest(run, "/base/examples_sha256", examples_digest(run),
                         "file of few-shot examples", err));
    return check_digest(run, "/base/data_sha256", cop_dataset_digest(run->dataset), "data set",
                        err);
}

cop_status cop_rundir_read(cop_run *run, cop_error *err)
{
    bool previous = false;
    cop_error why = {0};
    run->run_path = cop_text_join_path(run->options->out_dir, "run.h5", err);
    if (run->run_path == NULL) return COP_ERR_MEMORY;
    COP_TRY(cop_store_read_latest(run->run_path, &run->store, &previous, &why, err));
    if (previous) run->damage = why;
    run->resumed = run->store != NULL;
    return run->resumed ? COP_OK : cop_store_create(&run->store, err);
}

cop_status cop_rundir_open(cop_run *run, cop_error *err)
{
    const char *const lack = cop_backend_lack();
    if (run->resumed) COP_TRY(check_identity(run, err));
    COP_TRY(start_log(run, err));
    if (run->damage.status != COP_OK) {
        cop_log_write(run->log, COP_LOG_WARN, "%s; going on from the generation before it",
                      run->damage.message);
    }
    cop_log_write(run->log, COP_LOG_INFO,
                  "coppice %s (%s), %s, %d ranks on %d nodes, pid %lld%s%s",
                  cop_build_version(), cop_build_git(), run->resumed ? "resumed" : "new run",
                  cop_world_size(run->world), cop_world_node_count(run->world),
                  (long long)cop_claim_get(run->claim)->owner.pid, lack == NULL ? "" : "; ",
                  lack == NULL ? "" : lack);
    COP_TRY(cop_base_files_note(run, err));
    COP_TRY(describe(run, err));
    return cop_saver_start(run->run_path, may_commit, run->claim, &run->saver, err);
}

void cop_rundir_close(cop_run *run, cop_status status, const char *message)
{
    if (run->saver != NULL) {
        cop_saver_wait(run->saver);
        (void)cop_rundir_tick(run, NULL); /* the last status tells of the last write */
    }
    cop_saver_stop(&run->saver);
    cop_keeper_stop(&run->keeper, status, message);
    cop_claim_release(&run->claim);
    cop_store_destroy(&run->store);
    cop_memory_free(run->run_path);
    cop_memory_free(run->directory);
    run->run_path = NULL;
    run->directory = NULL;
}
