/* bench: generation by batch, and where a decode step's time goes. */
#include "app/bench.h"

#include "coppice/backend/gemm_measure.h"
#include "coppice/base/timer.h"

#include <stdio.h>

/* Time and parts of one decode step on the processor. */
static cop_status measure_step(const cop_bench *bench, const cop_bench_setting *s,
                               cop_compute compute, int repeats, cop_bench_step *step,
                               cop_error *err)
{
    cop_backend_options options = cop_app_backend_options(compute, bench->threads);
    options.storage = cop_model_storage(s->checkpoint);
    cop_backend *backend = NULL;
    cop_bench_generator g = {0};
    COP_TRY(cop_backend_create_cpu(&options, &backend, err));
    cop_status status = cop_bench_generator_open(s, backend, &g, err);
    if (status == COP_OK)
        status = cop_bench_measure_step(&g, s->batch, s->tokens, repeats, step, err);
    cop_bench_generator_close(&g);
    cop_backend_destroy(&backend);
    return status;
}

static cop_dtype type_of(cop_compute compute)
{
    return compute == COP_COMPUTE_BF16 ? COP_BF16 : COP_F32;
}

/* Least time of a decode step: its products and attention at the peak, or reading weights and
 * cache once. */
static double step_least_s(const cop_bench *bench, const cop_bench_setting *s, cop_dtype input)
{
    return cop_bench_least_s(&bench->limits, input, cop_bench_step_flops(s, s->batch),
                             cop_bench_step_elements(s, s->batch) *
                                 (double)cop_dtype_size(input));
}

/* Tokens per second of decoding, and the share of what the peaks allow. */
typedef struct batch_rate {
    double rate; /* 0 for a type that this processor, or build, does not multiply */
    double share;
} batch_rate;

static cop_status rate_of_batch(const cop_bench *bench, const cop_bench_setting *s,
                                cop_compute compute, batch_rate *rate, cop_error *err)
{
    cop_bench_step step;
    const cop_status status = measure_step(bench, s, compute, 5, &step, err);
    *rate = (batch_rate){0};
    if (status == COP_ERR_UNSUPPORTED) {
        *err = (cop_error){0};
        return COP_OK;
    }
    COP_TRY(status);
    rate->rate = (double)s->batch / step.seconds;
    rate->share = step_least_s(bench, s, type_of(compute)) / step.seconds;
    return COP_OK;
}

/* A batch's line; bf16 only where it was measured. */
static void add_rates(const cop_bench *bench, json_t *rows, size_t batch,
                      const batch_rate rates[2], const double first[2])
{
    static const char *const names[2][3] = {
        {"f32_tokens_per_second", "f32_ratio", "f32_share"},
        {"bf16_tokens_per_second", "bf16_ratio", "bf16_share"}};
    json_t *const row = json_pack("{s:I}", "batch", (json_int_t)batch);
    if (bench->json == NULL) (void)printf("  %5zu", batch);
    for (int c = 0; c < 2; c++) {
        const double ratio = rates[c].rate / first[c];
        if (rates[c].rate == 0) {
            if (bench->json == NULL) (void)printf(" %15s", "-");
            continue;
        }
        if (bench->json == NULL) {
            (void)printf(" %15.0f %5.1fx %5.1f%%", rates[c].rate, ratio, 100 * rates[c].share);
        }
        (void)json_object_set_new(row, names[c][0], json_real(rates[c].rate));
        (void)json_object_set_new(row, names[c][1], json_real(ratio));
        (void)json_object_set_new(row, names[c][2], json_real(rates[c].share));
    }
    if (bench->json == NULL) (void)printf("\n");
    (void)json_array_append_new(rows, row);
}

