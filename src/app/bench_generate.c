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
    options.storage = COP_BF16;
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

/* Tokens per second of decoding; 0 for a type that this processor, or build, does not multiply.
 */
static cop_status rate_of_batch(const cop_bench *bench, const cop_bench_setting *s,
                                cop_compute compute, double *rate, cop_error *err)
{
    cop_bench_step step;
    const cop_status status = measure_step(bench, s, compute, 5, &step, err);
    *rate = 0;
    if (status == COP_ERR_UNSUPPORTED) {
        *err = (cop_error){0};
        return COP_OK;
    }
    COP_TRY(status);
    *rate = (double)s->batch / step.seconds;
    return COP_OK;
}

/* A batch's line; bf16 only where it was measured. */
static void add_rates(const cop_bench *bench, json_t *rows, size_t batch, const double rate[2],
                      const double first[2])
{
    json_t *const row =
        json_pack("{s:I, s:f, s:f}", "batch", (json_int_t)batch, "f32_tokens_per_second",
                  rate[0], "f32_ratio", rate[0] / first[0]);
    if (bench->json == NULL)
        (void)printf("  %5zu %14.0f %5.1fx", batch, rate[0], rate[0] / first[0]);
    if (rate[1] > 0) {
        if (bench->json == NULL) (void)printf(" %15.0f %5.1fx", rate[1], rate[1] / first[1]);
        (void)json_object_set_new(row, "bf16_tokens_per_second", json_real(rate[1]));
        (void)json_object_set_new(row, "bf16_ratio", json_real(rate[1] / first[1]));
    } else if (bench->json == NULL) {
        (void)printf(" %15s", "-");
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
        (void)printf("  batch   f32 tokens/s  ratio   bf16 tokens/s  ratio\n");
    }
    double first[2] = {0};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0] && status == COP_OK; i++) {
        double rate[2] = {0};
        for (int c = 0; c < 2 && status == COP_OK; c++) {
            const cop_bench_setting s = {.config = model_dir != NULL ? &loaded : &made.config,
                                         .checkpoint =
                                             model_dir != NULL ? opened : made.checkpoint,
                                         .batch = batches[i],
                                         .prompt = 32,
                                         .tokens = 49};
            status = rate_of_batch(bench, &s, c == 0 ? COP_COMPUTE_F32 : COP_COMPUTE_BF16,
                                   &rate[c], err);
            if (i == 0) first[c] = rate[c];
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

static void print_step(const char *name, const cop_bench_step *step, double bare_s,
                       double flops)
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
}

cop_status cop_bench_decode(cop_bench *bench, cop_error *err)
{
    cop_bench_model made = {0};
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
        if (bench->json == NULL) print_step(name, &step, bare_s, flops);
        (void)json_object_set_new(
            rows, name,
            json_pack("{s:f, s:f, s:f, s:f, s:f}", "step_seconds", step.seconds, "gemm_share",
                      step.parts[COP_PART_GEMM] / step.seconds, "gemm_flops",
                      flops / step.parts[COP_PART_GEMM], "bare_flops", flops / bare_s,
                      "gemm_over_bare", bare_s / step.parts[COP_PART_GEMM]));
    }
    cop_bench_model_free(&made);
    if (status == COP_OK && bench->json != NULL) {
        return json_object_set_new(bench->json, "decode", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
    }
    json_decref(rows);
    return status;
}
