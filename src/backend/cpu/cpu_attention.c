/* KV cache, rotary embedding and attention of the CPU backend. */
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/parallel.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdatomic.h>

cop_status cop_cpu_kv_create(cop_backend *backend, size_t layers, size_t slots, size_t length,
                             const cop_attention_shape *shape, cop_kv **kv, cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    *kv = NULL;
    cop_kv *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->slots = slots;
    made->length = (length + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK * COP_KEY_BLOCK;
    made->kv_heads = (size_t)shape->kv_heads;
    made->group = (size_t)(shape->heads / shape->kv_heads);
    made->head_size = (size_t)shape->head_size;
    /* Binary32 keys and values would double what attention reads and gain nothing: queries,
     * keys and values come from bf16 products then. */
    made->dtype = backend->input;
    made->scratch_stride = cop_attention_scratch(made->group, made->head_size);
    const size_t item = cop_dtype_size(made->dtype);
    const size_t places = layers * slots * made->kv_heads * made->length;
    made->keys = cop_gemm_alloc(places * made->head_size * item, err);
    if (made->keys != NULL) {
        const size_t stride = cop_attention_value_stride(made->head_size);
        made->values = cop_gemm_alloc(places * stride * item, err);
    }
    if (made->values != NULL) {
        made->scratch =
            cop_memory_alloc((size_t)cpu->threads * made->scratch_stride, sizeof(float), err);
    }
    if (made->scratch == NULL) {
        cop_kv *incomplete = made;
        cop_cpu_kv_destroy(backend, &incomplete);
        return COP_ERR_MEMORY;
    }
    *kv = made;
    return COP_OK;
}

void cop_cpu_kv_destroy(cop_backend *backend, cop_kv **kv)
{
    (void)backend;
    if (*kv != NULL) {
        cop_memory_free((*kv)->keys);
        cop_memory_free((*kv)->values);
        cop_memory_free((*kv)->scratch);
    }
    cop_memory_free(*kv);
    *kv = NULL;
}

/* Where keys and values of a slot and KV head start, in elements. */
static size_t key_offset(const cop_kv *kv, size_t layer, int32_t slot, size_t head)
{
    assert(slot >= 0 && (size_t)slot < kv->slots);
    return ((layer * kv->slots + (size_t)slot) * kv->kv_heads + head) * kv->length *
           kv->head_size;
}

static size_t value_offset(const cop_kv *kv, size_t layer, int32_t slot, size_t head)
{
    return key_offset(kv, layer, slot, head) / kv->head_size *
           cop_attention_value_stride(kv->head_size);
}

/* Positions before the first that the slot itself holds. */
static int32_t slot_first(const cop_batch *batch, int32_t slot)
{
    const bool shares = batch->prefix > 0 && slot != cop_batch_prefix_slot(batch, slot);
    return shares ? batch->prefix : 0;
}

/* --- rope --- */

typedef struct rope_work {
    const cop_kernels *kernels;
    float *qkv;
    cop_kv *kv;
    size_t layer;
    const cop_batch *batch;
    const cop_attention_shape *shape;
    const float *table;
    const float *q_norm, *k_norm;
    size_t lane_rows; /* that share a copy of the norms */
} rope_work;

static void norm_heads(const rope_work *w, float *heads, size_t count, const float *weights,
                       size_t lane)
{
    const size_t size = w->kv->head_size;
    const float eps = w->shape->eps;
    const bool whole = w->shape->qk_norm == COP_QK_NORM_WIDTH;
    if (w->shape->qk_norm == COP_QK_NORM_NONE) return;
    const float *const weight = weights + lane * size * (whole ? count : 1);
    if (whole) {
        w->kernels->rmsnorm(heads, COP_F32, heads, weight, count * size, eps);
    } else {
        for (size_t h = 0; h < count; h++) {
            w->kernels->rmsnorm(heads + h * size, COP_F32, heads + h * size, weight, size, eps);
        }
    }
}

static void rope_row(const rope_work *w, size_t r, int32_t slot, int32_t position)
{
    const cop_kv *const kv = w->kv;
    const size_t size = kv->head_size;
    const size_t heads = kv->group * kv->kv_heads;
    const size_t item = cop_dtype_size(kv->dtype);
    const float *const table = w->table + (size_t)position * size;
    float *const row = w->qkv + r * (heads + 2 * kv->kv_heads) * size;
    float *const keys = row + heads * size;
    const float *const values = keys + kv->kv_heads * size;
    const size_t lane = r / w->lane_rows;
    norm_heads(w, row, heads, w->q_norm, lane);
    norm_heads(w, keys, kv->kv_heads, w->k_norm, lane);
    w->kernels->rope(row, heads + kv->kv_heads, size, table);
    const size_t index = (size_t)(position - slot_first(w->batch, slot));
    assert(index < kv->length);
    for (size_t g = 0; g < kv->kv_heads; g++) {
        const size_t key = key_offset(kv, w->layer, slot, g);
        const size_t value =
            value_offset(kv, w->layer, slot, g) + index * cop_attention_value_stride(size);
        w->kernels->store_key((char *)kv->keys + key * item, kv->dtype, index, keys + g * size,
                              size);
        w->kernels->narrow((char *)kv->values + value * item, kv->dtype, values + g * size,
                           size);
    }
}

/* Rows begin .. end-1 of the batch, whatever spans they belong to. */
static void rope_rows(const void *context, size_t begin, size_t end)
{
    const rope_work *const w = context;
    for (size_t s = 0; s < w->batch->span_count; s++) {
        const cop_span *const span = &w->batch->spans[s];
        const size_t first = (size_t)span->first_row;
        const size_t last = first + (size_t)span->rows;
        for (size_t r = first > begin ? first : begin; r < last && r < end; r++) {
            rope_row(w, r, span->slot, span->past + (int32_t)(r - first));
        }
    }
}

void cop_cpu_rope_store(cop_backend *backend, cop_buffer *qkv, cop_kv *kv, size_t layer,
                        const cop_batch *batch, const cop_attention_shape *shape,
                        const cop_buffer *rope, const cop_buffer *q_norm,
                        const cop_buffer *k_norm)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const size_t width = (kv->group + 2) * kv->kv_heads * kv->head_size;
    const rope_work work = {.kernels = cpu->kernels,
                            .qkv = cop_cpu_write_f32(qkv, batch->rows * width),
                            .kv = kv,
                            .layer = layer,
                            .batch = batch,
                            .shape = shape,
                            .table = rope->data,
                            .q_norm = q_norm == NULL ? NULL : q_norm->data,
                            .k_norm = k_norm == NULL ? NULL : k_norm->data,
                            .lane_rows = cop_cpu_lane_rows(backend, batch->rows)};
    cop_cpu_parallel_for(cpu->threads, batch->rows, 2 * width, rope_rows, &work);
    backend->seconds[COP_PART_ROPE] += cop_timer_now_s() - start;
}

