#include "search/split_data.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "search/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- random order --- */

/* A stream's 32-bit words from a block on, one after the other. */
typedef struct words {
    uint32_t counter[4], key[2], word[4];
    size_t used;
} words;

static words start_words(uint64_t seed, cop_noise_stream stream, uint32_t domain,
                         uint64_t block)
{
    return (words){.counter = {(uint32_t)block, (uint32_t)(block >> 32), domain, stream},
                   .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                   .used = 4};
}

static uint32_t next_word(words *source)
{
    if (source->used == 4) {
        cop_noise_philox(source->counter, source->key, source->word);
        if (++source->counter[0] == 0) source->counter[1]++;
        source->used = 0;
    }
    return source->word[source->used++];
}

/* Blocks that shuffling `count` items takes at most. */
static uint64_t blocks_for(size_t count)
{
    return ((uint64_t)count + 3) / 4;
}

static size_t draw_below(words *source, size_t bound)
{
    return (size_t)(((uint64_t)next_word(source) * bound) >> 32);
}

/* --- checks --- */

static cop_status check_options(const cop_split_options *options, cop_error *err)
{
    COP_CHECK(options->halvings >= 1 && options->permutations >= 1, err, COP_ERR_CONFIG,
              "split-half analysis: %zu halvings and %zu permutations; each must be at least 1",
              options->halvings, options->permutations);
    COP_CHECK(options->permutations <= UINT32_MAX, err, COP_ERR_CONFIG,
              "split-half analysis: %zu permutations are too many", options->permutations);
    for (size_t i = 0; i < options->q_count; i++) {
        COP_CHECK(options->q[i] >= 0.0 && options->q[i] <= 1.0, err, COP_ERR_CONFIG,
                  "split-half analysis: q = %g is not in [0, 1]", options->q[i]);
    }
    for (size_t i = 0; i < options->beta_count; i++) {
        COP_CHECK(isfinite(options->beta[i]), err, COP_ERR_CONFIG,
                  "split-half analysis: beta = %g is not finite", options->beta[i]);
    }
    return COP_OK;
}

static cop_status check_size(size_t candidates, size_t examples, cop_error *err)
{
    COP_CHECK(candidates >= COP_SPLIT_LEAST && examples >= COP_SPLIT_LEAST, err, COP_ERR_CONFIG,
              "split-half analysis needs at least %d candidates with finite logits and %d "
              "support examples; here are %zu and %zu",
              COP_SPLIT_LEAST, COP_SPLIT_LEAST, candidates, examples);
    const size_t smaller = candidates < examples ? candidates : examples;
    COP_CHECK(
        smaller <= COP_DENSE_MOST && candidates <= UINT32_MAX, err, COP_ERR_UNSUPPORTED,
        "split-half analysis of %zu candidates on %zu examples: one of the two must be at "
        "most %d",
        candidates, examples, COP_DENSE_MOST);
    return COP_OK;
}

static cop_status check_scores(const cop_split_input *input, size_t i, cop_error *err)
{
    COP_CHECK(isfinite(input->sigma[i]) && input->sigma[i] > 0.0, err, COP_ERR_NUMERIC,
              "split-half analysis: sigma %g of candidate %zu", input->sigma[i], i);
    for (size_t m = 0; m < input->examples; m++) {
        COP_CHECK(
            isfinite(input->scores[i * input->examples + m]), err, COP_ERR_NUMERIC,
            "split-half analysis: the score of candidate %zu on example %zu is not finite", i,
            m);
    }
    return COP_OK;
}

/* --- taking over --- */

static bool takes_part(const cop_split_input *input, size_t i)
{
    return input->valid == NULL || input->valid[i];
}

/* The scores with an example's side by side, and the plain mean of all candidates. */
static cop_status take_scores(const cop_split_input *input, cop_split_data *data,
                              cop_error *err)
{
    size_t n = 0;
    double square = 0.0;
    for (size_t i = 0; i < input->count; i++) {
        if (!takes_part(input, i)) continue;
        COP_TRY(check_scores(input, i, err));
        for (size_t m = 0; m < input->examples; m++)
            data->scores[m * data->candidates + n] =
                (double)input->scores[i * input->examples + m];
        data->sigma[n] = input->sigma[i];
        square += input->sigma[i] * input->sigma[i];
        n++;
    }
    for (size_t i = 0; i < data->candidates; i++)
        data->plain[i] = data->sigma[i] / sqrt(square);
    return COP_OK;
}

typedef struct grouped {
    uint32_t group, candidate;
} grouped;

