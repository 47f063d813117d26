/* Damaged run files are told, by name, and the generation before is used. */
#include "unit/store/store_support.h"

enum { ROWS = 40, FILE_BYTES = 262144 };

static unsigned char bytes[FILE_BYTES]; /* the intact file */
static size_t length;

static void write_bytes(const char *path, const unsigned char *data, size_t count)
{
    (void)unlink(path); /* some file systems flush a file that is truncated and written again */
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void make_intact(const char *path)
{
    write_generation(path, 1, ROWS);
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    length = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    assert_true(length > 4096 && length < sizeof bytes);
}

static void assert_damaged(const char *path)
{
    cop_store *store = NULL;
    cop_error err = {0};
    const cop_status status = cop_store_read(path, &store, &err);
    assert_int_equal(status, COP_ERR_FORMAT);
    assert_int_equal(err.status, COP_ERR_FORMAT);
    assert_null(store);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(cop_store_read(path, &store, NULL), COP_ERR_FORMAT);
}

static void test_truncation(void **state)
{
    (void)state;
    const char *const path = in_folder("cut.h5");
    make_intact(path);
    for (size_t cut = 0; cut < length; cut += cut < 600 || cut + 40 > length ? 1 : 83) {
        write_bytes(path, bytes, cut);
        assert_damaged(path);
    }
    write_bytes(path, bytes, length);
    assert_int_equal(read_generation(path, ROWS), 1);
    bytes[length] = 0;
    write_bytes(path, bytes, length + 1);
    assert_damaged(path);
}

/* Bits of all bytes of the seal, and of every so many behind it. */
static void test_flips(void **state)
{
    (void)state;
    const char *const path = in_folder("flip.h5");
    uint64_t random = 11;
    make_intact(path);
    for (size_t at = 0; at < length; at += at < 1024 ? 1 : 1 + (size_t)(draw(&random) % 60)) {
        const unsigned char flip = (unsigned char)(1u << (draw(&random) % 8));
        bytes[at] ^= flip;
        write_bytes(path, bytes, length);
        assert_damaged(path);
        bytes[at] ^= flip;
    }
    write_bytes(path, bytes, length);
    assert_int_equal(read_generation(path, ROWS), 1);
}

static void test_other_files(void **state)
{
    (void)state;
    const char *const path = in_folder("other.h5");
    static const unsigned char zeros[5000];
    write_bytes(path, zeros, 0);
    assert_damaged(path);
    write_bytes(path, zeros, sizeof zeros);
    assert_damaged(path);
    make_intact(path);
    write_bytes(path, bytes + 512, length - 512); /* plain HDF5 */
    assert_damaged(path);
    cop_store *store = NULL;
    cop_error err = {0};
    assert_int_equal(cop_store_read(folder, &store, &err), COP_ERR_IO);
    assert_int_equal(cop_store_read(in_folder("nothing"), &store, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, "nothing"));
    assert_int_equal(cop_store_read("/dev/null/x", &store, &err), COP_ERR_IO);
}

typedef struct latest {
    cop_status status;
    int64_t generation; /* -1: none */
    bool previous;
    cop_error why;
    cop_error err;
} latest;

static latest read_latest(const char *path)
{
    latest result = {.generation = -1, .why = {.status = COP_ERR_BUSY, .message = "stale"}};
    cop_store *store = NULL;
    result.status =
        cop_store_read_latest(path, &store, &result.previous, &result.why, &result.err);
    if (store != NULL)
        assert_true(cop_store_get_i64(store, "/job/generation", &result.generation));
    cop_store_destroy(&store);
    return result;
}

static void test_latest(void **state)
{
    (void)state;
    const char *const path = in_folder("latest.h5");
    const char *const previous = in_folder("latest.h5.prev");
    latest got = read_latest(path);
    assert_true(got.status == COP_OK && got.generation == -1 && !got.previous);
    assert_true(got.why.status == COP_OK && got.why.message[0] == '\0');
    make_intact(path);
    got = read_latest(path);
    assert_true(got.status == COP_OK && got.generation == 1 && !got.previous);
    assert_true(got.why.status == COP_OK && got.why.message[0] == '\0');

    /* damaged, with none before it */
    write_bytes(path, bytes, length - 1);
    got = read_latest(path);
    assert_true(got.status == COP_ERR_FORMAT && got.generation == -1 && !got.previous);
    assert_true(strstr(got.err.message, path) != NULL && got.why.message[0] == '\0');

    /* damaged, then missing, with one before it */
    write_bytes(previous, bytes, length);
    got = read_latest(path);
    assert_true(got.status == COP_OK && got.generation == 1 && got.previous);
    assert_int_equal(got.why.status, COP_ERR_FORMAT);
    assert_non_null(strstr(got.why.message, path));
    assert_non_null(strstr(got.why.message, previous));
    assert_int_equal(unlink(path), 0);
    got = read_latest(path);
    assert_true(got.status == COP_OK && got.generation == 1 && got.previous);
    assert_true(got.why.status != COP_OK && got.why.message[0] != '\0');

    /* both damaged; missing and damaged */
    write_bytes(previous, bytes, 600);
    got = read_latest(path);
    assert_true(got.status == COP_ERR_FORMAT && got.generation == -1 && !got.previous);
    write_bytes(path, bytes, 700);
    got = read_latest(path);
    assert_true(got.status == COP_ERR_FORMAT && got.generation == -1 && !got.previous);
    assert_non_null(strstr(got.err.message, previous));
    bool flag = true;
    cop_store *store = NULL;
    assert_int_equal(cop_store_read_latest(path, &store, &flag, NULL, NULL), COP_ERR_FORMAT);
    assert_false(flag);
}

/* A damaged file does not take the place of the good one before it. */
static void test_damaged_is_not_kept(void **state)
{
    (void)state;
    const char *const path = in_folder("keep.h5");
    make_intact(path);
    write_generation(path, 2, ROWS);
    write_bytes(path, bytes, length / 2);
    write_generation(path, 3, ROWS);
    assert_int_equal(read_generation(path, ROWS), 3);
    assert_int_equal(read_generation(in_folder("keep.h5.prev"), ROWS), 1);
}

/* As h5repack leaves a file: the seal of the original before an HDF5 file that is whole. */
static void test_rewritten(void **state)
{
    (void)state;
    enum { END_OF_FILE = 512 + 40, MORE = 64 };
    const char *const path = in_folder("latest.h5");
    make_intact(path);
    write_bytes(in_folder("latest.h5.prev"), bytes, length);
    memset(bytes + length, 0, MORE);
    for (size_t i = 0; i < 8; i++)
        bytes[END_OF_FILE + i] = (unsigned char)((length + MORE) >> 8 * i);
    write_bytes(path, bytes, length + MORE);
    latest got = read_latest(path);
    assert_true(got.status == COP_ERR_FORMAT && got.generation == -1 && !got.previous);
    assert_non_null(strstr(got.err.message, "h5repack"));
    assert_non_null(strstr(got.err.message, path));
    write_bytes(path, bytes, length + MORE - 1); /* cut off after that: damaged */
    got = read_latest(path);
    assert_true(got.status == COP_OK && got.generation == 1 && got.previous);
    assert_null(strstr(got.why.message, "h5repack"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation),          cmocka_unit_test(test_flips),
        cmocka_unit_test(test_other_files),         cmocka_unit_test(test_latest),
        cmocka_unit_test(test_damaged_is_not_kept), cmocka_unit_test(test_rewritten),
    };
    return cmocka_run_group_tests_name("store_damage", tests, make_folder, remove_folder);
}
