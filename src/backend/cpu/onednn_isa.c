#include "backend/cpu/gemm_isa.h"

#include <dnnl.h>

/* A set holds another if it has all of its bits: true of the numbers of every version. */
static bool reaches(int isa, int wanted)
{
    return (isa & wanted) == wanted;
}

bool cop_onednn_has_bf16(void)
{
    return reaches((int)dnnl_get_effective_cpu_isa(), dnnl_cpu_isa_avx512_core_bf16);
}

const char *cop_onednn_isa_name(cop_dtype input)
{
    const int isa = (int)dnnl_get_effective_cpu_isa();
    if (input == COP_BF16 && reaches(isa, dnnl_cpu_isa_avx512_core_amx)) return "amx";
    if (input == COP_BF16 && reaches(isa, dnnl_cpu_isa_avx512_core_bf16)) return "avx512_bf16";
    if (reaches(isa, dnnl_cpu_isa_avx512_core)) return "avx512";
    if (reaches(isa, dnnl_cpu_isa_avx2)) return "avx2";
    return reaches(isa, dnnl_cpu_isa_avx) ? "avx" : "sse41";
}

static const dnnl_cpu_isa_t sets[COP_HOLD_COUNT] = {
    [COP_HOLD_NONE] = (dnnl_cpu_isa_t)0, /* no restriction; named differently by 2.x and 3.x */
    [COP_HOLD_SCALAR] = dnnl_cpu_isa_sse41,
    [COP_HOLD_AVX2] = dnnl_cpu_isa_avx2,
    [COP_HOLD_AVX512] = dnnl_cpu_isa_avx512_core,
    [COP_HOLD_AVX512_BF16] = dnnl_cpu_isa_avx512_core_bf16,
    [COP_HOLD_AMX] = dnnl_cpu_isa_avx512_core_amx};

cop_isa_hold cop_onednn_best_isa(void)
{
    const int isa = (int)dnnl_get_effective_cpu_isa();
    int best = COP_HOLD_AMX;
    while (best > COP_HOLD_SCALAR && !reaches(isa, (int)sets[best]))
        best--;
    return (cop_isa_hold)best;
}

cop_status cop_onednn_hold_isa(cop_isa_hold hold, cop_error *err)
{
    const char *const name = cop_isa_hold_name(hold);
    const dnnl_status_t got = dnnl_set_max_cpu_isa(sets[hold]);
    /* A second hold to the same set finds the library in use, and is met. */
    COP_CHECK(got == dnnl_success || got == dnnl_invalid_arguments, err, COP_ERR_UNSUPPORTED,
              "backend.isa: %s: this build of oneDNN cannot be held to an instruction set; "
              "remove the key, or set backend.gemm: openblas",
              name);
    COP_CHECK(dnnl_get_effective_cpu_isa() == sets[hold], err, COP_ERR_UNSUPPORTED,
              "backend.isa: %s: oneDNN multiplies with %s at most on this processor; set "
              "backend.isa to that or lower",
              name, cop_onednn_isa_name(COP_BF16));
    return COP_OK;
}
