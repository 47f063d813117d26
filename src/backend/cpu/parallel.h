/* The one place where the CPU backend starts threads. A team is either one thread, at no cost,
 * or all of them: OpenMP ends threads that a smaller team leaves over. */
#ifndef COP_BACKEND_CPU_PARALLEL_H
#define COP_BACKEND_CPU_PARALLEL_H

#include <stddef.h>

/* Works on items begin .. end-1. */
typedef void (*cop_cpu_range)(const void *context, size_t begin, size_t end);

/* Runs `range` over items 0 .. count-1, cut into one contiguous piece per thread, or at once
 * where count * cost (elements touched per item, roughly) is too little to share. */
void cop_cpu_parallel_for(int threads, size_t count, size_t cost, cop_cpu_range range,
                          const void *context);

/* Runs `work` once per thread, threads counted from 0. */
void cop_cpu_parallel_each(int threads, void (*work)(const void *context, int thread),
                           const void *context);

#endif
