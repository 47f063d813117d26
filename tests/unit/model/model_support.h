/* What the tests of the model share: loading a model of a directory on a chosen backend,
 * prompts and answers of golden.json. */
#ifndef COPPICE_TESTS_MODEL_SUPPORT_H
#define COPPICE_TESTS_MODEL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/backend/backend.h"
#include "coppice/base/cpu.h"
#include "coppice/base/memory.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/model/model.h"

#include "unit/backend/cuda_support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* A model with all that it borrows. */
typedef struct test_model {
    cop_model_config config;
    cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model *model;
} test_model;

/* A constructor of a backend that computes in binary32. */
typedef struct test_backend {
    const char *name;
    cop_status (*create)(cop_backend **backend, cop_error *err);
} test_backend;

static inline cop_status test_create_cpu(cop_gemm_provider gemm, cop_backend **backend,
                                         cop_error *err)
{
    const cop_backend_options options = {.compute = COP_COMPUTE_F32,
                                         .gemm = gemm,
                                         .storage = COP_BF16,
                                         .threads = 2,
                                         .isa = cop_cpu_isa()};
    return cop_backend_create_cpu(&options, backend, err);
}

static inline cop_status test_create_onednn(cop_backend **backend, cop_error *err)
{
    return test_create_cpu(COP_GEMM_ONEDNN, backend, err);
}

static inline cop_status test_create_openblas(cop_backend **backend, cop_error *err)
{
    return test_create_cpu(COP_GEMM_OPENBLAS, backend, err);
}

/* In the defined arithmetic, by the best kernels of this processor. */
static inline cop_status test_create_defined(cop_backend **backend, cop_error *err)
{
    const cop_backend_options options = {.arithmetic = COP_ARITHMETIC_DEFINED,
                                         .storage = COP_BF16,
                                         .threads = 2,
                                         .isa = cop_cpu_isa()};
    return cop_backend_create_cpu(&options, backend, err);
}

/* Emulated on the processor, or the GPU where the environment has COPPICE_TEST_GPU. */
static inline bool test_cuda_is_emulated(void)
{
    return getenv("COPPICE_TEST_GPU") == NULL;
}

static inline cop_status test_create_cuda(cop_backend **backend, cop_error *err)
{
    return cuda_test_create(test_cuda_is_emulated() ? "cuda_host" : ".", COP_COMPUTE_F32,
                            backend, err);
}

static const test_backend test_backends[] = {
    {"ref", cop_backend_create_ref},
    {"cpu with oneDNN", test_create_onednn},
    {"cpu with OpenBLAS", test_create_openblas},
    {"cuda", test_create_cuda},
};
enum {
    TEST_BACKEND_COUNT = sizeof test_backends / sizeof test_backends[0],
    TEST_BACKEND_CUDA = TEST_BACKEND_COUNT - 1
};

#define assert_ok(expression, err)                                                  \
    do {                                                                            \
        const cop_status assert_ok_status_ = (expression);                          \
        if (assert_ok_status_ != COP_OK) {                                          \
            fail_msg("%s: %s", cop_status_name(assert_ok_status_), (err)->message); \
        }                                                                           \
    } while (0)

static inline void test_model_open(test_model *test, const char *directory,
                                   const test_backend *backend, cop_model_limits limits)
{
    cop_error err = {0};
    *test = (test_model){0};
    assert_ok(cop_model_open(directory, &test->config, &test->checkpoint, &err), &err);
    assert_ok(backend->create(&test->backend, &err), &err);
    assert_ok(cop_model_create(&test->config, test->checkpoint, test->backend, &limits, NULL,
                               &test->model, &err),
              &err);
}

static inline void test_model_close(test_model *test)
{
    cop_model_destroy(&test->model);
    cop_backend_destroy(&test->backend);
    cop_checkpoint_close(&test->checkpoint);
}

/* The emulated device is slow: fewer passes show as much. */
static inline bool test_is_slow(const test_backend *backend)
{
    return backend == &test_backends[TEST_BACKEND_CUDA] && test_cuda_is_emulated();
}

/* A JSON array of integers; the caller frees it. */
static inline int32_t *test_ids(const json_t *array, size_t *count)
{
    assert_true(json_is_array(array));
    *count = json_array_size(array);
    int32_t *const ids = cop_memory_alloc(*count, sizeof *ids, NULL);
    assert_non_null(ids);
    for (size_t i = 0; i < *count; i++) {
        ids[i] = (int32_t)json_integer_value(json_array_get(array, i));
    }
    return ids;
}

static inline json_t *test_json(const char *directory, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    json_error_t why;
    json_t *const root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) fail_msg("%s: %s", path, why.text);
    return root;
}

#endif
