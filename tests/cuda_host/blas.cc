/* cuBLASLt's stand-in: products by plain loops, sums in binary64. See cublasLt.h. */
#include "cublasLt.h"

#include <cstdlib>

struct cuda_host_operation {
    bool transposed;
};

struct cuda_host_layout {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t leading;
};

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    *handle = (cublasLtHandle_t)handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    (void)handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *made, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F)
        return CUBLAS_STATUS_INVALID_VALUE;
    *made = (cublasLtMatmulDesc_t)calloc(1, sizeof **made);
    return *made != NULL ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation)
{
    free(operation);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    if (attribute != CUBLASLT_MATMUL_DESC_TRANSA || bytes != sizeof(cublasOperation_t))
        return CUBLAS_STATUS_INVALID_VALUE;
    operation->transposed = *(const cublasOperation_t *)value == CUBLAS_OP_T;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *made, cudaDataType_t type,
                                          uint64_t rows, uint64_t columns, int64_t leading)
{
    if (rows == 0 || columns == 0 || leading < (int64_t)rows)
        return CUBLAS_STATUS_INVALID_VALUE;
    *made = (cublasLtMatrixLayout_t)calloc(1, sizeof **made);
    if (*made == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
    **made = cuda_host_layout{type, rows, columns, leading};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    free(layout);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *made)
{
    *made = (cublasLtMatmulPreference_t)made;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t wishes)
{
    (void)wishes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wishes,
                                     cublasLtMatmulPreferenceAttributes_t attribute,
                                     const void *value, size_t bytes)
{
    (void)wishes;
    (void)value;
    return attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && bytes == sizeof(uint64_t)
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_INVALID_VALUE;
}

/* Notes the shape, so that an algorithm of another shape is seen. */
cublasStatus_t
cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                               cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                               cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                               cublasLtMatmulPreference_t wishes, int wanted,
                               cublasLtMatmulHeuristicResult_t *found, int *count)
{
    (void)handle;
    (void)operation;
    (void)a;
    (void)c;
    (void)wishes;
    if (wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
    found->algo.data[0] = d->rows;
    found->algo.data[1] = b->rows;
    found->algo.data[2] = d->columns;
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}

static float element(const void *values, cudaDataType_t type, uint64_t index)
{
    if (type == CUDA_R_32F) return ((const float *)values)[index];
    const uint32_t bits = (uint32_t)((const uint16_t *)values)[index] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Column by column, and the left one transposed: what the backend asks for, and nothing else.
 */
static bool fits(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                 cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t d,
                 const cublasLtMatmulAlgo_t *algorithm)
{
    return operation->transposed && a->rows == b->rows && a->columns == d->rows &&
           b->columns == d->columns && a->type == b->type && d->type == CUDA_R_32F &&
           algorithm->data[0] == d->rows && algorithm->data[1] == b->rows &&
           algorithm->data[2] == d->columns;
}

/* All that a product takes, by value but for the matrices. */
struct product {
    const void *a, *b;
    float *out;
    cuda_host_layout left, right, result;
    float scale, keep;
};

static void multiply(const product &p)
{
    for (uint64_t column = 0; column < p.result.columns; column++) {
        for (uint64_t row = 0; row < p.result.rows; row++) {
            double sum = 0.0;
            for (uint64_t i = 0; i < p.left.rows; i++)
                sum +=
                    (double)element(p.a, p.left.type, row * (uint64_t)p.left.leading + i) *
                    (double)element(p.b, p.right.type, column * (uint64_t)p.right.leading + i);
            float *const to = &p.out[column * (uint64_t)p.result.leading + row];
            /* Without `keep`, what is there is not read: it may be a NaN. */
            const double old = p.keep == 0.0F ? 0.0 : (double)p.keep * (double)*to;
            *to = (float)(old + (double)p.scale * sum);
        }
    }
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                              const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout,
                              const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    (void)handle;
    (void)workspace;
    (void)workspace_bytes;
    if (!fits(operation, a_layout, b_layout, d_layout, algorithm) || c != d ||
        c_layout != d_layout)
        return CUBLAS_STATUS_INVALID_VALUE;
    const product p = {.a = a,
                       .b = b,
                       .out = (float *)d,
                       .left = *a_layout,
                       .right = *b_layout,
                       .result = *d_layout,
                       .scale = *(const float *)alpha,
                       .keep = *(const float *)beta};
    const cudaError_t code = cuda_host_submit(stream, [p]() {
        multiply(p);
        return cudaSuccess;
    });
    return code == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
