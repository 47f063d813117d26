/* The safetensors format: u64 little-endian header length, JSON header, data. Nothing in a file
 * is trusted: every number is checked before it is used. */
#include "checkpoint/safetensors.h"

#include "coppice/base/memory.h"
#include "coppice/json/json_text.h"
#include "coppice/noise/noise.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MOST_DTYPE_BYTES = 32 };

/* All that the library safetensors 0.8 knows. */
static const cop_safetensors_dtype dtypes[] = {
    {"F32", COP_F32, 32},
    {"BF16", COP_BF16, 16},
    {"F16", COP_F16, 16},
    {"F64", COP_DTYPE_OTHER, 64},
    {"C64", COP_DTYPE_OTHER, 64},
    {"I64", COP_DTYPE_OTHER, 64},
    {"I32", COP_DTYPE_OTHER, 32},
    {"I16", COP_DTYPE_OTHER, 16},
    {"I8", COP_DTYPE_OTHER, 8},
    {"U64", COP_DTYPE_OTHER, 64},
    {"U32", COP_DTYPE_OTHER, 32},
    {"U16", COP_DTYPE_OTHER, 16},
    {"U8", COP_DTYPE_OTHER, 8},
    {"BOOL", COP_DTYPE_OTHER, 8},
    {"F8_E4M3", COP_DTYPE_OTHER, 8},
    {"F8_E5M2", COP_DTYPE_OTHER, 8},
    {"F8_E8M0", COP_DTYPE_OTHER, 8},
    {"F8_E4M3FNUZ", COP_DTYPE_OTHER, 8},
    {"F8_E5M2FNUZ", COP_DTYPE_OTHER, 8},
    {"F6_E2M3", COP_DTYPE_OTHER, 6},
    {"F6_E3M2", COP_DTYPE_OTHER, 6},
    {"F4", COP_DTYPE_OTHER, 4},
};

const cop_safetensors_dtype *cop_safetensors_find_dtype(const char *text)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(text, dtypes[i].text) == 0) return &dtypes[i];
    }
    return NULL;
}

bool cop_safetensors_count(const int64_t *shape, int rank, size_t *count)
{
    /* Zero extents are left out of the product first, so that [0, huge, huge] is refused too.
     */
    size_t product = 1;
    bool empty = false;
    *count = 0;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return false;
        if (shape[i] == 0) {
            empty = true;
        } else if (!cop_memory_multiply(product, (size_t)shape[i], &product)) {
            return false;
        }
    }
    if (product > INT64_MAX) return false;
    *count = empty ? 0 : product;
    return true;
}

bool cop_safetensors_bytes(const cop_safetensors_dtype *dtype, size_t count, size_t *bytes)
{
    enum { BYTE_BITS = 8 };
    size_t bits = 0;
    if (dtype->bits % BYTE_BITS == 0)
        return cop_memory_multiply(count, dtype->bits / BYTE_BITS, bytes);
    if (!cop_memory_multiply(count, dtype->bits, &bits) || bits % BYTE_BITS != 0) return false;
    *bytes = bits / BYTE_BITS;
    return true;
}

/* --- one tensor --- */

static cop_status parse_shape(const json_t *shape, cop_tensor_info *info, cop_error *err)
{
    COP_CHECK(json_is_array(shape), err, COP_ERR_FORMAT, "\"shape\" is not a list");
    const size_t rank = json_array_size(shape);
    COP_CHECK(rank <= COP_TENSOR_MAX_RANK, err, COP_ERR_UNSUPPORTED,
              "its %zu dimensions are more than the %d supported", rank, COP_TENSOR_MAX_RANK);
    info->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *const extent = json_array_get(shape, i);
        COP_CHECK(json_is_integer(extent) && json_integer_value(extent) >= 0, err,
                  COP_ERR_FORMAT, "\"shape\" entry %zu is not a whole number from 0", i);
        info->shape[i] = json_integer_value(extent);
    }
    COP_CHECK(cop_safetensors_count(info->shape, info->rank, &info->count), err, COP_ERR_FORMAT,
              "its shape has more elements than can be counted");
    return COP_OK;
}

static cop_status parse_offsets(const json_t *offsets, size_t *begin, size_t *end,
                                cop_error *err)
{
    const json_t *const first = json_array_get(offsets, 0);
    const json_t *const second = json_array_get(offsets, 1);
    COP_CHECK(json_array_size(offsets) == 2 && json_is_integer(first) &&
                  json_is_integer(second) && json_integer_value(first) >= 0 &&
                  json_integer_value(second) >= 0,
              err, COP_ERR_FORMAT, "\"data_offsets\" is not a pair of whole numbers from 0");
    *begin = (size_t)json_integer_value(first);
    *end = (size_t)json_integer_value(second);
    COP_CHECK(*begin <= *end, err, COP_ERR_FORMAT, "its data end (%zu) before they begin (%zu)",
              *end, *begin);
    return COP_OK;
}

