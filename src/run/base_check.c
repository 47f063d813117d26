/* The base's files while a job uses them: they are mapped, so who writes to them changes the
 * model under the job. */
#include "run/context.h"

#include "coppice/base/memory.h"

#include <string.h>

cop_status cop_base_share_marks(cop_rank *rank, cop_error *err)
{
    const bool first = cop_world_rank(rank->world) == 0;
    uint64_t count = first ? cop_checkpoint_count(rank->base) : 0;
    COP_TRY(cop_world_broadcast(rank->world, &count, sizeof count, err));
    uint64_t *const marks = cop_memory_alloc((size_t)count, sizeof *marks, err);
    cop_status status =
        cop_world_agree(rank->world, marks == NULL ? COP_ERR_MEMORY : COP_OK, err);
    if (status == COP_OK && first && marks != NULL)
        memcpy(marks, cop_checkpoint_marks(rank->base), (size_t)count * sizeof *marks);
    if (status == COP_OK)
        status = cop_world_broadcast(rank->world, marks, (size_t)count * sizeof *marks, err);
    if (status == COP_OK && rank->evaluator != NULL)
        status = cop_checkpoint_set_marks(cop_evaluator_checkpoint(rank->evaluator), marks,
                                          (size_t)count, err);
    cop_memory_free(marks);
    return status;
}

cop_status cop_base_check(const cop_lead *lead, cop_error *err)
{
    const char *touched = NULL;
    cop_error why = {0};
    const cop_status status = cop_checkpoint_review(lead->rank->base, &touched, &why);
    if (touched != NULL) {
        cop_log_write(lead->rank->log, COP_LOG_WARN,
                      "%s was written to while it was used; its tensors are the same, the job "
                      "goes on",
                      touched);
    }
    if (status == COP_OK) return COP_OK;
    if (status != COP_ERR_MISMATCH) return cop_error_set(err, status, "%s", why.message);
    return cop_error_set(err, status,
                         "%s: no score was taken since. Restore it and run the same command "
                         "again, or choose another --out for the new model",
                         why.message);
}

cop_status cop_base_check_whole(const cop_lead *lead, cop_error *err)
{
    char digest[COP_DIGEST_HEX_BYTES];
    COP_TRY(cop_base_check(lead, err));
    COP_TRY(cop_checkpoint_digest(lead->rank->base, digest, err));
    if (strcmp(digest, lead->base_sha256) == 0) return cop_base_check(lead, err);
    const cop_tensor_info *first = NULL;
    const size_t changed = cop_checkpoint_find_changed(lead->rank->base, &first);
    const char *const file = first != NULL
                                 ? cop_checkpoint_file_path(lead->rank->base, first->file)
                                 : lead->rank->job->model;
    return cop_error_set(
        err, COP_ERR_MISMATCH,
        "%s: its tensor %s is another now than when this job began (%zu of %zu "
        "tensors are; SHA-256 of all %.12s..., before %.12s...): the scores "
        "may be of either. Restore it and begin anew with another --out",
        file, first != NULL ? first->name : "of just now", changed,
        cop_checkpoint_count(lead->rank->base), digest, lead->base_sha256);
}
