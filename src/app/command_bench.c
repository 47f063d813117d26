/* coppice bench */
#include "app/bench.h"

#include "coppice/base/affinity.h"
#include "coppice/base/build_info.h"
#include "coppice/base/cpu.h"

#include <stdio.h>
#include <string.h>

typedef struct arguments {
    const char *threads, *only, *model, *backend;
    bool json, quick;
} arguments;

enum { KEY_JSON = 0x100, KEY_THREADS, KEY_ONLY, KEY_QUICK, KEY_MODEL, KEY_BACKEND };

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the figures as JSON", 0},
    {"threads", KEY_THREADS, "N", 0, "Threads (default: all cores)", 0},
    {"backend", KEY_BACKEND, "KIND", 0, "cpu (default) or cuda", 0},
    {"only", KEY_ONLY, "PART", 0,
     "peaks, noise, rebuild, grid, gemm, generation, decode or queue; of a GPU 0.5B, 1.5B, 3B "
     "or 8B",
     0},
    {"model", KEY_MODEL, "DIR", 0,
     "Measure generation, or the GPU, on this model instead of random weights", 0},
    {"quick", KEY_QUICK, NULL, 0, "Less time per figure; on a GPU smaller batches", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case KEY_JSON:
        a->json = true;
        return 0;
    case KEY_THREADS:
        a->threads = text;
        return 0;
    case KEY_ONLY:
        a->only = text;
        return 0;
    case KEY_MODEL:
        a->model = text;
        return 0;
    case KEY_BACKEND:
        a->backend = text;
        return 0;
    case KEY_QUICK:
        a->quick = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options,
                                 parse,
                                 NULL,
                                 "Measures this machine: the peak of each instruction "
                                 "set and of reading memory, noise, rebuild, proposals along "
                                 "shared directions, bare GEMM of "
                                 "each provider, generation by batch size on a model of "
                                 "8 million parameters, and where the time of a decode step "
                                 "goes on a model of Qwen2.5-0.5B's shape (random "
                                 "weights, about 4 GiB of memory), with the share of what the "
                                 "peaks allow; the queue with up to 10,000 "
                                 "simulated workers. With --backend cuda, the GPU instead: its "
                                 "copies and products, then rebuild, prefill, decode steps and "
                                 "whole units of four shapes of models (random weights) beside "
                                 "the times that those allow.\v"
                                 "Look at ratios: both sides of each come from the same run.",
                                 NULL,
                                 NULL,
                                 NULL};

static cop_status generate_default(cop_bench *bench, cop_error *err)
{
    return cop_bench_generate(bench, NULL, err);
}

static cop_status parse_backend(const arguments *a, bool *is_gpu, cop_error *err)
{
    cop_backend_kind kind = COP_BACKEND_CPU;
    if (a->backend != NULL) {
        COP_CHECK(cop_backend_kind_parse(a->backend, &kind) && kind != COP_BACKEND_AUTO, err,
                  COP_ERR_USAGE, "--backend %s: must be cpu or cuda", a->backend);
    }
    *is_gpu = kind == COP_BACKEND_CUDA;
    return COP_OK;
}

static cop_status run_parts(cop_bench *bench, const arguments *a, cop_error *err)
{
    static const struct {
        const char *name;
        cop_status (*run)(cop_bench *bench, cop_error *err);
    } parts[] = {{"peaks", cop_bench_sets},      {"noise", cop_bench_noise},
                 {"rebuild", cop_bench_rebuild}, {"grid", cop_bench_grid},
                 {"gemm", cop_bench_gemm},       {"generation", generate_default},
                 {"decode", cop_bench_decode},   {"queue", cop_bench_queue}};
    bool any = false;
    COP_CHECK(a->model == NULL || a->only == NULL || strcmp(a->only, "generation") == 0, err,
              COP_ERR_USAGE, "--model is for generation, not for --only %s", a->only);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (a->only != NULL && strcmp(a->only, parts[i].name) != 0) continue;
        any = true;
        if (a->model != NULL && parts[i].run == generate_default) {
            COP_TRY(cop_bench_generate(bench, a->model, err));
        } else {
            COP_TRY(parts[i].run(bench, err));
        }
    }
    COP_CHECK(
        any, err, COP_ERR_USAGE,
        "--only %s: must be peaks, noise, rebuild, grid, gemm, generation, decode or queue",
        a->only);
    return COP_OK;
}

cop_status cop_command_bench(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    int64_t threads = cop_affinity_core_count();
    COP_TRY(cop_app_parse_like("threads", "backend.threads", a.threads, &threads, err));
    bool is_gpu = false;
    COP_TRY(parse_backend(&a, &is_gpu, err));
    cop_bench bench = {.json = a.json ? json_object() : NULL,
                       .threads = (int)threads,
                       .budget_s = a.quick ? 0.1 : 0.4,
                       .quick = a.quick};
    char cpu[128];
    cop_cpu_describe(cpu, sizeof cpu);
    if (a.json) {
        (void)json_object_set_new(bench.json, "machine",
                                  json_pack("{s:s, s:s, s:b, s:I, s:s}", "processor", cpu,
                                            "isa", cop_isa_name(cop_cpu_isa()), "bf16",
                                            cop_cpu_has_bf16(), "threads", (json_int_t)threads,
                                            "version", cop_build_version()));
    } else {
        (void)printf("coppice %s (%s), %s, %s%s, %lld threads\n", cop_build_version(),
                     cop_build_git(), cpu, cop_isa_name(cop_cpu_isa()),
                     cop_cpu_has_bf16() ? " with bf16" : "", (long long)threads);
    }
    const cop_status status =
        is_gpu ? cop_bench_gpu(&bench, a.only, a.model, err) : run_parts(&bench, &a, err);
    if (status != COP_OK) {
        json_decref(bench.json);
        return status;
    }
    if (a.json) COP_TRY(cop_app_print_json(bench.json, err));
    return cop_app_flush(err);
}
