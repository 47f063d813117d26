/* bench: noise, rebuild, bare GEMM. */
#include "app/bench.h"

#include "coppice/backend/gemm_measure.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/noise/noise.h"

#include <stdio.h>
#include <string.h>

cop_status cop_bench_noise(cop_bench *bench, cop_error *err)
{
    enum { COUNT = 1 << 20 };
    float *const out = cop_memory_alloc(COUNT, sizeof *out, err);
    if (out == NULL) return COP_ERR_MEMORY;
    double rate[COP_ISA_COUNT] = {0};
    for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
        double best_s = 1e9;
        const double end_s = cop_timer_now_s() + bench->budget_s;
        while (cop_timer_now_s() < end_s) {
            const double start_s = cop_timer_now_s();
            cop_noise_fill(out, 1, 2, 3, COUNT, (cop_isa)isa);
            const double spent_s = cop_timer_now_s() - start_s;
            if (spent_s < best_s) best_s = spent_s;
        }
        rate[isa] = COUNT / best_s;
    }
    cop_memory_free(out);
    json_t *const rows = json_object();
    if (bench->json == NULL) (void)printf("\nnoise, one thread          M/s    ratio\n");
    for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
        const double ratio = rate[isa] / rate[0];
        if (bench->json == NULL)
            (void)printf("  %-18s %9.0f %7.1fx\n", cop_isa_name((cop_isa)isa), rate[isa] / 1e6,
                         ratio);
        (void)json_object_set_new(
            rows, cop_isa_name((cop_isa)isa),
            json_pack("{s:f, s:f}", "per_second", rate[isa], "ratio_to_scalar", ratio));
    }
    if (bench->json != NULL)
        return json_object_set_new(bench->json, "noise", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
    json_decref(rows);
    return COP_OK;
}

/* A matrix that own kernels multiply with, and what it is rebuilt from. */
typedef struct panels {
    cop_backend *backend;
    cop_matrix *matrix;
    cop_buffer *base;
} panels;

static void drop_panels(panels *p)
{
    if (p->backend == NULL) return;
    p->backend->ops->matrix_destroy(p->backend, &p->matrix);
    p->backend->ops->buffer_destroy(p->backend, &p->base);
    cop_backend_destroy(&p->backend);
}

static cop_status make_panels(panels *p, int threads, const uint16_t *base, size_t side,
                              cop_error *err)
{
    const cop_backend_options options = {
        .gemm = COP_GEMM_OWN, .threads = threads, .isa = cop_cpu_isa()};
    COP_TRY(cop_backend_create_cpu(&options, &p->backend, err));
    const cop_backend_ops *const ops = p->backend->ops;
    COP_TRY(ops->buffer_wrap(p->backend, base, side * side * sizeof *base, &p->base, err));
    COP_TRY(ops->matrix_create(p->backend, side, side, COP_BF16, 1, &p->matrix, err));
    /* The base itself would wait for a product, were nothing packed yet. */
    const cop_component moved = {.seed = 1, .amplitude = 1e-3F};
    const cop_weight_part part = {
        .base = p->base, .dtype = COP_BF16, .count = side * side, .tensor = 1, .scale = 1};
    return ops->matrix_rebuild(p->backend, p->matrix, 0, &part, 1, &moved, 1, err);
}

/* Best time of a rebuild of [side, side] into panels. */
static cop_status time_panels(const cop_bench *bench, const panels *p, size_t side,
                              const cop_component *components, size_t count, double *best_s,
                              cop_error *err)
{
    const cop_weight_part part = {
        .base = p->base, .dtype = COP_BF16, .count = side * side, .tensor = 1, .scale = 1};
    const double end_s = cop_timer_now_s() + bench->budget_s;
    *best_s = 1e9;
    do {
        const double start_s = cop_timer_now_s();
        COP_TRY(p->backend->ops->matrix_rebuild(p->backend, p->matrix, 0, &part, 1, components,
                                                count, err));
        const double spent_s = cop_timer_now_s() - start_s;
        if (spent_s < *best_s) *best_s = spent_s;
    } while (cop_timer_now_s() < end_s);
    return COP_OK;
}

