/* With z_i = w_i sigma_i and d_i = w_i sigma_i^2 the matrix is diagonal minus rank one,
 * diag(d) - z z', and its eigenvalues are the roots x of 1 = sum_i z_i^2 / (d_i - x). As z_i^2
 * is w_i d_i and the weights sum to one, that is
 *
 *     0 = x sum_i w_i / (d_i - x):
 *
 * one eigenvalue is 0 and one lies between each two neighbours among the d. Written so, nothing
 * cancels even where one weight is nearly all. Axes that share a d combine into one pole; their
 * other combinations have the eigenvalue d ("deflation"). Eigenvectors come from the z that the
 * computed roots belong to exactly (Gu and Eisenstat 1994), which makes them orthogonal to
 * rounding even where roots cluster. O(n^2) for the eigenvalues, O(n) a vector on top. */
#include "search/secular.h"

#include "coppice/base/memory.h"
#include "search/secular_root.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* A weight this small moves no eigenvalue and would underflow in the roots. */
static const double negligible_weight = 1e-120;

/* One axis, in falling order of d. */
typedef struct secular_axis {
    double d, z, weight;
    size_t index; /* in the caller's arrays */
    size_t pole;  /* the pole that its z is part of; SIZE_MAX if z is negligible */
} secular_axis;

/* One eigenvalue and where its vector comes from. */
typedef struct eigenpair {
    double value;
    size_t order; /* of creation: settles ties */
    size_t root;  /* its root, or SIZE_MAX for a deflated one ... */
    size_t axis;  /* ... which is this axis, made orthogonal to those of its pole before it */
} eigenpair;

typedef struct secular_problem {
    size_t count;
    secular_axis *axis;     /* [count] */
    size_t pole_count;      /* poles other than 0 */
    double *pole;           /* [pole_count + 1], falling strictly; a last one at 0 ... */
    double *weight;         /* ... whose weight is that of the axes without extent */
    double *refined;        /* [pole_count], |z| that the computed roots belong to */
    cop_secular_root *root; /* [pole_count] */
    eigenpair *pair;        /* [count] */
} secular_problem;

static int compare_axis(const void *a, const void *b)
{
    const secular_axis *x = a;
    const secular_axis *y = b;
    if (x->d != y->d) return x->d < y->d ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static int compare_pair(const void *a, const void *b)
{
    const eigenpair *x = a;
    const eigenpair *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

static void add_pair(secular_problem *p, size_t *pairs, double value, size_t root, size_t axis)
{
    p->pair[*pairs] = (eigenpair){.value = value, .order = *pairs, .root = root, .axis = axis};
    (*pairs)++;
}

/* Collects the poles; what deflates becomes an eigenpair at once. */
static void collect_poles(secular_problem *p, size_t *pairs)
{
    double weight_at_zero = 0.0;
    for (size_t i = 0; i < p->count; i++) {
        secular_axis *axis = &p->axis[i];
        const size_t last = p->pole_count - 1;
        axis->pole = SIZE_MAX;
        if (axis->weight <= negligible_weight || axis->d == 0.0) {
            if (axis->weight > negligible_weight) weight_at_zero += axis->weight;
            add_pair(p, pairs, axis->d, SIZE_MAX, i);
        } else if (p->pole_count > 0 && p->pole[last] == axis->d) {
            axis->pole = last;
            p->weight[last] += axis->weight;
            add_pair(p, pairs, axis->d, SIZE_MAX, i);
        } else {
            axis->pole = p->pole_count;
            p->pole[p->pole_count] = axis->d;
            p->weight[p->pole_count++] = axis->weight;
        }
    }
    p->pole[p->pole_count] = 0.0;
    p->weight[p->pole_count] = weight_at_zero;
}

/* A root below every pole but that at 0; without weight there, the last one is 0 itself. */
static void find_roots(secular_problem *p, size_t *pairs)
{
    const size_t n = p->pole_count;
    const size_t poles = p->weight[n] > 0.0 ? n + 1 : n;
    for (size_t k = 0; k < n; k++) {
        if (k + 1 < poles)
            p->root[k] = cop_secular_root_find(p->pole, p->weight, poles, k);
        else
            p->root[k] = (cop_secular_root){.origin = n, .offset = 0.0};
        add_pair(p, pairs, p->pole[p->root[k].origin] + p->root[k].offset, k, SIZE_MAX);
    }
}

/* det(diag(d) - z z' - d_i) in two ways gives z_i^2 as a product over roots and poles. */
static void refine_axes(secular_problem *p)
{
    for (size_t i = 0; i < p->pole_count; i++) {
        double product = cop_secular_root_gap(p->pole, p->root[i], i);
        for (size_t j = 0; j < p->pole_count; j++)
            if (j != i)
                product *=
                    -cop_secular_root_gap(p->pole, p->root[j], i) / (p->pole[j] - p->pole[i]);
        p->refined[i] = sqrt(fabs(product));
    }
}

/* The eigenvector of a root: z_i / (d_i - root) on the poles, spread over each pole's axes. */
static void build_root_vector(const secular_problem *p, size_t k, double *vector)
{
    for (size_t i = 0; i < p->count; i++) {
        const secular_axis *axis = &p->axis[i];
        const size_t j = axis->pole;
        vector[axis->index] = 0.0;
        if (j == SIZE_MAX) continue;
        const double share = axis->z / sqrt(p->weight[j] * p->pole[j]);
        vector[axis->index] =
            share * p->refined[j] / cop_secular_root_gap(p->pole, p->root[k], j);
    }
}

/* An axis made orthogonal to the z of those of its pole before it; axes of one pole are
 * consecutive but for those with a negligible z. */
static void build_deflated_vector(const secular_problem *p, size_t at, double *vector)
{
    for (size_t i = 0; i < p->count; i++)
        vector[i] = 0.0;
    const secular_axis *axis = &p->axis[at];
    vector[axis->index] = 1.0;
    if (axis->pole == SIZE_MAX) return;
    double square = 0.0;
    for (size_t i = at; i-- > 0 && p->axis[i].d == axis->d;) {
        if (p->axis[i].pole != axis->pole) continue;
        vector[p->axis[i].index] = p->axis[i].z;
        square += p->axis[i].z * p->axis[i].z;
    }
    vector[axis->index] = -square / axis->z;
}

/* Unit length; the largest entry (the first of equals) positive. */
static void normalise(double *vector, size_t count)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (fabs(vector[i]) > fabs(vector[largest])) largest = i;
    const double scale = vector[largest];
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        vector[i] /= scale;
        sum += vector[i] * vector[i];
    }
    const double norm = sqrt(sum);
    for (size_t i = 0; i < count; i++)
        vector[i] /= norm;
}

