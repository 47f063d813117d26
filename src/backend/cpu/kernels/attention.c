/* Attention of one task: a block of queries against the keys and values of one KV head, a tile
 * of positions at a time. Weights are kept relative to the greatest score so far; when it
 * rises, the sums are scaled down. All sums run in a fixed order, whatever the threads do. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Vectors of the compiler, since it keeps no array of partial sums in registers by itself. A
 * chunk of rows times PAIR blocks fills half to a third of the registers with sums. */
#if defined(__AVX512F__)
enum { LANES = 16, CHUNK = 8, PAIR = 2 };
#elif defined(__AVX__)
enum { LANES = 8, CHUNK = 4, PAIR = 1 };
#else
enum { LANES = 4, CHUNK = 2, PAIR = 1 };
#endif
enum { VECTORS = COP_KEY_BLOCK / LANES, TILE = COP_ATTENTION_TILE };
typedef float vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t vec_bits __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t vec_half __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Scratch of a task, rows [query, head of the group]. */
typedef struct work {
    float *queries;  /* [rows, E], scaled */
    float *scores;   /* [rows, TILE], then weights */
    float *sums;     /* [rows, value stride] */
    float *greatest; /* [rows] */
    float *totals;   /* [rows, COP_KEY_BLOCK] of weights */
    size_t rows;
    size_t stride; /* of sums and values */
} work;

/* c [rows, blocks, COP_KEY_BLOCK] (+)= a [rows, depth] * b [blocks] [depth, COP_KEY_BLOCK]. */
typedef struct product {
    const float *a;
    size_t a_stride;
    const char *b; /* f32 or bf16 */
    size_t b_stride;
    size_t blocks;
    size_t block_bytes; /* from one block of b to the next */
    size_t depth;
    float *c;
    size_t c_stride;
    bool add;
    /* Memory that is needed soon, laid out as b: fetched while b, which comes from afar itself,
     * is worked on block by block. NULL: b is near, and blocks go in pairs. */
    const char *ahead[2];
} product;

ALWAYS_INLINE vec load(const void *b, size_t index, bool narrow)
{
    if (!narrow) return *(const vec *)((const float *)b + index);
    const vec_half half = *(const vec_half *)((const uint16_t *)b + index);
    const vec_bits bits = __builtin_convertvector(half, vec_bits) << 16;
    return (vec)bits;
}

/* A row of bf16 is half a line of the cache. */
ALWAYS_INLINE void fetch_ahead(const product *p, size_t index, bool narrow)
{
    if (narrow && index % 2 != 0) return;
    const size_t at = index * p->b_stride * (narrow ? 2 : 4);
    __builtin_prefetch(p->ahead[0] + at);
    __builtin_prefetch(p->ahead[1] + at);
}

/* Sums of one step of depth: rows times blocks times vectors. */
ALWAYS_INLINE void multiply_step(const product *p, vec sum[CHUNK][PAIR][VECTORS], size_t index,
                                 int rows, int pair, bool narrow)
{
    for (int n = 0; n < pair; n++) {
        const char *const block = p->b + (size_t)n * p->block_bytes;
        for (int v = 0; v < VECTORS; v++) {
            const vec b = load(block, index * p->b_stride + (size_t)v * LANES, narrow);
            for (int r = 0; r < rows; r++) {
                sum[r][n][v] += p->a[(size_t)r * p->a_stride + index] * b;
            }
        }
    }
}

/* `pair` blocks for `rows` rows. Few sums would wait for each other's addition: then there are
 * two or four chains of them, joined at the end. All of the parameters but p are constants at
 * every call, so that loops unroll and branches vanish. */
