/* GEMM by oneDNN. Its matmul takes weights in a layout of its own choice, which depends on the
 * shape and not on the number of rows: weights are packed once, and a primitive is kept for
 * each number of rows that occurs. Where a number of rows does not take the layout, rows go
 * through in padded blocks of the number that the layout was chosen for. Rows never share a
 * tile of the processor: bf16 rows whose width does not end a tile are filled up with zeros. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_isa.h"
#include "backend/cpu/onednn_api.h"
#include "backend/cpu/parallel.h"
#include "coppice/backend/backend.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Rows for which the layout of packed weights is chosen, and of a block where other numbers
     * of rows do not take that layout. */
    ONEDNN_BLOCK_ROWS = 32,
    /* Primitives kept; a decode loop needs one per shape and number of live sequences. */
    ONEDNN_MAX_PRIMITIVES = 2048,
    ONEDNN_TABLE = 2 * ONEDNN_MAX_PRIMITIVES
};

/* A weight's shape: all weights of a shape share layout, primitives and reorders. */
typedef struct onednn_shape {
    size_t n, k; /* as multiplied: k with what it is filled up by */
    cop_onednn_layout *packed;
    struct onednn_shape *next;
} onednn_shape;

/* A primitive and its arguments. */
typedef struct onednn_primitive {
    const onednn_shape *shape; /* NULL: slot free */
    size_t rows;
    bool bias, accumulate;
    dnnl_primitive_t primitive; /* NULL: this number of rows runs in blocks */
    dnnl_memory_t in, weight, out, bias_memory, scratch;
} onednn_primitive;

struct cop_gemm_weight {
    onednn_shape *shape;
    size_t k; /* of the caller's rows */
    void *packed;
};

typedef struct onednn_gemm {
    cop_gemm base;
    cop_gemm_options options;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    onednn_shape *shapes;
    onednn_primitive *table; /* [ONEDNN_TABLE], open addressing */
    size_t count;
    void *scratch; /* of the primitives */
    size_t scratch_bytes;
    void *wide; /* widened f16 weights */
    size_t wide_bytes;
    void *deep; /* rows or weights of a filled-up k */
    size_t deep_bytes;
    void *block; /* padded rows: in, then out */
    size_t block_bytes;
} onednn_gemm;

const char *cop_backend_lack(void)
{
    return NULL;
}

/* Turns a failure of oneDNN into a status with a message. */
static cop_status check(dnnl_status_t got, const char *what, cop_error *err)
{
    if (got == dnnl_success) return COP_OK;
    if (got == dnnl_out_of_memory) {
        return cop_error_set(err, COP_ERR_MEMORY, "oneDNN has no memory for %s", what);
    }
    return cop_error_set(err, COP_ERR_BACKEND, "oneDNN failed at %s (status %d)", what,
                         (int)got);
}

static dnnl_data_type_t type_of(cop_dtype dtype)
{
    assert(dtype == COP_F32 || dtype == COP_BF16);
    return dtype == COP_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* Grows *memory [*bytes] to at least `need`, contents lost. */
static cop_status reserve(void **memory, size_t *bytes, size_t need, cop_error *err)
{
    if (need <= *bytes) return COP_OK;
    cop_memory_free(*memory);
    *bytes = 0;
    *memory = cop_memory_alloc_raw(need, 1, err);
    if (*memory == NULL) return COP_ERR_MEMORY;
    *bytes = need;
    return COP_OK;
}

/* oneDNN has one type for addresses that it reads and writes. */
static void *address(const void *memory)
{
    void *same = NULL;
    memcpy(&same, &memory, sizeof same);
    return same;
}

/* --- primitives: making one generates code, a fraction of a millisecond, so they are kept by
 * shape and number of rows --- */

/* Scratch memory from the caller; the sum where the product is added to the output. */
static dnnl_status_t make_attributes(bool accumulate, dnnl_primitive_attr_t *made)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_status_t got = dnnl_primitive_attr_create(&attributes);
    if (got != dnnl_success) return got;
    got = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (got == dnnl_success && accumulate) {
        got = dnnl_post_ops_create(&post);
        if (got == dnnl_success) got = cop_onednn_sum_append(post);
        if (got == dnnl_success) got = dnnl_primitive_attr_set_post_ops(attributes, post);
        if (post != NULL) (void)dnnl_post_ops_destroy(post);
    }
    if (got != dnnl_success) {
        (void)dnnl_primitive_attr_destroy(attributes);
        return got;
    }
    *made = attributes;
    return dnnl_success;
}

