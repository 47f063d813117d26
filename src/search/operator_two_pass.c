/* CoRP's two-pass merge over its grid of (q, beta). */
#include "search/operators_private.h"

#include "coppice/base/memory.h"
#include "coppice/search/search.h"

static cop_status run(const cop_operator_input *in, cop_directions *directions, cop_error *err)
{
    const size_t merges = in->q_count * in->beta_count;
    directions->items = cop_memory_alloc(merges, sizeof *directions->items, err);
    if (directions->items == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < merges; i++) {
        const double q = in->q[i / in->beta_count];
        const double beta = in->beta[i % in->beta_count];
        cop_merge merge = {0};
        COP_TRY(cop_merge_run(in->sigma, in->reward, in->valid, in->count, q, beta, in->rank,
                              &merge, err));
        if (merge.mean_rss > 0) {
            directions->items[directions->count++] =
                (cop_direction){.q = q,
                                .beta = beta,
                                .amplitude = merge.direction, /* ownership moves */
                                .reference = merge.mean_rss,
                                .rank = merge.rank,
                                .eigenvalue = merge.eigenvalue,
                                .principal = merge.principal};
            merge.direction = NULL;
            merge.eigenvalue = NULL;
            merge.principal = NULL;
        }
        cop_merge_free(&merge);
    }
    return COP_OK;
}

const cop_operator cop_operator_two_pass = {.name = "two-pass", .run = run};
