/* Model directories: single files, shards, digests, everything that is refused. */
#include "unit/formats_support.h"

#include "coppice/base/dtype.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/noise/noise.h"

#include <math.h>

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

static void expect_refused(const char *directory, cop_status status, const char *word)
{
    cop_checkpoint *checkpoint = NULL;
    cop_error err = {0};
    const cop_status got = cop_checkpoint_open(directory, &checkpoint, &err);
    if (got != status || strstr(err.message, word) == NULL) {
        fail_msg("got %s: %s; wanted %s: %s", cop_status_name(got), err.message,
                 cop_status_name(status), word);
    }
    assert_non_null(strstr(err.message, directory));
    assert_null(checkpoint);
}

static cop_checkpoint *open_ok(const char *directory)
{
    cop_checkpoint *checkpoint = NULL;
    cop_error err = {0};
    if (cop_checkpoint_open(directory, &checkpoint, &err) != COP_OK)
        fail_msg("%s", err.message);
    return checkpoint;
}

static void assert_digest(const char *directory, const char *digest)
{
    cop_checkpoint *checkpoint = open_ok(directory);
    char hex[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_checkpoint_digest(checkpoint, hex, NULL), COP_OK);
    assert_string_equal(hex, digest);
    cop_checkpoint_close(&checkpoint);
}

/* --- valid directories --- */

/* The digest was computed by an independent program from the definition in checkpoint.h. */
static void test_reference_digest(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    cop_text bytes = read_file("tests/data/safetensors", "reference.safetensors");
    write_file(dir, single_name, bytes.data, bytes.length);
    assert_digest(dir, "7230a96ffbdeb172515eb5e70d80a2ab78bfb4711445f9ea97837c0f0ba0e5ea");
    cop_text_free(&bytes);
    scratch_remove(dir);
}

/* The header of a small Qwen2 model, with zeros for weights. */
static void test_model_header(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    cop_text bytes = read_file("tests/data/safetensors", "tiny.header");
    write_file(dir, single_name, bytes.data, bytes.length);
    cop_text_free(&bytes);
    expect_refused(dir, COP_ERR_FORMAT, "1615240 bytes with the header, it has 5256");
    char *const path = path_in(dir, single_name);
    assert_int_equal(truncate(path, 1615240), 0);
    cop_checkpoint *checkpoint = open_ok(dir);
    assert_int_equal(cop_checkpoint_count(checkpoint), 50);
    assert_int_equal(cop_checkpoint_bytes(checkpoint), 1615240 - 5256);
    assert_int_equal(cop_checkpoint_file_count(checkpoint), 1);
    assert_string_equal(cop_checkpoint_file_path(checkpoint, 0), path);
    size_t file_bytes = 0;
    assert_non_null(cop_checkpoint_file_data(checkpoint, 0, &file_bytes));
    assert_int_equal(file_bytes, 1615240);
    const cop_tensor_info *const table =
        cop_checkpoint_find(checkpoint, "model.embed_tokens.weight");
    assert_non_null(table);
    assert_int_equal(table->rank, 2);
    assert_int_equal(table->shape[0], 512);
    assert_int_equal(table->shape[1], 128);
    assert_int_equal(table->count, 512 * 128);
    assert_int_equal(table->dtype, COP_BF16);
    assert_int_equal(table->noise_id, cop_noise_tensor_id("model.embed_tokens.weight"));
    assert_null(cop_checkpoint_find(checkpoint, "model.embed_tokens.weigh"));
    assert_null(cop_checkpoint_find(checkpoint, ""));
    for (size_t i = 0; i < 50; i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(checkpoint, i);
        assert_ptr_equal(cop_checkpoint_find(checkpoint, info->name), info);
        if (i > 0)
            assert_true(strcmp(cop_checkpoint_at(checkpoint, i - 1)->name, info->name) < 0);
    }
    cop_checkpoint_close(&checkpoint);
    assert_null(checkpoint);
    cop_checkpoint_close(&checkpoint);
    assert_digest(dir, "08dafb77532929b6fcd67eb597060f33c51cac9fac9e5e38921c36819df83ec3");
    cop_memory_free(path);
    scratch_remove(dir);
}

