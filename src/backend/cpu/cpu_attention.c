/* KV cache, rotary embedding and attention of the CPU backend. */
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/parallel.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdatomic.h>
#include <string.h>

cop_status cop_cpu_kv_create(cop_backend *backend, size_t layers, size_t slots, size_t length,
                             const cop_attention_shape *shape, cop_kv **kv, cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    *kv = NULL;
    cop_kv *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->slots = slots;
    made->length = (length + COP_ATTENTION_TILE - 1) / COP_ATTENTION_TILE * COP_ATTENTION_TILE;
    made->kv_heads = (size_t)shape->kv_heads;
    made->group = (size_t)(shape->heads / shape->kv_heads);
    made->head_size = (size_t)shape->head_size;
    /* Binary32 keys and values would double what attention reads and gain nothing: queries,
     * keys and values come from bf16 products then. */
    made->dtype = backend->input;
    const bool narrow = made->dtype == COP_BF16;
    const size_t item = cop_dtype_size(made->dtype);
    made->tile = narrow ? COP_ATTENTION_TILE : 1;
    made->key_size =
        (narrow ? cop_attention_key_depth(made->head_size) : made->head_size) * item;
    made->value_size = cop_attention_value_stride(made->head_size) * item;
    made->scratch_stride = cop_attention_scratch(made->group, made->head_size);
    const size_t places = layers * slots * made->kv_heads * made->length;
    made->keys = cop_gemm_alloc(places * made->key_size, err);
    if (made->keys != NULL) made->values = cop_gemm_alloc(places * made->value_size, err);
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

/* Position 0 of a slot and KV head, in positions of the whole cache. */
static size_t place_of(const cop_kv *kv, size_t layer, int32_t slot, size_t head)
{
    assert(slot >= 0 && (size_t)slot < kv->slots);
    return ((layer * kv->slots + (size_t)slot) * kv->kv_heads + head) * kv->length;
}

static char *keys_of(const cop_kv *kv, size_t layer, int32_t slot, size_t head)
{
    return (char *)kv->keys + place_of(kv, layer, slot, head) * kv->key_size;
}

static char *values_of(const cop_kv *kv, size_t layer, int32_t slot, size_t head)
{
    return (char *)kv->values + place_of(kv, layer, slot, head) * kv->value_size;
}

/* Words from one panel of values in bf16 to the next: a pair of positions for each column. */
static size_t panel_words(const cop_kv *kv)
{
    return kv->length / 2 * COP_PANEL;
}

static bool is_sharing(const cop_batch *batch, int32_t slot)
{
    return batch->prefix > 0 && slot != cop_batch_prefix_slot(batch, slot);
}

/* Positions before the first that the slot itself holds. */
static int32_t slot_first(const cop_kv *kv, const cop_batch *batch, int32_t slot)
{
    const int32_t tile = (int32_t)kv->tile;
    return is_sharing(batch, slot) ? batch->prefix / tile * tile : 0;
}

/* True for a span with which its slot begins. */
static bool begins_slot(const cop_batch *batch, const cop_span *span)
{
    return span->past == (is_sharing(batch, span->slot) ? batch->prefix : 0);
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

/* Zeroes what follows a position in its block of values: a product goes to the block's end. */
static void clear_rest(const cop_kv *kv, char *values, size_t index)
{
    const size_t next = index + 1;
    const size_t end = (next + COP_PRODUCT_BLOCK - 1) / COP_PRODUCT_BLOCK * COP_PRODUCT_BLOCK;
    const size_t panels = kv->value_size / (COP_PANEL * sizeof(uint16_t));
    for (size_t p = 0; p < panels && next < end; p++) {
        uint32_t *const words = (uint32_t *)(void *)values + p * panel_words(kv);
        for (size_t i = 0; next % 2 != 0 && i < COP_PANEL; i++)
            words[next / 2 * COP_PANEL + i] &= 0xffffU;
        const size_t whole = (next + 1) / 2;
        memset(words + whole * COP_PANEL, 0, (end / 2 - whole) * COP_PANEL * sizeof(uint32_t));
    }
}

/* Row r is row `within` of its span. */
static void rope_row(const rope_work *w, size_t r, const cop_span *span, int32_t within)
{
    const cop_kv *const kv = w->kv;
    const int32_t slot = span->slot;
    const int32_t position = span->past + within;
    const size_t size = kv->head_size;
    const size_t heads = kv->group * kv->kv_heads;
    const float *const table = w->table + (size_t)position * size;
    float *const row = w->qkv + r * (heads + 2 * kv->kv_heads) * size;
    float *const keys = row + heads * size;
    const float *const values = keys + kv->kv_heads * size;
    const size_t lane = r / w->lane_rows;
    norm_heads(w, row, heads, w->q_norm, lane);
    norm_heads(w, keys, kv->kv_heads, w->k_norm, lane);
    w->kernels->rope(row, heads + kv->kv_heads, size, table);
    const size_t index = (size_t)(position - slot_first(kv, w->batch, slot));
    assert(index < kv->length);
    /* Where the row before has not done it. */
    const bool clears =
        kv->dtype == COP_BF16 && within == span->rows - 1 &&
        (within > 0 || index % COP_PRODUCT_BLOCK == 0 || begins_slot(w->batch, span));
    for (size_t g = 0; g < kv->kv_heads; g++) {
        char *const slot_values = values_of(kv, w->layer, slot, g);
        w->kernels->store_key(keys_of(kv, w->layer, slot, g), kv->dtype, index, keys + g * size,
                              size);
        w->kernels->store_value(slot_values, kv->dtype, panel_words(kv), index,
                                values + g * size, size);
        if (clears) clear_rest(kv, slot_values, index);
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
            rope_row(w, r, span, (int32_t)(r - first));
        }
    }
}

/* Copies the last `count` positions of the prefix, from index `from` of its slot, to the head
 * of another slot; both begin a tile. */
static void copy_tail(const rope_work *w, int32_t to_slot, int32_t from_slot, size_t from,
                      size_t count, size_t head)
{
    const cop_kv *const kv = w->kv;
    const size_t pairs = kv->key_size / sizeof(uint32_t);
    const size_t panels = kv->value_size / (COP_PANEL * sizeof(uint16_t));
    const uint32_t *const keys =
        (const uint32_t *)(void *)(keys_of(kv, w->layer, from_slot, head) +
                                   from * kv->key_size);
    uint32_t *const to_keys = (uint32_t *)(void *)keys_of(kv, w->layer, to_slot, head);
    for (size_t first = 0; first < count; first += COP_PANEL) {
        const size_t n = count - first < COP_PANEL ? count - first : COP_PANEL;
        for (size_t i = 0; i < pairs; i++)
            memcpy(to_keys + first * pairs + i * COP_PANEL,
                   keys + first * pairs + i * COP_PANEL, n * sizeof *keys);
    }
    const uint32_t *const values =
        (const uint32_t *)(void *)values_of(kv, w->layer, from_slot, head) +
        from / 2 * COP_PANEL;
    uint32_t *const to_values = (uint32_t *)(void *)values_of(kv, w->layer, to_slot, head);
    for (size_t p = 0; p < panels; p++) {
        const size_t at = p * panel_words(kv);
        memcpy(to_values + at, values + at, count / 2 * COP_PANEL * sizeof *values);
        for (size_t i = count / 2 * COP_PANEL;
             count % 2 != 0 && i < (count / 2 + 1) * COP_PANEL; i++)
            to_values[at + i] = (to_values[at + i] & 0xffff0000U) | (values[at + i] & 0xffffU);
    }
}

/* What of the prefix is no whole tile, for spans that begin a slot; after all rows are stored,
 * since the prefix may be among them. */
static void copy_tails(const void *context, size_t begin, size_t end)
{
    const rope_work *const w = context;
    const size_t prefix = (size_t)w->batch->prefix;
    for (size_t s = begin; s < end; s++) {
        const cop_span *const span = &w->batch->spans[s];
        if (!is_sharing(w->batch, span->slot) || !begins_slot(w->batch, span)) continue;
        for (size_t g = 0; g < w->kv->kv_heads; g++)
            copy_tail(w, span->slot, cop_batch_prefix_slot(w->batch, span->slot),
                      prefix - prefix % w->kv->tile, prefix % w->kv->tile, g);
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
    if ((size_t)batch->prefix % kv->tile != 0)
        cop_cpu_parallel_for(cpu->threads, batch->span_count, 2 * width, copy_tails, &work);
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
    return (cop_attention_segment){.keys = keys_of(w->kv, w->layer, slot, head),
                                   .values = values_of(w->kv, w->layer, slot, head),
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
    const int32_t own = slot_first(kv, w->batch, span->slot);
    cop_attention_task task = {
        .queries = w->qkv + row * width + column,
        .query_stride = width,
        .out = w->out + (row * heads * kv->head_size + column) * cop_dtype_size(out_dtype),
        .out_stride = heads * kv->head_size,
        .out_dtype = out_dtype,
        .kv_dtype = kv->dtype,
        .product = w->cpu->kernels->product,
        .product_input = w->cpu->kernels->product_input,
        .value_panel_words = panel_words(kv),
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
