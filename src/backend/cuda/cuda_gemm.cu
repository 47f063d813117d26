/* GEMM weights and products by cuBLASLt: operands in bf16 or binary32, sums and results in
 * binary32, without TF32. */
#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "coppice/base/memory.h"
}

cop_status cop_cuda_matrix_create(cop_backend *backend, size_t n, size_t k, cop_dtype dtype,
                                  size_t lanes, cop_matrix **matrix, cop_error *err)
{
    *matrix = NULL;
    size_t count = 0;
    COP_CHECK(n > 0 && k > 0 && lanes > 0 && cop_dtype_size(dtype) != 0, err, COP_ERR_INTERNAL,
              "a matrix of %zu x %zu %s in %zu lanes", n, k, cop_dtype_name(dtype), lanes);
    COP_CHECK(cop_memory_multiply(n, k, &count) && cop_memory_multiply(count, lanes, &count) &&
                  count <= SIZE_MAX / sizeof(float),
              err, COP_ERR_MEMORY, "a matrix of %zu x %zu elements cannot be addressed", n, k);
    cop_matrix *const made = (cop_matrix *)cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    *made = (cop_matrix){.n = n, .k = k, .lanes = lanes, .dtype = dtype};
    *matrix = made;
    return cop_cuda_check(cop_cuda_of(backend), err);
}

void cop_cuda_matrix_destroy(cop_backend *backend, cop_matrix **matrix)
{
    if (*matrix == NULL) return;
    cop_cuda_release(cop_cuda_of(backend), &(*matrix)->own);
    cop_memory_free(*matrix);
    *matrix = NULL;
}

/* The matrix's own memory, where elements are stored as they are multiplied: then a commit
 * costs nothing. */
cop_status cop_cuda_matrix_stage(cop_backend *backend, cop_matrix *matrix, cop_buffer **stage,
                                 cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    *stage = NULL;
    const bool same = matrix->dtype == backend->input;
    cop_buffer *const found = same ? &matrix->own : &cuda->stage;
    const size_t count = matrix->lanes * matrix->n * matrix->k;
    COP_TRY(cop_cuda_reserve(cuda, found, count * cop_dtype_size(matrix->dtype), err));
    *stage = found;
    return COP_OK;
}

cop_status cop_cuda_matrix_commit(cop_backend *backend, cop_matrix *matrix, size_t lane,
                                  const cop_buffer *source, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    const size_t count = matrix->n * matrix->k;
    const size_t all = matrix->lanes * count;
    COP_CHECK(lane < matrix->lanes &&
                  cop_cuda_holds(source, all, cop_dtype_size(matrix->dtype)),
              err, COP_ERR_INTERNAL,
              "packing copy %zu of a matrix of %zu x %zu from a buffer of %zu bytes", lane,
              matrix->n, matrix->k, source->bytes);
    const void *const before = matrix->values;
    if (matrix->dtype == backend->input) {
        matrix->values = source->data;
        if (before != matrix->values) cop_cuda_forget_graphs(cuda);
        return cop_cuda_check(cuda, err);
    }
    const size_t size = cop_dtype_size(backend->input);
    COP_TRY(cop_cuda_reserve(cuda, &matrix->own, all * size, err));
    cop_cuda_convert_elements(cuda, matrix->own.data + lane * count * size, backend->input,
                              source->data + lane * count * cop_dtype_size(matrix->dtype),
                              matrix->dtype, count);
    matrix->values = matrix->own.data;
    if (before != matrix->values) cop_cuda_forget_graphs(cuda);
    return cop_cuda_check(cuda, err);
}

/* --- products --- */

/* What cuBLASLt wants to know of output' [N, T] = matrix [N, K] * input' [K, T], its matrices
 * being column by column. */
typedef struct product {
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weight, input, output;
} product;

static void destroy_product(product *p)
{
    /* These only free host memory. */
    if (p->operation != NULL) (void)cublasLtMatmulDescDestroy(p->operation);
    if (p->weight != NULL) (void)cublasLtMatrixLayoutDestroy(p->weight);
    if (p->input != NULL) (void)cublasLtMatrixLayoutDestroy(p->input);
    if (p->output != NULL) (void)cublasLtMatrixLayoutDestroy(p->output);
}

