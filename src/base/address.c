/* Limits of address space and data (ulimit -v and -d), which are not limits of memory: what is
 * reserved counts, used or not. */
#include "coppice/base/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* A line of /proc/self/status, in bytes; 0 if it cannot be read. */
static uint64_t read_own(const char *name)
{
    char line[256];
    unsigned long long kib = 0;
    const size_t length = strlen(name);
    FILE *const file = fopen("/proc/self/status", "re");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, length) == 0 && sscanf(line + length, ": %llu", &kib) == 1)
            break;
        kib = 0;
    }
    (void)fclose(file);
    return (uint64_t)kib * 1024;
}

/* What a limit leaves, UINT64_MAX for none. */
static uint64_t left_of(int resource, const char *used)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) return UINT64_MAX;
    if (limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    const uint64_t taken = read_own(used);
    return limit.rlim_cur > taken ? (uint64_t)limit.rlim_cur - taken : 0;
}

uint64_t cop_memory_address_left_bytes(void)
{
    const uint64_t space = left_of(RLIMIT_AS, "VmSize");
    const uint64_t data = left_of(RLIMIT_DATA, "VmData");
    return space < data ? space : data;
}

cop_status cop_memory_check_room(uint64_t bytes, const char *what, cop_error *err)
{
    static const double mib = 1024.0 * 1024.0;
    const uint64_t left = cop_memory_address_left_bytes();
    if (left == UINT64_MAX) return COP_OK;
    /* Counting is not enough: the space may be in pieces. */
    void *const trial = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (trial != MAP_FAILED) {
        (void)munmap(trial, bytes);
        return COP_OK;
    }
    return cop_error_set(
        err, COP_ERR_MEMORY,
        "no room for %s: %.0f MiB of address space, and the limits of this process "
        "(ulimit -v, ulimit -d) leave %.0f MiB of it; raise them",
        what, (double)bytes / mib, (double)left / mib);
}
