/* Conformance tests of backends: every test runs once per case below and compares with the
 * reference backend. A new backend is one more line in the list. */
#ifndef COPPICE_TESTS_BACKEND_SUPPORT_H
#define COPPICE_TESTS_BACKEND_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/backend/backend.h"
#include "coppice/base/cpu.h"

#include "unit/backend/cuda_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- cases --- */

typedef struct backend_case {
    const char *name;
    cop_status (*create)(const struct backend_case *c, cop_backend **backend, cop_error *err);
    cop_gemm_provider gemm;
    cop_compute compute;
    int threads;
    cop_isa isa;
    bool emulated; /* slow: fewer repetitions show as much */
} backend_case;

static inline cop_status create_cpu(const backend_case *c, cop_backend **backend,
                                    cop_error *err)
{
    const cop_backend_options options = {.compute = c->compute,
                                         .gemm = c->gemm,
                                         .storage = COP_BF16,
                                         .threads = c->threads,
                                         .isa = c->isa};
    return cop_backend_create_cpu(&options, backend, err);
}

static inline cop_status create_cuda(const backend_case *c, cop_backend **backend,
                                     cop_error *err)
{
    return cuda_test_create(c->emulated ? "cuda_host" : ".", c->compute, backend, err);
}

static const backend_case backend_cases[] = {
    {"onednn f32 avx512", create_cpu, COP_GEMM_ONEDNN, COP_COMPUTE_F32, 2, COP_ISA_AVX512,
     false},
    {"onednn f32 avx2", create_cpu, COP_GEMM_ONEDNN, COP_COMPUTE_F32, 1, COP_ISA_AVX2, false},
    {"onednn f32 scalar", create_cpu, COP_GEMM_ONEDNN, COP_COMPUTE_F32, 3, COP_ISA_SCALAR,
     false},
    {"openblas f32 avx512", create_cpu, COP_GEMM_OPENBLAS, COP_COMPUTE_F32, 2, COP_ISA_AVX512,
     false},
    {"openblas f32 avx2", create_cpu, COP_GEMM_OPENBLAS, COP_COMPUTE_F32, 2, COP_ISA_AVX2,
     false},
    {"openblas f32 scalar", create_cpu, COP_GEMM_OPENBLAS, COP_COMPUTE_F32, 1, COP_ISA_SCALAR,
     false},
    {"onednn bf16 avx512", create_cpu, COP_GEMM_ONEDNN, COP_COMPUTE_BF16, 2, COP_ISA_AVX512,
     false},
    {"onednn bf16 avx2", create_cpu, COP_GEMM_ONEDNN, COP_COMPUTE_BF16, 1, COP_ISA_AVX2, false},
    {"onednn bf16 scalar", create_cpu, COP_GEMM_ONEDNN, COP_COMPUTE_BF16, 2, COP_ISA_SCALAR,
     false},
    {"own amx", create_cpu, COP_GEMM_OWN, COP_COMPUTE_BF16, 2, COP_ISA_AMX, false},
    {"own avx512", create_cpu, COP_GEMM_OWN, COP_COMPUTE_BF16, 2, COP_ISA_AVX512, false},
    {"own avx2", create_cpu, COP_GEMM_OWN, COP_COMPUTE_BF16, 3, COP_ISA_AVX2, false},
    {"own scalar", create_cpu, COP_GEMM_OWN, COP_COMPUTE_BF16, 1, COP_ISA_SCALAR, false},
    {"cuda f32 emulated", create_cuda, .compute = COP_COMPUTE_F32, .emulated = true},
    {"cuda bf16 emulated", create_cuda, .compute = COP_COMPUTE_BF16, .emulated = true},
    {"cuda f32", create_cuda, .compute = COP_COMPUTE_F32, .emulated = false},
    {"cuda bf16", create_cuda, .compute = COP_COMPUTE_BF16, .emulated = false},
};
enum { CASES = sizeof backend_cases / sizeof backend_cases[0] };

/* The backend under test and the reference; [0] and [1]. */
typedef struct pair {
    cop_backend *b[2];
} pair;

static inline void must(cop_status status, const cop_error *err)
{
    if (status != COP_OK) fail_msg("%s: %s", cop_status_name(status), err->message);
}

/* With COPPICE_TEST_GPU in the environment only the GPU is tested, and there has to be one. */
static inline bool is_for_gpu(void)
{
    return getenv("COPPICE_TEST_GPU") != NULL;
}

/* Makes the case's backend, or skips the test with the reason. */
static inline cop_backend *make_backend(const backend_case *c)
{
    if (c->isa > cop_cpu_isa()) {
        print_message("skip: this processor has no %s\n", cop_isa_name(c->isa));
        skip();
    }
    cop_backend *backend = NULL;
    cop_error err = {0};
    const cop_status status = c->create(c, &backend, &err);
    const bool needed = is_for_gpu() && c->compute == COP_COMPUTE_F32;
    if (status == COP_ERR_UNSUPPORTED && !needed) {
        assert_null(backend);
        print_message("skip: %s\n", err.message);
        skip();
    }
    must(status, &err);
    return backend;
}

static inline pair make_pair(const backend_case *c)
{
    pair p = {{make_backend(c), NULL}};
    cop_error err = {0};
    must(cop_backend_create_ref(&p.b[1], &err), &err);
    return p;
}

static inline void drop_pair(pair *p)
{
    cop_backend_destroy(&p->b[0]);
    cop_backend_destroy(&p->b[1]);
    assert_null(p->b[0]);
}

