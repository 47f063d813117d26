/* A model on a backend: weights, caches, scratch. */
#ifndef COP_MODEL_MODEL_INTERNAL_H
#define COP_MODEL_MODEL_INTERNAL_H

#include "coppice/model/model.h"

enum { COP_WEIGHT_MAX_PARTS = 3 };

/* What a weight becomes on the backend. */
typedef enum weight_kind {
    COP_WEIGHT_MATRIX, /* operand of a GEMM */
    COP_WEIGHT_VECTOR, /* norm or bias, widened to binary32 */
    COP_WEIGHT_TABLE   /* embedding, kept in the storage type */
} weight_kind;

/* One weight of the described block, fused from up to three tensors of the checkpoint. */
typedef struct cop_weight {
    weight_kind kind;
    size_t rows, columns; /* of the fused weight; a vector has one column */
    float plus;           /* COP_WEIGHT_VECTOR: added to every element as it is widened */
    cop_dtype dtype;      /* storage type of all parts */
    const cop_tensor_info *tensors[COP_WEIGHT_MAX_PARTS]; /* borrowed from the checkpoint */
    cop_buffer *bases[COP_WEIGHT_MAX_PARTS];              /* wrapped */
    size_t part_count;
    cop_matrix *matrix;      /* COP_WEIGHT_MATRIX */
    cop_buffer *buffer;      /* [lanes] vector in binary32, or table */
    const cop_buffer *table; /* COP_WEIGHT_TABLE: what is loaded, of `buffer` or the base */
    bool *holds_base;        /* [lanes] the backend has the base's values in the lane now */
} cop_weight;

/* The weights of one layer; borrowed from model->weights, NULL where the description has none.
 */
typedef struct model_layer {
    const cop_weight *qkv, *qkv_bias;
    const cop_weight *o, *o_bias;
    const cop_weight *gate_up, *gate_up_bias;
    const cop_weight *down, *down_bias;
    const cop_weight *norm_before_attention, *norm_after_attention;
    const cop_weight *norm_before_feed_forward, *norm_after_feed_forward;
    const cop_weight *q_norm, *k_norm;
} model_layer;

/* Device memory of a forward pass, allocated once. */
typedef struct model_scratch {
    size_t rows;      /* most rows of a batch, in each lane */
    size_t head_rows; /* most rows that go through the head at a time, in each lane */
    cop_buffer *residual, *input, *output;
    cop_buffer *head_residual, *head_input, *logits; /* [lanes, head_rows, .] */
} model_scratch;

/* Sums of a kind, kept beside the memory plan: see kept.h. */
typedef struct model_kept {
    cop_buffer **parts; /* [weight_count, COP_WEIGHT_MAX_PARTS] binary32, NULL: no such part */
    uint64_t bytes;     /* that they take */
    size_t noise_rank;  /* of the recipe that they are for */
} model_kept;

/* Sums of the components that many candidates begin with: see centre.h. */
typedef struct model_centre {
    cop_component *components; /* [count] */
    size_t count;
    model_kept sums;
    float *scale;          /* of the parts, likewise */
    cop_component *latest; /* [latest_count] of the recipe applied last */
    size_t latest_count;
    bool refused; /* there was no memory for it */
} model_centre;

enum { MODEL_MOST_SUMS = 8 };

/* The components of a sum, and their memory. */
typedef struct model_terms {
    cop_component *owned; /* NULL: none are here now */
    cop_rebuild_sum sum;  /* of these */
} model_terms;

/* A sum that is kept: see sums.h. */
typedef struct model_sum {
    model_terms terms;
    model_kept memory;
    uint64_t used; /* when last; sums->clock */
} model_sum;

typedef struct model_sums {
    model_sum kept[MODEL_MOST_SUMS]; /* [count] */
    size_t count;
    uint64_t clock;
    model_terms announced[MODEL_MOST_SUMS]; /* [announced_count] */
    size_t announced_count;
    bool refused; /* none is to be kept */
} model_sums;

struct cop_model {
    const cop_model_config *config; /* not owned, as the two below */
    const cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model_limits limits; /* batch: as many as fit */
    size_t lanes;
    size_t pass_rows, step_rows; /* most rows by the limits that were asked for */
    size_t length;               /* positions per slot of the cache */
    size_t slots;                /* of a lane */
    uint64_t room_bytes;         /* that the memory plan had */
    uint64_t kept_bytes;         /* of sums, which are beside the plan */

    cop_weight *weights; /* [weight_count] */
    size_t weight_count, weight_capacity;
    model_layer *layers; /* [config->layers] */
    const cop_weight *embedding, *final_norm;
    const cop_weight *head;   /* NULL if tied */
    cop_matrix *tied_head;    /* packed from the embedding; NULL if not tied */
    cop_buffer *vector_stage; /* vectors are rebuilt here, then widened */

    cop_buffer *rope[2]; /* [length, E]; NULL for a type that no layer has */
    cop_kv *kv;
    model_scratch scratch;
    cop_model_counters counters;
    model_centre centre;
    model_sums sums;
};

/* Widths of the activations that a description needs, in elements per row. */
typedef struct model_widths {
    size_t input;  /* widest operand of a GEMM */
    size_t output; /* widest result of a GEMM, the head's left out */
} model_widths;

model_widths cop_model_widths(const cop_model_config *config);

/* Rows of a batch and rows through the head for these limits. */
size_t cop_model_batch_rows(const cop_model_limits *limits);
size_t cop_model_head_rows(const cop_model_limits *limits);

/* Positions that a cache slot needs for these limits. */
size_t cop_model_cache_length(const cop_model_config *config, const cop_model_limits *limits);

#endif
