/* Children that do what they should not: a message that says what, and a fresh start for the
 * next request. */
#include "unit/child/child_support.h"

#include "unit/folder_support.h"

#define WORDS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

/* A child whose only request fails with these words, and the next one, too: it was started
 * again. */
static void fails_again(child_case c, const char *const *words)
{
    c.grace_s = 0.2;
    cop_child *child = child_start(c);
    for (int n = 0; n < 2; n++)
        child_fails(child, child_send(child, n), words);
    cop_child_destroy(&child);
    no_children_left();
}

static void test_crash(void **state)
{
    (void)state;
    fails_again((child_case){.kind = "crash"},
                WORDS("test: the command ended (exit code 3) with 1 answer due",
                      "\"no such thing: 7\xe2\x82\xac\"", "by hand"));
    fails_again((child_case){.kind = "signal"},
                WORDS("signal 9", "said nothing on standard error"));
    fails_again((child_case){.kind = "half"}, WORDS("exit code 0"));
}

static void test_some_answers_then_crash(void **state)
{
    (void)state;
    uint64_t ids[10];
    cop_child *child = child_start((child_case){.kind = "some", .number = "6"});
    for (int time = 0; time < 2; time++) { /* it is started again */
        for (int n = 0; n < 10; n++)
            ids[n] = child_send(child, n);
        for (int n = 0; n < 6; n++)
            child_expect(child, ids[n], n);
        for (int n = 6; n < 10; n++)
            child_fails(child, ids[n], WORDS("(exit code 0) with 4 answers due"));
    }
    cop_child_destroy(&child);
}

/* One that ends while nothing is asked of it has failed nobody. */
static void test_idle_end(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "echo", .number = "1"});
    for (int n = 0; n < 3; n++) {
        child_expect(child, child_send(child, n), n);
        cop_timer_sleep(0.2);
    }
    cop_child_destroy(&child);
    child = child_start((child_case){.kind = "exit", .number = "0"});
    cop_timer_sleep(0.1);
    child_fails(child, child_send(child, 1), WORDS("(exit code 0) with 1 answer due"));
    cop_child_destroy(&child);
    fails_again((child_case){.kind = "exit", .number = "7"}, WORDS("exit code 7"));
}

static void test_garbage(void **state)
{
    (void)state;
    const char *const remedy = "an answer is {\"id\": N, ...} on a line of its own";
    fails_again((child_case){.kind = "text"},
                WORDS("not JSON", ": \"hello there\", with 1", remedy));
    fails_again((child_case){.kind = "nan"}, WORDS("not JSON", "NaN", remedy));
    fails_again((child_case){.kind = "list"}, WORDS("object", "[1, 2]", remedy));
    fails_again((child_case){.kind = "both"}, WORDS("not JSON", "duplicate"));
    fails_again((child_case){.kind = "no-id"}, WORDS("\"id\"", "{\"n\": 1}"));
    fails_again((child_case){.kind = "text-id"}, WORDS("whole number as \"id\""));
    fails_again((child_case){.kind = "unknown"}, WORDS("unknown"));
    fails_again((child_case){.kind = "negative"}, WORDS("unknown"));
    fails_again((child_case){.kind = "huge", .line_bytes = 1000},
                WORDS("a line of more than 1000 bytes"));
}

static void test_answered_twice(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "twice", .grace_s = 0.2});
    const uint64_t first = child_send(child, 1);
    const uint64_t second = child_send(child, 2);
    child_expect(child, first, 1);
    child_fails(child, second, WORDS("answered id 1", "answered before"));
    cop_child_destroy(&child);
}

static cop_status wants_small(const json_t *answer, cop_error *err)
{
    const json_int_t n = json_integer_value(json_object_get(answer, "n"));
    COP_CHECK(n < 5, err, COP_ERR_FORMAT, "n is %d", (int)n);
    return COP_OK;
}

static void test_check(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "echo", .check = wants_small});
    child_expect(child, child_send(child, 4), 4);
    child_fails(child, child_send(child, 5),
                WORDS("cannot be used: n is 5: \"{\"id\":2,", "with 1 answer due"));
    child_expect(child, child_send(child, 3), 3);
    cop_child_destroy(&child);
}

static void test_silence(void **state)
{
    (void)state;
    const child_case silent = {.kind = "nothing", .timeout_s = 0.3};
    fails_again(silent, WORDS("silent for 0.3 s", "flush", "raise task.timeout"));
}

