#include "sandbox/confine.h"

#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FIRST_DESCRIPTOR = 3,
    MOST_DESCRIPTORS = 3,
    MARGIN_S =
        1, /* of processor time over the wall clock's limit, which is the one that counts */
    STACK_BYTES = 64 << 20,
    EXIT_UNCONFINED = 102,
};

static void require(bool done)
{
    if (!done) _exit(EXIT_UNCONFINED);
}

static void limit(int resource, uint64_t soft, uint64_t hard)
{
    const struct rlimit value = {.rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard};
    require(setrlimit((__rlimit_resource_t)resource, &value) == 0);
}

static void set_limits(const cop_limits *limits)
{
    const uint64_t seconds = (uint64_t)ceil(limits->timeout_s) + MARGIN_S;
    limit(RLIMIT_AS, limits->memory_bytes, limits->memory_bytes);
    limit(RLIMIT_CPU, seconds, seconds + MARGIN_S);
    limit(RLIMIT_STACK, STACK_BYTES, STACK_BYTES);
    limit(RLIMIT_FSIZE, 0, 0);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_NPROC, 0, 0);
    limit(RLIMIT_MEMLOCK, 0, 0);
    limit(RLIMIT_MSGQUEUE, 0, 0);
    limit(RLIMIT_NOFILE, FIRST_DESCRIPTOR + MOST_DESCRIPTORS,
          FIRST_DESCRIPTOR + MOST_DESCRIPTORS);
}

void cop_confine_lifetime(pid_t parent)
{
    require(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    require(getppid() == parent);
}

int cop_confine_descriptors(const int *descriptors, size_t count)
{
    enum { ASIDE = FIRST_DESCRIPTOR + MOST_DESCRIPTORS, HIGHEST = 1024 };
    int moved[MOST_DESCRIPTORS];
    assert(count <= MOST_DESCRIPTORS);
    for (size_t i = 0; i < count; i++) {
        moved[i] = fcntl(descriptors[i], F_DUPFD, ASIDE);
        require(moved[i] >= ASIDE);
    }
    for (size_t i = 0; i < count; i++)
        require(dup2(moved[i], FIRST_DESCRIPTOR + (int)i) >= 0);
    const unsigned first = FIRST_DESCRIPTOR + (unsigned)count;
    if (syscall(SYS_close_range, first, ~0u, 0) != 0) /* not before Linux 5.9 */
        for (unsigned fd = first; fd < HIGHEST; fd++)
            (void)close((int)fd);
    return FIRST_DESCRIPTOR;
}

void cop_confine(const cop_confinement *how)
{
    (void)cop_confine_descriptors(how->descriptors, how->count);
    require(setsid() >= 0);
    cop_confine_lifetime(how->parent);
    require(prctl(PR_SET_DUMPABLE, 0) == 0);
    set_limits(&how->limits);
    require(cop_filter_enter(how->filter) == 0);
}
