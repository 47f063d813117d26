/* The rows sigma_i e_i - mean, weighted by w_i, have the covariance
 *
 *     sum_i w_i (sigma_i e_i - mean) (sigma_i e_i - mean)' = diag(w_i sigma_i^2) - mean mean'
 *
 * since mean_i = w_i sigma_i and the weights sum to one: diagonal minus rank one. */
#include "search/cloud.h"

#include "coppice/base/memory.h"
#include "search/secular.h"
#include "search/stats_private.h"

/* trace = sum_i w_i sigma_i^2 (1 - w_i), 1 - w_i as the sum of the other weights: where one
 * weight is nearly all, the difference would cancel. `others` [members] is scratch. */
static double measure_trace(const cop_cloud_input *in, double *others)
{
    double sum = 0.0;
    for (size_t i = 0; i < in->members; i++) {
        others[i] = sum;
        sum += in->weight[i];
    }
    sum = 0.0;
    double trace = 0.0;
    for (size_t i = in->members; i-- > 0;) {
        const double sigma = in->sigma[in->member[i]];
        trace += in->weight[i] * sigma * sigma * (others[i] + sum);
        sum += in->weight[i];
    }
    return trace;
}

/* Work space of one decomposition. */
typedef struct cloud_work {
    double *sigma, *others, *eigenvalue; /* [members] */
    double *vector;                      /* [rank, members] */
} cloud_work;

static cop_status decompose(const cop_cloud_input *in, cloud_work *work, cop_cloud *cloud,
                            cop_error *err)
{
    cloud->trace = measure_trace(in, work->others);
    for (size_t i = 0; i < in->members; i++)
        work->sigma[i] = in->sigma[in->member[i]];
    COP_TRY(cop_secular_solve(work->sigma, in->weight, in->members, cloud->rank,
                              work->eigenvalue, work->vector, err));
    for (size_t k = 0; k < cloud->rank; k++) {
        cloud->eigenvalue[k] = work->eigenvalue[k];
        for (size_t i = 0; i < in->members; i++)
            cloud->principal[k * in->count + in->member[i]] = work->vector[k * in->members + i];
    }
    cloud->effective_rank = cop_stats_effective_rank(work->eigenvalue, in->members);
    return COP_OK;
}

cop_status cop_cloud_create(const cop_cloud_input *input, size_t rank, cop_cloud *cloud,
                            cop_error *err)
{
    cop_status status = COP_ERR_MEMORY;
    const size_t members = input->members;
    cloud_work work = {0};
    *cloud = (cop_cloud){.rank = rank < members ? rank : members};
    size_t entries, scratch;
    if (!cop_memory_multiply(cloud->rank, input->count, &entries) ||
        !cop_memory_multiply(cloud->rank, members, &scratch)) {
        (void)cop_error_set(err, COP_ERR_MEMORY, "%zu principal directions of %zu candidates",
                            cloud->rank, input->count);
        goto out;
    }
    cloud->eigenvalue = cop_memory_alloc(cloud->rank, sizeof(double), err);
    cloud->principal = cop_memory_alloc(entries, sizeof(double), err);
    work.sigma = cop_memory_alloc(members, sizeof(double), err);
    work.others = cop_memory_alloc(members, sizeof(double), err);
    work.eigenvalue = cop_memory_alloc(members, sizeof(double), err);
    work.vector = cop_memory_alloc(scratch, sizeof(double), err);
    if (cloud->eigenvalue && cloud->principal && work.sigma && work.others && work.eigenvalue &&
        work.vector)
        status = decompose(input, &work, cloud, err);
out:
    cop_memory_free(work.sigma);
    cop_memory_free(work.others);
    cop_memory_free(work.eigenvalue);
    cop_memory_free(work.vector);
    if (status != COP_OK) {
        cop_memory_free(cloud->eigenvalue);
        cop_memory_free(cloud->principal);
        *cloud = (cop_cloud){0};
    }
    return status;
}
