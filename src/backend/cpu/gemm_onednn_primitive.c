/* Primitives of the oneDNN provider. Making one generates code, a fraction of a millisecond, so
 * they are kept by shape and number of rows. */
#include "backend/cpu/gemm_onednn.h"

#include "coppice/memory.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* oneDNN's descriptor of a row-major matrix. */
static dnnl_status_t describe_rows(dnnl_memory_desc_t *desc, size_t rows, size_t columns,
                                   dnnl_data_type_t type)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    return dnnl_memory_desc_init_by_tag(desc, 2, dims, type, dnnl_ab);
}

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
        if (got == dnnl_success) got = dnnl_post_ops_append_sum(post, 1.0F);
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

dnnl_status_t cop_onednn_describe(const onednn_gemm *gemm, const onednn_primitive *key,
                                  const dnnl_memory_desc_t *weights,
                                  dnnl_primitive_desc_t *made)
{
    dnnl_memory_desc_t in;
    dnnl_memory_desc_t out;
    dnnl_memory_desc_t bias;
    dnnl_matmul_desc_t product;
    dnnl_primitive_attr_t attributes = NULL;
    *made = NULL;
    dnnl_status_t got =
        describe_rows(&in, key->rows, key->shape->k, cop_onednn_type(gemm->base.input));
    if (got == dnnl_success) got = describe_rows(&out, key->rows, key->shape->n, dnnl_f32);
    if (got == dnnl_success) got = describe_rows(&bias, 1, key->shape->n, dnnl_f32);
    if (got == dnnl_success) {
        got = dnnl_matmul_desc_init(&product, &in, weights, key->bias ? &bias : NULL, &out);
    }
    if (got == dnnl_success) got = make_attributes(key->accumulate, &attributes);
    if (got == dnnl_success) {
        got = dnnl_primitive_desc_create(made, &product, attributes, gemm->engine, NULL);
    }
    if (attributes != NULL) (void)dnnl_primitive_attr_destroy(attributes);
    if (got != dnnl_success) return got;
    /* The fallback for layouts that nothing else takes is slower than blocks by far. */
    const char *name = "";
    (void)dnnl_primitive_desc_query(*made, dnnl_query_impl_info_str, 0, (void *)&name);
    if (strncmp(name, "ref", 3) == 0) {
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

void cop_onednn_primitives_clear(onednn_gemm *gemm)
{
    for (size_t i = 0; i < ONEDNN_TABLE; i++) {
        clear_primitive(&gemm->table[i]);
    }
    gemm->count = 0;
}

/* Memory objects without memory: each call sets the addresses. */
static cop_status make_memories(onednn_gemm *gemm, onednn_primitive *p,
                                const_dnnl_primitive_desc_t desc, cop_error *err)
{
    const struct {
        dnnl_query_t query;
        dnnl_memory_t *memory;
    } wanted[] = {{dnnl_query_src_md, &p->in},
                  {dnnl_query_weights_md, &p->weight},
                  {dnnl_query_dst_md, &p->out},
                  {dnnl_query_scratchpad_md, &p->scratch}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const dnnl_memory_desc_t *const md =
            dnnl_primitive_desc_query_md(desc, wanted[i].query, 0);
        COP_TRY(cop_onednn_check(dnnl_memory_create(wanted[i].memory, md, gemm->engine, NULL),
                                 "making a memory object", err));
    }
    if (p->bias) {
        const dnnl_memory_desc_t *const md =
            dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1);
        COP_TRY(cop_onednn_check(dnnl_memory_create(&p->bias_memory, md, gemm->engine, NULL),
                                 "making a memory object", err));
    }
    const size_t need = dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0));
    return cop_onednn_reserve(&gemm->scratch, &gemm->scratch_bytes, need, err);
}

static cop_status make_primitive(onednn_gemm *gemm, onednn_primitive *p, cop_error *err)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t got = gemm->options.blocks && p->rows != ONEDNN_BLOCK_ROWS
                            ? dnnl_unimplemented
                            : cop_onednn_describe(gemm, p, &p->shape->packed, &desc);
    if (got == dnnl_unimplemented && p->rows != ONEDNN_BLOCK_ROWS) return COP_OK;
    COP_TRY(cop_onednn_check(got, "describing a product", err));
    cop_status status =
        cop_onednn_check(dnnl_primitive_create(&p->primitive, desc), "making a product", err);
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

cop_status cop_onednn_primitive_get(onednn_gemm *gemm, const onednn_primitive *key,
                                    onednn_primitive **found, cop_error *err)
{
    *found = NULL;
    if (gemm->count == ONEDNN_MAX_PRIMITIVES) {
        /* Starting over is rare and bounds what generated code takes. */
        cop_onednn_primitives_clear(gemm);
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
