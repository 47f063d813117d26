#include "coppice/base/memory.h"

#include "base/memory_limits.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ALIGNMENT = 64, LARGE_BYTES = 4 << 20 };

bool cop_memory_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

void *cop_memory_alloc_raw(size_t count, size_t size, cop_error *err)
{
    size_t bytes = 0;
    if (!cop_memory_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGNMENT) {
        cop_error_set(err, COP_ERR_MEMORY,
                      "%zu items of %zu bytes are more than can be addressed", count, size);
        return NULL;
    }
    const size_t rounded =
        bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *const memory = aligned_alloc(ALIGNMENT, rounded);
    if (memory == NULL) {
        cop_error_set(err, COP_ERR_MEMORY, "no memory for %zu items of %zu bytes (%.1f MiB)",
                      count, size, (double)bytes / 1048576.0);
    }
    return memory;
}

/* Gives the whole pages of a large block back to the system, which has them zero when they are
 * touched: by the thread that needs them, next to it, and once instead of twice. */
static void clear(char *memory, size_t bytes)
{
    const long page_bytes = sysconf(_SC_PAGESIZE);
    if (bytes >= LARGE_BYTES && page_bytes > 0) {
        const size_t page = (size_t)page_bytes;
        const size_t before = (page - (uintptr_t)memory % page) % page;
        const size_t whole = (bytes - before) / page * page;
        if (madvise(memory + before, whole, MADV_DONTNEED) == 0) {
            memset(memory, 0, before);
            memset(memory + before + whole, 0, bytes - before - whole);
            return;
        }
    }
    memset(memory, 0, bytes);
}

void *cop_memory_alloc(size_t count, size_t size, cop_error *err)
{
    void *const memory = cop_memory_alloc_raw(count, size, err);
    if (memory != NULL) clear(memory, count * size);
    return memory;
}

cop_status cop_memory_grow(void **items, size_t *capacity, size_t need, size_t size,
                           cop_error *err)
{
    if (need <= *capacity) return COP_OK;
    size_t wanted = *capacity < 16 ? 16 : *capacity;
    while (wanted < need)
        wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
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

uint64_t cop_memory_available_bytes(void)
{
    return cop_memory_limits_read("");
}

uint64_t cop_memory_peak_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}
