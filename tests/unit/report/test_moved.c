/* The table of what a sigma moves: tensors that differ by their layer share a line. */
#include "report/moved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TENSORS = 5 };

static const char *const names[TENSORS] = {"model.embed", "model.layers.0.q",
                                           "model.layers.1.q", "model.layers.10.q",
                                           "model.layers.1x.q"};
static const float moved[TENSORS] = {0.5F, 0.25F, 1.0F, 0.25F, 0.125F};

static void set(cop_store *store, const char *path, cop_store_type type, const void *data,
                size_t count)
{
    const cop_store_array array = {.type = type, .rank = 1, .shape = {count}, .data = data};
    assert_int_equal(cop_store_set(store, path, &array, NULL, "", NULL), COP_OK);
}

static char *table_of(cop_store *store, cop_text *text)
{
    cop_text_clear(text);
    assert_int_equal(cop_text_append(text, "", 0, NULL), COP_OK);
    assert_int_equal(cop_moved_print(store, text, NULL), COP_OK);
    return text->data;
}

static void test_lines(void **state)
{
    (void)state;
    cop_store *store = NULL;
    cop_text text = {0};
    assert_int_equal(cop_store_create(&store, NULL), COP_OK);
    assert_string_equal(table_of(store, &text), ""); /* of an older version */
    set(store, "/population/moved/tensor", COP_STORE_TEXT, names, TENSORS);
    assert_string_equal(table_of(store, &text), "");
    set(store, "/population/moved/sigma_0.4", COP_STORE_F32, moved, TENSORS);
    const char *const found = table_of(store, &text);
    assert_non_null(strstr(found, "sigma 0.4"));
    assert_non_null(strstr(found, "model.layers.*.q                                   3"
                                  "   50.0% ( 25.0%)"));
    assert_non_null(strstr(found, "model.layers.1x.q                                  1"
                                  "   12.5% ( 12.5%)"));
    assert_non_null(strstr(found, "model.embed                                        1"
                                  "   50.0% ( 50.0%)"));
    /* A column of another length is not shown. */
    set(store, "/population/moved/sigma_0.8", COP_STORE_F32, moved, TENSORS - 1);
    assert_null(strstr(table_of(store, &text), "sigma 0.8"));
    cop_text_free(&text);
    cop_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
