/** \file likelihood.h
 * How likely a model finds plain text: the log-probability of each of its tokens after those
 * before it.
 *
 * The first token of a passage has nothing before it and does not count; one that the tokenizer
 * puts before a text (begin-of-text) is such a first token. A passage longer than a window is
 * cut into windows of that many tokens, the last one shorter, and each begins with the token
 * that the one before ended in: every token but the passage's first counts once, with what
 * stands before it in its window.
 */
#ifndef COPPICE_EVALUATE_LIKELIHOOD_H
#define COPPICE_EVALUATE_LIKELIHOOD_H

#include "coppice/base/status.h"
#include "coppice/model/model.h"

#include <stdbool.h>
#include <stddef.h>

/** What a passage came to. */
typedef struct cop_likelihood {
    double sum;    /**< of natural logarithms */
    size_t tokens; /**< that count: one less than it has */
} cop_likelihood;

/** Who looks on; either may be NULL. */
typedef struct cop_likelihood_watch {
    bool (*cancelled)(void *context);           /**< true: COP_INTERRUPTED */
    void (*done)(void *context, size_t tokens); /**< so many count now, of all passages */
    void *context;
} cop_likelihood_watch;

/** Windows of a passage of so many tokens; 0 where none counts. `window` is at least 2. */
size_t cop_likelihood_count_windows(size_t tokens, size_t window);

/** Measures passages [count] -> measured [count] with what lane 0 of the model holds, whose
 *  limits let prompts of `window` tokens through. sum is NaN or infinite where logits are not
 *  finite. `watch` may be NULL. */
cop_status cop_likelihood_measure(cop_model *model, const cop_prompt *passages, size_t count,
                                  size_t window, const cop_likelihood_watch *watch,
                                  cop_likelihood *measured, cop_error *err);

#endif
