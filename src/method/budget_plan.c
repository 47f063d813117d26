/* The plan of a search: the search itself, with answers counted instead of given. */
#include "coppice/method/budget.h"

#include "coppice/method/method.h"

#include <inttypes.h>

/* A search in numbers. */
typedef struct planner {
    const cop_method *method;
    const cop_job *job;
    size_t pool; /* examples that no split uses */
    cop_budget budget;
    cop_plan *plan;
} planner;

static uint64_t left(const planner *p)
{
    return cop_budget_left(&p->budget);
}

/* Takes answers, as long as can be; gives their number. */
static uint64_t spend(planner *p, uint64_t answers)
{
    uint64_t tokens = 0;
    if (__builtin_mul_overflow(answers, p->budget.answer_tokens, &tokens)) tokens = UINT64_MAX;
    cop_budget_spend(&p->budget, answers, tokens);
    return answers;
}

static void spend_base(planner *p)
{
    uint64_t answers = 0;
    uint64_t tokens = 0;
    cop_budget_of_base(p->job, &answers, &tokens);
    cop_budget_spend(&p->budget, answers, tokens);
    p->plan->guards = cop_budget_of_guards(p->job);
    p->plan->base = answers - p->plan->guards;
}

/* Takes the answers of so many tries at the gate; gives those that guards have no part in. */
static uint64_t spend_gate(planner *p, size_t tries)
{
    const uint64_t guards = tries * cop_budget_of_guards(p->job);
    p->plan->guards += guards;
    (void)spend(p, guards);
    return spend(p, tries * (uint64_t)p->job->splits.validate);
}

/* Candidates of a round of which `scored` are, 0: it is not made. */
static size_t spend_candidates(planner *p, const cop_round *round, size_t scored,
                               uint64_t *answers)
{
    const uint64_t now = left(p);
    const uint64_t reserve = cop_round_reserve(round, now);
    const size_t count = cop_round_candidates(round, now, reserve, scored);
    if (count > 0) *answers += spend(p, round->first + count * round->candidate);
    return scored + count;
}

/* Those who decide about examples answer them, then with the base what comes for them. */
static void spend_screen(planner *p, const cop_round *round)
{
    if (round->judges == 0) return;
    p->plan->populations += spend(p, round->judges * round->candidate);
    p->plan->replacements =
        spend(p, cop_round_replacements(round, left(p), p->pool) * (round->judges + 1));
}

/* What follows the candidates; the parts are those of this round. */
static uint64_t spend_proposals(planner *p, const cop_round *round, cop_plan_part *directions,
                                cop_plan_part *doublings, cop_plan_part *tries)
{
    const size_t tried = cop_round_directions(round, left(p), round->directions, 0);
    uint64_t answers = spend(p, tried * round->direction);
    size_t doubled = 0;
    while (doubled < round->doublings && cop_round_may_double(round, left(p), tried)) {
        answers += spend(p, tried * round->doubling);
        doubled++;
    }
    const size_t passed = cop_round_tries(round, left(p));
    answers += spend_gate(p, passed);
    *directions = (cop_plan_part){round->directions, tried};
    *doublings = (cop_plan_part){round->doublings, doubled};
    *tries = (cop_plan_part){round->tries, passed};
    return answers;
}

static void spend_populations(planner *p)
{
    cop_plan *const plan = p->plan;
    cop_round round = cop_round_of_population(p->method, p->job);
    plan->rounds.wanted = p->method->population_count(p->job);
    plan->candidates.wanted = round.candidates;
    spend_screen(p, &round);
    for (size_t k = 0; k < plan->rounds.wanted; k++) {
        cop_plan_part directions;
        cop_plan_part doublings;
        cop_plan_part tries;
        if (k > 0) round = cop_round_of_later(p->method, p->job);
        const size_t count = spend_candidates(p, &round, round.judges, &plan->populations);
        if (count == 0) break;
        plan->rounds.made++;
        plan->last_candidates = count;
        if (k == 0) plan->candidates.made = count;
        if (p->method->proposes) {
            plan->consolidation += spend_proposals(p, &round, &directions, &doublings, &tries);
            if (k > 0) continue;
            plan->directions = directions;
            plan->doublings = doublings;
            plan->tries = tries;
        } else if (p->method->is_gated) {
            plan->consolidation += spend(p, (uint64_t)p->job->splits.probe);
        }
    }
    if (p->method->is_gated && !p->method->proposes)
        plan->consolidation += spend_gate(p, cop_budget_es_tries(p->job, left(p)));
}

static void spend_recentring(planner *p)
{
    cop_plan *const plan = p->plan;
    const cop_round round = cop_round_of_recentring(p->job);
    plan->recentrings.wanted = cop_round_count_recentring(p->method, p->job);
    plan->local.wanted = round.candidates;
    for (size_t k = 0; k < plan->recentrings.wanted; k++) {
        cop_plan_part ignored;
        const size_t count = spend_candidates(p, &round, 0, &plan->recentring);
        if (count == 0) break;
        plan->recentrings.made++;
        plan->local.made = count;
        plan->recentring += spend_proposals(p, &round, &ignored, &ignored, &ignored);
        plan->recentring += spend(p, round.rest - round.gate);
        for (size_t i = 0; i < round.line_steps && cop_round_may_extend_line(&round, left(p));
             i++)
            plan->recentring += spend(p, round.line);
        plan->recentring += spend_gate(p, 1);
    }
}

