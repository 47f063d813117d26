/* The run file's tree in memory. */
#include "unit/store/store_support.h"

static cop_store *make_empty(void)
{
    cop_store *store = NULL;
    assert_int_equal(cop_store_create(&store, NULL), COP_OK);
    return store;
}

static void test_scalars(void **state)
{
    (void)state;
    cop_store *store = make_empty();
    double f = 0;
    int64_t i = 0;
    assert_int_equal(cop_store_set_f64(store, "/a/f", 2.5, "s", NULL, NULL), COP_OK);
    assert_int_equal(cop_store_set_i64(store, "/a/i", INT64_MIN, NULL, NULL, NULL), COP_OK);
    assert_int_equal(cop_store_set_text(store, "/a/t", "x", NULL, NULL), COP_OK);
    assert_true(cop_store_get_f64(store, "/a/f", &f) && f == 2.5);
    assert_true(cop_store_get_i64(store, "/a/i", &i) && i == INT64_MIN);
    assert_string_equal(cop_store_get_text(store, "/a/t"), "x");
    /* not of that type, or not there */
    f = 7;
    assert_false(cop_store_get_f64(store, "/a/i", &f));
    assert_false(cop_store_get_f64(store, "/a", &f));
    assert_false(cop_store_get_i64(store, "/a/f", &i));
    assert_null(cop_store_get_text(store, "/a/f"));
    assert_null(cop_store_get_text(store, "/nothing"));
    assert_true(f == 7);
    cop_store_destroy(&store);
    assert_null(store);
    cop_store_destroy(&store);
    cop_store_destroy(NULL);
}

static void test_copies_and_replaces(void **state)
{
    (void)state;
    cop_store *store = make_empty();
    float values[3] = {1, 2, 3};
    cop_store_array array = {.type = COP_STORE_F32, .rank = 1, .shape = {3}, .data = values};
    assert_int_equal(cop_store_set(store, "/x", &array, NULL, NULL, NULL), COP_OK);
    values[0] = 9;
    const cop_store_array *const got = cop_store_get(store, "/x");
    assert_true(((const float *)got->data)[0] == 1);
    /* borrowed arrays stay while others come */
    for (int i = 0; i < 100; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "/g/%d", i);
        assert_int_equal(cop_store_set_i64(store, path, i, NULL, NULL, NULL), COP_OK);
    }
    assert_ptr_equal(got, cop_store_get(store, "/x"));
    /* an array replaced by part of itself */
    array = *got;
    array.shape[0] = 2;
    assert_int_equal(cop_store_set(store, "/x", &array, NULL, NULL, NULL), COP_OK);
    assert_int_equal(cop_store_get(store, "/x")->shape[0], 2);
    assert_int_equal(cop_store_count(store), 101);
    assert_true(cop_store_is_valid(store));
    assert_int_equal(cop_store_set_text(store, "/x", "now a text", NULL, NULL), COP_OK);
    assert_string_equal(cop_store_get_text(store, "/x"), "now a text");
    cop_store_destroy(&store);
}

static void test_remove(void **state)
{
    (void)state;
    cop_store *store = make_empty();
    const char *const paths[] = {"/a-b", "/a/b/c", "/a/b/d", "/a/e", "/a0", "/b"};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(cop_store_set_i64(store, paths[5 - i], 1, NULL, NULL, NULL), COP_OK);
    }
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(cop_store_path_at(store, i), paths[i]);
    cop_store_remove(store, "/nothing");
    cop_store_remove(store, "/a/");
    cop_store_remove(store, "a");
    cop_store_remove(store, "");
    assert_int_equal(cop_store_count(store), 6);
    assert_true(cop_store_is_valid(store));
    cop_store_remove(store, "/a/b");
    assert_int_equal(cop_store_count(store), 4);
    cop_store_remove(store, "/a");
    assert_int_equal(cop_store_count(store), 3);
    assert_string_equal(cop_store_path_at(store, 0), "/a-b");
    assert_string_equal(cop_store_path_at(store, 1), "/a0");
    cop_store_remove(store, "/b");
    cop_store_remove(store, "/b");
    assert_int_equal(cop_store_count(store), 2);
    cop_store_remove(store, "/");
    assert_int_equal(cop_store_count(store), 0);
    cop_store_destroy(&store);
}

