/* Before anything else runs: enough address space for OpenBLAS?
 *
 * OpenBLAS maps a buffer for each thread while it is loaded, before main(), and where a limit
 * of address space (ulimit -v) leaves no room for one, it tries again for ever. Functions of
 * .preinit_array run before those of any library: this one tries the same first, and ends the
 * program with the figures. */
#include "app/address_check.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    BUFFER_MIB = 128, /* for each thread, on x86-64 */
    SLACK_MIB = 24,   /* what else libraries take while they are loaded */
    EXIT_MEMORY = 7
};

static int is_limited(int resource, uint64_t *limit_bytes)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return 0;
    *limit_bytes = limit.rlim_cur;
    return 1;
}

/* Threads that OpenBLAS is going to have; the environment is not getenv()'s yet. */
static size_t count_threads(char **environment)
{
    static const char name[] = "OMP_NUM_THREADS=";
    cpu_set_t set;
    size_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    for (char **at = environment; at != NULL && *at != NULL; at++) {
        if (strncmp(*at, name, sizeof name - 1) != 0) continue;
        const unsigned long asked = strtoul(*at + sizeof name - 1, NULL, 10);
        if (asked > 0 && asked < count) count = asked;
    }
    return count;
}

/* One buffer more than there are threads: the first call takes it, and stacks. */
static size_t wanted_mib(char **environment)
{
    return (count_threads(environment) + 1) * BUFFER_MIB + SLACK_MIB;
}

static void check(int count, char **arguments, char **environment)
{
    uint64_t limit = 0;
    (void)count;
    (void)arguments;
    if (!is_limited(RLIMIT_AS, &limit) && !is_limited(RLIMIT_DATA, &limit)) return;
    const size_t mib = wanted_mib(environment);
    void *const trial = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (trial != MAP_FAILED) {
        (void)munmap(trial, mib << 20);
        return;
    }
    char text[320];
    const int length = snprintf(
        text, sizeof text,
        "coppice: OpenBLAS needs %zu MiB of address space for its %zu threads, which a limit "
        "of "
        "%llu MiB (ulimit -v or -d) does not leave; raise it, or set OMP_NUM_THREADS=1\n",
        mib, count_threads(environment), (unsigned long long)(limit >> 20));
    if (length > 0) (void)!write(STDERR_FILENO, text, (size_t)length);
    _exit(EXIT_MEMORY);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **,
                                                                            char **) = check;

void cop_app_link_address_check(void)
{
    (void)first;
}
