/* Rotary embedding, KV cache and attention of every backend against the reference: random
 * shapes, windows, shared prefixes, prompts in pieces, decoding of a shrinking batch. */
#include "unit/backend/backend_support.h"

enum { LAYERS = 2, MAX_SLOTS = 6, MAX_POSITIONS = 200 };

typedef struct scenario {
    cop_attention_shape shape;
    size_t slots; /* the last one holds the prefix */
    int32_t prefix;
    int32_t past[MAX_SLOTS];
    cop_buffer *rope[2];
    cop_buffer *norms[2][2]; /* [backend][q, k] */
    cop_kv *kv[2];
    pair p;
    rng r;
    bool exact; /* no rotation, and numbers whose scores have no rounding */
} scenario;

static size_t row_width(const scenario *s)
{
    return (size_t)(s->shape.heads + 2 * s->shape.kv_heads) * (size_t)s->shape.head_size;
}

/* Angles as of a model: every pair of a head turns at its own speed. */
static float *make_rope(const scenario *s)
{
    const size_t size = (size_t)s->shape.head_size;
    float *const table = malloc(MAX_POSITIONS * size * sizeof *table);
    assert_non_null(table);
    for (size_t p = 0; p < MAX_POSITIONS; p++) {
        for (size_t i = 0; i < size / 2; i++) {
            const double speed = s->exact ? 0.0 : pow(100.0, -2.0 * (double)i / (double)size);
            const double angle = (double)p * speed;
            table[p * size + i] = (float)cos(angle);
            table[p * size + size / 2 + i] = (float)sin(angle);
        }
    }
    return table;
}

static void begin(scenario *s)
{
    const size_t size = (size_t)s->shape.head_size;
    const bool wide = s->shape.qk_norm == COP_QK_NORM_WIDTH;
    float *const table = make_rope(s);
    float *const weights[2] = {make_floats(&s->r, (size_t)s->shape.heads * size, false),
                               make_floats(&s->r, (size_t)s->shape.heads * size, false)};
    const size_t widths[2] = {wide ? (size_t)s->shape.heads * size : size,
                              wide ? (size_t)s->shape.kv_heads * size : size};
    for (int i = 0; i < 2; i++) {
        cop_error err = {0};
        s->rope[i] = make_buffer(s->p.b[i], table, MAX_POSITIONS * size, COP_F32);
        s->norms[i][0] = make_buffer(s->p.b[i], weights[0], widths[0], COP_F32);
        s->norms[i][1] = make_buffer(s->p.b[i], weights[1], widths[1], COP_F32);
        must(s->p.b[i]->ops->kv_create(s->p.b[i], LAYERS, s->slots, MAX_POSITIONS, &s->shape,
                                       &s->kv[i], &err),
             &err);
    }
    free(table);
    free(weights[0]);
    free(weights[1]);
}

static void end(scenario *s)
{
    for (int i = 0; i < 2; i++) {
        drop_buffers(s->p.b[i], &s->rope[i], 1);
        drop_buffers(s->p.b[i], s->norms[i], 2);
        s->p.b[i]->ops->kv_destroy(s->p.b[i], &s->kv[i]);
        assert_null(s->kv[i]);
    }
    drop_pair(&s->p);
}