static const spec three[] = {
    {"b", "BF16", "[2,2]", "abcdefgh", 8},
    {"a", "F32", "[1]", "ABCD", 4},
    {"c", "I64", "[]", "12345678", 8},
};

static const char good_index[] =
    "{\"metadata\":{\"total_size\":20},\"weight_map\":{\"a\":\"model-2.safetensors\","
    "\"b\":\"model-1.safetensors\",\"c\":\"model-2.safetensors\"}}";

static void write_shards(const char *dir)
{
    write_safetensors(dir, "model-1.safetensors", &three[0], 1, 0);
    write_safetensors(dir, "model-2.safetensors", &three[1], 2, 0);
    write_text(dir, index_name, good_index);
}

static void test_shards(void **state)
{
    (void)state;
    char *const single = scratch_make();
    char *const sharded = scratch_make();
    write_safetensors(single, single_name, three, 3, 0);
    write_shards(sharded);
    cop_checkpoint *a = open_ok(single);
    cop_checkpoint *b = open_ok(sharded);
    char hex_a[COP_DIGEST_HEX_BYTES];
    char hex_b[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_checkpoint_digest(a, hex_a, NULL), COP_OK);
    assert_int_equal(cop_checkpoint_digest(b, hex_b, NULL), COP_OK);
    assert_string_equal(hex_a, hex_b);
    assert_int_equal(cop_checkpoint_file_count(b), 2);
    assert_int_equal(cop_checkpoint_bytes(b), 20);
    assert_int_equal(cop_checkpoint_find(b, "a")->file, 1);
    assert_int_equal(cop_checkpoint_find(b, "b")->file, 0);
    assert_memory_equal(cop_checkpoint_find(b, "b")->data, "abcdefgh", 8);
    assert_memory_equal(cop_checkpoint_find(b, "c")->data, "12345678", 8);
    for (size_t i = 0; i < 3; i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(b, i);
        size_t bytes = 0;
        const char *const data = cop_checkpoint_file_data(b, info->file, &bytes);
        assert_ptr_equal(info->data, data + info->offset);
    }
    cop_checkpoint_close(&a);
    cop_checkpoint_close(&b);
    /* Another byte, name, shape or dtype is another digest. */
    static const spec others[][3] = {
        {{"b", "BF16", "[2,2]", "abcdefgi", 8},
         {"a", "F32", "[1]", "ABCD", 4},
         {"c", "I64", "[]", "12345678", 8}},
        {{"b", "F16", "[2,2]", "abcdefgh", 8},
         {"a", "F32", "[1]", "ABCD", 4},
         {"c", "I64", "[]", "12345678", 8}},
        {{"b", "BF16", "[4]", "abcdefgh", 8},
         {"a", "F32", "[1]", "ABCD", 4},
         {"c", "I64", "[]", "12345678", 8}},
        {{"b", "BF16", "[2,2]", "abcdefgh", 8},
         {"a", "F32", "[1]", "ABCD", 4},
         {"d", "I64", "[]", "12345678", 8}},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_safetensors(single, single_name, others[i], 3, 0);
        cop_checkpoint *other = open_ok(single);
        assert_int_equal(cop_checkpoint_digest(other, hex_b, NULL), COP_OK);
        assert_string_not_equal(hex_a, hex_b);
        cop_checkpoint_close(&other);
    }
    scratch_remove(single);
    scratch_remove(sharded);
}

/* A header of odd length leaves the data unaligned; numbers must be readable all the same. */
static void test_unaligned(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    char hex[COP_DIGEST_HEX_BYTES] = "";
    for (size_t skew = 0; skew < 8; skew++) {
        write_safetensors(dir, single_name, three, 3, skew);
        cop_checkpoint *checkpoint = open_ok(dir);
        const cop_tensor_info *const a = cop_checkpoint_find(checkpoint, "a");
        const cop_tensor_info *const b = cop_checkpoint_find(checkpoint, "b");
        assert_int_equal((uintptr_t)a->data % sizeof(float), 0);
        assert_int_equal((uintptr_t)b->data % sizeof(uint16_t), 0);
        assert_memory_equal(a->data, "ABCD", 4);
        assert_memory_equal(b->data, "abcdefgh", 8);
        assert_memory_equal(cop_checkpoint_find(checkpoint, "c")->data, "12345678", 8);
        char again[COP_DIGEST_HEX_BYTES];
        assert_int_equal(cop_checkpoint_digest(checkpoint, again, NULL), COP_OK);
        if (skew > 0) assert_string_equal(hex, again);
        memcpy(hex, again, sizeof hex);
        cop_checkpoint_close(&checkpoint);
    }
    scratch_remove(dir);
}

