/* Log lines in the file and on the terminal. */
#include "coppice/base/log.h"
#include "coppice/base/text.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/folder_support.h"

typedef struct fixture {
    char folder[FOLDER_BYTES];
    char terminal[FOLDER_BYTES + 16]; /* what goes to stderr */
    char file[FOLDER_BYTES + 16];
    int kept_stderr;
} fixture;

static int setup(void **state)
{
    fixture *const made = calloc(1, sizeof *made);
    if (made == NULL) return -1;
    if (folder_create(made->folder) != 0) return -1;
    (void)snprintf(made->terminal, sizeof made->terminal, "%s/stderr", made->folder);
    (void)snprintf(made->file, sizeof made->file, "%s/log", made->folder);
    *state = made;
    return 0;
}

static int teardown(void **state)
{
    fixture *const made = *state;
    const int result = folder_remove(made->folder);
    free(made);
    return result;
}

static void redirect(fixture *at)
{
    (void)fflush(stderr);
    at->kept_stderr = dup(STDERR_FILENO);
    assert_true(at->kept_stderr >= 0);
    FILE *const file = fopen(at->terminal, "w");
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void restore(const fixture *at)
{
    (void)fflush(stderr);
    assert_true(dup2(at->kept_stderr, STDERR_FILENO) >= 0);
    assert_int_equal(close(at->kept_stderr), 0);
}

static cop_text read_text(const char *path)
{
    cop_text text = {0};
    assert_int_equal(cop_text_read_file(&text, path, 1 << 20, NULL), COP_OK);
    return text;
}

static void test_levels(void **state)
{
    fixture *const at = *state;
    cop_log *log = NULL;
    assert_int_equal(cop_log_create(3, COP_LOG_WARN, &log, NULL), COP_OK);
    redirect(at);
    cop_log_write(log, COP_LOG_ERROR, "before the file");
    const cop_status opened = cop_log_open_file(log, at->file, NULL);
    cop_log_write(log, COP_LOG_DEBUG, "d%d", 1);
    cop_log_write(log, COP_LOG_INFO, "i%d", 2);
    cop_log_write(log, COP_LOG_WARN, "w\nx\x1b%d", 3);
    cop_log_write(log, COP_LOG_ERROR, "e%d", 4);
    cop_log_write(NULL, COP_LOG_ERROR, "silent");
    restore(at);
    assert_int_equal(opened, COP_OK);
    cop_log_destroy(&log);
    assert_null(log);
    cop_log_destroy(&log);
    cop_log_destroy(NULL);

    cop_text text = read_text(at->terminal);
    assert_string_equal(text.data, "coppice: error: before the file\n"
                                   "coppice: warning: w x 3\n"
                                   "coppice: error: e4\n");
    cop_text_free(&text);

    text = read_text(at->file);
    static const char *const ends[] = {" debug   rank 3  d1\n", " info    rank 3  i2\n",
                                       " warning rank 3  w x 3\n", " error   rank 3  e4\n"};
    const char *line = text.data;
    for (size_t i = 0; i < 4; i++) {
        int year = 0;
        char zone = 0;
        assert_int_equal(sscanf(line, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d%c", &year, &zone), 2);
        assert_true(year > 2000 && zone == 'Z');
        assert_memory_equal(line + 20, ends[i], strlen(ends[i]));
        line += 20 + strlen(ends[i]);
    }
    assert_string_equal(line, "");
    cop_text_free(&text);
}

static void test_a_file_is_appended_to(void **state)
{
    fixture *const at = *state;
    for (int i = 0; i < 2; i++) {
        cop_log *log = NULL;
        assert_int_equal(cop_log_create(i, COP_LOG_ERROR, &log, NULL), COP_OK);
        assert_int_equal(cop_log_open_file(log, at->file, NULL), COP_OK);
        cop_log_write(log, COP_LOG_INFO, "run %d", i);
        cop_log_destroy(&log);
    }
    cop_text text = read_text(at->file);
    assert_non_null(strstr(text.data, "rank 0  run 0\n"));
    assert_non_null(strstr(text.data, "rank 1  run 1\n"));
    cop_text_free(&text);
}

static void test_a_file_that_cannot_be_opened(void **state)
{
    fixture *const at = *state;
    cop_log *log = NULL;
    cop_error err = {0};
    assert_int_equal(cop_log_create(0, COP_LOG_ERROR, &log, NULL), COP_OK);
    assert_int_equal(cop_log_open_file(log, at->folder, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, at->folder));
    /* The file from before stays. */
    assert_int_equal(cop_log_open_file(log, at->file, NULL), COP_OK);
    char below[sizeof at->file + 8];
    (void)snprintf(below, sizeof below, "%s/log", at->file);
    assert_int_equal(cop_log_open_file(log, below, &err), COP_ERR_IO);
    cop_log_write(log, COP_LOG_INFO, "still here");
    cop_log_destroy(&log);
    cop_text text = read_text(at->file);
    assert_non_null(strstr(text.data, "still here\n"));
    cop_text_free(&text);
}

static void hook(void *context, bool before)
{
    cop_text *const calls = context;
    assert_int_equal(cop_text_append(calls, before ? "<" : ">", 1, NULL), COP_OK);
}

static void test_hook_and_long_messages(void **state)
{
    fixture *const at = *state;
    cop_log *log = NULL;
    cop_text calls = {0};
    char *const message = malloc(100001);
    assert_non_null(message);
    memset(message, 'x', 100000);
    message[100000] = '\0';
    assert_int_equal(cop_log_create(0, COP_LOG_WARN, &log, NULL), COP_OK);
    cop_log_set_terminal_hook(log, hook, &calls);
    redirect(at);
    cop_log_write(log, COP_LOG_INFO, "not on the terminal");
    cop_log_write(log, COP_LOG_WARN, "%s", message);
    restore(at);
    cop_log_destroy(&log);
    assert_string_equal(calls.data, "<>");
    cop_text_free(&calls);
    cop_text text = read_text(at->terminal);
    assert_true(text.length > 1000 && text.length < 4000);
    assert_int_equal(text.data[text.length - 1], '\n');
    cop_text_free(&text);
    free(message);
}

/* A disk that is full for a while: lines are lost, then it is said how many, and none is torn.
 */
static void test_full_disk(void **state)
{
    const fixture *const at = *state;
    cop_log *log = NULL;
    struct rlimit before;
    assert_int_equal(cop_log_create(0, COP_LOG_ERROR, &log, NULL), COP_OK);
    assert_int_equal(cop_log_open_file(log, at->file, NULL), COP_OK);
    cop_log_write(log, COP_LOG_INFO, "first");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {80, before.rlim_max}; /* within the second line */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cop_log_write(log, COP_LOG_INFO, "second, which is cut in the middle");
    cop_log_write(log, COP_LOG_INFO, "third");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(signal(SIGXFSZ, handler) != SIG_ERR);
    cop_log_write(log, COP_LOG_INFO, "fourth");
    cop_log_write(log, COP_LOG_INFO, "fifth");
    cop_log_destroy(&log);
    cop_text text = read_text(at->file);
    assert_non_null(strstr(text.data, "first\n"));
    assert_null(strstr(text.data, "third"));
    assert_non_null(strstr(text.data, "2 lines of this log are lost"));
    const char *const fourth = strstr(text.data, "fourth\n");
    assert_non_null(fourth);
    assert_non_null(strstr(fourth, "fifth\n"));
    size_t lines = 0;
    for (const char *c = text.data; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 5); /* first, the cut one, what is lost, fourth, fifth */
    cop_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_is_appended_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hook_and_long_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
