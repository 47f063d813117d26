/* Kernels of the CPU backend: plain C, compiled once per instruction set. They work on one row
 * or one task and know nothing of threads; a table of them is chosen at run time. */
#ifndef COP_BACKEND_CPU_KERNELS_KERNELS_H
#define COP_BACKEND_CPU_KERNELS_KERNELS_H

#include "coppice/backend/backend.h"
#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COP_KEY_BLOCK = 16,      /* positions that lie side by side in a block of keys */
    COP_ATTENTION_TILE = 64, /* positions taken at a time */
    COP_ATTENTION_ROWS = 32, /* query rows that a task aims at */
    COP_PANEL = 16,          /* columns of a product that lie side by side */
    COP_PRODUCT_BLOCK = 32   /* elements of depth that are summed at a time */
};

/* A product of bf16 matrices, c += a b, in the order that product.c defines. */
typedef struct cop_product {
    const void
        *a; /* [rows, depth] bf16 of cop_kernels::product_input, a_stride elements apart */
    size_t a_stride;
    /* [panels], b_stride words apart, of [depth / 2, COP_PANEL] words: the elements 2 i and 2 i
     * + 1 of a column, the even one in the low half. */
    const uint32_t *b;
    size_t b_stride;
    float *c; /* [rows, panels * COP_PANEL], c_stride apart */
    size_t c_stride;
    bool fresh; /* c is not read, as if it were zero */
    size_t rows, panels;
    size_t depth; /* a multiple of COP_PRODUCT_BLOCK */
} cop_product;

/* Keys and values of consecutive positions of one slot and KV head. In binary32 keys lie in
 * blocks of COP_KEY_BLOCK positions, [block][E][COP_KEY_BLOCK], so that scores of a block come
 * from whole vectors; values as [position][E rounded up to COP_KEY_BLOCK]. In bf16 both are
 * panels of a product: keys have positions for columns and E, filled up with zeros, for depth,
 * one panel after the other; values have E for columns and positions for depth, panels
 * cop_attention_task::value_panel_words apart, with zeros behind the last position in its
 * block. */
typedef struct cop_attention_segment {
    const void *keys;
    const void *values;
    int32_t first; /* position of index 0; a multiple of COP_ATTENTION_TILE in bf16 */
    int32_t count;
} cop_attention_segment;

/* Consecutive queries of one sequence, all heads that share one KV head. */
typedef struct cop_attention_task {
    const float *queries; /* [query_count] rows, query_stride apart: [group, E] */
    size_t query_stride;
    void *out; /* [query_count] rows, out_stride elements of out_dtype apart: [group, E] */
    size_t out_stride;
    cop_dtype out_dtype;
    cop_dtype kv_dtype;
    void (*product)(const cop_product *product); /* of a cache in bf16, with what it takes */
    cop_dtype product_input;
    size_t value_panel_words;
    int32_t query_count;
    int32_t group;
    int32_t head_size;
    int32_t position; /* of the first query */
    int32_t window;   /* 0: none */
    float scale;
    int32_t segment_count;
    cop_attention_segment segments[2]; /* in order of position */
} cop_attention_task;

/* out [count] f32 = in [count] of dtype. */
typedef void cop_kernel_widen_fn(float *out, const void *in, cop_dtype dtype, size_t count);
/* out [count] of dtype (COP_F32 or COP_BF16) = in [count], rounded to nearest even. */
typedef void cop_kernel_narrow_fn(void *out, cop_dtype dtype, const float *in, size_t count);
/* out [width] of dtype = in * rsqrt(mean square + eps) * weight; out may be in. */
typedef void cop_kernel_rmsnorm_fn(void *out, cop_dtype dtype, const float *in,
                                   const float *weight, size_t width, float eps);
/* residual [width] += norm of in. */
typedef void cop_kernel_rmsnorm_add_fn(float *residual, const float *in, const float *weight,
                                       size_t width, float eps);
