/* What changed between two models, by their answers to the same examples. */
#include "coppice/report/comparison.h"

#include "coppice/base/memory.h"
#include "coppice/search/search.h"

#include <assert.h>
#include <math.h>

enum { RESAMPLES = 10000 }; /* as the final table of a run has */

static cop_side_figures measure(const cop_side *side, size_t count)
{
    cop_side_figures f = {0};
    for (size_t i = 0; i < count; i++) {
        const bool right = side->correct[i];
        const bool formed = side->formed[i] == COP_FORMED;
        f.right += right;
        f.reward += (double)side->rewards[i];
        f.tokens += (double)side->lengths[i];
        if (side->formed[i] == COP_FORMED_UNKNOWN) continue;
        f.judged++;
        f.formed += formed;
        f.formed_right += formed && right;
        f.unformed_right += !formed && right;
    }
    f.accuracy = (double)f.right / (double)count;
    f.reward /= (double)count;
    f.tokens /= (double)count;
    cop_stats_wilson(f.right, count, 0.95, &f.accuracy_95.low, &f.accuracy_95.high);
    return f;
}

/* Of example i, which `right` has right and `wrong` has not. */
static void add_cause(const cop_side *right, const cop_side *wrong, size_t i, cop_cause *cause)
{
    if (wrong->formed[i] == COP_FORMED) {
        cause->content++;
    } else if (wrong->formed[i] == COP_FORMED_NOT && right->formed[i] == COP_FORMED) {
        cause->form++;
    } else {
        cause->other++;
    }
}

cop_status cop_comparison_make(const cop_side *base, const cop_side *result, size_t count,
                               uint64_t seed, cop_comparison *comparison, cop_error *err)
{
    const cop_bootstrap how = {RESAMPLES, 0.95, seed};
    cop_comparison c = {.examples = count};
    assert(count > 0);
    double *const gains = cop_memory_alloc(count, sizeof *gains, err);
    if (gains == NULL) return COP_ERR_MEMORY;
    c.base = measure(base, count);
    c.result = measure(result, count);
    for (size_t i = 0; i < count; i++) {
        gains[i] = (double)result->correct[i] - (double)base->correct[i];
        if (gains[i] > 0) add_cause(result, base, i, &c.fixed);
        if (gains[i] < 0) add_cause(base, result, i, &c.broken);
    }
    c.gain = cop_stats_mean(gains, count);
    c.test = cop_compare_mcnemar_counts(c.fixed.content + c.fixed.form + c.fixed.other,
                                        c.broken.content + c.broken.form + c.broken.other);
    const cop_status status = cop_compare_bootstrap(gains, 1, count, &how, &c.gain_95, err);
    cop_memory_free(gains);
    *comparison = c;
    return status;
}

static double share(size_t part, size_t whole)
{
    return whole == 0 ? NAN : (double)part / (double)whole;
}

double cop_comparison_form_share(const cop_side_figures *side)
{
    return share(side->formed, side->judged);
}

double cop_comparison_content_share(const cop_side_figures *side)
{
    return share(side->formed_right, side->formed);
}

size_t cop_agreement_prefix(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count)
{
    const size_t most = a_count < b_count ? a_count : b_count;
    size_t same = 0;
    while (same < most && a[same] == b[same])
        same++;
    return same;
}

void cop_agreement_add(cop_agreement *agreement, bool identical, size_t prefix,
                       size_t base_tokens)
{
    agreement->prompts++;
    agreement->identical += identical;
    agreement->prefix += (double)prefix;
    agreement->base_tokens += (double)base_tokens;
}
