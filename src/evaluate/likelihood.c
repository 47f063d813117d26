/* Passages to windows, windows to the model, as many side by side as it takes. */
#include "coppice/evaluate/likelihood.h"

#include "coppice/base/memory.h"

#include <assert.h>

/* Windows in the making. */
typedef struct likelihood_pass {
    cop_model *model;
    size_t window, batch;
    const cop_likelihood_watch *watch; /* NULL: nobody */
    cop_prompt *windows;               /* [batch] */
    size_t *owners;                    /* [batch] passage of each */
    cop_generation *made;              /* [batch] */
    size_t waiting;                    /* windows that are not measured yet */
    size_t done;                       /* tokens that count */
} likelihood_pass;

size_t cop_likelihood_count_windows(size_t tokens, size_t window)
{
    assert(window >= 2);
    const size_t counting = tokens > 0 ? tokens - 1 : 0;
    return (counting + window - 2) / (window - 1);
}

static bool is_cancelled(void *context)
{
    const likelihood_pass *const p = context;
    return p->watch->cancelled(p->watch->context);
}

/* Measures the windows that wait. */
static cop_status flush(likelihood_pass *p, cop_likelihood *measured, cop_error *err)
{
    const bool polls = p->watch != NULL && p->watch->cancelled != NULL;
    const cop_generate_options options = {
        .want_logits = true,
        .cancelled = polls ? is_cancelled : NULL,
        .cancelled_context = p,
    };
    if (p->waiting == 0) return COP_OK;
    COP_TRY(cop_model_generate(p->model, p->windows, p->waiting, &options, p->made, err));
    for (size_t i = 0; i < p->waiting; i++) {
        measured[p->owners[i]].sum += p->made[i].prompt_log_probability;
        p->done += p->windows[i].count - 1;
        cop_generation_free(&p->made[i]);
    }
    p->waiting = 0;
    if (p->watch != NULL && p->watch->done != NULL) p->watch->done(p->watch->context, p->done);
    return COP_OK;
}

/* Adds the windows of passage `index`. */
static cop_status add_passage(likelihood_pass *p, const cop_prompt *passage, size_t index,
                              cop_likelihood *measured, cop_error *err)
{
    measured[index] = (cop_likelihood){.tokens = passage->count > 0 ? passage->count - 1 : 0};
    for (size_t start = 0; start + 1 < passage->count; start += p->window - 1) {
        const size_t left = passage->count - start;
        p->owners[p->waiting] = index;
        p->windows[p->waiting++] = (cop_prompt){.ids = passage->ids + start,
                                                .count = left < p->window ? left : p->window};
        if (p->waiting == p->batch) COP_TRY(flush(p, measured, err));
    }
    return COP_OK;
}

cop_status cop_likelihood_measure(cop_model *model, const cop_prompt *passages, size_t count,
                                  size_t window, const cop_likelihood_watch *watch,
                                  cop_likelihood *measured, cop_error *err)
{
    likelihood_pass p = {
        .model = model, .window = window, .batch = cop_model_batch(model), .watch = watch};
    assert(window >= 2);
    p.windows = cop_memory_alloc(p.batch, sizeof *p.windows, err);
    p.owners = cop_memory_alloc(p.batch, sizeof *p.owners, err);
    p.made = cop_memory_alloc(p.batch, sizeof *p.made, err);
    cop_status status =
        p.windows == NULL || p.owners == NULL || p.made == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++)
        status = add_passage(&p, &passages[i], i, measured, err);
    if (status == COP_OK) status = flush(&p, measured, err);
    cop_memory_free(p.windows);
    cop_memory_free(p.owners);
    cop_memory_free(p.made);
    return status;
}
