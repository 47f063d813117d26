/** \file budget.h
 * A budget: the most answers, or tokens, that a search may take (the job's keys budget.*), and
 * what of the search is made where it does not reach for all of it.
 *
 * What counts. Every answer on support, probe, validate and guards, the base's, too; of tokens
 * those that are generated. The test set decides nothing and does not count: not the base's
 * answers to it, nor the baselines' or the result's. The base's tokens are known by unit, so
 * that of a unit with examples of both all count.
 *
 * What is left is known between phases, and is the same in every start: answers and tokens of
 * scored units stand in the run file. A phase begins only if what is left covers it with
 * answers as long as generation.max_new_tokens lets them be; so a budget is never exceeded.
 *
 * The rule. A search is a chain of rounds: candidates on support, proposals made of them, the
 * gate; corp's first one is the population and stage 1, later ones are recentring's. An early
 * round comes before a later one, so it is the last rounds that a small budget leaves out. For
 * a round let L be what is left, in answers, and F what follows its candidates: all its
 * proposals, all tries at the gate, the line search of recentring. F is kept back, but no more
 * than half of L, and the candidates have the rest, as far as the job wants them. With little
 * left one direction at all its steps and one try are kept back at least, and candidates are no
 * fewer than COP_ROUND_LEAST. A round that has no room for so much is not made; the first round
 * must have it, or the job is refused.
 *
 * Judges of examples (splits.drop_uninformative) are the population's first candidates, which
 * the round has at least, should they even have to answer again for logits that are not finite.
 * Replacing examples takes no more than half of what the least search leaves.
 *
 * Then of the directions as many are tried as there is room for beside the gate, each at all
 * its steps: spread evenly over those that were found, the order of their numbers' bits being
 * reversed. Doubling the steps beyond the grid comes last, and only with room for all tries.
 *
 * Where the budget is in tokens answers that are shorter than the longest leave room: then more
 * candidates, and more directions, follow in the same round, up to what the job wants.
 */
#ifndef COPPICE_METHOD_BUDGET_H
#define COPPICE_METHOD_BUDGET_H

#include "coppice/job/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cop_method cop_method; /**< method.h */

/** Fewest candidates of a round, if the job wants so many. */
enum { COP_ROUND_LEAST = 8 };

/** What may be spent, and was. */
typedef struct cop_budget {
    uint64_t answers, tokens; /**< limits; 0: none */
    uint64_t answer_tokens;   /**< most tokens of one answer */
    uint64_t spent_answers, spent_tokens;
} cop_budget;

/** That of a job, with nothing spent. */
cop_budget cop_budget_of(const cop_job *job);

/** True if there is a limit. */
bool cop_budget_is_set(const cop_budget *budget);

/** Answers that what is left covers, however long they are; UINT64_MAX without a limit. */
uint64_t cop_budget_left(const cop_budget *budget);

/** The same, less `owed` answers that come first. */
uint64_t cop_budget_left_beside(const cop_budget *budget, uint64_t owed);

/** Takes something off. */
void cop_budget_spend(cop_budget *budget, uint64_t answers, uint64_t tokens);

/** Answers on what guards hold, of one model: texts count as answers, though they take no
 *  tokens. */
uint64_t cop_budget_of_guards(const cop_job *job);

/** Tries at the gate that es may make when so many answers are left: of its one iterate, of
 * which guards may have it try shorter steps. */
size_t cop_budget_es_tries(const cop_job *job, uint64_t left);

/** The base's part: its answers, those of guards among them, and at most so many tokens. */
void cop_budget_of_base(const cop_job *job, uint64_t *answers, uint64_t *tokens);

/** A round as the job wants it; sizes in answers. */
typedef struct cop_round {
    uint64_t first;     /**< beside the candidates: the centre's */
    uint64_t candidate; /**< of one candidate */
    size_t candidates;  /**< most of them */
    size_t judges;      /**< of these, who decide about examples before */
    bool paired;        /**< two of them belong together */
    uint64_t direction; /**< of one direction at all its steps */
    size_t directions;  /**< most of them; 0: the method makes none */
    uint64_t doubling;  /**< of one direction at one step more */
    size_t doublings;   /**< most of those */
    uint64_t gate;      /**< of one try */
    size_t tries;       /**< most of them */
    uint64_t rest;      /**< what else follows and is always paid for */
    uint64_t line;      /**< of one more step of a line search */
    size_t line_steps;  /**< most of those */
} cop_round;