/* It takes no requests: the queue is full and stays so. */
static void test_takes_nothing(void **state)
{
    (void)state;
    cop_child *child = child_start(
        (child_case){.kind = "nothing", .timeout_s = 0.5, .queue_bytes = 1, .grace_s = 0.2});
    char text[200001];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    uint64_t ids[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cop_child_send(child, json_pack("{s:s}", "n", text), &ids[i], NULL),
                         COP_OK);
    }
    for (int i = 0; i < 3; i++)
        child_fails(child, ids[i], WORDS("silent"));
    cop_child_destroy(&child);
}

static void test_closes_streams(void **state)
{
    (void)state;
    fails_again((child_case){.kind = "mute"}, WORDS("closed its standard output"));
    cop_child *child = child_start((child_case){.kind = "deaf", .grace_s = 0.2});
    cop_timer_sleep(0.3); /* until it has: what it was sent before, it might have read */
    child_fails(child, child_send(child, 1), WORDS("closed its standard input"));
    cop_child_destroy(&child);
}

/* It ends, but something that it has started holds its pipes open. */
static void test_orphan_holds_pipes(void **state)
{
    (void)state;
    const double start_s = cop_timer_now_s();
    fails_again((child_case){.kind = "orphan"}, WORDS("ended (exit code 4)"));
    assert_true(cop_timer_now_s() - start_s < 30); /* not the timeout's 60 s */
}

/* --- commands that cannot be started --- */

static void refuses(const char *program, const char *word)
{
    cop_child *child = NULL;
    cop_error err = {0};
    const cop_child_options options = {.name = "test",
                                       .command = &program,
                                       .command_count = 1,
                                       .timeout_s = 1,
                                       .timeout_key = "task.timeout"};
    assert_int_equal(cop_child_create(&options, &child, &err), COP_ERR_CONFIG);
    assert_null(child);
    if (strstr(err.message, word) == NULL) fail_msg("\"%s\" is not in: %s", word, err.message);
    no_children_left();
}

static void test_cannot_start(void **state)
{
    (void)state;
    char folder[FOLDER_BYTES];
    char path[FOLDER_BYTES + 16];
    assert_int_equal(folder_create(folder), 0);
    (void)snprintf(path, sizeof path, "%s/script", folder);
    refuses("no-such-command-anywhere", "no such program in PATH");
    refuses("python3 reward.py", "[python3, reward.py]");
    refuses("", "empty");
    refuses(path, "No such file");
    refuses(folder, "not a file");
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("this is no program\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    refuses(path, "chmod +x");
    assert_int_equal(chmod(path, 0755), 0);
    refuses(path, "#!");
    assert_int_equal(folder_remove(folder), 0);
}

/* A command that was there at first and is not when it is to be started again. */
static void test_vanishes(void **state)
{
    (void)state;
    char folder[FOLDER_BYTES];
    char path[FOLDER_BYTES + 16];
    cop_child *child = NULL;
    assert_int_equal(folder_create(folder), 0);
    (void)snprintf(path, sizeof path, "%s/script", folder);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_true(
        fputs("#!/bin/sh\nread a\necho '{\"id\": 1, \"n\": 1}'\nread b\nexit 5\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
    const char *const command = path;
    const cop_child_options options = {.name = "test",
                                       .command = &command,
                                       .command_count = 1,
                                       .timeout_s = 60,
                                       .timeout_key = "task.timeout"};
    assert_int_equal(cop_child_create(&options, &child, NULL), COP_OK);
    child_expect(child, child_send(child, 1), 1);
    assert_int_equal(unlink(path), 0);
    child_fails(child, child_send(child, 2), WORDS("exit code 5"));
    json_t *answer = NULL;
    cop_error err = {0};
    assert_int_equal(cop_child_receive(child, child_send(child, 3), &answer, NULL, NULL, &err),
                     COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "No such file"));
    cop_child_destroy(&child);
    assert_int_equal(folder_remove(folder), 0);
}

int main(int argc, char **argv)
{
    if (command_run(argc, argv)) return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),          cmocka_unit_test(test_some_answers_then_crash),
        cmocka_unit_test(test_idle_end),       cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_answered_twice), cmocka_unit_test(test_check),
        cmocka_unit_test(test_silence),        cmocka_unit_test(test_takes_nothing),
        cmocka_unit_test(test_closes_streams), cmocka_unit_test(test_orphan_holds_pipes),
        cmocka_unit_test(test_cannot_start),   cmocka_unit_test(test_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
