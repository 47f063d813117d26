#include "store/hdf_read.h"

#include "coppice/base/memory.h"

#include <string.h>

static cop_status fail(cop_store_reader *reader, const char *action)
{
    return cop_store_hdf_fail(reader->err, COP_ERR_FORMAT, action);
}

cop_status cop_store_hdf_spend(cop_store_reader *reader, size_t bytes)
{
    COP_CHECK(bytes <= reader->bytes_left, reader->err, COP_ERR_FORMAT,
              "damaged: its arrays are larger than the file");
    reader->bytes_left -= bytes;
    return COP_OK;
}

static bool is_text(hid_t type)
{
    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0;
}

/* The opened attribute if it is a scalar; negative otherwise. */
static hid_t open_attribute(hid_t object, const char *name, hid_t *type)
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return attribute;
    const hid_t space = H5Aget_space(attribute);
    const bool scalar = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR;
    if (space >= 0) (void)H5Sclose(space);
    *type = scalar ? H5Aget_type(attribute) : H5I_INVALID_HID;
    if (*type >= 0) return attribute;
    (void)H5Aclose(attribute);
    return H5I_INVALID_HID;
}

cop_status cop_store_hdf_read_text_attribute(cop_store_reader *reader, hid_t object,
                                             const char *name, char **text)
{
    *text = NULL;
    const htri_t exists = H5Aexists(object, name);
    if (exists < 0) return fail(reader, "look for an attribute");
    if (exists == 0) return COP_OK;
    hid_t type = H5I_INVALID_HID;
    const hid_t attribute = open_attribute(object, name, &type);
    char *value = NULL;
    cop_status status = COP_OK;
    if (attribute < 0 || !is_text(type)) {
        status = cop_error_set(reader->err, COP_ERR_FORMAT, "its attribute '%s' is not a text",
                               name);
    } else if (H5Aread(attribute, reader->text, &value) < 0) {
        status = fail(reader, "read a text attribute");
    } else {
        const char *const found = value == NULL ? "" : value;
        status = cop_store_hdf_spend(reader, strlen(found));
        if (status == COP_OK) {
            *text = cop_memory_copy_string(found, strlen(found), reader->err);
            if (*text == NULL) status = COP_ERR_MEMORY;
        }
    }
    if (value != NULL) (void)H5free_memory(value);
    if (attribute >= 0) {
        (void)H5Tclose(type);
        (void)H5Aclose(attribute);
    }
    return status;
}

cop_status cop_store_hdf_read_number_attribute(cop_store_reader *reader, hid_t object,
                                               const char *name, int64_t *number)
{
    *number = 0;
    hid_t type = H5I_INVALID_HID;
    const hid_t attribute = open_attribute(object, name, &type);
    cop_status status = COP_OK;
    if (attribute < 0 || H5Tget_class(type) != H5T_INTEGER) {
        status = cop_error_set(reader->err, COP_ERR_FORMAT,
                               "its attribute '%s' is missing or not a number", name);
    } else if (H5Aread(attribute, H5T_NATIVE_INT64, number) < 0) {
        status = fail(reader, "read a number attribute");
    }
    if (attribute >= 0) {
        (void)H5Tclose(type);
        (void)H5Aclose(attribute);
    }
    return status;
}

static cop_status read_type(cop_store_reader *reader, hid_t dataset, cop_store_type *found)
{
    const hid_t type = H5Dget_type(dataset);
    if (type < 0) return fail(reader, "read a data set's type");
    bool known = is_text(type);
    *found = COP_STORE_TEXT;
    for (int t = COP_STORE_F32; t < COP_STORE_TEXT && !known; t++) {
        if (H5Tequal(type, cop_store_hdf_disk_type((cop_store_type)t)) <= 0) continue;
        *found = (cop_store_type)t;
        known = true;
    }
    (void)H5Tclose(type);
    COP_CHECK(known, reader->err, COP_ERR_FORMAT,
              "of a type that is not one of f32, f64, i64, u64, u8 and text");
    return COP_OK;
}

static cop_status read_shape(cop_store_reader *reader, hid_t dataset, cop_store_array *array)
{
    const hid_t space = H5Dget_space(dataset);
    if (space < 0) return fail(reader, "read a data set's shape");
    const H5S_class_t kind = H5Sget_simple_extent_type(space);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t shape[COP_STORE_MAX_RANK] = {0};
    const bool ok = (kind == H5S_SCALAR || kind == H5S_SIMPLE) && rank >= 0 &&
                    rank <= COP_STORE_MAX_RANK &&
                    H5Sget_simple_extent_dims(space, shape, NULL) == rank;
    (void)H5Sclose(space);
    COP_CHECK(ok, reader->err, COP_ERR_FORMAT, "not an array of rank 0 to %d",
              (int)COP_STORE_MAX_RANK);
    array->rank = rank;
    for (int d = 0; d < rank; d++)
        array->shape[d] = shape[d];
    return COP_OK;
}

