/* cuBLASLt's stand-in: products by plain loops. See cublasLt.h. As with the real one, the last
 * bits of a product depend on the algorithm, and the algorithm on the shape that it was asked
 * for: sums are added up in a number of strands that follows from it. */
#include "cublasLt.h"

#include <cstdlib>

struct cuda_host_operation {
    bool transposed;
};

struct cuda_host_layout {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t leading;
    int32_t batch;
    int64_t stride; /* from one matrix of the batch to the next */
};

struct cuda_host_wishes {
    bool may_split; /* sums, among blocks: how depends on the shape that is multiplied */
    uint32_t alignment[4];
};

/* What the words of an algorithm hold. */
enum { ALGO_ROWS, ALGO_DEPTH, ALGO_STRANDS, ALGO_SPLITS, ALGO_LEAST, ALGO_ALIGNMENT };

size_t cublasLtGetVersion(void)
{
    return 130000;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_EXECUTION_FAILED ? "CUBLAS_STATUS_EXECUTION_FAILED"
                                                    : "another status";
}

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
    **made = cuda_host_layout{type, rows, columns, leading, 1, 0};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    free(layout);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void *value, size_t bytes)
{
    if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && bytes == sizeof layout->batch) {
        memcpy(&layout->batch, value, bytes);
    } else if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET &&
               bytes == sizeof layout->stride) {
        memcpy(&layout->stride, value, bytes);
    } else {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return layout->batch >= 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *made)
{
    *made = (cublasLtMatmulPreference_t)calloc(1, sizeof **made);
    if (*made == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
    **made = cuda_host_wishes{true, {256, 256, 256, 256}};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t wishes)
{
    free(wishes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wishes,
                                     cublasLtMatmulPreferenceAttributes_t attribute,
                                     const void *value, size_t bytes)
{
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return bytes == sizeof(uint64_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
    if (bytes != sizeof(uint32_t)) return CUBLAS_STATUS_INVALID_VALUE;
    const uint32_t number = *(const uint32_t *)value;
    if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) {
        wishes->may_split = number != CUBLASLT_REDUCTION_SCHEME_NONE;
    } else {
        wishes->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES] = number;
    }
    return CUBLAS_STATUS_SUCCESS;
}

/* Proposes one algorithm that fewer rows would be refused by, and one for all, after a place
 * that was not filled; where COPPICE_CUDA_HOST_ALGORITHMS says `picky`, the former only, and
 * where it says `none`, none. */
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
    if (wanted < 3) return CUBLAS_STATUS_INVALID_VALUE;
    const char *const which = getenv("COPPICE_CUDA_HOST_ALGORITHMS");
    if (which != NULL && strcmp(which, "none") == 0) return CUBLAS_STATUS_NOT_SUPPORTED;
    *count = which == NULL ? 3 : 2;
    for (int i = 0; i < *count; i++) {
        uint64_t *const words = found[i].algo.data;
        found[i].state = i == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
        words[ALGO_ROWS] = d->rows;
        words[ALGO_DEPTH] = b->rows;
        words[ALGO_STRANDS] = 1 + (d->columns + 3 * (uint64_t)d->batch) % 7;
        words[ALGO_SPLITS] = wishes->may_split ? 1 : 0;
        words[ALGO_LEAST] = i == 1 ? d->columns : 1;
        for (int m = 0; m < 3 && i > 0; m++)
            words[ALGO_ALIGNMENT + m] = wishes->alignment[m];
    }
    return CUBLAS_STATUS_SUCCESS;
}

/* Column by column, and the left one transposed: what the backend asks for, and nothing else.
 */
