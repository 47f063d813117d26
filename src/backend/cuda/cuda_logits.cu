/* What is read off logits: a block of threads for each row. */
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/decode.cuh"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/storage.cuh"

static constexpr int MOST_THREADS = 512;

typedef struct logits_arguments {
    const float *logits; /* [rows, vocabulary] */
    int32_t vocabulary;
    const int32_t *targets;
    int32_t *ids;
    double *scores;
    cop_cuda_sequences sequences;
} logits_arguments;

static __global__ void argmax_kernel(const logits_arguments a)
{
    __shared__ row_top partial[MOST_WARPS];
    const float *const row = a.logits + (size_t)blockIdx.x * (size_t)a.vocabulary;
    if (has_ended(a.sequences, blockIdx.x)) return;
    const row_top top = find_row_top(row, a.vocabulary, partial);
    if (threadIdx.x == 0)
        give_id(a.sequences, a.ids, blockIdx.x, top.special != 0 ? -1 : top.index);
}

static __global__ void log_probability_kernel(const logits_arguments a)
{
    __shared__ row_top tops[MOST_WARPS];
    __shared__ double sums[MOST_WARPS];
    const float *const row = a.logits + (size_t)blockIdx.x * (size_t)a.vocabulary;
    const float most = find_row_top(row, a.vocabulary, tops).value;
    double sum = 0.0;
    for (int32_t i = (int32_t)threadIdx.x; i < a.vocabulary; i += (int32_t)blockDim.x)
        sum += (double)exp_f32(row[i] - most);
    sum = block_sum_f64(sum, sums);
    if (threadIdx.x == 0)
        a.scores[blockIdx.x] = (double)row[a.targets[blockIdx.x]] - (double)most - log(sum);
}

static cop_status check_rows(const cop_buffer *logits, size_t rows, size_t vocabulary,
                             cop_error *err)
{
    COP_CHECK(vocabulary > 0 && vocabulary <= INT32_MAX &&
                  cop_cuda_holds(logits, rows * vocabulary, sizeof(float)),
              err, COP_ERR_INTERNAL, "%zu rows of %zu logits are out of bounds", rows,
              vocabulary);
    return COP_OK;
}

cop_status cop_cuda_launch_argmax(cop_cuda *cuda, const cop_buffer *logits, size_t rows,
                                  size_t vocabulary, const cop_cuda_sequences *sequences,
                                  int32_t *ids, cop_error *err)
{
    COP_TRY(check_rows(logits, rows, vocabulary, err));
    const logits_arguments a = {.logits = (const float *)logits->data,
                                .vocabulary = (int32_t)vocabulary,
                                .ids = ids,
                                .sequences = *sequences};
    const cop_cuda_grid grid = {.blocks = rows,
                                .threads = cop_cuda_threads(vocabulary, MOST_THREADS)};
    cop_cuda_launch(cuda, argmax_kernel, grid, a, "the best tokens");
    return cop_cuda_check(cuda, err);
}

cop_status cop_cuda_argmax(cop_backend *backend, const cop_buffer *logits, size_t rows,
                           size_t vocabulary, int32_t *ids, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    const cop_cuda_sequences none = {};
    COP_TRY(cop_cuda_reserve(cuda, &cuda->results, rows * sizeof *ids, err));
    int32_t *const results = (int32_t *)cuda->results.data;
    COP_TRY(cop_cuda_launch_argmax(cuda, logits, rows, vocabulary, &none, results, err));
    return cop_cuda_fetch(cuda, ids, results, rows * sizeof *ids, err);
}

cop_status cop_cuda_log_probability(cop_backend *backend, const cop_buffer *logits, size_t rows,
                                    size_t vocabulary, const int32_t *targets, double *out,
                                    cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_TRY(check_rows(logits, rows, vocabulary, err));
    for (size_t r = 0; r < rows; r++) {
        COP_CHECK(targets[r] >= 0 && (size_t)targets[r] < vocabulary, err, COP_ERR_INTERNAL,
                  "target %d is outside the vocabulary of %zu", (int)targets[r], vocabulary);
    }
    COP_TRY(cop_cuda_reserve(cuda, &cuda->results, rows * sizeof *out, err));
    COP_TRY(cop_cuda_send(cuda, &cuda->ids, targets, rows * sizeof *targets, err));
    const logits_arguments a = {.logits = (const float *)logits->data,
                                .vocabulary = (int32_t)vocabulary,
                                .targets = (const int32_t *)cuda->ids.data,
                                .scores = (double *)cuda->results.data};
    const cop_cuda_grid grid = {.blocks = rows,
                                .threads = cop_cuda_threads(vocabulary, MOST_THREADS)};
    cop_cuda_launch(cuda, log_probability_kernel, grid, a, "log-probabilities");
    return cop_cuda_fetch(cuda, out, a.scores, rows * sizeof *out, err);
}
