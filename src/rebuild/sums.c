/* Sums of noises over one tensor, several at a time. Drawing a number costs as much as adding
 * it a dozen times, so the seeds of all sums are merged into one list, each drawn once a block
 * and added to every sum that has it. A sum's own order is kept, and with it its bits. */
#include "coppice/base/memory.h"
#include "coppice/noise/kernels.h"
#include "coppice/rebuild/rebuild.h"
#include "rebuild/low_rank.h"
#include "rebuild/storage.h"

#include <assert.h>
#include <string.h>

enum { BLOCK = 4096 }; /* elements, as in rebuild.c */

cop_rebuild_sum cop_rebuild_last_sum(const cop_component *components, size_t count)
{
    size_t first = count;
    if (count > 0 && components[count - 1].factor != 0.0F) first--;
    while (first > 0 && first < count && components[first - 1].factor == COP_IN_SUM)
        first--;
    return (cop_rebuild_sum){.components = components + first, .count = count - first};
}

bool cop_rebuild_same_sum(const cop_rebuild_sum *a, const cop_rebuild_sum *b)
{
    if (a->count != b->count) return false;
    for (size_t j = 0; j < a->count; j++) {
        if (a->components[j].seed != b->components[j].seed ||
            a->components[j].amplitude != b->components[j].amplitude)
            return false;
    }
    return true;
}

/* Seeds in an order in which every sum finds its own. */
typedef struct merged {
    uint64_t *seeds;   /* [count] */
    float *amplitudes; /* [count, sum_count]; 0: not of this sum */
    size_t count;
    const cop_rebuild_sum *sums; /* [sum_count] */
    size_t sum_count;
} merged;

/* Where the seed stands from `from` on; the end for nowhere. */
static size_t find_seed(const merged *m, size_t from, uint64_t seed)
{
    while (from < m->count && m->seeds[from] != seed)
        from++;
    return from;
}

/* Room for a seed at `at`, with no amplitude yet. */
static void insert_seed(merged *m, size_t at, uint64_t seed)
{
    const size_t width = m->sum_count;
    memmove(m->seeds + at + 1, m->seeds + at, (m->count - at) * sizeof *m->seeds);
    memmove(m->amplitudes + (at + 1) * width, m->amplitudes + at * width,
            (m->count - at) * width * sizeof *m->amplitudes);
    memset(m->amplitudes + at * width, 0, width * sizeof *m->amplitudes);
    m->seeds[at] = seed;
    m->count++;
}

static void merge_sum(merged *m, size_t index)
{
    const cop_rebuild_sum *const sum = &m->sums[index];
    size_t at = 0; /* behind the seed before */
    for (size_t j = 0; j < sum->count; j++) {
        const size_t found = find_seed(m, at, sum->components[j].seed);
        if (found == m->count)
            insert_seed(m, at, sum->components[j].seed);
        else
            at = found;
        m->amplitudes[at * m->sum_count + index] = sum->components[j].amplitude;
        at++;
    }
}

static cop_status merge(const cop_rebuild_sum *sums, size_t count, merged *m, cop_error *err)
{
    size_t total = 0;
    for (size_t k = 0; k < count; k++)
        total += sums[k].count;
    *m = (merged){.sums = sums, .sum_count = count};
    m->seeds = cop_memory_alloc(total, sizeof *m->seeds, err);
    m->amplitudes = cop_memory_alloc(total * count, sizeof *m->amplitudes, err);
    if (m->seeds == NULL || m->amplitudes == NULL) return COP_ERR_MEMORY;
    for (size_t k = 0; k < count; k++)
        merge_sum(m, k);
    assert(m->count <= total);
    return COP_OK;
}

/* Elements of the tensor that are summed at a time. */
typedef struct block_range {
    uint32_t tensor;
    uint64_t first; /* of the tensor */
    size_t start;   /* of the sums' memory */
    size_t count;
} block_range;

/* Sums that have seed `index`; one of them goes to *only. */
static size_t count_users(const merged *m, size_t index, size_t *only)
{
    size_t users = 0;
    for (size_t k = 0; k < m->sum_count; k++) {
        if (m->amplitudes[index * m->sum_count + k] == 0.0F) continue;
        *only = k;
        users++;
    }
    return users;
}

static void sum_block(const merged *m, const block_range *b, cop_isa isa)
{
    const cop_noise_kernels *const noise = cop_noise_kernels_get(isa);
    const cop_storage_kernels *const storage = cop_storage_kernels_get(isa);
    _Alignas(64) float drawn[BLOCK];
    for (size_t k = 0; k < m->sum_count; k++)
        memset(m->sums[k].out + b->start, 0, b->count * sizeof(float));
    for (size_t j = 0; j < m->count; j++) {
        const float *const amplitudes = m->amplitudes + j * m->sum_count;
        size_t only = 0;
        const size_t users = count_users(m, j, &only);
        if (users == 1) {
            noise->accumulate(m->sums[only].out + b->start, m->seeds[j], b->tensor, b->first,
                              b->count, amplitudes[only]);
            continue;
        }
        if (users > 0)
            noise->fill(drawn, m->seeds[j], COP_STREAM_WEIGHTS, b->tensor, b->first, b->count);
        for (size_t k = 0; k < m->sum_count && users > 0; k++) {
            if (amplitudes[k] != 0.0F)
                storage->add(m->sums[k].out + b->start, drawn, amplitudes[k], b->count);
        }
    }
}

/* Factors are drawn so fast that each sum may have its own. */
static void sum_low_rank(const cop_rebuild_sum *sums, size_t count, cop_rebuild_piece piece,
                         int threads, cop_isa isa)
{
    for (size_t k = 0; k < count; k++) {
        piece.out = sums[k].out;
        cop_low_rank_sum(&piece, sums[k].components, sums[k].count, threads, isa);
    }
}

cop_status cop_rebuild_sums(const cop_rebuild_sum *sums, size_t count, uint32_t tensor,
                            cop_low_rank low, uint64_t first, size_t elements, int threads,
                            cop_isa isa, cop_error *err)
{
    merged m;
    assert(threads > 0);
    if (low.rank > 0) {
        const cop_rebuild_piece piece = {.dtype = COP_F32,
                                         .first = first,
                                         .count = elements,
                                         .tensor = tensor,
                                         .scale = 1,
                                         .low = low};
        sum_low_rank(sums, count, piece, threads, isa);
        return COP_OK;
    }
    const cop_status status = merge(sums, count, &m, err);
    const size_t blocks = status == COP_OK ? (elements + BLOCK - 1) / BLOCK : 0;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (size_t i = 0; i < blocks; i++) {
        const size_t start = i * BLOCK;
        const block_range b = {.tensor = tensor,
                               .first = first + start,
                               .start = start,
                               .count = elements - start < BLOCK ? elements - start : BLOCK};
        sum_block(&m, &b, isa);
    }
    cop_memory_free(m.seeds);
    cop_memory_free(m.amplitudes);
    return status;
}
