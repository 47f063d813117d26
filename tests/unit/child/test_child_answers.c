/* Children that do what they should: every answer reaches its request, whatever the order of
 * reading and writing on either side. */
#include "unit/child/child_support.h"

enum { MANY = 3000, LONG_BYTES = 1 << 20 };

static void test_in_order(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "echo"});
    for (int n = 0; n < 20; n++)
        child_expect(child, child_send(child, n), n);
    cop_child_destroy(&child);
    assert_null(child);
    cop_child_destroy(&child);
    no_children_left();
}

static void test_many_in_flight(void **state)
{
    (void)state;
    static uint64_t ids[MANY];
    cop_child *child = child_start((child_case){.kind = "echo"});
    for (int n = 0; n < MANY; n++)
        ids[n] = child_send(child, n);
    for (int n = 0; n < MANY; n++) /* collected in another order than answered */
        child_expect(child, ids[(n * 7) % MANY], (n * 7) % MANY);
    cop_child_destroy(&child);
}

static void test_reversed(void **state)
{
    (void)state;
    static uint64_t ids[MANY];
    cop_child *child = child_start((child_case){.kind = "reverse", .number = "3000"});
    for (int n = 0; n < MANY; n++)
        ids[n] = child_send(child, n);
    for (int n = 0; n < MANY; n++)
        child_expect(child, ids[n], n);
    child_expect(child, child_send(child, 1), 1);
    cop_child_destroy(&child);
}

static uint64_t send_long(cop_child *child, int n, size_t bytes)
{
    uint64_t id = 0;
    char *const text = malloc(bytes + 1);
    assert_non_null(text);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    json_t *const request = json_pack("{s:i, s:s}", "n", n, "text", text);
    assert_int_equal(cop_child_send(child, request, &id, NULL), COP_OK);
    free(text);
    return id;
}

/* It reads in small pieces, with pauses; the requests are far more than a pipe holds. */
static void test_slow_reader(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "slow"});
    const uint64_t one = send_long(child, 0, LONG_BYTES);
    uint64_t ids[64];
    for (int n = 0; n < 64; n++)
        ids[n] = send_long(child, n, LONG_BYTES / 64);
    child_expect(child, one, 0);
    for (int n = 0; n < 64; n++)
        child_expect(child, ids[n], n);
    cop_child_destroy(&child);
}

/* The queue is far smaller than what is sent: sending waits, nothing is lost. */
static void test_small_queue(void **state)
{
    (void)state;
    uint64_t ids[64];
    cop_child *child = child_start((child_case){.kind = "slow", .queue_bytes = 20000});
    for (int n = 0; n < 64; n++)
        ids[n] = send_long(child, n, (size_t)n * 1000);
    for (int n = 63; n >= 0; n--)
        child_expect(child, ids[n], n);
    cop_child_destroy(&child);
}

static void test_answers_in_pieces(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "bytewise"});
    uint64_t ids[10];
    for (int n = 0; n < 10; n++)
        ids[n] = child_send(child, 1);
    for (int n = 0; n < 10; n++)
        child_expect(child, ids[n], 1);
    cop_child_destroy(&child);
}

static void test_dropped(void **state)
{
    (void)state;
    uint64_t ids[100];
    cop_child *child = child_start((child_case){.kind = "reverse", .number = "100"});
    for (int n = 0; n < 100; n++) {
        ids[n] = child_send(child, n);
        if (n % 2 == 0) cop_child_drop(child, ids[n]);
    }
    for (int n = 1; n < 97; n += 2)
        child_expect(child, ids[n], n);
    const uint64_t answered = child_send(child, 5);
    child_expect(child, child_send(child, 6), 6);
    cop_child_drop(child, answered);
    cop_child_destroy(&child); /* with three that nobody has fetched */
}

static bool at_the_third(void *context)
{
    int *const looks = context;
    return ++*looks == 3;
}

static void test_cancelled(void **state)
{
    (void)state;
    int looks = 0;
    json_t *answer = NULL;
    cop_error err = {0};
    cop_child *child = child_start((child_case){.kind = "reverse", .number = "2"});
    const uint64_t id = child_send(child, 1);
    assert_int_equal(cop_child_receive(child, id, &answer, at_the_third, &looks, &err),
                     COP_INTERRUPTED);
    assert_null(answer);
    assert_int_equal(looks, 3);
    child_expect(child, child_send(child, 2), 2); /* the late answer disturbs nobody */
    child_expect(child, child_send(child, 3), 3);
    cop_child_destroy(&child);
}

static void test_descriptors(void **state)
{
    (void)state;
    const int mine = open("/dev/null", O_RDONLY); /* not closed on exec */
    assert_true(mine >= 0);
    cop_child *other = child_start((child_case){.kind = "echo"});
    cop_child *child = child_start((child_case){.kind = "descriptors"});
    json_t *const answer = child_receive(child, child_send(child, 1), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "open")), 3);
    json_decref(answer);
    cop_child_destroy(&child);
    cop_child_destroy(&other);
    (void)close(mine);
}

/* Where the program's own standard streams are closed, pipes must not take their place. */
static void test_closed_streams(void **state)
{
    (void)state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(STDIN_FILENO);
        (void)close(STDOUT_FILENO);
        cop_child *child = child_start((child_case){.kind = "echo"});
        for (int n = 0; n < 10; n++)
            child_expect(child, child_send(child, n), n);
        cop_child_destroy(&child);
        _exit(42);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

int main(int argc, char **argv)
{
    if (command_run(argc, argv)) return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),    cmocka_unit_test(test_many_in_flight),
        cmocka_unit_test(test_reversed),    cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_small_queue), cmocka_unit_test(test_answers_in_pieces),
        cmocka_unit_test(test_dropped),     cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_closed_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