static void show_rebuild(const cop_bench *bench, json_t *rows, const char *where, size_t count,
                         size_t components, double seconds)
{
    const double bytes = (double)count * sizeof(uint16_t) / seconds;
    const double terms = (double)count * (double)components / seconds;
    if (bench->json == NULL)
        (void)printf("  %3zu components %-13s %8.3f %11.0f\n", components, where, bytes / 1e9,
                     terms / 1e6);
    (void)json_array_append_new(
        rows, json_pack("{s:I, s:s, s:f, s:f}", "components", (json_int_t)components, "into",
                        where, "bytes_per_second", bytes, "terms_per_second", terms));
}

/* Best time of one way to rebuild a piece. */
static double time_piece(const cop_bench *bench, const cop_rebuild_piece *piece,
                         const cop_component *components, size_t count)
{
    double best_s = 1e9;
    const double end_s = cop_timer_now_s() + bench->budget_s;
    do {
        const double start_s = cop_timer_now_s();
        cop_rebuild_run(piece, components, count, bench->threads, cop_cpu_isa());
        const double spent_s = cop_timer_now_s() - start_s;
        if (spent_s < best_s) best_s = spent_s;
    } while (cop_timer_now_s() < end_s);
    return best_s;
}

/* A candidate and a merge of noise of low rank, at the shape of Qwen2.5-0.5B's largest matrix.
 */
static void bench_low_rank(const cop_bench *bench, json_t *rows, const uint16_t *base,
                           uint16_t *out, const cop_component *components, size_t count)
{
    enum { ROWS = 4864, COLUMNS = 896 };
    static const size_t ranks[] = {1, 4};
    for (size_t i = 0; i < 2 * sizeof ranks / sizeof ranks[0]; i++) {
        const cop_rebuild_piece piece = {.base = base,
                                         .out = out,
                                         .dtype = COP_BF16,
                                         .count = (size_t)ROWS * COLUMNS,
                                         .tensor = 1,
                                         .scale = 1,
                                         .low = {ranks[i / 2], ROWS, COLUMNS}};
        const size_t own = i % 2 == 0 ? 1 : count;
        char where[16];
        (void)snprintf(where, sizeof where, "(rank-%zu)", ranks[i / 2]);
        show_rebuild(bench, rows, where, piece.count, own,
                     time_piece(bench, &piece, components, own));
    }
}