/* One layer of one pass over new rows: queries and results of both backends are compared. */
static void check_layer(scenario *s, const cop_batch *batch, size_t layer)
{
    const size_t width = row_width(s);
    const size_t out_width = (size_t)(s->shape.heads * s->shape.head_size);
    float *const qkv = make_floats(&s->r, batch->rows * width, s->exact);
    cop_buffer *qkvs[2];
    cop_buffer *outs[2];
    const cop_dtype dtypes[2] = {s->p.b[0]->input, s->p.b[1]->input};
    for (int i = 0; i < 2; i++) {
        cop_backend *const b = s->p.b[i];
        const bool norm = s->shape.qk_norm != COP_QK_NORM_NONE;
        qkvs[i] = make_buffer(b, qkv, batch->rows * width, b->output);
        outs[i] = make_buffer(b, NULL, batch->rows * out_width, b->input);
        b->ops->rope_store(b, qkvs[i], s->kv[i], layer, batch, &s->shape, s->rope[i],
                           norm ? s->norms[i][0] : NULL, norm ? s->norms[i][1] : NULL);
        b->ops->attention(b, outs[i], qkvs[i], s->kv[i], layer, batch, &s->shape);
    }
    const cop_dtype output[2] = {s->p.b[0]->output, s->p.b[1]->output};
    const double store = rounding_of(output[0]);
    expect_same(&s->p, qkvs, output, batch->rows * width, 4e-6 + store, store, "rope");
    /* Results are means of values within [-1, 1]. In bf16, keys are off by 2^-9 of their size
     * each, which moves scores (of a size of 10 at most) by some 2^-8 and the weights by as
     * much. */
    const double bound = dtypes[0] == COP_F32 ? 1e-5 : s->exact ? 0x1p-8 : 0.02;
    expect_same(&s->p, outs, dtypes, batch->rows * out_width, bound, 0, "attention");
    for (int i = 0; i < 2; i++) {
        drop_buffers(s->p.b[i], &qkvs[i], 1);
        drop_buffers(s->p.b[i], &outs[i], 1);
    }
    free(qkv);
}

static void run_batch(scenario *s, const cop_span *spans, size_t count)
{
    cop_batch batch = {.spans = spans,
                       .span_count = count,
                       .prefix = s->prefix,
                       .prefix_slot = (int32_t)s->slots - 1};
    for (size_t i = 0; i < count; i++) {
        batch.rows += (size_t)spans[i].rows;
    }
    for (size_t layer = 0; layer < LAYERS; layer++) {
        check_layer(s, &batch, layer);
    }
}

static void add_span(cop_span *spans, size_t *count, int32_t slot, int32_t rows, int32_t past)
{
    const int32_t first =
        *count == 0 ? 0 : spans[*count - 1].first_row + spans[*count - 1].rows;
    spans[(*count)++] = (cop_span){slot, first, rows, past};
}

/* The prefix in two pieces, the second in the same batch as the prompts; prompts in two pieces;
 * then steps of one row in which sequences drop out, slots in falling order. */
static void play(scenario *s)
{
    cop_span spans[2 * MAX_SLOTS];
    size_t count = 0;
    const int32_t prefix_slot = (int32_t)s->slots - 1;
    if (s->prefix > 1) {
        add_span(spans, &count, prefix_slot, s->prefix / 2, 0);
        run_batch(s, spans, count);
        count = 0;
    }
    if (s->prefix > 0) {
        add_span(spans, &count, prefix_slot, s->prefix - s->prefix / 2, s->prefix / 2);
    }
    const int32_t sequences = prefix_slot;
    for (int32_t slot = sequences - 1; slot >= 0; slot--) {
        const int32_t rows = (int32_t)rng_between(&s->r, 1, 70);
        add_span(spans, &count, slot, rows, s->prefix);
        s->past[slot] = s->prefix + rows;
    }
    run_batch(s, spans, count);
    count = 0;
    for (int32_t slot = 0; slot < sequences; slot += 2) {
        const int32_t rows = (int32_t)rng_between(&s->r, 1, 20);
        add_span(spans, &count, slot, rows, s->past[slot]);
        s->past[slot] += rows;
    }
    run_batch(s, spans, count);
    for (int32_t live = sequences; live > 0; live--) {
        count = 0;
        for (int32_t slot = live - 1; slot >= 0; slot--) {
            add_span(spans, &count, slot, 1, s->past[slot]++);
        }
        run_batch(s, spans, count);
    }
}

