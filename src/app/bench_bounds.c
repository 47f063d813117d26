/* bench: what a prefill and a decode step have to compute and to read, whatever computes them.
 */
#include "app/bench.h"

/* Positions before and at a row's own that it attends to, summed over layers and over the rows
 * at `first` .. `last` - 1. */
static double positions_seen(const cop_model_config *c, size_t first, size_t last)
{
    double sum = 0;
    for (int l = 0; l < c->layers; l++) {
        for (size_t p = first; p < last; p++) {
            const bool cut = c->sliding[l] && p + 1 > (size_t)c->window;
            sum += cut ? (double)c->window : (double)(p + 1);
        }
    }
    return sum;
}

/* Positions that a row of a decode step attends to, in the mean of the setting's steps. */
static double positions_of_step(const cop_bench_setting *s)
{
    const size_t steps = s->tokens - 1;
    return positions_seen(s->config, s->prompt, s->prompt + steps) / (double)steps;
}

static double attention_flops(const cop_model_config *c, double positions)
{
    return 4.0 * (double)c->heads * (double)c->head_size * positions;
}

static double weights(const cop_model_config *c)
{
    cop_bench_product products[COP_BENCH_PRODUCTS];
    cop_bench_list_products(c, products);
    double elements = 0;
    for (size_t i = 0; i < COP_BENCH_PRODUCTS; i++)
        elements += (double)(products[i].n * products[i].k * products[i].times);
    return elements;
}

double cop_bench_prefill_flops(const cop_bench_setting *s)
{
    const cop_model_config *const c = s->config;
    cop_bench_product products[COP_BENCH_PRODUCTS];
    cop_bench_list_products(c, products);
    double flops = 0;
    for (size_t i = 0; i < COP_BENCH_PRODUCTS; i++) {
        const size_t rows = i + 1 < COP_BENCH_PRODUCTS ? s->prompt : 1;
        flops += 2.0 * (double)(products[i].n * products[i].k * products[i].times * rows);
    }
    flops += attention_flops(c, positions_seen(c, 0, s->prompt));
    return (double)s->batch * flops;
}

double cop_bench_step_flops(const cop_bench_setting *s, size_t rows)
{
    return (double)rows *
           (2.0 * weights(s->config) + attention_flops(s->config, positions_of_step(s)));
}

double cop_bench_step_elements(const cop_bench_setting *s, size_t rows)
{
    const cop_model_config *const c = s->config;
    return weights(c) + 2.0 * (double)c->kv_heads * (double)c->head_size *
                            positions_of_step(s) * (double)rows;
}
