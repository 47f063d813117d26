#include "checkpoint/mapped_fault.h"

#include "coppice/base/status.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_MAPPINGS = 4096 };

typedef struct mapping {
    _Atomic(uintptr_t) data; /* 0: free. Written last, so that the rest holds where it is set */
    size_t size;
    const char *path;
    int fd;
} mapping;

/* A handler can reach nothing but globals. Kept by the mutex, read by the handler. */
static mapping mappings[MOST_MAPPINGS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* Only what may be called within a handler. All threads end with it, and mpirun or srun see the
 * rank leave with this code and end the others. */
static void end_process(const mapping *m)
{
    struct stat info;
    const int cut = fstat(m->fd, &info) == 0 && (uint64_t)info.st_size < m->size;
    say("coppice: ");
    say(m->path);
    say(cut ? ": was cut short while it was used; restore it, then run the same command again\n"
            : ": a part of it cannot be read (input/output error, or no memory for it); see "
              "the "
              "system's log, then run the same command again\n");
    _exit(cop_status_exit_code(COP_ERR_IO));
}

static void handle(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    const uintptr_t at = (uintptr_t)info->si_addr;
    for (size_t i = 0; i < MOST_MAPPINGS; i++) {
        const uintptr_t data = atomic_load(&mappings[i].data);
        if (data != 0 && at >= data && at - data < mappings[i].size) end_process(&mappings[i]);
    }
    /* Another's: the access comes again, and the signal with it. */
    (void)signal(signal_number, SIG_DFL);
}

static void catch_signal(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}

void cop_mapped_fault_note(const void *data, size_t size, const char *path, int fd)
{
    (void)pthread_once(&once, catch_signal);
    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < MOST_MAPPINGS; i++) {
        if (atomic_load(&mappings[i].data) != 0) continue;
        mappings[i].size = size;
        mappings[i].path = path;
        mappings[i].fd = fd;
        atomic_store(&mappings[i].data, (uintptr_t)data);
        break;
    }
    (void)pthread_mutex_unlock(&mutex);
}

void cop_mapped_fault_forget(const void *data)
{
    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < MOST_MAPPINGS; i++) {
        if (atomic_load(&mappings[i].data) != (uintptr_t)data) continue;
        atomic_store(&mappings[i].data, 0);
        break;
    }
    (void)pthread_mutex_unlock(&mutex);
}
