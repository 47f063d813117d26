/* Primitives of the oneDNN provider. Making one generates code, a fraction of a millisecond, so
 * they are kept by shape and number of rows. */
#include "backend/cpu/gemm_onednn.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

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
    const dnnl_data_type_t type = cop_onednn_type(gemm->base.input);
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

dnnl_status_t cop_onednn_describe(const onednn_gemm *gemm, const onednn_primitive *key,
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

void cop_onednn_primitives_clear(onednn_gemm *gemm)
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
    return cop_onednn_check(got, "making a memory object", err);
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
    return cop_onednn_reserve(&gemm->scratch, &gemm->scratch_bytes, need, err);
}

static cop_status make_primitive(onednn_gemm *gemm, onednn_primitive *p, cop_error *err)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t got = gemm->options.blocks && p->rows != ONEDNN_BLOCK_ROWS
                            ? dnnl_unimplemented
                            : cop_onednn_describe(gemm, p, p->shape->packed, &desc);
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
