/* The safetensors parser: what is valid, everything that is not, damage at every byte. */
#include "unit/formats_support.h"

#include "checkpoint/safetensors.h"

/* Parses an exact copy, so that the sanitizer sees a read past the end. */
static cop_status parse_copy(const void *bytes, size_t size, cop_safetensors *file,
                             cop_error *err, char **copy)
{
    *copy = malloc(size + (size == 0));
    assert_non_null(*copy);
    if (size > 0) memcpy(*copy, bytes, size);
    return cop_safetensors_parse(*copy, size, "x.safetensors", file, err);
}

static void expect_refused(const cop_text *bytes, cop_status status, const char *word)
{
    cop_safetensors file;
    cop_error err = {0};
    char *copy = NULL;
    const cop_status got = parse_copy(bytes->data, bytes->length, &file, &err, &copy);
    if (got != status || strstr(err.message, word) == NULL) {
        fail_msg("got %s: %s; wanted %s: %s", cop_status_name(got), err.message,
                 cop_status_name(status), word);
    }
    assert_int_equal(err.status, status);
    assert_memory_equal(err.message, "x.safetensors: ", 15);
    assert_null(file.tensors);
    assert_int_equal(file.count, 0);
    free(copy);
}

static void expect_header_refused(const char *header, size_t data_bytes, cop_status status,
                                  const char *word)
{
    char *const data = calloc(1, data_bytes + 1);
    cop_text bytes = {0};
    put_raw(&bytes, header, strlen(header), data, data_bytes);
    expect_refused(&bytes, status, word);
    cop_text_free(&bytes);
    free(data);
}

typedef struct hostile {
    const char *header;
    size_t data_bytes;
    const char *word; /* of the message */
} hostile;

static const hostile hostile_headers[] = {
    /* not JSON, or not an object */
    {"", 0, "does not start with '{'"},
    {" {}", 0, "does not start with '{'"},
    {"[]", 0, "does not start with '{'"},
    {"{", 0, "not valid JSON"},
    {"{}}", 0, "not valid JSON"},
    {"{} x", 0, "not valid JSON"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},}", 4, "not valid JSON"},
    {"{\"\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "not valid JSON"},
    {"{\"a\\n\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "control"},
    /* names */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
     2, "duplicate"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "duplicate"},
    /* metadata */
    {"{\"__metadata__\":[]}", 0, "__metadata__"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "not a string"},
    {"{\"__metadata__\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "not a string"},
    /* fields */
    {"{\"a\":1}", 0, "not an object"},
    {"{\"a\":{}}", 0, "dtype"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype"},
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype"},
    {"{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "not the name"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
     "3 elements of 4 bits"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     "4 elements of 4 bits"},
    {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     "4 elements of 6 bits"},
    {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "1 elements of 64 bits"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":{},\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[\"1\"],\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[null],\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[true],\"data_offsets\":[0,1]}}", 1, "shape"},
    /* shapes beyond counting */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1,-1],\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,1]}}", 1,
     "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551617],\"data_offsets\":[0,1]}}", 1,
     "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1e0],\"data_offsets\":[0,1]}}", 1, "shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[0,1]}}", 1,
     "9223372036854775807 elements"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
     "4611686018427387904 elements"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
     "4611686018427387905 elements"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
     "more elements"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,2147483648],\"data_offsets\":[0,1]}}", 1,
     "more elements"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[6148914691236517205,3],\"data_offsets\":[0,1]}}", 1,
     "more elements"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]}"
     "}",
     0, "more elements"},
    /* sizes */
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "1 elements"},
    {"{\"a\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "1 elements"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,0]}}", 0, "1 elements"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,4]}}", 4, "0 elements"},
    /* offsets */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":1}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1.0]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[\"0\",1]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,-1]}}", 1, "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,1]}}", 2, "before they begin"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":"
     "[9223372036854775806,9223372036854775807]}}",
     1, "truncated"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":"
     "[0,9223372036854775807]}}",
     1, "truncated"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, "truncated"},
    /* coverage */
    {"{}", 1, "but it has"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, "but it has"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "gap of 1 bytes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
     3, "gap of 1 bytes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
     3, "inside another"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
     2, "inside another"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]}}",
     4, "inside another"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[5,5]}}",
     1, "truncated"},
};

static void test_hostile_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile_headers / sizeof hostile_headers[0]; i++) {
        expect_header_refused(hostile_headers[i].header, hostile_headers[i].data_bytes,
                              COP_ERR_FORMAT, hostile_headers[i].word);
    }
    expect_header_refused(
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
        COP_ERR_UNSUPPORTED, "dimensions");
}