cop_status cop_bench_rebuild(cop_bench *bench, cop_error *err)
{
    enum { SIDE = 1 << 12, COUNT = SIDE * SIDE, MOST = 150 };
    static const size_t counts[] = {0, 1, 16, MOST};
    uint16_t *const base = cop_memory_alloc(COUNT, sizeof *base, err);
    uint16_t *const out = cop_memory_alloc(COUNT, sizeof *out, err);
    if (base == NULL || out == NULL) {
        cop_memory_free(base);
        cop_memory_free(out);
        return COP_ERR_MEMORY;
    }
    cop_component components[MOST];
    for (size_t j = 0; j < MOST; j++)
        components[j] = (cop_component){.seed = j, .amplitude = 1e-3F};
    json_t *const rows = json_array();
    if (bench->json == NULL) {
        (void)printf("\nrebuild of bf16, %d threads   GB/s of weights   M terms/s\n",
                     bench->threads);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const size_t count =
            counts[i] == MOST ? COUNT / 16 : COUNT; /* the same time for a figure */
        const cop_rebuild_piece piece = {.base = base,
                                         .out = out,
                                         .dtype = COP_BF16,
                                         .count = count,
                                         .tensor = 1,
                                         .scale = 1};
        show_rebuild(bench, rows, counts[i] == 0 ? "(copy)" : "", count, counts[i],
                     time_piece(bench, &piece, components, counts[i]));
    }
    bench_low_rank(bench, rows, base, out, components, MOST);
    panels p = {0};
    cop_status status = make_panels(&p, bench->threads, base, SIDE, err);
    for (size_t i = 0; i < 2 && status == COP_OK; i++) {
        double best_s = 0;
        status = time_panels(bench, &p, SIDE, components, counts[i], &best_s, err);
        if (status == COP_OK)
            show_rebuild(bench, rows, "(to panels)", COUNT, counts[i], best_s);
    }
    drop_panels(&p);
    cop_memory_free(base);
    cop_memory_free(out);
    if (status == COP_OK && bench->json != NULL)
        return json_object_set_new(bench->json, "rebuild", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
    json_decref(rows);
    return status;
}

/* Least time of a product: its weights, of which there are more than the caches hold, are read
 * once. */
static double least_s(const cop_bench_limits *limits, const cop_gemm_measure *what,
                      double flops)
{
    const double read_s =
        (double)(what->n * what->k * cop_dtype_size(what->input)) / limits->read;
    const double compute_s = cop_bench_least_s(limits, what->input, flops, 0);
    return read_s > compute_s ? read_s : compute_s;
}

cop_status cop_bench_gemm(cop_bench *bench, cop_error *err)
{
    static const struct {
        const char *name;
        size_t n, k;
    } shapes[] = {{"gate and up, 0.5B", 9728, 896},
                  {"down, 0.5B", 896, 4864},
                  {"gate and up, 8M", 2048, 384}};
    static const size_t rows[] = {1, 8, 32, 64, 128, 512};
    static const struct {
        const char *name;
        cop_gemm_provider provider;
        cop_dtype input;
    } providers[] = {{"OpenBLAS f32", COP_GEMM_OPENBLAS, COP_F32},
                     {"oneDNN f32", COP_GEMM_ONEDNN, COP_F32},
                     {"oneDNN bf16", COP_GEMM_ONEDNN, COP_BF16},
                     {"own bf16", COP_GEMM_OWN, COP_BF16}};
    const cop_bench_limits *limits = NULL;
    COP_TRY(cop_bench_limit(bench, &limits, err));
    json_t *const list = json_array();
    if (bench->json == NULL) {
        (void)printf(
            "\nbare GEMM, %d threads, GFLOP/s by rows, and the share of what the peaks "
            "allow\n  %-18s %-13s",
            bench->threads, "weights", "provider");
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
            (void)printf(" %5zu     ", rows[r]);
        (void)printf("\n");
    }
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (size_t p = 0; p < sizeof providers / sizeof providers[0]; p++) {
            if (bench->json == NULL)
                (void)printf("  %-18s %-13s", shapes[s].name, providers[p].name);
            for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
                const cop_gemm_measure what = {.provider = providers[p].provider,
                                               .input = providers[p].input,
                                               .n = shapes[s].n,
                                               .k = shapes[s].k,
                                               .rows = rows[r],
                                               .threads = bench->threads,
                                               .budget_s = bench->budget_s / 2};
                double seconds = 0;
                const cop_status status = cop_gemm_measure_run(&what, &seconds, err);
                if (status == COP_ERR_UNSUPPORTED) {
                    if (bench->json == NULL) (void)printf(" %s", err->message);
                    *err = (cop_error){0};
                    break;
                }
                if (status != COP_OK) {
                    json_decref(list);
                    return status;
                }
                const double flops = 2.0 * (double)(what.n * what.k * what.rows);
                const double rate = flops / seconds;
                const double share = least_s(limits, &what, flops) / seconds;
                if (bench->json == NULL)
                    (void)printf(" %5.0f %3.0f%%", rate / 1e9, 100 * share);
                (void)json_array_append_new(
                    list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f}", "weights",
                                    shapes[s].name, "provider", providers[p].name, "n",
                                    (json_int_t)what.n, "k", (json_int_t)what.k, "rows",
                                    (json_int_t)rows[r], "flops", rate, "share", share));
                if (bench->json == NULL) (void)fflush(stdout);
            }
            if (bench->json == NULL) (void)printf("\n");
        }
    }
    if (bench->json != NULL)
        return json_object_set_new(bench->json, "gemm", list) == 0 ? COP_OK : COP_ERR_MEMORY;
    json_decref(list);
    return COP_OK;
}
