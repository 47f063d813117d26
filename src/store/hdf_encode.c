#include "store/hdf_encode.h"

#include "coppice/base/memory.h"
#include "store/hdf.h"
#include "store/tree.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    CHUNK_BYTES = 256 * 1024,      /* of a chunk, at most */
    CONTIGUOUS_BYTES = 64 * 1024,  /* arrays up to this size are not chunked */
    IMAGE_STEP_BYTES = 1024 * 1024 /* the image grows by */
};

/* What one encoding needs throughout; negative ids are not open. */
typedef struct encoder {
    hid_t file;
    hid_t text;  /* type */
    hid_t group; /* creation properties */
    hid_t links; /* creation properties */
    cop_error *err;
} encoder;

static cop_status fail(encoder *e, const char *action)
{
    return cop_store_hdf_fail(e->err, COP_ERR_INTERNAL, action);
}

static cop_status write_attribute(encoder *e, hid_t object, const char *name, hid_t disk,
                                  hid_t memory, const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute =
        space < 0 ? H5I_INVALID_HID
                  : H5Acreate2(object, name, disk, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Awrite(attribute, memory, value) >= 0;
    const cop_status status = ok ? COP_OK : fail(e, "write an attribute");
    if (attribute >= 0) (void)H5Aclose(attribute);
    if (space >= 0) (void)H5Sclose(space);
    return status;
}

static cop_status write_text_attribute(encoder *e, hid_t object, const char *name,
                                       const char *text)
{
    return text == NULL ? COP_OK : write_attribute(e, object, name, e->text, e->text, &text);
}

static cop_status write_number_attribute(encoder *e, hid_t object, const char *name,
                                         int64_t number)
{
    return write_attribute(e, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &number);
}

/* Creates the groups on the way to `path` that the entry before it has not needed. */
static cop_status create_groups(encoder *e, const char *path, const char *before)
{
    char prefix[COP_STORE_MAX_PATH + 1];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        const size_t length = (size_t)(slash - path);
        if (strncmp(path, before, length + 1) == 0) continue;
        (void)snprintf(prefix, sizeof prefix, "%.*s", (int)length, path);
        const hid_t group = H5Gcreate2(e->file, prefix, e->links, e->group, H5P_DEFAULT);
        if (group < 0) return fail(e, "create a group");
        (void)H5Gclose(group);
    }
    return COP_OK;
}

/* Whole rows up to CHUNK_BYTES; of longer rows, a part. */
static void choose_chunk(const cop_store_array *array, hsize_t chunk[COP_STORE_MAX_RANK])
{
    assert(array->rank > 0 && array->rank <= COP_STORE_MAX_RANK);
    const uint64_t most = CHUNK_BYTES / cop_store_element_bytes(array->type);
    uint64_t room = most;
    for (int d = array->rank - 1; d >= 0; d--) {
        chunk[d] = array->shape[d] < room ? array->shape[d] : room;
        assert(chunk[d] > 0); /* a large array has no empty side */
        room /= chunk[d];
    }
}

/* Large arrays in chunks that carry a checksum, so that other programs notice damage as well.
 */
static hid_t create_layout(const cop_store_array *array, size_t bytes)
{
    const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    if (layout < 0) return layout;
    bool ok = H5Pset_obj_track_times(layout, 0) >= 0;
    if (array->type != COP_STORE_TEXT && array->rank > 0 && bytes > CONTIGUOUS_BYTES) {
        hsize_t chunk[COP_STORE_MAX_RANK];
        choose_chunk(array, chunk);
        ok = ok && H5Pset_chunk(layout, array->rank, chunk) >= 0 &&
             H5Pset_fletcher32(layout) >= 0;
    }
    if (ok) return layout;
    (void)H5Pclose(layout);
    return H5I_INVALID_HID;
}

static hid_t create_space(const cop_store_array *array)
{
    hsize_t shape[COP_STORE_MAX_RANK];
    assert(array->rank >= 0 && array->rank <= COP_STORE_MAX_RANK);
    for (int d = 0; d < array->rank; d++)
        shape[d] = array->shape[d];
    return array->rank == 0 ? H5Screate(H5S_SCALAR)
                            : H5Screate_simple(array->rank, shape, NULL);
}

static cop_status fill_dataset(encoder *e, hid_t dataset, const cop_store_entry *entry,
                               size_t count)
{
    const bool text = entry->array.type == COP_STORE_TEXT;
    const hid_t memory = text ? e->text : cop_store_hdf_memory_type(entry->array.type);
    if (count > 0 &&
        H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, entry->array.data) < 0) {
        return fail(e, "write a data set");
    }
    COP_TRY(write_text_attribute(e, dataset, "unit", entry->unit));
    return write_text_attribute(e, dataset, "meaning", entry->meaning);
}