static void test_single_before_index(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    write_shards(dir);
    write_safetensors(dir, single_name, three, 2, 0);
    cop_checkpoint *checkpoint = open_ok(dir);
    assert_int_equal(cop_checkpoint_count(checkpoint), 2);
    cop_checkpoint_close(&checkpoint);
    scratch_remove(dir);
}

/* Caches of models are made of links. */
static void test_links(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    write_safetensors(dir, "blob", three, 3, 0);
    char *const link_path = path_in(dir, single_name);
    assert_int_equal(symlink("blob", link_path), 0);
    cop_checkpoint *checkpoint = open_ok(dir);
    cop_checkpoint_close(&checkpoint);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink("gone", link_path), 0);
    expect_refused(dir, COP_ERR_FORMAT, "model.safetensors: cannot open");
    cop_memory_free(link_path);
    scratch_remove(dir);
}

/* --- refused directories --- */

static void test_no_weights(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    expect_refused(dir, COP_ERR_FORMAT, "neither model.safetensors nor");
    char *const missing = path_in(dir, "missing");
    expect_refused(missing, COP_ERR_FORMAT, "no such model directory");
    expect_refused("", COP_ERR_FORMAT, "no such model directory");
    write_text(dir, "file", "");
    char *const file = path_in(dir, "file");
    expect_refused(file, COP_ERR_FORMAT, "not a directory");
    char *const below = path_in(file, "x");
    expect_refused(below, COP_ERR_FORMAT, "no such model directory");
    write_text(dir, single_name, "");
    expect_refused(dir, COP_ERR_FORMAT, "it has 0");
    write_safetensors(dir, single_name, three, 0, 0);
    expect_refused(dir, COP_ERR_FORMAT, "no tensors");
    char *const path = path_in(dir, single_name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    expect_refused(dir, COP_ERR_FORMAT, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(dir, COP_ERR_FORMAT, "not a regular file");
    cop_memory_free(path);
    cop_memory_free(below);
    cop_memory_free(file);
    cop_memory_free(missing);
    scratch_remove(dir);
}

typedef struct bad_index {
    const char *text;
    const char *word;
} bad_index;

static void test_hostile_index(void **state)
{
    (void)state;
    static const bad_index cases[] = {
        {"", "index.json: line"},
        {"{", "index.json: line"},
        {"[]", "weight_map"},
        {"{}", "weight_map"},
        {"{\"weight_map\":[]}", "weight_map"},
        {"{\"weight_map\":{}}", "empty"},
        {"{\"weight_map\":{\"a\":1}}", "not a string"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\",\"a\":\"model-2.safetensors\"}}",
         "duplicate"},
        {"{\"weight_map\":{\"a\":\"\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"d/x.safetensors\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"x\\n.safetensors\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"config.json\"}}", "plain name"},
        {"{\"weight_map\":{\"a\":\"model-3.safetensors\"}}",
         "model-3.safetensors: cannot open"},
        /* index and shards disagree */
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\"}}", "tensor c is not listed"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\",\"b\":\"model-2.safetensors\","
         "\"c\":\"model-2.safetensors\"}}",
         "tensor b, listed in model.safetensors.index.json, is missing"},
        {"{\"weight_map\":{\"a\":\"model-1.safetensors\",\"b\":\"model-1.safetensors\","
         "\"c\":\"model-2.safetensors\"}}",
         "tensor a is listed in"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\",\"b\":\"model-1.safetensors\","
         "\"c\":\"model-2.safetensors\",\"d\":\"model-1.safetensors\"}}",
         "tensor d, listed"},
    };
    char *const dir = scratch_make();
    write_shards(dir);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(dir, index_name, cases[i].text);
        expect_refused(dir, COP_ERR_FORMAT, cases[i].word);
    }
    scratch_remove(dir);
}

