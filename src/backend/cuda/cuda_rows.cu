/* Row-wise operations: a block of threads for each row. */
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/storage.cuh"

static constexpr int MOST_THREADS = 256;

/* What a row-wise kernel works on; not every one uses every field. */
typedef struct row_arguments {
    void *out; /* [rows, width] of out_type */
    cop_dtype out_type;
    const void *in; /* f32, or the embedding table of in_type */
    cop_dtype in_type;
    const float *weight; /* [lanes, width] */
    const int32_t *ids;  /* row of `in` for each of `out` */
    uint32_t lane_rows;  /* of `out` that share a copy of weight or table */
    size_t table_rows;   /* to add to the ids of a lane, and once more for each after it */
    size_t width;
    float eps;
    float scale; /* of the rows that are picked */
    cop_activation activation;
    bool add;
} row_arguments;

static void launch_rows(cop_cuda *cuda, void (*kernel)(row_arguments), size_t rows,
                        const row_arguments &a, const char *what)
{
    const cop_cuda_grid grid = {.blocks = rows,
                                .threads = cop_cuda_threads(a.width, MOST_THREADS)};
    cop_cuda_launch(cuda, kernel, grid, a, what);
}

static __device__ __forceinline__ const float *weight_of(const row_arguments &a)
{
    return a.weight + blockIdx.x / a.lane_rows * a.width;
}

static __global__ void pick_kernel(const row_arguments a)
{
    const size_t to = (size_t)blockIdx.x * a.width;
    const size_t first = blockIdx.x / a.lane_rows * a.table_rows;
    const size_t from = (first + (size_t)a.ids[blockIdx.x]) * a.width;
    for (size_t i = threadIdx.x; i < a.width; i += blockDim.x)
        store_element(a.out, a.out_type, to + i,
                      a.scale * load_element(a.in, a.in_type, from + i));
}

/* The ids that a decode step feeds; they are below its vocabulary. */
static cop_status find_fed(const cop_cuda *cuda, size_t count, size_t held, const int32_t **ids,
                           cop_error *err)
{
    const cop_cuda_sequences *const sequences = &cuda->decoder.sequences;
    COP_CHECK(sequences->rows != NULL && sequences->count == count, err, COP_ERR_INTERNAL,
              "no ids for %zu rows", count);
    COP_CHECK(cuda->base.lanes * cuda->decoder.vocabulary <= held, err, COP_ERR_INTERNAL,
              "a table of %zu rows for a vocabulary of %zu", held, cuda->decoder.vocabulary);
    *ids = sequences->ids;
    return COP_OK;
}

static cop_status send_ids(cop_cuda *cuda, const int32_t *ids, size_t count, size_t held,
                           const int32_t **sent, cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        COP_CHECK(ids[i] >= 0 && (size_t)ids[i] < held, err, COP_ERR_INTERNAL,
                  "row %d of a table of %zu rows", (int)ids[i], held);
    }
    COP_TRY(cop_cuda_send(cuda, &cuda->ids, ids, count * sizeof *ids, err));
    *sent = (const int32_t *)cuda->ids.data;
    return COP_OK;
}

/* out [count, width] (f32) = rows `ids` [count] (host memory, or NULL: those that a decode step
 * feeds) of in [., width], times `scale`. */
static cop_status pick_rows(cop_backend *backend, cop_buffer *out, const cop_buffer *in,
                            cop_dtype dtype, const int32_t *ids, size_t count, size_t width,
                            float scale, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_CHECK(width != 0 && cop_dtype_size(dtype) != 0 &&
                  cop_cuda_holds(out, count * width, sizeof(float)),
              err, COP_ERR_INTERNAL, "%zu rows of %zu elements are out of bounds", count,
              width);
    const size_t held = in->bytes / (width * cop_dtype_size(dtype));
    const int32_t *there = NULL;
    COP_TRY(ids == NULL && count > 0 ? find_fed(cuda, count, held, &there, err)
                                     : send_ids(cuda, ids, count, held, &there, err));
    const row_arguments a = {.out = out->data,
                             .out_type = COP_F32,
                             .in = in->data,
                             .in_type = dtype,
                             .ids = there,
                             .lane_rows = ids == NULL ? cop_cuda_lane_rows(backend, count)
                                                      : (uint32_t)count,
                             .table_rows = ids == NULL ? cuda->decoder.vocabulary : 0,
                             .width = width,
                             .scale = scale};
    launch_rows(cuda, pick_kernel, count, a, "picking rows");
    return cop_cuda_check(cuda, err);
}

