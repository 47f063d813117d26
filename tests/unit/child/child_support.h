/* For tests of children: this very program as a command of many kinds, started as "PROGRAM KIND
 * [NUMBER]", and short ways to talk to it. */
#ifndef TESTS_UNIT_CHILD_SUPPORT_H
#define TESTS_UNIT_CHILD_SUPPORT_H

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/child/child.h"

/* --- the command's side --- */

static inline void command_answer(const char *line, const char *field, long long value)
{
    json_t *const request = json_loads(line, 0, NULL);
    json_t *const answer = json_object();
    (void)json_object_set(answer, "id", json_object_get(request, "id"));
    (void)json_object_set(answer, "n", json_object_get(request, "n"));
    (void)json_object_set_new(answer, "pid", json_integer(getpid()));
    (void)json_object_set_new(answer, "parent", json_integer(getppid()));
    if (field != NULL) (void)json_object_set_new(answer, field, json_integer(value));
    (void)json_dumpf(answer, stdout, JSON_COMPACT);
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(answer);
    json_decref(request);
}

/* Answers requests as they come; after `most` of them (negative: never) it stops doing so. */
static inline void command_echo(long most)
{
    char *line = NULL;
    size_t size = 0;
    while (most != 0 && getline(&line, &size, stdin) > 0) {
        command_answer(line, NULL, 0);
        if (most > 0) most--;
    }
    free(line);
}

/* Reads ten requests before it answers the first `count` of them, and no more. */
static inline void command_some(long count)
{
    char lines[10][256] = {""};
    for (size_t i = 0; i < 10; i++) {
        if (fgets(lines[i], sizeof lines[i], stdin) == NULL) return;
    }
    for (long i = 0; i < count && i < 10; i++)
        command_answer(lines[i], NULL, 0);
}

/* Reads `count` requests before it answers the last of them first. */
static inline void command_reverse(size_t count)
{
    char **const lines = calloc(count + 1, sizeof *lines);
    size_t size = 0;
    size_t have = 0;
    while (lines != NULL && have < count && getline(&lines[have], &size, stdin) > 0) {
        have++;
        size = 0;
    }
    while (have > 0)
        command_answer(lines[--have], NULL, 0);
}

/* Something that the command has started and that holds its pipes. */
static inline long long command_start_other(bool stubborn)
{
    const pid_t pid = fork();
    if (pid != 0) return pid;
    if (stubborn) (void)signal(SIGTERM, SIG_IGN);
    for (;;)
        (void)pause();
}

/* The same in a session of its own whose parent is gone, as a daemon is. */
static inline long long command_start_daemon(void)
{
    long long pid = 0;
    int ends[2];
    if (pipe(ends) != 0) return 0;
    if (fork() == 0) {
        (void)setsid();
        pid = command_start_other(true);
        (void)setpgid((pid_t)pid, 0);
        _exit(write(ends[1], &pid, sizeof pid) != sizeof pid);
    }
    (void)wait(NULL);
    return read(ends[0], &pid, sizeof pid) == sizeof pid ? pid : 0;
}

/* Processes without end, each the parent of the next and gone a moment later. */
static inline long long command_start_fleeing(void)
{
    const pid_t first = fork();
    if (first != 0) return first;
    (void)setsid();
    for (;;) {
        const pid_t next = fork();
        if (next != 0) _exit(0);
        cop_timer_sleep(0.001);
    }
}

static inline void command_slowly(void)
{
    char piece[4096];
    char *all = NULL;
    size_t length = 0;
    for (ssize_t got = 0; (got = read(STDIN_FILENO, piece, sizeof piece)) > 0;) {
        cop_timer_sleep(0.001);
        char *const more = realloc(all, length + (size_t)got + 1);
        if (more == NULL) break;
        all = more;
        memcpy(all + length, piece, (size_t)got);
        length += (size_t)got;
        all[length] = '\0';
        char *start = all;
        for (char *end = NULL; (end = strchr(start, '\n')) != NULL; start = end + 1) {
            *end = '\0';
            command_answer(start, NULL, 0);
        }
        length -= (size_t)(start - all);
        memmove(all, start, length + 1);
    }
    free(all);
}

