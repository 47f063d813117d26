/* The CPU backend: creation and the table of its operations. */
#include "backend/cpu/cpu_backend.h"

#include "backend/cpu/gemm_isa.h"
#include "backend/host_decode.h"
#include "coppice/base/memory.h"

#include <omp.h>
#include <stdio.h>

const cop_kernels *cop_kernels_get(cop_isa isa)
{
    switch (isa) {
#if defined(__x86_64__)
    case COP_ISA_AMX:
        return &cop_kernels_amx;
#endif
    case COP_ISA_AVX512:
        return &cop_kernels_avx512;
    case COP_ISA_AVX2:
        return &cop_kernels_avx2;
    default:
        return &cop_kernels_scalar;
    }
}

static void destroy(cop_backend *backend)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    cop_cpu_shapes_free(cpu);
    if (cpu->gemm != NULL) cpu->gemm->ops->destroy(cpu->gemm);
    cop_memory_free(cpu->stage.owned);
    cop_memory_free(cpu->draw_weights);
    cop_memory_free(cpu->draw_ids);
    cop_memory_free(cpu);
}

/* Of the defined arithmetic: another number, other bits. */
enum { DEFINED_VERSION = 1 };

/* No library leaves rows alone. */
static bool is_defined(const cop_cpu *cpu)
{
    return cpu->base.rows_alone;
}

static void describe_arithmetic(const cop_backend *backend, char *text, size_t size)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    if (is_defined(cpu)) { /* whatever the processor is */
        (void)snprintf(text, size, "defined arithmetic %d, %s, every x86-64 with FMA",
                       DEFINED_VERSION, cop_dtype_name(cpu->gemm->input));
    } else {
        (void)snprintf(text, size, "%s %s, %s, %s kernels", cpu->gemm->name,
                       cop_dtype_name(cpu->gemm->input), cpu->gemm->isa,
                       cop_isa_name(cpu->isa));
    }
}

static void describe(const cop_backend *backend, char *text, size_t size)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    char model[80];
    char arithmetic[COP_ARITHMETIC_BYTES];
    cop_cpu_describe(model, sizeof model);
    describe_arithmetic(backend, arithmetic, sizeof arithmetic);
    (void)snprintf(text, size, "cpu: %s, %s%s%s, %d thread%s", model, arithmetic,
                   is_defined(cpu) ? " by " : "", is_defined(cpu) ? cpu->gemm->isa : "",
                   cpu->threads, cpu->threads == 1 ? "" : "s");
}

static const cop_backend_ops cpu_ops = {
    .name = "cpu",
    .destroy = destroy,
    .describe = describe,
    .describe_arithmetic = describe_arithmetic,
    .plan = cop_cpu_plan,
    .buffer_create = cop_cpu_buffer_create,
    .buffer_wrap = cop_cpu_buffer_wrap,
    .buffer_destroy = cop_cpu_buffer_destroy,
    .upload = cop_cpu_upload,
    .download = cop_cpu_download,
    .rebuild = cop_cpu_rebuild,
    .sums = cop_cpu_sums,
    .widen = cop_cpu_widen,
    .matrix_create = cop_cpu_matrix_create,
    .matrix_destroy = cop_cpu_matrix_destroy,
    .matrix_stage = cop_cpu_matrix_stage,
    .matrix_commit = cop_cpu_matrix_commit,
    .matrix_rebuild = cop_cpu_matrix_rebuild,
    .embed = cop_cpu_embed,
    .rmsnorm = cop_cpu_rmsnorm,
    .rmsnorm_add = cop_cpu_rmsnorm_add,
    .convert = cop_cpu_convert,
    .gemm = cop_cpu_gemm,
    .gemm_add = cop_cpu_gemm_add,
    .glu = cop_cpu_glu,
    .rope_store = cop_cpu_rope_store,
    .attention = cop_cpu_attention,
    .gather = cop_cpu_gather,
    .argmax = cop_cpu_argmax,
    .sample = cop_cpu_sample,
    .log_probability = cop_cpu_log_probability,
    .decode = cop_decode_on_host,
    .kv_create = cop_cpu_kv_create,
    .kv_destroy = cop_cpu_kv_destroy,
};

/* Own kernels by themselves only where nothing is faster, for a bf16 base: with tiles, and for
 * the first tokens with vectors, unless these multiply bf16 themselves: a library that does so
 * is faster from the first token on. */
