/* As transformers' logits processors: repetition_penalty, no_repeat_ngram_size, bad_words_ids,
 * min_length, min_new_tokens, suppress_tokens, begin_suppress_tokens, in this order. */
#include "model/rules.h"

#include "coppice/backend/draw.h"
#include "coppice/base/memory.h"

#include <math.h>
#include <string.h>

/* Far below every logit, so that no draw takes it, and still finite. */
static const float never = -1e30F;

/* One row while it is worked on. */
typedef struct rule_row {
    float *logits; /* [vocabulary] */
    size_t vocabulary;
    const cop_prompt *prompt;
    const cop_ids *answer;
    unsigned char *seen; /* [vocabulary] zeros */
    const cop_model_config *config;
} rule_row;

bool cop_rules_are_active(const cop_generation_rules *rules)
{
    return (rules->repetition_penalty != 0 && rules->repetition_penalty != 1) ||
           rules->no_repeat_ngram > 0 || rules->bad_count > 0 || rules->min_length > 0 ||
           rules->min_new_tokens > 0 || rules->suppress_count > 0 || rules->begin_count > 0;
}

static size_t length_of(const rule_row *row)
{
    return row->prompt->count + row->answer->count;
}

/* Token `at` of prompt and answer. */
static int32_t token_at(const rule_row *row, size_t at)
{
    const size_t prompt = row->prompt->count;
    return at < prompt ? row->prompt->ids[at] : row->answer->data[at - prompt];
}

static void ban(const rule_row *row, int32_t id)
{
    if (id >= 0 && (size_t)id < row->vocabulary) row->logits[id] = never;
}

static void penalise(const rule_row *row, double penalty)
{
    const float by = (float)penalty;
    const size_t length = length_of(row);
    if (penalty == 0 || penalty == 1) return;
    for (size_t i = 0; i < length; i++) {
        const int32_t id = token_at(row, i);
        if (id < 0 || (size_t)id >= row->vocabulary || row->seen[id] != 0) continue;
        row->seen[id] = 1;
        row->logits[id] = row->logits[id] < 0 ? row->logits[id] * by : row->logits[id] / by;
    }
    for (size_t i = 0; i < length; i++) {
        const int32_t id = token_at(row, i);
        if (id >= 0 && (size_t)id < row->vocabulary) row->seen[id] = 0;
    }
}

static void ban_repeats(const rule_row *row, size_t n)
{
    const size_t length = length_of(row);
    if (n == 0 || length < n) return;
    for (size_t first = 0; first + n <= length; first++) {
        size_t same = 0;
        while (same + 1 < n &&
               token_at(row, first + same) == token_at(row, length + 1 - n + same))
            same++;
        if (same + 1 == n) ban(row, token_at(row, first + n - 1));
    }
}

bool cop_model_stops_at(const cop_model_config *config, int32_t id)
{
    for (int32_t i = 0; i < config->stop_count; i++) {
        if (config->stops[i] == id) return true;
    }
    return false;
}

static void ban_words(const rule_row *row, const cop_generation_rules *rules)
{
    const size_t length = length_of(row);
    for (int32_t w = 0; w < rules->bad_count; w++) {
        const size_t start = w == 0 ? 0 : (size_t)rules->bad_ends[w - 1];
        const size_t before = (size_t)rules->bad_ends[w] - start - 1;
        const int32_t last = rules->bad_words[start + before];
        /* A stop token may be part of a sequence, but not be one. */
        if (before > length || (before == 0 && cop_model_stops_at(row->config, last))) continue;
        size_t same = 0;
        while (same < before &&
               rules->bad_words[start + same] == token_at(row, length - before + same))
            same++;
        if (same == before) ban(row, last);
    }
}

static void apply(const rule_row *row)
{
    const cop_model_config *const config = row->config;
    const cop_generation_rules *const rules = &config->rules;
    penalise(row, rules->repetition_penalty);
    ban_repeats(row, (size_t)rules->no_repeat_ngram);
    ban_words(row, rules);
    if (length_of(row) < (size_t)rules->min_length ||
        row->answer->count < (size_t)rules->min_new_tokens) {
        for (int32_t i = 0; i < config->stop_count; i++)
            ban(row, config->stops[i]);
    }
    for (int32_t i = 0; i < rules->suppress_count; i++)
        ban(row, rules->suppress[i]);
    for (int32_t i = 0; i < rules->begin_count && row->answer->count == 0; i++)
        ban(row, rules->begin_suppress[i]);
}

