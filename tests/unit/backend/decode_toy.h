/* A model of one block whose arithmetic is exact in binary32 and in bf16, so that every backend
 * must choose the same ids: embeddings are unit vectors, a query ranks all ids and its softmax
 * takes all from the best in sight, values are small integers, of which the output picks one
 * each. What an answer goes on with depends on all that its sequence holds. */
#ifndef COPPICE_TESTS_DECODE_TOY_H
#define COPPICE_TESTS_DECODE_TOY_H

#include "unit/backend/backend_support.h"

enum { TOY_SIZE = 64, TOY_MOST_ROWS = 48 };

typedef struct toy_shape {
    size_t vocabulary; /* 2 .. TOY_SIZE, the width too */
    int32_t heads, kv_heads, window;
    size_t slots, length;
    size_t most_rows;
    uint64_t seed;
    bool has_bad; /* the last id's embedding is not finite */
} toy_shape;

typedef struct toy {
    toy_shape shape;
    cop_attention_shape attention;
    cop_backend *backend;
    cop_buffer *table, *rope, *residual, *input, *output, *logits;
    cop_matrix *qkv, *o, *head;
    cop_kv *kv;
    size_t calls; /* of toy_step */
} toy;

static inline cop_matrix *toy_matrix(cop_backend *b, const float *values, size_t n, size_t k)
{
    cop_error err = {0};
    cop_matrix *matrix = NULL;
    cop_buffer *stage = NULL;
    must(b->ops->matrix_create(b, n, k, COP_F32, 1, &matrix, &err), &err);
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    must(b->ops->upload(b, stage, 0, values, n * k * sizeof(float), &err), &err);
    must(b->ops->matrix_commit(b, matrix, 0, stage, &err), &err);
    return matrix;
}

