/* The end of children: nothing that they have started outlives them, or the program. */
#include "unit/child/child_support.h"

static long long other_of(cop_child *child)
{
    json_t *const answer = child_receive(child, child_send(child, 1), 1);
    const long long pid = json_integer_value(json_object_get(answer, "other"));
    json_decref(answer);
    assert_true(pid > 0);
    return pid;
}

/* Deaf to the end of input and to SIGTERM, and so is what it has started. */
static void test_stubborn(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "stubborn", .grace_s = 0.2});
    const long long other = other_of(child);
    assert_true(process_lives(other));
    const double start_s = cop_timer_now_s();
    cop_child_destroy(&child);
    assert_true(cop_timer_now_s() - start_s < 20);
    assert_true(process_goes(other));
    no_children_left();
}

/* It ends by itself and leaves something behind. */
static void test_leaver(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "leaver", .grace_s = 0.2});
    const long long other = other_of(child);
    cop_child_destroy(&child);
    assert_true(process_goes(other));
    no_children_left();
}

/* What waits for the end of its input gets it and time to act on it. */
static void test_end_of_input(void **state)
{
    (void)state;
    static const char script[] = "while read line; do :; done; sleep 0.2; kill -USR1 \"$0\"";
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    const char *const command[] = {"sh", "-c", script, pid};
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    cop_child *child = NULL;
    const cop_child_options options = {.name = "test",
                                       .command = command,
                                       .command_count = 4,
                                       .timeout_s = 60,
                                       .timeout_key = "task.timeout",
                                       .grace_s = 20};
    assert_int_equal(cop_child_create(&options, &child, NULL), COP_OK);
    cop_child_destroy(&child);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_true(sigismember(&pending, SIGUSR1));
    const struct timespec now = {0};
    assert_int_equal(sigtimedwait(&set, NULL, &now), SIGUSR1);
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

/* A rank that is killed takes its command with it, and what that has started. */
static void test_killed_rank(void **state)
{
    (void)state;
    int pipes[2];
    long long pids[2] = {0, 0};
    assert_int_equal(pipe(pipes), 0);
    const pid_t rank = fork();
    assert_true(rank >= 0);
    if (rank == 0) {
        cop_child *child = child_start((child_case){.kind = "stubborn"});
        json_t *const answer = child_receive(child, child_send(child, 1), 1);
        pids[0] = json_integer_value(json_object_get(answer, "pid"));
        pids[1] = json_integer_value(json_object_get(answer, "other"));
        if (write(pipes[1], pids, sizeof pids) != sizeof pids) _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(pipes[0], pids, sizeof pids), sizeof pids);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    assert_true(process_lives(pids[0]));
    assert_true(process_lives(pids[1]));
    assert_int_equal(kill(rank, SIGKILL), 0);
    assert_int_equal(waitpid(rank, NULL, 0), rank);
    assert_true(process_goes(pids[0]));
    assert_true(process_goes(pids[1]));
}

int main(int argc, char **argv)
{
    if (command_run(argc, argv)) return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stubborn),
        cmocka_unit_test(test_leaver),
        cmocka_unit_test(test_end_of_input),
        cmocka_unit_test(test_killed_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
