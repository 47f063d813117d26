/* bench: generation by batch, and where a decode step's time goes. */
#include "app/bench.h"

#include "coppice/gemm_measure.h"
#include "coppice/memory.h"
#include "coppice/noise.h"
#include "coppice/timer.h"

#include <stdio.h>
#include <string.h>

/* A model ready to generate. */
typedef struct generator {
    cop_backend *backend;
    cop_model *model;
    int32_t *ids;            /* [batch, prompt] */
    cop_prompt *prompts;     /* [batch] */
    cop_generation *answers; /* [batch] */
    size_t batch;
} generator;

/* What to generate with. */
typedef struct setting {
    const cop_model_config *config;
    const cop_checkpoint *checkpoint;
    cop_compute compute;
    int threads;
    size_t batch, prompt, tokens;
} setting;

static cop_status open_generator(const setting *s, generator *g, cop_error *err)
{
    cop_backend_options options = cop_app_backend_options(s->compute, s->threads);
    options.storage = COP_BF16;
    const cop_model_limits limits = {
        .batch = s->batch, .prompt_tokens = s->prompt, .new_tokens = s->tokens};
    g->batch = s->batch;
    COP_TRY(cop_backend_create_cpu(&options, &g->backend, err));
    COP_TRY(
        cop_model_create(s->config, s->checkpoint, g->backend, &limits, NULL, &g->model, err));
    g->ids = cop_memory_alloc(s->batch * s->prompt, sizeof *g->ids, err);
    g->prompts = cop_memory_alloc(s->batch, sizeof *g->prompts, err);
    g->answers = cop_memory_alloc(s->batch, sizeof *g->answers, err);
    if (g->ids == NULL || g->prompts == NULL || g->answers == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < s->batch * s->prompt; i++) {
        const uint64_t bits = cop_noise_bits(3, COP_STREAM_SAMPLING, 0, i);
        g->ids[i] = (int32_t)(bits % (uint64_t)s->config->vocabulary);
    }
    for (size_t b = 0; b < s->batch; b++) {
        g->prompts[b] = (cop_prompt){.ids = g->ids + b * s->prompt, .count = s->prompt};
    }
    return COP_OK;
}

static void close_generator(generator *g)
{
    cop_model_destroy(&g->model);
    cop_backend_destroy(&g->backend);
    cop_memory_free(g->ids);
    cop_memory_free(g->prompts);
    cop_memory_free(g->answers);
}

/* Generates `tokens` for all prompts; *seconds of the whole, parts [COP_PART_COUNT] of it. */
static cop_status generate(generator *g, size_t tokens, double *seconds, double *parts,
                           cop_error *err)
{
    double before[COP_PART_COUNT];
    memcpy(before, g->backend->seconds, sizeof before);
    const cop_generate_options how = {.max_new_tokens = tokens};
    const double start_s = cop_timer_now_s();
    COP_TRY(cop_model_generate(g->model, g->prompts, g->batch, &how, g->answers, err));
    *seconds = cop_timer_now_s() - start_s;
    for (size_t b = 0; b < g->batch; b++)
        cop_generation_free(&g->answers[b]);
    for (int p = 0; p < COP_PART_COUNT; p++)
        parts[p] = g->backend->seconds[p] - before[p];
    return COP_OK;
}

/* --- decode steps
 * ---------------------------------------------------------------------------------- */

/* Time and parts of one decode step: what `steps` more tokens cost beyond a prefill. Best of
 * `repeats` of each. */
static cop_status measure_step(const setting *s, int repeats, double *step_s, double *parts,
                               cop_error *err)
{
    const size_t steps = s->tokens - 1;
    generator g = {0};
    double short_s = 1e9;
    double long_s = 1e9;
    double short_parts[COP_PART_COUNT] = {0};
    double got_s = 0;
    double got[COP_PART_COUNT];
    cop_status status = open_generator(s, &g, err);
    if (status == COP_OK) status = generate(&g, 2, &got_s, got, err); /* warm-up */
    for (int i = 0; i < repeats && status == COP_OK; i++) {
        status = generate(&g, 1, &got_s, got, err);
        if (got_s < short_s) memcpy(short_parts, got, sizeof got);
        if (got_s < short_s) short_s = got_s;
        if (status == COP_OK) status = generate(&g, s->tokens, &got_s, got, err);
        if (got_s < long_s) memcpy(parts, got, sizeof got);
        if (got_s < long_s) long_s = got_s;
    }
    close_generator(&g);
    *step_s = (long_s - short_s) / (double)steps;
    for (int p = 0; p < COP_PART_COUNT; p++)
        parts[p] = (parts[p] - short_parts[p]) / (double)steps;
    return status;
}

