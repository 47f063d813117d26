/* Racing: who is behind the best, or the last of them, beyond doubt after a part of the
 * examples. */
#include "coppice/search/race.h"

#include "coppice/base/memory.h"
#include "coppice/search/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static size_t divide_up(size_t a, size_t b)
{
    return a / b + (a % b > 0);
}

cop_race_plan cop_race_make_plan(size_t examples, size_t stages, size_t batch)
{
    assert(examples >= 1 && stages >= 1 && batch >= 1);
    const size_t stage = divide_up(examples, stages);
    cop_race_plan plan = {.stage_units = divide_up(stage, batch)};
    plan.unit = divide_up(stage, plan.stage_units);
    plan.stages = divide_up(divide_up(examples, plan.unit), plan.stage_units);
    if (plan.stages == 1) return plan;
    /* The C library's last bits differ between machines, what decides must not. */
    const double z = cop_stats_normal_quantile(1 - COP_RACE_ERROR / (double)(plan.stages - 1));
    plan.z = round(z * 1e6) / 1e6;
    return plan;
}

static const double *values_of(const cop_race_look *look, size_t row)
{
    return look->values + row * look->examples;
}

/* Sum of the values seen, -INFINITY if one is not finite. */
static double sum_of(const cop_race_look *look, size_t row)
{
    const double *const values = values_of(look, row);
    double sum = 0;
    for (size_t j = 0; j < look->seen; j++) {
        if (!isfinite(values[j])) return -INFINITY;
        sum += values[j];
    }
    return sum;
}

/* The row with the highest sum of those that leave now, the first among equals; the number of
 * rows if there is none. */
static size_t find_spared(const cop_race_look *look, const cop_race_row *row, const double *sum)
{
    size_t best = look->rows;
    for (size_t i = look->first; i < look->rows; i++) {
        if (row[i].seen != look->seen) continue;
        if (best == look->rows || sum[i] > sum[best]) best = i;
    }
    return best;
}

/* A row in the race, with what it is ranked by. */
typedef struct standing {
    double sum;
    size_t row;
} standing;

static int compare_standings(const void *a, const void *b)
{
    const standing *const x = a;
    const standing *const y = b;
    if (x->sum != y->sum) return x->sum > y->sum ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The row that has the last of the places, the number of rows if there is none in the race. A
 * row that is not finite has one only where no other row is. */
static cop_status find_leader(const cop_race_look *look, const cop_race_row *row,
                              const double *sum, size_t *leader, cop_error *err)
{
    *leader = look->rows;
    standing *const all = cop_memory_alloc(look->rows, sizeof *all, err);
    if (all == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    size_t finite = 0;
    for (size_t i = 0; i < look->rows; i++) {
        if (row[i].seen > 0) continue;
        all[count++] = (standing){sum[i], i};
        finite += isfinite(sum[i]) != 0;
    }
    if (count > 0) {
        size_t place = look->places > 1 ? look->places : 1;
        if (place > finite) place = finite > 0 ? finite : 1;
        qsort(all, count, sizeof *all, compare_standings);
        *leader = all[place - 1].row;
    }
    cop_memory_free(all);
    return COP_OK;
}

/* Row `i` against the leader. */
static cop_race_row compare(const cop_race_look *look, size_t leader, size_t i)
{
    const double *const best = values_of(look, leader);
    const double *const own = values_of(look, i);
    const double n = (double)look->seen;
    double sum = 0;
    double squares = 0;
    double largest = 0;
    for (size_t j = 0; j < look->seen; j++) {
        const double d = best[j] - own[j];
        sum += d;
        squares += d * d;
        largest = fmax(largest, d * d);
    }
    cop_race_row found = {.seen = look->seen, .behind = leader, .gap = sum / n};
    /* The sum around the mean may come out below 0 by rounding, the term added never does. */
    const double around = fmax(0.0, squares - n * found.gap * found.gap) + largest;
    found.error = sqrt(around / n / n * (1 - n / (double)look->examples));
    return found;
}

cop_status cop_race_run_look(const cop_race_look *look, cop_race_row *row, cop_error *err)
{
    assert(look->seen >= 1 && look->seen < look->examples && look->first <= look->rows);
    double *const sum = cop_memory_alloc(look->rows, sizeof *sum, err);
    if (sum == NULL) return COP_ERR_MEMORY;
    size_t left = 0; /* in the race */
    for (size_t i = 0; i < look->rows; i++) {
        if (row[i].seen > 0) continue;
        sum[i] = sum_of(look, i);
        left++;
    }
    size_t leader = 0;
    const cop_status status = find_leader(look, row, sum, &leader, err);
    if (status != COP_OK) {
        cop_memory_free(sum);
        return status;
    }
    for (size_t i = look->first; i < look->rows; i++) {
        if (row[i].seen > 0 || i == leader) continue;
        cop_race_row found = {.seen = look->seen, .behind = leader, .gap = NAN, .error = NAN};
        if (isfinite(sum[i])) found = compare(look, leader, i);
        if (found.gap <= look->z * found.error) continue; /* false for NaN */
        row[i] = found;
        left--;
    }
    /* The best of those that would leave now stay where too few would be left. */
    while (left < look->keep) {
        const size_t spared = find_spared(look, row, sum);
        if (spared == look->rows) break;
        row[spared] = (cop_race_row){0};
        left++;
    }
    cop_memory_free(sum);
    return COP_OK;
}