static bool fits(cublasLtMatmulDesc_t operation, const cuda_host_layout &a,
                 const cuda_host_layout &b, const cuda_host_layout &d,
                 const cublasLtMatmulAlgo_t *algorithm)
{
    const uint64_t *const words = algorithm->data;
    return operation->transposed && a.rows == b.rows && a.columns == d.rows &&
           b.columns == d.columns && a.type == b.type && d.type == CUDA_R_32F &&
           a.batch == d.batch && b.batch == d.batch && words[ALGO_ROWS] == d.rows &&
           words[ALGO_DEPTH] == b.rows && words[ALGO_LEAST] <= d.columns;
}

/* True if every matrix of a batch lies as its algorithm wants it. */
static bool is_aligned(const void *first, const cuda_host_layout &layout, uint64_t alignment)
{
    const uint64_t item = layout.type == CUDA_R_32F ? 4 : 2;
    const uint64_t bytes = layout.batch > 1 ? (uint64_t)layout.stride * item : 0;
    return alignment != 0 && (uintptr_t)first % alignment == 0 && bytes % alignment == 0;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *algorithm,
                                       cublasLtMatmulHeuristicResult_t *result)
{
    (void)handle;
    if (c != d || !fits(operation, *a, *b, *d, algorithm)) return CUBLAS_STATUS_NOT_SUPPORTED;
    result->algo = *algorithm;
    result->workspaceSize = 0;
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

/* All that a product takes, by value but for the matrices. */
struct product {
    const void *a, *b;
    float *out;
    cuda_host_layout left, right, result;
    uint64_t strands;
    float scale, keep;
};

/* Of one row of the left matrix and one column of the right. */
static float dot(const product &p, uint64_t left, uint64_t right)
{
    float total = 0.0F;
    for (uint64_t s = 0; s < p.strands; s++) {
        double sum = 0.0;
        for (uint64_t i = s; i < p.left.rows; i += p.strands)
            sum += (double)element(p.a, p.left.type, left + i) *
                   (double)element(p.b, p.right.type, right + i);
        total += (float)sum;
    }
    return total;
}

static void multiply(const product &p)
{
    for (int32_t lane = 0; lane < p.result.batch; lane++) {
        const uint64_t left = (uint64_t)lane * (uint64_t)p.left.stride;
        const uint64_t right = (uint64_t)lane * (uint64_t)p.right.stride;
        float *const out = p.out + (uint64_t)lane * (uint64_t)p.result.stride;
        for (uint64_t column = 0; column < p.result.columns; column++) {
            for (uint64_t row = 0; row < p.result.rows; row++) {
                const float sum = dot(p, left + row * (uint64_t)p.left.leading,
                                      right + column * (uint64_t)p.right.leading);
                float *const to = &out[column * (uint64_t)p.result.leading + row];
                /* Without `keep`, what is there is not read: it may be a NaN. */
                *to = (p.keep == 0.0F ? 0.0F : p.keep * *to) + p.scale * sum;
            }
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
    if (getenv("COPPICE_CUDA_HOST_FAIL") != NULL) return CUBLAS_STATUS_EXECUTION_FAILED;
    const uint64_t *const words = algorithm->data;
    if (!fits(operation, *a_layout, *b_layout, *d_layout, algorithm) || c != d ||
        c_layout != d_layout || !is_aligned(a, *a_layout, words[ALGO_ALIGNMENT]) ||
        !is_aligned(b, *b_layout, words[ALGO_ALIGNMENT + 1]) ||
        !is_aligned(d, *d_layout, words[ALGO_ALIGNMENT + 2]))
        return CUBLAS_STATUS_INVALID_VALUE;
    const uint64_t split = words[ALGO_SPLITS] != 0 ? d_layout->columns % 3 : 0;
    const product p = {.a = a,
                       .b = b,
                       .out = (float *)d,
                       .left = *a_layout,
                       .right = *b_layout,
                       .result = *d_layout,
                       .strands = words[ALGO_STRANDS] + split,
                       .scale = *(const float *)alpha,
                       .keep = *(const float *)beta};
    const cudaError_t code = cuda_host_submit(stream, [p]() {
        multiply(p);
        return cudaSuccess;
    });
    return code == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