/* Refuses a budget, naming the least one. */
static cop_status check_least(const planner *p, cop_error *err)
{
    const cop_round round = cop_round_of_population(p->method, p->job);
    const cop_budget *const b = &p->budget;
    uint64_t base = 0;
    uint64_t base_tokens = 0;
    cop_budget_of_base(p->job, &base, &base_tokens);
    const uint64_t judges = round.judges * round.candidate;
    const uint64_t least = judges + cop_round_least(&round);
    const uint64_t answers = base + least;
    const uint64_t tokens = base_tokens + least * b->answer_tokens;
    const size_t candidates = cop_round_least_candidates(&round);
    const bool short_of_answers = b->answers > 0 && b->answers < answers;
    COP_CHECK(
        !short_of_answers && (b->tokens == 0 || b->tokens >= tokens), err, COP_ERR_CONFIG,
        "budget.%s: %" PRIu64 " are too few: this search needs %" PRIu64
        " at least, for %" PRIu64 " answers of the base, %zu candidates of %" PRIu64
        " each%s and %" PRIu64 " answers on probe and validate%s%s%s; give more, or make "
        "splits smaller",
        short_of_answers ? "answers" : "tokens", short_of_answers ? b->answers : b->tokens,
        short_of_answers ? answers : tokens, base, candidates, round.candidate,
        candidates < round.candidates ? ", fewer being no population," : "",
        least - candidates * round.candidate, p->job->guard.count > 0 ? " and for guards" : "",
        judges > 0 ? " and of those who decide which examples say nothing" : "",
        short_of_answers ? "" : ", all as long as generation.max_new_tokens lets them be");
    return COP_OK;
}

/* What does not go together. */
static cop_status check_together(const cop_method *method, const cop_job *job, cop_error *err)
{
    if (job->population.race == 0) return COP_OK;
    COP_CHECK(!method->is_gated, err, COP_ERR_CONFIG,
              "population.race: method %s needs all scores of its candidates; leave it out, or "
              "set method: randopt (consolidate.race and recenter.race are for proposals)",
              method->name);
    COP_CHECK(!job->analysis.split_half, err, COP_ERR_CONFIG,
              "population.race: the split-half analysis needs all scores of the candidates; "
              "set analysis.split_half: false");
    COP_CHECK(!job->splits.drop_uninformative, err, COP_ERR_CONFIG,
              "population.race: candidates that decide about examples answer all of support; "
              "leave splits.drop_uninformative out");
    return COP_OK;
}

cop_status cop_plan_make(const cop_method *method, const cop_job *job, const cop_budget *budget,
                         size_t pool, cop_plan *plan, cop_error *err)
{
    planner p = {.method = method, .job = job, .pool = pool, .budget = *budget, .plan = plan};
    *plan = (cop_plan){0};
    COP_TRY(check_together(method, job, err));
    COP_TRY(check_least(&p, err));
    spend_base(&p);
    spend_populations(&p);
    spend_recentring(&p);
    plan->spent = p.budget;
    return COP_OK;
}

/* --- for people and scripts --- */

/* Answers of a budget that the plan has no use for, but the search may have: where a race or a
 * step not taken leaves room. */
static uint64_t count_spare(const cop_budget *spent, const cop_budget *whole)
{
    const uint64_t most = spent->answers > 0 && spent->answers < whole->spent_answers
                              ? spent->answers
                              : whole->spent_answers;
    return most - spent->spent_answers;
}

/* A job's search within its budget of answers: of how many a budget of tokens is nobody knows.
 */
static cop_status plan_answers(const cop_job *job, size_t pool, const cop_method **method,
                               cop_plan *plan, cop_error *err)
{
    cop_budget budget = cop_budget_of(job);
    budget.tokens = 0;
    COP_TRY(cop_method_find(job->method, method, err));
    return cop_plan_make(*method, job, &budget, pool, plan, err);
}

/* The same without any budget. */
static cop_status plan_whole(const cop_job *job, size_t pool, const cop_method *method,
                             cop_plan *whole, cop_error *err)
{
    const cop_budget none = {.answer_tokens = cop_budget_of(job).answer_tokens};
    return cop_plan_make(method, job, &none, pool, whole, err);
}

