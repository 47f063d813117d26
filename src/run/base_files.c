/* The files of the base model: what decides a score besides the weights is part of a run's
 * identity too. */
#include "run/context.h"

#include <stdio.h>
#include <string.h>

static void digest_path(char *path, size_t size, size_t file)
{
    (void)snprintf(path, size, "/base/files/%s", cop_identity_name(file));
}

/* What the run file was begun with; "" what it does not tell. */
static void read_recorded(const cop_lead *lead, cop_identity *recorded)
{
    *recorded = (cop_identity){0};
    for (size_t i = 0; i < COP_IDENTITY_FILES; i++) {
        char path[96];
        digest_path(path, sizeof path, i);
        const char *const digest = cop_store_get_text(lead->dir.store, path);
        if (digest != NULL)
            (void)snprintf(recorded->digest[i], sizeof recorded->digest[i], "%s", digest);
    }
}

static cop_status check_accepted(const cop_job_strings *accepted, cop_error *err)
{
    const char *known[COP_IDENTITY_FILES];
    for (size_t i = 0; i < COP_IDENTITY_FILES; i++)
        known[i] = cop_identity_name(i);
    for (size_t i = 0; i < accepted->count; i++) {
        if (cop_identity_find(accepted->data[i]) < COP_IDENTITY_FILES) continue;
        (void)cop_text_refuse_name("file", "files", accepted->data[i], known,
                                   COP_IDENTITY_FILES, err);
        return cop_error_prefix(err, "checkpoint.accept_files");
    }
    return COP_OK;
}

cop_status cop_base_files_read(cop_lead *lead, cop_error *err)
{
    const char *const model = lead->rank->job->model;
    cop_model_config config;
    COP_TRY(check_accepted(&lead->rank->job->checkpoint.accept_files, err));
    COP_TRY(cop_model_config_load(model, &config, err));
    COP_TRY(cop_model_settle(&config, lead->rank->base, err));
    lead->untied_head = config.untied_by_file;
    COP_TRY(cop_checkpoint_mark(lead->rank->base, lead->base_sha256, err));
    return cop_identity_read(model, strcmp(lead->rank->job->task.chat, "auto") == 0,
                             &lead->base_files, err);
}

cop_status cop_base_files_check(const cop_lead *lead, cop_error *err)
{
    const cop_job_strings *const accepted = &lead->rank->job->checkpoint.accept_files;
    const char *const weights = cop_store_get_text(lead->dir.store, "/base/model_sha256");
    cop_identity recorded;
    COP_CHECK(weights != NULL, err, COP_ERR_FORMAT, "%s: it holds no /base/model_sha256",
              lead->dir.run_path);
    if (cop_checkpoint_check(lead->rank->base, weights, lead->dir.run_path, err) != COP_OK)
        return cop_error_prefix(err, "%s (choose another --out)", lead->rank->job->model);
    read_recorded(lead, &recorded);
    const cop_status status = cop_identity_check(
        &recorded, &lead->base_files, (const char *const *)accepted->data, accepted->count,
        lead->dir.run_path,
        "restore it, choose another --out, or go on with what differs by naming it in "
        "checkpoint.accept_files",
        err);
    return status == COP_OK ? COP_OK : cop_error_prefix(err, "%s", lead->rank->job->model);
}

static cop_status note_file(cop_lead *lead, size_t file, const char *before, cop_error *err)
{
    const char *const now = lead->base_files.digest[file];
    char path[96];
    digest_path(path, sizeof path, file);
    if (now[0] == '\0') return COP_OK;
    if (before[0] != '\0' && strcmp(before, now) != 0) {
        cop_log_write(lead->rank->log, COP_LOG_WARN,
                      "%s: %s differs from the one that the run was begun with; accepted by "
                      "checkpoint.accept_files",
                      lead->rank->job->model, cop_identity_name(file));
    }
    return cop_store_set_text(lead->dir.store, path, now, "digest of what the file says; none",
                              err);
}

cop_status cop_base_files_note(cop_lead *lead, cop_error *err)
{
    cop_identity recorded;
    read_recorded(lead, &recorded);
    if (lead->dir.resumed && !cop_identity_is_known(&recorded)) {
        cop_log_write(lead->rank->log, COP_LOG_WARN,
                      "%s does not tell which config.json, tokenizer and chat template it was "
                      "begun with: these cannot be checked, and are on record from now on",
                      lead->dir.run_path);
    }
    for (size_t i = 0; i < COP_IDENTITY_FILES; i++)
        COP_TRY(note_file(lead, i, recorded.digest[i], err));
    COP_TRY(
        cop_store_set_text(lead->dir.store, "/base/head",
                           lead->untied_head ? "untied by the weights" : "as config.json says",
                           "whether the head is the embedding", err));
    return cop_store_set_text(lead->dir.store, "/base/model_sha256", lead->base_sha256,
                              "digest of the base's tensors", err);
}
