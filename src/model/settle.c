/* What of a checkpoint a model uses, and which of its tensors are one under two names. */
#include "model/weights.h"

#include "coppice/base/memory.h"

#include <string.h>

static const char head_name[] = "lm_head.weight";

/* Index of the tensor of that name; false if there is none. */
static bool find(const cop_checkpoint *checkpoint, const char *name, size_t *index)
{
    for (*index = 0; *index < cop_checkpoint_count(checkpoint); (*index)++) {
        if (strcmp(cop_checkpoint_at(checkpoint, *index)->name, name) == 0) return true;
    }
    return false;
}

/* Of another type a tensor is rounded otherwise once noise is added, so that it is another. */
static bool are_equal(const cop_tensor_info *a, const cop_tensor_info *b)
{
    return a->dtype == b->dtype && strcmp(a->dtype_text, b->dtype_text) == 0 &&
           a->rank == b->rank &&
           memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0 &&
           a->bytes == b->bytes && (a->bytes == 0 || memcmp(a->data, b->data, a->bytes) == 0);
}

/* Whether a head that config.json ties is the embedding, in the files too. */
static void settle_head(cop_model_config *config, cop_checkpoint *checkpoint)
{
    size_t head = 0;
    size_t table = 0;
    if (!config->tied_head || !find(checkpoint, head_name, &head)) return;
    if (!find(checkpoint,
              config->bare_names ? "embed_tokens.weight" : "model.embed_tokens.weight",
              &table)) {
        config->head_only = true;
    } else if (are_equal(cop_checkpoint_at(checkpoint, head),
                         cop_checkpoint_at(checkpoint, table))) {
        cop_checkpoint_set_alias(checkpoint, head, table);
    } else {
        config->tied_head = false;
        config->untied_by_file = true;
    }
}

static void note_unused(const cop_model *model, cop_checkpoint *checkpoint)
{
    for (size_t i = 0; i < cop_checkpoint_count(checkpoint); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(checkpoint, i);
        if (info->use == COP_TENSOR_USED && !cop_model_uses(model, info))
            cop_checkpoint_set_unused(checkpoint, i);
    }
}

cop_status cop_model_settle(cop_model_config *config, cop_checkpoint *checkpoint,
                            cop_error *err)
{
    size_t index = 0;
    config->bare_names = !find(checkpoint, "model.norm.weight", &index) &&
                         find(checkpoint, "norm.weight", &index);
    settle_head(config, checkpoint);
    cop_model probe = {.config = config, .checkpoint = checkpoint};
    const cop_status status = cop_model_bind(&probe, NULL, err);
    if (status == COP_OK) note_unused(&probe, checkpoint);
    cop_memory_free(probe.weights);
    cop_memory_free(probe.layers);
    return status;
}

cop_status cop_model_open(const char *directory, cop_model_config *config,
                          cop_checkpoint **checkpoint, cop_error *err)
{
    *checkpoint = NULL;
    COP_TRY(cop_model_config_load(directory, config, err));
    COP_TRY(cop_checkpoint_open(directory, checkpoint, err));
    const cop_status status = cop_model_settle(config, *checkpoint, err);
    if (status != COP_OK) cop_checkpoint_close(checkpoint);
    return status;
}

cop_dtype cop_model_storage(const cop_checkpoint *checkpoint)
{
    const cop_tensor_info *largest = NULL;
    for (size_t i = 0; i < cop_checkpoint_count(checkpoint); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(checkpoint, i);
        if (info->dtype == COP_DTYPE_OTHER) continue;
        if (largest == NULL || info->count > largest->count) largest = info;
    }
    return largest == NULL ? COP_F32 : largest->dtype;
}

/* Which rules of the model's files change answers, and which do not though they could. */
static cop_status note_rules(const cop_model_config *config, cop_text *notes, cop_error *err)
{
    const cop_generation_rules *const rules = &config->rules;
    const double penalty = rules->repetition_penalty;
    const struct {
        const char *name;
        double value;
        bool active;
    } applied[] = {{"repetition_penalty", penalty, penalty != 0 && penalty != 1},
                   {"no_repeat_ngram_size", rules->no_repeat_ngram, rules->no_repeat_ngram > 0},
                   {"bad_words_ids of", rules->bad_count, rules->bad_count > 0},
                   {"min_length", rules->min_length, rules->min_length > 0},
                   {"min_new_tokens", rules->min_new_tokens, rules->min_new_tokens > 0},
                   {"suppress_tokens of", rules->suppress_count, rules->suppress_count > 0},
                   {"begin_suppress_tokens of", rules->begin_count, rules->begin_count > 0}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof applied / sizeof applied[0]; i++) {
        if (!applied[i].active) continue;
        COP_TRY(cop_text_format(notes, err, "%s%s %g", count++ == 0 ? "applied: " : ", ",
                                applied[i].name, applied[i].value));
    }
    if (count > 0) COP_TRY(cop_text_format(notes, err, " (the model's files or the job)\n"));
    return rules->not_applied[0] == '\0'
               ? COP_OK
               : cop_text_format(notes, err,
                                 "of the model's files not applied: %s (answers are greedy, "
                                 "or drawn as the job says)\n",
                                 rules->not_applied);
}

cop_status cop_model_config_notes(const cop_model_config *config, cop_text *notes,
                                  cop_error *err)
{
    if (config->untied_by_file) {
        COP_TRY(cop_text_format(
            notes, err,
            "config.json ties the head to the embedding, but the weights have an "
            "lm_head.weight "
            "with other values: the model is taken as not tied, with that head\n"));
    }
    if (config->differs_in_rope) {
        COP_TRY(cop_text_format(
            notes, err,
            "rope_theta is taken for all layers, and a scaling for those with full attention, "
            "as OLMo 3 was trained (transformers 5.24 does otherwise here)\n"));
    }
    return note_rules(config, notes, err);
}