/* out [width] of dtype = activation(in[:width]) * in[width:]. */
typedef void cop_kernel_glu_fn(void *out, cop_dtype dtype, const float *in, size_t width,
                               cop_activation activation);
/* Rotates heads [count, size] in place by table [size]: cosines, then sines. */
typedef void cop_kernel_rope_fn(float *heads, size_t count, size_t size, const float *table);
/* Puts key [size] at index `position` of a slot's keys of dtype. */
typedef void cop_kernel_store_key_fn(void *keys, cop_dtype dtype, size_t position,
                                     const float *key, size_t size);
/* Puts value [size] at index `position` of a slot's values of dtype; panels of bf16 are
 * panel_words apart. */
typedef void cop_kernel_store_value_fn(void *values, cop_dtype dtype, size_t panel_words,
                                       size_t position, const float *value, size_t size);
/* Runs a task with scratch of cop_attention_scratch() floats. */
typedef void cop_kernel_attention_fn(const cop_attention_task *task, float *scratch);
/* Adds a product to c. */
typedef void cop_kernel_product_fn(const cop_product *product);
/* Index of the largest of row [count], the lowest among equals; -1 if one is not finite. */
typedef int32_t cop_kernel_argmax_fn(const float *row, size_t count);
/* Natural log of the softmax of row [count] at `target`. */
typedef double cop_kernel_log_probability_fn(const float *row, size_t count, size_t target);

typedef struct cop_kernels {
    cop_dtype
        product_input; /* as which a product takes rows of bf16: widened, or as they are */
    cop_kernel_widen_fn *widen;
    cop_kernel_narrow_fn *narrow;
    cop_kernel_rmsnorm_fn *rmsnorm;
    cop_kernel_rmsnorm_add_fn *rmsnorm_add;
    cop_kernel_glu_fn *glu;
    cop_kernel_rope_fn *rope;
    cop_kernel_store_key_fn *store_key;
    cop_kernel_store_value_fn *store_value;
    cop_kernel_attention_fn *attention;
    cop_kernel_product_fn *product;
    cop_kernel_argmax_fn *argmax;
    cop_kernel_log_probability_fn *log_probability;
} cop_kernels;

extern const cop_kernels cop_kernels_scalar;
extern const cop_kernels cop_kernels_avx2;
extern const cop_kernels cop_kernels_avx512;
extern const cop_kernels cop_kernels_amx; /* those of AVX-512 but for products */

/* Adds a product by tiles; the processor has them and the system allows them. */
cop_kernel_product_fn cop_kernel_product_amx;

/* The table of an instruction set. */
const cop_kernels *cop_kernels_get(cop_isa isa);

/* E rounded up to whole blocks: the distance between values. */
static inline size_t cop_attention_value_stride(size_t head_size)
{
    return (head_size + COP_KEY_BLOCK - 1) / COP_KEY_BLOCK * COP_KEY_BLOCK;
}

/* E as the depth of a product. */
static inline size_t cop_attention_key_depth(size_t head_size)
{
    return (head_size + COP_PRODUCT_BLOCK - 1) / COP_PRODUCT_BLOCK * COP_PRODUCT_BLOCK;
}

/* Query rows of a task with `group` heads to a KV head. */
static inline size_t cop_attention_rows(size_t group)
{
    return group > COP_ATTENTION_ROWS ? group : COP_ATTENTION_ROWS;
}

/* Floats of scratch that a task needs: per row the query, the scores of a tile and their
 * weights as bf16, the sum of values, the greatest score and the sums of weights. */
static inline size_t cop_attention_scratch(size_t group, size_t head_size)
{
    return cop_attention_rows(group) *
               (cop_attention_key_depth(head_size) + cop_attention_value_stride(head_size) +
                COP_ATTENTION_TILE + COP_ATTENTION_TILE / 2 + 1 + COP_KEY_BLOCK) +
           COP_KEY_BLOCK;
}

#endif
