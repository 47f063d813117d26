/* Weights from the base and a recipe. A block of sums stays in the first-level cache while
 * every component is added to it; blocks are independent, so threads share them out. */
#include "coppice/rebuild/rebuild.h"

#include "coppice/noise/kernels.h"
#include "rebuild/low_rank.h"
#include "rebuild/piece.h"
#include "rebuild/storage.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
    BLOCK = 4096
}; /* elements: 16 KiB of sums; a multiple of 4, so that blocks start aligned */

/* A piece with what every block of it needs. */
typedef struct job {
    const cop_rebuild_piece *piece;
    const cop_component *components;
    size_t component_count;
    const cop_noise_kernels *noise;
    const cop_storage_kernels *storage;
    size_t blocks;
} job;

/* A run of elements within the piece. */
typedef struct range {
    size_t start;
    size_t count;
} range;

static job job_of(const cop_rebuild_piece *piece, const cop_component *components,
                  size_t component_count, cop_isa isa)
{
    const size_t skipped = (size_t)(piece->first % BLOCK);
    const size_t whole = piece->count / BLOCK;
    const size_t rest = piece->count % BLOCK + skipped;
    return (job){.piece = piece,
                 .components = components,
                 .component_count = component_count,
                 .noise = cop_noise_kernels_get(isa),
                 .storage = cop_storage_kernels_get(isa),
                 .blocks = whole + (rest + BLOCK - 1) / BLOCK};
}

/* Blocks are cut at multiples of BLOCK of the tensor's index, not of the piece's. */
static range range_of(const cop_rebuild_piece *piece, size_t block)
{
    const size_t skipped = (size_t)(piece->first % BLOCK);
    const size_t start = block == 0 ? 0 : block * BLOCK - skipped;
    const size_t room = block == 0 ? BLOCK - skipped : BLOCK;
    const size_t left = piece->count - start;
    return (range){start, left < room ? left : room};
}

/* With no component the output is the input, bit for bit: even a signalling NaN stays. */
static bool is_identity(const cop_rebuild_piece *piece, size_t component_count)
{
    return ((component_count == 0 && piece->sum == NULL) || piece->scale == 0.0F) &&
           piece->base_is_sums == piece->keep_sums;
}

/* Adds component j to the elements of one range, or to the sum that it belongs to, and that sum
 * when it is whole. */
static void add_component(const job *work, range part, size_t j, float *sums, float *own)
{
    const cop_rebuild_piece *const piece = work->piece;
    const cop_component *const component = &work->components[j];
    const uint64_t first = piece->first + part.start;
    if (component->factor == 0.0F) {
        work->noise->accumulate(sums, component->seed, piece->tensor, first, part.count,
                                component->amplitude * piece->scale);
        return;
    }
    if (j == 0 || work->components[j - 1].factor != COP_IN_SUM)
        memset(own, 0, part.count * sizeof *own);
    work->noise->accumulate(own, component->seed, piece->tensor, first, part.count,
                            component->amplitude);
    if (component->factor != COP_IN_SUM)
        work->storage->add(sums, own, component->factor * piece->scale, part.count);
}

/* Writes the rebuilt elements of one range to `out`. */
static void rebuild_range(const job *work, range part, void *out)
{
    const cop_rebuild_piece *const piece = work->piece;
    const char *const base =
        (const char *)piece->base + part.start * cop_dtype_size(rebuild_base_type(piece));
    _Alignas(64) float sums[BLOCK];
    _Alignas(64) float own[BLOCK];
    work->storage->widen(sums, base, rebuild_base_type(piece), part.count);
    for (size_t j = 0; j < work->component_count && piece->scale != 0.0F; j++)
        add_component(work, part, j, sums, own);
    if (piece->sum != NULL && piece->scale != 0.0F)
        work->storage->add(sums, piece->sum + part.start, piece->factor * piece->scale,
                           part.count);
    work->storage->narrow(out, sums, rebuild_out_type(piece), part.count);
}

static void rebuild_block(const job *work, size_t block, size_t size)
{
    const range part = range_of(work->piece, block);
    rebuild_range(work, part, (char *)work->piece->out + part.start * size);
}

void cop_rebuild_run(const cop_rebuild_piece *piece, const cop_component *components,
                     size_t component_count, int threads, cop_isa isa)
{
    const size_t size = cop_dtype_size(rebuild_out_type(piece));
    assert(size > 0 && threads > 0);
    if (is_identity(piece, component_count)) {
        if (piece->out != piece->base && piece->count > 0) {
            memcpy(piece->out, piece->base, piece->count * size);
        }
        return;
    }
    if (piece->low.rank > 0) {
        cop_low_rank_run(piece, components, component_count, threads, isa);
        return;
    }
    const job work = job_of(piece, components, component_count, isa);
    if (threads == 1) { /* pieces may be as small as a row: no team for them */
        for (size_t block = 0; block < work.blocks; block++)
            rebuild_block(&work, block, size);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t block = 0; block < work.blocks; block++)
        rebuild_block(&work, block, size);
}

/* The part of a rectangle's row that lies in one run of the piece. */
static cop_rebuild_piece row_of(const cop_rebuild_piece *piece,
                                const cop_rebuild_rectangle *rectangle, size_t row)
{
    const size_t start = (rectangle->row + row) * rectangle->width + rectangle->column;
    cop_rebuild_piece part = *piece;
    part.base = (const char *)piece->base + start * cop_dtype_size(rebuild_base_type(piece));
    part.out =
        (char *)piece->out + row * rectangle->stride * cop_dtype_size(rebuild_out_type(piece));
    part.first = piece->first + start;
    part.count = rectangle->columns;
    if (piece->sum != NULL) part.sum = piece->sum + start;
    return part;
}

void cop_rebuild_run_rectangle(const cop_rebuild_piece *piece, const cop_component *components,
                               size_t component_count, const cop_rebuild_rectangle *rectangle,
                               cop_isa isa)
{
    if (piece->low.rank > 0 && !is_identity(piece, component_count)) {
        cop_low_rank_run_rectangle(piece, components, component_count, rectangle, isa);
        return;
    }
    for (size_t row = 0; row < rectangle->rows; row++) {
        const cop_rebuild_piece part = row_of(piece, rectangle, row);
        cop_rebuild_run(&part, components, component_count, 1, isa);
    }
}

uint64_t cop_rebuild_count_unmoved(const cop_rebuild_piece *piece,
                                   const cop_component *components, size_t component_count,
                                   int threads, cop_isa isa)
{
    const size_t size = cop_dtype_size(piece->dtype);
    assert(size > 0 && threads > 0 && !piece->base_is_sums && !piece->keep_sums);
    if (is_identity(piece, component_count)) return piece->count;
    if (piece->low.rank > 0)
        return cop_low_rank_count_unmoved(piece, components, component_count, threads, isa);
    const job work = job_of(piece, components, component_count, isa);
    uint64_t unmoved = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : unmoved)
    for (size_t block = 0; block < work.blocks; block++) {
        const range part = range_of(piece, block);
        _Alignas(64) char rebuilt[BLOCK * sizeof(float)];
        rebuild_range(&work, part, rebuilt);
        unmoved += rebuild_count_equal(rebuilt, (const char *)piece->base + part.start * size,
                                       size, part.count);
    }
    return unmoved;
}