static void test_header_lengths(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3,
                                       100000000,
                                       100000001,
                                       (uint64_t)1 << 32,
                                       ((uint64_t)1 << 63) - 1,
                                       (uint64_t)1 << 63,
                                       UINT64_MAX - 8,
                                       UINT64_MAX - 7,
                                       UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        cop_text bytes = {0};
        put_raw(&bytes, "{}", 2, "", 0);
        for (int b = 0; b < 8; b++)
            bytes.data[b] = (char)(lengths[i] >> 8 * b);
        expect_refused(&bytes, COP_ERR_FORMAT,
                       lengths[i] > 100000000 ? "the limit is 100000000" : "is truncated");
        cop_text_free(&bytes);
    }
}

/* The JSON library would let a NUL byte after a number pass. */
static void test_nul_in_header(void **state)
{
    (void)state;
    static const char header[] =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1\0]}}";
    cop_text bytes = {0};
    put_raw(&bytes, header, sizeof header - 1, "x", 1);
    expect_refused(&bytes, COP_ERR_FORMAT, "not valid JSON: a NUL byte");
    cop_text_free(&bytes);
}

static void test_other_files(void **state)
{
    (void)state;
    cop_text bytes = {0};
    assert_int_equal(
        cop_text_format(&bytes, NULL,
                        "version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
        COP_OK);
    expect_refused(&bytes, COP_ERR_FORMAT, "git lfs pull");
    cop_text_free(&bytes);
}

/* 2047 levels of lists must not exhaust the stack, nor millions. */
static void test_deep_header(void **state)
{
    (void)state;
    static const size_t depths[] = {100, 2000, 3000, 1000000};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        char *const header = malloc(depths[i] + 6);
        memcpy(header, "{\"a\":", 5);
        memset(header + 5, '[', depths[i]);
        header[depths[i] + 5] = '\0';
        expect_header_refused(header, 0, COP_ERR_FORMAT, "not valid JSON");
        free(header);
    }
}

static void test_valid(void **state)
{
    (void)state;
    static const char header[] =
        "{\"z\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[2,10]},"
        "\"empty\":{\"dtype\":\"BF16\",\"shape\":[3,0],\"data_offsets\":[2,2]},"
        "\"a\":{\"data_offsets\":[0,2],\"shape\":[],\"dtype\":\"F16\",\"later\":1},"
        "\"last\":{\"dtype\":\"U8\",\"shape\":[0,9223372036854775807],\"data_offsets\":[10,10]}"
        "}  ";
    cop_text bytes = {0};
    put_raw(&bytes, header, sizeof header - 1, "0123456789", 10);
    cop_safetensors file;
    cop_error err = {0};
    char *copy = NULL;
    assert_int_equal(parse_copy(bytes.data, bytes.length, &file, &err, &copy), COP_OK);
    assert_int_equal(file.count, 4);
    assert_int_equal(file.data_start, 8 + sizeof header - 1);
    static const char *const names[] = {"a", "empty", "z",
                                        "last"}; /* in the order of their data */
    static const size_t counts[] = {1, 0, 2, 0};
    static const size_t offsets[] = {0, 2, 2, 10};
    for (size_t i = 0; i < 4; i++) {
        const cop_tensor_info *const info = &file.tensors[i].info;
        assert_string_equal(info->name, names[i]);
        assert_int_equal(info->count, counts[i]);
        assert_int_equal(info->offset, file.data_start + offsets[i]);
        assert_ptr_equal(info->data, copy + info->offset);
    }
    assert_int_equal(file.tensors[0].info.rank, 0);
    assert_int_equal(file.tensors[0].info.dtype, COP_F16);
    assert_int_equal(file.tensors[2].info.rank, 2);
    assert_int_equal(file.tensors[2].info.shape[0], 2);
    assert_memory_equal(file.tensors[2].info.data, "23456789", 8);
    assert_string_equal(file.tensors[1].info.dtype_text, "BF16");
    cop_safetensors_free(&file);
    assert_null(file.tensors);
    cop_safetensors_free(&file);
    cop_text_free(&bytes);
    free(copy);
}

/* A file by the format's own library, with every dtype. */
static cop_text reference(void)
{
    return read_file("tests/data/safetensors", "reference.safetensors");
}

static void test_reference(void **state)
{
    (void)state;
    cop_text bytes = reference();
    cop_safetensors file;
    cop_error err = {0};
    assert_int_equal(cop_safetensors_parse(bytes.data, bytes.length, "r", &file, &err), COP_OK);
    assert_int_equal(file.count, 17);
    size_t floats = 0;
    for (size_t i = 0; i < file.count; i++) {
        const cop_tensor_info *const info = &file.tensors[i].info;
        if (info->dtype != COP_DTYPE_OTHER) floats++;
        if (strcmp(info->name, "c.f16") != 0) continue;
        assert_int_equal(info->rank, 3);
        assert_int_equal(info->shape[2], 5);
        for (size_t k = 0; k < 10; k++) {
            assert_int_equal(((const unsigned char *)info->data)[k], (k * 7 + 7) & 255U);
        }
    }
    assert_int_equal(floats, 5);
    cop_safetensors_free(&file);
    cop_text_free(&bytes);
}

