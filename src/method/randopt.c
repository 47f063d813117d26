/* RandOpt, K = 1: the candidate that is best on support is the result. Its ensembles are
 * baselines of every method (report/). */
#include "method/methods.h"

cop_status cop_randopt_run(cop_search *search, const cop_candidates *population, bool *improved,
                           cop_error *err)
{
    size_t best = 0;
    *improved = false;
    COP_TRY(cop_candidates_rank(population, &best, 1, err));
    search->centre[population->seed_index[best]] =
        population->sign[best] * population->sigma[best];
    return COP_OK;
}
