/* The CUDA backend's own types and what its files share. C-like C++: kernels take one struct,
 * host functions are those of a C backend. */
#ifndef COP_BACKEND_CUDA_CUDA_BACKEND_H
#define COP_BACKEND_CUDA_CUDA_BACKEND_H

extern "C" {
#include "coppice/backend/backend.h"
}

#include <cublasLt.h>
#include <cuda_runtime.h>

/* Device memory, at an address that suits every vector load. */
struct cop_buffer {
    char *data;
    size_t bytes;
    bool is_base; /* a copy of wrapped host memory: read only */
};

/* GEMM weight, row-major [lanes, n, k] in the type of the operands. */
struct cop_matrix {
    size_t n, k, lanes;
    cop_dtype dtype;    /* of the elements to commit */
    cop_buffer own;     /* empty until it is needed */
    const void *values; /* own, or the table that was committed */
};

/* Keys and values [layer, slot, KV head, position, E] in the type of the operands. */
struct cop_kv {
    size_t layers, slots, length;
    size_t kv_heads, group, head_size;
    cop_buffer keys, values;
};

/* Where a row of the batch belongs. */
typedef struct cop_cuda_row {
    int32_t slot; /* -1: to no span */
    int32_t position;
    int32_t prefix, prefix_slot; /* of the batch */
} cop_cuda_row;

/* Up to COP_CUDA_PAIRS queries that one block of the attention computes: pair p of a span is
 * row p / group, head p % group of the KV head's. */
typedef struct cop_cuda_tile {
    int32_t slot, past, first_row; /* of the span */
    int32_t first_pair, pairs;
    int32_t prefix, prefix_slot; /* of the batch */
} cop_cuda_tile;

static constexpr int COP_CUDA_PAIRS = 8;
static constexpr int COP_CUDA_WARP = 32;
static constexpr int COP_CUDA_MOST_HEAD_SIZE = 256;

/* The batch that the device has a description of: the layers of a pass share it. */
typedef struct cop_cuda_batch {
    cop_span *spans; /* [span_count] host copy */
    size_t span_count, span_capacity;
    size_t rows, group, tiles;
    int32_t prefix, prefix_slot, lane_slots;
    cop_buffer device_rows, device_tiles;
} cop_cuda_batch;

/* The sequences of a decode step, on the device: [count] each. An ended one has slot -1. */
typedef struct cop_cuda_sequences {
    cop_cuda_row *rows; /* NULL: this is no decode step */
    int32_t *ids;       /* to feed next */
    int32_t *left;      /* most ids that it may still get */
    uint32_t *taken;    /* ids that it got in this call */
    int32_t *got;       /* [steps, count] them */
    const int32_t *stops;
    uint32_t stop_count, count;
} cop_cuda_sequences;

/* What a decode step of that many rows asks the device for. */
typedef struct cop_cuda_graph {
    cop_decode of;        /* what counts of it: see is_same() */
    size_t rows, lanes;   /* of the step */
    cudaGraphExec_t step; /* NULL: run once, and not captured yet */
} cop_cuda_graph;

static constexpr int COP_CUDA_DECODE_STEPS = 32;
static constexpr int COP_CUDA_MOST_GRAPHS = 64;

/* Decoding on the device (cuda_decode.cu). */
typedef struct cop_cuda_decoder {
    cop_buffer state;             /* memory of the sequences */
    cop_cuda_sequences sequences; /* of the call under way */
    size_t vocabulary;            /* likewise */
    cop_cuda_graph *graphs;       /* [graph_count] */
    size_t graph_count, graph_capacity;
    bool no_graphs; /* the driver has none */
} cop_cuda_decoder;

/* How cuBLASLt multiplies with matrices of one shape. */
typedef struct cop_cuda_algorithm {
    size_t n, k;
    size_t rows; /* that it was asked for */
    cublasLtMatmulAlgo_t algorithm;
} cop_cuda_algorithm;