static void test_damaged_shard(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    write_shards(dir);
    cop_text shard = read_file(dir, "model-2.safetensors");
    write_file(dir, "model-2.safetensors", shard.data, shard.length - 1);
    expect_refused(dir, COP_ERR_FORMAT, "model-2.safetensors: is truncated");
    cop_text_free(&shard);
    /* The same tensor in both shards. */
    write_safetensors(dir, "model-2.safetensors", three, 3, 0);
    expect_refused(dir, COP_ERR_FORMAT, "tensor b is listed in");
    scratch_remove(dir);
}

/* Names whose 32-bit FNV-1a hashes are equal. */
static void test_noise_id_collision(void **state)
{
    (void)state;
    assert_int_equal(cop_noise_tensor_id("costarring"), cop_noise_tensor_id("liquid"));
    static const spec floats[] = {{"costarring", "F32", "[1]", "1234", 4},
                                  {"liquid", "BF16", "[1]", "12", 2}};
    static const spec mixed[] = {{"costarring", "F32", "[1]", "1234", 4},
                                 {"liquid", "I16", "[1]", "12", 2}};
    char *const dir = scratch_make();
    write_safetensors(dir, single_name, floats, 2, 0);
    expect_refused(dir, COP_ERR_UNSUPPORTED, "costarring and liquid");
    write_safetensors(dir, single_name, mixed, 2, 0);
    cop_checkpoint *checkpoint = open_ok(dir);
    cop_checkpoint_close(&checkpoint);
    scratch_remove(dir);
}

/* --- memory --- */

static cop_tensor_info info_of(const char *name, cop_dtype dtype, int64_t extent,
                               const void *data)
{
    return (cop_tensor_info){
        .name = name, .dtype = dtype, .rank = 1, .shape = {extent}, .data = data};
}

static void test_from_memory(void **state)
{
    (void)state;
    static const uint16_t weights[] = {1, 2, 3};
    char name[] = "x";
    cop_tensor_info infos[] = {info_of(name, COP_BF16, 3, weights),
                               info_of("a", COP_F32, 0, NULL)};
    cop_checkpoint *checkpoint = NULL;
    assert_int_equal(cop_checkpoint_from_memory(infos, 2, &checkpoint, NULL), COP_OK);
    name[0] = 'y'; /* names are copied */
    const cop_tensor_info *const x = cop_checkpoint_find(checkpoint, "x");
    assert_non_null(x);
    assert_ptr_equal(x->data, weights);
    assert_int_equal(x->count, 3);
    assert_int_equal(x->bytes, 6);
    assert_string_equal(x->dtype_text, "BF16");
    assert_int_equal(x->noise_id, cop_noise_tensor_id("x"));
    assert_string_equal(cop_checkpoint_at(checkpoint, 0)->name, "a");
    assert_int_equal(cop_checkpoint_file_count(checkpoint), 0);
    assert_int_equal(cop_checkpoint_bytes(checkpoint), 6);

    char *const dir = scratch_make();
    const spec same[] = {{"x", "BF16", "[3]", weights, 6}, {"a", "F32", "[0]", "", 0}};
    write_safetensors(dir, single_name, same, 2, 0);
    char hex[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_checkpoint_digest(checkpoint, hex, NULL), COP_OK);
    assert_digest(dir, hex);
    cop_checkpoint_close(&checkpoint);
    scratch_remove(dir);
}

static void expect_memory_refused(const cop_tensor_info *infos, size_t count, cop_status status)
{
    cop_checkpoint *checkpoint = NULL;
    cop_error err = {0};
    assert_int_equal(cop_checkpoint_from_memory(infos, count, &checkpoint, &err), status);
    assert_null(checkpoint);
    assert_true(strlen(err.message) > 0);
}

