/* Claims on a run directory: who gets it, who is told to wait, who finds out that it is lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/rundir/claim.h"

#include "unit/folder_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Time as the observer sees it, made up; and an owner elsewhere that beats by it. */
typedef struct made_up {
    double now_s;
    double owner_beats_until_s, owner_beaten_s;
    cop_claim *owner;
    double stop_at_s, stopped_s; /* the observer itself stands still once */
    int waits;
    bool cancelled;
} made_up;

static double made_up_now(void *context)
{
    return ((made_up *)context)->now_s;
}

static void made_up_sleep(void *context, double seconds)
{
    made_up *const m = context;
    m->now_s += seconds;
    if (m->stopped_s > 0 && m->now_s >= m->stop_at_s) {
        m->now_s += m->stopped_s;
        m->stopped_s = 0;
    }
    if (m->owner != NULL && m->now_s < m->owner_beats_until_s &&
        m->now_s - m->owner_beaten_s >= 1) {
        m->owner_beaten_s = m->now_s;
        assert_int_equal(cop_claim_beat(m->owner, NULL), COP_OK);
    }
}

static void note_waiting(void *context, const char *text)
{
    assert_non_null(strstr(text, "sign of life"));
    ((made_up *)context)->waits++;
}

static bool is_cancelled(void *context)
{
    return ((made_up *)context)->cancelled;
}

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

/* This process, as it is. */
static cop_claim_options here(const char *folder)
{
    cop_claim_options options = {.directory = folder, .heartbeat_s = 1, .patience_s = 0};
    cop_claim_describe_self(&options.owner);
    return options;
}

/* A process on another machine, in made-up time. */
static cop_claim_options elsewhere(const char *folder, const char *name, made_up *m)
{
    cop_claim_options options = here(folder);
    (void)snprintf(options.owner.host, sizeof options.owner.host, "%s", name);
    (void)snprintf(options.owner.boot, sizeof options.owner.boot, "boot of %s", name);
    options.patience_s = 10;
    options.now_s = made_up_now;
    options.sleep = made_up_sleep;
    options.waiting = note_waiting;
    options.cancelled = is_cancelled;
    options.context = m;
    return options;
}

static cop_claim *take(const cop_claim_options *options)
{
    cop_claim *claim = NULL;
    cop_error err = {0};
    if (cop_claim_acquire(options, &claim, &err) != COP_OK) fail_msg("%s", err.message);
    assert_non_null(claim);
    assert_int_equal(cop_claim_check(claim, NULL), COP_OK);
    return claim;
}

static void assert_busy(const cop_claim_options *options, const char *words)
{
    cop_claim *claim = NULL;
    cop_error err = {0};
    assert_int_equal(cop_claim_acquire(options, &claim, &err), COP_ERR_BUSY);
    assert_null(claim);
    assert_non_null(strstr(err.message, "another coppice"));
    assert_non_null(strstr(err.message, words));
}

static void test_one_at_a_time(void **state)
{
    const cop_claim_options options = here(*state);
    cop_claim *claim = take(&options);
    assert_int_equal(cop_claim_number(claim), 1);
    assert_busy(&options, "--out");
    assert_int_equal(cop_claim_beat(claim, NULL), COP_OK);
    assert_busy(&options, options.owner.host);
    cop_claim_release(&claim);
    assert_null(claim);
    claim = take(&options);
    assert_int_equal(cop_claim_number(claim), 2);
    cop_claim_release(&claim);
    cop_claim_release(&claim);
}

static void test_record(void **state)
{
    (void)state;
    cop_claim_record record = {.token = "0123",
                               .since = "2026-01-01T00:00:00Z",
                               .heartbeat_s = 2.5,
                               .beat = 77,
                               .released = true};
    cop_claim_record back;
    char bytes[COP_CLAIM_BYTES];
    cop_claim_describe_self(&record.owner);
    assert_int_equal(record.owner.pid, getpid());
    assert_true(record.owner.boot[0] != '\0' && record.owner.pid_start[0] != '\0');
    (void)snprintf(record.owner.host, sizeof record.owner.host, "a \"b\" \\ \n c");
    assert_int_equal(cop_claim_print(&record, bytes, NULL), COP_OK);
    assert_true(cop_claim_parse(bytes, sizeof bytes, &back));
    assert_string_equal(back.owner.host, record.owner.host);
    assert_string_equal(back.token, record.token);
    assert_int_equal(back.owner.pid, record.owner.pid);
    assert_int_equal(back.beat, 77);
    assert_true(back.released && back.heartbeat_s == 2.5);
    /* cut anywhere, or with any byte changed, it reads as a record or as none, never worse */
    for (size_t i = 0; i < 400; i++) {
        char changed[COP_CLAIM_BYTES];
        memcpy(changed, bytes, sizeof changed);
        (void)cop_claim_parse(bytes, i, &back);
        changed[i] = (char)(changed[i] ^ (1 << i % 8));
        (void)cop_claim_parse(changed, sizeof changed, &back);
    }
    assert_false(cop_claim_parse(bytes, 50, &back));
    assert_false(cop_claim_parse("{}", 2, &back));
    assert_int_equal(back.owner.pid, 0);
}

