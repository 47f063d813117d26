/* Reading and writing whole files. */
#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/folder_support.h"

typedef struct folder {
    char path[FOLDER_BYTES];
    char file[FOLDER_BYTES + 16];
} folder;

static int setup(void **state)
{
    folder *const made = calloc(1, sizeof *made);
    if (made == NULL) return -1;
    if (folder_create(made->path) != 0) return -1;
    (void)snprintf(made->file, sizeof made->file, "%s/data.bin", made->path);
    *state = made;
    return 0;
}

static size_t count_entries(const char *path)
{
    DIR *const handle = opendir(path);
    assert_non_null(handle);
    size_t count = 0;
    for (const struct dirent *entry = readdir(handle); entry != NULL; entry = readdir(handle)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    assert_int_equal(closedir(handle), 0);
    return count;
}

static int teardown(void **state)
{
    folder *const made = *state;
    (void)remove(made->file);
    const int result = rmdir(made->path);
    free(made);
    return result;
}

static void assert_content(const char *path, const char *bytes, size_t length)
{
    cop_text text = {0};
    assert_int_equal(cop_text_read_file(&text, path, (size_t)1 << 30, NULL), COP_OK);
    assert_int_equal(text.length, length);
    if (length > 0) assert_memory_equal(text.data, bytes, length);
    assert_int_equal(text.data[length], 0);
    cop_text_free(&text);
}

static void test_write_and_read(void **state)
{
    const folder *const at = *state;
    assert_int_equal(cop_text_write_file(at->file, "", 0, NULL), COP_OK);
    assert_content(at->file, "", 0);
    assert_int_equal(cop_text_write_file(at->file, "a\0b\n", 4, NULL), COP_OK);
    assert_content(at->file, "a\0b\n", 4);
    /* Larger than any buffer between. */
    const size_t bytes = 300001;
    char *const large = malloc(bytes);
    assert_non_null(large);
    for (size_t i = 0; i < bytes; i++)
        large[i] = (char)(i * 31 % 251);
    assert_int_equal(cop_text_write_file(at->file, large, bytes, NULL), COP_OK);
    assert_content(at->file, large, bytes);
    free(large);
    assert_int_equal(count_entries(at->path), 1);
}

static void test_read_appends(void **state)
{
    const folder *const at = *state;
    cop_text text = {0};
    assert_int_equal(cop_text_write_file(at->file, "two", 3, NULL), COP_OK);
    assert_int_equal(cop_text_append(&text, "one ", 4, NULL), COP_OK);
    assert_int_equal(cop_text_read_file(&text, at->file, 3, NULL), COP_OK);
    assert_string_equal(text.data, "one two");
    /* On failure it stays as it was. */
    cop_error err = {0};
    assert_int_equal(cop_text_read_file(&text, at->file, 2, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, at->file));
    assert_non_null(strstr(err.message, "2 bytes"));
    assert_string_equal(text.data, "one two");
    assert_int_equal(text.length, 7);
    cop_text_free(&text);
}

static void test_read_optional(void **state)
{
    const folder *const at = *state;
    cop_text text = {0};
    cop_error err = {0};
    bool found = true;
    assert_int_equal(cop_text_append(&text, "before", 6, NULL), COP_OK);
    assert_int_equal(cop_text_read_optional(&text, at->path, "data.bin", 9, &found, &err),
                     COP_OK);
    assert_false(found);
    assert_int_equal(text.length, 0);
    assert_int_equal(cop_text_write_file(at->file, "there", 5, NULL), COP_OK);
    assert_int_equal(cop_text_read_optional(&text, at->path, "data.bin", 9, &found, &err),
                     COP_OK);
    assert_true(found);
    assert_string_equal(text.data, "there");
    assert_int_equal(cop_text_read_optional(&text, at->path, "data.bin", 4, &found, &err),
                     COP_ERR_FORMAT);
    /* It is there, only nobody gets at it: a link in a circle. */
    assert_int_equal(remove(at->file), 0);
    assert_int_equal(symlink("data.bin", at->file), 0);
    assert_int_equal(cop_text_read_optional(&text, at->path, "data.bin", 9, &found, &err),
                     COP_ERR_IO);
    assert_non_null(strstr(err.message, at->file));
    cop_text_free(&text);
}

static void test_read_refuses(void **state)
{
    const folder *const at = *state;
    cop_text text = {0};
    cop_error err = {0};
    assert_int_equal(cop_text_read_file(&text, at->file, 100, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, at->file));
    assert_int_equal(cop_text_read_file(&text, at->path, 100, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(cop_text_read_file(&text, "/dev/zero", 100, &err), COP_ERR_IO);
    /* A pipe that nobody writes to must not be waited for. */
    assert_int_equal(mkfifo(at->file, 0600), 0);
    assert_int_equal(cop_text_read_file(&text, at->file, 100, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(remove(at->file), 0);
    /* Part of the path is a file. */
    assert_int_equal(cop_text_write_file(at->file, "x", 1, NULL), COP_OK);
    char below[192];
    (void)snprintf(below, sizeof below, "%s/x", at->file);
    assert_int_equal(cop_text_read_file(&text, below, 100, &err), COP_ERR_FORMAT);
    assert_int_equal(cop_text_read_file(&text, at->file, 0, &err), COP_ERR_FORMAT);
    cop_text_free(&text);
}

static void test_write_failures_leave_no_trace(void **state)
{
    const folder *const at = *state;
    char path[192];
    cop_error err = {0};
    (void)snprintf(path, sizeof path, "%s/none/data.bin", at->path);
    assert_int_equal(cop_text_write_file(path, "x", 1, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(count_entries(at->path), 0);

    /* A folder in place of the file. */
    assert_int_equal(mkdir(at->file, 0700), 0);
    assert_int_equal(cop_text_write_file(at->file, "x", 1, &err), COP_ERR_IO);
    assert_int_equal(count_entries(at->path), 1);
    assert_int_equal(rmdir(at->file), 0);

    /* A full disk. */
    assert_int_equal(cop_text_write_file(at->file, "old", 3, NULL), COP_OK);
    (void)snprintf(path, sizeof path, "%s.tmp", at->file);
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_int_equal(cop_text_write_file(at->file, "new", 3, &err), COP_ERR_IO);
    assert_content(at->file, "old", 3);
    assert_int_equal(count_entries(at->path), 1);
}

static void test_write_without_a_folder(void **state)
{
    const folder *const at = *state;
    char *const here = getcwd(NULL, 0);
    assert_non_null(here);
    assert_int_equal(chdir(at->path), 0);
    const cop_status status = cop_text_write_file("data.bin", "here", 4, NULL);
    assert_int_equal(chdir(here), 0);
    free(here);
    assert_int_equal(status, COP_OK);
    assert_content(at->file, "here", 4);
}

static void test_join(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"},      {"/", "b", "/b"},
        {"", "b", "b"},    {NULL, "b", "b"},        {"a", "/b", "/b"},
        {"a", "", "a/"},   {"a", "../b", "a/../b"}, {"a//", "b", "a//b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *const path = cop_text_join_path(cases[i][0], cases[i][1], NULL);
        assert_string_equal(path, cases[i][2]);
        cop_memory_free(path);
    }
}

static void test_error_numbers(void **state)
{
    const folder *const at = *state;
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_int_equal(cop_file_write(full, "x", 1), ENOSPC);
    assert_int_equal(cop_file_write(full, NULL, 0), 0);
    assert_int_equal(close(full), 0);
    assert_int_equal(cop_file_write(-1, "x", 1), EBADF);
    assert_int_equal(cop_file_sync_directory(at->path), 0);
    assert_int_equal(cop_file_sync_directory(at->file), ENOENT);
    assert_int_equal(cop_text_write_file(at->file, "x", 1, NULL), COP_OK);
    assert_int_equal(cop_file_sync_directory(at->file), ENOTDIR);
    assert_int_equal(cop_file_sync_parent(at->file), 0);
    assert_int_equal(cop_file_sync_parent("no-such-file"), 0);
    assert_int_equal(cop_file_sync_parent("no-such-folder/file"), ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_appends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_optional, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_failures_leave_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_without_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_error_numbers, setup, teardown),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
