#include "backend/cpu/gemm_isa.h"

#include <string.h>

/* Not there where another library stands in for OpenBLAS. */
char *openblas_get_corename(void) __attribute__((weak));

const char *cop_openblas_core(void)
{
    return openblas_get_corename == NULL ? "unknown core" : openblas_get_corename();
}

/* Its kernels are chosen while it is loaded, before any job file is read. */
cop_status cop_openblas_hold_isa(cop_isa_hold hold, cop_error *err)
{
    static const struct {
        cop_isa_hold hold;
        const char *name; /* of its cores that have this set and no more */
    } cores[] = {{COP_HOLD_SCALAR, "Prescott"},    {COP_HOLD_SCALAR, "Core2"},
                 {COP_HOLD_SCALAR, "Penryn"},      {COP_HOLD_SCALAR, "Dunnington"},
                 {COP_HOLD_SCALAR, "Nehalem"},     {COP_HOLD_SCALAR, "Atom"},
                 {COP_HOLD_SCALAR, "Barcelona"},   {COP_HOLD_SCALAR, "Bobcat"},
                 {COP_HOLD_AVX2, "Haswell"},       {COP_HOLD_AVX2, "Zen"},
                 {COP_HOLD_AVX2, "Excavator"},     {COP_HOLD_AVX512, "SkylakeX"},
                 {COP_HOLD_AVX512, "Cooperlake"},  {COP_HOLD_AVX512_BF16, "Cooperlake"},
                 {COP_HOLD_AMX, "SapphireRapids"}, {COP_HOLD_AVX512, "SapphireRapids"}};
    const char *const core = cop_openblas_core();
    const char *wanted = "";
    for (size_t i = sizeof cores / sizeof cores[0]; i-- > 0;) {
        if (cores[i].hold != hold) continue;
        if (strcmp(cores[i].name, core) == 0) return COP_OK;
        wanted = cores[i].name;
    }
    return cop_error_set(err, COP_ERR_UNSUPPORTED,
                         "backend.isa: %s: OpenBLAS has chosen its kernels (%s) when the "
                         "program was loaded; start every rank with OPENBLAS_CORETYPE=%s, or "
                         "set backend.gemm: onednn",
                         cop_isa_hold_name(hold), core, wanted);
}
