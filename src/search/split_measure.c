#include "search/split_measure.h"

#include "coppice/base/memory.h"
#include "search/dense.h"
#include "search/stats_private.h"

#include <math.h>
#include <string.h>

/* Squared singular values this small beside the largest are rounding. */
static const double eigenvalue_floor = 1e-10;
/* A spread this small beside the scores is rounding, and so is the rest of a direction. */
static const double spread_floor = 1e-12;
static const double rest_floor = 1e-9;

/* --- space --- */

static size_t smaller_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Far fewer than there are: all the vectors of two halves agree whatever the scores are. */
cop_split_layout cop_split_layout_of(const cop_split_data *data,
                                     const cop_split_options *options)
{
    cop_split_layout layout = {.spectrum = smaller_of(data->candidates, data->examples)};
    const size_t most = smaller_of((data->candidates - 1) / 3, data->examples / 4);
    layout.dimensions = smaller_of(most, COP_SPLIT_MOST_DIMENSIONS);
    for (int s = 0; s < COP_SPLIT_STATISTICS; s++)
        layout.count[s] = 1;
    layout.count[COP_SPLIT_DIRECTION] = options->q_count * options->beta_count;
    layout.count[COP_SPLIT_OVERLAP] = layout.dimensions;
    layout.count[COP_SPLIT_CANONICAL] = layout.dimensions;
    for (int s = 0; s < COP_SPLIT_STATISTICS; s++) {
        layout.start[s] = layout.width;
        layout.width += layout.count[s];
    }
    return layout;
}

/* Room for rows x columns numbers. */
static double *reserve(size_t rows, size_t columns, cop_error *err)
{
    size_t entries;
    if (!cop_memory_multiply(rows, columns, &entries)) {
        (void)cop_error_set(err, COP_ERR_MEMORY, "a matrix of %zu x %zu", rows, columns);
        return NULL;
    }
    return cop_memory_alloc_raw(entries, sizeof(double), err);
}

static cop_status reserve_rewards(cop_split_work *work, cop_error *err)
{
    const size_t n = work->data->candidates;
    for (int side = 0; side < 2; side++) {
        work->reward[side] = reserve(n, 1, err);
        work->rank[side] = reserve(n, 1, err);
        work->ranked[side] = cop_memory_alloc(n, sizeof *work->ranked[side], err);
        if (!work->reward[side] || !work->rank[side] || !work->ranked[side])
            return COP_ERR_MEMORY;
        COP_TRY(cop_merge_create(n, n, &work->merge[side], err));
    }
    return COP_OK;
}

cop_status cop_split_work_create(const cop_split_data *data, const cop_split_options *options,
                                 cop_split_work *work, cop_error *err)
{
    const size_t n = data->candidates;
    const size_t m = data->examples;
    const cop_split_layout layout = cop_split_layout_of(data, options);
    *work = (cop_split_work){.data = data, .options = options, .layout = layout};
    work->by_example = m - data->first <= n;
    const size_t half = work->by_example ? m - data->first : n;
    const size_t order = half > layout.spectrum ? half : layout.spectrum;
    cop_status status = COP_ERR_MEMORY;
    work->order = cop_memory_alloc(n, sizeof *work->order, err);
    work->permuted = reserve(m, n, err);
    work->centred = reserve(m, n, err);
    work->matrix = reserve(order, order, err);
    work->eigenvalue = reserve(order, 1, err);
    work->vector[0] = reserve(layout.dimensions, half, err);
    work->vector[1] = reserve(layout.dimensions, half, err);
    if (!work->order || !work->permuted || !work->centred || !work->matrix ||
        !work->eigenvalue || !work->vector[0] || !work->vector[1])
        goto out;
    if (work->by_example) {
        work->gram = reserve(m, m, err);
        work->cross = reserve(half, half, err);
        work->turned = reserve(layout.dimensions, half, err);
        if (!work->gram || !work->cross || !work->turned) goto out;
    } else {
        work->part = reserve(m - data->first, n, err);
        if (!work->part) goto out;
    }
    status = reserve_rewards(work, err);
out:
    if (status != COP_OK) cop_split_work_free(work);
    return status;
}

void cop_split_work_free(cop_split_work *work)
{
    cop_memory_free(work->order);
    cop_memory_free(work->permuted);
    cop_memory_free(work->centred);
    cop_memory_free(work->part);
    cop_memory_free(work->gram);
    cop_memory_free(work->matrix);
    cop_memory_free(work->cross);
    cop_memory_free(work->eigenvalue);
    cop_memory_free(work->turned);
    for (int side = 0; side < 2; side++) {
        cop_memory_free(work->vector[side]);
        cop_memory_free(work->reward[side]);
        cop_memory_free(work->rank[side]);
        cop_memory_free(work->ranked[side]);
        cop_merge_free(&work->merge[side]);
    }
    *work = (cop_split_work){0};
}

