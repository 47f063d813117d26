/** \file backend.h
 * A backend: a table of typed operations on opaque device memory, enough to keep weights, KV
 * cache and activations on the device. The model calls these and nothing else.
 *
 * Letters: T rows (tokens of all sequences, packed without padding), D width, H heads, G KV
 * heads, E head size, F feed-forward width, V vocabulary, S slots.
 *
 * Three roles of activations, each with the dtype that the backend declares: `residual` (the
 * stream between blocks), `input` (operand of a GEMM: output of a norm, of attention, of the
 * gated unit) and `output` (result of a GEMM). Buffers are plain memory of the device; a view
 * is a buffer and an element offset.
 *
 * Several candidates can be computed side by side, in lanes. Weights have a copy for each then,
 * one after the other: vectors [lanes, N], tables [lanes, V, D], matrices as matrix_create()
 * says. The rows T of a call are cop_backend::lanes equal blocks, and block l is computed with
 * copy l of the weights. What a block gets is, bit for bit, what it would get alone; see
 * cop_backend::rows_alone, too.
 */
#ifndef COPPICE_BACKEND_BACKEND_H
#define COPPICE_BACKEND_BACKEND_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"
#include "coppice/base/status.h"
#include "coppice/rebuild/rebuild.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cop_backend cop_backend;
typedef struct cop_buffer cop_buffer; /**< device memory */
typedef struct cop_matrix cop_matrix; /**< GEMM weight [N, K], packed for the provider */
typedef struct cop_kv cop_kv;         /**< KV cache of all layers */

/** One sequence's rows in a packed batch: rows first_row .. first_row+rows-1 hold its tokens at
 *  positions past .. past+rows-1. */
typedef struct cop_span {
    int32_t slot; /**< where its keys and values live, 0 .. S-1 */
    int32_t first_row;
    int32_t rows;
    int32_t past; /**< tokens before these, the shared prefix included */
} cop_span;

/** A packed batch. The keys and values of positions 0 .. prefix-1 are those of slot
 *  `prefix_slot`, shared by all sequences; later positions are each slot's own. A span whose
 *  slot is prefix_slot itself writes the prefix (past + rows <= prefix). */
typedef struct cop_batch {
    /** [span_count], not owned. NULL for rows that only the backend knows the places of: see
     * cop_decode::step. */
    const cop_span *spans;
    size_t span_count;
    size_t rows;    /**< T */
    int32_t prefix; /**< shared positions, 0 for none */
    int32_t prefix_slot;
    /** Of each lane: lane l has the slots from l * lane_slots on, and its prefix in slot
     * prefix_slot + l * lane_slots. 0 where there is one lane. */
    int32_t lane_slots;
} cop_batch;

/** The slot that holds the prefix which a sequence in `slot` sees. */
static inline int32_t cop_batch_prefix_slot(const cop_batch *batch, int32_t slot)
{
    const int32_t lanes = batch->lane_slots;
    return lanes == 0 ? batch->prefix_slot : batch->prefix_slot + slot / lanes * lanes;
}

/** Normalisation of queries and keys before rope. */
typedef enum cop_qk_norm { COP_QK_NORM_NONE, COP_QK_NORM_HEAD, COP_QK_NORM_WIDTH } cop_qk_norm;

