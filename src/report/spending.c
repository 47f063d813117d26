#include "report/spending.h"

#include "report/run_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends "19840 of 20000 answers". */
static cop_status describe(uint64_t limit, uint64_t spent, const char *of, cop_text *text,
                           cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "%" PRIu64, spent));
    if (limit > 0) COP_TRY(cop_text_format(text, err, " of %" PRIu64, limit));
    return cop_text_format(text, err, " %s", of);
}

cop_status cop_spending_describe(uint64_t answers, uint64_t spent_answers, uint64_t tokens,
                                 uint64_t spent_tokens, cop_text *text, cop_error *err)
{
    COP_TRY(describe(answers, spent_answers, "answers", text, err));
    COP_TRY(cop_text_append(text, ", ", 2, err));
    return describe(tokens, spent_tokens, "tokens", text, err);
}

/* A limit of the job, 0: none. */
static uint64_t limit_of(const cop_store *store, const char *path)
{
    const char *const text = cop_store_get_text(store, path);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* The steps that the job wanted more of. */
static cop_status print_steps(const cop_store *store, cop_text *text, cop_error *err)
{
    const cop_store_array *const step =
        cop_run_file_column(store, "/budget/step", COP_STORE_TEXT, 0);
    const size_t count = step == NULL ? 0 : (size_t)step->shape[0];
    const cop_store_array *const of =
        cop_run_file_column(store, "/budget/of", COP_STORE_TEXT, count);
    const cop_store_array *const wanted =
        cop_run_file_column(store, "/budget/wanted", COP_STORE_I64, count);
    const cop_store_array *const made =
        cop_run_file_column(store, "/budget/made", COP_STORE_I64, count);
    const cop_store_array *const left =
        cop_run_file_column(store, "/budget/left", COP_STORE_I64, count);
    if (of == NULL || wanted == NULL || made == NULL || left == NULL) return COP_OK;
    for (size_t i = 0; i < count; i++) {
        const int64_t most = ((const int64_t *)wanted->data)[i];
        const int64_t taken = ((const int64_t *)made->data)[i];
        if (taken >= most) continue;
        COP_TRY(cop_text_format(
            text, err,
            "  %-32s %" PRId64 " of %" PRId64 " %s; there was room for %" PRId64 " answers\n",
            ((const char *const *)step->data)[i], taken, most,
            ((const char *const *)of->data)[i], ((const int64_t *)left->data)[i]));
    }
    return COP_OK;
}

cop_status cop_spending_print(const cop_store *store, cop_text *text, cop_error *err)
{
    int64_t answers = 0;
    int64_t tokens = 0;
    if (!cop_store_get_i64(store, "/budget/spent_answers", &answers) ||
        !cop_store_get_i64(store, "/budget/spent_tokens", &tokens))
        return COP_OK;
    COP_TRY(cop_text_format(text, err, "\n  budget: "));
    COP_TRY(cop_spending_describe(limit_of(store, "/job/keys/budget.answers"),
                                  (uint64_t)answers, limit_of(store, "/job/keys/budget.tokens"),
                                  (uint64_t)tokens, text, err));
    COP_TRY(cop_text_append(text, " spent\n", 7, err));
    return print_steps(store, text, err);
}
