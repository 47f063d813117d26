/* Attention of one task: a block of queries against the keys and values of one KV head, a tile
 * of positions at a time (Milakov and Gimelshein, arXiv 1805.02867). Weights are kept relative
 * to the greatest score so far; when it rises, the sums are scaled down.
 *
 * Over a cache in bf16 both products are those of product.c: queries and weights are rounded to
 * bf16, tiles begin at multiples of COP_ATTENTION_TILE of the position, and a weight that
 * rounds adds to the total what it adds to the sums. So a row's bits follow neither the rows
 * beside it, nor threads, nor the processor. Over a cache in binary32 the order of sums is the
 * compiler's vectors', the same on one processor. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#if defined(__FMA__)
#include <immintrin.h>
#endif

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
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Scratch of a task, rows [query, head of the group]. */
typedef struct work {
    float *queries;   /* [rows, query stride], scaled unless they are of bf16 */
    float *scores;    /* [rows, TILE], then weights */
    float *sums;      /* [rows, value stride] */
    float *greatest;  /* [rows] */
    float *totals;    /* [rows, COP_KEY_BLOCK] of weights */
    uint16_t *narrow; /* [rows, TILE] weights for products that take bf16 as it is */
    size_t rows;
    size_t query_stride;
    size_t stride; /* of sums, and of values in binary32 */
} work;

