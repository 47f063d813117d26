#include "search/correlate.h"

#include "coppice/search/search.h"

#include <math.h>
#include <stdlib.h>

/* A deviation this small beside the values is rounding. */
static const double deviation_floor = 1e-12;

static int compare_ranked(const void *a, const void *b)
{
    const cop_ranked *const x = a;
    const cop_ranked *const y = b;
    if (x->value != y->value) return x->value > y->value ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

void cop_ranked_sort(const double *values, size_t count, cop_ranked *ranked)
{
    for (size_t i = 0; i < count; i++)
        ranked[i] = (cop_ranked){.value = values[i], .index = i};
    qsort(ranked, count, sizeof *ranked, compare_ranked);
}

void cop_ranked_place(const cop_ranked *ranked, size_t count, double *rank)
{
    for (size_t first = 0, end; first < count; first = end) {
        end = first + 1;
        while (end < count && ranked[end].value == ranked[first].value)
            end++;
        const double mean = 0.5 * (double)(first + 1 + end);
        for (size_t i = first; i < end; i++)
            rank[ranked[i].index] = mean;
    }
}

double cop_correlate(const double *a, const double *b, size_t count)
{
    const double mean_a = cop_stats_mean(a, count);
    const double mean_b = cop_stats_mean(b, count);
    double aa = 0.0;
    double bb = 0.0;
    double ab = 0.0;
    double largest_a = 0.0;
    double largest_b = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double x = a[i] - mean_a;
        const double y = b[i] - mean_b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
        largest_a = fmax(largest_a, fabs(a[i]));
        largest_b = fmax(largest_b, fabs(b[i]));
    }
    const double n = (double)count;
    if (sqrt(aa / n) <= deviation_floor * largest_a) return 0.0;
    if (sqrt(bb / n) <= deviation_floor * largest_b) return 0.0;
    return fmax(-1.0, fmin(1.0, ab / sqrt(aa) / sqrt(bb)));
}
