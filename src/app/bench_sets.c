/* bench: what the processor can do at most, by instruction set, and how fast it reads memory.
 */
#include "app/bench.h"
#include "app/peaks.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const cop_peak *const sets[] = {&cop_peak_scalar, &cop_peak_avx2, &cop_peak_avx512,
                                       &cop_peak_avx512bf16, &cop_peak_amx};
enum { SETS = sizeof sets / sizeof sets[0] };

/* --- what is timed, by each of `threads` threads at once --- */

typedef struct work {
    const cop_peak *peak; /* NULL: memory is read */
    size_t rounds;
    char *memory; /* [threads, bytes] */
    size_t bytes;
    int threads;
} work;

static double time_once(const work *w)
{
    volatile float sum = 0;
    volatile unsigned words = 0;
    const double start_s = cop_timer_now_s();
#pragma omp parallel num_threads(w->threads)
    {
        if (w->peak != NULL) {
            sum = w->peak->run(w->rounds);
        } else {
            words =
                cop_peak_read(w->memory + (size_t)omp_get_thread_num() * w->bytes, w->bytes);
        }
    }
    (void)sum;
    (void)words;
    return cop_timer_now_s() - start_s;
}

/* The best of as many as the time for a figure allows, three at least. */
static double best_time(const work *w, double budget_s)
{
    double best_s = 1e9;
    const double end_s = cop_timer_now_s() + budget_s;
    for (int n = 0; n < 3 || cop_timer_now_s() < end_s; n++) {
        const double spent_s = time_once(w);
        if (spent_s < best_s) best_s = spent_s;
    }
    return best_s;
}

static double measure_set(const cop_peak *peak, int threads, double budget_s)
{
    static const double long_s = 0.01; /* beside which starting the threads is nothing */
    work w = {.peak = peak, .rounds = 1024, .threads = threads};
    while (time_once(&w) < long_s)
        w.rounds *= 2;
    return peak->flops * (double)w.rounds * threads / best_time(&w, budget_s);
}

/* Bytes of the last-level cache; a guess where the system does not tell. */
static size_t cache_bytes(void)
{
    const long last = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return last > 0 ? (size_t)last : (size_t)32 << 20;
}

/* Bytes a second by so many threads, each its own part; 0 without memory for it. */
static double measure_reading(int threads, double budget_s)
{
    enum { LARGE_PAGE = 2 << 20, TIMES_CACHE = 4 };
    const uint64_t available = cop_memory_available_bytes();
    size_t bytes = TIMES_CACHE * cache_bytes();
    if (bytes < (size_t)256 << 20) bytes = (size_t)256 << 20;
    if (available != 0 && bytes > available / 4) bytes = (size_t)(available / 4);
    bytes = bytes / (size_t)threads / LARGE_PAGE * LARGE_PAGE;
    char *const memory =
        bytes == 0 ? NULL : cop_memory_alloc_raw(bytes * (size_t)threads + LARGE_PAGE, 1, NULL);
    if (memory == NULL) return 0;
    char *const aligned = memory + (LARGE_PAGE - (uintptr_t)memory % LARGE_PAGE);
    /* As packed weights have them; without, it is only slower. */
    (void)madvise(aligned, bytes * (size_t)threads, MADV_HUGEPAGE);
    const work w = {.memory = aligned, .bytes = bytes, .threads = threads};
#pragma omp parallel num_threads(threads)
    memset(aligned + (size_t)omp_get_thread_num() * bytes, 1, bytes);
    const double seconds = best_time(&w, budget_s);
    cop_memory_free(memory);
    return (double)bytes * threads / seconds;
}

/* --- limits --- */

static bool is_there(const cop_peak *peak)
{
    return peak->is_there != NULL && peak->is_there();
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

cop_status cop_bench_limit(cop_bench *bench, const cop_bench_limits **limits, cop_error *err)
{
    cop_bench_limits *const l = &bench->limits;
    *limits = l;
    if (l->measured) return COP_OK;
    for (size_t i = 0; i < SETS; i++) {
        if (!is_there(sets[i])) continue;
        const double rate = measure_set(sets[i], bench->threads, bench->budget_s / 2);
        if (!sets[i]->bf16) l->f32 = larger(l->f32, rate);
        l->bf16 = larger(l->bf16, rate); /* bf16 may be widened, too */
    }
    l->read = measure_reading(bench->threads, bench->budget_s);
    COP_CHECK(l->read > 0, err, COP_ERR_MEMORY, "no memory to measure its speed with");
    l->measured = true;
    return COP_OK;
}

double cop_bench_least_s(const cop_bench_limits *limits, cop_dtype input, double flops,
                         double bytes)
{
    const double compute_s = flops / (input == COP_BF16 ? limits->bf16 : limits->f32);
    const double read_s = bytes > (double)cache_bytes() ? bytes / limits->read : 0;
    return larger(compute_s, read_s);
}

/* --- the table --- */

static void show(const cop_bench *bench, json_t *rows, const char *name, const char *unit,
                 double one, double all)
{
    if (bench->json == NULL) {
        (void)printf("  %-18s %10.1f %10.1f %8.2fx\n", name, one / 1e9, all / 1e9, all / one);
        (void)fflush(stdout);
        return;
    }
    (void)json_array_append_new(rows, json_pack("{s:s, s:s, s:f, s:f}", "what", name, "unit",
                                                unit, "one_thread", one, "all_threads", all));
}

cop_status cop_bench_sets(cop_bench *bench, cop_error *err)
{
    json_t *const rows = bench->json == NULL ? NULL : json_array();
    const cop_bench_limits *limits = NULL;
    if (bench->json == NULL) {
        (void)printf("\npeaks                  1 thread %2d threads    ratio   (GFLOP/s in "
                     "registers, GB/s)\n",
                     bench->threads);
    }
    for (size_t i = 0; i < SETS; i++) {
        if (!is_there(sets[i])) continue;
        const double one = measure_set(sets[i], 1, bench->budget_s);
        show(bench, rows, sets[i]->name, "flops", one,
             measure_set(sets[i], bench->threads, bench->budget_s));
    }
    const cop_status status = cop_bench_limit(bench, &limits, err);
    if (status != COP_OK) {
        json_decref(rows);
        return status;
    }
    show(bench, rows, "reading memory", "bytes_per_second", measure_reading(1, bench->budget_s),
         limits->read);
    if (bench->json == NULL) return COP_OK;
    return json_object_set_new(bench->json, "peaks", rows) == 0 ? COP_OK : COP_ERR_MEMORY;
}
