/* What a run asked is told from its run file: its keys as they were meant, and its examples as
 * they were divided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/run/asked.h"
#include "coppice/store/store.h"
#include "unit/folder_support.h"

#include <stdio.h>
#include <string.h>

#define DATA "jobs/demo/arith.jsonl"

static char folder[FOLDER_BYTES];

static int set_up(void **state)
{
    (void)state;
    return folder_create(folder);
}

static int take_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void set(cop_store *store, const char *key, const char *value)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/job/keys/%s", key);
    assert_int_equal(cop_store_set_text(store, path, value, "", NULL), COP_OK);
}

/* A run file of 2 + 2 + 2 + 1 examples. */
static cop_asked *write_and_open(cop_store *store)
{
    char path[FOLDER_BYTES + 16];
    cop_asked *asked = NULL;
    cop_error err = {0};
    (void)snprintf(path, sizeof path, "%s/run.h5", folder);
    set(store, "model", "m");
    set(store, "task.name", "arith");
    set(store, "task.data", DATA);
    set(store, "splits.support", "2");
    set(store, "splits.probe", "2");
    set(store, "splits.validate", "2");
    set(store, "splits.test", "1");
    assert_int_equal(cop_store_write(store, path, &err), COP_OK);
    const cop_status status = cop_asked_open(path, &asked, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    return asked;
}

/* Programs that kept no digests of the base's files wrote 0 for the task's own value. */
static void right_is_what_was_right_then(void **state)
{
    (void)state;
    cop_store *store = NULL;
    assert_int_equal(cop_store_create(&store, NULL), COP_OK);
    set(store, "task.correct_at", "0");
    cop_asked *asked = write_and_open(store);
    assert_true(cop_asked_task(asked)->correct_at == 1);
    assert_false(cop_asked_job(asked)->generation.model_rules);
    assert_string_equal(cop_asked_job(asked)->gate.on, "correct");
    cop_asked_destroy(&asked);
    assert_int_equal(cop_store_set_text(store, "/base/files/config.json", "none", "", NULL),
                     COP_OK);
    asked = write_and_open(store);
    assert_true(cop_asked_task(asked)->correct_at == 0);
    cop_asked_destroy(&asked);
    cop_store_destroy(&store);
}

static cop_status divide(cop_store *store, const uint64_t *examples, cop_error *err)
{
    const cop_store_array array = {
        .type = COP_STORE_U64, .rank = 1, .shape = {7}, .data = examples};
    assert_int_equal(cop_store_set(store, "/base/examples", &array, NULL, "", err), COP_OK);
    cop_asked *asked = write_and_open(store);
    const cop_status status = cop_asked_divide(asked, err);
    cop_asked_destroy(&asked);
    return status;
}

static void another_division_is_refused(void **state)
{
    (void)state;
    cop_store *store = NULL;
    cop_error err = {0};
    uint64_t examples[7];
    assert_int_equal(cop_store_create(&store, &err), COP_OK);
    cop_asked *asked = write_and_open(store);
    assert_int_equal(cop_asked_divide(asked, &err), COP_OK); /* it tells of none yet */
    const cop_splits *const splits = cop_asked_splits(asked);
    size_t at = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        for (size_t i = 0; i < splits->counts[s]; i++)
            examples[at++] = splits->examples[s][i];
    }
    cop_asked_destroy(&asked);
    assert_int_equal(at, 7);
    assert_int_equal(divide(store, examples, &err), COP_OK);
    examples[6] = examples[0];
    assert_int_equal(divide(store, examples, &err), COP_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "was made of other examples"));
    cop_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_is_what_was_right_then, set_up, take_down),
        cmocka_unit_test_setup_teardown(another_division_is_refused, set_up, take_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
