/* The base's files while a job uses them: they are mapped, so who writes to them changes the
 * model under the job. */
#include "run/context.h"

#include <string.h>

cop_status cop_run_check_base(const cop_run *run, cop_error *err)
{
    char digest[COP_DIGEST_HEX_BYTES];
    cop_error why = {0};
    const cop_status status = cop_checkpoint_check_unchanged(run->base, &why);
    if (status == COP_OK) return COP_OK;
    if (cop_checkpoint_is_cut(run->base)) return cop_error_set(err, status, "%s", why.message);
    COP_TRY(cop_checkpoint_digest(run->base, digest, err));
    COP_CHECK(strcmp(digest, run->base_sha256) != 0, err, COP_ERR_IO,
              "%s. Its tensors are the same now, but may have been others meanwhile: no score "
              "was taken since. Run the same command again",
              why.message);
    return cop_error_set(err, COP_ERR_MISMATCH,
                         "%s, and its tensors are others now (SHA-256 %.12s..., before "
                         "%.12s...): no score was taken since. Restore it and run the same "
                         "command again, or choose another --out for the new model",
                         why.message, digest, run->base_sha256);
}

cop_status cop_run_check_base_whole(const cop_run *run, cop_error *err)
{
    char digest[COP_DIGEST_HEX_BYTES];
    COP_TRY(cop_run_check_base(run, err));
    COP_TRY(cop_checkpoint_digest(run->base, digest, err));
    COP_CHECK(strcmp(digest, run->base_sha256) == 0, err, COP_ERR_MISMATCH,
              "%s: its tensors are others now (SHA-256 %.12s...) than when this job began "
              "(%.12s...): the scores may be of either. Restore it and begin anew with another "
              "--out",
              run->job->model, digest, run->base_sha256);
    return cop_run_check_base(run, err);
}