/* --- a data set --- */

/* D = S - column means - row means + grand mean; all zero where that is rounding. */
static void centre(cop_split_work *work)
{
    const size_t n = work->data->candidates;
    const size_t m = work->data->examples;
    double *const row = work->reward[0]; /* free here */
    double before = 0.0;
    double after = 0.0;
    memset(row, 0, n * sizeof *row);
    for (size_t e = 0; e < m; e++) {
        const double *const in = work->scores + e * n;
        double *const out = work->centred + e * n;
        const double mean = cop_stats_mean(in, n);
        for (size_t i = 0; i < n; i++) {
            before += in[i] * in[i];
            out[i] = in[i] - mean;
            row[i] += out[i];
        }
    }
    for (size_t e = 0; e < m; e++) {
        double *const out = work->centred + e * n;
        for (size_t i = 0; i < n; i++) {
            out[i] -= row[i] / (double)m;
            after += out[i] * out[i];
        }
    }
    if (after <= spread_floor * spread_floor * before)
        memset(work->centred, 0, m * n * sizeof *work->centred);
}

void cop_split_work_begin(cop_split_work *work, const double *scores)
{
    work->scores = scores;
    centre(work);
    if (work->by_example)
        cop_dense_gram(work->centred, work->data->examples, work->data->candidates, work->gram);
}

cop_status cop_split_work_spectrum(cop_split_work *work, double *eigenvalue, cop_error *err)
{
    const size_t n = work->data->candidates;
    const size_t m = work->data->examples;
    if (m > n) {
        cop_dense_gram_columns(work->centred, m, n, work->matrix);
    } else if (work->by_example) {
        memcpy(work->matrix, work->gram, m * m * sizeof *work->matrix);
    } else {
        cop_dense_gram(work->centred, m, n, work->matrix);
    }
    COP_TRY(cop_dense_spectrum(work->matrix, work->layout.spectrum, eigenvalue, err));
    for (size_t k = 0; k < work->layout.spectrum; k++)
        if (!(eigenvalue[k] > eigenvalue_floor * eigenvalue[0])) eigenvalue[k] = 0.0;
    return COP_OK;
}

/* --- a halving: rewards --- */

static void mean_scores(const cop_split_work *work, const size_t *examples, size_t count,
                        double *reward)
{
    const size_t n = work->data->candidates;
    memset(reward, 0, n * sizeof *reward);
    for (size_t e = 0; e < count; e++) {
        const double *const row = work->scores + examples[e] * n;
        for (size_t i = 0; i < n; i++)
            reward[i] += row[i];
    }
    for (size_t i = 0; i < n; i++)
        reward[i] /= (double)count;
}

static void correlate_rewards(cop_split_work *work, double *numbers)
{
    const size_t n = work->data->candidates;
    for (int side = 0; side < 2; side++) {
        cop_ranked_sort(work->reward[side], n, work->ranked[side]);
        cop_ranked_place(work->ranked[side], n, work->rank[side]);
    }
    const double rho = cop_correlate(work->reward[0], work->reward[1], n);
    numbers[work->layout.start[COP_SPLIT_PEARSON]] = rho;
    numbers[work->layout.start[COP_SPLIT_SPEARMAN]] =
        cop_correlate(work->rank[0], work->rank[1], n);
    numbers[work->layout.start[COP_SPLIT_SPEARMAN_BROWN]] =
        rho > -1.0 / 3.0 ? 2.0 * rho / (1.0 + rho) : -1.0;
}

/* --- a halving: merged directions --- */

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Cosine of two directions without their parts along the unit vector `plain`. */
static double cosine_beside(const double *a, const double *b, const double *plain, size_t count)
{
    const double along_a = dot(a, plain, count);
    const double along_b = dot(b, plain, count);
    double aa = 0.0;
    double bb = 0.0;
    double ab = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double x = a[i] - along_a * plain[i];
        const double y = b[i] - along_b * plain[i];
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    if (sqrt(aa) <= rest_floor || sqrt(bb) <= rest_floor) return 0.0;
    return fmax(-1.0, fmin(1.0, ab / sqrt(aa) / sqrt(bb)));
}

/* The q-quantile of rewards that are sorted. */
static double threshold_of(const cop_ranked *ranked, size_t count, double q, double *sorted)
{
    for (size_t i = 0; i < count; i++)
        sorted[i] = ranked[i].value;
    return cop_stats_sorted_quantile(sorted, count, q);
}

static void compare_directions(cop_split_work *work, double *cosine)
{
    const cop_split_data *const data = work->data;
    const cop_split_options *const options = work->options;
    const size_t n = data->candidates;
    for (size_t i = 0; i < options->q_count; i++) {
        for (int side = 0; side < 2; side++) {
            cop_merge *const merge = &work->merge[side];
            merge->threshold =
                threshold_of(work->ranked[side], n, options->q[i], merge->direction);
            cop_merge_select(work->reward[side], NULL, merge);
        }
        for (size_t j = 0; j < options->beta_count; j++) {
            for (int side = 0; side < 2; side++)
                cop_merge_weigh(data->sigma, work->reward[side], options->beta[j],
                                &work->merge[side]);
            cosine[i * options->beta_count + j] = cosine_beside(
                work->merge[0].direction, work->merge[1].direction, data->plain, n);
        }
    }
}