static bool is_finite(const float *logits, size_t count)
{
    uint32_t special = 0;
    for (size_t i = 0; i < count; i++)
        special |= isfinite(logits[i]) ? 0U : 1U;
    return special == 0;
}

static int32_t best_of(const float *logits, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (logits[i] > logits[best]) best = i;
    }
    return (int32_t)best;
}

/* Host memory of a choice: one row, and what drawing needs. */
typedef struct rule_room {
    float *logits, *weights;
    int32_t *ids;
    unsigned char *seen;
    void *narrow;
} rule_room;

static void room_free(rule_room *room)
{
    cop_memory_free(room->logits);
    cop_memory_free(room->weights);
    cop_memory_free(room->ids);
    cop_memory_free(room->seen);
    cop_memory_free(room->narrow);
}

static cop_status room_alloc(rule_room *room, size_t vocabulary, cop_error *err)
{
    room->logits = cop_memory_alloc_raw(vocabulary, sizeof *room->logits, err);
    room->weights = cop_memory_alloc_raw(vocabulary, sizeof *room->weights, err);
    room->ids = cop_memory_alloc_raw(vocabulary, sizeof *room->ids, err);
    room->seen = cop_memory_alloc(vocabulary, sizeof *room->seen, err);
    room->narrow = cop_memory_alloc_raw(vocabulary, sizeof(float), err);
    const bool ok = room->logits != NULL && room->weights != NULL && room->ids != NULL &&
                    room->seen != NULL && room->narrow != NULL;
    return ok ? COP_OK : COP_ERR_MEMORY;
}

/* Row `index` of the logits, widened. */
static cop_status fetch(const cop_model *model, size_t index, const rule_room *room,
                        cop_error *err)
{
    cop_backend *const backend = model->backend;
    const size_t count = (size_t)model->config->vocabulary;
    const size_t bytes = count * cop_dtype_size(backend->output);
    void *const to = backend->output == COP_F32 ? (void *)room->logits : room->narrow;
    COP_TRY(
        backend->ops->download(backend, model->scratch.logits, index * bytes, to, bytes, err));
    const uint16_t *const halves = room->narrow;
    for (size_t i = 0; i < count && backend->output != COP_F32; i++) {
        room->logits[i] = backend->output == COP_BF16 ? cop_bf16_to_f32(halves[i])
                                                      : cop_f16_to_f32(halves[i]);
    }
    return COP_OK;
}

static int32_t draw(const rule_room *room, size_t vocabulary, const cop_sampling *how, double u)
{
    const cop_draw by = {.temperature = how->temperature, .top_p = how->top_p, .uniform = &u};
    return cop_backend_draw(room->logits, vocabulary, &by, room->weights, room->ids);
}

cop_status cop_rules_choose(sequence_group *group, sequence *const *owners, size_t count,
                            const double *uniform, int32_t *chosen, cop_error *err)
{
    const cop_model *const model = group->model;
    const cop_sampling *const how = &group->options->sampling;
    const size_t vocabulary = (size_t)model->config->vocabulary;
    rule_room room = {0};
    cop_status status = room_alloc(&room, vocabulary, err);
    for (size_t i = 0; i < count && status == COP_OK; i++) {
        chosen[i] = 0;
        if (owners[i] == NULL) continue;
        status = fetch(model, i, &room, err);
        if (status != COP_OK) break;
        chosen[i] = -1;
        if (!is_finite(room.logits, vocabulary)) continue;
        const rule_row row = {.logits = room.logits,
                              .vocabulary = vocabulary,
                              .prompt = owners[i]->prompt,
                              .answer = &owners[i]->out->ids,
                              .seen = room.seen,
                              .config = model->config};
        apply(&row);
        chosen[i] = how->temperature == 0 ? best_of(room.logits, vocabulary)
                                          : draw(&room, vocabulary, how, uniform[i]);
    }
    room_free(&room);
    return status;
}
