/* Noise and rebuilt weights of every backend: bit for bit what the plain definition gives. */
#include "unit/backend/backend_support.h"

#include "coppice/noise/noise.h"

enum { MOST_COMPONENTS = 150 };

static void make_components(rng *r, cop_component *components, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        components[j].seed = (uint64_t)rng_next(r) << 32 | rng_next(r);
        components[j].amplitude = rng_float(r) * 0.01F;
        components[j].factor = 0;
    }
}

/* Makes sums of some of them: up to five in a row, at any place. */
static void make_sums(rng *r, cop_component *components, size_t count)
{
    for (size_t j = 0; j < count;) {
        const size_t length = rng_between(r, 0, 5);
        for (size_t i = 1; i < length && j + 1 < count; i++)
            components[j++].factor = COP_IN_SUM;
        components[j++].factor = length == 0 ? 0 : 0.5F + (float)rng_between(r, 0, 3);
    }
}

static uint16_t *make_stored(rng *r, size_t count, cop_dtype dtype)
{
    float *const values = make_floats(r, count, false);
    uint16_t *const stored = encode(values, count, dtype);
    free(values);
    return stored;
}

/* What rebuild.h says of the parts, by the scalar kernel. */
static void expect_part(const void *got, const void *base, const cop_weight_part *part,
                        const cop_component *components, size_t count)
{
    const size_t size = cop_dtype_size(part->keep_sums ? COP_F32 : part->dtype);
    char *const want = malloc(part->count * size + 1);
    assert_non_null(want);
    const cop_rebuild_piece piece = {.base = base,
                                     .out = want,
                                     .dtype = part->dtype,
                                     .count = part->count,
                                     .tensor = part->tensor,
                                     .scale = part->scale,
                                     .low = part->low,
                                     .base_is_sums = part->base_is_sums,
                                     .keep_sums = part->keep_sums};
    cop_rebuild_run(&piece, components, count, 1, COP_ISA_SCALAR);
    for (size_t i = 0; i < part->count; i++) {
        if (memcmp((const char *)got + i * size, want + i * size, size) == 0) continue;
        fail_msg("element %zu of %zu, %s, %zu components, scale %g", i, part->count,
                 cop_dtype_name(part->dtype), count, (double)part->scale);
    }
    free(want);
}

/* Two parts of a fused weight, at any place of the buffer, of full noise or of low rank. */
static void check_fused(cop_backend *b, rng *r, cop_dtype dtype, size_t component_count,
                        size_t rank)
{
    cop_error err = {0};
    const size_t size = cop_dtype_size(dtype);
    cop_low_rank low[2] = {{0}, {0}};
    size_t counts[2];
    for (size_t i = 0; i < 2; i++) {
        counts[i] = rng_between(r, 1, 700);
        if (rank == 0) continue;
        low[i] = (cop_low_rank){rank, rng_between(r, 1, 70), rng_between(r, 1, 150)};
        counts[i] = low[i].rows * low[i].columns;
    }
    const size_t offset = rng_between(r, 0, 5);
    const size_t total = offset + counts[0] + counts[1];
    cop_component components[MOST_COMPONENTS];
    make_components(r, components, component_count);
    if (rng_next(r) % 2 == 0) make_sums(r, components, component_count);
    void *bases[2];
    cop_buffer *wrapped[2] = {NULL, NULL};
    cop_weight_part parts[2];
    for (size_t i = 0; i < 2; i++) {
        bases[i] = make_stored(r, counts[i], dtype);
        must(b->ops->buffer_wrap(b, bases[i], counts[i] * size, &wrapped[i], &err), &err);
        parts[i] = (cop_weight_part){.base = wrapped[i],
                                     .dtype = dtype,
                                     .count = counts[i],
                                     .tensor = rng_next(r),
                                     .scale = i == 0 ? 1.0F : rng_float(r),
                                     .low = low[i]};
    }
    if (rng_next(r) % 4 == 0) parts[1].scale = 0.0F;
    cop_buffer *const out = make_buffer(b, NULL, total + 3, dtype);
    must(b->ops->rebuild(b, out, offset, parts, 2, components, component_count, &err), &err);
    char *const got = malloc((total + 3) * size);
    assert_non_null(got);
    must(b->ops->download(b, out, 0, got, (total + 3) * size, &err), &err);
    expect_part(got + offset * size, bases[0], &parts[0], components, component_count);
    expect_part(got + (offset + counts[0]) * size, bases[1], &parts[1], components,
                component_count);
    const char zeros[32] = {0};
    assert_memory_equal(got, zeros, offset * size);
    assert_memory_equal(got + total * size, zeros, 3 * size);
    free(got);
    drop_buffers(b, wrapped, 2);
    drop_buffers(b, &out, 1);
    free(bases[0]);
    free(bases[1]);
}

