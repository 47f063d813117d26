/* Division of a data set into splits (dataset.h). */
#include "coppice/dataset.h"
#include "coppice/memory.h"
#include "coppice/noise.h"

#include <assert.h>

const char *cop_split_name(cop_split split)
{
    static const char *const names[] = {"support", "probe", "validate", "test"};
    assert((unsigned)split < COP_SPLIT_COUNT);
    return names[split];
}

/* The stream's draws, taken one after the other. */
typedef struct draws {
    uint64_t seed;
    uint64_t next;
} draws;

/* A number below `bound`, each equally likely: the 2^64 mod bound lowest draws, which would
 * favour small remainders, are drawn again. */
static uint64_t draw_below(draws *source, uint64_t bound)
{
    assert(bound > 0);
    const uint64_t skewed = (0 - bound) % bound;
    uint64_t bits = 0;
    do {
        bits = cop_noise_bits(source->seed, COP_STREAM_SPLITS, 0, source->next++);
    } while (bits < skewed);
    return bits % bound;
}

/* Permutes order [total] as far as its first `need` entries go. From the front, so that these
 * do not depend on how many are needed: a larger test set leaves the support set as it is. */
static void shuffle(size_t *order, size_t total, size_t need, uint64_t seed)
{
    draws source = {seed, 0};
    for (size_t i = 0; i < need; i++) {
        const size_t j = i + (size_t)draw_below(&source, total - i);
        const size_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

static cop_status check_counts(size_t total, const size_t counts[COP_SPLIT_COUNT], size_t *need,
                               cop_error *err)
{
    size_t left = total;
    *need = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        COP_CHECK(counts[s] <= left, err, COP_ERR_CONFIG,
                  "the splits ask for more examples than there are: support %zu, probe %zu, "
                  "validate %zu, test %zu, but the data set has %zu",
                  counts[COP_SPLIT_SUPPORT], counts[COP_SPLIT_PROBE],
                  counts[COP_SPLIT_VALIDATE], counts[COP_SPLIT_TEST], total);
        left -= counts[s];
        *need += counts[s];
    }
    return COP_OK;
}

cop_status cop_splits_create(size_t total, const size_t counts[COP_SPLIT_COUNT], int64_t seed,
                             cop_splits *splits, cop_error *err)
{
    *splits = (cop_splits){0};
    size_t need = 0;
    COP_TRY(check_counts(total, counts, &need, err));
    size_t *const order = cop_memory_alloc_raw(total, sizeof *order, err);
    if (order == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < total; i++)
        order[i] = i;
    if (seed >= 0) shuffle(order, total, need, (uint64_t)seed);

    cop_status status = COP_OK;
    size_t place = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT && status == COP_OK; s++) {
        splits->examples[s] = cop_memory_alloc(counts[s], sizeof *order, err);
        splits->counts[s] = counts[s];
        if (splits->examples[s] == NULL) status = COP_ERR_MEMORY;
        for (size_t i = 0; i < counts[s] && status == COP_OK; i++) {
            splits->examples[s][i] = order[place++];
        }
    }
    cop_memory_free(order);
    if (status != COP_OK) cop_splits_free(splits);
    return status;
}

void cop_splits_free(cop_splits *splits)
{
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++)
        cop_memory_free(splits->examples[s]);
    *splits = (cop_splits){0};
}
