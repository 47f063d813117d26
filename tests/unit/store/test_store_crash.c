/* Killed at any instant, a run finds a complete generation, no older than the last one whose
 * writing was done. */
#include "unit/store/store_support.h"

#include "coppice/base/timer.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum { ROWS = 3000 }; /* about 200 KB */

/* The generation that a resumed run would go on from; 0: there is none. */
static int64_t resume(const char *path)
{
    cop_store *store = NULL;
    cop_error err = {0};
    cop_error why = {0};
    bool previous = false;
    const cop_status status = cop_store_read_latest(path, &store, &previous, &why, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    /* There is no moment without a file of the first name once there was one. */
    assert_false(previous);
    if (store == NULL) return 0;
    int64_t number = 0;
    assert_true(cop_store_get_i64(store, "/job/generation", &number));
    cop_store *expected = make_tree(number, ROWS);
    assert_true(same_tree(store, expected));
    cop_store_destroy(&expected);
    cop_store_destroy(&store);
    return number;
}

/* The generation before `number` is complete too, where there is one. */
static void check_previous(const char *path, int64_t number)
{
    char previous[600];
    (void)snprintf(previous, sizeof previous, "%s.prev", path);
    if (!file_exists(previous)) {
        assert_true(number <= 2);
        return;
    }
    const int64_t before = read_generation(previous, ROWS);
    assert_true(before >= 1 && before < number);
}

/* Writes generations from `first` on and tells each through the pipe once it is written. */
static void write_on(const char *path, int64_t first, int out)
{
    for (int64_t number = first;; number++) {
        cop_store *store = make_tree(number, ROWS);
        if (cop_store_write(store, path, NULL) != COP_OK) _exit(1);
        cop_store_destroy(&store);
        if (write(out, &number, sizeof number) != (ssize_t)sizeof number) _exit(2);
    }
}

static void test_kill_at_random(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    const char *const path = in_folder("kill.h5");
    uint64_t random = 17;
    int64_t reached = 0;   /* the last generation that was told */
    uint64_t most_ms = 60; /* of a child's life; more where the disk is slow */
    for (int round = 0; round < ROUNDS; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        const int64_t first = resume(path) + 1;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(pipes[0]);
            write_on(path, first, pipes[1]);
        }
        (void)close(pipes[1]);
        cop_timer_sleep((double)(draw(&random) % most_ms) / 1000);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        int64_t told = 0;
        while (read(pipes[0], &told, sizeof told) == (ssize_t)sizeof told)
            reached = told;
        (void)close(pipes[0]);
        const int64_t found = resume(path);
        assert_true(found == reached || found == reached + 1);
        check_previous(path, found);
        if (found < first) most_ms = most_ms < 4000 ? most_ms * 5 / 4 : 4000;
        reached = found;
    }
    print_message("%d kills, %lld generations\n", ROUNDS, (long long)reached);
    assert_true(reached > 0);
}

/* Runs a child that writes generation `number`, and kills it at its system call `calls`; false
 * if it was done before. */
static bool write_until_call(const char *path, int64_t number, int calls)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cop_store *const store = make_tree(number, ROWS);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0) _exit(3);
        _exit(cop_store_write(store, path, NULL) == COP_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    for (int i = 0; i < calls && WIFSTOPPED(status); i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return true;
}

static bool can_trace(void)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Before and after every single system call of a write. */
static void test_kill_at_every_call(void **state)
{
    (void)state;
    if (!can_trace()) {
        print_message("skip: this system does not allow a process to be traced\n");
        skip();
    }
    const char *const path = in_folder("call.h5");
    write_generation(path, 1, ROWS);
    write_generation(path, 2, ROWS);
    int64_t present = 2;
    int stops = 0;
    int survived = 0; /* kills after which the new generation was there */
    for (; write_until_call(path, present + 1, stops); stops++) {
        assert_true(stops < 5000);
        const int64_t found = resume(path);
        assert_true(found == present || found == present + 1);
        check_previous(path, found);
        survived += found == present + 1;
        present = found;
    }
    assert_int_equal(resume(path), present + 1);
    print_message("killed at %d places of a write; after %d of them the new file was there\n",
                  stops, survived);
    assert_true(stops > 20 && survived > 0);
}

/* Reads all the time while another process replaces the file. */
static void test_read_while_renamed(void **state)
{
    (void)state;
    const char *const path = in_folder("busy.h5");
    int pipes[2];
    write_generation(path, 1, ROWS);
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) write_on(path, 2, pipes[1]);
    int64_t last = 1;
    int readings = 0;
    for (const double start = cop_timer_now_s();
         readings < 200 || (last == 1 && cop_timer_now_s() - start < 60); readings++) {
        const int64_t number = read_generation(path, ROWS);
        assert_true(number >= last);
        last = number;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    print_message("%d readings up to generation %lld\n", readings, (long long)last);
    assert_true(last > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_at_random),
        cmocka_unit_test(test_kill_at_every_call),
        cmocka_unit_test(test_read_while_renamed),
    };
    return cmocka_run_group_tests_name("store_crash", tests, make_folder, remove_folder);
}