/* The type, and that the data are as long as it and the shape say. Of a type that is newer than
 * this program the length cannot be checked: such a tensor may lie in a file, but not be used.
 */
static cop_status parse_dtype(const char *text, size_t length, cop_safetensors_tensor *tensor,
                              cop_error *err)
{
    cop_tensor_info *const info = &tensor->info;
    const cop_safetensors_dtype *const dtype = cop_safetensors_find_dtype(text);
    size_t bytes = 0;
    info->bytes = length;
    info->dtype = dtype == NULL ? COP_DTYPE_OTHER : dtype->dtype;
    if (dtype == NULL) {
        COP_CHECK(text[0] != '\0' && strlen(text) <= MOST_DTYPE_BYTES, err, COP_ERR_FORMAT,
                  "its dtype \"%.16s\" is not the name of one", text);
        tensor->dtype_text = cop_memory_copy_string(text, strlen(text), err);
        info->dtype_text = tensor->dtype_text;
        return tensor->dtype_text == NULL ? COP_ERR_MEMORY : COP_OK;
    }
    info->dtype_text = dtype->text;
    COP_CHECK(cop_safetensors_bytes(dtype, info->count, &bytes) && bytes == length, err,
              COP_ERR_FORMAT,
              "its shape takes %zu elements of %zu bits, its data are %zu bytes", info->count,
              dtype->bits, length);
    return COP_OK;
}

/* Everything but info->name and info->data; the offset counts from the start of the data. */
static cop_status parse_info(const json_t *entry, cop_safetensors_tensor *tensor,
                             cop_error *err)
{
    cop_tensor_info *const info = &tensor->info;
    size_t begin = 0;
    size_t end = 0;
    COP_CHECK(json_is_object(entry), err, COP_ERR_FORMAT, "its entry is not an object");
    const char *const text = json_string_value(json_object_get(entry, "dtype"));
    COP_CHECK(text != NULL, err, COP_ERR_FORMAT, "\"dtype\" is missing or not a string");
    COP_TRY(parse_shape(json_object_get(entry, "shape"), info, err));
    COP_TRY(parse_offsets(json_object_get(entry, "data_offsets"), &begin, &end, err));
    info->offset = begin;
    return parse_dtype(text, end - begin, tensor, err);
}

static bool is_printable(const char *name)
{
    for (; *name != '\0'; name++) {
        if ((unsigned char)*name < 0x20 || *name == 0x7f) return false;
    }
    return true;
}

static cop_status parse_tensor(const char *name, const json_t *entry,
                               cop_safetensors_tensor *tensor, cop_error *err)
{
    COP_CHECK(is_printable(name), err, COP_ERR_FORMAT,
              "a tensor's name has control characters in it");
    const cop_status status = parse_info(entry, tensor, err);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "tensor %s", name);
        return status;
    }
    tensor->name = cop_memory_copy_string(name, strlen(name), err);
    if (tensor->name == NULL) return COP_ERR_MEMORY;
    tensor->info.name = tensor->name;
    tensor->info.noise_id = cop_noise_tensor_id(name);
    return COP_OK;
}

/* --- the header --- */

static uint64_t read_u64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* Where the data start. */
static cop_status measure_header(const unsigned char *bytes, size_t size, size_t *data_start,
                                 cop_error *err)
{
    static const char pointer[] = "version https://git-lfs";
    COP_CHECK(size < sizeof pointer || memcmp(bytes, pointer, sizeof pointer - 1) != 0, err,
              COP_ERR_FORMAT,
              "is a Git LFS pointer, not the weights; run `git lfs pull` there");
    COP_CHECK(size >= LENGTH_BYTES, err, COP_ERR_FORMAT,
              "is truncated: a safetensors file has at least %d bytes, it has %zu",
              LENGTH_BYTES, size);
    const uint64_t length = read_u64(bytes);
    COP_CHECK(length <= COP_SAFETENSORS_MAX_HEADER, err, COP_ERR_FORMAT,
              "is not a safetensors file: its header would have %llu bytes, the limit is %d",
              (unsigned long long)length, COP_SAFETENSORS_MAX_HEADER);
    *data_start = LENGTH_BYTES + (size_t)length;
    COP_CHECK(*data_start <= size, err, COP_ERR_FORMAT,
              "is truncated: its header ends at byte %zu, it has %zu; copy it again",
              *data_start, size);
    COP_CHECK(length > 0 && bytes[LENGTH_BYTES] == '{', err, COP_ERR_FORMAT,
              "is not a safetensors file: its header does not start with '{'");
    return COP_OK;
}

