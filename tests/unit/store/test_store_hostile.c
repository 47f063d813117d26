/* HDF5 files with a right seal that Coppice did not write: refused, without harm. */
#include "unit/store/store_support.h"

#include "store/decode_apart.h"
#include "store/seal.h"

#include <fcntl.h>
#include <hdf5.h>
#include <sys/mman.h>

static const char *path;

/* A file with the root attributes of a run file. */
static hid_t start_file(int64_t schema, int64_t arrays)
{
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    assert_true(H5Pset_userblock(creation, COP_STORE_SEAL_BYTES) >= 0);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, H5P_DEFAULT);
    assert_true(file >= 0);
    (void)H5Pclose(creation);
    const hid_t text = H5Tcopy(H5T_C_S1);
    assert_true(H5Tset_size(text, H5T_VARIABLE) >= 0 && H5Tset_cset(text, H5T_CSET_UTF8) >= 0);
    const hid_t space = H5Screate(H5S_SCALAR);
    const char *const values[] = {
        "Coppice run file", "0000000000000000000000000000000000000000000000000000000000000000"};
    for (int i = 0; i < 2; i++) {
        const hid_t attribute = H5Acreate2(file, i == 0 ? "coppice" : "digest", text, space,
                                           H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Awrite(attribute, text, &values[i]) >= 0);
        (void)H5Aclose(attribute);
    }
    const int64_t numbers[] = {schema, arrays};
    for (int i = 0; i < 2; i++) {
        const hid_t attribute = H5Acreate2(file, i == 0 ? "schema" : "arrays", H5T_STD_I64LE,
                                           space, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Awrite(attribute, H5T_NATIVE_INT64, &numbers[i]) >= 0);
        (void)H5Aclose(attribute);
    }
    (void)H5Sclose(space);
    (void)H5Tclose(text);
    return file;
}

static void seal_file(int schema)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    const size_t length = (size_t)info.st_size;
    unsigned char *const bytes = malloc(length);
    assert_non_null(bytes);
    FILE *const file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, length, file), length);
    assert_int_equal(cop_store_seal(bytes, length, schema, NULL), COP_OK);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, COP_STORE_SEAL_BYTES, file), COP_STORE_SEAL_BYTES);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

/* Closes and seals the file; reading it must fail with a message that has `part`. */
static void assert_refused(hid_t file, const char *part)
{
    cop_error err = {0};
    cop_store *store = NULL;
    assert_true(H5Fclose(file) >= 0);
    seal_file(COP_STORE_SCHEMA);
    assert_int_equal(cop_store_read(path, &store, &err), COP_ERR_FORMAT);
    assert_null(store);
    assert_non_null(strstr(err.message, path));
    if (strstr(err.message, part) == NULL) print_error("'%s': %s\n", part, err.message);
    assert_non_null(strstr(err.message, part));
}

static hid_t add_dataset(hid_t file, hid_t type, int rank, const hsize_t *shape, hid_t layout)
{
    const hid_t space = H5Screate_simple(rank, shape, NULL);
    const hid_t dataset =
        H5Dcreate2(file, "data", type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    assert_true(dataset >= 0);
    (void)H5Sclose(space);
    return dataset;
}

static void add_and_close(hid_t file, hid_t type, int rank, const hsize_t *shape, hid_t layout)
{
    (void)H5Dclose(add_dataset(file, type, rank, shape, layout));
}

static void test_other_schema(void **state)
{
    (void)state;
    cop_error err = {0};
    cop_error why = {0};
    cop_store *store = NULL;
    bool previous = true;
    assert_refused(start_file(2, 0), "schema version 2");
    seal_file(7);
    assert_int_equal(cop_store_read(path, &store, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "schema version 7"));
    assert_non_null(strstr(err.message, "version 1"));
    assert_non_null(strstr(err.message, path));
    /* not damage: the one before it is not taken in its place */
    const char *const ours = in_folder("hostile.h5.prev");
    write_generation(ours, 1, 10);
    assert_int_equal(cop_store_read_latest(path, &store, &previous, &why, &err),
                     COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "schema version 7"));
    assert_true(store == NULL && !previous && why.message[0] == '\0');
    assert_int_equal(unlink(ours), 0);
    /* a new file takes its place, and it is kept */
    write_generation(path, 2, 10);
    assert_int_equal(cop_store_read(ours, &store, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "schema version 7"));
    assert_int_equal(unlink(ours), 0);
}

