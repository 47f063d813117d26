/* bench: the weights of a grid of proposals, 21 directions over the same 150 seeds with 6 steps
 * each, packed to be multiplied with: every step from its components, and from a direction's
 * sum. The matrix is an eighth of the widest one of Qwen2.5-0.5B: the rest costs the same. */
#include "app/bench.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdio.h>
#include <string.h>

enum { ROWS = 608, WIDTH = 896, SEEDS = 150, DIRECTIONS = 21, STEPS = 6, MOST_TOGETHER = 8 };

typedef struct grid {
    cop_backend *backend;
    cop_matrix *matrix;
    cop_buffer *base;
    cop_buffer *sums[MOST_TOGETHER];
    cop_component directions[DIRECTIONS][SEEDS]; /* the last component says the step */
} grid;

static void drop_grid(grid *g)
{
    if (g->backend == NULL) return;
    g->backend->ops->matrix_destroy(g->backend, &g->matrix);
    g->backend->ops->buffer_destroy(g->backend, &g->base);
    for (size_t k = 0; k < MOST_TOGETHER; k++)
        g->backend->ops->buffer_destroy(g->backend, &g->sums[k]);
    cop_backend_destroy(&g->backend);
}

static cop_status make_grid(grid *g, int threads, const uint16_t *base, cop_error *err)
{
    const cop_backend_options options = {
        .gemm = COP_GEMM_OWN, .threads = threads, .isa = cop_cpu_isa()};
    const size_t count = (size_t)ROWS * WIDTH;
    for (size_t d = 0; d < DIRECTIONS; d++) {
        for (size_t j = 0; j < SEEDS; j++)
            g->directions[d][j] = (cop_component){
                .seed = j, .amplitude = 1e-2F * (float)(1 + (d + j) % 9), .factor = COP_IN_SUM};
    }
    COP_TRY(cop_backend_create_cpu(&options, &g->backend, err));
    const cop_backend_ops *const ops = g->backend->ops;
    COP_TRY(ops->buffer_wrap(g->backend, base, count * sizeof *base, &g->base, err));
    for (size_t k = 0; k < MOST_TOGETHER; k++)
        COP_TRY(ops->buffer_create(g->backend, count * sizeof(float), &g->sums[k], err));
    return ops->matrix_create(g->backend, ROWS, WIDTH, COP_BF16, 1, &g->matrix, err);
}

static cop_weight_part part_of(const grid *g, const cop_buffer *sum, size_t step)
{
    return (cop_weight_part){.base = g->base,
                             .dtype = COP_BF16,
                             .count = (size_t)ROWS * WIDTH,
                             .tensor = 1,
                             .scale = 1,
                             .sum = sum,
                             .factor = 1e-3F * (float)(1 + step)};
}

/* One proposal from its components. */
static cop_status rebuild_whole(grid *g, size_t direction, size_t step, cop_error *err)
{
    const cop_weight_part part = part_of(g, NULL, step);
    g->directions[direction][SEEDS - 1].factor = part.factor;
    const cop_status status = g->backend->ops->matrix_rebuild(
        g->backend, g->matrix, 0, &part, 1, g->directions[direction], SEEDS, err);
    g->directions[direction][SEEDS - 1].factor = COP_IN_SUM;
    return status;
}

/* All proposals, the sums of so many directions at a time added up together. */
static cop_status rebuild_grid(grid *g, size_t together, cop_error *err)
{
    const cop_backend_ops *const ops = g->backend->ops;
    for (size_t d = 0; d < DIRECTIONS; d += together) {
        cop_rebuild_sum lists[MOST_TOGETHER];
        const size_t count = DIRECTIONS - d < together ? DIRECTIONS - d : together;
        for (size_t k = 0; k < count; k++)
            lists[k] = (cop_rebuild_sum){.components = g->directions[d + k], .count = SEEDS};
        COP_TRY(ops->sums(g->backend, g->sums, lists, count, 1, (cop_low_rank){0},
                          (size_t)ROWS * WIDTH, err));
        for (size_t i = 0; i < count * STEPS; i++) {
            const cop_weight_part part = part_of(g, g->sums[i / STEPS], i % STEPS);
            COP_TRY(ops->matrix_rebuild(g->backend, g->matrix, 0, &part, 1, NULL, 0, err));
        }
    }
    return COP_OK;
}

/* Seconds of the grid by its components, from a few proposals: they cost the same. */
static cop_status time_whole(const cop_bench *bench, grid *g, double *seconds, cop_error *err)
{
    double best_s = 1e9;
    const double end_s = cop_timer_now_s() + bench->budget_s;
    for (size_t i = 0; i < 2 || cop_timer_now_s() < end_s; i++) {
        const double start_s = cop_timer_now_s();
        COP_TRY(rebuild_whole(g, i % DIRECTIONS, i % STEPS, err));
        const double spent_s = cop_timer_now_s() - start_s;
        if (spent_s < best_s) best_s = spent_s;
    }
    *seconds = best_s * DIRECTIONS * STEPS;
    return COP_OK;
}

static void show(const cop_bench *bench, json_t *rows, size_t together, double seconds,
                 double whole_s)
{
    char way[64] = "seed by seed";
    if (together > 0)
        (void)snprintf(way, sizeof way, "%zu sum%s at a time", together,
                       together == 1 ? "" : "s");
    if (bench->json == NULL)
        (void)printf("  %-30s %8.3f %7.1fx\n", way, seconds, whole_s / seconds);
    (void)json_array_append_new(rows, json_pack("{s:I, s:f, s:f}", "sums_at_a_time",
                                                (json_int_t)together, "seconds", seconds,
                                                "ratio", whole_s / seconds));
}

static cop_status measure(const cop_bench *bench, grid *g, json_t *rows, cop_error *err)
{
    static const size_t together[] = {1, 2, 4, MOST_TOGETHER};
    double whole_s = 0;
    COP_TRY(time_whole(bench, g, &whole_s, err));
    show(bench, rows, 0, whole_s, whole_s);
    for (size_t i = 0; i < sizeof together / sizeof together[0]; i++) {
        const double start_s = cop_timer_now_s();
        COP_TRY(rebuild_grid(g, together[i], err));
        show(bench, rows, together[i], cop_timer_now_s() - start_s, whole_s);
    }
    return COP_OK;
}

cop_status cop_bench_grid(cop_bench *bench, cop_error *err)
{
    uint16_t *const base = cop_memory_alloc((size_t)ROWS * WIDTH, sizeof *base, err);
    grid *const g = cop_memory_alloc(1, sizeof *g, err);
    json_t *const rows = json_array();
    cop_status status = base == NULL || g == NULL ? COP_ERR_MEMORY : COP_OK;
    if (bench->json == NULL)
        (void)printf("\ngrid of %d directions x %d steps over %d seeds, %d x %d, %d threads   "
                     "s   ratio\n",
                     DIRECTIONS, STEPS, SEEDS, ROWS, WIDTH, bench->threads);
    if (status == COP_OK) status = make_grid(g, bench->threads, base, err);
    if (status == COP_OK) status = measure(bench, g, rows, err);
    if (g != NULL) drop_grid(g);
    cop_memory_free(g);
    cop_memory_free(base);
    if (status == COP_OK && bench->json != NULL)
        return json_object_set_new(bench->json, "grid", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
    json_decref(rows);
    return status;
}
