/* Operators that weigh every candidate by its scores, good ones forwards and bad ones
 * backwards: z-scored rewards, centred ranks, precision-weighted examples. */
#include "search/operators_private.h"

#include "coppice/base/memory.h"
#include "search/cloud.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Added to an example's deviation: one on which no two candidates differ must not count without
 * bound as soon as one does. */
static const double deviation_margin = 0.05;
/* Amplitudes below this share of the norm move no weight but cost a pass over the noise each.
 */
static const double amplitude_floor = 1e-12;

static bool takes_part(const cop_operator_input *in, size_t i)
{
    return in->valid == NULL || in->valid[i];
}

/* The cloud of the candidates that the direction points to, weighted by their amplitudes. */
static cop_status describe_cloud(const cop_operator_input *in, cop_direction *direction,
                                 cop_error *err)
{
    size_t *const member = cop_memory_alloc(in->count, sizeof *member, err);
    double *const weight = cop_memory_alloc(in->count, sizeof *weight, err);
    cop_status status = member == NULL || weight == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) {
        double sum = 0;
        size_t members = 0;
        for (size_t i = 0; i < in->count; i++) {
            if (direction->amplitude[i] <= 0) continue;
            member[members] = i;
            weight[members++] = direction->amplitude[i];
            sum += direction->amplitude[i];
        }
        for (size_t i = 0; i < members; i++)
            weight[i] /= sum;
        const cop_cloud_input input = {.sigma = in->sigma,
                                       .member = member,
                                       .weight = weight,
                                       .members = members,
                                       .count = in->count};
        cop_cloud cloud;
        status = cop_cloud_create(&input, in->rank, &cloud, err);
        if (status == COP_OK) {
            direction->rank = cloud.rank;
            direction->eigenvalue = cloud.eigenvalue; /* ownership moves */
            direction->principal = cloud.principal;
        }
    }
    cop_memory_free(weight);
    cop_memory_free(member);
    return status;
}

/* The step that a mean of so many candidates has: their RMS sigma over the root of the number
 * that takes part in effect. */
static double natural_step(const cop_operator_input *in, const double *amplitude)
{
    double square = 0;
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (!takes_part(in, i)) continue;
        square += in->sigma[i] * in->sigma[i];
        sum += fabs(amplitude[i]);
        count++;
    }
    return sqrt(square / (double)count) / sum; /* |amplitude| = 1 */
}

/* Makes amplitude [N] (ownership passes) the one direction, unless it vanishes. */
static cop_status give(const cop_operator_input *in, double *amplitude,
                       cop_directions *directions, cop_error *err)
{
    double square = 0;
    for (size_t i = 0; i < in->count; i++)
        square += amplitude[i] * amplitude[i];
    const double norm = sqrt(square);
    if (!(norm > DBL_EPSILON)) {
        cop_memory_free(amplitude);
        return COP_OK;
    }
    directions->items = cop_memory_alloc(1, sizeof *directions->items, err);
    if (directions->items == NULL) {
        cop_memory_free(amplitude);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < in->count; i++) {
        amplitude[i] /= norm;
        if (fabs(amplitude[i]) < amplitude_floor) amplitude[i] = 0;
    }
    directions->count = 1;
    cop_direction *const direction = &directions->items[0];
    *direction = (cop_direction){.q = NAN, .beta = NAN, .amplitude = amplitude};
    direction->reference = natural_step(in, amplitude);
    return describe_cloud(in, direction, err);
}

/* --- z-scored rewards --- */

static cop_status run_z_score(const cop_operator_input *in, cop_directions *directions,
                              cop_error *err)
{
    double *const a = cop_memory_alloc(in->count, sizeof *a, err);
    if (a == NULL) return COP_ERR_MEMORY;
    double mean = 0;
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (!takes_part(in, i)) continue;
        mean += in->reward[i];
        count++;
    }
    mean /= (double)count;
    double largest = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (!takes_part(in, i)) continue;
        a[i] = in->reward[i] - mean; /* division by the deviation is left to the norm */
        largest = fmax(largest, fabs(in->reward[i]));
    }
    for (size_t i = 0; i < in->count; i++) {
        if (fabs(a[i]) <= 1e-12 * largest) a[i] = 0; /* rounding of the mean */
    }
    return give(in, a, directions, err);
}

const cop_operator cop_operator_z_score = {.name = "z-score", .run = run_z_score};

/* --- centred ranks --- */

typedef struct ranked {
    double reward;
    size_t index;
} ranked;

static int by_reward(const void *a, const void *b)
{
    const ranked *const x = a;
    const ranked *const y = b;
    if (x->reward != y->reward) return x->reward < y->reward ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static cop_status run_rank(const cop_operator_input *in, cop_directions *directions,
                           cop_error *err)
{
    double *const a = cop_memory_alloc(in->count, sizeof *a, err);
    ranked *const order = cop_memory_alloc(in->count, sizeof *order, err);
    if (a == NULL || order == NULL) {
        cop_memory_free(order);
        cop_memory_free(a);
        return COP_ERR_MEMORY;
    }
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (takes_part(in, i)) order[count++] = (ranked){in->reward[i], i};
    }
    qsort(order, count, sizeof *order, by_reward);
    const double middle = (double)(count - 1) / 2;
    for (size_t first = 0, end = 0; first < count; first = end) {
        while (end < count && order[end].reward == order[first].reward)
            end++;
        const double shared = (double)(first + end - 1) / 2; /* equals share their mean rank */
        for (size_t k = first; k < end; k++)
            a[order[k].index] = shared - middle;
    }
    cop_memory_free(order);
    return give(in, a, directions, err);
}

const cop_operator cop_operator_rank = {.name = "rank", .run = run_rank};

/* --- precision-weighted examples --- */

/* a += (column m of the scores - its mean) / (its deviation + margin). */
static void add_example(const cop_operator_input *in, size_t m, double *a)
{
    double mean = 0;
    double square = 0;
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (!takes_part(in, i)) continue;
        mean += (double)in->scores[i * in->examples + m];
        count++;
    }
    mean /= (double)count;
    for (size_t i = 0; i < in->count; i++) {
        if (!takes_part(in, i)) continue;
        const double d = (double)in->scores[i * in->examples + m] - mean;
        square += d * d;
    }
    const double weight = 1 / (sqrt(square / (double)count) + deviation_margin);
    for (size_t i = 0; i < in->count; i++) {
        if (takes_part(in, i))
            a[i] += weight * ((double)in->scores[i * in->examples + m] - mean);
    }
}

static cop_status run_precision(const cop_operator_input *in, cop_directions *directions,
                                cop_error *err)
{
    double *const a = cop_memory_alloc(in->count, sizeof *a, err);
    if (a == NULL) return COP_ERR_MEMORY;
    for (size_t m = 0; m < in->examples; m++)
        add_example(in, m, a);
    return give(in, a, directions, err);
}

const cop_operator cop_operator_precision = {.name = "precision", .run = run_precision};