/* Row-major layouts of all but the weights. */
static dnnl_status_t make_layouts(const onednn_gemm *gemm, const onednn_primitive *key,
                                  cop_onednn_layout *made[3])
{
    const size_t n = key->shape->n;
    const dnnl_data_type_t type = type_of(gemm->base.input);
    dnnl_status_t got =
        cop_onednn_layout_create(&made[0], key->rows, key->shape->k, type, dnnl_ab);
    if (got == dnnl_success) {
        got = cop_onednn_layout_create(&made[1], key->rows, n, dnnl_f32, dnnl_ab);
    }
    if (got == dnnl_success && key->bias) {
        got = cop_onednn_layout_create(&made[2], 1, n, dnnl_f32, dnnl_ab);
    }
    return got;
}

/* The fallback for layouts that nothing else takes is slower than blocks by far. */
static bool is_fallback(const_dnnl_primitive_desc_t desc)
{
    const char *name = "";
    (void)dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name);
    return strncmp(name, "ref", 3) == 0;
}

/* A primitive descriptor of `rows` rows with weights laid out as `weights`. */
static dnnl_status_t describe(const onednn_gemm *gemm, const onednn_primitive *key,
                              const cop_onednn_layout *weights, dnnl_primitive_desc_t *made)
{
    cop_onednn_layout *layouts[3] = {NULL, NULL, NULL};
    dnnl_primitive_attr_t attributes = NULL;
    *made = NULL;
    dnnl_status_t got = make_layouts(gemm, key, layouts);
    if (got == dnnl_success) got = make_attributes(key->accumulate, &attributes);
    if (got == dnnl_success) {
        const cop_onednn_product product = {
            .in = layouts[0], .weights = weights, .bias = layouts[2], .out = layouts[1]};
        got = cop_onednn_product_describe(made, gemm->engine, &product, attributes);
    }
    if (attributes != NULL) (void)dnnl_primitive_attr_destroy(attributes);
    for (size_t i = 0; i < 3; i++)
        cop_onednn_layout_destroy(&layouts[i]);
    if (got != dnnl_success) return got;
    if (is_fallback(*made)) {
        (void)dnnl_primitive_desc_destroy(*made);
        *made = NULL;
        return dnnl_unimplemented;
    }
    return dnnl_success;
}

static void clear_primitive(onednn_primitive *p)
{
    const dnnl_memory_t memories[] = {p->in, p->weight, p->out, p->bias_memory, p->scratch};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
        if (memories[i] != NULL) (void)dnnl_memory_destroy(memories[i]);
    }
    if (p->primitive != NULL) (void)dnnl_primitive_destroy(p->primitive);
    *p = (onednn_primitive){0};
}

static void clear_primitives(onednn_gemm *gemm)
{
    for (size_t i = 0; i < ONEDNN_TABLE; i++) {
        clear_primitive(&gemm->table[i]);
    }
    gemm->count = 0;
}

/* A memory object without memory, for what the primitive takes as `which`; each call sets the
 * address. Says its bytes where asked. */
static cop_status make_memory(const onednn_gemm *gemm, const_dnnl_primitive_desc_t desc,
                              dnnl_query_t which, int index, dnnl_memory_t *memory,
                              size_t *bytes, cop_error *err)
{
    cop_onednn_layout *layout = NULL;
    dnnl_status_t got = cop_onednn_layout_query(&layout, desc, which, index);
    if (got == dnnl_success) {
        got = cop_onednn_memory_create(memory, layout, gemm->engine, NULL);
    }
    if (got == dnnl_success && bytes != NULL) *bytes = cop_onednn_layout_bytes(layout);
    cop_onednn_layout_destroy(&layout);
    return check(got, "making a memory object", err);
}

