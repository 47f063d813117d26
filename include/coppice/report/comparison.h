/** \file comparison.h
 * What changed: two models' answers to the same examples, side by side. Pure functions of
 * arrays; M examples.
 */
#ifndef COPPICE_REPORT_COMPARISON_H
#define COPPICE_REPORT_COMPARISON_H

#include "coppice/base/text.h"
#include "coppice/search/compare.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether an answer has the form that its task wants. */
enum { COP_FORMED_UNKNOWN = -1, COP_FORMED_NOT, COP_FORMED };

/** What one model answered, [M] each; not owned. */
typedef struct cop_side {
    const bool *correct;
    const float *rewards;
    const int8_t *formed;    /**< one of the above; unknown where no form is wanted */
    const uint32_t *lengths; /**< in tokens */
} cop_side;

/** One model's figures. */
typedef struct cop_side_figures {
    size_t right;
    double accuracy;
    cop_interval accuracy_95; /**< Wilson's */
    double reward;            /**< mean */
    double tokens;            /**< of an answer, mean */
    size_t judged;            /**< answers of which is known whether they have the form */
    size_t formed;            /**< of these, that have it */
    size_t formed_right;      /**< of those, right: form and content */
    size_t unformed_right;    /**< right without it: content alone */
} cop_side_figures;

/** Of the examples that are right by one model only, what the other lacked. */
typedef struct cop_cause {
    size_t content; /**< it had the form, and something wrong in it */
    size_t form;    /**< it had no form, which the right answer has */
    size_t other;   /**< the right answer has none either, or nothing is known of forms */
} cop_cause;

/** Base and result. */
typedef struct cop_comparison {
    size_t examples;
    cop_side_figures base, result;
    double gain;          /**< accuracy of result minus base */
    cop_interval gain_95; /**< paired bootstrap */
    cop_mcnemar test;     /**< gained: fixed; lost: broken */
    cop_cause fixed, broken;
} cop_comparison;

/** Compares answers to [count >= 1] examples; `seed` is that of the bootstrap. */
cop_status cop_comparison_make(const cop_side *base, const cop_side *result, size_t count,
                               uint64_t seed, cop_comparison *comparison, cop_error *err);

/** The share of answers in the right form, and of these that are right; NaN where there are
 *  none. */
double cop_comparison_form_share(const cop_side_figures *side);
double cop_comparison_content_share(const cop_side_figures *side);

/** How far two models say the same to prompts that have nothing to do with the task. All zero
 *  at the start. */
typedef struct cop_agreement {
    size_t prompts;
    size_t identical;   /**< answers, in every character */
    bool other_words;   /**< the models have different tokenizers: no prefix is known */
    double prefix;      /**< common tokens at the beginning, sum over prompts */
    double base_tokens; /**< of the base's answers, sum */
} cop_agreement;

/** Tokens that a [a_count] and b [b_count] have in common from their beginning on. */
size_t cop_agreement_prefix(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count);

/** Adds one prompt: whether the answers are the same, tokens in common, the base's tokens. */
void cop_agreement_add(cop_agreement *agreement, bool identical, size_t prefix,
                       size_t base_tokens);

/** Appends the figures for people, as lines. `agreement` may be NULL. */
cop_status cop_comparison_print(const cop_comparison *comparison,
                                const cop_agreement *agreement, cop_text *text, cop_error *err);

/** The same as an object; NULL where there is no memory. */
json_t *cop_comparison_json(const cop_comparison *comparison, const cop_agreement *agreement);

#endif
