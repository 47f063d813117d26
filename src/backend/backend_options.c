/* What a backend may be asked for: the names, and what goes together. */
#include "coppice/backend/backend.h"
#include "coppice/base/text.h"

bool cop_backend_kind_parse(const char *name, cop_backend_kind *kind)
{
    static const char *const names[] = {
        [COP_BACKEND_AUTO] = "auto", [COP_BACKEND_CPU] = "cpu", [COP_BACKEND_CUDA] = "cuda"};
    const size_t found = cop_text_find_name(name, names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    *kind = (cop_backend_kind)found;
    return true;
}

bool cop_compute_parse(const char *name, cop_compute *compute)
{
    static const char *const names[] = {
        [COP_COMPUTE_AUTO] = "auto", [COP_COMPUTE_F32] = "f32", [COP_COMPUTE_BF16] = "bf16"};
    const size_t found = cop_text_find_name(name, names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    *compute = (cop_compute)found;
    return true;
}

bool cop_gemm_provider_parse(const char *name, cop_gemm_provider *provider)
{
    static const char *const names[] = {[COP_GEMM_AUTO] = "auto",
                                        [COP_GEMM_OWN] = "own",
                                        [COP_GEMM_ONEDNN] = "onednn",
                                        [COP_GEMM_OPENBLAS] = "openblas"};
    const size_t found = cop_text_find_name(name, names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    *provider = (cop_gemm_provider)found;
    return true;
}

bool cop_arithmetic_parse(const char *name, cop_arithmetic *arithmetic)
{
    static const char *const names[] = {[COP_ARITHMETIC_AUTO] = "auto",
                                        [COP_ARITHMETIC_DEFINED] = "defined",
                                        [COP_ARITHMETIC_LIBRARY] = "library"};
    const size_t found = cop_text_find_name(name, names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    *arithmetic = (cop_arithmetic)found;
    return true;
}

cop_status cop_backend_check(const cop_backend_options *options, cop_error *err)
{
    const bool own = options->gemm == COP_GEMM_OWN;
    const bool defined = options->arithmetic == COP_ARITHMETIC_DEFINED || own;
    COP_CHECK(options->arithmetic != COP_ARITHMETIC_DEFINED || own ||
                  options->gemm == COP_GEMM_AUTO,
              err, COP_ERR_UNSUPPORTED,
              "backend.arithmetic: defined: no library adds in that order; set backend.gemm to "
              "own (or auto)");
    COP_CHECK(!own || options->arithmetic != COP_ARITHMETIC_LIBRARY, err, COP_ERR_UNSUPPORTED,
              "backend.gemm: own: its kernels have the defined arithmetic; set "
              "backend.arithmetic to defined (or auto)");
    COP_CHECK(options->kind != COP_BACKEND_CUDA || !defined, err, COP_ERR_UNSUPPORTED,
              "backend.arithmetic: defined: a GPU's tensor cores add in an order of their own; "
              "set backend.kind: cpu, or backend.arithmetic: library");
    COP_CHECK(!defined || options->compute != COP_COMPUTE_F32, err, COP_ERR_UNSUPPORTED,
              "backend.compute: f32: the defined arithmetic is that of bf16 products; set "
              "backend.compute to bf16 (or auto), or backend.arithmetic to library");
    return COP_OK;
}