/* `count` rows or columns of that length in each lane, and the lanes one after the other. */
static void create_layout(cop_cuda *cuda, cublasLtMatrixLayout_t *layout, cudaDataType_t type,
                          size_t length, size_t count, size_t lanes)
{
    static const char what[] = "describing a product";
    const int64_t stride = (int64_t)(length * count);
    const int32_t batch = (int32_t)lanes;
    cop_cuda_note_blas(
        cuda, cublasLtMatrixLayoutCreate(layout, type, length, count, (int64_t)length), what);
    if (lanes == 1 || cuda->failed != cudaSuccess) return;
    cop_cuda_note_blas(cuda,
                       cublasLtMatrixLayoutSetAttribute(
                           *layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch),
                       what);
    cop_cuda_note_blas(
        cuda,
        cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                         &stride, sizeof stride),
        what);
}

static void create_product(cop_cuda *cuda, const cop_matrix *matrix, size_t rows, size_t lanes,
                           product *p)
{
    static const char what[] = "describing a product";
    const cudaDataType_t type = cuda->base.input == COP_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    const cublasOperation_t transposed = CUBLAS_OP_T;
    cop_cuda_note_blas(
        cuda, cublasLtMatmulDescCreate(&p->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), what);
    if (cuda->failed != cudaSuccess) return;
    cop_cuda_note_blas(cuda,
                       cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSA,
                                                      &transposed, sizeof transposed),
                       what);
    create_layout(cuda, &p->weight, type, matrix->k, matrix->n, lanes);
    create_layout(cuda, &p->input, type, matrix->k, rows, lanes);
    create_layout(cuda, &p->output, CUDA_R_32F, matrix->n, rows, lanes);
}

/* --- how to multiply ---
 *
 * The bits of a row must not depend on the rows and lanes beside it. So a matrix is multiplied
 * in one way in all passes over prompts, and in one way in all decode steps: by an algorithm
 * that does not split sums (how would depend on the number of rows), asked for at a number of
 * rows that is always the same, without lanes. */

/* The number of rows that stands for all. */
static size_t asked_rows(const cop_cuda *cuda, size_t rows)
{
    static constexpr size_t USUAL_ROWS = 512;
    const bool decodes = cuda->decoder.sequences.rows != NULL;
    size_t asked = decodes ? cuda->base.step_rows : cuda->base.pass_rows;
    if (asked == 0) asked = USUAL_ROWS;
    while (asked < rows)
        asked *= 2;
    return asked;
}

static void set_preference(cop_cuda *cuda, cublasLtMatmulPreference_t wishes,
                           cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                           size_t bytes)
{
    cop_cuda_note_blas(cuda,
                       cublasLtMatmulPreferenceSetAttribute(wishes, attribute, value, bytes),
                       "choosing how to multiply");
}

/* The largest power of two, up to 256, that divides the bytes of a row: where a lane's rows
 * start, whatever their number. */
static uint32_t alignment_of(size_t row_bytes)
{
    uint32_t alignment = 1;
    while (alignment < 256 && row_bytes % (2 * alignment) == 0)
        alignment *= 2;
    return alignment;
}

static void set_preferences(cop_cuda *cuda, const cop_matrix *matrix,
                            cublasLtMatmulPreference_t wishes)
{
    const uint64_t workspace = cuda->workspace.bytes;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
    const uint32_t in = alignment_of(matrix->k * cop_dtype_size(cuda->base.input));
    const uint32_t out = alignment_of(matrix->n * sizeof(float));
    set_preference(cuda, wishes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                   sizeof workspace);
    set_preference(cuda, wishes, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes,
                   sizeof schemes);
    set_preference(cuda, wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &in, sizeof in);
    set_preference(cuda, wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &in, sizeof in);
    set_preference(cuda, wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &out, sizeof out);
    set_preference(cuda, wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &out, sizeof out);
}