static cop_status make_memories(onednn_gemm *gemm, onednn_primitive *p,
                                const_dnnl_primitive_desc_t desc, cop_error *err)
{
    size_t need = 0;
    COP_TRY(make_memory(gemm, desc, dnnl_query_src_md, 0, &p->in, NULL, err));
    COP_TRY(make_memory(gemm, desc, dnnl_query_weights_md, 0, &p->weight, NULL, err));
    COP_TRY(make_memory(gemm, desc, dnnl_query_dst_md, 0, &p->out, NULL, err));
    COP_TRY(make_memory(gemm, desc, dnnl_query_scratchpad_md, 0, &p->scratch, &need, err));
    if (p->bias) {
        COP_TRY(make_memory(gemm, desc, dnnl_query_weights_md, 1, &p->bias_memory, NULL, err));
    }
    return reserve(&gemm->scratch, &gemm->scratch_bytes, need, err);
}

static cop_status make_primitive(onednn_gemm *gemm, onednn_primitive *p, cop_error *err)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t got = gemm->options.blocks && p->rows != ONEDNN_BLOCK_ROWS
                            ? dnnl_unimplemented
                            : describe(gemm, p, p->shape->packed, &desc);
    if (got == dnnl_unimplemented && p->rows != ONEDNN_BLOCK_ROWS) return COP_OK;
    COP_TRY(check(got, "describing a product", err));
    cop_status status =
        check(dnnl_primitive_create(&p->primitive, desc), "making a product", err);
    if (status == COP_OK) status = make_memories(gemm, p, desc, err);
    (void)dnnl_primitive_desc_destroy(desc);
    return status;
}

static size_t slot_of(const onednn_primitive *key)
{
    uint64_t h = (uint64_t)(uintptr_t)key->shape >> 6;
    h = h * 4 + (key->bias ? 2 : 0) + (key->accumulate ? 1 : 0);
    h = (h ^ key->rows << 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 40) % ONEDNN_TABLE;
}

/* Finds or makes the primitive of (shape, rows, bias, accumulate). */
static cop_status get_primitive(onednn_gemm *gemm, const onednn_primitive *key,
                                onednn_primitive **found, cop_error *err)
{
    *found = NULL;
    if (gemm->count == ONEDNN_MAX_PRIMITIVES) {
        /* Starting over is rare and bounds what generated code takes. */
        clear_primitives(gemm);
    }
    size_t slot = slot_of(key);
    for (; gemm->table[slot].shape != NULL; slot = (slot + 1) % ONEDNN_TABLE) {
        onednn_primitive *const p = &gemm->table[slot];
        if (p->shape == key->shape && p->rows == key->rows && p->bias == key->bias &&
            p->accumulate == key->accumulate) {
            *found = p;
            return COP_OK;
        }
    }
    onednn_primitive *const p = &gemm->table[slot];
    *p = *key;
    const cop_status status = make_primitive(gemm, p, err);
    if (status != COP_OK) {
        clear_primitive(p);
        return status;
    }
    gemm->count++;
    *found = p;
    return COP_OK;
}

/* --- weights --- */

static void destroy(cop_gemm *gemm)
{
    onednn_gemm *const self = (onednn_gemm *)gemm;
    if (self->table != NULL) clear_primitives(self);
    while (self->shapes != NULL) {
        onednn_shape *const shape = self->shapes;
        self->shapes = shape->next;
        cop_onednn_layout_destroy(&shape->packed);
        cop_memory_free(shape);
    }
    if (self->stream != NULL) (void)dnnl_stream_destroy(self->stream);
    if (self->engine != NULL) (void)dnnl_engine_destroy(self->engine);
    cop_memory_free(self->table);
    cop_memory_free(self->scratch);
    cop_memory_free(self->wide);
    cop_memory_free(self->deep);
    cop_memory_free(self->block);
    cop_memory_free(self);
}

