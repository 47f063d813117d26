#include "store/hdf_decode.h"

#include "coppice/base/memory.h"
#include "store/hdf.h"
#include "store/hdf_read.h"
#include "store/seal.h"
#include "store/tree.h"

#include <stdio.h>
#include <string.h>

/* A walk over the groups of a file. */
typedef struct walk {
    cop_store_reader reader;
    cop_store *store;
    char path[COP_STORE_MAX_PATH + 1]; /* of the object being visited */
    size_t length;
    int depth;
    cop_status status; /* of the first failure */
} walk;

static cop_status read_group(walk *w, hid_t group);

static cop_status add_dataset(walk *w, hid_t dataset)
{
    cop_error *const err = w->reader.err;
    cop_store_entry *entry = cop_memory_alloc(1, sizeof *entry, err);
    if (entry == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    entry->path = cop_memory_copy_string(w->path, w->length, err);
    if (entry->path == NULL) status = COP_ERR_MEMORY;
    if (status == COP_OK) status = cop_store_hdf_read_dataset(&w->reader, dataset, entry);
    if (status == COP_OK) {
        status = cop_store_insert(w->store, &entry, err);
        /* A name that the tree does not take comes from the file here, not from the program. */
        if (status == COP_ERR_INTERNAL) status = COP_ERR_FORMAT;
        if (status == COP_ERR_FORMAT && err != NULL) err->status = status;
    }
    cop_store_entry_destroy(&entry);
    return status;
}

static cop_status read_object(walk *w, hid_t group, const char *name)
{
    cop_error *const err = w->reader.err;
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) return cop_store_hdf_fail(err, COP_ERR_FORMAT, "open an object");
    cop_status status = COP_OK;
    switch (H5Iget_type(object)) {
    case H5I_GROUP:
        status = read_group(w, object);
        break;
    case H5I_DATASET:
        status = add_dataset(w, object);
        break;
    default:
        status = cop_error_set(err, COP_ERR_FORMAT, "neither a group nor an array");
    }
    (void)H5Oclose(object);
    return status;
}

/* Names count towards the budget, so that links which lead in circles come to an end. */
static cop_status visit(walk *w, hid_t group, const char *name, H5L_type_t type)
{
    cop_error *const err = w->reader.err;
    const size_t bytes = strlen(name) + 1;
    COP_CHECK(type == H5L_TYPE_HARD, err, COP_ERR_FORMAT, "'%s' is a link to elsewhere", name);
    COP_TRY(cop_store_hdf_spend(&w->reader, bytes));
    COP_CHECK(w->length + bytes <= COP_STORE_MAX_PATH, err, COP_ERR_FORMAT,
              "a path is too long");
    const size_t before = w->length;
    w->length += (size_t)snprintf(w->path + before, sizeof w->path - before, "/%s", name);
    const cop_status status = read_object(w, group, name);
    if (status != COP_OK && w->status == COP_OK) {
        w->status = status; /* the innermost has put its path before the message */
        (void)cop_error_prefix(err, "%s", w->path);
    }
    w->length = before;
    w->path[before] = '\0';
    return status;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    walk *const w = context;
    const cop_status status = visit(w, group, name, info->type);
    if (status != COP_OK && w->status == COP_OK) w->status = status;
    return status == COP_OK ? 0 : -1;
}

static cop_status read_group(walk *w, hid_t group)
{
    cop_error *const err = w->reader.err;
    COP_CHECK(w->depth < COP_STORE_MAX_DEPTH, err, COP_ERR_FORMAT, "groups nested too deeply");
    w->depth++;
    hsize_t start = 0;
    const herr_t walked = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &start, visit_link, w);
    w->depth--;
    if (w->status != COP_OK) return w->status;
    return walked < 0 ? cop_store_hdf_fail(err, COP_ERR_FORMAT, "list a group") : COP_OK;
}