/* An owner elsewhere that shows life is waited for, then it is busy; its clock does not matter.
 */
static void test_living_elsewhere(void **state)
{
    made_up m = {.now_s = 1000, .owner_beats_until_s = 1e9};
    const cop_claim_options owner = here(*state);
    cop_claim *claim = take(&owner);
    m.owner = claim;
    const cop_claim_options other = elsewhere(*state, "other", &m);
    assert_busy(&other, "since");
    assert_true(m.now_s >= 1010 && m.now_s < 1013);
    assert_int_equal(cop_claim_check(claim, NULL), COP_OK);
    m.cancelled = true;
    cop_claim *none = NULL;
    assert_int_equal(cop_claim_acquire(&other, &none, NULL), COP_INTERRUPTED);
    cop_claim_release(&claim);
}

/* One that is silent is taken over after twelve of its heartbeats, and finds out. */
static void test_silent_elsewhere(void **state)
{
    made_up m = {.now_s = 5};
    const cop_claim_options owner = here(*state);
    cop_claim *claim = take(&owner);
    const cop_claim_options other = elsewhere(*state, "other", &m);
    cop_claim *taken = take(&other);
    assert_true(m.now_s - 5 >= 12 && m.now_s - 5 < 20);
    assert_int_equal(m.waits, 1);
    assert_int_equal(cop_claim_number(taken), 2);
    cop_error err = {0};
    assert_false(cop_claim_is_lost(claim));
    assert_int_equal(cop_claim_check(claim, &err), COP_ERR_BUSY);
    assert_non_null(strstr(err.message, "host other"));
    assert_true(cop_claim_is_lost(claim));
    assert_int_equal(cop_claim_beat(claim, NULL), COP_ERR_BUSY);
    cop_claim_release(&claim); /* and leaves the other alone */
    assert_int_equal(cop_claim_check(taken, NULL), COP_OK);
    assert_int_equal(cop_claim_beat(taken, NULL), COP_OK);
    cop_claim_release(&taken);
}

/* One that falls silent while it is being waited for is watched to the end. */
static void test_falls_silent(void **state)
{
    made_up m = {.now_s = 0, .owner_beats_until_s = 6};
    const cop_claim_options owner = here(*state);
    cop_claim *claim = take(&owner);
    m.owner = claim;
    const cop_claim_options other = elsewhere(*state, "other", &m);
    cop_claim *taken = take(&other);
    assert_true(m.now_s >= 5 + 12);
    cop_claim_release(&taken);
    cop_claim_release(&claim);
}

/* The observer, not the owner, stood still for an hour: that proves nothing. */
static void test_stopped_observer(void **state)
{
    made_up m = {.now_s = 0, .owner_beats_until_s = 1e9, .stop_at_s = 2.5, .stopped_s = 3600};
    const cop_claim_options owner = here(*state);
    cop_claim *claim = take(&owner);
    cop_claim_options other = elsewhere(*state, "other", &m);
    other.patience_s = 3700;
    m.owner = NULL; /* no beat while it stands still */
    cop_claim *taken = take(&other);
    assert_true(m.now_s >=
                3600 + 11); /* one heartbeat counted for the hour, eleven more after */
    cop_claim_release(&taken);
    cop_claim_release(&claim);
}