static void test_bad_paths(void **state)
{
    (void)state;
    cop_store *store = make_empty();
    static const char *const bad[] = {"",    "/",  "a",   "a/b",     "//a",  "/a//b",
                                      "/a/", "/.", "/..", "/a/../b", "/a/.", "/./a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cop_error err = {0};
        assert_int_equal(cop_store_set_i64(store, bad[i], 1, NULL, NULL, &err),
                         COP_ERR_INTERNAL);
        assert_non_null(strstr(err.message, bad[i]));
    }
    char path[2100];
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 == 0 ? '/' : 'x';
    path[66] = '\0';
    assert_int_equal(cop_store_set_i64(store, path, 1, NULL, NULL, NULL), COP_ERR_INTERNAL);
    path[64] = '\0';
    assert_int_equal(cop_store_set_i64(store, path, 1, NULL, NULL, NULL), COP_OK);
    memset(path + 1, 'x', sizeof path - 2);
    path[1024] = '\0';
    assert_int_equal(cop_store_set_i64(store, path, 1, NULL, NULL, NULL), COP_ERR_INTERNAL);
    path[1023] = '\0';
    assert_int_equal(cop_store_set_i64(store, path, 1, NULL, NULL, NULL), COP_OK);
    assert_int_equal(cop_store_set_i64(store, "/..a", 1, NULL, NULL, NULL), COP_OK);
    assert_int_equal(cop_store_count(store), 3);
    cop_store_destroy(&store);
}

static void test_clashes(void **state)
{
    (void)state;
    cop_store *store = make_empty();
    cop_error err = {0};
    assert_int_equal(cop_store_set_i64(store, "/a/b/c", 1, NULL, NULL, NULL), COP_OK);
    assert_int_equal(cop_store_set_i64(store, "/a/b", 1, NULL, NULL, &err), COP_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "/a/b/c"));
    assert_int_equal(cop_store_set_i64(store, "/a", 1, NULL, NULL, &err), COP_ERR_INTERNAL);
    assert_int_equal(cop_store_set_i64(store, "/a/b/c/d/e", 1, NULL, NULL, &err),
                     COP_ERR_INTERNAL);
    assert_int_equal(cop_store_set_i64(store, "/a/b-", 1, NULL, NULL, &err), COP_OK);
    assert_int_equal(cop_store_count(store), 2);
    cop_store_remove(store, "/a");
    assert_int_equal(cop_store_set_i64(store, "/a", 1, NULL, NULL, &err), COP_OK);
    cop_store_destroy(&store);
}

static void test_bad_arrays(void **state)
{
    (void)state;
    cop_store *store = make_empty();
    const double value = 1;
    cop_store_array array = {.type = COP_STORE_F64, .rank = 4, .data = &value};
    assert_int_equal(cop_store_set(store, "/a", &array, NULL, NULL, NULL), COP_ERR_INTERNAL);
    array.rank = -1;
    assert_int_equal(cop_store_set(store, "/a", &array, NULL, NULL, NULL), COP_ERR_INTERNAL);
    array = (cop_store_array){.type = COP_STORE_F64, .rank = 1, .shape = {3}};
    assert_int_equal(cop_store_set(store, "/a", &array, NULL, NULL, NULL), COP_ERR_INTERNAL);
    array = (cop_store_array){
        .type = COP_STORE_F64, .rank = 2, .shape = {1ull << 62, 4}, .data = &value};
    assert_int_equal(cop_store_set(store, "/a", &array, NULL, NULL, NULL), COP_ERR_MEMORY);
    assert_int_equal(cop_store_set_text(store, "/a", NULL, NULL, NULL), COP_ERR_INTERNAL);
    assert_int_equal(cop_store_count(store), 0);
    cop_store_destroy(&store);
}

/* Against a plain list: 40 names at two levels, set and removed at random. */
static void test_random_operations(void **state)
{
    (void)state;
    enum { NAMES = 40, STEPS = 4000 };
    cop_store *store = make_empty();
    int64_t values[NAMES] = {0}; /* 0: not there */
    uint64_t random = 5;
    for (int step = 1; step <= STEPS; step++) {
        const size_t n = (size_t)(draw(&random) % NAMES);
        char path[32];
        (void)snprintf(path, sizeof path, "/g%zu/n%zu", n % 4, n / 4);
        if (draw(&random) % 3 != 0) {
            assert_int_equal(cop_store_set_i64(store, path, step, NULL, NULL, NULL), COP_OK);
            values[n] = step;
        } else if (draw(&random) % 20 != 0) {
            cop_store_remove(store, path);
            values[n] = 0;
        } else {
            path[strlen("/g0")] = '\0';
            cop_store_remove(store, path);
            for (size_t k = n % 4; k < NAMES; k += 4)
                values[k] = 0;
        }
        size_t there = 0;
        for (size_t k = 0; k < NAMES; k++) {
            int64_t value = 0;
            (void)snprintf(path, sizeof path, "/g%zu/n%zu", k % 4, k / 4);
            assert_int_equal(cop_store_get_i64(store, path, &value), values[k] != 0);
            assert_int_equal(value, values[k]);
            there += values[k] != 0;
        }
        assert_int_equal(cop_store_count(store), there);
        for (size_t k = 1; k < there; k++) {
            assert_true(strcmp(cop_store_path_at(store, k - 1), cop_store_path_at(store, k)) <
                        0);
        }
    }
    cop_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_copies_and_replaces),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_bad_paths),
        cmocka_unit_test(test_clashes),
        cmocka_unit_test(test_bad_arrays),
        cmocka_unit_test(test_random_operations),
    };
    return cmocka_run_group_tests_name("store_tree", tests, NULL, NULL);
}
