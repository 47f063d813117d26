/* What the run file says of the job: identity, checked at a resume, and surroundings. */
#include "run/context.h"
#include "run/guards.h"
#include "run/recorded.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void key_path(char *path, size_t size, size_t key)
{
    (void)snprintf(path, size, "/job/keys/%s", cop_job_key_name(key));
}

static const char *examples_digest(const cop_lead *lead)
{
    return lead->rank->examples == NULL ? "none" : cop_dataset_digest(lead->rank->examples);
}

cop_status cop_run_identity_note(cop_lead *lead, cop_error *err)
{
    char host[512];
    char cpu[128];
    char now[32];
    cop_cpu_describe(cpu, sizeof cpu);
    cop_timer_utc(now, sizeof now);
    (void)snprintf(host, sizeof host, "%s (%s)", cop_world_host(lead->rank->world), cpu);
    const struct {
        const char *path, *value, *meaning;
    } texts[] = {
        {"/job/file", lead->rank->job->source, "text of the job file"},
        {"/job/version", cop_build_version(), "of coppice, last start"},
        {"/job/git", cop_build_git(), "git describe of coppice, last start"},
        {"/job/compiler", cop_build_compiler(), "that built coppice"},
        {"/job/host", host, "of rank 0, last start"},
        {"/job/started", now, "last start, UTC"},
        {"/base/data_sha256", cop_dataset_digest(lead->rank->dataset),
         "digest of the data file"},
        {"/base/examples_sha256", examples_digest(lead), "digest of the few-shot examples"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        COP_TRY(cop_store_set_text(lead->dir.store, texts[i].path, texts[i].value,
                                   texts[i].meaning, err));
    }
    COP_TRY(cop_store_set_i64(lead->dir.store, "/job/ranks", cop_world_size(lead->rank->world),
                              "ranks", "MPI ranks, last start", err));
    COP_TRY(cop_store_set_i64(lead->dir.store, "/job/threads", lead->rank->job->backend.threads,
                              "threads", "per rank, last start", err));
    cop_text value = {0};
    cop_status status = cop_run_guards_print(lead->rank, &value, err);
    if (status == COP_OK && value.length > 0)
        status = cop_store_set_text(lead->dir.store, "/base/guards", value.data,
                                    "the guards, by the digests of their data", err);
    for (size_t key = 0; key < cop_job_key_count() && status == COP_OK; key++) {
        char path[160];
        key_path(path, sizeof path, key);
        cop_text_clear(&value);
        status = cop_job_print_value(lead->rank->job, key, &value, err);
        if (status == COP_OK)
            status = cop_store_set_text(lead->dir.store, path, value.data,
                                        "of this key of the job, as YAML", err);
    }
    cop_text_free(&value);
    return status;
}

static cop_status check_digest(const cop_lead *lead, const char *path, const char *mine,
                               const char *what, cop_error *err)
{
    const char *const theirs = cop_store_get_text(lead->dir.store, path);
    COP_CHECK(theirs != NULL, err, COP_ERR_FORMAT, "%s: it holds no %s", lead->dir.run_path,
              path);
    COP_CHECK(strcmp(theirs, mine) == 0, err, COP_ERR_MISMATCH,
              "%s belongs to another %s (SHA-256 %.12s..., now %.12s...); choose another --out",
              lead->dir.run_path, what, theirs, mine);
    return COP_OK;
}

/* A path may change between starts: its content is compared instead. */
static bool compares_by_content(const char *key)
{
    return strcmp(key, "model") == 0 || strcmp(key, "task.data") == 0 ||
           strcmp(key, "task.examples") == 0 || strcmp(key, "guard") == 0;
}

/* A key by which a job's results may differ. Where a budget counts tokens, one of them is what
 * ends an answer early: so many more candidates there is room for. */
static bool is_identity(const cop_job *job, size_t key)
{
    return cop_job_key_is_identity(key) ||
           (job->budget.tokens > 0 &&
            strcmp(cop_job_key_name(key), "generation.stop_decided") == 0);
}

/* Has the list all numbers of "[1, 10]"? */
static bool has_all(const cop_job_integers *list, const char *text)
{
    static const char between[] = "[], ";
    for (const char *at = text + strspn(text, between); *at != '\0';) {
        char *end = NULL;
        const int64_t number = strtoll(at, &end, 10);
        size_t i = 0;
        while (i < list->count && list->data[i] != number)
            i++;
        if (end == at || i == list->count) return false;
        at = end + strspn(end, between);
    }
    return true;
}

/* A run may be given more baselines later: they decide nothing, but for the places in a race of
 * the population. Fewer would leave some in the run file that the job does not ask for. */
static bool only_adds(const cop_job *job, const char *name, const char *before)
{
    if (strcmp(name, "baselines.self_consistency") == 0)
        return has_all(&job->baselines.self_consistency, before);
    return strcmp(name, "baselines.randopt") == 0 && job->population.race == 0 &&
           has_all(&job->baselines.randopt, before);
}

/* Whatever the paths of their data. */
static cop_status check_guards(const cop_lead *lead, cop_error *err)
{
    cop_text mine = {0};
    const char *const recorded = cop_store_get_text(lead->dir.store, "/base/guards");
    const char *const theirs = recorded == NULL ? "" : recorded;
    cop_status status = cop_run_guards_print(lead->rank, &mine, err);
    if (status == COP_OK && strcmp(mine.data, theirs) != 0)
        status = cop_error_set(err, COP_ERR_MISMATCH,
                               "%s belongs to another job: guard was [%s] and is now [%s]; "
                               "restore it, or choose another --out",
                               lead->dir.run_path, theirs, mine.data);
    cop_text_free(&mine);
    return status;
}

cop_status cop_run_identity_check(const cop_lead *lead, cop_error *err)
{
    cop_text value = {0};
    cop_text theirs = {0};
    cop_text setting = {0};
    cop_text word = {0};
    cop_status status = COP_OK;
    for (size_t key = 0; key < cop_job_key_count() && status == COP_OK; key++) {
        const char *const name = cop_job_key_name(key);
        if (!is_identity(lead->rank->job, key) || compares_by_content(name)) continue;
        cop_text_clear(&value);
        COP_TRY_OUT(cop_job_print_value(lead->rank->job, key, &value, err));
        cop_text_clear(&theirs);
        COP_TRY_OUT(cop_recorded_key(lead->dir.store, key, &theirs, err));
        if (strcmp(theirs.data, value.data) != 0 &&
            !only_adds(lead->rank->job, name, theirs.data)) {
            COP_TRY_OUT(cop_text_format(&setting, err, "%s=%s", name, theirs.data));
            COP_TRY_OUT(cop_text_append_word(&word, setting.data, err));
            status =
                cop_error_set(err, COP_ERR_MISMATCH,
                              "%s belongs to another job: %s was %s and is now "
                              "%s; restore it (-s %s), or choose another --out",
                              lead->dir.run_path, name, theirs.data, value.data, word.data);
        }
    }
out:
    cop_text_free(&value);
    cop_text_free(&theirs);
    cop_text_free(&setting);
    cop_text_free(&word);
    COP_TRY(status);
    COP_TRY(check_guards(lead, err));
    COP_TRY(cop_base_files_check(lead, err));
    COP_TRY(check_digest(lead, "/base/examples_sha256", examples_digest(lead),
                         "file of few-shot examples", err));
    return check_digest(lead, "/base/data_sha256", cop_dataset_digest(lead->rank->dataset),
                        "data set", err);
}
