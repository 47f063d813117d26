/* A page of a mapped file that cannot be read ends the program with the file's name. The first
 * test has the signal to itself: cmocka takes it back for each of the others. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "checkpoint/checkpoint_file.h"
#include "coppice/base/status.h"

#include "unit/folder_support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 1 << 16 };

static int setup(void **state)
{
    char *const folder = calloc(1, FOLDER_BYTES);
    *state = folder;
    return folder == NULL ? -1 : folder_create(folder);
}

static int teardown(void **state)
{
    const int result = folder_remove(*state);
    free(*state);
    return result;
}

static void make_file(char *path, size_t size, const char *folder)
{
    (void)snprintf(path, size, "%s/weights", folder);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < BYTES; i++)
        assert_int_equal(fputc('w', file), 'w');
    assert_int_equal(fclose(file), 0);
}

static void *read_last(void *data)
{
    const volatile char *const bytes = data;
    (void)bytes[BYTES - 1];
    return NULL;
}

/* What a child that reads the last byte says and how it ends. */
static int end_of_child(void *data, bool on_thread, char *said, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        pthread_t thread;
        if (on_thread) {
            (void)pthread_create(&thread, NULL, read_last, data);
            (void)pthread_join(thread, NULL);
        } else {
            (void)read_last(data);
        }
        _exit(0);
    }
    (void)close(ends[1]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    const ssize_t got = read(ends[0], said, size - 1);
    said[got > 0 ? got : 0] = '\0';
    (void)close(ends[0]);
    return status;
}

static void test_cut(void **state)
{
    char path[FOLDER_BYTES + 32];
    char said[1024];
    make_file(path, sizeof path, *state);
    cop_mapped_file file;
    cop_error err = {0};
    assert_int_equal(cop_mapped_file_open(path, &file, &err), COP_OK);
    for (int on_thread = 0; on_thread < 2; on_thread++) {
        const int status = end_of_child(file.data, on_thread == 1, said, sizeof said);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_int_equal(truncate(path, 100), 0);
    assert_true(cop_mapped_file_is_cut(&file));
    assert_int_equal(cop_mapped_file_check(&file, &err), COP_ERR_IO);
    for (int on_thread = 0; on_thread < 2; on_thread++) {
        const int status = end_of_child(file.data, on_thread == 1, said, sizeof said);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), cop_status_exit_code(COP_ERR_IO));
        assert_non_null(strstr(said, path));
        assert_non_null(strstr(said, "cut short"));
    }
    /* Another's mapping is no business of ours. */
    void *const other = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file.fd, 0);
    assert_true(other != MAP_FAILED);
    const int status = end_of_child(other, false, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
    assert_string_equal(said, "");
    assert_int_equal(munmap(other, BYTES), 0);
    cop_mapped_file_close(&file);
}

static void test_written_and_replaced(void **state)
{
    char path[FOLDER_BYTES + 32];
    char aside[FOLDER_BYTES + 40];
    cop_mapped_file file;
    cop_error err = {0};
    make_file(path, sizeof path, *state);
    assert_int_equal(cop_mapped_file_open(path, &file, NULL), COP_OK);
    assert_int_equal(cop_mapped_file_check(&file, NULL), COP_OK);
    (void)snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
    make_file(path, sizeof path, *state); /* another file of that name */
    assert_int_equal(cop_mapped_file_check(&file, NULL), COP_OK);
    (void)usleep(20000); /* the clock of files is a coarse one */
    FILE *const writer = fopen(aside, "r+");
    assert_non_null(writer);
    assert_int_equal(fputc('x', writer), 'x');
    assert_int_equal(fclose(writer), 0);
    assert_int_equal(cop_mapped_file_check(&file, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, "written to"));
    cop_mapped_file_close(&file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_cut), TEST(test_written_and_replaced)};
    return cmocka_run_group_tests_name("mapped fault", tests, NULL, NULL);
}
