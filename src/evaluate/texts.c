/* Units of a guard that is plain text: nothing is asked and answered, an example's score is the
 * mean log-likelihood of its tokens. */
#include "evaluate/evaluator.h"

#include "coppice/base/memory.h"
#include "coppice/evaluate/likelihood.h"

#include <math.h>

cop_status cop_evaluator_measure(cop_evaluator *evaluator, const cop_unit *unit,
                                 bool (*cancelled)(void *), void *context, float *scores,
                                 bool *finite, cop_error *err)
{
    const cop_likelihood_watch watch = {.cancelled = cancelled, .context = context};
    *finite = true;
    COP_TRY(cop_evaluator_apply(evaluator, 0, unit->recipe, err));
    cop_likelihood *const measured = cop_memory_alloc(unit->count, sizeof *measured, err);
    if (measured == NULL) return COP_ERR_MEMORY;
    cop_evaluator_list_prompts(evaluator, unit);
    const cop_status status =
        cop_likelihood_measure(evaluator->model, evaluator->batch_prompts, unit->count,
                               cop_evaluator_window(evaluator), &watch, measured, err);
    for (size_t i = 0; i < unit->count && status == COP_OK; i++) {
        scores[i] = (float)(measured[i].sum / (double)measured[i].tokens);
        if (!isfinite(scores[i])) *finite = false;
    }
    cop_memory_free(measured);
    return status;
}
