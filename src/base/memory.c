#include "coppice/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { ALIGNMENT = 64 };

_Bool cop_memory_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

void *cop_memory_alloc_raw(size_t count, size_t size, cop_error *err)
{
    size_t bytes = 0;
    if (!cop_memory_multiply(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT) {
        cop_error_set(err, COP_ERR_MEMORY, "%zu items of %zu bytes are more than can be addressed",
                      count, size);
        return NULL;
    }
    const size_t rounded = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *const memory = aligned_alloc(ALIGNMENT, rounded);
    if (memory == NULL) {
        cop_error_set(err, COP_ERR_MEMORY, "no memory for %zu items of %zu bytes (%.1f MiB)", count,
                      size, (double)bytes / 1048576.0);
    }
    return memory;
}

void *cop_memory_alloc(size_t count, size_t size, cop_error *err)
{
    void *const memory = cop_memory_alloc_raw(count, size, err);
    if (memory != NULL) memset(memory, 0, count * size);
    return memory;
}

cop_status cop_memory_grow(void **items, size_t *capacity, size_t need, size_t size,
                           cop_error *err)
{
    if (need <= *capacity) return COP_OK;
    size_t wanted = *capacity < 16 ? 16 : *capacity;
    while (wanted < need) wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
    void *const grown = cop_memory_alloc_raw(wanted, size, err);
    if (grown == NULL) return COP_ERR_MEMORY;
    if (*items != NULL) memcpy(grown, *items, *capacity * size);
    free(*items);
    *items = grown;
    *capacity = wanted;
    return COP_OK;
}

char *cop_memory_copy_string(const char *text, size_t length, cop_error *err)
{
    if (length == SIZE_MAX) {
        cop_error_set(err, COP_ERR_MEMORY, "a string is too long");
        return NULL;
    }
    char *const copy = cop_memory_alloc_raw(length + 1, 1, err);
    if (copy == NULL) return NULL;
    if (length > 0) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void cop_memory_free(void *memory)
{
    free(memory);
}

/* A number from a one-line file of the kernel; UINT64_MAX where there is none or it says "max". */
static uint64_t read_limit(const char *path)
{
    FILE *const file = fopen(path, "r");
    if (file == NULL) return UINT64_MAX;
    unsigned long long value = 0;
    const int got = fscanf(file, "%llu", &value);
    (void)fclose(file);
    return got == 1 ? value : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What a control group leaves: its limit less what it uses. */
static uint64_t group_available(const char *limit_path, const char *usage_path)
{
    const uint64_t limit = read_limit(limit_path);
    const uint64_t usage = read_limit(usage_path);
    if (limit == UINT64_MAX || usage == UINT64_MAX) return UINT64_MAX;
    return limit > usage ? limit - usage : 0;
}

/* Visits this process's control group and all its parents. */
static uint64_t groups_available(void)
{
    uint64_t available = group_available("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                         "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    FILE *const file = fopen("/proc/self/cgroup", "r");
    if (file == NULL) return available;
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "0::", 3) != 0) continue;
        line[strcspn(line, "\n")] = '\0';
        char *const group = line + 3;
        for (;;) {
            char limit[1200];
            char usage[1200];
            (void)snprintf(limit, sizeof limit, "/sys/fs/cgroup%s/memory.max", group);
            (void)snprintf(usage, sizeof usage, "/sys/fs/cgroup%s/memory.current", group);
            available = least(available, group_available(limit, usage));
            char *const slash = strrchr(group, '/');
            if (slash == NULL || slash[1] == '\0') break;
            *slash = '\0';
        }
    }
    (void)fclose(file);
    return available;
}

uint64_t cop_memory_available_bytes(void)
{
    uint64_t available = UINT64_MAX;
    FILE *const file = fopen("/proc/meminfo", "r");
    if (file != NULL) {
        char line[256];
        unsigned long long kib = 0;
        while (fgets(line, sizeof line, file) != NULL) {
            if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) available = kib * 1024;
        }
        (void)fclose(file);
    }
    available = least(available, groups_available());
    return available == UINT64_MAX ? 0 : available;
}

uint64_t cop_memory_peak_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}