static inline void toy_shuffle(rng *r, size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        const size_t other = rng_next(r) % i;
        const size_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

/* Column `id` of qkv [(H + 2 G) E, V] is what that id asks for, answers to and says. */
static inline float *toy_qkv(const toy_shape *s, rng *r)
{
    const size_t rows = (size_t)(s->heads + 2 * s->kv_heads) * TOY_SIZE;
    float *const w = calloc(rows * s->vocabulary, sizeof *w);
    assert_non_null(w);
    size_t order[TOY_SIZE];
    for (size_t h = 0; h < rows / TOY_SIZE; h++) {
        float *const at = w + h * TOY_SIZE * s->vocabulary;
        const bool is_query = h < (size_t)s->heads;
        const bool is_key = !is_query && h < (size_t)(s->heads + s->kv_heads);
        toy_shuffle(r, order, TOY_SIZE);
        for (size_t id = 0; id < s->vocabulary; id++) {
            if (is_key) at[order[id] * s->vocabulary + id] = 1.0F;
            if (is_query) toy_shuffle(r, order, TOY_SIZE);
            for (size_t i = 0; i < TOY_SIZE && !is_key; i++) {
                at[i * s->vocabulary + id] =
                    is_query ? (float)order[i] : (float)(rng_next(r) % 5) - 2.0F;
            }
        }
    }
    return w;
}

static inline void toy_create(toy *t, cop_backend *b, const toy_shape *shape)
{
    rng r = {shape->seed};
    cop_error err = {0};
    const size_t v = shape->vocabulary;
    const size_t width = (size_t)shape->heads * TOY_SIZE;
    const size_t qkv_width = width + 2 * (size_t)shape->kv_heads * TOY_SIZE;
    *t = (toy){.shape = *shape,
               .attention = {.heads = shape->heads,
                             .kv_heads = shape->kv_heads,
                             .head_size = TOY_SIZE,
                             .window = shape->window,
                             .scale = 128.0F},
               .backend = b};
    float *const table = calloc(v * v, sizeof *table);
    float *const o = calloc(v * width, sizeof *o);
    float *const rope = calloc(shape->length * TOY_SIZE, sizeof *rope);
    assert_true(table != NULL && o != NULL && rope != NULL);
    for (size_t i = 0; i < v; i++) {
        table[i * v + i] = 1.0F;
        o[i * width + rng_next(&r) % width] = rng_next(&r) % 2 == 0 ? 1.0F : -1.0F;
    }
    if (shape->has_bad) table[v * v - 1] = INFINITY;
    for (size_t i = 0; i < shape->length * TOY_SIZE; i++)
        rope[i] = i % TOY_SIZE < TOY_SIZE / 2 ? 1.0F : 0.0F; /* turned by nothing */
    float *const qkv = toy_qkv(shape, &r);
    float *const head = make_floats(&r, v * v, true);
    t->table = make_buffer(b, table, v * v, COP_F32);
    t->rope = make_buffer(b, rope, shape->length * TOY_SIZE, COP_F32);
    t->residual = make_buffer(b, NULL, TOY_MOST_ROWS * v, b->residual);
    t->input = make_buffer(b, NULL, TOY_MOST_ROWS * (v > width ? v : width), b->input);
    t->output = make_buffer(b, NULL, TOY_MOST_ROWS * qkv_width, b->output);
    t->logits = make_buffer(b, NULL, TOY_MOST_ROWS * v, b->output);
    t->qkv = toy_matrix(b, qkv, qkv_width, v);
    t->o = toy_matrix(b, o, v, width);
    t->head = toy_matrix(b, head, v, v);
    must(b->ops->kv_create(b, 1, shape->slots, shape->length, &t->attention, &t->kv, &err),
         &err);
    free(table);
    free(o);
    free(rope);
    free(qkv);
    free(head);
}

static inline void toy_destroy(toy *t)
{
    cop_backend *const b = t->backend;
    cop_buffer *const used[] = {t->table, t->rope, t->residual, t->input, t->output, t->logits};
    drop_buffers(b, used, 6);
    b->ops->matrix_destroy(b, &t->qkv);
    b->ops->matrix_destroy(b, &t->o);
    b->ops->matrix_destroy(b, &t->head);
    b->ops->kv_destroy(b, &t->kv);
}

/* cop_decode::step; for prompts too. */
static inline cop_status toy_step(void *context, const int32_t *ids, const cop_batch *batch,
                                  cop_error *err)
{
    toy *const t = context;
    cop_backend *const b = t->backend;
    const size_t v = t->shape.vocabulary;
    t->calls++;
    COP_TRY(b->ops->embed(b, t->residual, t->table, COP_F32, ids, batch->rows, v, 1.0F, err));
    b->ops->convert(b, t->input, t->residual, batch->rows, v);
    COP_TRY(b->ops->gemm(b, t->output, t->input, t->qkv, NULL, batch->rows, err));
    b->ops->rope_store(b, t->output, t->kv, 0, batch, &t->attention, t->rope, NULL, NULL);
    b->ops->attention(b, t->input, t->output, t->kv, 0, batch, &t->attention);
    COP_TRY(b->ops->gemm_add(b, t->residual, t->input, t->o, NULL, batch->rows, err));
    b->ops->convert(b, t->input, t->residual, batch->rows, v);
    return b->ops->gemm(b, t->logits, t->input, t->head, NULL, batch->rows, err);
}

/* Puts ids [rows] of one sequence, after `past` others, into the cache. */
static inline void toy_feed(toy *t, const int32_t *ids, cop_span span, int32_t prefix)
{
    cop_error err = {0};
    const cop_batch batch = {.spans = &span,
                             .span_count = 1,
                             .rows = (size_t)span.rows,
                             .prefix = prefix,
                             .prefix_slot = (int32_t)t->shape.slots - 1};
    if (span.rows > 0) must(toy_step(t, ids, &batch, &err), &err);
}

static inline cop_decode toy_decode(toy *t, const cop_decode_row *rows, size_t count,
                                    int32_t prefix)
{
    return (cop_decode){.rows = rows,
                        .count = count,
                        .most_rows = t->shape.most_rows,
                        .prefix = prefix,
                        .prefix_slot = (int32_t)t->shape.slots - 1,
                        .logits = t->logits,
                        .vocabulary = t->shape.vocabulary,
                        .step = toy_step,
                        .context = t};
}

#endif