static cop_status check_format(walk *w, hid_t file)
{
    cop_error *const err = w->reader.err;
    char *format = NULL;
    int64_t schema = 0;
    COP_TRY(cop_store_hdf_read_text_attribute(&w->reader, file, COP_STORE_HDF_FORMAT, &format));
    const bool known = format != NULL && strcmp(format, COP_STORE_HDF_FORMAT_VALUE) == 0;
    cop_memory_free(format);
    COP_CHECK(known, err, COP_ERR_FORMAT, "not a run file of Coppice");
    COP_TRY(
        cop_store_hdf_read_number_attribute(&w->reader, file, COP_STORE_HDF_SCHEMA, &schema));
    COP_CHECK(schema == COP_STORE_SCHEMA, err, COP_ERR_FORMAT,
              "schema version %lld; this program reads version %d", (long long)schema,
              (int)COP_STORE_SCHEMA);
    return COP_OK;
}

static cop_status check_end(walk *w, hid_t file, char digest[COP_DIGEST_HEX_BYTES])
{
    cop_error *const err = w->reader.err;
    int64_t arrays = 0;
    char *text = NULL;
    COP_TRY(
        cop_store_hdf_read_number_attribute(&w->reader, file, COP_STORE_HDF_ARRAYS, &arrays));
    COP_CHECK(arrays >= 0 && (uint64_t)arrays == w->store->count, err, COP_ERR_FORMAT,
              "damaged: %zu arrays instead of %lld", w->store->count, (long long)arrays);
    COP_TRY(cop_store_hdf_read_text_attribute(&w->reader, file, COP_STORE_HDF_DIGEST, &text));
    const bool ok = text != NULL && strlen(text) == COP_DIGEST_HEX_BYTES - 1;
    if (ok) memcpy(digest, text, COP_DIGEST_HEX_BYTES);
    cop_memory_free(text);
    COP_CHECK(ok, err, COP_ERR_FORMAT, "damaged: it has no attribute 'digest', its end mark");
    return COP_OK;
}

static cop_status read_file(walk *w, hid_t file, char digest[COP_DIGEST_HEX_BYTES])
{
    COP_TRY(check_format(w, file));
    const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0) return cop_store_hdf_fail(w->reader.err, COP_ERR_FORMAT, "open its root");
    const cop_status status = read_group(w, root);
    (void)H5Gclose(root);
    return status == COP_OK ? check_end(w, file, digest) : status;
}

/* The image is borrowed for reading only; HDF5 makes its own copy. */
static cop_status open_image(const unsigned char *bytes, size_t length, hid_t *file,
                             cop_error *err)
{
    union {
        const unsigned char *borrowed;
        void *image;
    } view = {.borrowed = bytes};
    const hid_t access = cop_store_hdf_image_access(65536);
    *file = H5I_INVALID_HID;
    if (access >= 0 && H5Pset_file_image(access, view.image, length) >= 0) {
        *file = H5Fopen(COP_STORE_HDF_NAME, H5F_ACC_RDONLY, access);
    }
    const cop_status status =
        *file >= 0 ? COP_OK : cop_store_hdf_fail(err, COP_ERR_FORMAT, "open it as HDF5");
    if (access >= 0) (void)H5Pclose(access);
    return status;
}

cop_status cop_store_hdf_decode(const unsigned char *bytes, size_t length, cop_store **store,
                                char digest[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    cop_store_hdf_quiet quiet;
    walk w = {.reader = {.text = H5I_INVALID_HID, .bytes_left = length, .err = err}};
    COP_TRY(cop_store_create(store, err));
    w.store = *store;
    cop_store_hdf_quiet_begin(&quiet);
    hid_t file = H5I_INVALID_HID;
    cop_status status = open_image(bytes, length, &file, err);
    if (status == COP_OK) {
        w.reader.text = cop_store_hdf_text_type();
        status = read_file(&w, file, digest);
    }
    if (file >= 0) (void)H5Fclose(file);
    if (w.reader.text >= 0) (void)H5Tclose(w.reader.text);
    cop_store_hdf_quiet_end(&quiet);
    if (status != COP_OK) cop_store_destroy(store);
    return status;
}
