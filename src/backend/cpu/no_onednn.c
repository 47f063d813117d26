/* Stands in for oneDNN's files in a build without it. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_isa.h"
#include "backend/cpu/gemm_measure.h"
#include "coppice/backend/backend.h"

/* `make info` says it too. */
#define LACK                                                                               \
    "built without oneDNN: OpenBLAS multiplies, in f32 only, which costs what bf16 would " \
    "gain "                                                                                \
    "where the processor has it (make bench shows both)"

static cop_status refuse(cop_error *err)
{
    return cop_error_set(err, COP_ERR_UNSUPPORTED,
                         "this build has no oneDNN: set backend.gemm to openblas (or auto), or "
                         "build where `make info` finds oneDNN");
}

const char *cop_backend_lack(void)
{
    return LACK;
}

cop_status cop_gemm_create_onednn(const cop_gemm_options *options, cop_gemm **gemm,
                                  cop_error *err)
{
    (void)options;
    *gemm = NULL;
    return refuse(err);
}

cop_status cop_bare_onednn_create(const cop_gemm_measure *what, size_t weights,
                                  cop_bare_gemm **bare, cop_error *err)
{
    (void)what;
    (void)weights;
    *bare = NULL;
    return refuse(err);
}

cop_status cop_bare_onednn_run(cop_bare_gemm *bare, size_t index, cop_error *err)
{
    (void)bare;
    (void)index;
    return refuse(err);
}

void cop_bare_onednn_destroy(cop_bare_gemm **bare)
{
    *bare = NULL;
}

cop_status cop_onednn_hold_isa(cop_isa_hold hold, cop_error *err)
{
    (void)hold;
    return refuse(err);
}

const char *cop_onednn_isa_name(cop_dtype input)
{
    (void)input;
    return "none";
}

cop_isa_hold cop_onednn_best_isa(void)
{
    return COP_HOLD_NONE;
}

bool cop_onednn_has_bf16(void)
{
    return false;
}
