/* The end of children: nothing that they have started outlives them, or the program. */
#include "unit/child/child_support.h"

#include <dirent.h>

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

static pid_t start_rank(const char *kind, long long pids[2])
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t rank = fork();
    assert_true(rank >= 0);
    if (rank == 0) {
        cop_child *child = child_start((child_case){.kind = kind});
        json_t *const answer = child_receive(child, child_send(child, 1), 1);
        pids[0] = json_integer_value(json_object_get(answer, "pid"));
        pids[1] = json_integer_value(json_object_get(answer, "other"));
        if (write(pipes[1], pids, 2 * sizeof *pids) != 2 * sizeof *pids) _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(pipes[0], pids, 2 * sizeof *pids), 2 * sizeof *pids);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    return rank;
}

/* A rank that is killed takes its command with it, and what that has started. */
static void kill_rank(const char *kind)
{
    long long pids[2] = {0, 0};
    const pid_t rank = start_rank(kind, pids);
    assert_true(process_lives(pids[0]));
    assert_true(process_lives(pids[1]));
    assert_int_equal(kill(rank, SIGKILL), 0);
    assert_int_equal(waitpid(rank, NULL, 0), rank);
    assert_true(process_goes(pids[0]));
    assert_true(process_goes(pids[1]));
}

static void test_killed_rank(void **state)
{
    (void)state;
    kill_rank("stubborn");
}

static void test_daemon_of_killed_rank(void **state)
{
    (void)state;
    kill_rank("daemon");
}

/* A session of its own and no parent: that does not keep anything alive. */
static void test_daemon(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "daemon"});
    const long long other = other_of(child);
    assert_true(process_lives(other));
    cop_child_destroy(&child);
    assert_false(process_lives(other)); /* the end is waited for */
    no_children_left();
}

/* The command ends by itself: so does the daemon, while the rank goes on. */
static void test_daemon_left(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "daemon-leaver"});
    assert_true(process_goes(other_of(child)));
    assert_true(process_goes(other_of(child))); /* of the next one */
    cop_child_destroy(&child);
    no_children_left();
}

/* A command that is silent for too long is ended with its daemon. */
static void test_daemon_of_silent(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "daemon", .timeout_s = 0.5});
    const long long other = other_of(child);
    child_fails(child, child_send(child, 2), (const char *const[]){"was silent for", NULL});
    assert_false(process_lives(other));
    cop_child_destroy(&child);
    no_children_left();
}

/* Without its reaper a command ends as well, and its rank notices. */
static void test_killed_reaper(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "echo"});
    json_t *answer = child_receive(child, child_send(child, 1), 1);
    const long long pid = json_integer_value(json_object_get(answer, "pid"));
    const long long reaper = json_integer_value(json_object_get(answer, "parent"));
    json_decref(answer);
    assert_int_equal(kill((pid_t)reaper, SIGKILL), 0);
    assert_true(process_goes(pid));
    child_expect(child, child_send(child, 2), 2); /* by a new one */
    cop_child_destroy(&child);
    no_children_left();
}

/* A reaper that was stopped ends what it should nevertheless; SIGTERM alone does not end it. */
static void test_stopped_reaper(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "daemon", .grace_s = 0.1});
    json_t *answer = child_receive(child, child_send(child, 1), 1);
    const long long other = json_integer_value(json_object_get(answer, "other"));
    const long long reaper = json_integer_value(json_object_get(answer, "parent"));
    json_decref(answer);
    assert_int_equal(kill((pid_t)reaper, SIGINT), 0);
    assert_int_equal(kill((pid_t)reaper, SIGHUP), 0);
    assert_int_equal(kill((pid_t)reaper, SIGSTOP), 0);
    cop_child_destroy(&child);
    assert_false(process_lives(other));
    no_children_left();
}

/* Each of them is there for a moment; what is looked for is their session. */
static bool session_lives(long long session)
{
    char path[320];
    bool found = false;
    DIR *const all = opendir("/proc");
    assert_non_null(all);
    for (const struct dirent *one = NULL; (one = readdir(all)) != NULL;) {
        long of = 0;
        (void)snprintf(path, sizeof path, "/proc/%s/stat", one->d_name);
        FILE *const file = fopen(path, "r");
        if (file == NULL) continue;
        if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %ld", &of) == 1 && of == session)
            found = true;
        (void)fclose(file);
    }
    (void)closedir(all);
    return found;
}

/* One that is always somewhere else is caught, too. */
static void test_fleeing(void **state)
{
    (void)state;
    cop_child *child = child_start((child_case){.kind = "fleeing"});
    const long long session = other_of(child);
    for (int i = 0; i < 500 && !session_lives(session); i++)
        cop_timer_sleep(0.01);
    assert_true(session_lives(session));
    cop_child_destroy(&child);
    for (int i = 0; i < 20; i++) {
        assert_false(session_lives(session));
        cop_timer_sleep(0.005);
    }
    no_children_left();
}

int main(int argc, char **argv)
{
    if (command_run(argc, argv)) return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stubborn),         cmocka_unit_test(test_leaver),
        cmocka_unit_test(test_end_of_input),     cmocka_unit_test(test_killed_rank),
        cmocka_unit_test(test_daemon),           cmocka_unit_test(test_daemon_left),
        cmocka_unit_test(test_daemon_of_silent), cmocka_unit_test(test_daemon_of_killed_rank),
        cmocka_unit_test(test_killed_reaper),    cmocka_unit_test(test_stopped_reaper),
        cmocka_unit_test(test_fleeing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