static void test_parts(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {51};
    static const size_t counts[] = {0, 1, 2, 16, MOST_COMPONENTS};
    for (int d = 0; d < 3; d++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            for (size_t i = 0; i < 3; i++)
                check_fused(b, &r, (cop_dtype)d, counts[c], 0);
            check_fused(b, &r, (cop_dtype)d, counts[c], rng_between(&r, 1, 5));
        }
    }
    cop_backend_destroy(&b);
}

/* In two steps, sums kept between: the same bits as in one. */
static void test_two_steps(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {52};
    cop_error err = {0};
    enum { COUNT = 1001, FIRST = 7, ALL = 20 };
    cop_component components[ALL];
    make_components(&r, components, ALL);
    for (int d = 0; d < 3; d++) {
        const cop_dtype dtype = (cop_dtype)d;
        const size_t bytes = COUNT * cop_dtype_size(dtype);
        void *const base = make_stored(&r, COUNT, dtype);
        cop_buffer *wrapped = NULL;
        must(b->ops->buffer_wrap(b, base, bytes, &wrapped, &err), &err);
        cop_buffer *const sums = make_buffer(b, NULL, COUNT, COP_F32);
        cop_buffer *const out = make_buffer(b, NULL, COUNT, dtype);
        cop_weight_part part = {.base = wrapped,
                                .dtype = dtype,
                                .count = COUNT,
                                .tensor = 99,
                                .scale = 0.7F,
                                .keep_sums = true};
        must(b->ops->rebuild(b, sums, 0, &part, 1, components, FIRST, &err), &err);
        float *const got_sums = read_buffer(b, sums, COUNT, COP_F32);
        expect_part(got_sums, base, &part, components, FIRST);
        /* More components onto the sums where they lie, then onto the weights. */
        part = (cop_weight_part){.base = sums,
                                 .dtype = dtype,
                                 .count = COUNT,
                                 .tensor = 99,
                                 .scale = 0.7F,
                                 .base_is_sums = true,
                                 .keep_sums = true};
        must(b->ops->rebuild(b, sums, 0, &part, 1, components + FIRST, 3, &err), &err);
        part.keep_sums = false;
        must(
            b->ops->rebuild(b, out, 0, &part, 1, components + FIRST + 3, ALL - FIRST - 3, &err),
            &err);
        char *const got = malloc(bytes);
        assert_non_null(got);
        must(b->ops->download(b, out, 0, got, bytes, &err), &err);
        part = (cop_weight_part){
            .base = wrapped, .dtype = dtype, .count = COUNT, .tensor = 99, .scale = 0.7F};
        expect_part(got, base, &part, components, ALL);
        free(got);
        free(got_sums);
        free(base);
        drop_buffers(b, &wrapped, 1);
        drop_buffers(b, &sums, 1);
        drop_buffers(b, &out, 1);
    }
    cop_backend_destroy(&b);
}

/* Sums that are added up first, two that share their noises, and added as they are: the bits of
 * their components. */