cop_status cop_bench_generate(cop_bench *bench, const char *model_dir, cop_error *err)
{
    static const size_t batches[] = {1, 8, 32, 128};
    cop_bench_model made = {0};
    cop_model_config loaded = {0};
    cop_checkpoint *opened = NULL;
    const cop_bench_limits *limits = NULL;
    COP_TRY(cop_bench_limit(bench, &limits, err));
    json_t *const rows = json_array();
    cop_status status = COP_OK;
    if (model_dir != NULL) {
        COP_TRY_OUT(cop_model_open(model_dir, &loaded, &opened, err));
        loaded.stop_count = 0; /* every answer as long as the others */
    } else {
        COP_TRY_OUT(cop_bench_model_create(&cop_bench_shape_small, &made, err));
    }
    if (bench->json == NULL) {
        (void)printf("\ngeneration, %s, %d threads, decoding at contexts of 32 to 80\n",
                     model_dir != NULL ? model_dir : cop_bench_shape_small.name,
                     bench->threads);
        (void)printf("  batch    f32 tokens/s  ratio  share   bf16 tokens/s  ratio  share   "
                     "(of what the peaks allow)\n");
    }
    double first[2] = {0};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0] && status == COP_OK; i++) {
        batch_rate rate[2] = {{0}};
        for (int c = 0; c < 2 && status == COP_OK; c++) {
            const cop_bench_setting s = {.config = model_dir != NULL ? &loaded : &made.config,
                                         .checkpoint =
                                             model_dir != NULL ? opened : made.checkpoint,
                                         .batch = batches[i],
                                         .prompt = 32,
                                         .tokens = 49};
            status = rate_of_batch(bench, &s, c == 0 ? COP_COMPUTE_F32 : COP_COMPUTE_BF16,
                                   &rate[c], err);
            if (i == 0) first[c] = rate[c].rate;
        }
        if (status != COP_OK) break;
        add_rates(bench, rows, batches[i], rate, first);
    }
out:
    cop_checkpoint_close(&opened);
    cop_bench_model_free(&made);
    if (status == COP_OK && bench->json != NULL) {
        return json_object_set_new(bench->json, "generation", rows) == 0 ? COP_OK
                                                                         : COP_ERR_MEMORY;
    }
    json_decref(rows);
    return status;
}

/* --- a decode step --- */

enum { DECODE_ROWS = 64, DECODE_PROMPT = 32, DECODE_STEPS = 48 };

/* Time of one decode step if it were nothing but bare products of the same shapes. */
static cop_status bare_step(const cop_model_config *c, cop_dtype input, const cop_bench *bench,
                            double *seconds, double *flops, cop_error *err)
{
    cop_bench_product products[COP_BENCH_PRODUCTS];
    cop_bench_list_products(c, products);
    *seconds = 0;
    *flops = 0;
    for (size_t i = 0; i < COP_BENCH_PRODUCTS; i++) {
        const cop_gemm_measure what = {
            .provider = cop_backend_lack() == NULL ? COP_GEMM_ONEDNN : COP_GEMM_OPENBLAS,
            .input = input,
            .n = products[i].n,
            .k = products[i].k,
            .rows = DECODE_ROWS,
            .threads = bench->threads,
            .budget_s = bench->budget_s};
        double one_s = 0;
        COP_TRY(cop_gemm_measure_run(&what, &one_s, err));
        *seconds += one_s * (double)products[i].times;
        *flops += 2.0 * (double)(what.n * what.k * what.rows * products[i].times);
    }
    return COP_OK;
}

/* Step and prefill beside the least times that the peaks allow for them. */
typedef struct step_bounds {
    double step_s, prefill_s;
} step_bounds;

static step_bounds bound(const cop_bench *bench, const cop_bench_setting *s, cop_dtype input)
{
    return (step_bounds){
        .step_s = step_least_s(bench, s, input),
        .prefill_s = cop_bench_least_s(&bench->limits, input, cop_bench_prefill_flops(s), 0)};
}