/* Against sums in another precision; every type, more than one block, nothing and zeros. */
static void test_rms(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static float values[COUNT];
    static uint16_t halves[COUNT], brains[COUNT];
    static const float zeros[3] = {0};
    long double sums[3] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (float)((double)cop_noise_bits(7, COP_STREAM_CLOUD, 0, i) * 0x1p-64 - 0.3);
        halves[i] = cop_f32_to_f16(values[i]);
        brains[i] = cop_f32_to_bf16(values[i]);
        const float all[3] = {values[i], cop_f16_to_f32(halves[i]), cop_bf16_to_f32(brains[i])};
        for (size_t k = 0; k < 3; k++)
            sums[k] += (long double)all[k] * (long double)all[k];
    }
    const cop_tensor_info infos[] = {
        {.name = "a", .dtype = COP_F32, .rank = 1, .shape = {COUNT}, .data = values},
        {.name = "b", .dtype = COP_F16, .rank = 1, .shape = {COUNT}, .data = halves},
        {.name = "c", .dtype = COP_BF16, .rank = 1, .shape = {COUNT}, .data = brains},
        {.name = "d", .dtype = COP_F32, .rank = 1, .shape = {3}, .data = zeros}};
    cop_checkpoint *checkpoint = NULL;
    cop_error err = {0};
    if (cop_checkpoint_from_memory(infos, 4, &checkpoint, &err) != COP_OK)
        fail_msg("%s", err.message);
    for (size_t k = 0; k < 3; k++) {
        const double wanted = (double)sqrtl(sums[k] / COUNT);
        const double got =
            (double)cop_checkpoint_rms(checkpoint, cop_checkpoint_at(checkpoint, k));
        assert_true(fabs(got / wanted - 1) < 1e-7);
    }
    assert_true(cop_checkpoint_rms(checkpoint, cop_checkpoint_at(checkpoint, 3)) == 0.0F);
    values[0] = INFINITY;
    cop_checkpoint *infinite = NULL;
    assert_int_equal(cop_checkpoint_from_memory(infos, 1, &infinite, &err), COP_OK);
    assert_true(cop_checkpoint_rms(infinite, cop_checkpoint_at(infinite, 0)) == 0.0F);
    cop_checkpoint_close(&infinite);
    cop_checkpoint_close(&checkpoint);
}

static void test_from_memory_refused(void **state)
{
    (void)state;
    static const float data[] = {1, 2};
    const cop_tensor_info good = info_of("x", COP_F32, 2, data);
    const cop_tensor_info twice[] = {good, good};
    expect_memory_refused(twice, 2, COP_ERR_FORMAT);
    const cop_tensor_info colliding[] = {info_of("costarring", COP_F32, 2, data),
                                         info_of("liquid", COP_F32, 2, data)};
    expect_memory_refused(colliding, 2, COP_ERR_UNSUPPORTED);
    cop_tensor_info bad = good;
    bad.count = 3;
    expect_memory_refused(&bad, 1, COP_ERR_FORMAT);
    bad = good;
    bad.shape[0] = -2;
    expect_memory_refused(&bad, 1, COP_ERR_FORMAT);
    bad = good;
    bad.rank = COP_TENSOR_MAX_RANK + 1;
    expect_memory_refused(&bad, 1, COP_ERR_FORMAT);
    bad = good;
    bad.data = NULL;
    expect_memory_refused(&bad, 1, COP_ERR_FORMAT);
    bad = good;
    bad.dtype_text = "BF16";
    expect_memory_refused(&bad, 1, COP_ERR_FORMAT);
    bad = good;
    bad.dtype = COP_DTYPE_OTHER;
    expect_memory_refused(&bad, 1, COP_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_digest),
        cmocka_unit_test(test_model_header),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_unaligned),
        cmocka_unit_test(test_single_before_index),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_no_weights),
        cmocka_unit_test(test_hostile_index),
        cmocka_unit_test(test_damaged_shard),
        cmocka_unit_test(test_noise_id_collision),
        cmocka_unit_test(test_from_memory),
        cmocka_unit_test(test_rms),
        cmocka_unit_test(test_from_memory_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
