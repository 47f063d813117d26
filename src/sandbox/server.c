/* One thread that sleeps in poll(): for input, for room to write, for children, for deadlines.
 */
#include "sandbox/server.h"

#include "sandbox/trial.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST_WAITING = 1024, /* requests; more are not read yet */
    READ_BYTES = 65536,
    MILLISECONDS = 1000,
};
static const size_t longest_line = (size_t)64 << 20;

typedef struct server {
    const cop_server_options *options;
    const cop_zygote *zygote;
    cop_trial *trials;    /* [options->jobs] */
    cop_request *waiting; /* [waiting_count], oldest first */
    size_t waiting_count, waiting_capacity;
    cop_text in, out; /* a line that is not complete; answers that are not written */
    bool ended;       /* no more input */
    int children;     /* signalfd for SIGCHLD */
} server;

static size_t count_running(const server *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->options->jobs; i++)
        count += s->trials[i].id != NULL;
    return count;
}

static cop_status take_line(server *s, const char *line, size_t length, cop_error *err)
{
    if (strspn(line, " \t\r") == length || length == 0) return COP_OK;
    COP_GROW(s->waiting, s->waiting_capacity, s->waiting_count + 1, err);
    cop_request *const request = &s->waiting[s->waiting_count];
    cop_error reason = {0};
    if (cop_request_parse(line, length, s->options->timeout_s, request, &reason) == COP_OK) {
        s->waiting_count++;
        return COP_OK;
    }
    const cop_status status = cop_request_refuse(&s->out, request->id, reason.message, err);
    cop_request_free(request);
    return status;
}

/* Takes the complete lines out of the input; at its end, what is left as well. */
static cop_status take_lines(server *s, cop_error *err)
{
    size_t start = 0;
    while (start < s->in.length) {
        char *const line = s->in.data + start;
        char *const end = memchr(line, '\n', s->in.length - start);
        if (end == NULL && !s->ended) break;
        const size_t length = end != NULL ? (size_t)(end - line) : s->in.length - start;
        line[length] = '\0';
        COP_TRY(take_line(s, line, length, err));
        start += length + (end != NULL);
    }
    if (start == 0) return COP_OK;
    memmove(s->in.data, s->in.data + start, s->in.length - start);
    s->in.length -= start;
    return COP_OK;
}

static cop_status read_input(server *s, cop_error *err)
{
    char bytes[READ_BYTES];
    const ssize_t got = read(s->options->in, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return COP_OK;
    COP_CHECK(got >= 0, err, COP_ERR_IO, "standard input: %s", strerror(errno));
    s->ended = got == 0;
    COP_CHECK(s->in.length + (size_t)got <= longest_line, err, COP_ERR_FORMAT,
              "standard input: a line is longer than %zu bytes", longest_line);
    COP_TRY(cop_text_append(&s->in, bytes, (size_t)got, err));
    /* A long line comes in many parts: only new bytes can end it. */
    if (got > 0 && memchr(bytes, '\n', (size_t)got) == NULL) return COP_OK;
    return take_lines(s, err);
}

/* No more than fits a pipe that has any room, so that writing never blocks. */
static cop_status write_output(server *s, cop_error *err)
{
    const size_t most = s->out.length < PIPE_BUF ? s->out.length : PIPE_BUF;
    const ssize_t put = write(s->options->out, s->out.data, most);
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) return COP_OK;
    COP_CHECK(put >= 0, err, COP_ERR_IO, "standard output: %s", strerror(errno));
    memmove(s->out.data, s->out.data + put, s->out.length - (size_t)put);
    s->out.length -= (size_t)put;
    return COP_OK;
}

static cop_status start_one(server *s, cop_trial *place, cop_error *err)
{
    cop_request request = s->waiting[0];
    s->waiting_count--;
    memmove(s->waiting, s->waiting + 1, s->waiting_count * sizeof *s->waiting);
    cop_error reason = {0};
    cop_status status = cop_trial_start(place, s->zygote, s->options->proc, &request, &reason);
    if (status == COP_ERR_INTERNAL)
        status = cop_error_set(err, status, "%s", reason.message);
    else if (status != COP_OK)
        status = cop_request_fail(&s->out, request.id, reason.message, err);
    cop_request_free(&request);
    return status;
}

