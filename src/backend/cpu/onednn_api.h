/* What oneDNN 2.6 and 3.x name and hold differently, and nothing else of it: descriptors of
 * memory are structures in the one and addresses in the other, a product is described in two
 * steps or in one, a sum has one argument or three. Everything here is in terms of both. */
#ifndef COP_BACKEND_CPU_ONEDNN_API_H
#define COP_BACKEND_CPU_ONEDNN_API_H

#include <stddef.h>

#include <dnnl.h>

/* How a matrix lies in memory. Owned by who made it. */
typedef struct cop_onednn_layout cop_onednn_layout;

/* Layouts of a product; bias may be NULL. */
typedef struct cop_onednn_product {
    const cop_onednn_layout *in, *weights, *bias, *out;
} cop_onednn_product;

/* A layout of [rows, columns]; dnnl_format_tag_any lets oneDNN choose. *made is NULL on
 * failure. */
dnnl_status_t cop_onednn_layout_create(cop_onednn_layout **made, size_t rows, size_t columns,
                                       dnnl_data_type_t type, dnnl_format_tag_t tag);

/* A copy of a layout that a primitive chose, such as dnnl_query_weights_md. */
dnnl_status_t cop_onednn_layout_query(cop_onednn_layout **made,
                                      const_dnnl_primitive_desc_t primitive, dnnl_query_t which,
                                      int index);

/* Frees a layout and sets it to NULL. */
void cop_onednn_layout_destroy(cop_onednn_layout **layout);

/* Bytes that a matrix of this layout takes. */
size_t cop_onednn_layout_bytes(const cop_onednn_layout *layout);

/* A memory object of this layout at `data`, which may be NULL or DNNL_MEMORY_ALLOCATE. */
dnnl_status_t cop_onednn_memory_create(dnnl_memory_t *made, const cop_onednn_layout *layout,
                                       dnnl_engine_t engine, void *data);

/* Describes the copy of a matrix from one layout to another. */
dnnl_status_t cop_onednn_reorder_describe(dnnl_primitive_desc_t *made,
                                          const cop_onednn_layout *from,
                                          const cop_onednn_layout *to, dnnl_engine_t engine);

/* Describes a product; attributes may be NULL. */
dnnl_status_t cop_onednn_product_describe(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                          const cop_onednn_product *product,
                                          const_dnnl_primitive_attr_t attributes);

/* Adds what is in the output to the product. */
dnnl_status_t cop_onednn_sum_append(dnnl_post_ops_t post);

#endif
