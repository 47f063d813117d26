#include "model/memory_plan.h"

#include "coppice/base/memory.h"

#include <stdio.h>

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

model_widths cop_model_widths(const cop_model_config *config)
{
    const size_t width = (size_t)config->width;
    const size_t inner = (size_t)config->feed_forward;
    const size_t size = (size_t)config->head_size;
    const size_t query = (size_t)config->heads * size;
    const size_t qkv = query + 2 * (size_t)config->kv_heads * size;
    return (model_widths){.input = larger(larger(width, query), inner),
                          .output = larger(larger(qkv, 2 * inner), width)};
}

size_t cop_model_batch_rows(const cop_model_limits *limits)
{
    /* Enough rows to keep a GEMM at its peak, few enough for the scratch to stay small. */
    enum { PREFILL_ROWS = 512 };
    const size_t all = limits->prompt_tokens > PREFILL_ROWS / limits->batch
                           ? PREFILL_ROWS
                           : limits->batch * limits->prompt_tokens;
    return larger(all, limits->batch);
}

size_t cop_model_head_rows(const cop_model_limits *limits)
{
    enum { SCORED_ROWS = 32 };
    return larger(limits->batch, smaller(SCORED_ROWS, cop_model_batch_rows(limits)));
}

size_t cop_model_cache_length(const cop_model_config *config, const cop_model_limits *limits)
{
    const size_t wanted = limits->prompt_tokens + limits->new_tokens;
    return smaller(wanted, (size_t)config->max_positions);
}

/* Of the parts of a weight, which are rebuilt together. */
static uint64_t factor_bytes(const cop_model *model, const cop_weight *weight)
{
    uint64_t bytes = 0;
    if (weight->kind == COP_WEIGHT_VECTOR) return 0;
    for (size_t i = 0; i < weight->part_count; i++)
        bytes += cop_rebuild_factors_bytes(weight->tensors[i]->count / weight->columns,
                                           weight->columns, model->limits.noise_products);
    return bytes;
}

static void add_weights(const cop_model *model, cop_backend_plan *plan)
{
    for (size_t i = 0; i < model->weight_count; i++) {
        const cop_weight *const weight = &model->weights[i];
        const size_t count = weight->rows * weight->columns;
        const bool tied = weight == model->embedding && model->config->tied_head;
        if (weight->kind == COP_WEIGHT_MATRIX) {
            plan->storage = weight->dtype;
            plan->largest_matrix = larger(plan->largest_matrix, count);
        } else {
            plan->others += count;
        }
        if (weight->kind != COP_WEIGHT_VECTOR) plan->buffers += weight->part_count + 1;
        if (weight->kind == COP_WEIGHT_MATRIX || tied) plan->matrices += count;
        if (tied) plan->shared += count;
        if (tied) plan->buffers++;
        const uint64_t factors = factor_bytes(model, weight);
        if (factors > plan->factors) plan->factors = factors;
    }
}

static cop_backend_plan make_plan(const cop_model *model, size_t batch, size_t lanes)
{
    cop_model_limits limits = model->limits;
    limits.batch = batch;
    const cop_model_config *const c = model->config;
    const model_widths widths = cop_model_widths(c);
    const size_t length = cop_model_cache_length(c, &limits);
    const size_t slots = lanes * (batch == 1 ? 1 : batch + 1);
    const size_t rows = lanes * cop_model_batch_rows(&limits);
    const size_t head_rows = lanes * cop_model_head_rows(&limits);
    const size_t width = (size_t)c->width;
    cop_backend_plan plan = {.lanes = lanes};
    add_weights(model, &plan);
    plan.others += 2 * length * (size_t)c->head_size;
    plan.kv = (size_t)c->layers * slots * length * 2 * (size_t)(c->kv_heads * c->head_size);
    plan.activations = rows * (width + widths.input + widths.output) +
                       head_rows * (2 * width + (size_t)c->vocabulary);
    return plan;
}