static cop_status start_waiting(server *s, cop_error *err)
{
    for (size_t i = 0; i < s->options->jobs && s->waiting_count > 0; i++)
        if (s->trials[i].id == NULL) COP_TRY(start_one(s, &s->trials[i], err));
    return COP_OK;
}

static cop_status reap_children(server *s, cop_error *err)
{
    struct signalfd_siginfo news;
    while (read(s->children, &news, sizeof news) == (ssize_t)sizeof news) {
    }
    for (;;) {
        int how = 0;
        const pid_t pid = waitpid(-1, &how, WNOHANG);
        if (pid <= 0) return COP_OK;
        COP_CHECK(pid != s->zygote->pid, err, COP_ERR_INTERNAL,
                  "the process that holds Python has ended");
        for (size_t i = 0; i < s->options->jobs; i++)
            if (cop_trial_reap(&s->trials[i], pid, how)) break;
    }
}

static cop_status finish_trials(server *s, cop_error *err)
{
    const double now = cop_timer_now_s();
    for (size_t i = 0; i < s->options->jobs; i++) {
        cop_trial_check_deadline(&s->trials[i], s->options->proc, now);
        if (cop_trial_is_over(&s->trials[i]))
            COP_TRY(cop_trial_finish(&s->trials[i], &s->out, err));
    }
    return COP_OK;
}

/* Until the next deadline, -1 for none. */
static int poll_timeout_ms(const server *s)
{
    double next = INFINITY;
    for (size_t i = 0; i < s->options->jobs; i++)
        if (s->trials[i].id != NULL && !s->trials[i].late)
            next = fmin(next, s->trials[i].deadline);
    if (isinf(next)) return -1;
    return (int)fmax(0, ceil((next - cop_timer_now_s()) * MILLISECONDS));
}

static cop_status turn(server *s, cop_error *err)
{
    const bool reads = !s->ended && s->waiting_count < MOST_WAITING;
    struct pollfd events[] = {
        {.fd = s->children, .events = POLLIN},
        {.fd = reads ? s->options->in : -1, .events = POLLIN},
        {.fd = s->out.length > 0 ? s->options->out : -1, .events = POLLOUT},
    };
    const int ready = poll(events, sizeof events / sizeof *events, poll_timeout_ms(s));
    COP_CHECK(ready >= 0 || errno == EINTR, err, COP_ERR_IO, "poll: %s", strerror(errno));
    if (ready < 0) return COP_OK;
    if (events[0].revents != 0) COP_TRY(reap_children(s, err));
    COP_TRY(finish_trials(s, err));
    if (events[1].revents != 0) COP_TRY(read_input(s, err));
    COP_TRY(start_waiting(s, err));
    return events[2].revents != 0 && s->out.length > 0 ? write_output(s, err) : COP_OK;
}

static cop_status open_children(int *fd, cop_error *err)
{
    sigset_t child;
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    COP_CHECK(sigprocmask(SIG_BLOCK, &child, NULL) == 0, err, COP_ERR_INTERNAL,
              "sigprocmask: %s", strerror(errno));
    *fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    COP_CHECK(*fd >= 0, err, COP_ERR_IO, "signalfd: %s", strerror(errno));
    return COP_OK;
}

cop_status cop_server_run(const cop_server_options *options, const cop_zygote *zygote,
                          cop_error *err)
{
    server s = {.options = options, .zygote = zygote, .children = -1};
    cop_status status = COP_OK;
    s.trials = cop_memory_alloc(options->jobs, sizeof *s.trials, err);
    if (s.trials == NULL) return COP_ERR_MEMORY;
    COP_TRY_OUT(open_children(&s.children, err));
    while (!s.ended || s.waiting_count > 0 || count_running(&s) > 0 || s.out.length > 0)
        COP_TRY_OUT(turn(&s, err));
out:
    for (size_t i = 0; i < options->jobs; i++)
        cop_trial_abandon(&s.trials[i]);
    for (size_t i = 0; i < s.waiting_count; i++)
        cop_request_free(&s.waiting[i]);
    if (s.children >= 0) (void)close(s.children);
    cop_memory_free(s.waiting);
    cop_memory_free(s.trials);
    cop_text_free(&s.in);
    cop_text_free(&s.out);
    return status;
}