static void test_known_sums(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {56};
    cop_error err = {0};
    enum { COUNT = 4099, ALL = 20 };
    for (int d = 0; d < 3; d++) {
        const cop_dtype dtype = (cop_dtype)d;
        const size_t bytes = COUNT * cop_dtype_size(dtype);
        cop_component lists[2][ALL];
        make_components(&r, lists[0], ALL);
        for (size_t j = 0; j < ALL; j++) {
            lists[0][j].factor = j + 1 < ALL ? COP_IN_SUM : -0.75F;
            lists[1][j] = lists[0][j];
            lists[1][j].amplitude *= 2;
        }
        const cop_rebuild_sum sums[2] = {{.components = lists[0], .count = ALL},
                                         {.components = lists[1] + 5, .count = ALL - 5}};
        void *const base = make_stored(&r, COUNT, dtype);
        char *const got = malloc(bytes);
        assert_non_null(got);
        cop_buffer *wrapped = NULL;
        must(b->ops->buffer_wrap(b, base, bytes, &wrapped, &err), &err);
        cop_buffer *outs[2] = {make_buffer(b, NULL, COUNT, COP_F32),
                               make_buffer(b, NULL, COUNT, COP_F32)};
        cop_buffer *const out = make_buffer(b, NULL, COUNT, dtype);
        must(b->ops->sums(b, outs, sums, 2, 99, (cop_low_rank){0}, COUNT, &err), &err);
        for (size_t k = 0; k < 2; k++) {
            const cop_weight_part part = {.base = wrapped,
                                          .dtype = dtype,
                                          .count = COUNT,
                                          .tensor = 99,
                                          .scale = 0.3F,
                                          .sum = outs[k],
                                          .factor = -0.75F};
            must(b->ops->rebuild(b, out, 0, &part, 1, NULL, 0, &err), &err);
            must(b->ops->download(b, out, 0, got, bytes, &err), &err);
            expect_part(got, base, &part, sums[k].components, sums[k].count);
        }
        free(got);
        free(base);
        drop_buffers(b, &wrapped, 1);
        drop_buffers(b, outs, 2);
        drop_buffers(b, &out, 1);
    }
    cop_backend_destroy(&b);
}

/* Noise of low rank: the bits of the scalar kernel, component by component and by sums that are
 * added up first. */
static void check_low_rank(const backend_case *c, rng *r, cop_dtype dtype, cop_low_rank low)
{
    cop_backend *b = make_backend(c);
    cop_error err = {0};
    enum { ALL = 20 };
    const size_t count = low.rows * low.columns;
    const size_t bytes = count * cop_dtype_size(dtype);
    cop_component components[ALL];
    make_components(r, components, ALL);
    for (size_t j = 1; j < ALL; j++)
        components[j].factor = j + 1 < ALL ? COP_IN_SUM : -0.75F;
    const cop_rebuild_sum sum = {.components = components + 1, .count = ALL - 1};
    void *const base = make_stored(r, count, dtype);
    char *const got = malloc(bytes);
    assert_non_null(got);
    cop_buffer *wrapped = NULL;
    must(b->ops->buffer_wrap(b, base, bytes, &wrapped, &err), &err);
    cop_buffer *own = make_buffer(b, NULL, count, COP_F32);
    cop_buffer *out = make_buffer(b, NULL, count, dtype);
    cop_weight_part part = {.base = wrapped,
                            .dtype = dtype,
                            .count = count,
                            .tensor = 99,
                            .scale = 0.3F,
                            .low = low};
    must(b->ops->rebuild(b, out, 0, &part, 1, components, ALL, &err), &err);
    must(b->ops->download(b, out, 0, got, bytes, &err), &err);
    expect_part(got, base, &part, components, ALL);
    must(b->ops->sums(b, &own, &sum, 1, 99, low, count, &err), &err);
    part.sum = own;
    part.factor = -0.75F;
    must(b->ops->rebuild(b, out, 0, &part, 1, components, 1, &err), &err);
    must(b->ops->download(b, out, 0, got, bytes, &err), &err);
    expect_part(got, base, &part, components, ALL);
    free(got);
    free(base);
    drop_buffers(b, &wrapped, 1);
    drop_buffers(b, &own, 1);
    drop_buffers(b, &out, 1);
    cop_backend_destroy(&b);
}

static void test_low_rank(void **state)
{
    rng r = {57};
    check_low_rank(*state, &r, COP_BF16, (cop_low_rank){1, 1, 7});
    check_low_rank(*state, &r, COP_F32, (cop_low_rank){4, 61, 67});
    check_low_rank(*state, &r, COP_F16, (cop_low_rank){3, 40, 1030});
    check_low_rank(*state, &r, COP_BF16, (cop_low_rank){COP_MOST_RANK, 200, 64});
}

/* Every bit pattern of a stored half, and binary32 with all its special cases: infinities, NaN
 * of every kind, subnormals, rounding that overflows. */