cop_status cop_plan_print_work(const cop_job *job, uint64_t test, size_t pool, cop_text *text,
                               cop_error *err)
{
    const cop_method *method = NULL;
    cop_plan plan;
    cop_plan whole;
    COP_TRY(plan_answers(job, pool, &method, &plan, err));
    COP_TRY(plan_whole(job, pool, method, &whole, err));
    COP_TRY(cop_text_format(text, err, "base %" PRIu64 ", population%s %" PRIu64,
                            plan.base + (uint64_t)job->splits.test,
                            method->population_count(job) > 1 ? "s" : "", plan.populations));
    if (job->splits.drop_uninformative)
        COP_TRY(cop_text_format(text, err, ", replacements %" PRIu64, plan.replacements));
    if (method->is_gated)
        COP_TRY(cop_text_format(text, err, ", %s %" PRIu64,
                                method->proposes ? "consolidation" : "iterates",
                                plan.consolidation));
    if (method->recentres)
        COP_TRY(cop_text_format(text, err, ", recentring %" PRIu64, plan.recentring));
    if (plan.guards > 0) COP_TRY(cop_text_format(text, err, ", guards %" PRIu64, plan.guards));
    const uint64_t spare = count_spare(&plan.spent, &whole.spent);
    if (spare > 0) COP_TRY(cop_text_format(text, err, ", spare %" PRIu64, spare));
    return cop_text_format(text, err, ", test %" PRIu64 "\n", test);
}

static cop_status print_limits(const cop_budget *b, const cop_budget *whole, bool guarded,
                               cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_append(text, "budget:", 7, err));
    if (b->answers > 0) COP_TRY(cop_text_format(text, err, " %" PRIu64 " answers", b->answers));
    if (b->tokens > 0)
        COP_TRY(cop_text_format(text, err, "%s %" PRIu64 " tokens", b->answers > 0 ? "," : "",
                                b->tokens));
    COP_TRY(
        cop_text_format(text, err,
                        " for support, probe and validate%s; all of the search takes %" PRIu64
                        " answers at most",
                        guarded ? ", and for guards" : "", whole->spent_answers));
    if (b->tokens > 0)
        COP_TRY(cop_text_format(text, err, ", %" PRIu64 " tokens", whole->spent_tokens));
    return cop_text_append(text, "\n", 1, err);
}

static cop_status print_parts(const cop_method *method, const cop_plan *plan, cop_text *text,
                              cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "budget.population: %zu of %zu candidates",
                            plan->candidates.made, plan->candidates.wanted));
    if (plan->rounds.wanted > 1)
        COP_TRY(cop_text_format(text, err, ", %zu of %zu populations, the last of %zu",
                                plan->rounds.made, plan->rounds.wanted, plan->last_candidates));
    COP_TRY(cop_text_append(text, "\n", 1, err));
    if (method->proposes)
        COP_TRY(cop_text_format(
            text, err,
            "budget.consolidation: %zu of %zu directions, %zu of %zu doublings of their steps, "
            "%zu of %zu tries at the gate\n",
            plan->directions.made, plan->directions.wanted, plan->doublings.made,
            plan->doublings.wanted, plan->tries.made, plan->tries.wanted));
    if (plan->recentrings.wanted == 0) return COP_OK;
    COP_TRY(cop_text_format(text, err, "budget.recentring: %zu of %zu rounds",
                            plan->recentrings.made, plan->recentrings.wanted));
    if (plan->recentrings.made > 0)
        COP_TRY(cop_text_format(text, err, ", the last of %zu of %zu candidates",
                                plan->local.made, plan->local.wanted));
    return cop_text_append(text, "\n", 1, err);
}

cop_status cop_plan_print_screen(const cop_job *job, size_t pool, cop_text *text,
                                 cop_error *err)
{
    const cop_method *method = NULL;
    cop_plan plan;
    if (!job->splits.drop_uninformative) return COP_OK;
    COP_TRY(plan_answers(job, pool, &method, &plan, err));
    const size_t judges = cop_job_judges(job);
    return cop_text_format(
        text, err,
        "splits.drop_uninformative: the first %zu candidates decide; at most %" PRIu64
        " of %" PRId64 " examples of support are replaced, for %" PRIu64 " answers more\n",
        judges, plan.replacements / (judges + 1), job->splits.support, plan.replacements);
}

cop_status cop_plan_print_budget(const cop_job *job, size_t pool, cop_text *text,
                                 cop_error *err)
{
    const cop_method *method = NULL;
    const cop_budget budget = cop_budget_of(job);
    cop_plan plan;
    cop_plan whole;
    if (!cop_budget_is_set(&budget)) return COP_OK;
    COP_TRY(cop_method_find(job->method, &method, err));
    COP_TRY(cop_plan_make(method, job, &budget, pool, &plan, err));
    COP_TRY(plan_whole(job, pool, method, &whole, err));
    COP_TRY(print_limits(&budget, &whole.spent, job->guard.count > 0, text, err));
    if (plan.spent.spent_answers == whole.spent.spent_answers)
        return cop_text_format(text, err, "budget: there is room for all of it\n");
    COP_TRY(print_parts(method, &plan, text, err));
    return cop_text_format(text, err, "budget: so much is certain; what is left on the way%s\n",
                           budget.tokens > 0
                               ? ", by short answers above all, goes to more candidates and "
                                 "directions and to what comes next"
                               : " goes to what comes next");
}