static inline bool is_wanted(const backend_case *c)
{
    return !is_for_gpu() || (c->create == create_cuda && !c->emulated);
}

/* Runs tests [count] for every case; `state` of a test points to its backend_case. */
static inline int run_backend_tests(const char *group, const struct CMUnitTest *tests,
                                    size_t count)
{
    struct CMUnitTest *const all = calloc(count * CASES, sizeof *all);
    char(*const names)[96] = calloc(count * CASES, sizeof *names);
    if (all == NULL || names == NULL) return 1;
    size_t used = 0;
    for (size_t t = 0; t < count; t++) {
        for (size_t c = 0; c < CASES; c++) {
            if (!is_wanted(&backend_cases[c])) continue;
            const size_t i = used++;
            (void)snprintf(names[i], sizeof names[i], "%s [%s]", tests[t].name,
                           backend_cases[c].name);
            all[i] = tests[t];
            all[i].name = names[i];
            all[i].initial_state = (void *)(uintptr_t)&backend_cases[c];
        }
    }
    const int failed = _cmocka_run_group_tests(group, all, used, NULL, NULL);
    free(all);
    free(names);
    return failed;
}

/* --- numbers --- */

typedef struct rng {
    uint64_t state;
} rng;

static inline uint32_t rng_next(rng *r)
{
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint32_t x = (uint32_t)(r->state >> 32);
    x ^= x >> 15;
    return x * 0x2c1b3c6dU ^ x >> 12;
}

/* From low .. high, both included. */
static inline size_t rng_between(rng *r, size_t low, size_t high)
{
    return low + rng_next(r) % (high - low + 1);
}

/* In [-1, 1), a multiple of 1/128: exact in bf16 and f16. */
static inline float rng_exact(rng *r)
{
    return ((float)(rng_next(r) % 256) - 128.0F) / 128.0F;
}

static inline float rng_float(rng *r)
{
    return (float)rng_next(r) / 2147483648.0F - 1.0F;
}

static inline float *make_floats(rng *r, size_t count, bool exact)
{
    float *const values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        values[i] = exact ? rng_exact(r) : rng_float(r);
    }
    return values;
}

/* --- buffers --- */

static inline void *encode(const float *values, size_t count, cop_dtype dtype)
{
    char *const bytes = malloc(count * cop_dtype_size(dtype) + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) {
        const uint16_t half =
            dtype == COP_BF16 ? cop_f32_to_bf16(values[i]) : cop_f32_to_f16(values[i]);
        if (dtype == COP_F32) {
            memcpy(bytes + 4 * i, &values[i], 4);
        } else {
            memcpy(bytes + 2 * i, &half, 2);
        }
    }
    return bytes;
}

/* A buffer with values [count] as dtype; values may be NULL. */
static inline cop_buffer *make_buffer(cop_backend *b, const float *values, size_t count,
                                      cop_dtype dtype)
{
    cop_buffer *buffer = NULL;
    cop_error err = {0};
    const size_t bytes = count * cop_dtype_size(dtype);
    must(b->ops->buffer_create(b, bytes, &buffer, &err), &err);
    if (values != NULL) {
        void *const data = encode(values, count, dtype);
        must(b->ops->upload(b, buffer, 0, data, bytes, &err), &err);
        free(data);
    }
    return buffer;
}

/* Elements of a buffer of dtype, widened. Free with free(). */
static inline float *read_buffer(cop_backend *b, const cop_buffer *buffer, size_t count,
                                 cop_dtype dtype)
{
    float *const values = malloc((count + 1) * sizeof *values);
    void *const bytes = malloc(count * 4 + 1);
    assert_non_null(values);
    assert_non_null(bytes);
    cop_error err = {0};
    must(b->ops->download(b, buffer, 0, bytes, count * cop_dtype_size(dtype), &err), &err);
    for (size_t i = 0; i < count; i++) {
        uint16_t half = 0;
        if (dtype == COP_F32) {
            memcpy(&values[i], (char *)bytes + 4 * i, 4);
        } else {
            memcpy(&half, (char *)bytes + 2 * i, 2);
            values[i] = dtype == COP_BF16 ? cop_bf16_to_f32(half) : cop_f16_to_f32(half);
        }
    }
    free(bytes);
    return values;
}

static inline void drop_buffers(cop_backend *b, cop_buffer *const *buffers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cop_buffer *buffer = buffers[i];
        b->ops->buffer_destroy(b, &buffer);
    }
}

/* Compares element by element: |got - want| <= absolute + relative * |want|. */
static inline void expect_close(const float *got, const float *want, size_t count,
                                double absolute, double relative, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        const double bound = absolute + relative * fabs((double)want[i]);
        if (!(fabs((double)got[i] - (double)want[i]) <= bound)) {
            fail_msg("%s: element %zu of %zu is %.9g, not %.9g (bound %.3g)", what, i, count,
                     (double)got[i], (double)want[i], bound);
        }
    }
}

/* Relative error of storing in a type: half a unit in the last place. */
static inline double rounding_of(cop_dtype dtype)
{
    return dtype == COP_BF16 ? 0x1p-8 : 0x1p-23;
}

/* Compares buffers of both backends, each in its own dtype. */
static inline void expect_same(const pair *p, cop_buffer *const buffers[2],
                               const cop_dtype dtypes[2], size_t count, double absolute,
                               double relative, const char *what)
{
    float *const got = read_buffer(p->b[0], buffers[0], count, dtypes[0]);
    float *const want = read_buffer(p->b[1], buffers[1], count, dtypes[1]);
    expect_close(got, want, count, absolute, relative, what);
    free(got);
    free(want);
}

#endif
