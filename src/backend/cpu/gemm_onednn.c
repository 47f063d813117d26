/* GEMM by oneDNN. Its matmul takes weights in a layout of its own choice, which depends on the
 * shape and not on the number of rows: weights are packed once, and a primitive is kept for
 * each number of rows that occurs. Where a number of rows does not take the layout, rows go
 * through in padded blocks of the number that the layout was chosen for. Rows never share a
 * tile of the processor: bf16 rows whose width does not end a tile are filled up with zeros. */
#include "backend/cpu/gemm_onednn.h"

#include "backend/cpu/gemm_isa.h"
#include "backend/cpu/parallel.h"
#include "coppice/backend/backend.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

const char *cop_backend_lack(void)
{
    return NULL;
}

cop_status cop_onednn_check(dnnl_status_t got, const char *what, cop_error *err)
{
    if (got == dnnl_success) return COP_OK;
    if (got == dnnl_out_of_memory) {
        return cop_error_set(err, COP_ERR_MEMORY, "oneDNN has no memory for %s", what);
    }
    return cop_error_set(err, COP_ERR_BACKEND, "oneDNN failed at %s (status %d)", what,
                         (int)got);
}

dnnl_data_type_t cop_onednn_type(cop_dtype dtype)
{
    assert(dtype == COP_F32 || dtype == COP_BF16);
    return dtype == COP_BF16 ? dnnl_bf16 : dnnl_f32;
}

cop_status cop_onednn_reserve(void **memory, size_t *bytes, size_t need, cop_error *err)
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

static void destroy(cop_gemm *gemm)
{
    onednn_gemm *const self = (onednn_gemm *)gemm;
    if (self->table != NULL) cop_onednn_primitives_clear(self);
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
        &any, shape->k, shape->n, cop_onednn_type(self->base.input), dnnl_format_tag_any);
    if (got == dnnl_success) got = cop_onednn_describe(self, &key, any, &desc);
    cop_onednn_layout_destroy(&any);
    if (got == dnnl_unimplemented && self->base.input == COP_BF16) {
        return cop_error_set(err, COP_ERR_UNSUPPORTED,
                             "oneDNN does not multiply bf16 on this processor: set "
                             "backend.compute to f32 (or auto)");
    }
    COP_TRY(cop_onednn_check(got, "choosing a layout", err));
    got = cop_onednn_layout_query(&shape->packed, desc, dnnl_query_weights_md, 0);
    (void)dnnl_primitive_desc_destroy(desc);
    return cop_onednn_check(got, "choosing a layout", err);
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
    made->packed = cop_gemm_alloc(cop_onednn_layout_bytes(shape->packed), err);
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
    cop_memory_free(weight->packed);
    cop_memory_free(weight);
}

static void *weight_memory(cop_gemm_weight *weight, cop_dtype dtype)
{
    (void)weight;
    (void)dtype;
    return NULL;
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
    return cop_onednn_check(got, "packing a weight", err);
}

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
    COP_TRY(cop_onednn_reserve(&self->deep, &self->deep_bytes, rows * work.out_bytes, err));
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
    if (dtype == COP_F16) {
        const size_t count = weight->shape->n * weight->k;
        COP_TRY(cop_onednn_reserve(&self->wide, &self->wide_bytes, count * sizeof(float), err));
        cop_gemm_widen(&self->options, self->wide, source, dtype, count);
        from = self->wide;
        type = COP_F32;
    }
    COP_TRY(fill_up(self, weight, weight->shape->n, type, from, &from, err));
    return reorder(self, weight, from, cop_onednn_type(type), err);
}

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
    return cop_onednn_check(got, "a product", err);
}

/* Runs any number of rows in blocks, the last one padded. */
static cop_status execute_blocks(onednn_gemm *self, const onednn_primitive *p,
                                 const cop_gemm_call *call, cop_error *err)
{
    const size_t in_bytes = p->shape->k * cop_dtype_size(self->base.input);
    const size_t out_bytes = p->shape->n * sizeof(float);
    const size_t padded_in = (ONEDNN_BLOCK_ROWS * in_bytes + 63) / 64 * 64;
    COP_TRY(cop_onednn_reserve(&self->block, &self->block_bytes,
                               padded_in + ONEDNN_BLOCK_ROWS * out_bytes, err));
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
    COP_TRY(cop_onednn_primitive_get(self, &key, &p, err));
    if (p->primitive != NULL) return execute(self, p, &filled, err);
    key.rows = ONEDNN_BLOCK_ROWS;
    COP_TRY(cop_onednn_primitive_get(self, &key, &p, err));
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
        .weight_memory = weight_memory,
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
    COP_TRY_OUT(cop_onednn_check(dnnl_engine_create(&made->engine, dnnl_cpu, 0),
                                 "making an engine", err));
    COP_TRY_OUT(
        cop_onednn_check(dnnl_stream_create(&made->stream, made->engine, dnnl_stream_in_order),
                         "making a stream", err));
    COP_TRY_OUT(probe(made, err));
    *gemm = &made->base;
    return COP_OK;
out:
fail:
    destroy(&made->base);
    return status;
}