ALWAYS_INLINE void multiply_chunk(const product *p, int rows, int pair, bool narrow, bool ahead)
{
    const int few = rows * pair * VECTORS;
    const int chains = few <= 2 ? 4 : few <= 4 ? 2 : 1;
    const int steps = chains > 2 ? chains : 2;
    vec sum[4][CHUNK][PAIR][VECTORS];
    for (int s = 0; s < chains; s++) {
        for (int r = 0; r < rows; r++) {
            for (int n = 0; n < pair; n++) {
                for (int v = 0; v < VECTORS; v++) {
                    sum[s][r][n][v] = (vec){0.0F};
                }
            }
        }
    }
    size_t i = 0;
    for (; i + (size_t)steps <= p->depth; i += (size_t)steps) {
        for (int s = 0; s < steps; s++) {
            if (ahead) fetch_ahead(p, i + (size_t)s, narrow);
            multiply_step(p, sum[s % chains], i + (size_t)s, rows, pair, narrow);
        }
    }
    for (; i < p->depth; i++) {
        multiply_step(p, sum[0], i, rows, pair, narrow);
    }
    for (int r = 0; r < rows; r++) {
        for (int n = 0; n < pair; n++) {
            for (int v = 0; v < VECTORS; v++) {
                float *const c = p->c + (size_t)r * p->c_stride + (size_t)n * COP_KEY_BLOCK +
                                 (size_t)v * LANES;
                vec total = sum[0][r][n][v];
                if (chains > 1) total += sum[1][r][n][v];
                if (chains > 2) total += sum[2][r][n][v] + sum[3][r][n][v];
                if (p->add) total += *(const vec *)c;
                *(vec *)c = total;
            }
        }
    }
}

ALWAYS_INLINE void multiply_rows(product p, size_t rows, int pair, bool narrow, bool ahead)
{
    for (; rows >= CHUNK; rows -= CHUNK) {
        multiply_chunk(&p, CHUNK, pair, narrow, ahead);
        p.a += CHUNK * p.a_stride;
        p.c += CHUNK * p.c_stride;
    }
    switch (rows) {
    case 0:
        break;
    case 1:
        multiply_chunk(&p, 1, pair, narrow, ahead);
        break;
#if defined(__AVX__)
    case 2:
        multiply_chunk(&p, 2, pair, narrow, ahead);
        break;
    case 3:
        multiply_chunk(&p, 3, pair, narrow, ahead);
        break;
#endif
#if defined(__AVX512F__)
    case 4:
        multiply_chunk(&p, 4, pair, narrow, ahead);
        break;
    case 5:
        multiply_chunk(&p, 5, pair, narrow, ahead);
        break;
    case 6:
        multiply_chunk(&p, 6, pair, narrow, ahead);
        break;
    case 7:
        multiply_chunk(&p, 7, pair, narrow, ahead);
        break;
#endif
    default:
        assert(false);
    }
}

ALWAYS_INLINE void multiply_as(const product *whole, size_t rows, bool narrow, bool ahead)
{
    product p = *whole;
    for (size_t left = p.blocks; left > 0;) {
        const size_t taken = !ahead && left >= PAIR ? PAIR : 1;
        if (taken == PAIR) {
            multiply_rows(p, rows, PAIR, narrow, ahead);
        } else {
            multiply_rows(p, rows, 1, narrow, ahead);
        }
        left -= taken;
        p.b += taken * p.block_bytes;
        p.c += taken * COP_KEY_BLOCK;
        if (ahead) {
            p.ahead[0] += taken * p.block_bytes;
            p.ahead[1] += taken * p.block_bytes;
        }
    }
}

static void multiply(const product *p, size_t rows, cop_dtype dtype)
{
    const bool ahead = p->ahead[0] != NULL;
    if (dtype == COP_BF16 && ahead) {
        multiply_as(p, rows, true, true);
    } else if (dtype == COP_BF16) {
        multiply_as(p, rows, true, false);
    } else if (ahead) {
        multiply_as(p, rows, false, true);
    } else {
        multiply_as(p, rows, false, false);
    }
}

