#include "model/config_generation.h"

#include <stdio.h>
#include <string.h>

/* A whole number from 0 up; absent, null: 0. */
static cop_status read_count(const json_reader *reader, const char *key, int32_t *value,
                             cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    *value = 0;
    if (found == NULL) return COP_OK;
    const json_int_t number = json_integer_value(found);
    COP_CHECK(json_is_integer(found) && number >= 0 && number < INT32_MAX, err, COP_ERR_FORMAT,
              "%s: %s is not a whole number from 0 up", reader->path, key);
    *value = (int32_t)number;
    return COP_OK;
}

static cop_status append_id(const json_reader *reader, const char *key, const json_t *value,
                            int32_t *ids, int32_t *count, cop_error *err)
{
    const json_int_t id = json_integer_value(value);
    COP_CHECK(json_is_integer(value) && id >= 0 && id < INT32_MAX, err, COP_ERR_FORMAT,
              "%s: %s has something else than token ids", reader->path, key);
    COP_CHECK(*count < COP_RULES_MOST_IDS, err, COP_ERR_UNSUPPORTED,
              "%s: %s has more than %d ids", reader->path, key, (int)COP_RULES_MOST_IDS);
    ids[(*count)++] = (int32_t)id;
    return COP_OK;
}

static cop_status read_ids(const json_reader *reader, const char *key, int32_t *ids,
                           int32_t *count, cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    COP_CHECK(found == NULL || json_is_array(found), err, COP_ERR_FORMAT,
              "%s: %s is not a list of token ids", reader->path, key);
    for (size_t i = 0; i < json_array_size(found); i++)
        COP_TRY(append_id(reader, key, json_array_get(found, i), ids, count, err));
    return COP_OK;
}

static cop_status read_bad_words(const json_reader *reader, cop_generation_rules *rules,
                                 cop_error *err)
{
    static const char key[] = "bad_words_ids";
    const json_t *const found = cop_config_json_get(reader, key);
    int32_t used = 0;
    COP_CHECK(found == NULL || json_is_array(found), err, COP_ERR_FORMAT,
              "%s: %s is not a list of lists of token ids", reader->path, key);
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *const word = json_array_get(found, i);
        COP_CHECK(json_is_array(word) && json_array_size(word) > 0, err, COP_ERR_FORMAT,
                  "%s: %s is not a list of lists of token ids", reader->path, key);
        for (size_t k = 0; k < json_array_size(word); k++)
            COP_TRY(
                append_id(reader, key, json_array_get(word, k), rules->bad_words, &used, err));
        rules->bad_ends[rules->bad_count++] = used;
    }
    return COP_OK;
}

/* True if the value is what transformers takes for nothing said. */
static bool is_idle(const json_t *value, double idle)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && json_number_value(value) == idle);
}

/* What would change answers in transformers and does not here, by name. */
static void list_not_applied(const json_reader *reader, cop_generation_rules *rules)
{
    static const struct {
        const char *key;
        double idle;
        bool of_drawing; /* only with do_sample */
    } keys[] = {{"do_sample", 0, false},
                {"temperature", 1, true},
                {"top_k", 0, true},
                {"top_p", 1, true},
                {"min_p", 0, true},
                {"top_h", 0, true},
                {"typical_p", 1, true},
                {"epsilon_cutoff", 0, true},
                {"eta_cutoff", 0, true},
                {"num_beams", 1, false},
                {"penalty_alpha", 0, false},
                {"guidance_scale", 1, false},
                {"sequence_bias", 0, false},
                {"forced_bos_token_id", -1, false},
                {"forced_eos_token_id", -1, false},
                {"exponential_decay_length_penalty", 0, false},
                {"remove_invalid_values", 0, false},
                {"stop_strings", 0, false},
                {"watermarking_config", 0, false}};
    const bool draws = json_is_true(json_object_get(reader->object, "do_sample"));
    size_t used = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *const value = json_object_get(reader->object, keys[i].key);
        if (is_idle(value, keys[i].idle) || (keys[i].of_drawing && !draws)) continue;
        const int added = snprintf(rules->not_applied + used, sizeof rules->not_applied - used,
                                   "%s%s", used == 0 ? "" : ", ", keys[i].key);
        used += added > 0 ? (size_t)added : 0;
        if (used >= sizeof rules->not_applied) return;
    }
}

cop_status cop_config_read_generation(const json_reader *reader, cop_generation_rules *rules,
                                      cop_error *err)
{
    COP_TRY(cop_config_json_positive(reader, "repetition_penalty", 1.0,
                                     &rules->repetition_penalty, err));
    COP_TRY(read_count(reader, "no_repeat_ngram_size", &rules->no_repeat_ngram, err));
    COP_TRY(read_bad_words(reader, rules, err));
    COP_TRY(read_count(reader, "min_length", &rules->min_length, err));
    COP_TRY(read_count(reader, "min_new_tokens", &rules->min_new_tokens, err));
    /* Where both are given transformers takes min_new_tokens for the length too. */
    if (cop_config_json_get(reader, "min_new_tokens") != NULL) rules->min_length = 0;
    COP_TRY(read_ids(reader, "suppress_tokens", rules->suppress, &rules->suppress_count, err));
    COP_TRY(read_ids(reader, "begin_suppress_tokens", rules->begin_suppress,
                     &rules->begin_count, err));
    list_not_applied(reader, rules);
    return COP_OK;
}