/* cuBLASLt's proposals for a number of rows, the fastest first. To have none is no failure.
 * \return how many. */
static int ask_algorithms(cop_cuda *cuda, const cop_matrix *matrix, size_t rows,
                          cublasLtMatmulHeuristicResult_t *found, int most)
{
    static const char what[] = "choosing how to multiply";
    cublasLtMatmulPreference_t wishes = NULL;
    product p = {};
    int count = 0;
    cop_cuda_note_blas(cuda, cublasLtMatmulPreferenceCreate(&wishes), what);
    if (cuda->failed != cudaSuccess) return 0;
    set_preferences(cuda, matrix, wishes);
    create_product(cuda, matrix, rows, 1, &p);
    if (cuda->failed == cudaSuccess) {
        const cublasStatus_t asked =
            cublasLtMatmulAlgoGetHeuristic(cuda->blas, p.operation, p.weight, p.input, p.output,
                                           p.output, wishes, most, found, &count);
        if (asked == CUBLAS_STATUS_NOT_SUPPORTED) {
            count = 0;
        } else {
            cop_cuda_note_blas(cuda, asked, what);
        }
    }
    destroy_product(&p);
    (void)cublasLtMatmulPreferenceDestroy(wishes);
    return count;
}

static bool suits(cop_cuda *cuda, const cop_matrix *matrix, size_t rows, size_t lanes,
                  const cublasLtMatmulAlgo_t *algorithm)
{
    product p = {};
    cublasLtMatmulHeuristicResult_t checked = {};
    create_product(cuda, matrix, rows, lanes, &p);
    const bool suited =
        cuda->failed == cudaSuccess &&
        cublasLtMatmulAlgoCheck(cuda->blas, p.operation, p.weight, p.input, p.output, p.output,
                                algorithm, &checked) == CUBLAS_STATUS_SUCCESS &&
        checked.workspaceSize <= cuda->workspace.bytes;
    destroy_product(&p);
    return suited;
}

/* The first proposal for `asked` rows that also multiplies one row, as many as there can be,
 * and several lanes; false if there is none. */
static bool choose_algorithm(cop_cuda *cuda, const cop_matrix *matrix, size_t asked,
                             size_t rows, cublasLtMatmulAlgo_t *algorithm)
{
    static constexpr int PROPOSALS = 32;
    cublasLtMatmulHeuristicResult_t found[PROPOSALS] = {};
    const int count = ask_algorithms(cuda, matrix, asked, found, PROPOSALS);
    for (int i = 0; i < count; i++) {
        const cublasLtMatmulAlgo_t *const proposed = &found[i].algo;
        if (found[i].state != CUBLAS_STATUS_SUCCESS || !suits(cuda, matrix, 1, 1, proposed) ||
            !suits(cuda, matrix, rows, 1, proposed) || !suits(cuda, matrix, 1, 2, proposed) ||
            !suits(cuda, matrix, rows, 2, proposed))
            continue;
        *algorithm = *proposed;
        return true;
    }
    return false;
}

/* The algorithm of a matrix's shape: the same for the life of the backend. */
static cop_status find_algorithm(cop_cuda *cuda, const cop_matrix *matrix, size_t rows,
                                 const cublasLtMatmulAlgo_t **algorithm, cop_error *err)
{
    const size_t asked = asked_rows(cuda, rows);
    *algorithm = NULL;
    for (size_t i = 0; i < cuda->algorithm_count && *algorithm == NULL; i++) {
        const cop_cuda_algorithm *const known = &cuda->algorithms[i];
        if (known->n == matrix->n && known->k == matrix->k && known->rows == asked)
            *algorithm = &known->algorithm;
    }
    if (*algorithm != NULL) return COP_OK;
    COP_GROW(cuda->algorithms, cuda->algorithm_capacity, cuda->algorithm_count + 1, err);
    cop_cuda_algorithm *const made = &cuda->algorithms[cuda->algorithm_count];
    *made =
        (cop_cuda_algorithm){.n = matrix->n, .k = matrix->k, .rows = asked, .algorithm = {}};
    /* What is fast for many rows may be nothing for one; the other way round it is but slow. */
    const bool found = choose_algorithm(cuda, matrix, asked, asked, &made->algorithm) ||
                       choose_algorithm(cuda, matrix, 1, asked, &made->algorithm);
    COP_TRY(cop_cuda_check(cuda, err));
    COP_CHECK(found, err, COP_ERR_UNSUPPORTED,
              "cuBLASLt has no algorithm for 1 to %zu rows of %s by a matrix of %zu x %zu; "
              "choose another backend.compute, or backend.kind: cpu",
              asked, cop_dtype_name(cuda->base.input), matrix->n, matrix->k);
    cuda->algorithm_count++;
    *algorithm = &made->algorithm;
    return COP_OK;
}