/* c [rows, blocks, COP_KEY_BLOCK] (+)= a [rows, depth] * b [blocks] [depth, COP_KEY_BLOCK]. */
typedef struct product {
    const float *a;
    size_t a_stride;
    const char *b;
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

ALWAYS_INLINE vec load(const void *b, size_t index)
{
    return *(const vec *)((const float *)b + index);
}

/* a b + c, rounded once where the processor can. */
ALWAYS_INLINE vec multiply_add(float a, vec b, vec c)
{
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(_mm512_set1_ps(a), b, c);
#elif defined(__FMA__)
    return _mm256_fmadd_ps(_mm256_set1_ps(a), b, c);
#else
    return a * b + c;
#endif
}

ALWAYS_INLINE void fetch_ahead(const product *p, size_t index)
{
    const size_t at = index * p->b_stride * sizeof(float);
    __builtin_prefetch(p->ahead[0] + at);
    __builtin_prefetch(p->ahead[1] + at);
}

/* Sums of one step of depth: rows times blocks times vectors. */
ALWAYS_INLINE void multiply_step(const product *p, vec sum[CHUNK][PAIR][VECTORS], size_t index,
                                 int rows, int pair)
{
    for (int n = 0; n < pair; n++) {
        const char *const block = p->b + (size_t)n * p->block_bytes;
        for (int v = 0; v < VECTORS; v++) {
            const vec b = load(block, index * p->b_stride + (size_t)v * LANES);
            for (int r = 0; r < rows; r++) {
                sum[r][n][v] =
                    multiply_add(p->a[(size_t)r * p->a_stride + index], b, sum[r][n][v]);
            }
        }
    }
}

/* `pair` blocks for `rows` rows. Few sums would wait for each other's addition: then there are
 * two or four chains of them, joined at the end. All of the parameters but p are constants at
 * every call, so that loops unroll and branches vanish. */
ALWAYS_INLINE void multiply_chunk(const product *p, int rows, int pair, bool ahead)
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
            if (ahead) fetch_ahead(p, i + (size_t)s);
            multiply_step(p, sum[s % chains], i + (size_t)s, rows, pair);
        }
    }
    for (; i < p->depth; i++) {
        multiply_step(p, sum[0], i, rows, pair);
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

ALWAYS_INLINE void multiply_rows(product p, size_t rows, int pair, bool ahead)
{
    for (; rows >= CHUNK; rows -= CHUNK) {
        multiply_chunk(&p, CHUNK, pair, ahead);
        p.a += CHUNK * p.a_stride;
        p.c += CHUNK * p.c_stride;
    }
    switch (rows) {
    case 0:
        break;
    case 1:
        multiply_chunk(&p, 1, pair, ahead);
        break;
#if defined(__AVX__)
    case 2:
        multiply_chunk(&p, 2, pair, ahead);
        break;
    case 3:
        multiply_chunk(&p, 3, pair, ahead);
        break;
#endif
#if defined(__AVX512F__)
    case 4:
        multiply_chunk(&p, 4, pair, ahead);
        break;
    case 5:
        multiply_chunk(&p, 5, pair, ahead);
        break;
    case 6:
        multiply_chunk(&p, 6, pair, ahead);
        break;
    case 7:
        multiply_chunk(&p, 7, pair, ahead);
        break;
#endif
    default:
        assert(false);
    }
}

ALWAYS_INLINE void multiply_as(const product *whole, size_t rows, bool ahead)
{
    product p = *whole;
    for (size_t left = p.blocks; left > 0;) {
        const size_t taken = !ahead && left >= PAIR ? PAIR : 1;
        if (taken == PAIR) {
            multiply_rows(p, rows, PAIR, ahead);
        } else {
            multiply_rows(p, rows, 1, ahead);
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

static void multiply(const product *p, size_t rows)
{
    if (p->ahead[0] != NULL) {
        multiply_as(p, rows, true);
    } else {
        multiply_as(p, rows, false);
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
 * summed before. `narrow`: weights are rounded to bf16. */
ALWAYS_INLINE void weigh_row(const work *w, size_t row, size_t padded, bool narrow)
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
            const float exact = exp_f32(scores[j + l] - greatest);
            const float weight = narrow ? widen_bf16(narrow_bf16(exact)) : exact;
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

/* Where the tile's keys and values begin. */
typedef struct tile {
    const cop_attention_segment *segment;
    size_t start;  /* index of its first position in the segment, a whole number of blocks */
    size_t count;  /* positions */
    size_t padded; /* to whole blocks of keys */
} tile;

/* Scores and sums over a cache in binary32. */
static void score_wide(const cop_attention_task *task, const work *w, const tile *t)
{
    const size_t size = (size_t)task->head_size;
    const char *const keys = (const char *)t->segment->keys + t->start * size * sizeof(float);
    const char *const values =
        (const char *)t->segment->values + t->start * w->stride * sizeof(float);
    /* While a block of keys is worked on, the next and the values of this one are fetched: the
     * processor does not foresee either, and would wait for most of the time. */
    const size_t block_bytes = COP_KEY_BLOCK * size * sizeof(float);
    const product scores = {.a = w->queries,
                            .a_stride = w->query_stride,
                            .b = keys,
                            .b_stride = COP_KEY_BLOCK,
                            .blocks = t->padded / COP_KEY_BLOCK,
                            .block_bytes = block_bytes,
                            .depth = size,
                            .c = w->scores,
                            .c_stride = TILE,
                            .ahead = {keys + block_bytes, values}};
    multiply(&scores, w->rows);
}

static void sum_wide(const work *w, const tile *t)
{
    const product sums = {.a = w->scores,
                          .a_stride = TILE,
                          .b = (const char *)t->segment->values +
                               t->start * w->stride * sizeof(float),
                          .b_stride = w->stride,
                          .blocks = w->stride / COP_KEY_BLOCK,
                          .block_bytes = COP_KEY_BLOCK * sizeof(float),
                          .depth = t->count,
                          .c = w->sums,
                          .c_stride = w->stride,
                          .add = true};
    multiply(&sums, w->rows);
}

/* Scores and sums over a cache in bf16. */
static void score_narrow(const cop_attention_task *task, const work *w, const tile *t)
{
    const size_t depth = cop_attention_key_depth((size_t)task->head_size);
    const cop_product scores = {.a = w->queries,
                                .a_stride = w->query_stride,
                                .b = (const uint32_t *)t->segment->keys + t->start * depth / 2,
                                .b_stride = depth / 2 * COP_PANEL,
                                .c = w->scores,
                                .c_stride = TILE,
                                .fresh = true,
                                .rows = w->rows,
                                .panels = t->padded / COP_PANEL,
                                .depth = depth};
    task->product(&scores);
    for (size_t r = 0; r < w->rows; r++) {
#pragma omp simd
        for (size_t j = 0; j < t->padded; j++)
            w->scores[r * TILE + j] *= task->scale;
    }
}

static void sum_narrow(const cop_attention_task *task, const work *w, const tile *t)
{
    const size_t depth =
        (t->count + COP_PRODUCT_BLOCK - 1) / COP_PRODUCT_BLOCK * COP_PRODUCT_BLOCK;
    cop_product sums = {.a = w->scores,
                        .a_stride = TILE,
                        .b = (const uint32_t *)t->segment->values + t->start / 2 * COP_PANEL,
                        .b_stride = task->value_panel_words,
                        .c = w->sums,
                        .c_stride = w->stride,
                        .rows = w->rows,
                        .panels = w->stride / COP_PANEL,
                        .depth = depth};
    for (size_t r = 0; r < w->rows && depth > t->padded; r++)
        memset(w->scores + r * TILE + t->padded, 0, (depth - t->padded) * sizeof(float));
    if (task->product_input == COP_BF16) {
        for (size_t i = 0; i < w->rows * TILE; i++)
            w->narrow[i] = (uint16_t)(float_bits(w->scores[i]) >> 16); /* rounded before */
        sums.a = w->narrow;
    }
    task->product(&sums);
}

/* Adds `count` keys and values from index `start` (a whole number of blocks) of a segment. */
static void attend_tile(const cop_attention_task *task, const work *w, const tile *t)
{
    const bool narrow = task->kv_dtype == COP_BF16;
    if (narrow) {
        score_narrow(task, w, t);
    } else {
        score_wide(task, w, t);
    }
    for (size_t r = 0; r < w->rows; r++) {
        const int32_t query = (int32_t)(r / (size_t)task->group);
        mask_row(task, w->scores + r * TILE, query, t->segment->first + (int32_t)t->start,
                 (int32_t)t->count);
        if (narrow) {
            weigh_row(w, r, t->padded, true);
        } else {
            weigh_row(w, r, t->padded, false);
        }
    }
    if (narrow) {
        sum_narrow(task, w, t);
    } else {
        sum_wide(w, t);
    }
}

/* Queries as the products take them. */
static void take_query(const cop_attention_task *task, const work *w, size_t row,
                       const float *from)
{
    const size_t size = (size_t)task->head_size;
    float *const wide = w->queries + row * w->query_stride;
    if (task->kv_dtype == COP_F32) {
        for (size_t e = 0; e < size; e++)
            wide[e] = from[e] * task->scale;
    } else if (task->product_input == COP_F32) {
        for (size_t e = 0; e < size; e++)
            wide[e] = widen_bf16(narrow_bf16(from[e]));
        memset(wide + size, 0, (w->query_stride - size) * sizeof *wide);
    } else {
        uint16_t *const narrow = (uint16_t *)(void *)w->queries + row * w->query_stride;
        for (size_t e = 0; e < size; e++)
            narrow[e] = narrow_bf16(from[e]);
        memset(narrow + size, 0, (w->query_stride - size) * sizeof *narrow);
    }
}

static work begin_work(const cop_attention_task *task, float *scratch)
{
    const size_t group = (size_t)task->group;
    const size_t size = (size_t)task->head_size;
    work w = {.rows = (size_t)task->query_count * group,
              .query_stride = cop_attention_key_depth(size),
              .stride = cop_attention_value_stride(size)};
    assert(w.rows <= cop_attention_rows(group));
    w.queries = scratch;
    w.scores = w.queries + w.rows * w.query_stride;
    w.sums = w.scores + w.rows * TILE;
    w.greatest = w.sums + w.rows * w.stride;
    w.totals = w.greatest + (w.rows + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK * COP_KEY_BLOCK;
    w.narrow = (uint16_t *)(void *)(w.totals + w.rows * COP_KEY_BLOCK);
    for (size_t r = 0; r < w.rows; r++) {
        take_query(task, &w, r,
                   task->queries + r / group * task->query_stride + r % group * size);
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
        start = start > 0 ? start / TILE * TILE : 0;
        for (; start < end; start += TILE) {
            const int32_t count = end - start < TILE ? end - start : TILE;
            const tile t = {.segment = segment,
                            .start = (size_t)start,
                            .count = (size_t)count,
                            .padded = ((size_t)count + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK *
                                      COP_KEY_BLOCK};
            attend_tile(task, &w, &t);
        }
    }
    end_work(task, &w);
}