static cop_status check_metadata(json_t *metadata, cop_error *err)
{
    COP_CHECK(json_is_object(metadata), err, COP_ERR_FORMAT,
              "\"__metadata__\" is not an object");
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(metadata, key, value)
    {
        COP_CHECK(json_is_string(value), err, COP_ERR_FORMAT,
                  "\"__metadata__\" has a value that is not a string: %s", key);
    }
    return COP_OK;
}

static cop_status parse_tensors(json_t *root, cop_safetensors *file, cop_error *err)
{
    file->tensors = cop_memory_alloc(json_object_size(root), sizeof *file->tensors, err);
    if (file->tensors == NULL) return COP_ERR_MEMORY;
    const char *name = NULL;
    json_t *entry = NULL;
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            COP_TRY(check_metadata(entry, err));
        } else {
            COP_TRY(parse_tensor(name, entry, &file->tensors[file->count++], err));
        }
    }
    return COP_OK;
}

/* --- all tensors together --- */

static int compare_places(const void *left, const void *right)
{
    const cop_tensor_info *const a = &((const cop_safetensors_tensor *)left)->info;
    const cop_tensor_info *const b = &((const cop_safetensors_tensor *)right)->info;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1; /* empty ones first */
    return 0;
}

/* Sorts the tensors by place and checks that they cover data [size] without gap or overlap. */
static cop_status check_cover(cop_safetensors *file, size_t size, cop_error *err)
{
    if (file->count > 0) {
        qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    }
    /* The commonest damage, a file cut short, is told apart from a wrong header first. */
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const cop_tensor_info *const info = &file->tensors[i].info;
        if (info->offset + info->bytes > end) end = info->offset + info->bytes;
    }
    const size_t file_size = file->data_start + size;
    COP_CHECK(
        end <= size, err, COP_ERR_FORMAT,
        "is truncated: its tensors take %zu bytes with the header, it has %zu; copy it again",
        file->data_start + end, file_size);

    size_t place = 0;
    for (size_t i = 0; i < file->count; i++) {
        const cop_tensor_info *const info = &file->tensors[i].info;
        COP_CHECK(info->offset >= place, err, COP_ERR_FORMAT,
                  "tensor %s: its data begin at %zu, inside another tensor's that end at %zu",
                  info->name, info->offset, place);
        COP_CHECK(info->offset == place, err, COP_ERR_FORMAT,
                  "tensor %s: there is a gap of %zu bytes before its data", info->name,
                  info->offset - place);
        place += info->bytes;
    }
    COP_CHECK(place == size, err, COP_ERR_FORMAT,
              "its tensors take %zu bytes with the header, but it has %zu",
              file->data_start + place, file_size);
    return COP_OK;
}

static cop_status parse(const unsigned char *bytes, size_t size, cop_safetensors *file,
                        cop_error *err)
{
    COP_TRY(measure_header(bytes, size, &file->data_start, err));
    json_t *root = NULL;
    cop_status status = cop_json_load((const char *)bytes + LENGTH_BYTES,
                                      file->data_start - LENGTH_BYTES, &root, err);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "its header is not valid JSON");
        return status;
    }
    status = parse_tensors(root, file, err);
    json_decref(root);
    COP_TRY(status);
    COP_TRY(check_cover(file, size - file->data_start, err));
    for (size_t i = 0; i < file->count; i++) {
        cop_tensor_info *const info = &file->tensors[i].info;
        info->offset += file->data_start;
        info->data = bytes + info->offset;
        assert(info->offset + info->bytes <= size);
    }
    return COP_OK;
}

cop_status cop_safetensors_parse(const void *bytes, size_t size, const char *origin,
                                 cop_safetensors *file, cop_error *err)
{
    *file = (cop_safetensors){0};
    const cop_status status = parse(bytes, size, file, err);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "%s", origin);
        cop_safetensors_free(file);
    }
    return status;
}

void cop_safetensors_tensor_free(cop_safetensors_tensor *tensor)
{
    cop_memory_free(tensor->name);
    cop_memory_free(tensor->dtype_text);
    cop_memory_free(tensor->aligned);
    *tensor = (cop_safetensors_tensor){0};
}

void cop_safetensors_free(cop_safetensors *file)
{
    for (size_t i = 0; i < file->count; i++)
        cop_safetensors_tensor_free(&file->tensors[i]);
    cop_memory_free(file->tensors);
    *file = (cop_safetensors){0};
}
