/* What a search spends. Only scored units are taken off the budget, and what a later start
 * finds in the run file is the same as what an earlier one has paid for, so that both know the
 * same of what is left whenever they decide. */
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <stdio.h>
#include <string.h>

/* What a phase holds. */
typedef struct holding {
    uint64_t answers, tokens;
} holding;

static bool is_scored(const cop_phase *phase, size_t unit)
{
    return phase->state[unit] == COP_UNIT_OK || phase->state[unit] == COP_UNIT_NOT_FINITE;
}

static holding count_scored(const cop_phase *phase)
{
    holding all = {0};
    for (size_t u = 0; u < phase->row_count * phase->row_units; u++) {
        if (!is_scored(phase, u)) continue;
        all.answers += cop_phase_unit_range(phase, u).count;
        all.tokens += phase->tokens[u];
    }
    return all;
}

/* Answers that the part of a phase is to give. */
static uint64_t count_pending(const cop_phase *phase, size_t first, size_t end)
{
    uint64_t answers = 0;
    for (size_t r = 0; r < phase->row_count; r++) {
        for (size_t u = r * phase->row_units + first; u < r * phase->row_units + end; u++) {
            if (phase->state[u] == COP_UNIT_PENDING)
                answers += cop_phase_unit_range(phase, u).count;
        }
    }
    return answers;
}

uint64_t cop_search_count_pending(const cop_phase *phase)
{
    return count_pending(phase, 0, phase->row_units);
}

/* --- the run file --- */

static cop_status set_number(const cop_search *search, const char *name, uint64_t value,
                             const char *unit, const char *meaning, cop_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/budget/%s", name);
    return cop_store_set_i64(search->phases->store, path, (int64_t)value, unit, meaning, err);
}

static cop_status keep_spent(const cop_search *search, cop_error *err)
{
    const cop_budget *const b = &search->budget;
    cop_progress *const progress = search->phases->progress;
    if (!cop_budget_is_set(b)) return COP_OK;
    progress->budget = (cop_progress_budget){.answers = b->answers,
                                             .tokens = b->tokens,
                                             .spent_answers = b->spent_answers,
                                             .spent_tokens = b->spent_tokens};
    COP_TRY(set_number(search, "spent_answers", b->spent_answers, "answers",
                       "that count and were given so far", err));
    return set_number(search, "spent_tokens", b->spent_tokens, "tokens",
                      "generated for them; of the base's with those of units that go on into "
                      "the test set",
                      err);
}

static cop_status keep_column(const cop_search *search, const char *name, cop_store_type type,
                              const void *values, const char *unit, const char *meaning,
                              cop_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/budget/%s", name);
    const cop_store_array array = {
        .type = type, .rank = 1, .shape = {search->step_count}, .data = values};
    return cop_store_set(search->phases->store, path, &array, unit, meaning, err);
}

static cop_status keep_steps(const cop_search *search, cop_error *err)
{
    const size_t n = search->step_count;
    enum { WANTED, MADE, LEFT, NUMBERS };
    enum { PHASE, OF, TEXTS };
    int64_t *const numbers = cop_memory_alloc(n * NUMBERS, sizeof *numbers, err);
    const char **const texts = cop_memory_alloc(n * TEXTS, sizeof *texts, err);
    cop_status status = numbers == NULL || texts == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < n && status == COP_OK; i++) {
        const cop_budget_step *const s = &search->steps[i];
        numbers[WANTED * n + i] = (int64_t)s->wanted;
        numbers[MADE * n + i] = (int64_t)s->made;
        numbers[LEFT * n + i] = (int64_t)s->left;
        texts[PHASE * n + i] = s->path;
        texts[OF * n + i] = s->of;
    }
    COP_TRY_OUT(status);
    COP_TRY_OUT(keep_column(search, "step", COP_STORE_TEXT, texts + PHASE * n, NULL,
                            "phase that the budget was asked for", err));
    COP_TRY_OUT(keep_column(search, "of", COP_STORE_TEXT, texts + OF * n, NULL,
                            "what wanted and made count", err));
    COP_TRY_OUT(keep_column(search, "wanted", COP_STORE_I64, numbers + WANTED * n, NULL,
                            "by the job", err));
    COP_TRY_OUT(keep_column(search, "made", COP_STORE_I64, numbers + MADE * n, NULL,
                            "with what the budget had left", err));
    COP_TRY_OUT(keep_column(search, "left", COP_STORE_I64, numbers + LEFT * n, "answers",
                            "that what was left covered before, however long they were", err));
out:
    cop_memory_free(texts);
    cop_memory_free(numbers);
    return status;
}

/* --- spending --- */

cop_status cop_search_run_part(cop_search *search, cop_phase *phase, size_t first, size_t end,
                               cop_error *err)
{
    const uint64_t left = cop_budget_left(&search->budget);
    const uint64_t pending = count_pending(phase, first, end);
    const holding before = count_scored(phase);
    COP_CHECK(pending <= left, err, COP_ERR_INTERNAL,
              "%s is to take %llu answers, and the budget has room for %llu", phase->path,
              (unsigned long long)pending, (unsigned long long)left);
    COP_TRY(cop_phase_run_part(search->phases, phase, first, end, err));
    const holding after = count_scored(phase);
    cop_budget_spend(&search->budget, after.answers - before.answers,
                     after.tokens - before.tokens);
    return keep_spent(search, err);
}

cop_status cop_search_run_phase(cop_search *search, cop_phase *phase, cop_error *err)
{
    return cop_search_run_part(search, phase, 0, phase->row_units, err);
}

cop_status cop_search_spend_base(cop_search *search, const cop_phase *base, size_t examples,
                                 cop_error *err)
{
    uint64_t tokens = 0;
    for (size_t u = 0; u < base->row_units; u++) {
        if (cop_phase_unit_range(base, u).first < examples) tokens += base->tokens[u];
    }
    cop_budget_spend(&search->budget, examples, tokens);
    return keep_spent(search, err);
}

cop_status cop_search_note_step(cop_search *search, const char *path, const char *of,
                                size_t wanted, size_t made, uint64_t left, cop_error *err)
{
    if (!cop_budget_is_set(&search->budget)) return COP_OK;
    COP_GROW(search->steps, search->step_capacity, search->step_count + 1, err);
    cop_budget_step *const s = &search->steps[search->step_count++];
    *s = (cop_budget_step){.of = of, .wanted = wanted, .made = made, .left = left};
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    cop_log_write(search->phases->log, COP_LOG_INFO,
                  "budget: %s: %zu of %zu %s, with %llu answers left", path, made, wanted, of,
                  (unsigned long long)left);
    if (made < wanted)
        cop_progress_print(search->phases->progress,
                           "  budget: %zu of %zu %s; there was room for %llu answers", made,
                           wanted, of, (unsigned long long)left);
    return keep_steps(search, err);
}