/* --- attention --- */

typedef struct attention_work {
    const cop_cpu *cpu;
    char *out; /* [T, H E] of the input type */
    const float *qkv;
    const cop_kv *kv;
    size_t layer;
    const cop_batch *batch;
    const cop_attention_shape *shape;
    int32_t block;       /* queries of a task */
    atomic_size_t *next; /* task to take */
} attention_work;

static cop_attention_segment make_segment(const attention_work *w, int32_t slot, size_t head,
                                          int32_t first, int32_t count)
{
    const size_t item = cop_dtype_size(w->kv->dtype);
    const size_t key = key_offset(w->kv, w->layer, slot, head);
    const size_t value = value_offset(w->kv, w->layer, slot, head);
    return (cop_attention_segment){.keys = (const char *)w->kv->keys + key * item,
                                   .values = (const char *)w->kv->values + value * item,
                                   .first = first,
                                   .count = count};
}

/* Queries first .. of a span, against one KV head. */
static void run_task(const attention_work *w, const cop_span *span, int32_t first, size_t head,
                     float *scratch)
{
    const cop_kv *const kv = w->kv;
    const size_t heads = kv->group * kv->kv_heads;
    const size_t width = (heads + 2 * kv->kv_heads) * kv->head_size;
    const size_t row = (size_t)span->first_row + (size_t)first;
    const size_t column = head * kv->group * kv->head_size;
    const cop_dtype out_dtype = w->cpu->base.input;
    const int32_t left = span->rows - first;
    const int32_t own = slot_first(w->batch, span->slot);
    cop_attention_task task = {
        .queries = w->qkv + row * width + column,
        .query_stride = width,
        .out = w->out + (row * heads * kv->head_size + column) * cop_dtype_size(out_dtype),
        .out_stride = heads * kv->head_size,
        .out_dtype = out_dtype,
        .kv_dtype = kv->dtype,
        .query_count = left < w->block ? left : w->block,
        .group = (int32_t)kv->group,
        .head_size = (int32_t)kv->head_size,
        .position = span->past + first,
        .window = w->shape->window,
        .scale = w->shape->scale,
    };
    if (own > 0) {
        task.segments[task.segment_count++] =
            make_segment(w, cop_batch_prefix_slot(w->batch, span->slot), head, 0, own);
    }
    task.segments[task.segment_count++] =
        make_segment(w, span->slot, head, own, span->past + span->rows - own);
    w->cpu->kernels->attention(&task, scratch);
}