static int wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A killed owner on this machine is taken over from at once, even before it is buried. */
static void test_killed_here(void **state)
{
    const char *const folder = *state;
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const cop_claim_options mine = here(folder);
        cop_claim *claim = NULL;
        if (cop_claim_acquire(&mine, &claim, NULL) != COP_OK) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(2);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    const cop_claim_options options = here(folder);
    assert_busy(&options, "pid");
    assert_int_equal(kill(child, SIGKILL), 0);
    cop_claim_options patient = options;
    patient.patience_s = 20;
    cop_claim *claim = take(&patient); /* a zombie is dead */
    cop_claim_release(&claim);
    assert_int_equal(wait_for(child), -1);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void test_judge(void **state)
{
    (void)state;
    cop_claim_owner mine;
    cop_claim_describe_self(&mine);
    cop_claim_record r = {.owner = mine};
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_ALIVE);
    /* another process of the same number */
    (void)snprintf(r.owner.pid_start, sizeof r.owner.pid_start, "1");
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_DEAD);
    r.owner = mine;
    r.owner.pid = INT32_MAX;
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_DEAD);
    /* the same kernel, another container: its pids mean nothing here */
    (void)snprintf(r.owner.pid_namespace, sizeof r.owner.pid_namespace, "pid:[1]");
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_UNKNOWN);
    /* the same name, another boot */
    r.owner = mine;
    (void)snprintf(r.owner.boot, sizeof r.owner.boot, "another");
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_UNKNOWN);
    /* Slurm's word counts for the start before, of the same job on the same cluster */
    (void)snprintf(mine.slurm_job, sizeof mine.slurm_job, "c/7");
    (void)snprintf(r.owner.slurm_job, sizeof r.owner.slurm_job, "c/7");
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_UNKNOWN);
    mine.slurm_restart = 1;
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_DEAD);
    (void)snprintf(r.owner.slurm_job, sizeof r.owner.slurm_job, "d/7");
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_UNKNOWN);
    r.owner.slurm_job[0] = '\0';
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_UNKNOWN);
    r.released = true;
    assert_int_equal(cop_claim_judge(&r, &mine), COP_CLAIM_RELEASED);
}

static void test_slurm_environment(void **state)
{
    (void)state;
    cop_claim_owner mine;
    assert_int_equal(setenv("SLURM_JOB_ID", "42", 1), 0);
    assert_int_equal(setenv("SLURM_CLUSTER_NAME", "big", 1), 0);
    assert_int_equal(setenv("SLURM_RESTART_COUNT", "3", 1), 0);
    cop_claim_describe_self(&mine);
    assert_string_equal(mine.slurm_job, "big/42");
    assert_int_equal(mine.slurm_restart, 3);
    assert_int_equal(unsetenv("SLURM_JOB_ID"), 0);
    assert_int_equal(unsetenv("SLURM_CLUSTER_NAME"), 0);
    assert_int_equal(unsetenv("SLURM_RESTART_COUNT"), 0);
    cop_claim_describe_self(&mine);
    assert_string_equal(mine.slurm_job, "");
}

/* A claim that somebody removes by hand is lost; a directory that is moved for a while is not.
 */
static void test_removed(void **state)
{
    char path[FOLDER_BYTES + 64];
    char away[FOLDER_BYTES + 64];
    char inner[FOLDER_BYTES + 32];
    (void)snprintf(inner, sizeof inner, "%s/run", (const char *)*state);
    assert_int_equal(mkdir(inner, 0700), 0);
    const cop_claim_options options = here(inner);
    cop_claim *claim = take(&options);
    (void)snprintf(away, sizeof away, "%s/away", (const char *)*state);
    assert_int_equal(rename(inner, away), 0);
    assert_int_equal(cop_claim_check(claim, NULL), COP_OK); /* it goes with it */
    assert_false(cop_claim_is_lost(claim));
    assert_int_equal(rename(away, inner), 0);
    assert_int_equal(cop_claim_check(claim, NULL), COP_OK);
    (void)snprintf(path, sizeof path, "%s/.claim.000001", inner);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(cop_claim_check(claim, NULL), COP_ERR_BUSY);
    cop_claim_release(&claim);
    /* one that is no file is never taken for a claim to wait for */
    assert_int_equal(mkfifo(path, 0600), 0);
    cop_error err = {0};
    assert_int_equal(cop_claim_acquire(&options, &claim, &err), COP_ERR_IO);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/no/such", inner);
    cop_claim_options nowhere = here(path);
    assert_int_equal(cop_claim_acquire(&nowhere, &claim, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, path));
}

/* Half a record, as a crash of the machine may leave it: nobody's heartbeat, so it is waited
 * for and taken. Left-overs of takers that died are removed. */