/* The greatest of COP_KEY_BLOCK numbers, which are lost. */
static float reduce_max(float *lanes)
{
    for (size_t half = COP_KEY_BLOCK / 2; half > 0; half /= 2) {
#pragma omp simd
        for (size_t l = 0; l < half; l++) {
            lanes[l] = lanes[l + half] > lanes[l] ? lanes[l + half] : lanes[l];
        }
    }
    return lanes[0];
}

/* Turns scores [padded] into weights relative to the greatest score so far and scales what was
 * summed before. */
static void weigh_row(const work *w, size_t row, size_t padded)
{
    float *const scores = w->scores + row * TILE;
    float *const totals = w->totals + row * COP_KEY_BLOCK;
    float lanes[COP_KEY_BLOCK];
    for (size_t l = 0; l < COP_KEY_BLOCK; l++) {
        lanes[l] = w->greatest[row];
    }
    for (size_t j = 0; j < padded; j += COP_KEY_BLOCK) {
#pragma omp simd
        for (size_t l = 0; l < COP_KEY_BLOCK; l++) {
            lanes[l] = scores[j + l] > lanes[l] ? scores[j + l] : lanes[l];
        }
    }
    const float greatest = reduce_max(lanes);
    if (greatest == -INFINITY) { /* nothing visible so far */
        memset(scores, 0, padded * sizeof *scores);
        return;
    }
    if (greatest != w->greatest[row]) {
        const float factor = exp_f32(w->greatest[row] - greatest);
        float *const sums = w->sums + row * w->stride;
        w->greatest[row] = greatest;
#pragma omp simd
        for (size_t e = 0; e < w->stride; e++) {
            sums[e] *= factor;
        }
#pragma omp simd
        for (size_t l = 0; l < COP_KEY_BLOCK; l++) {
            totals[l] *= factor;
        }
    }
    for (size_t j = 0; j < padded; j += COP_KEY_BLOCK) {
#pragma omp simd
        for (size_t l = 0; l < COP_KEY_BLOCK; l++) {
            const float weight = exp_f32(scores[j + l] - greatest);
            scores[j + l] = weight;
            totals[l] += weight;
        }
    }
}

/* Hides positions that a query may not see: later ones, those before its window and the padding
 * of the last block. `position` is that of the tile's first key, `count` its keys. */