/* out [T, N] = keep * out + input * matrix'. */
static cop_status multiply(cop_cuda *cuda, float *out, const cop_buffer *input,
                           const cop_matrix *matrix, size_t rows, float keep, cop_error *err)
{
    const float one = 1.0F;
    product p = {};
    const cublasLtMatmulAlgo_t *algorithm = NULL;
    const size_t lanes = cuda->base.lanes;
    COP_TRY(find_algorithm(cuda, matrix, rows / lanes, &algorithm, err));
    create_product(cuda, matrix, rows / lanes, lanes, &p);
    cop_status status = cop_cuda_check(cuda, err);
    if (status == COP_OK) {
        cop_cuda_note_blas(cuda,
                           cublasLtMatmul(cuda->blas, p.operation, &one, matrix->values,
                                          p.weight, input->data, p.input, &keep, out, p.output,
                                          out, p.output, algorithm, cuda->workspace.data,
                                          cuda->workspace.bytes, cuda->stream),
                           "a matrix product");
        status = cop_cuda_check(cuda, err);
    }
    destroy_product(&p);
    return status;
}

static cop_status check_product(const cop_backend *backend, const cop_buffer *out,
                                const cop_buffer *input, const cop_matrix *matrix, size_t rows,
                                cop_error *err)
{
    COP_CHECK(matrix->values != NULL, err, COP_ERR_INTERNAL, "a matrix without values");
    COP_CHECK(backend->lanes <= matrix->lanes && rows % backend->lanes == 0, err,
              COP_ERR_INTERNAL, "%zu rows in %zu lanes by a matrix in %zu", rows,
              backend->lanes, matrix->lanes);
    COP_CHECK(cop_cuda_holds(out, rows * matrix->n, sizeof(float)) &&
                  cop_cuda_holds(input, rows * matrix->k, cop_dtype_size(backend->input)),
              err, COP_ERR_INTERNAL, "a product of %zu rows is out of bounds", rows);
    return COP_OK;
}

cop_status cop_cuda_gemm(cop_backend *backend, cop_buffer *output, const cop_buffer *input,
                         const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                         cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    if (rows == 0) return cop_cuda_check(cuda, err);
    COP_TRY(check_product(backend, output, input, matrix, rows, err));
    float *const out = (float *)output->data;
    if (bias != NULL)
        cop_cuda_spread_bias(cuda, out, (const float *)bias->data, rows, matrix->n, false);
    return multiply(cuda, out, input, matrix, rows, bias != NULL ? 1.0F : 0.0F, err);
}

cop_status cop_cuda_gemm_add(cop_backend *backend, cop_buffer *residual,
                             const cop_buffer *input, const cop_matrix *matrix,
                             const cop_buffer *bias, size_t rows, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    if (rows == 0) return cop_cuda_check(cuda, err);
    COP_TRY(check_product(backend, residual, input, matrix, rows, err));
    float *const out = (float *)residual->data;
    if (bias != NULL)
        cop_cuda_spread_bias(cuda, out, (const float *)bias->data, rows, matrix->n, true);
    return multiply(cuda, out, input, matrix, rows, 1.0F, err);
}