static void test_end_mark(void **state)
{
    (void)state;
    assert_refused(start_file(1, 0), "digest"); /* all there, another digest */
    assert_refused(start_file(1, 3), "0 arrays instead of 3");
    hid_t file = start_file(1, 0);
    assert_true(H5Adelete(file, "digest") >= 0);
    assert_refused(file, "end mark");
    file = start_file(1, 0);
    assert_true(H5Adelete(file, "coppice") >= 0);
    assert_refused(file, "not a run file");
    file = start_file(1, 0);
    assert_true(H5Adelete(file, "arrays") >= 0);
    assert_refused(file, "attribute");
}

static void test_sizes(void **state)
{
    (void)state;
    /* never allocated on disk: a terabyte on paper */
    hsize_t shape[4] = {1ull << 20, 1ull << 18, 1, 1};
    hid_t file = start_file(1, 1);
    add_and_close(file, H5T_IEEE_F32LE, 2, shape, H5P_DEFAULT);
    assert_refused(file, "larger than the file");
    shape[1] = 1ull << 42;
    const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[2] = {16, 16};
    assert_true(H5Pset_chunk(chunked, 2, chunk) >= 0);
    file = start_file(1, 1);
    add_and_close(file, H5T_IEEE_F32LE, 2, shape, chunked);
    assert_refused(file, "larger than");
    (void)H5Pclose(chunked);
    shape[0] = shape[1] = 1;
    file = start_file(1, 1);
    add_and_close(file, H5T_IEEE_F32LE, 4, shape, H5P_DEFAULT);
    assert_refused(file, "rank 0 to 3");
}

static void test_types(void **state)
{
    (void)state;
    const hsize_t shape[1] = {2};
    const hid_t types[] = {H5T_STD_I32LE, H5T_STD_I64BE, H5T_IEEE_F64BE, H5T_C_S1,
                           H5T_STD_REF_OBJ};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const hid_t file = start_file(1, 1);
        add_and_close(file, types[i], 1, shape, H5P_DEFAULT);
        assert_refused(file, "/data");
    }
    const hid_t file = start_file(1, 1);
    const hid_t type = H5Tcopy(H5T_STD_I64LE);
    assert_true(H5Tcommit2(file, "data", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    (void)H5Tclose(type);
    assert_refused(file, "neither a group nor an array");
}

static void test_layouts(void **state)
{
    (void)state;
    const hsize_t shape[1] = {64};
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_external(layout, "/etc/passwd", 0, 512) >= 0);
    hid_t file = start_file(1, 1);
    add_and_close(file, H5T_STD_I64LE, 1, shape, layout);
    assert_refused(file, "does not write");
    (void)H5Pclose(layout);
    layout = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(layout, 1, shape) >= 0 && H5Pset_shuffle(layout) >= 0);
    file = start_file(1, 1);
    add_and_close(file, H5T_STD_I64LE, 1, shape, layout);
    assert_refused(file, "does not write");
    (void)H5Pclose(layout);
}