/* Tokens per second of decoding. */
static cop_status rate_of_batch(const setting *s, double *rate, cop_error *err)
{
    double step_s = 0;
    double parts[COP_PART_COUNT] = {0};
    COP_TRY(measure_step(s, 5, &step_s, parts, err));
    *rate = (double)s->batch / step_s;
    return COP_OK;
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
        COP_TRY_OUT(cop_model_config_load(model_dir, &loaded, err));
        loaded.stop_count = 0; /* every answer as long as the others */
        COP_TRY_OUT(cop_checkpoint_open(model_dir, &opened, err));
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
            const setting s = {.config = model_dir != NULL ? &loaded : &made.config,
                               .checkpoint = model_dir != NULL ? opened : made.checkpoint,
                               .compute = c == 0 ? COP_COMPUTE_F32 : COP_COMPUTE_BF16,
                               .threads = bench->threads,
                               .batch = batches[i],
                               .prompt = 32,
                               .tokens = 49};
            status = rate_of_batch(&s, &rate[c], err);
            if (i == 0) first[c] = rate[c];
        }
        if (status != COP_OK) break;
        if (bench->json == NULL) {
            (void)printf("  %5zu %14.0f %5.1fx %15.0f %5.1fx\n", batches[i], rate[0],
                         rate[0] / first[0], rate[1], rate[1] / first[1]);
        }
        (void)json_array_append_new(
            rows,
            json_pack("{s:I, s:f, s:f, s:f, s:f}", "batch", (json_int_t)batches[i],
                      "f32_tokens_per_second", rate[0], "f32_ratio", rate[0] / first[0],
                      "bf16_tokens_per_second", rate[1], "bf16_ratio", rate[1] / first[1]));
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
    const size_t d = (size_t)c->width;
    const size_t q = (size_t)c->heads * (size_t)c->head_size;
    const size_t kv = (size_t)c->kv_heads * (size_t)c->head_size;
    const size_t f = (size_t)c->feed_forward;
    const size_t layers = (size_t)c->layers;
    const struct {
        size_t n, k, times;
    } products[] = {{q + 2 * kv, d, layers},
                    {d, q, layers},
                    {2 * f, d, layers},
                    {d, f, layers},
                    {(size_t)c->vocabulary, d, 1}};
    *seconds = 0;
    *flops = 0;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        const cop_gemm_measure what = {.provider = COP_GEMM_ONEDNN,
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

static void print_step(const char *name, double step_s, const double *parts, double bare_s,
                       double flops)
{
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
        const setting s = {.config = &made.config,
                           .checkpoint = made.checkpoint,
                           .compute = c == 0 ? COP_COMPUTE_F32 : COP_COMPUTE_BF16,
                           .threads = bench->threads,
                           .batch = DECODE_ROWS,
                           .prompt = DECODE_PROMPT,
                           .tokens = 1 + DECODE_STEPS};
        const char *const name = c == 0 ? "f32" : "bf16";
        double step_s = 0;
        double bare_s = 0;
        double flops = 0;
        double parts[COP_PART_COUNT] = {0};
        status = measure_step(&s, 1, &step_s, parts, err);
        if (status == COP_OK) {
            status = bare_step(&made.config, c == 0 ? COP_F32 : COP_BF16, bench, &bare_s,
                               &flops, err);
        }
        if (status != COP_OK) break;
        if (bench->json == NULL) print_step(name, step_s, parts, bare_s, flops);
        (void)json_object_set_new(rows, name,
                                  json_pack("{s:f, s:f, s:f, s:f, s:f}", "step_seconds", step_s,
                                            "gemm_share", parts[COP_PART_GEMM] / step_s,
                                            "gemm_flops", flops / parts[COP_PART_GEMM],
                                            "bare_flops", flops / bare_s, "gemm_over_bare",
                                            bare_s / parts[COP_PART_GEMM]));
    }
    cop_bench_model_free(&made);
    if (status == COP_OK && bench->json != NULL) {
        return json_object_set_new(bench->json, "decode", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
    }
    json_decref(rows);
    return status;
}
