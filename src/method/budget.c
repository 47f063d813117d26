/* What a budget leaves of a round: whole numbers of answers, and nothing but arithmetic, so
 * that the plan before a search and the search itself decide by the same functions. */
#include "coppice/method/budget.h"

#include "coppice/method/method.h"
#include "coppice/search/operators.h"

#include <assert.h>
#include <string.h>

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* a - b, or 0. */
static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* --- the budget --- */

cop_budget cop_budget_of(const cop_job *job)
{
    return (cop_budget){.answers = (uint64_t)job->budget.answers,
                        .tokens = (uint64_t)job->budget.tokens,
                        .answer_tokens = (uint64_t)job->generation.max_new_tokens};
}

bool cop_budget_is_set(const cop_budget *budget)
{
    return budget->answers > 0 || budget->tokens > 0;
}

uint64_t cop_budget_left(const cop_budget *budget)
{
    uint64_t left = UINT64_MAX;
    if (budget->answers > 0) left = minus(budget->answers, budget->spent_answers);
    if (budget->tokens > 0) {
        const uint64_t tokens = minus(budget->tokens, budget->spent_tokens);
        left = least_of(left, tokens / budget->answer_tokens);
    }
    return left;
}

uint64_t cop_budget_left_beside(const cop_budget *budget, uint64_t owed)
{
    return cop_budget_is_set(budget) ? minus(cop_budget_left(budget), owed) : UINT64_MAX;
}

void cop_budget_spend(cop_budget *budget, uint64_t answers, uint64_t tokens)
{
    if (__builtin_add_overflow(budget->spent_answers, answers, &budget->spent_answers))
        budget->spent_answers = UINT64_MAX;
    if (__builtin_add_overflow(budget->spent_tokens, tokens, &budget->spent_tokens))
        budget->spent_tokens = UINT64_MAX;
}

void cop_budget_of_base(const cop_job *job, uint64_t *answers, uint64_t *tokens)
{
    const uint64_t batch = (uint64_t)job->backend.batch;
    const uint64_t search =
        (uint64_t)(job->splits.support + job->splits.probe + job->splits.validate);
    const uint64_t units = (search + batch - 1) / batch;
    const uint64_t guards = cop_budget_of_guards(job);
    *answers = search + guards;
    *tokens = (least_of(units * batch, search + (uint64_t)job->splits.test) + guards) *
              (uint64_t)job->generation.max_new_tokens;
}

/* --- rounds as the job wants them --- */

uint64_t cop_budget_of_guards(const cop_job *job)
{
    uint64_t count = 0;
    for (size_t g = 0; g < job->guard.count; g++)
        count += (uint64_t)job->guard.data[g].examples;
    return count;
}

/* Most directions that the job's operators find in one population. */
static size_t count_directions(const cop_job *job)
{
    size_t count = 0;
    for (size_t i = 0; i < job->consolidate.operators.count; i++) {
        const bool has_grid = strcmp(job->consolidate.operators.data[i], "two-pass") == 0;
        count += has_grid ? job->consolidate.q.count * job->consolidate.beta.count : 1;
    }
    return count;
}

/* How often the largest of the steps can be doubled up to max_scale; only steps above `above`
 * are. */
static size_t count_doublings(const cop_job *job, const cop_job_numbers *steps, double above)
{
    double largest = 0;
    size_t count = 0;
    for (size_t i = 0; i < steps->count; i++)
        largest = steps->data[i] > largest ? steps->data[i] : largest;
    while (largest > above && largest * 2 <= job->consolidate.max_scale) {
        largest *= 2;
        count++;
    }
    return count;
}

size_t cop_budget_es_tries(const cop_job *job, uint64_t left)
{
    const uint64_t one = (uint64_t)job->splits.validate + cop_budget_of_guards(job);
    const uint64_t wanted = job->guard.count > 0 ? (uint64_t)job->gate.tries : 1;
    return (size_t)most_of(least_of(wanted, left / one), 1);
}

cop_round cop_round_of_population(const cop_method *method, const cop_job *job)
{
    const uint64_t probe = (uint64_t)job->splits.probe;
    const uint64_t validate = (uint64_t)job->splits.validate;
    cop_round round = {.candidate = (uint64_t)job->splits.support,
                       .candidates = (size_t)job->population.size,
                       .judges = job->splits.drop_uninformative ? cop_job_judges(job) : 0,
                       .paired = job->population.antithetic};
    if (method->proposes) {
        round.direction = probe * job->consolidate.scale.count;
        round.directions = count_directions(job);
        round.doubling = probe;
        round.doublings = count_doublings(job, &job->consolidate.scale, 0);
        round.gate = validate + cop_budget_of_guards(job);
        round.tries = (size_t)job->gate.tries;
    } else if (method->is_gated) { /* the iterate on probe, and at the end the gate */
        round.rest = probe + validate + cop_budget_of_guards(job);
    }
    return round;
}