static uint64_t needed_bytes(const cop_model *model, size_t batch, size_t lanes, uint64_t *have)
{
    const cop_backend_plan plan = make_plan(model, batch, lanes);
    uint64_t need = 0;
    model->backend->ops->plan(model->backend, &plan, &need, have);
    return need;
}

uint64_t cop_model_planned_bytes(const cop_model *model, uint64_t *room_bytes)
{
    *room_bytes = model->room_bytes; /* what there is now is without the model */
    uint64_t have = 0;
    return needed_bytes(model, model->limits.batch, model->lanes, &have);
}

bool cop_model_has_spare(const cop_model *model, uint64_t bytes)
{
    const cop_backend_plan nothing = {.storage = COP_F32};
    uint64_t room = 0;
    uint64_t fixed = 0;
    uint64_t now = 0;
    const uint64_t taken = cop_model_planned_bytes(model, &room) + model->kept_bytes;
    const uint64_t spare = room > taken ? room - taken : 0;
    model->backend->ops->plan(model->backend, &nothing, &fixed, &now);
    return bytes <= (spare < now ? spare : now) / 2;
}

static bool fits(const cop_model *model, size_t batch, size_t lanes)
{
    uint64_t have = 0;
    const uint64_t need = needed_bytes(model, batch, lanes, &have);
    return need <= have;
}

/* The largest number below `fails` that fits: of lanes, or of sequences in one lane; 0 for
 * none. */
static size_t largest_fitting(const cop_model *model, size_t fails, bool of_lanes)
{
    size_t found = 0;
    while (fails - found > 1) {
        const size_t middle = found + (fails - found) / 2;
        const size_t batch = of_lanes ? model->limits.batch : middle;
        if (fits(model, batch, of_lanes ? middle : 1)) {
            found = middle;
        } else {
            fails = middle;
        }
    }
    return found;
}

size_t cop_model_fitting_lanes(const cop_model *model)
{
    return larger(largest_fitting(model, model->lanes + 1, true), 1);
}

void cop_model_fit_batch(cop_model *model)
{
    const size_t batch = model->limits.batch;
    if (model->lanes > 1 || fits(model, batch, 1)) return;
    const size_t found = largest_fitting(model, batch, false);
    if (found > 0) model->limits.batch = found;
}

cop_status cop_model_check_memory(cop_model *model, cop_error *err)
{
    static const double gib = 1024.0 * 1024.0 * 1024.0;
    uint64_t have = 0;
    const uint64_t need = needed_bytes(model, model->limits.batch, model->lanes, &have);
    model->room_bytes = have;
    if (need <= have) return COP_OK;
    const size_t lanes = largest_fitting(model, model->lanes, true);
    const size_t batch = lanes > 0 ? 0 : largest_fitting(model, model->limits.batch, false);
    char beside[64] = "";
    char remedy[128] = "not even one sequence at a time fits";
    if (model->lanes > 1)
        (void)snprintf(beside, sizeof beside, " for each of %zu candidates", model->lanes);
    if (lanes > 0) {
        (void)snprintf(remedy, sizeof remedy, "%zu candidate%s would fit", lanes,
                       lanes == 1 ? "" : "s side by side");
    } else if (batch > 0) {
        (void)snprintf(remedy, sizeof remedy, "a batch of %zu would fit%s", batch,
                       model->lanes > 1 ? " with one candidate" : "");
    }
    const bool limited = cop_memory_address_left_bytes() <= have;
    return cop_error_set(
        err, COP_ERR_MEMORY,
        "the model needs %.2f GiB at batch %zu%s with %zu + %zu tokens per sequence, "
        "but there are %.2f GiB%s: %s",
        (double)need / gib, model->limits.batch, beside, model->limits.prompt_tokens,
        model->limits.new_tokens, (double)have / gib,
        limited ? " within the limit of address space (ulimit -v or -d)" : "", remedy);
}
