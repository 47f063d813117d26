/* What the tests of the run file share: a folder of their own, trees to write and to compare.
 */
#ifndef STORE_SUPPORT_H
#define STORE_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/digest.h"
#include "coppice/store/store.h"
#include "store/content.h"
#include "unit/folder_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that teardown removes; files in it are "<folder>/<name>". */
static char folder[FOLDER_BYTES];

static inline int make_folder(void **state)
{
    (void)state;
    return folder_create(folder);
}

static inline int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

/* "<folder>/<name>", valid until the 64th call from here. */
static inline const char *in_folder(const char *name)
{
    static char paths[64][512];
    static unsigned next = 0;
    char *const path = paths[next++ % 64];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline bool file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* splitmix64 */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Generation `number` of a run: numbers and texts of it, `rows` x 16 scores. */
static inline cop_store *make_tree(int64_t number, size_t rows)
{
    cop_store *store = NULL;
    cop_error err = {0};
    assert_int_equal(cop_store_create(&store, &err), COP_OK);
    float *const scores = malloc(rows * 16 * sizeof *scores);
    assert_non_null(scores);
    uint64_t state = (uint64_t)number;
    for (size_t i = 0; i < rows * 16; i++)
        scores[i] = (float)(draw(&state) >> 40);
    const cop_store_array array = {
        .type = COP_STORE_F32, .rank = 2, .shape = {rows, 16}, .data = scores};
    const char *const texts[] = {"", "caf\xc3\xa9", "a longer text, to be kept as it is"};
    const cop_store_array list = {
        .type = COP_STORE_TEXT, .rank = 1, .shape = {3}, .data = texts};
    assert_int_equal(
        cop_store_set(store, "/population/scores", &array, "points", "scores", &err), COP_OK);
    assert_int_equal(cop_store_set(store, "/stage1/0/operators", &list, NULL, NULL, &err),
                     COP_OK);
    assert_int_equal(cop_store_set_i64(store, "/job/generation", number, NULL, "counter", &err),
                     COP_OK);
    assert_int_equal(
        cop_store_set_f64(store, "/base/score", 0.5 / (double)(number + 1), NULL, NULL, &err),
        COP_OK);
    assert_int_equal(
        cop_store_set_text(store, "/job/text", "task: arith\n", "the job file", &err), COP_OK);
    free(scores);
    return store;
}

/* Same paths, types, shapes, data, units and meanings. */
static inline bool same_tree(const cop_store *a, const cop_store *b)
{
    char digest_a[COP_DIGEST_HEX_BYTES];
    char digest_b[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_store_content_digest(a, digest_a, NULL), COP_OK);
    assert_int_equal(cop_store_content_digest(b, digest_b, NULL), COP_OK);
    return strcmp(digest_a, digest_b) == 0;
}

/* The generation in a file; -1 if it cannot be read. Fails unless it is complete. */
static inline int64_t read_generation(const char *path, size_t rows)
{
    cop_store *store = NULL;
    if (cop_store_read(path, &store, NULL) != COP_OK) {
        assert_null(store);
        return -1;
    }
    int64_t number = -1;
    assert_true(cop_store_get_i64(store, "/job/generation", &number));
    cop_store *expected = make_tree(number, rows);
    assert_true(same_tree(store, expected));
    cop_store_destroy(&expected);
    cop_store_destroy(&store);
    return number;
}

static inline void write_generation(const char *path, int64_t number, size_t rows)
{
    cop_error err = {0};
    cop_store *store = make_tree(number, rows);
    const cop_status status = cop_store_write(store, path, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    cop_store_destroy(&store);
}

#endif