static void print_step(const char *name, const cop_bench_step *step, double bare_s,
                       double flops, const step_bounds *bounds)
{
    const double step_s = step->seconds;
    const double *const parts = step->parts;
    double known_s = 0;
    (void)printf("  %-5s %8.1f ms", name, step_s * 1e3);
    for (int p = COP_PART_GEMM; p < COP_PART_COUNT; p++) {
        (void)printf(" %6.1f%%", 100 * parts[p] / step_s);
        known_s += parts[p];
    }
    (void)printf(" %6.1f%%\n", 100 * (step_s - known_s) / step_s);
    (void)printf(
        "        GEMM in the model %.0f GFLOP/s, bare calls %.0f GFLOP/s: ratio %.2f\n",
        flops / parts[COP_PART_GEMM] / 1e9, flops / bare_s / 1e9,
        bare_s / parts[COP_PART_GEMM]);
    (void)printf("        the peaks allow a step in %.1f ms: share %.0f%%; prefill of %d x %d "
                 "tokens %.0f ms, the peaks allow %.0f ms: share %.0f%%\n",
                 bounds->step_s * 1e3, 100 * bounds->step_s / step_s, DECODE_ROWS,
                 DECODE_PROMPT, step->prefill_s * 1e3, bounds->prefill_s * 1e3,
                 100 * bounds->prefill_s / step->prefill_s);
}

cop_status cop_bench_decode(cop_bench *bench, cop_error *err)
{
    cop_bench_model made = {0};
    const cop_bench_limits *limits = NULL;
    COP_TRY(cop_bench_limit(bench, &limits, err));
    json_t *const rows = json_object();
    cop_status status = cop_bench_model_create(&cop_bench_shape_half_billion, &made, err);
    if (status == COP_OK && bench->json == NULL) {
        (void)printf(
            "\ndecode step, %s, %d rows at context %d, %d threads: share of time\n  %-5s %11s",
            cop_bench_shape_half_billion.name, DECODE_ROWS, DECODE_PROMPT + DECODE_STEPS / 2,
            bench->threads, "", "step");
        for (int p = COP_PART_GEMM; p < COP_PART_COUNT; p++) {
            (void)printf(" %7.7s", cop_backend_part_name((cop_backend_part)p));
        }
        (void)printf(" %7s\n", "other");
    }
    for (int c = 0; c < 2 && status == COP_OK; c++) {
        const cop_bench_setting s = {.config = &made.config,
                                     .checkpoint = made.checkpoint,
                                     .batch = DECODE_ROWS,
                                     .prompt = DECODE_PROMPT,
                                     .tokens = 1 + DECODE_STEPS};
        const char *const name = c == 0 ? "f32" : "bf16";
        double bare_s = 0;
        double flops = 0;
        cop_bench_step step;
        status =
            measure_step(bench, &s, c == 0 ? COP_COMPUTE_F32 : COP_COMPUTE_BF16, 1, &step, err);
        if (status == COP_ERR_UNSUPPORTED) {
            if (bench->json == NULL) (void)printf("  %-5s %s\n", name, err->message);
            *err = (cop_error){0};
            status = COP_OK;
            continue;
        }
        if (status == COP_OK) {
            status = bare_step(&made.config, c == 0 ? COP_F32 : COP_BF16, bench, &bare_s,
                               &flops, err);
        }
        if (status != COP_OK) break;
        const step_bounds bounds = bound(bench, &s, c == 0 ? COP_F32 : COP_BF16);
        if (bench->json == NULL) print_step(name, &step, bare_s, flops, &bounds);
        (void)json_object_set_new(
            rows, name,
            json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "step_seconds", step.seconds,
                      "gemm_share", step.parts[COP_PART_GEMM] / step.seconds, "gemm_flops",
                      flops / step.parts[COP_PART_GEMM], "bare_flops", flops / bare_s,
                      "gemm_over_bare", bare_s / step.parts[COP_PART_GEMM],
                      "step_bound_seconds", bounds.step_s, "prefill_seconds", step.prefill_s,
                      "prefill_bound_seconds", bounds.prefill_s));
    }
    cop_bench_model_free(&made);
    if (status == COP_OK && bench->json != NULL) {
        return json_object_set_new(bench->json, "decode", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
    }
    json_decref(rows);
    return status;
}