/* Takes tasks in turn. They are ordered by KV head first, so that threads work on the shared
 * prefix of one head at a time. Which thread runs a task does not matter to its result. */
static void run_tasks(const void *context, int thread)
{
    const attention_work *const w = context;
    float *const scratch = w->kv->scratch + (size_t)thread * w->kv->scratch_stride;
    size_t wanted = atomic_fetch_add(w->next, 1);
    size_t index = 0;
    for (size_t head = 0; head < w->kv->kv_heads; head++) {
        for (size_t s = 0; s < w->batch->span_count; s++) {
            const cop_span *const span = &w->batch->spans[s];
            for (int32_t first = 0; first < span->rows; first += w->block) {
                if (index++ != wanted) continue;
                run_task(w, span, first, head, scratch);
                wanted = atomic_fetch_add(w->next, 1);
            }
        }
    }
}

/* Products of the whole call, roughly: what decides whether it is worth sharing. */
static size_t attention_cost(const cop_batch *batch, const cop_kv *kv)
{
    size_t pairs = 0;
    for (size_t s = 0; s < batch->span_count; s++) {
        const cop_span *const span = &batch->spans[s];
        pairs += (size_t)span->rows * ((size_t)span->past + (size_t)span->rows);
    }
    return pairs * kv->group * kv->kv_heads * kv->head_size;
}

void cop_cpu_attention(cop_backend *backend, cop_buffer *input, const cop_buffer *qkv,
                       const cop_kv *kv, size_t layer, const cop_batch *batch,
                       const cop_attention_shape *shape)
{
    enum { SERIAL_COST = 1 << 18 };
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const size_t heads = kv->group * kv->kv_heads;
    const size_t count = batch->rows * heads * kv->head_size;
    const size_t block = cop_attention_rows(kv->group) / kv->group;
    atomic_size_t next = 0;
    const attention_work work = {
        .cpu = cpu,
        .out = cop_cpu_write(input, count, cop_dtype_size(backend->input)),
        .qkv = cop_cpu_read_f32(qkv, batch->rows * (heads + 2 * kv->kv_heads) * kv->head_size),
        .kv = kv,
        .layer = layer,
        .batch = batch,
        .shape = shape,
        .block = (int32_t)block,
        .next = &next};
    const bool small = attention_cost(batch, kv) < SERIAL_COST;
    cop_cpu_parallel_each(small ? 1 : cpu->threads, run_tasks, &work);
    backend->seconds[COP_PART_ATTENTION] += cop_timer_now_s() - start;
}