/* One descriptor more or less than the standard streams shows. */
static inline long long command_count_descriptors(void)
{
    long long open = 0;
    for (int fd = 0; fd < 4096; fd++)
        open += fcntl(fd, F_GETFD) >= 0;
    return open;
}

static inline void command_bytewise(const char *text)
{
    for (; *text != '\0'; text++) {
        (void)putchar(*text);
        (void)fflush(stdout);
        if (*text == '"' || *text == '\n') cop_timer_sleep(0.002);
    }
}

/* Kinds that go wrong after they have read a request. */
static inline void command_misbehave(const char *kind, const char *line, int id)
{
    if (strcmp(kind, "text") == 0) (void)puts("hello\tthere");
    if (strcmp(kind, "list") == 0) (void)puts("[1, 2]");
    if (strcmp(kind, "nan") == 0) (void)printf("{\"id\": %d, \"n\": NaN}\n", id);
    if (strcmp(kind, "no-id") == 0) (void)puts("{\"n\": 1}");
    if (strcmp(kind, "text-id") == 0) (void)printf("{\"id\": \"%d\"}\n", id);
    if (strcmp(kind, "unknown") == 0) (void)printf("{\"id\": %d}\n", id + 1000);
    if (strcmp(kind, "negative") == 0) (void)printf("{\"id\": -%d}\n", id);
    if (strcmp(kind, "both") == 0) (void)printf("{\"id\": %d, \"id\": %d}\n", id, id);
    if (strcmp(kind, "twice") == 0) { /* again once there is another request */
        char next[4096];
        command_answer(line, NULL, 0);
        if (fgets(next, sizeof next, stdin) != NULL) command_answer(line, NULL, 0);
    }
    if (strcmp(kind, "huge") == 0) {
        for (int i = 0; i < 3000; i++)
            (void)fputs("0123456789 0123456789 0123456789 0123456789 ", stdout);
    }
    if (strcmp(kind, "crash") == 0) {
        (void)fprintf(stderr, "a first line\nno such thing: 7\xe2\x82\xac\n\n");
        exit(3);
    }
    if (strcmp(kind, "signal") == 0) (void)raise(SIGKILL);
    if (strcmp(kind, "half") == 0) {
        (void)printf("{\"id\": %d", id);
        exit(0);
    }
    if (strcmp(kind, "orphan") == 0) {
        (void)command_start_other(false);
        exit(4);
    }
    if (strcmp(kind, "mute") == 0) {
        (void)close(STDOUT_FILENO);
        (void)pause();
    }
    (void)fflush(stdout);
    (void)pause();
}

/* Runs as a command if there are arguments. \return whether it did. */
static inline bool command_run(int argc, char **argv)
{
    if (argc < 2) return false;
    const char *const kind = argv[1];
    const long number = argc > 2 ? strtol(argv[2], NULL, 10) : -1;
    char line[4096] = "";
    if (strcmp(kind, "echo") == 0) {
        command_echo(number);
    } else if (strcmp(kind, "some") == 0) {
        command_some(number);
    } else if (strcmp(kind, "reverse") == 0) {
        command_reverse((size_t)number);
        command_echo(-1);
    } else if (strcmp(kind, "slow") == 0) {
        command_slowly();
    } else if (strcmp(kind, "exit") == 0) {
        exit((int)number);
    } else if (strcmp(kind, "deaf") == 0) {
        (void)close(STDIN_FILENO);
        (void)pause();
    } else if (strcmp(kind, "stubborn") == 0) {
        (void)signal(SIGTERM, SIG_IGN);
        if (fgets(line, sizeof line, stdin) != NULL)
            command_answer(line, "other", command_start_other(true));
        for (;;)
            (void)pause();
    } else if (strcmp(kind, "leaver") == 0) {
        if (fgets(line, sizeof line, stdin) != NULL)
            command_answer(line, "other", command_start_other(true));
    } else if (strcmp(kind, "daemon") == 0) { /* answers once, then is silent */
        if (fgets(line, sizeof line, stdin) != NULL)
            command_answer(line, "other", command_start_daemon());
        while (fgets(line, sizeof line, stdin) != NULL) {
        }
    } else if (strcmp(kind, "daemon-leaver") == 0) {
        if (fgets(line, sizeof line, stdin) != NULL)
            command_answer(line, "other", command_start_daemon());
        exit(5);
    } else if (strcmp(kind, "fleeing") == 0) {
        if (fgets(line, sizeof line, stdin) != NULL)
            command_answer(line, "other", command_start_fleeing());
        while (fgets(line, sizeof line, stdin) != NULL) {
        }
    } else if (strcmp(kind, "descriptors") == 0) {
        const long long open = command_count_descriptors();
        while (fgets(line, sizeof line, stdin) != NULL)
            command_answer(line, "open", open);
    } else if (strcmp(kind, "bytewise") == 0) {
        int id = 0;
        while (fgets(line, sizeof line, stdin) != NULL &&
               sscanf(line, "{\"n\":%*d,\"id\":%d", &id) == 1) {
            char text[100];
            (void)snprintf(text, sizeof text, "\n {\"id\": %d,\"n\":1 }\r\n", id);
            command_bytewise(text);
        }
    } else {
        int id = 0;
        if (fgets(line, sizeof line, stdin) != NULL)
            (void)sscanf(line, "{\"n\":%*d,\"id\":%d", &id);
        command_misbehave(kind, line, id);
    }
    return true;
}