/* Lets oneDNN choose the layout of a shape. */
static cop_status choose_layout(const onednn_gemm *self, onednn_shape *shape, cop_error *err)
{
    const onednn_primitive key = {.shape = shape, .rows = ONEDNN_BLOCK_ROWS};
    cop_onednn_layout *any = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t got = cop_onednn_layout_create(
        &any, shape->k, shape->n, type_of(self->base.input), dnnl_format_tag_any);
    if (got == dnnl_success) got = describe(self, &key, any, &desc);
    cop_onednn_layout_destroy(&any);
    if (got == dnnl_unimplemented && self->base.input == COP_BF16) {
        return cop_error_set(err, COP_ERR_UNSUPPORTED,
                             "oneDNN does not multiply bf16 on this processor: set "
                             "backend.compute to f32 (or auto)");
    }
    COP_TRY(check(got, "choosing a layout", err));
    got = cop_onednn_layout_query(&shape->packed, desc, dnnl_query_weights_md, 0);
    (void)dnnl_primitive_desc_destroy(desc);
    return check(got, "choosing a layout", err);
}

static cop_status find_shape(onednn_gemm *self, size_t n, size_t k, onednn_shape **found,
                             cop_error *err)
{
    for (*found = self->shapes; *found != NULL; *found = (*found)->next) {
        if ((*found)->n == n && (*found)->k == k) return COP_OK;
    }
    onednn_shape *const shape = cop_memory_alloc(1, sizeof *shape, err);
    if (shape == NULL) return COP_ERR_MEMORY;
    shape->n = n;
    shape->k = k;
    const cop_status status = choose_layout(self, shape, err);
    if (status != COP_OK) {
        cop_memory_free(shape);
        return status;
    }
    shape->next = self->shapes;
    self->shapes = shape;
    *found = shape;
    return COP_OK;
}

static cop_status weight_create(cop_gemm *gemm, size_t n, size_t k, cop_gemm_weight **weight,
                                cop_error *err)
{
    onednn_gemm *const self = (onednn_gemm *)gemm;
    *weight = NULL;
    omp_set_num_threads(self->options.threads);
    onednn_shape *shape = NULL;
    const cop_dtype filled = self->options.fill ? COP_BF16 : self->base.input;
    COP_TRY(find_shape(self, n, cop_gemm_fill_width(filled, k), &shape, err));
    cop_gemm_weight *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->shape = shape;
    made->k = k;
    made->packed = cop_gemm_map(cop_onednn_layout_bytes(shape->packed), err);
    if (made->packed == NULL) {
        cop_memory_free(made);
        return COP_ERR_MEMORY;
    }
    *weight = made;
    return COP_OK;
}

static void weight_destroy(cop_gemm *gemm, cop_gemm_weight *weight)
{
    (void)gemm;
    cop_gemm_unmap(weight->packed, cop_onednn_layout_bytes(weight->shape->packed));
    cop_memory_free(weight);
}

/* Runs the reorder from row-major [N, K] to the packed layout. */
static cop_status reorder(onednn_gemm *self, const cop_gemm_weight *weight, const void *source,
                          dnnl_data_type_t type, cop_error *err)
{
    const cop_onednn_layout *const packed = weight->shape->packed;
    cop_onednn_layout *from = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[2] = {NULL, NULL};
    dnnl_status_t got =
        cop_onednn_layout_create(&from, weight->shape->k, weight->shape->n, type, dnnl_ba);
    if (got == dnnl_success) {
        got = cop_onednn_reorder_describe(&desc, from, packed, self->engine);
    }
    if (got == dnnl_success) got = dnnl_primitive_create(&primitive, desc);
    if (got == dnnl_success) {
        got = cop_onednn_memory_create(&memories[0], from, self->engine, address(source));
    }
    if (got == dnnl_success) {
        got = cop_onednn_memory_create(&memories[1], packed, self->engine, weight->packed);
    }
    if (got == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, memories[0]},
                                             {DNNL_ARG_TO, memories[1]}};
        got = dnnl_primitive_execute(primitive, self->stream, 2, arguments);
    }
    if (got == dnnl_success) got = dnnl_stream_wait(self->stream);
    for (size_t i = 0; i < 2; i++) {
        if (memories[i] != NULL) (void)dnnl_memory_destroy(memories[i]);
    }
    if (primitive != NULL) (void)dnnl_primitive_destroy(primitive);
    if (desc != NULL) (void)dnnl_primitive_desc_destroy(desc);
    cop_onednn_layout_destroy(&from);
    return check(got, "packing a weight", err);
}

