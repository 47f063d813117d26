/* Division of a data set into splits (dataset.h). */
#include "coppice/base/memory.h"
#include "coppice/data/dataset.h"
#include "coppice/noise/noise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

/* --- examples of one prompt --- */

/* An example by what its prompt is; those of one prompt are neighbours, in the file's order. */
typedef struct keyed {
    uint64_t key;
    size_t example;
} keyed;

static int compare_keyed(const void *a, const void *b)
{
    const keyed *const x = a;
    const keyed *const y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->example > y->example) - (x->example < y->example);
}

typedef struct prompts {
    keyed *sorted; /* [total] */
    size_t *place; /* [total] of each example in that */
    bool *used;    /* [total] by example */
    size_t total;
} prompts;

static void free_prompts(prompts *p)
{
    cop_memory_free(p->sorted);
    cop_memory_free(p->place);
    cop_memory_free(p->used);
}

/* Groups the examples; *repeated counts those that are not the first of their prompt. */
static cop_status group(const uint64_t *keys, size_t total, prompts *p, size_t *repeated,
                        cop_error *err)
{
    *p = (prompts){.total = total};
    p->sorted = cop_memory_alloc(total, sizeof *p->sorted, err);
    p->place = cop_memory_alloc(total, sizeof *p->place, err);
    p->used = cop_memory_alloc(total, sizeof *p->used, err);
    if (p->sorted == NULL || p->place == NULL || p->used == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < total; i++)
        p->sorted[i] = (keyed){keys[i], i};
    qsort(p->sorted, total, sizeof *p->sorted, compare_keyed);
    *repeated = 0;
    for (size_t i = 0; i < total; i++) {
        p->place[p->sorted[i].example] = i;
        *repeated += i > 0 && p->sorted[i].key == p->sorted[i - 1].key;
    }
    return COP_OK;
}

/* Puts `first` and the others of its prompt into a split of `room` places; \return how many. */
static size_t take_prompt(prompts *p, size_t first, size_t *split, size_t room)
{
    size_t at = p->place[first];
    const uint64_t key = p->sorted[at].key;
    size_t taken = 0;
    split[taken++] = first;
    while (at > 0 && p->sorted[at - 1].key == key)
        at--;
    for (; at < p->total && p->sorted[at].key == key; at++) {
        const size_t example = p->sorted[at].example;
        p->used[example] = true;
        if (example != first && taken < room) split[taken++] = example;
    }
    return taken;
}

/* Fills the splits in turn from order [total]. */
static cop_status deal(const size_t *order, prompts *p, cop_splits *splits, cop_error *err)
{
    size_t next = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        size_t filled = 0;
        while (filled < splits->counts[s]) {
            while (next < p->total && p->used[order[next]])
                next++;
            COP_CHECK(next < p->total, err, COP_ERR_CONFIG,
                      "the splits ask for more examples than there are: %zu of the data set's "
                      "%zu have a prompt that another has too, and equal prompts never come "
                      "into two splits; ask for fewer, or remove the repetitions",
                      splits->repeated, p->total);
            filled += take_prompt(p, order[next], splits->examples[s] + filled,
                                  splits->counts[s] - filled);
        }
    }
    return COP_OK;
}

/* --- the splits --- */

/* The first of order [total], `most` at most, that no split has, and none of their prompts. */
static void fill_pool(const size_t *order, const prompts *p, size_t most, cop_splits *splits)
{
    for (size_t i = 0; i < p->total && splits->pool_count < most; i++) {
        if (!p->used[order[i]]) splits->pool[splits->pool_count++] = order[i];
    }
}

