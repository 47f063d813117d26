#include "backend/cpu/parallel.h"

#include <omp.h>

/* Elements below which a second thread costs more than it saves: a few microseconds of work. */
enum { SERIAL_ELEMENTS = 32768 };

void cop_cpu_parallel_for(int threads, size_t count, size_t cost, cop_cpu_range range,
                          const void *context)
{
    if (count == 0) return;
    if (threads == 1 || count == 1 || count * cost < SERIAL_ELEMENTS) {
        range(context, 0, count);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        const size_t team = (size_t)omp_get_num_threads();
        const size_t self = (size_t)omp_get_thread_num();
        const size_t begin = count * self / team;
        const size_t end = count * (self + 1) / team;
        if (begin < end) range(context, begin, end);
    }
}

void cop_cpu_parallel_each(int threads, void (*work)(const void *context, int thread),
                           const void *context)
{
    if (threads == 1) {
        work(context, 0);
        return;
    }
#pragma omp parallel num_threads(threads)
    work(context, omp_get_thread_num());
}
