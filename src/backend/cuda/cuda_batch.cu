/* What the kernels of a layer are told of a batch. */
#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "coppice/base/memory.h"
}

#include <string.h>

static cop_status send_rows(cop_cuda *cuda, const cop_batch *batch, cop_error *err)
{
    cop_cuda_row *const rows =
        (cop_cuda_row *)cop_memory_alloc_raw(batch->rows, sizeof *rows, err);
    if (rows == NULL) return COP_ERR_MEMORY;
    for (size_t r = 0; r < batch->rows; r++)
        rows[r] = (cop_cuda_row){.slot = -1};
    for (size_t s = 0; s < batch->span_count; s++) {
        const cop_span *const span = &batch->spans[s];
        for (int32_t r = 0; r < span->rows; r++)
            rows[span->first_row + r] =
                (cop_cuda_row){span->slot, span->past + r, batch->prefix,
                               cop_batch_prefix_slot(batch, span->slot)};
    }
    const cop_status status =
        cop_cuda_send(cuda, &cuda->batch.device_rows, rows, batch->rows * sizeof *rows, err);
    cop_memory_free(rows);
    return status;
}

static cop_status send_tiles(cop_cuda *cuda, const cop_batch *batch, size_t group,
                             cop_error *err)
{
    const size_t most = batch->span_count + batch->rows * group / COP_CUDA_PAIRS;
    cop_cuda_tile *const tiles =
        (cop_cuda_tile *)cop_memory_alloc_raw(most, sizeof *tiles, err);
    if (tiles == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    for (size_t s = 0; s < batch->span_count; s++) {
        const cop_span *const span = &batch->spans[s];
        const int32_t pairs = span->rows * (int32_t)group;
        for (int32_t first = 0; first < pairs; first += COP_CUDA_PAIRS) {
            const int32_t left = pairs - first;
            tiles[count++] =
                (cop_cuda_tile){.slot = span->slot,
                                .past = span->past,
                                .first_row = span->first_row,
                                .first_pair = first,
                                .pairs = left < COP_CUDA_PAIRS ? left : COP_CUDA_PAIRS,
                                .prefix = batch->prefix,
                                .prefix_slot = cop_batch_prefix_slot(batch, span->slot)};
        }
    }
    const cop_status status =
        cop_cuda_send(cuda, &cuda->batch.device_tiles, tiles, count * sizeof *tiles, err);
    cop_memory_free(tiles);
    cuda->batch.tiles = count;
    return status;
}

static bool is_known(const cop_cuda_batch *known, const cop_batch *batch, size_t group)
{
    return known->rows == batch->rows && known->group == group &&
           known->prefix == batch->prefix && known->prefix_slot == batch->prefix_slot &&
           known->lane_slots == batch->lane_slots && batch->span_count > 0 &&
           known->span_count == batch->span_count &&
           memcmp(known->spans, batch->spans, batch->span_count * sizeof *batch->spans) == 0;
}

static cop_status describe(cop_cuda *cuda, const cop_batch *batch, size_t group, cop_error *err)
{
    cop_cuda_batch *const known = &cuda->batch;
    const size_t bytes = batch->span_count * sizeof *batch->spans;
    if (is_known(known, batch, group)) return COP_OK;
    known->span_count = 0;
    known->tiles = 0;
    COP_GROW(known->spans, known->span_capacity, batch->span_count, err);
    COP_TRY(send_rows(cuda, batch, err));
    COP_TRY(send_tiles(cuda, batch, group, err));
    if (bytes > 0) memcpy(known->spans, batch->spans, bytes);
    known->span_count = batch->span_count;
    known->rows = batch->rows;
    known->group = group;
    known->prefix = batch->prefix;
    known->prefix_slot = batch->prefix_slot;
    known->lane_slots = batch->lane_slots;
    return COP_OK;
}

void cop_cuda_find_places(cop_cuda *cuda, const cop_batch *batch, size_t group,
                          cop_cuda_places *places)
{
    const cop_cuda_sequences *const sequences = &cuda->decoder.sequences;
    *places = (cop_cuda_places){};
    if (batch->spans == NULL && batch->rows > 0) {
        if (sequences->count != batch->rows) {
            cop_cuda_note(cuda, cudaErrorInvalidValue, "finding the rows of a decode step");
            return;
        }
        places->rows = sequences->rows;
        places->tiles_count = batch->rows * ((group + COP_CUDA_PAIRS - 1) / COP_CUDA_PAIRS);
        return;
    }
    if (describe(cuda, batch, group, NULL) != COP_OK) {
        cop_cuda_note(cuda, cudaErrorMemoryAllocation, "describing a batch");
        return;
    }
    places->rows = (const cop_cuda_row *)cuda->batch.device_rows.data;
    places->tiles = (const cop_cuda_tile *)cuda->batch.device_tiles.data;
    places->tiles_count = cuda->batch.tiles;
}