cop_status cop_cuda_embed(cop_backend *backend, cop_buffer *residual, const cop_buffer *table,
                          cop_dtype dtype, const int32_t *ids, size_t rows, size_t width,
                          float scale, cop_error *err)
{
    return pick_rows(backend, residual, table, dtype, ids, rows, width, scale, err);
}

cop_status cop_cuda_gather(cop_backend *backend, cop_buffer *out, const cop_buffer *in,
                           const int32_t *rows, size_t count, size_t width, cop_error *err)
{
    return pick_rows(backend, out, in, backend->residual, rows, count, width, 1.0F, err);
}

/* --- norms --- */

static __global__ void rmsnorm_kernel(const row_arguments a)
{
    __shared__ float partial[MOST_WARPS];
    const float *const x = (const float *)a.in + (size_t)blockIdx.x * a.width;
    const size_t to = (size_t)blockIdx.x * a.width;
    const float *const weight = weight_of(a);
    float squares = 0.0F;
    for (size_t i = threadIdx.x; i < a.width; i += blockDim.x)
        squares = fmaf(x[i], x[i], squares);
    const float mean = block_sum(squares, partial) / (float)a.width;
    const float factor = 1.0F / sqrtf(mean + a.eps);
    for (size_t i = threadIdx.x; i < a.width; i += blockDim.x) {
        const float normed = x[i] * factor * weight[i];
        if (a.add) {
            ((float *)a.out)[to + i] += normed;
        } else {
            store_element(a.out, a.out_type, to + i, normed);
        }
    }
}

void cop_cuda_rmsnorm(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                      const cop_buffer *weight, size_t rows, size_t width, float eps)
{
    const row_arguments a = {.out = input->data,
                             .out_type = backend->input,
                             .in = residual->data,
                             .weight = (const float *)weight->data,
                             .lane_rows = cop_cuda_lane_rows(backend, rows),
                             .width = width,
                             .eps = eps};
    launch_rows(cop_cuda_of(backend), rmsnorm_kernel, rows, a, "a norm");
}

void cop_cuda_rmsnorm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *output,
                          const cop_buffer *weight, size_t rows, size_t width, float eps)
{
    const row_arguments a = {.out = residual->data,
                             .out_type = COP_F32,
                             .in = output->data,
                             .weight = (const float *)weight->data,
                             .lane_rows = cop_cuda_lane_rows(backend, rows),
                             .width = width,
                             .eps = eps,
                             .add = true};
    launch_rows(cop_cuda_of(backend), rmsnorm_kernel, rows, a, "a norm");
}

void cop_cuda_convert(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                      size_t rows, size_t width)
{
    cop_cuda_convert_elements(cop_cuda_of(backend), input->data, backend->input, residual->data,
                              COP_F32, rows * width);
}

/* --- gated unit, bias --- */

/* As scalar_math.h and glu.c have them for processors. */
static __device__ __forceinline__ float activate(cop_activation activation, float x)
{
    const float linear = 1.59576912F;  /* 2 sqrt(2 / pi) */
    const float cubic = 0.0713548163F; /* 0.044715 of it */
    const float exponent = activation == COP_GELU_TANH ? x * (linear + cubic * (x * x)) : x;
    return x / (1.0F + expf(-exponent));
}

static __global__ void glu_kernel(const row_arguments a)
{
    const float *const gate = (const float *)a.in + (size_t)blockIdx.x * 2 * a.width;
    const float *const up = gate + a.width;
    const size_t to = (size_t)blockIdx.x * a.width;
    for (size_t i = threadIdx.x; i < a.width; i += blockDim.x)
        store_element(a.out, a.out_type, to + i, activate(a.activation, gate[i]) * up[i]);
}

void cop_cuda_glu(cop_backend *backend, cop_buffer *input, const cop_buffer *output,
                  size_t rows, size_t width, cop_activation activation)
{
    const row_arguments a = {.out = input->data,
                             .out_type = backend->input,
                             .in = output->data,
                             .width = width,
                             .activation = activation};
    launch_rows(cop_cuda_of(backend), glu_kernel, rows, a, "the gated unit");
}

static __global__ void bias_kernel(const row_arguments a)
{
    float *const out = (float *)a.out + (size_t)blockIdx.x * a.width;
    const float *const bias = weight_of(a);
    for (size_t i = threadIdx.x; i < a.width; i += blockDim.x)
        out[i] = a.add ? out[i] + bias[i] : bias[i];
}

void cop_cuda_spread_bias(cop_cuda *cuda, float *out, const float *bias, size_t rows,
                          size_t width, bool add)
{
    const row_arguments a = {.out = out,
                             .weight = bias,
                             .lane_rows = cop_cuda_lane_rows(&cuda->base, rows),
                             .width = width,
                             .add = add};
    launch_rows(cuda, bias_kernel, rows, a, "adding a bias");
}