static void problem_free(secular_problem *p)
{
    cop_memory_free(p->axis);
    cop_memory_free(p->pole);
    cop_memory_free(p->weight);
    cop_memory_free(p->refined);
    cop_memory_free(p->root);
    cop_memory_free(p->pair);
}

static cop_status problem_create(const double *sigma, const double *weight, size_t count,
                                 secular_problem *p, cop_error *err)
{
    *p = (secular_problem){.count = count};
    p->axis = cop_memory_alloc(count, sizeof *p->axis, err);
    p->pole = cop_memory_alloc(count + 1, sizeof *p->pole, err);
    p->weight = cop_memory_alloc(count + 1, sizeof *p->weight, err);
    p->refined = cop_memory_alloc(count, sizeof *p->refined, err);
    p->root = cop_memory_alloc(count, sizeof *p->root, err);
    p->pair = cop_memory_alloc(count, sizeof *p->pair, err);
    if (!p->axis || !p->pole || !p->weight || !p->refined || !p->root || !p->pair) {
        problem_free(p);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const double z = weight[i] * sigma[i];
        p->axis[i] = (secular_axis){.d = z * sigma[i], .z = z, .weight = weight[i], .index = i};
    }
    qsort(p->axis, count, sizeof *p->axis, compare_axis);
    return COP_OK;
}

cop_status cop_secular_solve(const double *sigma, const double *weight, size_t count,
                             size_t vectors, double *eigenvalue, double *vector, cop_error *err)
{
    assert(vectors <= count);
    for (size_t i = 0; i < count; i++)
        COP_CHECK(isfinite(sigma[i]) && isfinite(weight[i]) && weight[i] >= 0.0, err,
                  COP_ERR_NUMERIC, "axis %zu of a cloud: sigma %g, weight %g", i, sigma[i],
                  weight[i]);
    secular_problem p;
    COP_TRY(problem_create(sigma, weight, count, &p, err));
    size_t pairs = 0;
    collect_poles(&p, &pairs);
    find_roots(&p, &pairs);
    assert(pairs == count);
    qsort(p.pair, count, sizeof *p.pair, compare_pair);
    for (size_t i = 0; i < count; i++)
        eigenvalue[i] = p.pair[i].value;
    if (vectors > 0) refine_axes(&p);
    for (size_t v = 0; v < vectors; v++) {
        double *row = vector + v * count;
        if (p.pair[v].root != SIZE_MAX)
            build_root_vector(&p, p.pair[v].root, row);
        else
            build_deflated_vector(&p, p.pair[v].axis, row);
        normalise(row, count);
    }
    problem_free(&p);
    return COP_OK;
}
