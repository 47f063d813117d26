/* Keys of a job file: the population, what becomes of it, and the gate. */
#include "job/job_keys_table.h"

#include "coppice/noise/noise.h"

static bool is_noise(const char *text)
{
    size_t rank = 0;
    return cop_noise_kind_parse(text, &rank);
}

static const cop_job_key keys[] = {
    {.name = "budget.answers",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(budget.answers),
     .initial = "none",
     .word = "none",
     .least = 1,
     .most = INT64_MAX,
     .unit = "answers",
     .meaning =
         "Most answers that the search may take: all those on support, probe, validate and "
         "guards, the "
         "base's, too. The test set, and so the baselines, do not count. Where not all of the "
         "search has room the last rounds are left out first, then doublings of the steps, "
         "then candidates and directions, each side with half of what is left (jobs/README.md, "
         "Budget); --check prints the plan. A budget below the least that the search needs is "
         "refused."},
    {.name = "budget.tokens",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(budget.tokens),
     .initial = "none",
     .word = "none",
     .least = 1,
     .most = INT64_MAX,
     .unit = "tokens",
     .meaning =
         "The same in tokens that are generated. A phase begins only where there is room for "
         "answers of generation.max_new_tokens each; what shorter ones leave is spent on "
         "more candidates and directions. Both limits may be given, and both hold."},

    {.name = "population.size",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(population.size),
     .initial = "500",
     .least = 1,
     .most = 1000000,
     .unit = "candidates",
     .meaning = "Perturbed models that are scored on the support set (N)."},
    {.name = "population.sigma",
     .type = COP_JOB_NUMBERS,
     .offset = FIELD(population.sigma),
     .initial = "[0.0005, 0.001, 0.002]",
     .low = 1e-12,
     .high = 100,
     .meaning = "Standard deviations of the perturbations, one drawn for each candidate."},
    {.name = "population.seed",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(population.seed),
     .initial = "1",
     .least = 0,
     .most = INT64_MAX,
     .meaning = "Seed of the run: the candidates' seeds and sigmas, and the local ones of "
                "recentring, follow from it."},
    {.name = "population.race",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(population.race),
     .initial = "off",
     .word = "off",
     .least = 2,
     .most = 64,
     .unit = "stages",
     .meaning =
         "Method randopt: candidates race as proposals do (consolidate.race), on support, for "
         "the places that the largest ensemble of baselines.randopt has. Those who leave have "
         "no mean of all support, so what needs one is refused: another method, "
         "analysis.split_half, splits.drop_uninformative."},
    {.name = "population.antithetic",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(population.antithetic),
     .initial = "false",
     .meaning = "Candidates come in pairs: the same noise, added and subtracted."},
    {.name = "population.noise",
     .type = COP_JOB_STRING,
     .offset = FIELD(population.noise),
     .initial = "full",
     .choices = CHOICES("full", "rank-1 to rank-64"),
     .fits = is_noise,
     .meaning = "What is drawn for a matrix: full, a number for each of its weights; rank-4, "
                "say, a product of two thin matrices of so many columns, with the same root "
                "mean square. Models of many candidates are put together many times faster "
                "then. Norms and biases have full noise either way."},
    {.name = "population.scaling",
     .type = COP_JOB_STRING,
     .offset = FIELD(population.scaling),
     .initial = "absolute",
     .choices = CHOICES("absolute", "rms", "spectral", "modular"),
     .meaning = "What a sigma is: absolute, in units of the weights; rms, as a share of each "
                "tensor's own root mean square; spectral, the size of what each tensor's noise "
                "does (of a matrix the spectral norm); modular, the same for the whole model, "
                "shared out over embedding, attention, MLP, head and vectors."},
    {.name = "population.scope",
     .type = COP_JOB_STRINGS,
     .offset = FIELD(population.scope),
     .initial = "[\"*\"]",
     .meaning = "Names of the tensors that are perturbed, with * for any text."},

    {.name = "generation.max_new_tokens",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(generation.max_new_tokens),
     .initial = "256",
     .least = 1,
     .most = 1000000,
     .unit = "tokens",
     .meaning = "Longest answer."},
    {.name = "generation.stop",
     .type = COP_JOB_STRINGS,
     .offset = FIELD(generation.stop),
     .initial = "[]",
     .may_be_empty = true,
     .meaning = "Texts that end an answer, besides the model's own stop tokens."},
    {.name = "generation.stop_decided",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(generation.stop_decided),
     .initial = "true",
     .describes_run = true,
     .meaning =
         "An answer also ends where the task knows that nothing which may follow changes "
         "its reward, and where answers vote what is extracted: tasks order, json, exact "
         "and contains have such a rule. Rewards and votes are the same without it."},
    {.name = "generation.stop_tokens",
     .type = COP_JOB_STRINGS,
     .offset = FIELD(generation.stop_tokens),
     .initial = "[]",
     .may_be_empty = true,
     .meaning = "Tokens that end an answer, by id or text, in place of the model's; [none]: no "
                "token does. The model's are the eos_token_id of generation_config.json or, "
                "without that file, of config.json."},
    {.name = "generation.model_rules",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(generation.model_rules),
     .initial = "true",
     .before = "false",
     .meaning = "generation_config.json's repetition_penalty, no_repeat_ngram_size, "
                "bad_words_ids, min_length, min_new_tokens, suppress_tokens and "
                "begin_suppress_tokens hold, as in transformers (without that file "
                "config.json's); what else it says of choosing tokens is named at the start "
                "and not applied."},
    {.name = "generation.repetition_penalty",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(generation.repetition_penalty),
     .initial = "0",
     .low = 0,
     .high = 1e6,
     .meaning = "Divides the logits above 0 of tokens that prompt or answer have, multiplies "
                "those below; 1: none; 0: the model's."},
    {.name = "generation.no_repeat_ngram_size",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(generation.no_repeat_ngram_size),
     .initial = "0",
     .least = -1,
     .most = 1000000,
     .unit = "tokens",
     .meaning = "No so many tokens in a row occur twice, the prompt's too; 0: as the model "
                "says; -1: they may."},
    {.name = "generation.min_new_tokens",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(generation.min_new_tokens),
     .initial = "0",
     .least = -1,
     .most = 1000000,
     .unit = "tokens",
     .meaning = "No stop token before so many; 0: as the model says; -1: at once."},

    {.name = "consolidate.operators",
     .type = COP_JOB_STRINGS,
     .offset = FIELD(consolidate.operators),
     .initial = "[two-pass]",
     .meaning = "What turns scores into directions: two-pass (CoRP's merge), z-score, rank, "
                "precision; several compete under the same steps and gate."},
    {.name = "consolidate.q",
     .type = COP_JOB_NUMBERS,
     .offset = FIELD(consolidate.q),
     .initial = "[0.5, 0.7, 0.9]",
     .low = 0,
     .high = 1,
     .high_open = true,
     .meaning = "Quantiles of the rewards from which on a candidate belongs to the elite."},
    {.name = "consolidate.beta",
     .type = COP_JOB_NUMBERS,
     .offset = FIELD(consolidate.beta),
     .initial = "[0.5, 1, 2, 5, 10, 20, 50]",
     .low = 0,
     .high = 1e6,
     .meaning = "Inverse temperatures of the elite's weights."},
    {.name = "consolidate.scale",
     .type = COP_JOB_NUMBERS,
     .offset = FIELD(consolidate.scale),
     .initial = "[0.5, 1, 2, 4, 8, 16]",
     .low = 0,
     .low_open = true,
     .high = 1e6,
     .meaning = "Step sizes along a merged direction, as multiples of its own length."},
    {.name = "consolidate.max_scale",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(consolidate.max_scale),
     .initial = "128",
     .low = 0,
     .low_open = true,
     .high = 1e6,
     .meaning = "While the largest scale tried is the best, twice that is tried, up to this."},
    {.name = "consolidate.rank",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(consolidate.rank),
     .initial = "8",
     .least = 1,
     .most = 1024,
     .unit = "directions",
     .meaning = "Principal directions of the elite that recentring samples along."},
    {.name = "consolidate.race",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(consolidate.race),
     .initial = "off",
     .word = "off",
     .least = 2,
     .most = 64,
     .unit = "stages",
     .meaning =
         "Proposals race: they answer the probe set in so many equal parts, and after each but "
         "the last those leave that are behind the best beyond doubt, so their other answers "
         "are never generated. The one that all answers would show to be the best is lost on "
         "the way with a chance of about a tenth, whatever the number of stages; of "
         "many that are level more leave, and where a few examples hold most of the reward "
         "better ones may. Those that stay, gate.tries at least, answer all, and only they go "
         "to the gate. More stages save more answers and make smaller units of work; the parts "
         "follow the order of the set (splits.seed), which must not be by kind or difficulty."},
    {.name = "consolidate.sums",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(consolidate.sums),
     .initial = "true",
     .before = "false",
     .meaning =
         "A direction's noises are added up once, in binary32, and every step along it starts "
         "from that sum; the result is a recipe of version 2. false: each step adds all noises "
         "to the weights again, one after the other, as programs did that knew version 1 "
         "alone. The models differ in last places only."},

    {.name = "recenter.rounds",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(recenter.rounds),
     .initial = "3",
     .least = 0,
     .most = 1000,
     .unit = "rounds",
     .meaning = "Most rounds of recentring; 0: none."},
    {.name = "recenter.accepts",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(recenter.accepts),
     .initial = "2",
     .least = 1,
     .most = 1000,
     .unit = "rounds",
     .meaning = "Recentring ends after so many accepted updates."},
    {.name = "recenter.patience",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(recenter.patience),
     .initial = "2",
     .least = 1,
     .most = 1000,
     .unit = "rounds",
     .meaning = "Recentring ends after so many rounds in a row without an accepted update."},
    {.name = "recenter.size",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(recenter.size),
     .initial = "100",
     .least = 1,
     .most = 1000000,
     .unit = "candidates",
     .meaning = "Local candidates of one round."},
    {.name = "recenter.lambda",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(recenter.lambda),
     .initial = "0.5",
     .low = 0,
     .high = 1,
     .meaning =
         "Share of fresh noise in a local candidate in the first round; the rest lies along "
         "the principal directions."},
    {.name = "recenter.regression_weight",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(recenter.regression_weight),
     .initial = "2",
     .low = 0,
     .high = 1e6,
     .meaning = "What a newly wrong answer counts against a newly right one (L)."},
    {.name = "recenter.step",
     .type = COP_JOB_NUMBERS,
     .offset = FIELD(recenter.step),
     .initial = "[0.5, 1, 2]",
     .low = 0,
     .low_open = true,
     .high = 1e6,
     .meaning = "Step sizes that are tried, as multiples of the current step."},
    {.name = "recenter.race",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(recenter.race),
     .initial = "off",
     .word = "off",
     .least = 2,
     .most = 64,
     .unit = "stages",
     .meaning =
         "The same race (consolidate.race) among recentring's proposals, on support: by gains "
         "less regression_weight times losses against the centre. Local candidates and the "
         "line search answer everything."},

    {.name = "rounds.count",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(rounds.count),
     .initial = "10",
     .least = 1,
     .most = 100000,
     .unit = "rounds",
     .meaning = "Most populations of population.size that are scored one after the other."},
    {.name = "rounds.patience",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(rounds.patience),
     .initial = "5",
     .least = 1,
     .most = 100000,
     .unit = "rounds",
     .meaning = "The method ends after so many rounds in a row that moved nothing."},
    {.name = "rounds.shrink",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(rounds.shrink),
     .initial = "0.7",
     .low = 0,
     .low_open = true,
     .high = 1,
     .meaning = "Factor on the sigmas after a round that moved nothing."},

    {.name = "es.iterations",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(es.iterations),
     .initial = "50",
     .least = 1,
     .most = 1000000,
     .unit = "iterations",
     .meaning = "Updates, each from a population of population.size."},
    {.name = "es.rate",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(es.rate),
     .initial = "1",
     .low = 0,
     .low_open = true,
     .high = 1e6,
     .unit = "sigma",
     .meaning = "Learning rate: an update is this times sigma / N times the sum of shaped "
                "reward times noise."},
    {.name = "es.shaping",
     .type = COP_JOB_STRING,
     .offset = FIELD(es.shaping),
     .initial = "z-score",
     .choices = CHOICES("z-score", "rank", "precision"),
     .meaning = "Operator that shapes the rewards; shaped rewards have unit variance."},

    {.name = "gate.on",
     .type = COP_JOB_STRING,
     .offset = FIELD(gate.on),
     .initial = "auto",
     .before = "\"correct\"",
     .choices = CHOICES("auto", "correct", "reward"),
     .meaning =
         "What the choice on probe and the gate compare: the share of right answers, or "
         "the mean reward. auto: reward where the task's rewards are graded (coppice tasks "
         "says so) or the base is right on none or all of its examples, else correct."},
    {.name = "gate.allow_flat",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(gate.allow_flat),
     .initial = "false",
     .describes_run = true,
     .meaning =
         "Go on where the base earns the same reward with every example, so that nothing "
         "tells one from another; without it such a job stops after the base phase."},
    {.name = "gate.z",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(gate.z),
     .initial = "1.0",
     .low = 0,
     .high = 10,
     .unit = "std errors",
     .meaning =
         "How far an update's mean gain on the validate set must lie above zero; raised by "
         "itself where a round tries several. What is no better passes in one of six rounds "
         "at 1, in one of 44 at 2 (jobs/README.md, What decides)."},
    {.name = "gate.tries",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(gate.tries),
     .initial = "3",
     .least = 1,
     .most = 100,
     .unit = "tries",
     .meaning = "Most tries at the gate, of the best proposals one after the other; shorter "
                "steps of what a guard refuses are tries, too."},
    {.name = "guard",
     .type = COP_JOB_GUARDS,
     .offset = FIELD(guard),
     .initial = "[]",
     .may_be_empty = true,
     .meaning =
         "What the result must not harm, such as [{task: text, data: text.jsonl, examples: "
         "200, loss: 0.02}]: so many examples of the data, drawn by splits.seed, are scored "
         "for the base and for each proposal that passes the gate. It is accepted only if for "
         "each guard the lower bound of the mean's change from the base, as far below it as "
         "the gate's own, is above -loss, or no example is worse; else a shorter step is "
         "tried (gate.tries). task: text is plain text, the field \"text\" of each line, by "
         "its mean log-likelihood per token; any other task but exec, with the prompt that it "
         "has by itself, by the share of right answers, or the mean reward where its rewards "
         "are graded. All four keys are needed."},
};

const cop_job_key_table cop_job_keys_search = KEY_TABLE(keys);