static void test_all_patterns(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {53};
    cop_error err = {0};
    enum { COUNT = 1 << 16 };
    const cop_component components[2] = {{.seed = 1, .amplitude = 1e-3F},
                                         {.seed = 2, .amplitude = 30.0F}};
    for (int d = 0; d < 3; d++) {
        const cop_dtype dtype = (cop_dtype)d;
        const size_t size = cop_dtype_size(dtype);
        char *const base = malloc(COUNT * size);
        char *const got = malloc(COUNT * size);
        assert_non_null(base);
        assert_non_null(got);
        for (size_t i = 0; i < COUNT; i++) {
            const uint32_t wide = (uint32_t)i << 16 | (rng_next(&r) & 0xffffU);
            const uint16_t half = (uint16_t)i;
            memcpy(base + i * size, size == 4 ? (const void *)&wide : &half, size);
        }
        cop_buffer *wrapped = NULL;
        must(b->ops->buffer_wrap(b, base, COUNT * size, &wrapped, &err), &err);
        cop_buffer *const out = make_buffer(b, NULL, COUNT, dtype);
        for (size_t count = 0; count <= 2; count++) {
            const cop_weight_part part = {
                .base = wrapped, .dtype = dtype, .count = COUNT, .tensor = 5, .scale = 1.0F};
            must(b->ops->rebuild(b, out, 0, &part, 1, components, count, &err), &err);
            must(b->ops->download(b, out, 0, got, COUNT * size, &err), &err);
            expect_part(got, base, &part, components, count);
        }
        drop_buffers(b, &wrapped, 1);
        drop_buffers(b, &out, 1);
        free(base);
        free(got);
    }
    cop_backend_destroy(&b);
}

/* The noise itself, on a base of zeros. */
static void check_digest(cop_backend *b, size_t count, size_t component_count)
{
    cop_error err = {0};
    rng r = {54};
    cop_component components[MOST_COMPONENTS] = {{.seed = 12345, .amplitude = 1.0F}};
    if (component_count > 1) make_components(&r, components, component_count);
    float *const want = calloc(count, sizeof *want);
    float *const got = malloc(count * sizeof *got);
    assert_non_null(want);
    assert_non_null(got);
    cop_buffer *const zeros = make_buffer(b, NULL, count, COP_F32);
    cop_buffer *const out = make_buffer(b, NULL, count, COP_F32);
    const cop_weight_part part = {
        .base = zeros, .dtype = COP_F32, .count = count, .tensor = 77, .scale = 1.0F};
    must(b->ops->rebuild(b, out, 0, &part, 1, components, component_count, &err), &err);
    must(b->ops->download(b, out, 0, got, count * sizeof *got, &err), &err);
    const cop_rebuild_piece piece = {
        .base = want, .out = want, .dtype = COP_F32, .count = count, .tensor = 77, .scale = 1};
    cop_rebuild_run(&piece, components, component_count, 1, cop_cpu_isa());
    assert_memory_equal(got, want, count * sizeof *got);
    drop_buffers(b, &zeros, 1);
    drop_buffers(b, &out, 1);
    free(want);
    free(got);
}

static void test_digests(void **state)
{
    const backend_case *const c = *state;
    cop_backend *b = make_backend(c);
    /* A GPU takes no time for this; other processors have tests of their own. */
    check_digest(b, c->create == create_cuda && !c->emulated ? 1 << 24 : 1 << 20, 1);
    check_digest(b, (1 << 17) + 5, MOST_COMPONENTS);
    cop_backend_destroy(&b);
}

/* A new list of components is not taken for the one before. */
static void test_components_change(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {55};
    for (int i = 0; i < 20; i++)
        check_fused(b, &r, COP_BF16, 1 + rng_next(&r) % 3, 0);
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_low_rank),          cmocka_unit_test(test_parts),
        cmocka_unit_test(test_two_steps),         cmocka_unit_test(test_known_sums),
        cmocka_unit_test(test_all_patterns),      cmocka_unit_test(test_digests),
        cmocka_unit_test(test_components_change),
    };
    return run_backend_tests("backend rebuild", tests, sizeof tests / sizeof tests[0]);
}