static void mask_row(const cop_attention_task *task, float *scores, int32_t query,
                     int32_t position, int32_t count)
{
    const int32_t own = task->position + query;
    int32_t end = own + 1 - position;
    if (end > count) end = count;
    int32_t begin = task->window > 0 ? own - task->window + 1 - position : 0;
    if (begin < 0) begin = 0;
    const int32_t padded = (count + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK * COP_KEY_BLOCK;
    for (int32_t j = 0; j < begin && j < padded; j++) {
        scores[j] = -INFINITY;
    }
    for (int32_t j = end > 0 ? end : 0; j < padded; j++) {
        scores[j] = -INFINITY;
    }
}

/* Adds `count` keys and values from index `start` (a whole number of blocks) of a segment. */
static void attend_tile(const cop_attention_task *task, const work *w,
                        const cop_attention_segment *segment, size_t start, size_t count)
{
    const size_t size = (size_t)task->head_size;
    const size_t item = cop_dtype_size(task->kv_dtype);
    const size_t padded = (count + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK * COP_KEY_BLOCK;
    const char *const keys = (const char *)segment->keys + start * size * item;
    const char *const values = (const char *)segment->values + start * w->stride * item;
    /* While a block of keys is worked on, the next and the values of this one are fetched: the
     * processor does not foresee either, and would wait for most of the time. */
    const size_t block_bytes = COP_KEY_BLOCK * size * item;
    const product scores = {.a = w->queries,
                            .a_stride = size,
                            .b = keys,
                            .b_stride = COP_KEY_BLOCK,
                            .blocks = padded / COP_KEY_BLOCK,
                            .block_bytes = block_bytes,
                            .depth = size,
                            .c = w->scores,
                            .c_stride = TILE,
                            .ahead = {keys + block_bytes, values}};
    multiply(&scores, w->rows, task->kv_dtype);
    for (size_t r = 0; r < w->rows; r++) {
        const int32_t query = (int32_t)(r / (size_t)task->group);
        mask_row(task, w->scores + r * TILE, query, segment->first + (int32_t)start,
                 (int32_t)count);
        weigh_row(w, r, padded);
    }
    const product sums = {.a = w->scores,
                          .a_stride = TILE,
                          .b = values,
                          .b_stride = w->stride,
                          .blocks = w->stride / COP_KEY_BLOCK,
                          .block_bytes = COP_KEY_BLOCK * item,
                          .depth = count,
                          .c = w->sums,
                          .c_stride = w->stride,
                          .add = true};
    multiply(&sums, w->rows, task->kv_dtype);
}

static work begin_work(const cop_attention_task *task, float *scratch)
{
    const size_t group = (size_t)task->group;
    const size_t size = (size_t)task->head_size;
    work w = {.rows = (size_t)task->query_count * group,
              .stride = cop_attention_value_stride(size)};
    assert(w.rows <= cop_attention_rows(group));
    w.queries = scratch;
    w.scores = w.queries + w.rows * w.stride;
    w.sums = w.scores + w.rows * TILE;
    w.greatest = w.sums + w.rows * w.stride;
    w.totals = w.greatest + (w.rows + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK * COP_KEY_BLOCK;
    for (size_t r = 0; r < w.rows; r++) {
        const float *const from =
            task->queries + r / group * task->query_stride + r % group * size;
        for (size_t e = 0; e < size; e++) {
            w.queries[r * size + e] = from[e] * task->scale;
        }
        w.greatest[r] = -INFINITY;
    }
    memset(w.totals, 0, w.rows * COP_KEY_BLOCK * sizeof *w.totals);
    memset(w.sums, 0, w.rows * w.stride * sizeof *w.sums);
    return w;
}

static void end_work(const cop_attention_task *task, const work *w)
{
    const size_t group = (size_t)task->group;
    const size_t size = (size_t)task->head_size;
    for (size_t r = 0; r < w->rows; r++) {
        const size_t at = r / group * task->out_stride + r % group * size;
        const float *const sums = w->sums + r * w->stride;
        float total = 0.0F;
        for (size_t l = 0; l < COP_KEY_BLOCK; l++) {
            total += w->totals[r * COP_KEY_BLOCK + l];
        }
        const float factor = 1.0F / total;
        if (task->out_dtype == COP_BF16) {
            uint16_t *const out = (uint16_t *)task->out + at;
            for (size_t e = 0; e < size; e++) {
                out[e] = narrow_bf16(sums[e] * factor);
            }
        } else {
            float *const out = (float *)task->out + at;
            for (size_t e = 0; e < size; e++) {
                out[e] = sums[e] * factor;
            }
        }
    }
}

void COP_KERNEL(cop_kernel_attention)(const cop_attention_task *task, float *scratch)
{
    const work w = begin_work(task, scratch);
    const int32_t last = task->position + task->query_count - 1;
    const int32_t oldest = task->window > 0 ? task->position - task->window + 1 : 0;
    for (int32_t s = 0; s < task->segment_count; s++) {
        const cop_attention_segment *const segment = &task->segments[s];
        int32_t end = last + 1 - segment->first;
        if (end > segment->count) end = segment->count;
        int32_t start = oldest - segment->first;
        start = start > 0 ? start / COP_KEY_BLOCK * COP_KEY_BLOCK : 0;
        for (; start < end; start += TILE) {
            const int32_t count = end - start < TILE ? end - start : TILE;
            attend_tile(task, &w, segment, (size_t)start, (size_t)count);
        }
    }
    end_work(task, &w);
}