/* Filters may be code loaded at run time, and storage may be other files: only what Coppice
 * itself writes is read. */
static cop_status check_layout(cop_store_reader *reader, hid_t dataset)
{
    const hid_t layout = H5Dget_create_plist(dataset);
    if (layout < 0) return fail(reader, "read a data set's layout");
    const H5D_layout_t kind = H5Pget_layout(layout);
    bool known = kind == H5D_COMPACT || kind == H5D_CONTIGUOUS || kind == H5D_CHUNKED;
    known = known && H5Pget_external_count(layout) == 0;
    const int filters = H5Pget_nfilters(layout);
    for (int i = 0; i < filters; i++) {
        unsigned flags = 0;
        unsigned config = 0;
        size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(layout, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        known = known && filter == H5Z_FILTER_FLETCHER32;
    }
    (void)H5Pclose(layout);
    COP_CHECK(known && filters >= 0, reader->err, COP_ERR_FORMAT,
              "stored in a way that Coppice does not write");
    return COP_OK;
}

/* A string that HDF5 reads into. All of one array are chained, since HDF5 forgets those it has
 * when it fails halfway. */
typedef struct text_block {
    struct text_block *next;
    char text[];
} text_block;

typedef struct text_chain {
    cop_store_reader *reader;
    text_block *first;
    bool no_memory;
} text_chain;

/* Within the budget, however often a file refers to the same string. */
static void *allocate_text(size_t bytes, void *context)
{
    text_chain *const chain = context;
    if (cop_store_hdf_spend(chain->reader, bytes) != COP_OK) return NULL;
    text_block *const block = cop_memory_alloc_raw(sizeof *block + bytes, 1, NULL);
    chain->no_memory = block == NULL;
    if (block == NULL) return NULL;
    block->next = chain->first;
    chain->first = block;
    return block->text;
}

/* All are freed at the end. */
static void keep_text(void *text, void *context)
{
    (void)text;
    (void)context;
}

static void free_chain(text_chain *chain)
{
    while (chain->first != NULL) {
        text_block *const block = chain->first;
        chain->first = block->next;
        cop_memory_free(block);
    }
}

static cop_status read_texts(cop_store_reader *reader, hid_t dataset, cop_store_array *array,
                             size_t count)
{
    text_chain chain = {.reader = reader};
    char **const texts = cop_memory_alloc(count, sizeof *texts, reader->err);
    if (texts == NULL) return COP_ERR_MEMORY;
    const hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    const bool ok =
        transfer >= 0 &&
        H5Pset_vlen_mem_manager(transfer, allocate_text, &chain, keep_text, &chain) >= 0 &&
        H5Dread(dataset, reader->text, H5S_ALL, H5S_ALL, transfer, texts) >= 0;
    cop_status status = COP_OK;
    if (!ok) {
        status = cop_store_hdf_fail(
            reader->err, chain.no_memory ? COP_ERR_MEMORY : COP_ERR_FORMAT, "read texts");
    }
    if (status == COP_OK) {
        array->data = cop_store_copy_texts((const char *const *)texts, count, reader->err);
        if (array->data == NULL) status = COP_ERR_MEMORY;
    }
    if (transfer >= 0) (void)H5Pclose(transfer);
    free_chain(&chain);
    cop_memory_free(texts);
    return status;
}

static cop_status read_data(cop_store_reader *reader, hid_t dataset, cop_store_array *array)
{
    size_t count = 0;
    size_t bytes = 0;
    COP_CHECK(cop_store_array_size(array, &count, &bytes, NULL) == COP_OK, reader->err,
              COP_ERR_FORMAT, "damaged: an array larger than can be addressed");
    COP_TRY(cop_store_hdf_spend(reader, bytes));
    if (array->type == COP_STORE_TEXT && count > 0) {
        return read_texts(reader, dataset, array, count);
    }
    void *const data = cop_memory_alloc_raw(bytes, 1, reader->err);
    if (data == NULL) return COP_ERR_MEMORY;
    array->data = data;
    if (count > 0 && H5Dread(dataset, cop_store_hdf_memory_type(array->type), H5S_ALL, H5S_ALL,
                             H5P_DEFAULT, data) < 0) {
        return fail(reader, "read an array");
    }
    return COP_OK;
}

cop_status cop_store_hdf_read_dataset(cop_store_reader *reader, hid_t dataset,
                                      cop_store_entry *entry)
{
    COP_TRY(check_layout(reader, dataset));
    COP_TRY(read_type(reader, dataset, &entry->array.type));
    COP_TRY(read_shape(reader, dataset, &entry->array));
    COP_TRY(read_data(reader, dataset, &entry->array));
    COP_TRY(cop_store_hdf_read_text_attribute(reader, dataset, "unit", &entry->unit));
    return cop_store_hdf_read_text_attribute(reader, dataset, "meaning", &entry->meaning);
}
