/* bench --backend cuda: rebuild, prefill, decode steps and units of each shape, beside what the
 * device's measured peaks allow. */
#include "app/bench.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdio.h>
#include <string.h>

static const double gib = 1024.0 * 1024.0 * 1024.0;

static const struct {
    const char *key;
    cop_bench_shape shape;
} shapes[] = {{"0.5B", {"Qwen2.5-0.5B's shape", 896, 24, 14, 2, 64, 4864, 151936, false}},
              {"1.5B", {"Qwen2.5-1.5B's shape", 1536, 28, 12, 2, 128, 8960, 151936, false}},
              {"3B", {"Qwen2.5-3B's shape", 2048, 36, 16, 2, 128, 11008, 151936, false}},
              {"8B", {"Llama-3.1-8B's shape", 4096, 32, 32, 8, 128, 14336, 128256, true}}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* One shape on the device. */
typedef struct shape_bench {
    cop_bench *bench;
    cop_backend *backend;
    cop_buffer *any; /* to wait for the device by */
    cop_bench_peaks peaks;
    cop_bench_setting setting; /* batch: the largest that fits */
    cop_bench_generator generator;
    json_t *entry, *rows; /* of this shape, its figures; NULL where a table is printed */
} shape_bench;

/* --- bounds --- */

static double prefill_bound_s(const shape_bench *b)
{
    return cop_bench_prefill_flops(&b->setting) / b->peaks.flops;
}

/* Weights and the cache of `rows` sequences read once. */
static double step_bound_s(const shape_bench *b, size_t rows)
{
    return cop_bench_step_elements(&b->setting, rows) *
           (double)cop_dtype_size(b->backend->input) / b->peaks.bytes_per_s;
}

/* Every weight read and written once. */
static double rebuild_bound_s(const shape_bench *b)
{
    return 2.0 * (double)cop_checkpoint_bytes(b->setting.checkpoint) / b->peaks.bytes_per_s;
}

/* --- measurements --- */

static void show(const shape_bench *b, const char *what, double seconds, double bound_s)
{
    if (b->rows != NULL) {
        (void)json_array_append_new(b->rows, json_pack("{s:s, s:f, s:f, s:f}", "what", what,
                                                       "seconds", seconds, "bound_seconds",
                                                       bound_s, "ratio", seconds / bound_s));
        return;
    }
    (void)printf("  %-34s %11.3f ms %11.3f ms %8.2f\n", what, 1e3 * seconds, 1e3 * bound_s,
                 seconds / bound_s);
    (void)fflush(stdout);
}

/* Weights of candidates of that many components, of full noise (rank 0) or of low rank, in
 * place in every lane when it returns. */
static cop_status rebuild(const shape_bench *b, size_t count, size_t rank, double *seconds,
                          cop_error *err)
{
    cop_recipe *recipe = NULL;
    cop_component *const components = cop_memory_alloc(count, sizeof *components, err);
    cop_status status = components == NULL ? COP_ERR_MEMORY : COP_OK;
    COP_TRY_OUT(status);
    for (size_t j = 0; j < count; j++)
        components[j] = (cop_component){.seed = j, .amplitude = 1e-4F};
    COP_TRY_OUT(cop_recipe_create(&recipe, err));
    COP_TRY_OUT(cop_recipe_set_components(recipe, components, count, err));
    recipe->noise_rank = rank;
    const double start_s = cop_timer_now_s();
    for (size_t l = 0; l < b->generator.lanes; l++)
        COP_TRY_OUT(cop_model_apply(b->generator.model, l, recipe, err));
    COP_TRY_OUT(cop_bench_wait(b->backend, b->any, err));
    *seconds = cop_timer_now_s() - start_s;
out:
    cop_recipe_destroy(&recipe);
    cop_memory_free(components);
    return status;
}

static cop_status measure_rebuilds(const shape_bench *b, cop_error *err)
{
    static const struct {
        size_t components, rank;
    } ways[] = {{1, 0}, {16, 0}, {150, 0}, {1, 1}, {150, 1}, {150, 4}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        double best_s = 1e9;
        double spent_s = 0;
        /* The first one sends the components; the best of at least two does not. */
        for (int n = 0; n < 2 || spent_s < b->bench->budget_s; n++) {
            double seconds = 0;
            COP_TRY(rebuild(b, ways[i].components, ways[i].rank, &seconds, err));
            spent_s += seconds;
            if (seconds < best_s) best_s = seconds;
        }
        char what[64];
        const int length = snprintf(what, sizeof what, "rebuild, %zu component%s",
                                    ways[i].components, ways[i].components == 1 ? "" : "s");
        if (ways[i].rank > 0)
            (void)snprintf(what + length, sizeof what - (size_t)length, " (rank-%zu)",
                           ways[i].rank);
        show(b, what, best_s, rebuild_bound_s(b));
    }
    return COP_OK;
}

static int repeats(const shape_bench *b)
{
    return b->bench->quick ? 1 : 3;
}

static cop_status measure_prefill(shape_bench *b, cop_error *err)
{
    double best_s = 1e9;
    cop_bench_step taken;
    COP_TRY(cop_bench_answer(&b->generator, 1, 1, &taken, err)); /* warm-up */
    for (int n = 0; n < repeats(b); n++) {
        COP_TRY(cop_bench_answer(&b->generator, b->setting.batch, 1, &taken, err));
        if (taken.seconds < best_s) best_s = taken.seconds;
    }
    char what[64];
    (void)snprintf(what, sizeof what, "prefill, %zu x %zu tokens", b->setting.batch,
                   b->setting.prompt);
    show(b, what, best_s, prefill_bound_s(b));
    return COP_OK;
}

/* A decode step that the host asks for and looks at by itself, beside one of a graph. */
static void show_one_by_one(const shape_bench *b, double seconds, double step_s)
{
    if (b->rows == NULL) {
        (void)printf("    one by one, without a graph      %11.3f ms %19.2f times that\n",
                     1e3 * seconds, seconds / step_s);
        return;
    }
    json_t *const figure = json_array_get(b->rows, json_array_size(b->rows) - 1);
    (void)json_object_set_new(figure, "one_by_one_seconds", json_real(seconds));
    (void)json_object_set_new(figure, "one_by_one_ratio", json_real(seconds / step_s));
}

static cop_status measure_decode(shape_bench *b, cop_error *err)
{
    const size_t steps = b->backend->decode_steps;
    for (size_t rows = 1; rows <= b->setting.batch; rows *= 4) {
        cop_bench_step step;
        cop_bench_step alone;
        char what[64];
        COP_TRY(cop_bench_measure_step(&b->generator, rows, b->setting.tokens, repeats(b),
                                       &step, err));
        (void)snprintf(what, sizeof what, "decode step, batch %zu", rows);
        show(b, what, step.seconds, step_bound_s(b, rows));
        b->backend->decode_steps = 1;
        const cop_status status = cop_bench_measure_step(&b->generator, rows, b->setting.tokens,
                                                         repeats(b), &alone, err);
        b->backend->decode_steps = steps;
        COP_TRY(status);
        show_one_by_one(b, alone.seconds, step.seconds);
    }
    return COP_OK;
}

/* Weights of a candidate in every lane, and answers of full length to one batch of prompts. */
static cop_status time_units(shape_bench *b, double *seconds, cop_error *err)
{
    double rebuild_s = 0;
    cop_bench_step taken;
    COP_TRY(rebuild(b, 1, 0, &rebuild_s, err));
    COP_TRY(cop_bench_answer(&b->generator, b->setting.batch, b->setting.tokens, &taken, err));
    *seconds = rebuild_s + taken.seconds;
    return COP_OK;
}

static cop_status measure_unit(shape_bench *b, double *unit_s, cop_error *err)
{
    const size_t steps = b->setting.tokens - 1;
    COP_TRY(time_units(b, unit_s, err));
    const double seconds = *unit_s;
    const double bound_s = rebuild_bound_s(b) + prefill_bound_s(b) +
                           (double)steps * step_bound_s(b, b->setting.batch);
    char what[64];
    (void)snprintf(what, sizeof what, "unit: rebuild, prefill, %zu steps", steps);
    show(b, what, seconds, bound_s);
    if (b->entry != NULL) {
        (void)json_object_set_new(b->entry, "units_per_second", json_real(1 / seconds));
        return COP_OK;
    }
    (void)printf("  %.4g units per second, %zu examples each; the bounds allow %.4g\n",
                 1 / seconds, b->setting.batch, 1 / bound_s);
    return COP_OK;
}

/* Units side by side, as many as is usual and fits, against one that takes unit_s alone. */
static cop_status measure_lanes(shape_bench *b, double unit_s, cop_error *err)
{
    double best_s = 1e9;
    cop_bench_setting setting = b->setting;
    setting.fit_lanes = true;
    cop_bench_generator_close(&b->generator);
    COP_TRY(cop_bench_generator_open(&setting, b->backend, &b->generator, err));
    const size_t lanes = b->generator.lanes;
    for (int n = 0; n <= repeats(b) && lanes > 1; n++) { /* the first one warms up */
        double seconds = 0;
        COP_TRY(time_units(b, &seconds, err));
        if (n > 0 && seconds < best_s) best_s = seconds;
    }
    if (lanes == 1) return COP_OK; /* there is no room for more */
    const double rate = (double)lanes / best_s;
    if (b->entry != NULL) {
        json_t *const figure = json_pack("{s:I, s:f, s:f}", "candidates", (json_int_t)lanes,
                                         "units_per_second", rate, "ratio", rate * unit_s);
        (void)json_object_set_new(b->entry, "side_by_side", figure);
        return COP_OK;
    }
    (void)printf(
        "  %.4g units per second with %zu candidates side by side, %.2f times as many\n", rate,
        lanes, rate * unit_s);
    return COP_OK;
}

/* --- shapes --- */

static cop_status say_unfit(const cop_bench *bench, json_t *list, const char *name,
                            const char *why)
{
    if (bench->json == NULL) {
        (void)printf("\n%s does not fit: %s\n", name, why);
        return COP_OK;
    }
    (void)json_array_append_new(list,
                                json_pack("{s:s, s:s}", "name", name, "does_not_fit", why));
    return COP_OK;
}

/* The model with the largest batch, of those that are measured, that its memory allows. */
static cop_status open_largest(shape_bench *b, cop_error *err)
{
    cop_status status = cop_bench_generator_open(&b->setting, b->backend, &b->generator, err);
    while (status == COP_ERR_MEMORY && b->setting.batch > 1) {
        b->setting.batch /= 4;
        status = cop_bench_generator_open(&b->setting, b->backend, &b->generator, err);
    }
    return status;
}

static cop_status measure_all(shape_bench *b, cop_error *err)
{
    COP_TRY(measure_rebuilds(b, err));
    COP_TRY(measure_prefill(b, err));
    COP_TRY(measure_decode(b, err));
    double unit_s = 0;
    COP_TRY(measure_unit(b, &unit_s, err));
    return measure_lanes(b, unit_s, err);
}

/* Measures one model on the device. */
static cop_status bench_model(shape_bench *b, json_t *list, const char *name, cop_error *err)
{
    const cop_status opened = open_largest(b, err);
    if (opened == COP_ERR_MEMORY) return say_unfit(b->bench, list, name, err->message);
    COP_TRY(opened);
    if (list != NULL) {
        b->rows = json_array();
        b->entry = json_pack("{s:s, s:I, s:I, s:I, s:o}", "name", name, "batch",
                             (json_int_t)b->setting.batch, "prompt_tokens",
                             (json_int_t)b->setting.prompt, "new_tokens",
                             (json_int_t)b->setting.tokens, "figures", b->rows);
        (void)json_array_append_new(list, b->entry);
    } else {
        (void)printf("\n%s, %.2f GiB, prompts of %zu tokens, answers of %zu\n", name,
                     (double)cop_checkpoint_bytes(b->setting.checkpoint) / gib,
                     b->setting.prompt, b->setting.tokens);
        (void)printf("  %-34s %14s %14s %8s\n", "", "time", "bound", "ratio");
    }
    const cop_status status = measure_all(b, err);
    cop_bench_generator_close(&b->generator);
    return status;
}

/* Says why a shape cannot be tried, before its weights are made up. */
static bool is_too_large(const shape_bench *b, const cop_bench_shape *shape, char *why,
                         size_t size)
{
    const cop_model_config config = cop_bench_config(shape);
    cop_bench_product products[COP_BENCH_PRODUCTS];
    cop_bench_list_products(&config, products);
    cop_backend_plan plan = {.storage = COP_BF16};
    for (size_t i = 0; i < COP_BENCH_PRODUCTS; i++)
        plan.matrices += products[i].n * products[i].k * products[i].times;
    const size_t table = (size_t)config.vocabulary * (size_t)config.width;
    plan.shared = shape->own_head ? 0 : table;
    plan.others = table;
    const uint64_t bytes = 2 * ((uint64_t)plan.matrices - plan.shared + (uint64_t)plan.others);
    const uint64_t host = cop_memory_available_bytes();
    uint64_t need = 0;
    uint64_t have = 0;
    b->backend->ops->plan(b->backend, &plan, &need, &have);
    if (need > have) {
        (void)snprintf(why, size,
                       "base and working copy take %.2f GiB, the device has %.2f GiB left",
                       (double)need / gib, (double)have / gib);
    } else if (host > 0 && bytes > host) {
        (void)snprintf(why, size,
                       "its weights take %.2f GiB of this machine's memory first, which has "
                       "%.2f GiB left",
                       (double)bytes / gib, (double)host / gib);
    }
    return need > have || (host > 0 && bytes > host);
}

static cop_status bench_shape(const shape_bench *common, json_t *list,
                              const cop_bench_shape *shape, cop_error *err)
{
    char why[160];
    if (is_too_large(common, shape, why, sizeof why))
        return say_unfit(common->bench, list, shape->name, why);
    shape_bench b = *common;
    cop_bench_model made = {0};
    COP_TRY(cop_bench_model_create(shape, &made, err));
    b.setting.config = &made.config;
    b.setting.checkpoint = made.checkpoint;
    const cop_status status = bench_model(&b, list, shape->name, err);
    cop_bench_model_free(&made);
    return status;
}

/* The model that the setting has, or all shapes. */
static cop_status bench_models(shape_bench *common, const char *only, const char *model_dir,
                               cop_error *err)
{
    cop_bench *const bench = common->bench;
    json_t *const list = bench->json != NULL ? json_array() : NULL;
    cop_status status = COP_OK;
    if (model_dir != NULL) status = bench_model(common, list, model_dir, err);
    for (size_t i = 0; i < SHAPES && model_dir == NULL && status == COP_OK; i++) {
        if (only == NULL || strcmp(only, shapes[i].key) == 0)
            status = bench_shape(common, list, &shapes[i].shape, err);
    }
    if (list != NULL) (void)json_object_set_new(bench->json, "models", list);
    return status;
}

static cop_status check_only(const char *only, cop_error *err)
{
    for (size_t i = 0; i < SHAPES; i++) {
        if (only == NULL || strcmp(only, shapes[i].key) == 0) return COP_OK;
    }
    return cop_error_set(err, COP_ERR_USAGE,
                         "--only %s: on a GPU it must be 0.5B, 1.5B, 3B or 8B", only);
}

/* Peaks and models on a new backend. */
static cop_status bench_device(shape_bench *common, cop_dtype storage, const char *only,
                               const char *model_dir, cop_error *err)
{
    cop_bench *const bench = common->bench;
    cop_backend_options options = cop_app_backend_options(COP_COMPUTE_AUTO, bench->threads);
    options.kind = COP_BACKEND_CUDA;
    options.storage = storage;
    cop_backend *backend = NULL;
    COP_TRY(cop_backend_create(&options, &backend, err));
    common->backend = backend;
    cop_status status = cop_bench_peaks_measure(bench, backend, &common->peaks, err);
    if (status == COP_OK)
        status = backend->ops->buffer_create(backend, sizeof(float), &common->any, err);
    if (status == COP_OK) status = bench_models(common, only, model_dir, err);
    backend->ops->buffer_destroy(backend, &common->any);
    cop_backend_destroy(&backend);
    return status;
}

cop_status cop_bench_gpu(cop_bench *bench, const char *only, const char *model_dir,
                         cop_error *err)
{
    cop_model_config config = {0};
    cop_checkpoint *checkpoint = NULL;
    cop_dtype storage = COP_BF16;
    /* Contexts of 256 tokens at the middle step. */
    shape_bench common = {.bench = bench,
                          .setting = {.batch = 256, .prompt = 232, .tokens = 49}};
    if (bench->quick)
        common.setting = (cop_bench_setting){.batch = 16, .prompt = 56, .tokens = 17};
    COP_TRY(check_only(only, err));
    if (model_dir != NULL) {
        COP_TRY(cop_model_open(model_dir, &config, &checkpoint, err));
        config.stop_count = 0; /* every answer as long as the others */
        storage = cop_model_storage(checkpoint);
        common.setting.config = &config;
        common.setting.checkpoint = checkpoint;
    }
    const cop_status status = bench_device(&common, storage, only, model_dir, err);
    cop_checkpoint_close(&checkpoint);
    return status;
}