static void test_scenarios(void **state)
{
    static const int32_t sizes[] = {2, 16, 20, 32, 48, 64, 80, 96, 128};
    const backend_case *const c = *state;
    const int scenarios = c->emulated ? 8 : 24;
    rng r = {7};
    for (int i = 0; i < scenarios; i++) {
        scenario s = {.p = make_pair(c), .r = {rng_next(&r)}};
        s.shape.kv_heads = (int32_t)rng_between(&r, 1, 3);
        s.shape.heads = s.shape.kv_heads * (int32_t)rng_between(&r, 1, 9);
        s.shape.head_size = sizes[rng_next(&r) % (sizeof sizes / sizeof sizes[0])];
        s.shape.window = i % 3 == 0 ? (int32_t)rng_between(&r, 1, 90) : 0;
        s.shape.scale = 1.0F / sqrtf((float)s.shape.head_size);
        s.shape.qk_norm = (cop_qk_norm)(i % 3);
        s.shape.eps = 1e-6F;
        s.slots = rng_between(&r, 2, MAX_SLOTS);
        s.prefix = i % 2 == 0 ? 0 : (int32_t)rng_between(&r, 1, 70);
        begin(&s);
        play(&s);
        end(&s);
    }
}

/* The largest heads that models have, and what does not fill a warp or a vector beside them. */
static void test_large_heads(void **state)
{
    static const int32_t sizes[] = {160, 192, 250, 256};
    rng r = {11};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        scenario s = {.p = make_pair(*state), .r = {rng_next(&r)}};
        s.shape = (cop_attention_shape){.heads = 4,
                                        .kv_heads = 2,
                                        .head_size = sizes[i],
                                        .scale = 0.0625F,
                                        .window = i % 2 == 0 ? 0 : 40,
                                        .qk_norm = (cop_qk_norm)(i % 3),
                                        .eps = 1e-6F};
        s.slots = 3;
        s.prefix = i < 2 ? 0 : 37;
        begin(&s);
        play(&s);
        end(&s);
    }
}

/* Sharp scores: one position takes all the weight, so that a wrong mask or place of a single
 * key shows in full. */
static void test_sharp(void **state)
{
    rng r = {8};
    for (int i = 0; i < 6; i++) {
        scenario s = {.p = make_pair(*state), .r = {rng_next(&r)}, .exact = true};
        s.shape =
            (cop_attention_shape){.heads = 4, .kv_heads = 2, .head_size = 32, .scale = 8.0F};
        s.shape.window = i % 2 == 0 ? 0 : 5 + 16 * i;
        s.slots = 4;
        s.prefix = 11 * i;
        begin(&s);
        play(&s);
        end(&s);
    }
}

/* The same spans twice, without a prefix and then with one. */
static void test_other_prefix(void **state)
{
    scenario s = {.p = make_pair(*state), .r = {10}};
    s.shape = (cop_attention_shape){.heads = 4, .kv_heads = 2, .head_size = 16, .scale = 0.25F};
    s.slots = 2;
    begin(&s);
    s.prefix = 10;
    run_batch(&s, &(cop_span){.slot = 1, .rows = 10}, 1);
    s.prefix = 0;
    run_batch(&s, &(cop_span){.slot = 0, .rows = 10}, 1);
    const cop_span span = {.slot = 0, .rows = 7, .past = 10};
    run_batch(&s, &span, 1);
    s.prefix = 10;
    run_batch(&s, &span, 1);
    end(&s);
}

static void test_empty(void **state)
{
    scenario s = {.p = make_pair(*state), .r = {9}};
    s.shape = (cop_attention_shape){.heads = 2, .kv_heads = 1, .head_size = 16, .scale = 0.25F};
    s.slots = 2;
    begin(&s);
    run_batch(&s, NULL, 0);
    const cop_span nothing[2] = {{.slot = 0, .rows = 0}, {.slot = 1, .rows = 0, .past = 3}};
    run_batch(&s, nothing, 2);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios), cmocka_unit_test(test_large_heads),
        cmocka_unit_test(test_sharp),     cmocka_unit_test(test_other_prefix),
        cmocka_unit_test(test_empty),
    };
    return run_backend_tests("backend attention", tests, sizeof tests / sizeof tests[0]);
}