/* --- rows and weights filled up --- */

typedef struct fill_work {
    char *out;
    const char *in;
    size_t out_bytes, in_bytes; /* of a row */
} fill_work;

static void fill_rows(const void *context, size_t begin, size_t end)
{
    const fill_work *const w = context;
    for (size_t r = begin; r < end; r++) {
        char *const row = w->out + r * w->out_bytes;
        memcpy(row, w->in + r * w->in_bytes, w->in_bytes);
        memset(row + w->in_bytes, 0, w->out_bytes - w->in_bytes);
    }
}

/* Sets *filled to `rows` rows of the weight's k as its shape has them: where that is wider, a
 * copy filled up with zeros, good until the next call. */
static cop_status fill_up(onednn_gemm *self, const cop_gemm_weight *weight, size_t rows,
                          cop_dtype dtype, const void *source, const void **filled,
                          cop_error *err)
{
    *filled = source;
    if (weight->shape->k == weight->k) return COP_OK;
    const size_t item = cop_dtype_size(dtype);
    fill_work work = {
        .in = source, .out_bytes = weight->shape->k * item, .in_bytes = weight->k * item};
    COP_TRY(reserve(&self->deep, &self->deep_bytes, rows * work.out_bytes, err));
    work.out = self->deep;
    cop_cpu_parallel_for(self->options.threads, rows, weight->shape->k, fill_rows, &work);
    *filled = self->deep;
    return COP_OK;
}

static cop_status weight_pack(cop_gemm *gemm, cop_gemm_weight *weight, const void *source,
                              cop_dtype dtype, cop_error *err)
{
    onednn_gemm *const self = (onednn_gemm *)gemm;
    omp_set_num_threads(self->options.threads);
    const void *from = source;
    cop_dtype type = dtype;
    /* Its reorder of bf16 to binary32 is a loop over single elements in oneDNN 2.6. */
    if (dtype != self->base.input && dtype != COP_F32) {
        const size_t count = weight->shape->n * weight->k;
        COP_TRY(reserve(&self->wide, &self->wide_bytes, count * sizeof(float), err));
        cop_gemm_widen(&self->options, self->wide, source, dtype, count);
        from = self->wide;
        type = COP_F32;
    }
    COP_TRY(fill_up(self, weight, weight->shape->n, type, from, &from, err));
    return reorder(self, weight, from, type_of(type), err);
}

/* --- products --- */

static cop_status execute(onednn_gemm *self, const onednn_primitive *p,
                          const cop_gemm_call *call, cop_error *err)
{
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p->in},
                                         {DNNL_ARG_WEIGHTS, p->weight},
                                         {DNNL_ARG_DST, p->out},
                                         {DNNL_ARG_SCRATCHPAD, p->scratch},
                                         {DNNL_ARG_BIAS, p->bias_memory}};
    dnnl_status_t got = dnnl_memory_set_data_handle(p->in, address(call->in));
    if (got == dnnl_success) got = dnnl_memory_set_data_handle(p->weight, call->weight->packed);
    if (got == dnnl_success) got = dnnl_memory_set_data_handle(p->out, call->out);
    if (got == dnnl_success) got = dnnl_memory_set_data_handle(p->scratch, self->scratch);
    if (got == dnnl_success && p->bias) {
        got = dnnl_memory_set_data_handle(p->bias_memory, address(call->bias));
    }
    if (got == dnnl_success) {
        got = dnnl_primitive_execute(p->primitive, self->stream, p->bias ? 5 : 4, arguments);
    }
    if (got == dnnl_success) got = dnnl_stream_wait(self->stream);
    return check(got, "a product", err);
}