static void test_links(void **state)
{
    (void)state;
    hid_t file = start_file(1, 0);
    assert_true(H5Lcreate_soft("/", file, "soft", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_refused(file, "link to elsewhere");
    file = start_file(1, 0);
    assert_true(H5Lcreate_external("/etc/x", "/", file, "out", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_refused(file, "link to elsewhere");
    /* circles: one way round, and 2^32 ways */
    for (int ways = 1; ways <= 2; ways++) {
        file = start_file(1, 0);
        assert_true(H5Lcreate_hard(file, "/", file, "a", H5P_DEFAULT, H5P_DEFAULT) >= 0);
        if (ways == 2) {
            assert_true(H5Lcreate_hard(file, "/", file, "b", H5P_DEFAULT, H5P_DEFAULT) >= 0);
        }
        assert_refused(file, "");
    }
    file = start_file(1, 0);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    assert_true(H5Pset_create_intermediate_group(links, 1) >= 0);
    char deep[401];
    for (size_t i = 0; i < 400; i++)
        deep[i] = i % 2 == 0 ? '/' : 'g';
    deep[400] = '\0';
    (void)H5Gclose(H5Gcreate2(file, deep, links, H5P_DEFAULT, H5P_DEFAULT));
    (void)H5Pclose(links);
    assert_refused(file, "nested too deeply");
}

/* One text of 1 MB that 64 elements, and another that 64 attributes refer to. */
static void test_shared_texts(void **state)
{
    (void)state;
    enum { COUNT = 64, BYTES = 1000000 };
    const hsize_t shape[1] = {COUNT};
    const char *texts[COUNT];
    char *const text = malloc(BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    for (size_t i = 0; i < COUNT; i++)
        texts[i] = i == 0 ? text : "yyyyyy";
    const hid_t type = H5Tcopy(H5T_C_S1);
    assert_true(H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0);
    const hid_t file = start_file(1, 1);
    const hid_t dataset = add_dataset(file, type, 1, shape, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) >= 0);
    assert_true(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0);
    const haddr_t at = H5Dget_offset(dataset);
    (void)H5Dclose(dataset);
    (void)H5Tclose(type);
    assert_true(H5Fclose(file) >= 0);
    free(text);
    /* the first element's reference (length, heap address, index) over all others */
    unsigned char reference[16];
    FILE *const raw = fopen(path, "r+b");
    assert_non_null(raw);
    assert_int_equal(fseek(raw, (long)at, SEEK_SET), 0);
    assert_int_equal(fread(reference, 1, 16, raw), 16);
    assert_int_equal(reference[0] | reference[1] << 8 | reference[2] << 16, BYTES);
    assert_int_equal(fseek(raw, (long)at, SEEK_SET), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(fwrite(reference, 1, 16, raw), 16);
    assert_int_equal(fclose(raw), 0);
    seal_file(COP_STORE_SCHEMA);
    cop_store *store = NULL;
    cop_error err = {0};
    assert_int_equal(cop_store_read(path, &store, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "/data"));
}

/* The program's own printing of HDF5 errors is as it was after a failure. */
static void test_error_printing_is_restored(void **state)
{
    (void)state;
    H5E_auto2_t before = NULL;
    H5E_auto2_t after = NULL;
    void *context = NULL;
    assert_true(H5Eget_auto2(H5E_DEFAULT, &before, &context) >= 0);
    assert_non_null(before);
    const hid_t file = start_file(1, 1);
    assert_refused(file, "arrays");
    assert_true(H5Eget_auto2(H5E_DEFAULT, &after, &context) >= 0);
    assert_true(before == after);
    /* nothing stays open */
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static int setup(void **state)
{
    static char name[512];
    const int failed = make_folder(state);
    (void)snprintf(name, sizeof name, "%s/hostile.h5", folder);
    path = name;
    return failed;
}

/* What kills HDF5 kills a child: here by memory that cannot be read. */
static void test_crash_apart(void **state)
{
    (void)state;
    enum { BYTES = 1 << 16 };
    cop_error err = {0};
    cop_store *store = NULL;
    char digest[COP_DIGEST_HEX_BYTES];
    unsigned char *const closed =
        mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(closed != MAP_FAILED);
    assert_int_equal(cop_store_decode_apart(closed, BYTES, &store, digest, &err),
                     COP_ERR_FORMAT);
    assert_null(store);
    assert_non_null(strstr(err.message, "in a process of its own"));
    assert_int_equal(munmap(closed, BYTES), 0);
}

/* A run file with one byte changed and sealed again, byte by byte through all that HDF5 keeps
 * there: the tree as it was, or a refusal by name. */
static void test_resealed_damage(void **state)
{
    (void)state;
    enum { ROWS = 20, STEP = 61 };
    size_t refused = 0;
    write_generation(path, 1, ROWS);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    for (off_t at = COP_STORE_SEAL_BYTES; at < info.st_size; at += STEP) {
        write_generation(path, 1, ROWS);
        const int fd = open(path, O_RDWR);
        unsigned char byte = 0;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= (unsigned char)(1U << (at / STEP % 8));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(close(fd), 0);
        seal_file(COP_STORE_SCHEMA);
        cop_error err = {0};
        cop_store *store = NULL;
        const cop_status status = cop_store_read(path, &store, &err);
        assert_true(status == COP_OK || status == COP_ERR_FORMAT);
        if (status == COP_OK) {
            cop_store *intact = make_tree(1, ROWS);
            assert_true(same_tree(store, intact));
            cop_store_destroy(&intact);
        } else {
            refused++;
            assert_non_null(strstr(err.message, path));
        }
        cop_store_destroy(&store);
    }
    assert_true(refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_apart),  cmocka_unit_test(test_resealed_damage),
        cmocka_unit_test(test_other_schema), cmocka_unit_test(test_end_mark),
        cmocka_unit_test(test_sizes),        cmocka_unit_test(test_types),
        cmocka_unit_test(test_layouts),      cmocka_unit_test(test_links),
        cmocka_unit_test(test_shared_texts), cmocka_unit_test(test_error_printing_is_restored),
    };
    return cmocka_run_group_tests_name("store_hostile", tests, setup, remove_folder);
}