static cop_status write_dataset(encoder *e, const cop_store_entry *entry)
{
    size_t count = 0;
    size_t bytes = 0;
    COP_TRY(cop_store_array_size(&entry->array, &count, &bytes, e->err));
    const bool text = entry->array.type == COP_STORE_TEXT;
    const hid_t disk = text ? e->text : cop_store_hdf_disk_type(entry->array.type);
    const hid_t layout = create_layout(&entry->array, bytes);
    const hid_t space = layout < 0 ? H5I_INVALID_HID : create_space(&entry->array);
    const hid_t dataset = space < 0 ? H5I_INVALID_HID
                                    : H5Dcreate2(e->file, entry->path, disk, space, e->links,
                                                 layout, H5P_DEFAULT);
    cop_status status =
        dataset < 0 ? fail(e, "create a data set") : fill_dataset(e, dataset, entry, count);
    if (dataset >= 0 && H5Dclose(dataset) < 0 && status == COP_OK) {
        status = fail(e, "complete a data set");
    }
    if (space >= 0) (void)H5Sclose(space);
    if (layout >= 0) (void)H5Pclose(layout);
    return status;
}

static cop_status write_tree(encoder *e, const cop_store *store,
                             const char digest[COP_DIGEST_HEX_BYTES])
{
    COP_TRY(write_text_attribute(e, e->file, COP_STORE_HDF_FORMAT, COP_STORE_HDF_FORMAT_VALUE));
    COP_TRY(write_number_attribute(e, e->file, COP_STORE_HDF_SCHEMA, COP_STORE_SCHEMA));
    const char *before = "/";
    for (size_t i = 0; i < store->count; i++) {
        const cop_store_entry *const entry = store->entries[i];
        cop_status status = create_groups(e, entry->path, before);
        if (status == COP_OK) status = write_dataset(e, entry);
        if (status != COP_OK) {
            (void)cop_error_prefix(e->err, "%s", entry->path);
            return status;
        }
        before = entry->path;
    }
    COP_TRY(write_number_attribute(e, e->file, COP_STORE_HDF_ARRAYS, (int64_t)store->count));
    return write_text_attribute(e, e->file, COP_STORE_HDF_DIGEST, digest);
}

/* HDF5 knows of the user block that the seal will be, and leaves it out of the image. */
static cop_status take_image(encoder *e, cop_store_bytes *bytes)
{
    if (H5Fflush(e->file, H5F_SCOPE_GLOBAL) < 0) return fail(e, "complete the file");
    const ssize_t image = H5Fget_file_image(e->file, NULL, 0);
    if (image <= 0) return fail(e, "tell the size of the file");
    const size_t length = (size_t)image + COP_STORE_SEAL_BYTES;
    bytes->data = cop_memory_alloc_raw(length, 1, e->err);
    if (bytes->data == NULL) return COP_ERR_MEMORY;
    bytes->length = length;
    memset(bytes->data, 0, COP_STORE_SEAL_BYTES);
    if (H5Fget_file_image(e->file, bytes->data + COP_STORE_SEAL_BYTES, (size_t)image) !=
        image) {
        return fail(e, "take the file's image");
    }
    return COP_OK;
}

static cop_status open_encoder(encoder *e)
{
    *e = (encoder){H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, e->err};
    e->text = cop_store_hdf_text_type();
    e->group = H5Pcreate(H5P_GROUP_CREATE);
    e->links = H5Pcreate(H5P_LINK_CREATE);
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    const hid_t access = cop_store_hdf_image_access(IMAGE_STEP_BYTES);
    /* No times: the bytes depend on the content alone. */
    if (e->text >= 0 && e->group >= 0 && e->links >= 0 && creation >= 0 && access >= 0 &&
        H5Pset_obj_track_times(e->group, 0) >= 0 &&
        H5Pset_char_encoding(e->links, H5T_CSET_UTF8) >= 0 &&
        H5Pset_userblock(creation, COP_STORE_SEAL_BYTES) >= 0) {
        e->file = H5Fcreate(COP_STORE_HDF_NAME, H5F_ACC_TRUNC, creation, access);
    }
    const cop_status status = e->file >= 0 ? COP_OK : fail(e, "create the file in memory");
    if (creation >= 0) (void)H5Pclose(creation);
    if (access >= 0) (void)H5Pclose(access);
    return status;
}

static void close_encoder(encoder *e)
{
    if (e->text >= 0) (void)H5Tclose(e->text);
    if (e->group >= 0) (void)H5Pclose(e->group);
    if (e->links >= 0) (void)H5Pclose(e->links);
    if (e->file >= 0) (void)H5Fclose(e->file);
}

cop_status cop_store_hdf_encode(const cop_store *store, const char digest[COP_DIGEST_HEX_BYTES],
                                cop_store_bytes *bytes, cop_error *err)
{
    assert(cop_store_is_valid(store));
    cop_store_hdf_quiet quiet;
    encoder e = {.err = err};
    *bytes = (cop_store_bytes){0};
    cop_store_hdf_quiet_begin(&quiet);
    cop_status status = open_encoder(&e);
    if (status == COP_OK) status = write_tree(&e, store, digest);
    if (status == COP_OK) status = take_image(&e, bytes);
    close_encoder(&e);
    cop_store_hdf_quiet_end(&quiet);
    if (status != COP_OK) {
        cop_memory_free(bytes->data);
        *bytes = (cop_store_bytes){0};
        (void)cop_error_prefix(err, "cannot form the run file");
    }
    return status;
}