static void test_left_overs(void **state)
{
    char path[FOLDER_BYTES + 64];
    char dead[FOLDER_BYTES + 64];
    char bytes[COP_CLAIM_BYTES];
    made_up m = {0};
    const cop_claim_options other = elsewhere(*state, "other", &m);
    (void)snprintf(path, sizeof path, "%s/.claim.000007", (const char *)*state);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("{\"coppice_claim\":1,", file) >= 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(dead, sizeof dead, "%s/.claim.new-1234", (const char *)*state);
    cop_claim_record record = {.owner = other.owner, .heartbeat_s = 1};
    record.owner.pid = INT32_MAX;
    assert_int_equal(cop_claim_print(&record, bytes, NULL), COP_OK);
    file = fopen(dead, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
    cop_claim *claim = take(&other);
    assert_true(m.now_s >= 12);
    assert_int_equal(cop_claim_number(claim), 8);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(dead, F_OK), -1);
    cop_claim_release(&claim);
}

/* --- races --- */

enum { TAKERS = 10, TURNS = 12 };

/* Takes the directory again and again; alone in it, or it says so. Every third time it dies
 * without giving it back. Exit code 0: all went well and it is still there. */
static int compete(const char *folder, unsigned seed, bool without_links)
{
    char inside[FOLDER_BYTES + 32];
    (void)snprintf(inside, sizeof inside, "%s/inside", folder);
    cop_claim_options options = here(folder);
    options.patience_s = 120;
    options.without_links = without_links;
    for (int turn = 0; turn < TURNS; turn++) {
        cop_claim *claim = NULL;
        if (cop_claim_acquire(&options, &claim, NULL) != COP_OK) return 1;
        const int fd = open(inside, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (fd < 0) return 2;
        (void)usleep((useconds_t)(rand_r(&seed) % 3000));
        if (cop_claim_beat(claim, NULL) != COP_OK) return 3;
        if (close(fd) != 0 || unlink(inside) != 0) return 4;
        if (rand_r(&seed) % (3 * TURNS) == 0) (void)raise(SIGKILL);
        cop_claim_release(&claim);
    }
    return 0;
}

static void race(const char *folder, bool without_links)
{
    pid_t children[TAKERS];
    int finished = 0;
    for (int i = 0; i < TAKERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) _exit(compete(folder, (unsigned)i + 1, without_links));
    }
    for (int i = 0; i < TAKERS; i++) {
        const int code = wait_for(children[i]);
        if (code > 0) fail_msg("taker %d ended with %d", i, code);
        finished += code == 0;
    }
    assert_true(finished > 0 && finished < TAKERS); /* some were killed, the others went on */
    cop_claim_options options = here(folder);
    options.patience_s = 10;
    cop_claim *claim = take(&options);
    assert_true(cop_claim_number(claim) > TAKERS);
    cop_claim_release(&claim);
}

static void test_race(void **state)
{
    race(*state, false);
}

static void test_race_without_links(void **state)
{
    race(*state, true);
}

/* The claim goes with its directory, whatever takes the old name. */
static void test_moved(void **state)
{
    cop_error err = {0};
    cop_claim *claim = NULL;
    char first[512];
    char moved[512];
    char now[COP_CLAIM_PATH_BYTES];
    (void)snprintf(first, sizeof first, "%s/here", (const char *)*state);
    (void)snprintf(moved, sizeof moved, "%s/moved", (const char *)*state);
    assert_int_equal(mkdir(first, 0777), 0);
    const cop_claim_options options = here(first);
    claim = take(&options);
    cop_claim_locate(claim, now);
    assert_string_equal(now, first);
    assert_int_equal(rename(first, moved), 0);
    assert_int_equal(cop_claim_beat(claim, &err), COP_OK);
    cop_claim_locate(claim, now);
    assert_string_equal(now, moved);
    assert_int_equal(mkdir(first, 0777), 0); /* another directory of that name */
    assert_int_equal(cop_claim_check(claim, &err), COP_OK);
    cop_claim_locate(claim, now);
    assert_string_equal(now, moved);
    /* Who comes to it there finds the owner alive. */
    cop_claim *other = NULL;
    cop_claim_options second = options;
    second.directory = moved;
    assert_int_equal(cop_claim_acquire(&second, &other, &err), COP_ERR_BUSY);
    /* Whoever took it over is not disturbed. */
    char path[600];
    (void)snprintf(path, sizeof path, "%s/.claim.%06d", moved, 2);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(cop_claim_check(claim, &err), COP_ERR_BUSY);
    cop_claim_release(&claim);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_one_at_a_time),
        CASE(test_record),
        CASE(test_living_elsewhere),
        CASE(test_silent_elsewhere),
        CASE(test_falls_silent),
        CASE(test_stopped_observer),
        CASE(test_killed_here),
        CASE(test_judge),
        CASE(test_slurm_environment),
        CASE(test_removed),
        CASE(test_moved),
        CASE(test_left_overs),
        CASE(test_race),
        CASE(test_race_without_links),
    };
    return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