/** What the gate of a gated unit goes through. */
typedef enum cop_activation {
    COP_SILU,     /**< x / (1 + e^-x) */
    COP_GELU_TANH /**< x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
} cop_activation;

/** Shape of an attention block, the same for the calls of one layer. */
typedef struct cop_attention_shape {
    int32_t heads;     /**< H */
    int32_t kv_heads;  /**< G, divides H */
    int32_t head_size; /**< E, even */
    int32_t window;    /**< sliding: a row sees itself and window-1 positions before; 0 none */
    float scale;       /**< of the scores, usually 1 / sqrt(E) */
    cop_qk_norm qk_norm;
    float eps; /**< of the q/k norm */
} cop_attention_shape;

/** One tensor, or a piece of a fused one, to rebuild into device memory. */
typedef struct cop_weight_part {
    const cop_buffer *base; /**< wrapped base tensor */
    cop_dtype dtype;
    size_t count;                 /**< elements */
    uint32_t tensor;              /**< cop_noise_tensor_id() */
    float scale;                  /**< 0: not perturbed */
    bool base_is_sums, keep_sums; /**< as in cop_rebuild_piece */
    cop_low_rank low;             /**< likewise */
    const cop_buffer *sum;        /**< [count] binary32, cop_sums_fn(); NULL: none */
    float factor;                 /**< of `sum`, as in cop_rebuild_piece */
} cop_weight_part;

/** How tokens are drawn. */
typedef struct cop_draw {
    double temperature;    /**< > 0 */
    double top_p;          /**< > 0; from 1 on every token takes part */
    const double *uniform; /**< [T] in (0, 1), one number for each row; not owned */
} cop_draw;

/** A sequence that decoding goes on with. */
typedef struct cop_decode_row {
    int32_t slot; /**< -1: this is a row of no sequence, and gets no ids */
    int32_t past; /**< tokens in the cache, the shared prefix included */
    int32_t next; /**< id to feed first */
    int32_t left; /**< most ids that it may still get, at least 1 */
} cop_decode_row;

/** What cop_backend_ops::decode works on. Nothing is owned. */
typedef struct cop_decode {
    const cop_decode_row *rows; /**< [lanes, count] */
    size_t count;
    size_t most_rows; /**< that a step has room for in each lane; at least count */
    int32_t prefix, prefix_slot, lane_slots; /**< as in cop_batch */
    const int32_t *stops;                    /**< [stop_count] ids that end a sequence */
    size_t stop_count;
    const cop_buffer *logits; /**< [rows of a step, vocabulary], where a step leaves them */
    size_t vocabulary;        /**< rows of a lane's embedding table too */
    cop_draw draw; /**< temperature 0: the best id; otherwise uniform [steps, lanes, count] */
    /** Feeds ids [batch->rows] (of lane l: l * vocabulary more, as embed takes them), one row
     * to a span, and leaves their logits: embed, the layers, norm and head, and nothing that
     * synchronises. It hands `ids` and `batch` on to embed, rope_store and attention as they
     * are: where both are on the device, `ids` and batch->spans are NULL. There may be up to
     * most_rows rows, some of sequences that have ended or of none. A backend may repeat what a
     * call with this context and as many rows has asked for, without asking again, until one of
     * its buffers, caches or matrices is destroyed or a matrix is packed from another place. */
    cop_status (*step)(void *context, const int32_t *ids, const cop_batch *batch,
                       cop_error *err);
    void *context;
} cop_decode;

/** Memory that a plan needs, in bytes, by cop_backend_ops::plan. */
typedef struct cop_backend_plan {
    size_t lanes;          /**< copies of the weights, 0 as 1 */
    size_t matrices;       /**< elements of all GEMM weights, once */
    size_t largest_matrix; /**< elements */
    size_t shared;         /**< of these, elements committed from a table that is in others */
    size_t others;         /**< elements of vectors and tables, once */
    size_t buffers;        /**< that matrices and tables, of base and copies, lie in */
    size_t kv;             /**< elements of the KV cache, of all lanes */
    size_t activations;    /**< elements, of all lanes */
    uint64_t factors; /**< bytes of noise of low rank while a weight is rebuilt; of no GPU */
    cop_dtype storage;
} cop_backend_plan;

/** In place of an id: the sequence has ended before. */
enum { COP_DECODE_NONE = -2 };

/** Of a text of cop_backend_ops::describe_arithmetic, its end included. */
enum { COP_ARITHMETIC_BYTES = 112 };

/* --- the operations: what each of cop_backend_ops does, and is given --- */

typedef void cop_destroy_fn(cop_backend *backend);

/** Describes device, provider, compute type and threads in one line. text [size]. */
typedef void cop_describe_fn(const cop_backend *backend, char *text, size_t size);

/** What of it decides the bits of a result besides threads: library and version, compute
 *  type, instruction sets. Backends with one text compute alike. text [size], of
 *  COP_ARITHMETIC_BYTES. */
typedef void cop_describe_arithmetic_fn(const cop_backend *backend, char *text, size_t size);

/** Bytes that a plan needs and bytes that there are. */
typedef void cop_plan_fn(const cop_backend *backend, const cop_backend_plan *plan,
                         uint64_t *need_bytes, uint64_t *have_bytes);

/* --- memory --- */

/** Device memory of that many bytes, zeroed. */
typedef cop_status cop_buffer_create_fn(cop_backend *backend, size_t bytes, cop_buffer **buffer,
                                        cop_error *err);
/** Device view of host memory that outlives it: borrowed on the CPU, copied on a GPU. */
typedef cop_status cop_buffer_wrap_fn(cop_backend *backend, const void *data, size_t bytes,
                                      cop_buffer **buffer, cop_error *err);
typedef void cop_buffer_destroy_fn(cop_backend *backend, cop_buffer **buffer);
typedef cop_status cop_upload_fn(cop_backend *backend, cop_buffer *buffer, size_t offset_bytes,
                                 const void *data, size_t bytes, cop_error *err);
typedef cop_status cop_download_fn(cop_backend *backend, const cop_buffer *buffer,
                                   size_t offset_bytes, void *data, size_t bytes,
                                   cop_error *err);

/* --- weights --- */

/** Rebuilds parts [count] one after the other into `out` (storage type of the parts, which
 *  is one and the same, or binary32 where all keep sums), from element `offset`. */
typedef cop_status cop_rebuild_fn(cop_backend *backend, cop_buffer *out, size_t offset,
                                  const cop_weight_part *parts, size_t count,
                                  const cop_component *components, size_t component_count,
                                  cop_error *err);
/** Sums [count] of noises over a tensor of `elements`, sums[k].components into outs[k]
 *  [elements] binary32, as cop_rebuild_sums() has them; sums[k].out is of no concern. */
typedef cop_status cop_sums_fn(cop_backend *backend, cop_buffer *const *outs,
                               const cop_rebuild_sum *sums, size_t count, uint32_t tensor,
                               cop_low_rank low, size_t elements, cop_error *err);
/** Widens count elements of `in` (dtype) to binary32 in `out`, from element `offset`, and adds
 *  `plus` to each. */
typedef cop_status cop_widen_fn(cop_backend *backend, cop_buffer *out, size_t offset,
                                const cop_buffer *in, cop_dtype dtype, size_t count, float plus,
                                cop_error *err);
/** A GEMM weight [n, k] whose elements are stored as `dtype`, in `lanes` copies. */
typedef cop_status cop_matrix_create_fn(cop_backend *backend, size_t n, size_t k,
                                        cop_dtype dtype, size_t lanes, cop_matrix **matrix,
                                        cop_error *err);
typedef void cop_matrix_destroy_fn(cop_backend *backend, cop_matrix **matrix);
/** Where to rebuild the matrix, row-major [lanes, n, k] in the storage type: a scratch
 * buffer shared by all matrices, or the matrix's own memory. Borrowed, valid until the next
 * call. */
typedef cop_status cop_matrix_stage_fn(cop_backend *backend, cop_matrix *matrix,
                                       cop_buffer **stage, cop_error *err);
/** Packs copy `lane` of the matrix from that of `source`: its stage, or another buffer of
 *  the same layout (a tied embedding table) that outlives the next commit. All copies of a
 *  matrix come from the same source. */
typedef cop_status cop_matrix_commit_fn(cop_backend *backend, cop_matrix *matrix, size_t lane,
                                        const cop_buffer *source, cop_error *err);

/** Rebuilds parts [count], which are the rows of copy `lane` of the matrix one after the other,
 * into the matrix: as stage, rebuild and commit do, but on the way that is shortest here. What
 * nothing is added to may be packed as late as the first products with it: those bases must
 * stay as they are until the copy is rebuilt or committed again, or the matrix is destroyed. */
typedef cop_status cop_matrix_rebuild_fn(cop_backend *backend, cop_matrix *matrix, size_t lane,
                                         const cop_weight_part *parts, size_t count,
                                         const cop_component *components,
                                         size_t component_count, cop_error *err);

/* --- forward --- */

/** residual [T, D] = rows ids [T] (host memory, or NULL as a step of decode has them) of
 *  table [lanes * V, D] (dtype), times `scale`: id i of lane l is row l * V + i. */
typedef cop_status cop_embed_fn(cop_backend *backend, cop_buffer *residual,
                                const cop_buffer *table, cop_dtype dtype, const int32_t *ids,
                                size_t rows, size_t width, float scale, cop_error *err);
/** input [T, D] = residual * rsqrt(mean square + eps) * weight [D] (f32). */
typedef void cop_rmsnorm_fn(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                            const cop_buffer *weight, size_t rows, size_t width, float eps);
/** residual [T, D] += norm of output [T, D] by weight (norms after the block, OLMo 2). */
typedef void cop_rmsnorm_add_fn(cop_backend *backend, cop_buffer *residual,
                                const cop_buffer *output, const cop_buffer *weight, size_t rows,
                                size_t width, float eps);
/** input [T, D] = residual as it is, in the type of GEMM operands. */
typedef void cop_convert_fn(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                            size_t rows, size_t width);
/** output [T, N] = input [T, K] * matrix' + bias [N] (f32 or NULL). */
typedef cop_status cop_gemm_fn(cop_backend *backend, cop_buffer *output,
                               const cop_buffer *input, const cop_matrix *matrix,
                               const cop_buffer *bias, size_t rows, cop_error *err);
/** residual [T, N] += input [T, K] * matrix' + bias. */
typedef cop_status cop_gemm_add_fn(cop_backend *backend, cop_buffer *residual,
                                   const cop_buffer *input, const cop_matrix *matrix,
                                   const cop_buffer *bias, size_t rows, cop_error *err);
/** input [T, F] = activation(output[:, :F]) * output[:, F:], output [T, 2 F]. */
typedef void cop_glu_fn(cop_backend *backend, cop_buffer *input, const cop_buffer *output,
                        size_t rows, size_t width, cop_activation activation);
/** In place on qkv [T, (H + 2 G) E] (a GEMM output): q/k norm (q_norm, k_norm: [E] or the
 *  width, f32, or NULL) and rotary embedding of queries and keys in the half-split form by
 *  rope [positions, E] (f32: E/2 cosines, then E/2 sines; a factor on them scales
 *  attention); then stores keys and values of the batch in the cache. */
typedef void cop_rope_store_fn(cop_backend *backend, cop_buffer *qkv, cop_kv *kv, size_t layer,
                               const cop_batch *batch, const cop_attention_shape *shape,
                               const cop_buffer *rope, const cop_buffer *q_norm,
                               const cop_buffer *k_norm);
/** input [T, H E] = causal attention of the queries in qkv over the cache. */
typedef void cop_attention_fn(cop_backend *backend, cop_buffer *input, const cop_buffer *qkv,
                              const cop_kv *kv, size_t layer, const cop_batch *batch,
                              const cop_attention_shape *shape);
/** out [count, D] = rows `rows` [count] (host memory) of in [., D], both residual. */
typedef cop_status cop_gather_fn(cop_backend *backend, cop_buffer *out, const cop_buffer *in,
                                 const int32_t *rows, size_t count, size_t width,
                                 cop_error *err);
/** Best id of each row of logits [T, V] (a GEMM output), the lowest among equals; to host
 *  memory. -1 for a row with a NaN or an infinity. Synchronises. */
typedef cop_status cop_argmax_fn(cop_backend *backend, const cop_buffer *logits, size_t rows,
                                 size_t vocabulary, int32_t *ids, cop_error *err);
/** An id of each row of logits [T, V] (a GEMM output), drawn from softmax(row /
 * temperature); to host memory. With top_p < 1 only from the nucleus: the likeliest tokens,
 * the lower id first among equals, up to and with the one at which their probabilities
 * reach top_p (Holtzman et al., arXiv 1904.09751). The id is where the running sum of the
 * weights, in order of the ids or, with top_p < 1, of falling weight, passes uniform * its
 * total: a function of these arguments alone, the same on every processor. -1 as argmax.
 * Synchronises. */
typedef cop_status cop_sample_fn(cop_backend *backend, const cop_buffer *logits, size_t rows,
                                 size_t vocabulary, const cop_draw *draw, int32_t *ids,
                                 cop_error *err);
/** Natural log-probability of targets [T] (host) under logits [T, V]; to host memory. */
typedef cop_status cop_log_probability_fn(cop_backend *backend, const cop_buffer *logits,
                                          size_t rows, size_t vocabulary,
                                          const int32_t *targets, double *out, cop_error *err);

/** `steps` steps of decoding: each feeds every sequence's next id and chooses the one
 * after, as argmax or sample do. ids [steps, lanes, count] (host memory) are those chosen;
 * a sequence ends with a stop, with its last one `left`, or with -1 (logits not finite),
 * and has COP_DECODE_NONE from then on. steps <= cop_backend::decode_steps or 1.
 * Synchronises, once. */
typedef cop_status cop_decode_fn(cop_backend *backend, const cop_decode *decode, size_t steps,
                                 int32_t *ids, cop_error *err);

/* --- KV cache --- */

/** A cache of `layers` layers, slots [S], `length` positions per slot. */
typedef cop_status cop_kv_create_fn(cop_backend *backend, size_t layers, size_t slots,
                                    size_t length, const cop_attention_shape *shape,
                                    cop_kv **kv, cop_error *err);
typedef void cop_kv_destroy_fn(cop_backend *backend, cop_kv **kv);

/** The operations, each of the type above that has its name; a backend declares its own by
 * these types. All are required. Those without a status cannot fail on valid arguments; a
 *  device error is sticky and reported by the next call that returns a status. */
typedef struct cop_backend_ops {
    const char *name; /**< "cpu", "cuda", "ref" */
    cop_destroy_fn *destroy;
    cop_describe_fn *describe;
    cop_describe_arithmetic_fn *describe_arithmetic;
    cop_plan_fn *plan;
    cop_buffer_create_fn *buffer_create;
    cop_buffer_wrap_fn *buffer_wrap;
    cop_buffer_destroy_fn *buffer_destroy;
    cop_upload_fn *upload;
    cop_download_fn *download;
    cop_rebuild_fn *rebuild;
    cop_sums_fn *sums;
    cop_widen_fn *widen;
    cop_matrix_create_fn *matrix_create;
    cop_matrix_destroy_fn *matrix_destroy;
    cop_matrix_stage_fn *matrix_stage;
    cop_matrix_commit_fn *matrix_commit;
    cop_matrix_rebuild_fn *matrix_rebuild;
    cop_embed_fn *embed;
    cop_rmsnorm_fn *rmsnorm;
    cop_rmsnorm_add_fn *rmsnorm_add;
    cop_convert_fn *convert;
    cop_gemm_fn *gemm;
    cop_gemm_add_fn *gemm_add;
    cop_glu_fn *glu;
    cop_rope_store_fn *rope_store;
    cop_attention_fn *attention;
    cop_gather_fn *gather;
    cop_argmax_fn *argmax;
    cop_sample_fn *sample;
    cop_log_probability_fn *log_probability;
    cop_decode_fn *decode;
    cop_kv_create_fn *kv_create;
    cop_kv_destroy_fn *kv_destroy;
} cop_backend_ops;

/** Parts of the time of a forward pass, for `bench`. */
typedef enum cop_backend_part {
    COP_PART_REBUILD,
    COP_PART_PACK,
    COP_PART_GEMM,
    COP_PART_ATTENTION,
    COP_PART_NORM,
    COP_PART_ROPE,
    COP_PART_GLU,
    COP_PART_EMBED,
    COP_PART_LOGITS, /**< argmax, draws and log-probabilities */
    COP_PART_COUNT
} cop_backend_part;

/** Common head of every backend's private struct. */
struct cop_backend {
    const cop_backend_ops *ops;
    cop_dtype residual; /**< dtype of the residual stream */
    cop_dtype input;    /**< dtype of GEMM operands */
    cop_dtype output;   /**< dtype of GEMM results; logits too */
    /** Most steps to ask decode for at a time: 1 where the host computes, and nothing is gained
     * by more. May be lowered: at 1 a device, too, is asked anew for each step. */
    size_t decode_steps;
    /** Lanes worth having where nobody asks for a number: one candidate keeps processor cores
     * busy, but a small one no GPU. */
    size_t auto_lanes;
    /** A row's bits follow neither the rows beside it nor their number, as long as pass_rows
     * and step_rows are the same. Not so on processor cores: their products may add up in
     * another order for another number of rows. */
    bool rows_alone;
    /** The table of embed() must stay one and the same buffer: steps that a GPU has recorded
     * read it where it was then. */
    bool fixed_table;
    /** The highest set that this processor and its libraries could be held to; COP_HOLD_NONE
     *  where nothing can be held. */
    cop_isa_hold best_isa;
    /** Lanes of the calls to come, 1 at first; whoever makes them sets it. */
    size_t lanes;
    /** Most rows of a lane in passes over prompts and in steps of decode, whether so many fit
     * at a time or not, set likewise; 0: not known. How a GPU multiplies is chosen by them. */
    size_t pass_rows, step_rows;
    /** Time spent in each part since creation; 0 where operations run after their call has
     *  returned (CUDA). */
    double seconds[COP_PART_COUNT];
};

/** matrix_rebuild by stage, rebuild and commit, for backends that have no shorter way. */
static inline cop_status cop_matrix_rebuild_staged(cop_backend *backend, cop_matrix *matrix,
                                                   size_t lane, const cop_weight_part *parts,
                                                   size_t count,
                                                   const cop_component *components,
                                                   size_t component_count, cop_error *err)
{
    cop_buffer *stage = NULL;
    size_t elements = 0;
    for (size_t i = 0; i < count; i++)
        elements += parts[i].count;
    COP_TRY(backend->ops->matrix_stage(backend, matrix, &stage, err));
    COP_TRY(backend->ops->rebuild(backend, stage, lane * elements, parts, count, components,
                                  component_count, err));
    return backend->ops->matrix_commit(backend, matrix, lane, stage, err);
}

/** What `backend.compute` asks for. */
typedef enum cop_compute { COP_COMPUTE_AUTO, COP_COMPUTE_F32, COP_COMPUTE_BF16 } cop_compute;

/** Reads "auto", "f32" or "bf16". \return false for anything else. */
bool cop_compute_parse(const char *name, cop_compute *compute);

/** Who multiplies matrices on the CPU. */
typedef enum cop_gemm_provider {
    /** What the arithmetic asks for: own kernels if it is defined, otherwise oneDNN where this
     * build has it, otherwise OpenBLAS. */
    COP_GEMM_AUTO,
    COP_GEMM_OWN, /**< bf16, in the defined arithmetic */
    COP_GEMM_ONEDNN,
    COP_GEMM_OPENBLAS
} cop_gemm_provider;

/** Reads "auto", "own", "onednn" or "openblas". \return false for anything else. */
bool cop_gemm_provider_parse(const char *text, cop_gemm_provider *provider);

/** What decides the bits of a result on processor cores. */
typedef enum cop_arithmetic {
    /** Defined where own kernels multiply, which they do by themselves where the processor has
     * tiles (AMX) and the base is bf16; otherwise a library's. */
    COP_ARITHMETIC_AUTO,
    /** bf16 products in the order of the tile instruction and everything else in a fixed order:
     * the same bits on every x86-64 processor, for any number of rows and threads. */
    COP_ARITHMETIC_DEFINED,
    /** As oneDNN or OpenBLAS add up on this processor. */
    COP_ARITHMETIC_LIBRARY
} cop_arithmetic;

/** Reads "auto", "defined" or "library". \return false for anything else. */
bool cop_arithmetic_parse(const char *text, cop_arithmetic *arithmetic);

/** NULL if this build has oneDNN, otherwise a sentence for the log: that it has not, and what
 * that costs. */
const char *cop_backend_lack(void);

/** What `backend.kind` asks for. */
typedef enum cop_backend_kind {
    COP_BACKEND_AUTO, /**< CUDA where there is a GPU and the plug-in, otherwise the CPU */
    COP_BACKEND_CPU,
    COP_BACKEND_CUDA
} cop_backend_kind;

/** Options of a backend. */
typedef struct cop_backend_options {
    cop_backend_kind kind; /**< of cop_backend_create() */
    cop_compute compute;   /**< auto: bf16 where the processor has it and the base is bf16 */
    cop_gemm_provider gemm;
    cop_arithmetic arithmetic; /**< defined: of processor cores, in bf16, by own kernels */
    cop_dtype storage;         /**< dtype of the base's matrices, for auto */
    /** The first tokens are what somebody waits for: auto takes own kernels for a bf16 base
     * also where a library multiplies many rows faster, in binary32. What they pack is half as
     * large. A library that multiplies bf16 is the quicker one at once. */
    bool quick_start;
    int threads; /**< at least 1 */
    cop_isa isa; /**< of the kernels, not above the processor's */
    /** Host memory that this rank may plan with, in bytes: its share where several ranks divide
     *  a node. 0: all that the system leaves. */
    uint64_t memory_bytes;
    /** Number of this rank among those of its node that compute, from 0: they take the GPUs
     * that they see in turn. */
    int local_rank;
    /** Ranks of its node that cop_backend_locate() tells the same GPU: they divide its memory.
     *  0: this one alone. */
    int gpu_sharers;
} cop_backend_options;

/** What cannot be had together, told without a device: kind, compute, gemm and arithmetic
 *  count. COP_ERR_UNSUPPORTED with the remedy. */
cop_status cop_backend_check(const cop_backend_options *options, cop_error *err);

/** A backend of options->kind, which cop_backend_check() allows. For CUDA, libcoppice_cuda.so
 * is loaded from the folder of the program or from ../lib/coppice beside it.
 * COP_ERR_UNSUPPORTED with the remedy where it is asked for and there is no plug-in, driver or
 * GPU; auto takes the CPU then. */
cop_status cop_backend_create(const cop_backend_options *options, cop_backend **backend,
                              cop_error *err);

/** PCI bus id and first part of the UUID ("0000:17:00.0/1f4a09c2") of the GPU, or of the part
 * of one, that cop_backend_create() would take with the same options, without creating anything
 * on it. Empty for the CPU, or where it cannot be told: cop_backend_create() says why. id
 * [size]. */
void cop_backend_locate(const cop_backend_options *options, char *id, size_t size);

/** True if a backend of these options multiplies bf16 by instructions for it, which is what
 *  compute auto takes it by. `kind` is the CPU or CUDA. */
bool cop_backend_has_bf16(const cop_backend_options *options);

/** Holds kernels and matrix products of this process to an instruction set, not COP_HOLD_NONE;
 *  before its first backend, which is of these options but for options.isa: that is to be
 * cop_isa_hold_kernels() then. It overrides ONEDNN_MAX_CPU_ISA. COP_ERR_UNSUPPORTED where the
 * processor, COPPICE_ISA or the library have not got the set, with the remedy. */
cop_status cop_backend_hold_isa(cop_isa_hold hold, const cop_backend_options *options,
                                cop_error *err);

/** Where address space is limited, has OpenBLAS and OpenMP take what they need for that many
 * threads, 0: as many as OpenMP starts by itself, now: OpenBLAS would wait for it for ever
 * later, OpenMP end the program. COP_ERR_MEMORY with the figures if there is no room. Without a
 * limit nothing is done. */
cop_status cop_backend_reserve_threads(int threads, cop_error *err);

/** The kind of that name ("auto", "cpu", "cuda"). \return false for another. */
bool cop_backend_kind_parse(const char *name, cop_backend_kind *kind);

/** The CPU backend, COP_ERR_UNSUPPORTED for what cop_backend_check() refuses. */
cop_status cop_backend_create_cpu(const cop_backend_options *options, cop_backend **backend,
                                  cop_error *err);

/** The reference backend: plain loops in binary32, one thread; what the others are tested
 *  against. */
cop_status cop_backend_create_ref(cop_backend **backend, cop_error *err);

/** Short names of the parts, for tables. */
const char *cop_backend_part_name(cop_backend_part part);

/** Destroys *backend and sets it to NULL; NULL is allowed. Its buffers must be gone. */
void cop_backend_destroy(cop_backend **backend);

#endif