static cop_status fill(size_t *order, size_t total, size_t need, size_t most, int64_t seed,
                       const uint64_t *keys, cop_splits *splits, cop_error *err)
{
    prompts p = {0};
    cop_status status = COP_OK;
    if (keys != NULL) status = group(keys, total, &p, &splits->repeated, err);
    const size_t wanted = most < total - need ? need + most : total;
    if (status == COP_OK) {
        if (seed >= 0)
            shuffle(order, total, splits->repeated > 0 ? total : wanted, (uint64_t)seed);
        if (splits->repeated > 0) status = deal(order, &p, splits, err);
    }
    size_t place = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT && splits->repeated == 0 && status == COP_OK; s++) {
        for (size_t i = 0; i < splits->counts[s]; i++)
            splits->examples[s][i] = order[place++];
    }
    for (; place < wanted && splits->repeated == 0 && status == COP_OK; place++)
        splits->pool[splits->pool_count++] = order[place];
    if (splits->repeated > 0 && status == COP_OK) fill_pool(order, &p, most, splits);
    free_prompts(&p);
    return status;
}

cop_status cop_splits_create(size_t total, const size_t counts[COP_SPLIT_COUNT], size_t pool,
                             int64_t seed, const uint64_t *keys, cop_splits *splits,
                             cop_error *err)
{
    *splits = (cop_splits){0};
    size_t need = 0;
    COP_TRY(check_counts(total, counts, &need, err));
    size_t *const order = cop_memory_alloc_raw(total, sizeof *order, err);
    if (order == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < total; i++)
        order[i] = i;
    cop_status status = COP_OK;
    for (size_t s = 0; s < COP_SPLIT_COUNT && status == COP_OK; s++) {
        splits->examples[s] = cop_memory_alloc(counts[s], sizeof *order, err);
        splits->counts[s] = counts[s];
        if (splits->examples[s] == NULL) status = COP_ERR_MEMORY;
    }
    splits->pool = cop_memory_alloc(pool < total ? pool : total, sizeof *order, err);
    if (splits->pool == NULL) status = COP_ERR_MEMORY;
    if (status == COP_OK) status = fill(order, total, need, pool, seed, keys, splits, err);
    cop_memory_free(order);
    if (status != COP_OK) cop_splits_free(splits);
    return status;
}

static size_t count_guarded(const cop_splits *splits)
{
    return splits->guard_count == 0 ? 0 : splits->guard_start[splits->guard_count];
}

cop_status cop_splits_add_guard(cop_splits *splits, const size_t *examples, size_t count,
                                size_t first, cop_error *err)
{
    const size_t before = count_guarded(splits);
    size_t capacity = before;
    size_t starts = splits->guard_start == NULL ? 0 : splits->guard_count + 1;
    COP_GROW(splits->guarded, capacity, before + count, err);
    COP_GROW(splits->guard_start, starts, splits->guard_count + 2, err);
    for (size_t i = 0; i < count; i++)
        splits->guarded[before + i] = first + examples[i];
    splits->guard_start[0] = 0;
    splits->guard_start[++splits->guard_count] = before + count;
    return COP_OK;
}

size_t *cop_splits_list(const cop_splits *splits, size_t *count, cop_error *err)
{
    *count = splits->pool_count + count_guarded(splits);
    for (int s = 0; s < COP_SPLIT_COUNT; s++)
        *count += splits->counts[s];
    size_t *const list = cop_memory_alloc(*count, sizeof *list, err);
    size_t at = 0;
    if (list == NULL) return NULL;
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        const size_t own = splits->counts[s];
        if (own > 0) memcpy(list + at, splits->examples[s], own * sizeof *list);
        at += own;
    }
    if (splits->pool_count > 0)
        memcpy(list + at, splits->pool, splits->pool_count * sizeof *list);
    at += splits->pool_count;
    if (splits->guard_count > 0)
        memcpy(list + at, splits->guarded, count_guarded(splits) * sizeof *list);
    return list;
}

void cop_splits_free(cop_splits *splits)
{
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++)
        cop_memory_free(splits->examples[s]);
    cop_memory_free(splits->pool);
    cop_memory_free(splits->guarded);
    cop_memory_free(splits->guard_start);
    *splits = (cop_splits){0};
}
