#include "sandbox/trial.h"

#include "sandbox/waits.h"

#include "coppice/base/file.h"
#include "coppice/base/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { VERDICT_BYTES = 4096 };
static const double tick_s = 0.02;

/* The request as a file in memory, open at its beginning; -1 with errno. */
static int make_order(const cop_request *request)
{
    const int fd = memfd_create("request", MFD_CLOEXEC);
    if (fd < 0) return -1;
    int failed = cop_file_write(fd, request->text, request->length);
    if (failed == 0 && lseek(fd, 0, SEEK_SET) != 0) failed = errno;
    if (failed == 0) return fd;
    (void)close(fd);
    errno = failed;
    return -1;
}

static void close_all(const int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (descriptors[i] >= 0) (void)close(descriptors[i]);
}

static void kill_process(pid_t pid)
{
    if (pid > 0) (void)kill(pid, SIGKILL);
}

static void await(pid_t *pid)
{
    while (*pid > 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *pid = 0;
}

static cop_status start_both(cop_trial *trial, const cop_zygote *zygote,
                             const cop_request *request, cop_error *err)
{
    enum { GUEST_LINK, JUDGE_LINK, ORDER, WRITE_VERDICT, COUNT };
    int fds[COUNT] = {-1, -1, -1, -1};
    int verdict[2] = {-1, -1};
    cop_status status = COP_OK;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ||
        pipe2(verdict, O_CLOEXEC | O_NONBLOCK) != 0 || (fds[ORDER] = make_order(request)) < 0) {
        status =
            cop_error_set(err, COP_ERR_IO, "cannot pass a request on: %s", strerror(errno));
        goto out;
    }
    fds[WRITE_VERDICT] = verdict[1];
    /* The guest first, so that nothing of the judge's is open where it is forked. */
    COP_TRY_OUT(cop_zygote_spawn(zygote, COP_ROLE_GUEST, &fds[GUEST_LINK], request->timeout_s,
                                 &trial->guest, err));
    COP_TRY_OUT(cop_zygote_spawn(zygote, COP_ROLE_JUDGE, &fds[JUDGE_LINK], request->timeout_s,
                                 &trial->judge, err));
    trial->verdict = verdict[0];
    verdict[0] = -1;
out:
    close_all(fds, COUNT);
    if (verdict[0] >= 0) (void)close(verdict[0]);
    return status;
}

cop_status cop_trial_start(cop_trial *trial, const cop_zygote *zygote, int proc,
                           cop_request *request, cop_error *err)
{
    const double now = cop_timer_now_s();
    *trial = (cop_trial){.verdict = -1,
                         .started = now,
                         .timeout_s = request->timeout_s,
                         .deadline = now + request->timeout_s / 2};
    const cop_status status = start_both(trial, zygote, request, err);
    if (status != COP_OK) {
        cop_trial_abandon(trial);
        return status;
    }
    trial->seen_guest = cop_waits_find(proc, trial->guest);
    trial->seen_judge = cop_waits_find(proc, trial->judge);
    trial->id = request->id;
    request->id = NULL;
    return COP_OK;
}

bool cop_trial_reap(cop_trial *trial, pid_t pid, int how)
{
    if (pid == trial->guest) {
        trial->guest = 0;
        trial->guest_how = how;
        return true;
    }
    if (pid != trial->judge) return false;
    trial->judge = 0;
    trial->judge_how = how;
    trial->dismissed = trial->guest > 0;
    kill_process(trial->guest);
    return true;
}

/* Processor time of a child; 0 if it has ended. */
static double processor_time_s(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

/* Seconds that a trial has had: all since its start but what it waited for a processor. Where
 * that cannot be told, its processor time. */
static double time_had_s(const cop_trial *trial, int proc, double now, bool *blind)
{
    const double used = processor_time_s(trial->guest) + processor_time_s(trial->judge);
    double waited = 0;
    bool runs = false;
    *blind = (trial->guest > 0 && !cop_waits_add(proc, trial->seen_guest, &waited, &runs)) ||
             !cop_waits_add(proc, trial->seen_judge, &waited, &runs);
    /* A wait that goes on is not in the sum yet. */
    return *blind || runs ? used : fmax(used, now - trial->started - waited);
}

void cop_trial_check_deadline(cop_trial *trial, int proc, double now)
{
    if (trial->id == NULL || trial->late || trial->judge == 0 || now < trial->deadline) return;
    bool blind = false;
    const double left = trial->timeout_s - time_had_s(trial, proc, now, &blind);
    const int patience = blind ? COP_TRIAL_PATIENCE_BLIND : COP_TRIAL_PATIENCE;
    const double last = trial->started + patience * trial->timeout_s;
    if (left > 0 && now < last) {
        trial->deadline = fmin(now + fmax(left / 2, tick_s), last); /* two are at work */
        return;
    }
    trial->late = true;
    kill_process(trial->guest);
    kill_process(trial->judge);
}

bool cop_trial_is_over(const cop_trial *trial)
{
    return trial->id != NULL && trial->guest == 0 && trial->judge == 0;
}

/* Why a guest ended before its judge was done with it. */
static const char *why_gone(const cop_trial *trial)
{
    const int how = trial->guest_how;
    if (WIFSIGNALED(how)) {
        const int number = WTERMSIG(how);
        if (number == SIGSYS) return "forbidden";
        if (number == SIGXCPU) return "time";
        return number == SIGKILL && trial->dismissed ? "exit" : "killed";
    }
    return WEXITSTATUS(how) == COP_EXIT_MEMORY ? "memory" : "exit";
}

/* The judge's verdict, {"why"} or {"error"}; NULL if there is none. */
static json_t *read_verdict(const cop_trial *trial)
{
    char text[VERDICT_BYTES];
    if (!WIFEXITED(trial->judge_how) || WEXITSTATUS(trial->judge_how) != 0) return NULL;
    const ssize_t got = read(trial->verdict, text, sizeof text);
    return got > 0 ? json_loadb(text, (size_t)got, 0, NULL) : NULL;
}

static void clear(cop_trial *trial)
{
    if (trial->verdict >= 0) (void)close(trial->verdict);
    json_decref(trial->id);
    *trial = (cop_trial){.verdict = -1};
}

cop_status cop_trial_finish(cop_trial *trial, cop_text *out, cop_error *err)
{
    json_t *const verdict = trial->late ? NULL : read_verdict(trial);
    const char *const error = json_string_value(json_object_get(verdict, "error"));
    const char *why = json_string_value(json_object_get(verdict, "why"));
    if (trial->late)
        why = "time";
    else if (why == NULL)
        why = WIFSIGNALED(trial->judge_how) && WTERMSIG(trial->judge_how) == SIGXCPU ? "time"
                                                                                     : "killed";
    else if (strcmp(why, "gone") == 0)
        why = why_gone(trial);
    const cop_status status =
        error != NULL
            ? cop_request_refuse(out, trial->id, error, err)
            : cop_request_answer(out, trial->id, strcmp(why, "passed") == 0, why, err);
    json_decref(verdict);
    clear(trial);
    return status;
}

void cop_trial_abandon(cop_trial *trial)
{
    kill_process(trial->guest);
    kill_process(trial->judge);
    await(&trial->guest);
    await(&trial->judge);
    clear(trial);
}
