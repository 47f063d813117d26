/* OpenBLAS under a limit of address space: it waits for ever for memory that it cannot get, so
 * it is made to take what it needs while that is known to be there. */
#include "coppice/backend/backend.h"

#include "coppice/base/memory.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>
#include <sys/resource.h>

enum { BUFFER_MIB = 128, DEFAULT_STACK_MIB = 8, ORDER = 128 };

/* Not there where another library stands in for OpenBLAS. */
int openblas_get_num_threads(void) __attribute__((weak));

static uint64_t stack_bytes(void)
{
    struct rlimit limit;
    const bool known = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? (uint64_t)limit.rlim_cur : (uint64_t)DEFAULT_STACK_MIB << 20;
}

cop_status cop_backend_reserve_threads(int threads, cop_error *err)
{
    if (cop_memory_address_left_bytes() == UINT64_MAX) return COP_OK;
    const int before = omp_get_max_threads();
    const int known = openblas_get_num_threads == NULL ? before : openblas_get_num_threads();
    if (threads != 0 && threads <= known) return COP_OK; /* they have it already */
    if (threads == 0) threads = before;
    const uint64_t more = threads > known ? (uint64_t)(threads - known) : 0;
    const uint64_t buffers = (1 + more) * ((uint64_t)BUFFER_MIB << 20);
    COP_TRY(cop_memory_check_room(buffers + (uint64_t)threads * stack_bytes(),
                                  "OpenBLAS and OpenMP", err));
    /* A product large enough for all threads; what it takes is kept. */
    float *const rows = cop_memory_alloc((size_t)2 * ORDER * ORDER, sizeof *rows, err);
    if (rows == NULL) return COP_ERR_MEMORY;
    omp_set_num_threads(threads);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ORDER, ORDER, ORDER, 1.0F, rows, ORDER,
                rows, ORDER, 0.0F, rows + (size_t)ORDER * ORDER, ORDER);
    omp_set_num_threads(before);
    cop_memory_free(rows);
    return COP_OK;
}