/* Runs any number of rows in blocks, the last one padded. */
static cop_status execute_blocks(onednn_gemm *self, const onednn_primitive *p,
                                 const cop_gemm_call *call, cop_error *err)
{
    const size_t in_bytes = p->shape->k * cop_dtype_size(self->base.input);
    const size_t out_bytes = p->shape->n * sizeof(float);
    const size_t padded_in = (ONEDNN_BLOCK_ROWS * in_bytes + 63) / 64 * 64;
    COP_TRY(reserve(&self->block, &self->block_bytes, padded_in + ONEDNN_BLOCK_ROWS * out_bytes,
                    err));
    for (size_t first = 0; first < call->rows; first += ONEDNN_BLOCK_ROWS) {
        const size_t left = call->rows - first;
        cop_gemm_call part = *call;
        part.in = (const char *)call->in + first * in_bytes;
        part.out = call->out + first * p->shape->n;
        if (left >= ONEDNN_BLOCK_ROWS) {
            COP_TRY(execute(self, p, &part, err));
            continue;
        }
        memset(self->block, 0, self->block_bytes);
        memcpy(self->block, part.in, left * in_bytes);
        void *const behind = (char *)self->block + padded_in;
        float *const out = behind;
        if (call->accumulate) memcpy(out, part.out, left * out_bytes);
        float *const wanted = part.out;
        part.in = self->block;
        part.out = out;
        COP_TRY(execute(self, p, &part, err));
        memcpy(wanted, out, left * out_bytes);
    }
    return COP_OK;
}

static cop_status run(cop_gemm *gemm, const cop_gemm_call *call, cop_error *err)
{
    onednn_gemm *const self = (onednn_gemm *)gemm;
    omp_set_num_threads(self->options.threads);
    onednn_primitive key = {.shape = call->weight->shape,
                            .rows = call->rows,
                            .bias = call->bias != NULL,
                            .accumulate = call->accumulate};
    onednn_primitive *p = NULL;
    cop_gemm_call filled = *call;
    COP_TRY(
        fill_up(self, call->weight, call->rows, self->base.input, call->in, &filled.in, err));
    COP_TRY(get_primitive(self, &key, &p, err));
    if (p->primitive != NULL) return execute(self, p, &filled, err);
    key.rows = ONEDNN_BLOCK_ROWS;
    COP_TRY(get_primitive(self, &key, &p, err));
    return execute_blocks(self, p, &filled, err);
}

/* Says early, and not at the first weight, that a type is not supported. */
static cop_status probe(onednn_gemm *self, cop_error *err)
{
    onednn_shape shape = {.n = 64, .k = 64};
    const cop_status status = choose_layout(self, &shape, err);
    cop_onednn_layout_destroy(&shape.packed);
    return status;
}

cop_status cop_gemm_create_onednn(const cop_gemm_options *options, cop_gemm **gemm,
                                  cop_error *err)
{
    static const cop_gemm_ops ops = {
        .destroy = destroy,
        .weight_create = weight_create,
        .weight_destroy = weight_destroy,
        .weight_pack = weight_pack,
        .run = run,
    };
    *gemm = NULL;
    onednn_gemm *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->base.ops = &ops;
    made->base.input = options->input;
    made->options = *options;
    const dnnl_version_t *const version = dnnl_version();
    (void)snprintf(made->base.name, sizeof made->base.name, "oneDNN %d.%d.%d", version->major,
                   version->minor, version->patch);
    (void)snprintf(made->base.isa, sizeof made->base.isa, "%s",
                   cop_onednn_isa_name(options->input));
    omp_set_num_threads(options->threads);
    cop_status status = COP_ERR_MEMORY;
    made->table = cop_memory_alloc(ONEDNN_TABLE, sizeof *made->table, err);
    if (made->table == NULL) goto fail;
    COP_TRY_OUT(check(dnnl_engine_create(&made->engine, dnnl_cpu, 0), "making an engine", err));
    COP_TRY_OUT(check(dnnl_stream_create(&made->stream, made->engine, dnnl_stream_in_order),
                      "making a stream", err));
    COP_TRY_OUT(probe(made, err));
    *gemm = &made->base;
    return COP_OK;
out:
fail:
    destroy(&made->base);
    return status;
}
