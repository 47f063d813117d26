/* bench: a model with prompts to answer, and the time of a decode step. */
#include "app/bench.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/noise/noise.h"

#include <string.h>

static cop_status fill_prompts(const cop_bench_setting *s, cop_bench_generator *g,
                               cop_error *err)
{
    g->ids = cop_memory_alloc(s->batch * s->prompt, sizeof *g->ids, err);
    g->prompts = cop_memory_alloc(s->batch, sizeof *g->prompts, err);
    g->answers = cop_memory_alloc(g->lanes * s->batch, sizeof *g->answers, err);
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

cop_status cop_bench_generator_open(const cop_bench_setting *s, cop_backend *backend,
                                    cop_bench_generator *g, cop_error *err)
{
    const cop_model_limits limits = {.batch = s->batch,
                                     .prompt_tokens = s->prompt,
                                     .new_tokens = s->tokens,
                                     .fit_lanes = s->fit_lanes};
    *g = (cop_bench_generator){.backend = backend};
    cop_status status =
        cop_model_create(s->config, s->checkpoint, backend, &limits, NULL, &g->model, err);
    if (status == COP_OK) {
        g->lanes = cop_model_lanes(g->model);
        status = fill_prompts(s, g, err);
    }
    if (status != COP_OK) cop_bench_generator_close(g);
    return status;
}

void cop_bench_generator_close(cop_bench_generator *g)
{
    cop_model_destroy(&g->model);
    cop_memory_free(g->ids);
    cop_memory_free(g->prompts);
    cop_memory_free(g->answers);
    *g = (cop_bench_generator){0};
}

cop_status cop_bench_answer(cop_bench_generator *g, size_t count, size_t tokens,
                            cop_bench_step *taken, cop_error *err)
{
    double before[COP_PART_COUNT];
    memcpy(before, g->backend->seconds, sizeof before);
    const cop_generate_options how = {.max_new_tokens = tokens, .lanes = g->lanes};
    const double start_s = cop_timer_now_s();
    COP_TRY(cop_model_generate(g->model, g->prompts, count, &how, g->answers, err));
    taken->seconds = cop_timer_now_s() - start_s;
    bool whole = true;
    for (size_t b = 0; b < g->lanes * count; b++) {
        whole = whole && g->answers[b].ids.count == tokens;
        cop_generation_free(&g->answers[b]);
    }
    COP_CHECK(whole, err, COP_ERR_NUMERIC,
              "an answer ended before its %zu tokens: the model's logits are not finite",
              tokens);
    for (int p = 0; p < COP_PART_COUNT; p++)
        taken->parts[p] = g->backend->seconds[p] - before[p];
    return COP_OK;
}

cop_status cop_bench_measure_step(cop_bench_generator *g, size_t count, size_t tokens,
                                  int repeats, cop_bench_step *step, cop_error *err)
{
    cop_bench_step best_short = {.seconds = 1e9};
    cop_bench_step best_long = {.seconds = 1e9};
    cop_bench_step got;
    /* Warm-up; a device may take a second step to get ready. */
    COP_TRY(cop_bench_answer(g, count, tokens < 3 ? tokens : 3, &got, err));
    for (int i = 0; i < repeats; i++) {
        COP_TRY(cop_bench_answer(g, count, 1, &got, err));
        if (got.seconds < best_short.seconds) best_short = got;
        COP_TRY(cop_bench_answer(g, count, tokens, &got, err));
        if (got.seconds < best_long.seconds) best_long = got;
    }
    const double steps = (double)(tokens - 1);
    step->prefill_s = best_short.seconds;
    step->seconds = (best_long.seconds - best_short.seconds) / steps;
    for (int p = 0; p < COP_PART_COUNT; p++)
        step->parts[p] = (best_long.parts[p] - best_short.parts[p]) / steps;
    return COP_OK;
}
