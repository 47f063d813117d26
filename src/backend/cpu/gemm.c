/* What the GEMM providers share. */
#include "backend/cpu/gemm.h"

#include "backend/cpu/parallel.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WIDEN_CHUNK = 16384, LARGE_PAGE = 1 << 21, TILE_DEPTH = 32 };

size_t cop_gemm_fill_width(cop_dtype input, size_t k)
{
    return input == COP_BF16 ? (k + TILE_DEPTH - 1) / TILE_DEPTH * TILE_DEPTH : k;
}

typedef struct widen_work {
    const cop_kernels *kernels;
    float *out;
    const char *in;
    cop_dtype dtype;
    size_t count;
} widen_work;

static void widen_chunks(const void *context, size_t begin, size_t end)
{
    const widen_work *const w = context;
    const size_t first = begin * WIDEN_CHUNK;
    const size_t last = end * WIDEN_CHUNK < w->count ? end * WIDEN_CHUNK : w->count;
    w->kernels->widen(w->out + first, w->in + first * cop_dtype_size(w->dtype), w->dtype,
                      last - first);
}

void cop_gemm_widen(const cop_gemm_options *options, float *out, const void *in,
                    cop_dtype dtype, size_t count)
{
    const widen_work work = {options->kernels, out, in, dtype, count};
    cop_cpu_parallel_for(options->threads, (count + WIDEN_CHUNK - 1) / WIDEN_CHUNK, WIDEN_CHUNK,
                         widen_chunks, &work);
}

void *cop_gemm_alloc(size_t bytes, cop_error *err)
{
    char *const memory = cop_memory_alloc_raw(bytes, 1, err);
    if (memory == NULL || bytes < LARGE_PAGE) return memory;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t skip = (page - (uintptr_t)memory % page) % page;
    /* Advice only: without large pages everything works, more slowly. */
    (void)madvise(memory + skip, (bytes - skip) / page * page, MADV_HUGEPAGE);
    return memory;
}

/* Whole pages, which neighbours can follow without a gap. */
static size_t mapped_bytes(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert(bytes > 0);
    return (bytes + page - 1) / page * page;
}

void *cop_gemm_map(size_t bytes, cop_error *err)
{
    const size_t whole = mapped_bytes(bytes);
    void *const memory = bytes > PTRDIFF_MAX / 2 ? MAP_FAILED
                                                 : mmap(NULL, whole, PROT_READ | PROT_WRITE,
                                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        cop_error_set(err, COP_ERR_MEMORY, "no memory for %.1f MiB of packed weights",
                      (double)bytes / 1048576.0);
        return NULL;
    }
    (void)madvise(memory, whole, MADV_HUGEPAGE); /* advice only, as above */
    return memory;
}

void cop_gemm_unmap(void *memory, size_t bytes)
{
    if (memory != NULL) (void)munmap(memory, mapped_bytes(bytes));
}