cop_round cop_round_of_later(const cop_method *method, const cop_job *job)
{
    cop_round round = cop_round_of_population(method, job);
    round.judges = 0;
    return round;
}

cop_round cop_round_of_recentring(const cop_job *job)
{
    const uint64_t support = (uint64_t)job->splits.support;
    const uint64_t probe = (uint64_t)job->splits.probe;
    const uint64_t validate = (uint64_t)job->splits.validate + cop_budget_of_guards(job);
    const size_t steps = job->recenter.step.count;
    return (cop_round){.first = support,
                       .candidate = support,
                       .candidates = (size_t)job->recenter.size,
                       .direction = support * steps,
                       .directions = count_directions(job),
                       .gate = validate,
                       .tries = (size_t)job->gate.tries,
                       .rest = (steps + 1) * probe + validate,
                       .line = probe,
                       .line_steps = count_doublings(job, &job->recenter.step, 1)};
}

size_t cop_round_count_recentring(const cop_method *method, const cop_job *job)
{
    const uint64_t ends = (uint64_t)job->recenter.accepts * (uint64_t)job->recenter.patience;
    return method->recentres ? (size_t)least_of((uint64_t)job->recenter.rounds, ends) : 0;
}

/* --- what is made of a round --- */

size_t cop_round_least_candidates(const cop_round *round)
{
    uint64_t least = most_of(round->judges, COP_ROUND_LEAST);
    if (round->paired) least += least % 2;
    return (size_t)least_of(round->candidates, least);
}

/* What follows the candidates, at least and as the job wants it. */
static uint64_t least_later(const cop_round *round)
{
    return (round->directions > 0 ? round->direction + round->gate : 0) + round->rest;
}

static uint64_t all_later(const cop_round *round)
{
    return round->directions * round->direction + round->tries * round->gate + round->rest;
}

uint64_t cop_round_least(const cop_round *round)
{
    return round->first + cop_round_least_candidates(round) * round->candidate +
           least_later(round);
}

size_t cop_round_replacements(const cop_round *round, uint64_t left, size_t pool)
{
    const uint64_t room = minus(left, cop_round_least(round)) / 2 / (round->judges + 1);
    return (size_t)least_of(least_of(room, pool), round->candidate);
}

uint64_t cop_round_reserve(const cop_round *round, uint64_t left)
{
    const uint64_t all = all_later(round);
    const uint64_t least = round->first + cop_round_least_candidates(round) * round->candidate;
    if (left == UINT64_MAX) return all;
    const uint64_t share = least_of(left / 2, minus(left, least));
    return least_of(all, most_of(share, least_later(round)));
}

size_t cop_round_candidates(const cop_round *round, uint64_t left, uint64_t reserve,
                            size_t scored)
{
    const size_t missing = round->candidates - scored;
    const uint64_t first = scored == 0 ? round->first : 0;
    assert(scored <= round->candidates);
    if (left == UINT64_MAX) return missing;
    uint64_t room = minus(left, reserve + first) / round->candidate;
    if (room >= missing) return missing;
    if (round->paired && room > 0) room -= (scored + room) % 2;
    /* Each more is a phase that ranks wait for the end of. */
    const uint64_t least = scored == 0 ? cop_round_least_candidates(round) : scored / 16;
    return room < least ? 0 : (size_t)room;
}

size_t cop_round_directions(const cop_round *round, uint64_t left, size_t found, size_t tried)
{
    const size_t missing = found - tried;
    const uint64_t gate = round->tries * round->gate;
    assert(tried <= found);
    if (left == UINT64_MAX) return missing;
    uint64_t room = minus(left, gate + round->rest) / round->direction;
    if (room == 0 && tried == 0) /* rather fewer tries than nothing to try */
        room = least_of(minus(left, round->gate + round->rest) / round->direction, 1);
    return (size_t)least_of(room, missing);
}

bool cop_round_may_double(const cop_round *round, uint64_t left, size_t tried)
{
    return minus(left, round->tries * round->gate + round->rest) >= tried * round->doubling;
}

size_t cop_round_tries(const cop_round *round, uint64_t left)
{
    return (size_t)least_of(minus(left, round->rest) / round->gate, round->tries);
}

bool cop_round_may_extend_line(const cop_round *round, uint64_t left)
{
    return left >= round->line + round->gate;
}