typedef struct cop_cuda {
    cop_backend base;
    int device;
    int sharers; /* ranks of this node that use the device */
    cudaDeviceProp properties;
    cudaStream_t stream;

    cudaError_t failed; /* the first failure, kept: the device is lost to this process */
    const char *failed_in;
    const char *failed_by; /* cuBLASLt's name of it; NULL: the device's says it */

    cublasLtHandle_t blas;
    cop_buffer workspace;
    cop_cuda_algorithm *algorithms; /* [algorithm_count] shapes seen so far */
    size_t algorithm_count, algorithm_capacity;

    char *pinned; /* host memory that copies go through, free again after a synchronisation */
    size_t pinned_bytes, pinned_used;

    cop_buffer stage;      /* the largest matrix in its storage type, where it is packed */
    cop_buffer components; /* of the latest rebuild; host copy below */
    cop_component *sent;   /* [sent_count] */
    size_t sent_count, sent_capacity;
    cop_buffer ids;     /* row numbers, tokens or targets of a call */
    cop_buffer uniform; /* random numbers of a draw */
    cop_buffer results; /* ids or log-probabilities */
    cop_buffer draws;   /* weights and order of a draw */
    cop_cuda_batch batch;
    cop_cuda_decoder decoder;
} cop_cuda;

/* Rows of each lane of a call with that many. */
static inline uint32_t cop_cuda_lane_rows(const cop_backend *backend, size_t rows)
{
    return (uint32_t)(rows / backend->lanes);
}

/* The backend, its device made the calling thread's. */
cop_cuda *cop_cuda_of(cop_backend *backend);

/* --- errors (cuda_error.cu) --- */

/* Keeps the first code that is not success; `what` is a literal. */
void cop_cuda_note(cop_cuda *cuda, cudaError_t code, const char *what);
void cop_cuda_note_blas(cop_cuda *cuda, cublasStatus_t code, const char *what);

/* COP_ERR_BACKEND with the kept failure, if there is one. */
cop_status cop_cuda_check(const cop_cuda *cuda, cop_error *err);

/* Notes the result of a CUDA call and returns from the calling function if it, or one before,
 * failed. */
#define CUDA_TRY(cuda, call, what, err)         \
    do {                                        \
        cop_cuda_note((cuda), (call), (what));  \
        COP_TRY(cop_cuda_check((cuda), (err))); \
    } while (0)

/* --- launches --- */

typedef struct cop_cuda_grid {
    size_t blocks;   /* none: nothing is launched */
    size_t blocks_y; /* 0 is 1 */
    unsigned threads;
    size_t shared_bytes;
} cop_cuda_grid;

/* Launches `kernel` on the backend's stream; a failure is kept. */
template <typename Arguments>
static inline void cop_cuda_launch(cop_cuda *cuda, void (*kernel)(Arguments),
                                   const cop_cuda_grid &grid, Arguments arguments,
                                   const char *what)
{
    if (cuda->failed != cudaSuccess || grid.blocks == 0) return;
    void *list[] = {&arguments};
    const dim3 blocks((unsigned)grid.blocks, grid.blocks_y == 0 ? 1 : (unsigned)grid.blocks_y);
    cop_cuda_note(cuda,
                  cudaLaunchKernel(kernel, blocks, dim3(grid.threads), list, grid.shared_bytes,
                                   cuda->stream),
                  what);
}

/* Threads of a block for rows of that width: whole warps, up to `most`. */
static inline unsigned cop_cuda_threads(size_t width, unsigned most)
{
    const size_t whole = (width + COP_CUDA_WARP - 1) / COP_CUDA_WARP * COP_CUDA_WARP;
    return whole == 0 ? COP_CUDA_WARP : whole < most ? (unsigned)whole : most;
}

/* --- memory (cuda_memory.cu) --- */

/* Makes the memory of an embedded buffer at least that large; contents are lost when it grows.
 */
cop_status cop_cuda_reserve(cop_cuda *cuda, cop_buffer *buffer, size_t bytes, cop_error *err);
void cop_cuda_release(cop_cuda *cuda, cop_buffer *buffer);

/* Copies host memory, free to change at once, to a device list that grows as needed. */
cop_status cop_cuda_send(cop_cuda *cuda, cop_buffer *to, const void *data, size_t bytes,
                         cop_error *err);
/* Waits for the stream and copies from the device. */
cop_status cop_cuda_fetch(cop_cuda *cuda, void *out, const void *from, size_t bytes,
                          cop_error *err);

/* cuda_batch.cu: */