static bool prefers_own(const cop_backend_options *options)
{
    const bool quick = options->quick_start && !cop_onednn_has_bf16();
    return options->arithmetic != COP_ARITHMETIC_LIBRARY &&
           options->compute != COP_COMPUTE_F32 && options->storage == COP_BF16 &&
           options->isa >= (quick ? COP_ISA_AVX2 : COP_ISA_AMX);
}

static cop_gemm_provider choose_provider(const cop_backend_options *options)
{
    if (options->gemm != COP_GEMM_AUTO) return options->gemm;
    if (options->arithmetic == COP_ARITHMETIC_DEFINED || prefers_own(options))
        return COP_GEMM_OWN;
    return cop_backend_lack() == NULL ? COP_GEMM_ONEDNN : COP_GEMM_OPENBLAS;
}

static cop_dtype choose_compute(const cop_backend_options *options)
{
    if (choose_provider(options) == COP_GEMM_OWN) return COP_BF16;
    if (options->compute == COP_COMPUTE_F32) return COP_F32;
    if (options->compute == COP_COMPUTE_BF16) return COP_BF16;
    return options->storage == COP_BF16 && cop_cpu_has_bf16_products(options) ? COP_BF16
                                                                              : COP_F32;
}

bool cop_cpu_has_bf16_products(const cop_backend_options *options)
{
    const cop_gemm_provider provider = choose_provider(options);
    return provider == COP_GEMM_OWN || (provider == COP_GEMM_ONEDNN && cop_onednn_has_bf16());
}

cop_status cop_cpu_hold_isa(cop_isa_hold hold, const cop_backend_options *options,
                            cop_error *err)
{
    COP_CHECK(cop_isa_hold_kernels(hold) <= cop_cpu_isa(), err, COP_ERR_UNSUPPORTED,
              "backend.isa: %s: this processor (or COPPICE_ISA) has the kernels of %s at most; "
              "set backend.isa to that or lower",
              cop_isa_hold_name(hold), cop_isa_name(cop_cpu_isa()));
    switch (choose_provider(options)) {
    case COP_GEMM_OWN: /* its kernels are those of the table */
        return COP_OK;
    case COP_GEMM_OPENBLAS:
        return cop_openblas_hold_isa(hold, err);
    default:
        return cop_onednn_hold_isa(hold, err);
    }
}

/* The highest set that both the kernels and oneDNN's products have. */
static cop_isa_hold best_isa(void)
{
    int best = (int)cop_onednn_best_isa();
    while (cop_isa_hold_kernels((cop_isa_hold)best) > cop_cpu_isa())
        best--;
    return (cop_isa_hold)best;
}

static cop_status create_gemm(cop_gemm_provider provider, const cop_gemm_options *options,
                              cop_gemm **gemm, cop_error *err)
{
    if (provider == COP_GEMM_OWN) return cop_gemm_create_own(options, gemm, err);
    if (provider == COP_GEMM_OPENBLAS) return cop_gemm_create_openblas(options, gemm, err);
    return cop_gemm_create_onednn(options, gemm, err);
}

cop_status cop_backend_create_cpu(const cop_backend_options *options, cop_backend **backend,
                                  cop_error *err)
{
    *backend = NULL;
    assert(options->threads >= 1);
    COP_TRY(cop_backend_check(options, err));
    const cop_gemm_provider provider = choose_provider(options);
    COP_TRY(cop_backend_reserve_threads(options->threads, err));
    cop_cpu *const cpu = cop_memory_alloc(1, sizeof *cpu, err);
    if (cpu == NULL) return COP_ERR_MEMORY;
    cpu->base.ops = &cpu_ops;
    cpu->base.residual = COP_F32;
    cpu->base.input = choose_compute(options);
    cpu->base.output = COP_F32;
    cpu->base.decode_steps = 1;
    cpu->base.auto_lanes = 1;
    cpu->base.lanes = 1;
    cpu->base.rows_alone = provider == COP_GEMM_OWN;
    cpu->base.best_isa = provider == COP_GEMM_ONEDNN ? best_isa() : COP_HOLD_NONE;
    cpu->threads = options->threads;
    cpu->isa = options->isa;
    cpu->memory_bytes = options->memory_bytes;
    cpu->kernels = cop_kernels_get(options->isa);
    omp_set_num_threads(options->threads);
    const cop_gemm_options gemm = {.input = cpu->base.input,
                                   .threads = cpu->threads,
                                   .kernels = cpu->kernels,
                                   .isa = cpu->isa};
    const cop_status status = create_gemm(provider, &gemm, &cpu->gemm, err);
    if (status != COP_OK) {
        destroy(&cpu->base);
        return status;
    }
    *backend = &cpu->base;
    return COP_OK;
}
