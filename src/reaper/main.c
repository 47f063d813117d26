/* coppice-reaper: runs a command and ends it with all that it has started.
 *
 *     coppice-reaper PARENT PROGRAM NAME [ARGUMENT...]
 *
 * A rank starts it (child/spawn.h) with the command's standard streams, with a pipe that the
 * rank alone holds open and one for what hinders a start. Whatever the command starts is in the
 * end a child of this process: who loses its parent is given to the nearest ancestor that asks
 * for it. So it needs no process group to find them, and neither a session nor a daemon gets
 * away. */
#include "coppice/reaper/reaper.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_NOT_STARTED = 127,
    PAUSE_NS = 10000000, /* between two rounds of killing, if nothing ends meanwhile */
    MOST_ROUNDS = 1000,  /* in which nothing ends: what is left is not this user's, or hangs */
};

/* A command and what has become of it. */
typedef struct command {
    pid_t pid;
    bool ended;
    int how; /* as waitpid() says it; only where ended */
} command;

/* --- its start --- */

static _Noreturn void refuse(int number)
{
    const ssize_t written = write(COP_REAPER_REPORT, &number, sizeof number);
    _exit(written == sizeof number ? EXIT_NOT_STARTED : EXIT_NOT_STARTED - 1);
}

/* All signals wait until they are looked at: no other than SIGKILL ends this process. */
static bool prepare(sigset_t *all)
{
    const struct sigaction initial = {.sa_handler = SIG_DFL};
    (void)sigfillset(all);
    return sigprocmask(SIG_SETMASK, all, NULL) == 0 &&
           sigaction(SIGCHLD, &initial, NULL) == 0 && /* ignored, nothing could be waited for */
           fcntl(COP_REAPER_CONTROL, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(COP_REAPER_REPORT, F_SETFD, FD_CLOEXEC) == 0 &&
           prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0;
}

/* In the new process. Without the reaper it has to end, too, if alone. */
static _Noreturn void become(pid_t reaper, char **words)
{
    sigset_t none;
    (void)sigemptyset(&none);
    const bool ready = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    if (getppid() != reaper) _exit(EXIT_NOT_STARTED);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (ready) (void)execv(words[0], words + 1);
    refuse(errno);
}

static pid_t start(char **words)
{
    const pid_t reaper = getpid();
    const pid_t pid = fork();
    if (pid == 0) become(reaper, words);
    if (pid < 0) refuse(-errno);
    (void)close(COP_REAPER_REPORT);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        (void)close(fd); /* the ends of these pipes are the command's alone */
    return pid;
}

/* --- its life --- */

/* Takes what has ended. \return -1 if there is no child left, or how many were taken. */
static int reap(command *c)
{
    int how = 0;
    int count = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        count++;
        if (pid != c->pid) continue;
        c->ended = true;
        c->how = how;
    }
    return pid < 0 && errno == ECHILD ? -1 : count;
}

/* Passes SIGTERM on. \return whether the parent is gone. */
static bool take_signals(int signals, const command *c)
{
    bool gone = false;
    struct signalfd_siginfo news;
    while (read(signals, &news, sizeof news) == (ssize_t)sizeof news) {
        if (news.ssi_signo == SIGTERM && !c->ended) (void)kill(-c->pid, SIGTERM);
        gone = gone || news.ssi_signo == SIGUSR1;
    }
    return gone;
}

/* Until the command ends or must. Nothing is ever written to the pipe: it tells by its end. */
static void watch(command *c, int signals)
{
    struct pollfd events[] = {{.fd = COP_REAPER_CONTROL, .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};
    while (reap(c) >= 0 && !c->ended) {
        if (poll(events, 2, -1) < 0) continue;
        if (take_signals(signals, c) || events[0].revents != 0) return;
    }
}

/* --- the end --- */

/* A child's number stays its own until it is waited for, which only this process does; that it
 * is a child is asked since /proc may be of another pid namespace. */
static void kill_child(pid_t pid)
{
    siginfo_t info;
    if (pid <= 1 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    (void)kill(pid, SIGKILL);
}

static void kill_children(void)
{
    FILE *const list = fopen("/proc/thread-self/children", "re");
    long pid = 0;
    if (list != NULL) {
        while (fscanf(list, "%ld", &pid) == 1)
            kill_child((pid_t)pid);
        (void)fclose(list);
        return;
    }
    DIR *const all = opendir("/proc"); /* kernels without that list */
    if (all == NULL) return;
    for (const struct dirent *one = NULL; (one = readdir(all)) != NULL;)
        if (isdigit((unsigned char)one->d_name[0]))
            kill_child((pid_t)strtol(one->d_name, NULL, 10));
    (void)closedir(all);
}

/* Kills generation after generation: the children of what ends become children of this. */
static void kill_all(command *c)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    sigset_t child;
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    if (!c->ended) (void)kill(-c->pid, SIGKILL);
    for (int idle = 0; idle < MOST_ROUNDS; idle++) {
        const int taken = reap(c);
        if (taken < 0) return;
        if (taken > 0) idle = 0;
        kill_children();
        (void)sigtimedwait(&child, NULL, &pause);
    }
}

/* Ends as the command did, without a second core file. */
static _Noreturn void end_alike(const command *c)
{
    if (!c->ended) _exit(EXIT_NOT_STARTED);
    if (WIFSIGNALED(c->how)) {
        sigset_t none;
        (void)sigemptyset(&none);
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)signal(WTERMSIG(c->how), SIG_DFL);
        (void)raise(WTERMSIG(c->how));
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
    }
    _exit(WEXITSTATUS(c->how));
}

int main(int argc, char **argv)
{
    sigset_t all;
    if (argc < 4) {
        (void)fputs("coppice-reaper is a part of coppice: ranks start commands with it\n",
                    stderr);
        return 2;
    }
    if (!prepare(&all)) refuse(-errno);
    if (getppid() != (pid_t)strtol(argv[1], NULL, 10)) return EXIT_NOT_STARTED;
    const int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) refuse(-errno);
    command c = {.pid = start(argv + 2)};
    watch(&c, signals);
    kill_all(&c);
    end_alike(&c);
}