static void test_truncation(void **state)
{
    (void)state;
    cop_text bytes = reference();
    for (size_t size = 0; size < bytes.length; size++) {
        cop_text cut = {bytes.data, size, 0};
        expect_refused(&cut, COP_ERR_FORMAT, "truncated");
    }
    cop_text_free(&bytes);
}

static void test_truncation_names_sizes(void **state)
{
    (void)state;
    cop_text bytes = reference();
    cop_text cut = {bytes.data, 1200, 0};
    expect_refused(&cut, COP_ERR_FORMAT, "1213");
    expect_refused(&cut, COP_ERR_FORMAT, "it has 1200");
    cop_text_free(&bytes);
}

/* Either opens, and then every byte of every tensor can be read, or fails with a message. */
static void check_any(const char *bytes, size_t size, size_t *opened)
{
    cop_safetensors file;
    cop_error err = {0};
    char *copy = NULL;
    const cop_status status = parse_copy(bytes, size, &file, &err, &copy);
    if (status != COP_OK) {
        assert_int_equal(err.status, status);
        assert_true(strlen(err.message) > 0);
        free(copy);
        return;
    }
    size_t place = file.data_start;
    unsigned sum = 0;
    for (size_t i = 0; i < file.count; i++) {
        const cop_tensor_info *const info = &file.tensors[i].info;
        assert_int_equal(info->offset, place);
        for (size_t k = 0; k < info->bytes; k++)
            sum += ((const unsigned char *)info->data)[k];
        place += info->bytes;
    }
    assert_int_equal(place, size);
    assert_true(sum < UINT32_MAX);
    (*opened)++;
    cop_safetensors_free(&file);
    free(copy);
}

static void test_bit_flips(void **state)
{
    (void)state;
    cop_text bytes = reference();
    size_t opened = 0;
    for (size_t bit = 0; bit < bytes.length * 8; bit++) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        check_any(bytes.data, bytes.length, &opened);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(opened >= 117 * 8); /* flips in the data do no harm */
    assert_true(opened < bytes.length * 8);
    cop_text_free(&bytes);
}

static void test_random_damage(void **state)
{
    (void)state;
    cop_text bytes = reference();
    char *const damaged = malloc(bytes.length);
    uint64_t seed = 20;
    size_t opened = 0;
    for (int round = 0; round < 5000; round++) {
        memcpy(damaged, bytes.data, bytes.length);
        const uint32_t changes = 1 + next_random(&seed) % 8;
        for (uint32_t i = 0; i < changes; i++) {
            static const char likely[] = "0123456789[]{},:\"-eE.\\ ";
            damaged[8 + next_random(&seed) % 1088] =
                likely[next_random(&seed) % (sizeof likely - 1)];
        }
        check_any(damaged, bytes.length, &opened);
    }
    assert_true(opened > 0);
    free(damaged);
    cop_text_free(&bytes);
}

static void test_no_message_wanted(void **state)
{
    (void)state;
    cop_safetensors file;
    assert_int_equal(cop_safetensors_parse("x", 1, "x", &file, NULL), COP_ERR_FORMAT);
    assert_int_equal(cop_safetensors_parse("\2\0\0\0\0\0\0\0{}z", 11, "x", &file, NULL),
                     COP_ERR_FORMAT);
}

/* Types that safetensors 0.8 knows, and one that nobody knows yet: carried, not computed with.
 */
static void test_newer_types(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        size_t bytes; /* of 4 elements */
    } rows[] = {{"C64", 32},        {"F8_E8M0", 4}, {"F8_E4M3FNUZ", 4},
                {"F8_E5M2FNUZ", 4}, {"F6_E2M3", 3}, {"F6_E3M2", 3},
                {"F4", 2},          {"F8_E4M3", 4}, {"NEWER_THAN_US", 5}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[160];
        unsigned char file[256] = {0};
        cop_safetensors parsed;
        cop_error err = {0};
        const int length =
            snprintf(header, sizeof header,
                     "{\"a\":{\"dtype\":\"%s\",\"shape\":[2,2],\"data_offsets\":[0,%zu]}}",
                     rows[i].dtype, rows[i].bytes);
        file[0] = (unsigned char)length;
        memcpy(file + 8, header, (size_t)length);
        if (cop_safetensors_parse(file, 8 + (size_t)length + rows[i].bytes, "f", &parsed,
                                  &err) != COP_OK)
            fail_msg("%s: %s", rows[i].dtype, err.message);
        assert_string_equal(parsed.tensors[0].info.dtype_text, rows[i].dtype);
        assert_int_equal(parsed.tensors[0].info.dtype, COP_DTYPE_OTHER);
        assert_int_equal(parsed.tensors[0].info.bytes, rows[i].bytes);
        cop_safetensors_free(&parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newer_types),
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_nul_in_header),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_deep_header),
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_truncation_names_sizes),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_no_message_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