static int compare_grouped(const void *a, const void *b)
{
    const grouped *const x = a;
    const grouped *const y = b;
    if (x->group != y->group) return x->group > y->group ? 1 : -1;
    return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static cop_status take_groups(const cop_split_input *input, cop_split_data *data,
                              cop_error *err)
{
    grouped *const all = cop_memory_alloc(data->candidates, sizeof *all, err);
    if (!all) return COP_ERR_MEMORY;
    uint32_t n = 0;
    for (size_t i = 0; i < input->count; i++) {
        if (!takes_part(input, i)) continue;
        all[n] = (grouped){.group = input->group ? input->group[i] : 0, .candidate = n};
        n++;
    }
    qsort(all, data->candidates, sizeof *all, compare_grouped);
    for (size_t i = 0; i < data->candidates; i++) {
        data->slot[i] = all[i].candidate;
        if (i + 1 == data->candidates || all[i].group != all[i + 1].group)
            data->group_end[data->group_count++] = i + 1;
    }
    cop_memory_free(all);
    return COP_OK;
}

static int compare_index(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a;
    const size_t y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void draw_halvings(cop_split_data *data, size_t halvings)
{
    const size_t m = data->examples;
    for (size_t h = 0; h < halvings; h++) {
        size_t *const order = data->half + h * m;
        words source =
            start_words(data->seed, COP_STREAM_HALVINGS, 0, (uint64_t)h * blocks_for(m));
        for (size_t i = 0; i < m; i++)
            order[i] = i;
        for (size_t i = m; i-- > 1;) {
            const size_t j = draw_below(&source, i + 1);
            const size_t moved = order[i];
            order[i] = order[j];
            order[j] = moved;
        }
        /* In index order, so that sums do not depend on the draw. */
        qsort(order, data->first, sizeof *order, compare_index);
        qsort(order + data->first, m - data->first, sizeof *order, compare_index);
    }
}

static cop_status allocate(size_t halvings, cop_split_data *data, cop_error *err)
{
    const size_t n = data->candidates;
    size_t entries, places;
    if (!cop_memory_multiply(n, data->examples, &entries) ||
        !cop_memory_multiply(halvings, data->examples, &places))
        return cop_error_set(err, COP_ERR_MEMORY,
                             "split-half analysis: %zu halvings of %zu x "
                             "%zu scores",
                             halvings, n, data->examples);
    data->scores = cop_memory_alloc_raw(entries, sizeof *data->scores, err);
    data->sigma = cop_memory_alloc(n, sizeof *data->sigma, err);
    data->plain = cop_memory_alloc(n, sizeof *data->plain, err);
    data->half = cop_memory_alloc_raw(places, sizeof *data->half, err);
    data->slot = cop_memory_alloc(n, sizeof *data->slot, err);
    data->group_end = cop_memory_alloc(n, sizeof *data->group_end, err);
    const bool complete = data->scores && data->sigma && data->plain && data->half &&
                          data->slot && data->group_end;
    return complete ? COP_OK : COP_ERR_MEMORY;
}

cop_status cop_split_data_create(const cop_split_input *input, const cop_split_options *options,
                                 cop_split_data *data, cop_error *err)
{
    cop_status status = COP_OK;
    *data = (cop_split_data){.examples = input->examples, .seed = options->seed};
    COP_TRY(check_options(options, err));
    for (size_t i = 0; i < input->count; i++)
        data->candidates += takes_part(input, i);
    COP_TRY(check_size(data->candidates, input->examples, err));
    data->first = input->examples / 2;
    COP_TRY_OUT(allocate(options->halvings, data, err));
    COP_TRY_OUT(take_scores(input, data, err));
    COP_TRY_OUT(take_groups(input, data, err));
    draw_halvings(data, options->halvings);
out:
    if (status != COP_OK) cop_split_data_free(data);
    return status;
}

void cop_split_data_free(cop_split_data *data)
{
    cop_memory_free(data->scores);
    cop_memory_free(data->sigma);
    cop_memory_free(data->plain);
    cop_memory_free(data->half);
    cop_memory_free(data->slot);
    cop_memory_free(data->group_end);
    *data = (cop_split_data){0};
}

const size_t *cop_split_data_halving(const cop_split_data *data, size_t h)
{
    return data->half + h * data->examples;
}

/* Shuffles order [N] within each group. */
static void shuffle_groups(const cop_split_data *data, words *source, uint32_t *order)
{
    memcpy(order, data->slot, data->candidates * sizeof *order);
    size_t begin = 0;
    for (size_t g = 0; g < data->group_count; g++) {
        for (size_t i = data->group_end[g]; i-- > begin + 1;) {
            const size_t j = begin + draw_below(source, i - begin + 1);
            const uint32_t moved = order[i];
            order[i] = order[j];
            order[j] = moved;
        }
        begin = data->group_end[g];
    }
}

void cop_split_data_permute(const cop_split_data *data, size_t index, uint32_t *order,
                            double *out)
{
    const size_t n = data->candidates;
    for (size_t m = 0; m < data->examples; m++) {
        words source = start_words(data->seed, COP_STREAM_PERMUTATIONS, (uint32_t)index,
                                   (uint64_t)m * blocks_for(n));
        shuffle_groups(data, &source, order);
        for (size_t i = 0; i < n; i++)
            out[m * n + data->slot[i]] = data->scores[m * n + order[i]];
    }
}