/* Rows and tiles that the kernels of a layer work on. */
typedef struct cop_cuda_places {
    const cop_cuda_row *rows;   /* [T] */
    const cop_cuda_tile *tiles; /* NULL: those of a decode step, which follow from its rows */
    size_t tiles_count;
} cop_cuda_places;

/* Those of the decode step under way, or of `batch`, which is described to the device unless it
 * was the last. `group`: heads to a KV head. A failure is kept; *places is empty then. */
void cop_cuda_find_places(cop_cuda *cuda, const cop_batch *batch, size_t group,
                          cop_cuda_places *places);

/* True if `buffer` holds count elements of `item` bytes. */
static inline bool cop_cuda_holds(const cop_buffer *buffer, size_t count, size_t item)
{
    return item != 0 && count <= buffer->bytes / item;
}

/* --- operations; see cop_backend_ops --- */

cop_buffer_create_fn cop_cuda_buffer_create;
cop_buffer_wrap_fn cop_cuda_buffer_wrap;
cop_buffer_destroy_fn cop_cuda_buffer_destroy;
cop_upload_fn cop_cuda_upload;
cop_download_fn cop_cuda_download;
cop_kv_create_fn cop_cuda_kv_create;
cop_kv_destroy_fn cop_cuda_kv_destroy;

/* cuda_rebuild.cu: */
cop_rebuild_fn cop_cuda_rebuild;
cop_sums_fn cop_cuda_sums;
cop_widen_fn cop_cuda_widen;
/* out [count] of `to` = in [count] of `from`, rounded once. */
void cop_cuda_convert_elements(cop_cuda *cuda, void *out, cop_dtype to, const void *in,
                               cop_dtype from, size_t count);

/* cuda_gemm.cu: */
cop_matrix_create_fn cop_cuda_matrix_create;
cop_matrix_destroy_fn cop_cuda_matrix_destroy;
cop_matrix_stage_fn cop_cuda_matrix_stage;
cop_matrix_commit_fn cop_cuda_matrix_commit;
cop_gemm_fn cop_cuda_gemm;
cop_gemm_add_fn cop_cuda_gemm_add;

/* cuda_rows.cu: */
cop_embed_fn cop_cuda_embed;
cop_rmsnorm_fn cop_cuda_rmsnorm;
cop_rmsnorm_add_fn cop_cuda_rmsnorm_add;
cop_convert_fn cop_cuda_convert;
cop_glu_fn cop_cuda_glu;
cop_gather_fn cop_cuda_gather;
/* out [rows, width] = bias [lanes, width] in every row, added to it if `add`. */
void cop_cuda_spread_bias(cop_cuda *cuda, float *out, const float *bias, size_t rows,
                          size_t width, bool add);

/* cuda_rope.cu and cuda_attention.cu: */
cop_rope_store_fn cop_cuda_rope_store;
cop_attention_fn cop_cuda_attention;

/* cuda_logits.cu and cuda_draw.cu: */
cop_argmax_fn cop_cuda_argmax;
cop_log_probability_fn cop_cuda_log_probability;
cop_sample_fn cop_cuda_sample;

/* Launches what chooses rows [count] of logits: into ids, or for the sequences of a decode step
 * where they have rows. Bounds are checked; nothing is copied. */
cop_status cop_cuda_launch_argmax(cop_cuda *cuda, const cop_buffer *logits, size_t rows,
                                  size_t vocabulary, const cop_cuda_sequences *sequences,
                                  int32_t *ids, cop_error *err);
/* Likewise, by draw->uniform in device memory: [rows], or [steps, rows] of a decode step. */
cop_status cop_cuda_launch_draws(cop_cuda *cuda, const cop_buffer *logits, size_t rows,
                                 size_t vocabulary, const cop_draw *draw,
                                 const cop_cuda_sequences *sequences, int32_t *ids,
                                 cop_error *err);

/* cuda_decode.cu: */
cop_decode_fn cop_cuda_decode;
/* What was captured is not run again: memory that it works on is gone, or was replaced. */
void cop_cuda_forget_graphs(cop_cuda *cuda);

/* cuda_device.cu: */
cop_status cop_backend_create_cuda(const cop_backend_options *options, cop_backend **backend,
                                   cop_error *err);

#endif