/** The round of the method's first population, that of a later one, before which nobody decides
 *  about examples, and one of recentring. */
cop_round cop_round_of_population(const cop_method *method, const cop_job *job);
cop_round cop_round_of_later(const cop_method *method, const cop_job *job);
cop_round cop_round_of_recentring(const cop_job *job);

/** Most rounds of recentring that a search can come to. */
size_t cop_round_count_recentring(const cop_method *method, const cop_job *job);

/** Fewest candidates of a round that is made. */
size_t cop_round_least_candidates(const cop_round *round);

/** Answers that the least round takes. */
uint64_t cop_round_least(const cop_round *round);

/** What is kept back of `left` answers for what follows the round's candidates. */
uint64_t cop_round_reserve(const cop_round *round, uint64_t left);

/** Examples of support that may be replaced with `left` answers before the population's round,
 *  each for an answer of every judge and of the base, and by one of the `pool` that no split
 *  uses. */
size_t cop_round_replacements(const cop_round *round, uint64_t left, size_t pool);

/** Candidates to score next where `scored` are, `left` answers are left and `reserve` is kept
 *  back: all that are missing if there is room for them; 0: no more. */
size_t cop_round_candidates(const cop_round *round, uint64_t left, uint64_t reserve,
                            size_t scored);

/** Directions to try next of `found` of which `tried` are. */
size_t cop_round_directions(const cop_round *round, uint64_t left, size_t found, size_t tried);

/** True if `tried` directions may all be tried at one step more. */
bool cop_round_may_double(const cop_round *round, uint64_t left, size_t tried);

/** Tries at the gate that there is room for, at most the job's. */
size_t cop_round_tries(const cop_round *round, uint64_t left);

/** True if a line search may take one more step. */
bool cop_round_may_extend_line(const cop_round *round, uint64_t left);

/** Of something the job wants so many, and so many are made. */
typedef struct cop_plan_part {
    size_t wanted, made;
} cop_plan_part;

/** What a search comes to if all answers are as long as can be, every round moves the centre,
 *  every end of a grid is the best and all who decide about examples have finite logits: the
 *  most that it can take. */
typedef struct cop_plan {
    /** Answers; those on guards apart from the rest. */
    uint64_t base, populations, replacements, consolidation, recentring, guards;
    cop_plan_part rounds;                       /**< populations */
    cop_plan_part candidates;                   /**< of the first population */
    size_t last_candidates;                     /**< of the last one */
    cop_plan_part directions, doublings, tries; /**< of the first round */
    cop_plan_part recentrings;                  /**< rounds of recentring */
    cop_plan_part local;                        /**< candidates of the last one that is made */
    cop_budget spent;                           /**< the budget, after all of it */
} cop_plan;

/** Plans a job's search within a budget, which may be another than the job's. `pool`: examples
 *  that no split uses (cop_splits); SIZE_MAX where that is not known. COP_ERR_CONFIG: the
 * budget is too small, with the least one. */
cop_status cop_plan_make(const cop_method *method, const cop_job *job, const cop_budget *budget,
                         size_t pool, cop_plan *plan, cop_error *err);

/** Appends a line with the answers of each part of a job, at most and within a budget of
 *  answers; `test` are those on the test set, `pool` as above. COP_ERR_CONFIG as above. */
cop_status cop_plan_print_work(const cop_job *job, uint64_t test, size_t pool, cop_text *text,
                               cop_error *err);

/** Appends what a job's budget leaves of the search, in lines that begin with "budget"; nothing
 *  without one. COP_ERR_CONFIG as above. */
cop_status cop_plan_print_budget(const cop_job *job, size_t pool, cop_text *text,
                                 cop_error *err);

/** Appends who decides about examples of support and how many may be replaced, a line; nothing
 *  where none are. COP_ERR_CONFIG as above. */
cop_status cop_plan_print_screen(const cop_job *job, size_t pool, cop_text *text,
                                 cop_error *err);

#endif
