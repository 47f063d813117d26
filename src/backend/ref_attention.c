/* The reference backend: q/k norms, rotary embedding, KV cache, attention. */
#include "backend/ref.h"

#include "coppice/base/timer.h"

#include <assert.h>
#include <math.h>

/* Where the keys or values of one position lie: in the shared prefix or in the slot itself. */
static size_t cache_offset(const cop_kv *kv, size_t layer, const cop_batch *batch, int32_t slot,
                           int32_t position)
{
    const int32_t owner = position < batch->prefix ? cop_batch_prefix_slot(batch, slot) : slot;
    assert(layer < kv->layers && (size_t)owner < kv->slots && (size_t)position < kv->length);
    return ((layer * kv->slots + (size_t)owner) * kv->length + (size_t)position) * kv->width;
}

static void normalise(float *x, const float *weight, size_t width, float eps)
{
    double sum = 0.0;
    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * x[i];
    const double factor = 1.0 / sqrt(sum / (double)width + (double)eps);
    for (size_t i = 0; i < width; i++)
        x[i] = (float)(x[i] * factor * weight[i]);
}

/* q/k norm of `heads` heads that lie one after the other. */
static void norm_heads(float *x, const cop_buffer *weight, size_t lane, size_t heads,
                       const cop_attention_shape *shape)
{
    const size_t size = (size_t)shape->head_size;
    if (shape->qk_norm == COP_QK_NORM_WIDTH) {
        normalise(x, ref_f32_const(weight) + lane * heads * size, heads * size, shape->eps);
    } else if (shape->qk_norm == COP_QK_NORM_HEAD) {
        for (size_t h = 0; h < heads; h++) {
            normalise(x + h * size, ref_f32_const(weight) + lane * size, size, shape->eps);
        }
    }
}

/* Turns the pairs (i, i + E/2) of each head by the angles of one position. */
static void rotate_heads(float *x, const float *angles, size_t heads, size_t size)
{
    const size_t half = size / 2;
    for (size_t h = 0; h < heads; h++) {
        float *const first = x + h * size;
        float *const second = first + half;
        for (size_t i = 0; i < half; i++) {
            const double c = (double)angles[i];
            const double s = (double)angles[half + i];
            const double a = (double)first[i];
            const double b = (double)second[i];
            first[i] = (float)(a * c - b * s);
            second[i] = (float)(b * c + a * s);
        }
    }
}

/* Where a row's keys and values go, and what turns it. */
typedef struct row_place {
    size_t offset; /* in the cache */
    size_t lane;
    const float *angles;
} row_place;

static void store_row(float *row, cop_kv *kv, const row_place *place,
                      const cop_attention_shape *shape, const cop_buffer *const norms[2])
{
    const size_t size = (size_t)shape->head_size;
    const size_t heads = (size_t)shape->heads;
    const size_t kv_heads = (size_t)shape->kv_heads;
    float *const key = row + heads * size;
    const float *const value = key + kv_heads * size;
    norm_heads(row, norms[0], place->lane, heads, shape);
    norm_heads(key, norms[1], place->lane, kv_heads, shape);
    rotate_heads(row, place->angles, heads, size);
    rotate_heads(key, place->angles, kv_heads, size);
    for (size_t i = 0; i < kv->width; i++) {
        kv->keys[place->offset + i] = key[i];
        kv->values[place->offset + i] = value[i];
    }
}

void cop_ref_rope_store(cop_backend *backend, cop_buffer *qkv, cop_kv *kv, size_t layer,
                        const cop_batch *batch, const cop_attention_shape *shape,
                        const cop_buffer *rope, const cop_buffer *q_norm,
                        const cop_buffer *k_norm)
{
    const double start = cop_timer_now_s();
    const size_t size = (size_t)shape->head_size;
    const size_t row_width = ((size_t)shape->heads + 2 * (size_t)shape->kv_heads) * size;
    const cop_buffer *const norms[2] = {q_norm, k_norm};
    for (size_t s = 0; s < batch->span_count; s++) {
        const cop_span *const span = &batch->spans[s];
        for (int32_t r = 0; r < span->rows; r++) {
            const int32_t position = span->past + r;
            const size_t row = (size_t)span->first_row + (size_t)r;
            const row_place place = {.offset =
                                         cache_offset(kv, layer, batch, span->slot, position),
                                     .lane = ref_lane(backend, row, batch->rows),
                                     .angles = ref_f32_const(rope) + (size_t)position * size};
            assert(((size_t)position + 1) * size * sizeof(float) <= rope->bytes);
            store_row(ref_f32(qkv) + row * row_width, kv, &place, shape, norms);
        }
    }
    backend->seconds[COP_PART_ROPE] += cop_timer_now_s() - start;
}

/* One head of one row: its softmax over positions first .. last, times the values. */
static void attend(float *out, const float *query, const cop_kv *kv, size_t layer,
                   const cop_batch *batch, const cop_span *span, int32_t position,
                   size_t kv_head, const cop_attention_shape *shape)
{
    const size_t size = (size_t)shape->head_size;
    const bool all = shape->window <= 0 || position < shape->window;
    const int32_t first = all ? 0 : position - shape->window + 1;
    double *const scores = kv->scores;
    double most = -INFINITY;
    for (int32_t p = first; p <= position; p++) {
        const float *const key =
            kv->keys + cache_offset(kv, layer, batch, span->slot, p) + kv_head * size;
        double dot = 0.0;
        for (size_t i = 0; i < size; i++)
            dot += (double)query[i] * key[i];
        scores[p] = dot * (double)shape->scale;
        most = fmax(most, scores[p]);
    }
    double total = 0.0;
    for (int32_t p = first; p <= position; p++) {
        scores[p] = exp(scores[p] - most);
        total += scores[p];
    }
    for (size_t i = 0; i < size; i++) {
        double sum = 0.0;
        for (int32_t p = first; p <= position; p++) {
            const size_t offset = cache_offset(kv, layer, batch, span->slot, p);
            sum += scores[p] * (double)kv->values[offset + kv_head * size + i];
        }
        out[i] = (float)(sum / total);
    }
}

void cop_ref_attention(cop_backend *backend, cop_buffer *input, const cop_buffer *qkv,
                       const cop_kv *kv, size_t layer, const cop_batch *batch,
                       const cop_attention_shape *shape)
{
    const double start = cop_timer_now_s();
    const size_t size = (size_t)shape->head_size;
    const size_t heads = (size_t)shape->heads;
    const size_t row_width = (heads + 2 * (size_t)shape->kv_heads) * size;
    const size_t group = heads / (size_t)shape->kv_heads;
    for (size_t s = 0; s < batch->span_count; s++) {
        const cop_span *const span = &batch->spans[s];
        for (int32_t r = 0; r < span->rows; r++) {
            const size_t row = (size_t)span->first_row + (size_t)r;
            for (size_t h = 0; h < heads; h++) {
                attend(ref_f32(input) + (row * heads + h) * size,
                       ref_f32_const(qkv) + row * row_width + h * size, kv, layer, batch, span,
                       span->past + r, h / group, shape);
            }
        }
    }
    backend->seconds[COP_PART_ATTENTION] += cop_timer_now_s() - start;
}
