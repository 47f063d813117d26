#include "backend/cpu/onednn_api.h"

#include "coppice/base/memory.h"
#include "coppice/base/status.h"

struct cop_onednn_layout {
    dnnl_memory_desc_t held;
};

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t layout_view;

static layout_view view(const cop_onednn_layout *layout)
{
    return layout == NULL ? NULL : layout->held;
}

static dnnl_status_t hold(cop_onednn_layout *layout, layout_view from)
{
    return dnnl_memory_desc_clone(&layout->held, from);
}

static dnnl_status_t describe(cop_onednn_layout *layout, const dnnl_dims_t dims,
                              dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(&layout->held, 2, dims, type, tag);
}

static void release(cop_onednn_layout *layout)
{
    if (layout->held != NULL) (void)dnnl_memory_desc_destroy(layout->held);
}

dnnl_status_t cop_onednn_product_describe(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                          const cop_onednn_product *product,
                                          const_dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(made, engine, view(product->in),
                                             view(product->weights), view(product->bias),
                                             view(product->out), attributes);
}

dnnl_status_t cop_onednn_sum_append(dnnl_post_ops_t post)
{
    return dnnl_post_ops_append_sum(post, 1.0F, 0, dnnl_data_type_undef);
}

#else

typedef const dnnl_memory_desc_t *layout_view;

static layout_view view(const cop_onednn_layout *layout)
{
    return layout == NULL ? NULL : &layout->held;
}

static dnnl_status_t hold(cop_onednn_layout *layout, layout_view from)
{
    layout->held = *from;
    return dnnl_success;
}

static dnnl_status_t describe(cop_onednn_layout *layout, const dnnl_dims_t dims,
                              dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(&layout->held, 2, dims, type, tag);
}

static void release(cop_onednn_layout *layout)
{
    (void)layout;
}

dnnl_status_t cop_onednn_product_describe(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                          const cop_onednn_product *product,
                                          const_dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t operation;
    const dnnl_status_t got =
        dnnl_matmul_desc_init(&operation, view(product->in), view(product->weights),
                              view(product->bias), view(product->out));
    if (got != dnnl_success) return got;
    return dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

dnnl_status_t cop_onednn_sum_append(dnnl_post_ops_t post)
{
    return dnnl_post_ops_append_sum(post, 1.0F);
}

#endif

/* Puts a described layout in *made, or frees it. */
static dnnl_status_t give(cop_onednn_layout *layout, dnnl_status_t got,
                          cop_onednn_layout **made)
{
    if (got != dnnl_success) {
        cop_memory_free(layout);
        return got;
    }
    *made = layout;
    return dnnl_success;
}

dnnl_status_t cop_onednn_layout_create(cop_onednn_layout **made, size_t rows, size_t columns,
                                       dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    *made = NULL;
    cop_onednn_layout *const layout = cop_memory_alloc(1, sizeof *layout, NULL);
    if (layout == NULL) return dnnl_out_of_memory;
    return give(layout, describe(layout, dims, type, tag), made);
}

dnnl_status_t cop_onednn_layout_query(cop_onednn_layout **made,
                                      const_dnnl_primitive_desc_t primitive, dnnl_query_t which,
                                      int index)
{
    *made = NULL;
    const layout_view found = dnnl_primitive_desc_query_md(primitive, which, index);
    if (found == NULL) return dnnl_invalid_arguments;
    cop_onednn_layout *const layout = cop_memory_alloc(1, sizeof *layout, NULL);
    if (layout == NULL) return dnnl_out_of_memory;
    return give(layout, hold(layout, found), made);
}

void cop_onednn_layout_destroy(cop_onednn_layout **layout)
{
    if (*layout == NULL) return;
    release(*layout);
    cop_memory_free(*layout);
    *layout = NULL;
}

size_t cop_onednn_layout_bytes(const cop_onednn_layout *layout)
{
    return dnnl_memory_desc_get_size(view(layout));
}

dnnl_status_t cop_onednn_memory_create(dnnl_memory_t *made, const cop_onednn_layout *layout,
                                       dnnl_engine_t engine, void *data)
{
    return dnnl_memory_create(made, view(layout), engine, data);
}

dnnl_status_t cop_onednn_reorder_describe(dnnl_primitive_desc_t *made,
                                          const cop_onednn_layout *from,
                                          const cop_onednn_layout *to, dnnl_engine_t engine)
{
    return dnnl_reorder_primitive_desc_create(made, view(from), engine, view(to), engine, NULL);
}