/* --- the test's side --- */

typedef struct child_case {
    const char *kind, *number;
    double timeout_s, grace_s;
    size_t line_bytes, queue_bytes;
    cop_status (*check)(const json_t *answer, cop_error *err);
} child_case;

static inline cop_child *child_start(child_case c)
{
    cop_child *child = NULL;
    cop_error err = {0};
    char self[4096] = ""; /* in the new process /proc/self/exe is another */
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    const char *const command[] = {self, c.kind, c.number};
    const cop_child_options options = {.name = "test",
                                       .command = command,
                                       .command_count = c.number == NULL ? 2 : 3,
                                       .timeout_s = c.timeout_s > 0 ? c.timeout_s : 60,
                                       .timeout_key = "task.timeout",
                                       .grace_s = c.grace_s > 0 ? c.grace_s : 1,
                                       .line_bytes = c.line_bytes,
                                       .queue_bytes = c.queue_bytes,
                                       .check = c.check};
    if (cop_child_create(&options, &child, &err) != COP_OK) fail_msg("%s", err.message);
    assert_non_null(child);
    return child;
}

static inline uint64_t child_send(cop_child *child, int n)
{
    uint64_t id = 0;
    cop_error err = {0};
    json_t *const request = json_pack("{s:i}", "n", n);
    if (cop_child_send(child, request, &id, &err) != COP_OK) fail_msg("%s", err.message);
    return id;
}

/* Receives an answer that must repeat "n". */
static inline json_t *child_receive(cop_child *child, uint64_t id, int n)
{
    json_t *answer = NULL;
    cop_error err = {0};
    if (cop_child_receive(child, id, &answer, NULL, NULL, &err) != COP_OK)
        fail_msg("request %d: %s", n, err.message);
    assert_int_equal(json_integer_value(json_object_get(answer, "id")), id);
    assert_int_equal(json_integer_value(json_object_get(answer, "n")), n);
    return answer;
}

static inline void child_expect(cop_child *child, uint64_t id, int n)
{
    json_decref(child_receive(child, id, n));
}

/* The answer must fail, with all of the words [NULL-terminated] in the message. */
static inline void child_fails(cop_child *child, uint64_t id, const char *const *words)
{
    json_t *answer = NULL;
    cop_error err = {0};
    assert_int_equal(cop_child_receive(child, id, &answer, NULL, NULL, &err), COP_ERR_UNIT);
    assert_null(answer);
    for (; *words != NULL; words++) {
        if (strstr(err.message, *words) == NULL)
            fail_msg("\"%s\" is not in: %s", *words, err.message);
    }
}

/* Whether a process is there and no zombie. */
static inline bool process_lives(long long pid)
{
    char path[64];
    char state = 'X';
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    FILE *const file = fopen(path, "r");
    if (file == NULL) return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
    (void)fclose(file);
    return state != 'Z' && state != 'X';
}

/* It may take a moment to be gone. */
static inline bool process_goes(long long pid)
{
    for (int i = 0; i < 500 && process_lives(pid); i++)
        cop_timer_sleep(0.01);
    return !process_lives(pid);
}

/* This process must have no child left, not even a zombie. */
static inline void no_children_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

#endif
