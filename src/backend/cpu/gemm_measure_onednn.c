/* oneDNN's matmul as its documentation shows it: weights in the layout that it asks for. */
#include "backend/cpu/gemm_measure.h"

#include "backend/cpu/onednn_api.h"
#include "coppice/base/memory.h"

#include <string.h>

struct cop_bare_gemm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t product;
    dnnl_memory_t in, out;
    dnnl_memory_t *weights; /* [count] packed */
    size_t count;
};

static cop_status check(dnnl_status_t got, cop_error *err)
{
    COP_CHECK(got != dnnl_unimplemented, err, COP_ERR_UNSUPPORTED,
              "oneDNN has no such product on this processor");
    COP_CHECK(got == dnnl_success, err, COP_ERR_BACKEND, "oneDNN: status %d in a bare product",
              (int)got);
    return COP_OK;
}

#define DNNL_TRY(call) COP_TRY(check((call), err))

/* A memory object with memory of its own, every byte 0x3c: about 0.01 as bf16 and as f32. */
static cop_status make(const cop_bare_gemm *b, dnnl_query_t which, dnnl_memory_t *memory,
                       cop_error *err)
{
    void *data = NULL;
    cop_onednn_layout *layout = NULL;
    dnnl_status_t got = cop_onednn_layout_query(&layout, b->desc, which, 0);
    if (got == dnnl_success)
        got = cop_onednn_memory_create(memory, layout, b->engine, DNNL_MEMORY_ALLOCATE);
    if (got == dnnl_success) got = dnnl_memory_get_data_handle(*memory, &data);
    if (got == dnnl_success) memset(data, 0x3c, cop_onednn_layout_bytes(layout));
    cop_onednn_layout_destroy(&layout);
    return check(got, err);
}

static dnnl_status_t describe(cop_bare_gemm *b, const cop_gemm_measure *what)
{
    const dnnl_data_type_t type = what->input == COP_BF16 ? dnnl_bf16 : dnnl_f32;
    cop_onednn_layout *in = NULL;
    cop_onednn_layout *weights = NULL;
    cop_onednn_layout *out = NULL;
    dnnl_status_t got = cop_onednn_layout_create(&in, what->rows, what->k, type, dnnl_ab);
    if (got == dnnl_success)
        got = cop_onednn_layout_create(&weights, what->k, what->n, type, dnnl_format_tag_any);
    if (got == dnnl_success)
        got = cop_onednn_layout_create(&out, what->rows, what->n, dnnl_f32, dnnl_ab);
    if (got == dnnl_success) {
        const cop_onednn_product product = {.in = in, .weights = weights, .out = out};
        got = cop_onednn_product_describe(&b->desc, b->engine, &product, NULL);
    }
    cop_onednn_layout_destroy(&in);
    cop_onednn_layout_destroy(&weights);
    cop_onednn_layout_destroy(&out);
    return got;
}

static cop_status start(cop_bare_gemm *b, const cop_gemm_measure *what, cop_error *err)
{
    DNNL_TRY(dnnl_engine_create(&b->engine, dnnl_cpu, 0));
    DNNL_TRY(dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags));
    DNNL_TRY(describe(b, what));
    DNNL_TRY(dnnl_primitive_create(&b->product, b->desc));
    COP_TRY(make(b, dnnl_query_src_md, &b->in, err));
    return make(b, dnnl_query_dst_md, &b->out, err);
}

static cop_status fill(cop_bare_gemm *b, size_t count, cop_error *err)
{
    b->weights = cop_memory_alloc(count, sizeof(dnnl_memory_t), err);
    if (b->weights == NULL) return COP_ERR_MEMORY;
    for (; b->count < count; b->count++)
        COP_TRY(make(b, dnnl_query_weights_md, &b->weights[b->count], err));
    return COP_OK;
}

cop_status cop_bare_onednn_create(const cop_gemm_measure *what, size_t weights,
                                  cop_bare_gemm **bare, cop_error *err)
{
    *bare = cop_memory_alloc(1, sizeof **bare, err);
    if (*bare == NULL) return COP_ERR_MEMORY;
    cop_status status = start(*bare, what, err);
    if (status == COP_OK) status = fill(*bare, weights, err);
    if (status != COP_OK) cop_bare_onednn_destroy(bare);
    return status;
}

cop_status cop_bare_onednn_run(cop_bare_gemm *b, size_t index, cop_error *err)
{
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, b->in},
                                         {DNNL_ARG_WEIGHTS, b->weights[index % b->count]},
                                         {DNNL_ARG_DST, b->out}};
    DNNL_TRY(dnnl_primitive_execute(b->product, b->stream, 3, arguments));
    return check(dnnl_stream_wait(b->stream), err);
}

void cop_bare_onednn_destroy(cop_bare_gemm **bare)
{
    if (*bare == NULL) return;
    cop_bare_gemm *const b = *bare;
    for (size_t i = 0; i < b->count; i++)
        (void)dnnl_memory_destroy(b->weights[i]);
    cop_memory_free(b->weights);
    if (b->in != NULL) (void)dnnl_memory_destroy(b->in);
    if (b->out != NULL) (void)dnnl_memory_destroy(b->out);
    if (b->product != NULL) (void)dnnl_primitive_destroy(b->product);
    if (b->desc != NULL) (void)dnnl_primitive_desc_destroy(b->desc);
    if (b->stream != NULL) (void)dnnl_stream_destroy(b->stream);
    if (b->engine != NULL) (void)dnnl_engine_destroy(b->engine);
    cop_memory_free(b);
    *bare = NULL;
}