/* --- a halving: subspaces --- */

/* matrix [rows, columns] of the Gram matrix's entries at those examples. */
static void gather(const cop_split_work *work, const size_t *rows, size_t row_count,
                   const size_t *columns, size_t column_count, double *matrix)
{
    for (size_t i = 0; i < row_count; i++) {
        const double *const from = work->gram + rows[i] * work->data->examples;
        for (size_t j = 0; j < column_count; j++)
            matrix[i * column_count + j] = from[columns[j]];
    }
}

/* What turns eigenvectors into left singular vectors, or drops them. */
static void set_scale(const cop_split_work *work, bool right, double *scale)
{
    const double *const eigenvalue = work->eigenvalue;
    for (size_t k = 0; k < work->layout.dimensions; k++) {
        const bool counts = eigenvalue[k] > eigenvalue_floor * eigenvalue[0];
        scale[k] = counts ? (right ? 1.0 / sqrt(eigenvalue[k]) : 1.0) : 0.0;
    }
}

/* The leading singular vectors of one half of D: right ones by example, left by candidate. */
static cop_status decompose(cop_split_work *work, int side, const size_t *examples,
                            size_t count, cop_error *err)
{
    const size_t n = work->data->candidates;
    size_t order = n;
    if (work->by_example) {
        order = count;
        gather(work, examples, count, examples, count, work->matrix);
    } else {
        for (size_t e = 0; e < count; e++)
            memcpy(work->part + e * n, work->centred + examples[e] * n, n * sizeof *work->part);
        cop_dense_gram_columns(work->part, count, n, work->matrix);
    }
    COP_TRY(cop_dense_leading(work->matrix, order, work->layout.dimensions, work->eigenvalue,
                              work->vector[side], err));
    set_scale(work, work->by_example, work->scale[side]);
    return COP_OK;
}

/* U_A' U_B. By example U = D V / s, so that it is V_A' (D_A' D_B) V_B between the scales. */
static void agree(cop_split_work *work, const size_t *a, const size_t *b)
{
    const size_t k = work->layout.dimensions;
    if (work->by_example) {
        const size_t count_a = work->data->first;
        const size_t count_b = work->data->examples - count_a;
        gather(work, b, count_b, a, count_a, work->cross);
        cop_dense_product(work->vector[0], work->cross, k, count_b, count_a, work->turned);
        cop_dense_product(work->turned, work->vector[1], k, k, count_b, work->agreement);
    } else {
        cop_dense_product(work->vector[0], work->vector[1], k, k, work->data->candidates,
                          work->agreement);
    }
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++)
            work->agreement[i * k + j] *= work->scale[0][i] * work->scale[1][j];
}

/* overlap(k) of all k: the squares of the leading blocks. */
static void measure_overlap(const double *agreement, size_t dimensions, double *overlap)
{
    double sum = 0.0;
    for (size_t k = 0; k < dimensions; k++) {
        for (size_t i = 0; i < k; i++) {
            sum += agreement[i * dimensions + k] * agreement[i * dimensions + k];
            sum += agreement[k * dimensions + i] * agreement[k * dimensions + i];
        }
        sum += agreement[k * dimensions + k] * agreement[k * dimensions + k];
        overlap[k] = fmin(1.0, sum / (double)(k + 1));
    }
}

cop_status cop_split_work_halve(cop_split_work *work, size_t h, double *numbers, cop_error *err)
{
    const cop_split_data *const data = work->data;
    const size_t *const a = cop_split_data_halving(data, h);
    const size_t *const b = a + data->first;
    const size_t count_b = data->examples - data->first;
    const size_t k = work->layout.dimensions;
    mean_scores(work, a, data->first, work->reward[0]);
    mean_scores(work, b, count_b, work->reward[1]);
    correlate_rewards(work, numbers);
    compare_directions(work, numbers + work->layout.start[COP_SPLIT_DIRECTION]);
    COP_TRY(decompose(work, 0, a, data->first, err));
    COP_TRY(decompose(work, 1, b, count_b, err));
    agree(work, a, b);
    measure_overlap(work->agreement, k, numbers + work->layout.start[COP_SPLIT_OVERLAP]);
    double *const canonical = numbers + work->layout.start[COP_SPLIT_CANONICAL];
    COP_TRY(cop_dense_singular(work->agreement, k, canonical, err));
    for (size_t i = 0; i < k; i++)
        canonical[i] = fmin(1.0, canonical[i]);
    return COP_OK;
}
