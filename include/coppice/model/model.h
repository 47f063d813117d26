/** \file model.h
 * A decoder-only transformer, described by data: configuration, weights bound to a backend,
 * forward pass, generation.
 */
#ifndef COPPICE_MODEL_MODEL_H
#define COPPICE_MODEL_MODEL_H

#include "coppice/backend/backend.h"
#include "coppice/base/sampling.h"
#include "coppice/base/status.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/recipe/recipe.h"
#include "coppice/tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COP_MODEL_MAX_LAYERS = 256, COP_MODEL_MAX_STOPS = 16 };

/** How angles of the rotary embedding are scaled. */
typedef enum cop_rope_kind {
    COP_ROPE_DEFAULT,
    COP_ROPE_LINEAR,
    COP_ROPE_LLAMA3,
    COP_ROPE_YARN
} cop_rope_kind;

/** Rotary embedding of one type of layer. */
typedef struct cop_rope {
    cop_rope_kind kind;
    double theta;                 /**< base */
    double factor;                /**< of scaling */
    double low_frequency_factor;  /**< llama3 */
    double high_frequency_factor; /**< llama3 */
    double original_positions;    /**< llama3, yarn */
    double beta_fast, beta_slow;  /**< yarn */
    double attention_factor;      /**< yarn; 0: derived from factor */
    bool truncate;                /**< yarn: round the correction range to whole dimensions */
} cop_rope;

/** Where the norms of a block stand. */
typedef enum cop_norm_placement {
    COP_NORM_BEFORE, /**< x + f(norm(x)): Llama, Qwen, Mistral */
    COP_NORM_AFTER,  /**< x + norm(f(x)): OLMo 2 and 3 */
    COP_NORM_AROUND  /**< x + norm(f(norm(x))), each with weights of its own: Gemma 3 */
} cop_norm_placement;

enum { COP_RULES_MOST_IDS = 512 };

/** What keeps an answer from tokens, as transformers' logits processors do, in this order and
 * in binary32 whatever the logits are. All zero: nothing. */
typedef struct cop_generation_rules {
    double repetition_penalty; /**< on tokens of prompt and answer; 0 or 1: none */
    int32_t no_repeat_ngram;   /**< no n tokens occur twice, the prompt counts; 0: none */
    int32_t bad_words[COP_RULES_MOST_IDS]; /**< sequences one behind the other ... */
    int32_t bad_ends[COP_RULES_MOST_IDS];  /**< [bad_count] ... and where each ends */
    int32_t bad_count;
    int32_t min_length;     /**< no stop before so many tokens, the prompt counts */
    int32_t min_new_tokens; /**< no stop before so many of the answer */
    int32_t suppress[COP_RULES_MOST_IDS]; /**< [suppress_count] never */
    int32_t suppress_count;
    int32_t begin_suppress[COP_RULES_MOST_IDS]; /**< [begin_count] not as the first */
    int32_t begin_count;
    char not_applied[256]; /**< names of keys of the file that change nothing here; "": none */
} cop_generation_rules;

/** A model's description, read from config.json and generation_config.json. */
typedef struct cop_model_config {
    char model_type[32]; /**< as in config.json */
    int32_t layers;
    int32_t width;        /**< D */
    int32_t heads;        /**< H */
    int32_t kv_heads;     /**< G */
    int32_t head_size;    /**< E */
    int32_t feed_forward; /**< F */
    int32_t vocabulary;   /**< V */
    int32_t max_positions;
    float norm_eps;
    bool tied_head;      /**< the head is the embedding table */
    bool untied_by_file; /**< config.json ties the head, the file has another one */
    bool head_only;      /**< tied, and the file has the table as lm_head.weight alone */
    bool bare_names;     /**< names of tensors lack "model." */
    bool qkv_bias, o_bias, mlp_bias;
    cop_norm_placement norm_placement;
    float
        norm_offset; /**< norms multiply by their weights and this: Gemma's are stored less 1 */
    cop_qk_norm qk_norm;
    cop_activation activation; /**< of the gate */
    /** Embeddings are multiplied by it, rounded to the type of the products, on their way into
     * the stream (not in a tied head); 0: they are not. */
    float embedding_scale;
    float query_scalar; /**< scores are divided by its root; 0: by that of head_size */
    cop_rope rope[2];   /**< [0] full attention, [1] sliding window */
    int32_t window;     /**< of the sliding layers */
    bool sliding[COP_MODEL_MAX_LAYERS]; /**< [layers]: layer uses the window (and rope[1]) */
    int32_t stops[COP_MODEL_MAX_STOPS]; /**< [stop_count] ids that end an answer */
    int32_t stop_count;
    bool differs_in_rope;       /**< olmo3: from how transformers 5.24 reads the file */
    cop_generation_rules rules; /**< of generation_config.json; without it of config.json */
} cop_model_config;

/** Reads config.json (and generation_config.json, if there) of a model directory. An unknown
 *  model_type or a feature that is not implemented is COP_ERR_UNSUPPORTED and named. */
cop_status cop_model_config_load(const char *directory, cop_model_config *config,
                                 cop_error *err);

/** Fits description and tensors to each other, once after both were read.
 *  A tied head that the files hold besides the embedding: with its bytes it is an alias of it,
 *  one tensor for noise, export and digest; with others the head is used and the model is not
 *  tied (as transformers 5 does). Tensors that the description has no use for are noted as
 *  unused. A tensor that is missing or of another shape is an error that names it. */
cop_status cop_model_settle(cop_model_config *config, cop_checkpoint *checkpoint,
                            cop_error *err);

/** Reads description and tensors of a model directory, and settles them. */
cop_status cop_model_open(const char *directory, cop_model_config *config,
                          cop_checkpoint **checkpoint, cop_error *err);

/** The type that the weights of a checkpoint are kept in: that of its largest tensor. */
cop_dtype cop_model_storage(const cop_checkpoint *checkpoint);

/** Appends what a user should know of how the files were taken, a line each; nothing for most
 *  models. */
cop_status cop_model_config_notes(const cop_model_config *config, cop_text *notes,
                                  cop_error *err);

typedef struct cop_model cop_model;

/** How a model will be used; sizes its caches. */
typedef struct cop_model_limits {
    size_t batch;         /**< most sequences at a time */
    size_t prompt_tokens; /**< most tokens of one prompt */
    size_t new_tokens;    /**< most tokens generated per prompt */
    /** Candidates that are held and generate side by side, each with weights and cache of its
     * own; 0: one, or with fit_lanes at most cop_backend::auto_lanes. */
    size_t lanes;
    bool fit_lanes; /**< as many as there is memory for, at most `lanes` and at least one */
    /** Where there is no memory for `batch` sequences of one lane, fewer at a time, if answers
     * do not depend on that (cop_backend::rows_alone). */
    bool fit_batch;
    /** Most products (components times rank) of noise of low rank that a recipe adds to a
     * matrix, whose factors the memory plan counts; 0: none are expected. */
    size_t noise_products;
} cop_model_limits;

/** Binds the checkpoint's tensors to the configuration on a backend and loads the base weights.
 *  Missing tensors and wrong shapes are errors that name the tensor; tensors that the
 *  configuration has no use for are listed in *unused (if not NULL) for a warning. The memory
 *  plan is checked first: COP_ERR_MEMORY with the figures and what would fit. Every lane holds
 *  the base then.
 *  Config, checkpoint and backend are borrowed and must outlive the model. */
cop_status cop_model_create(const cop_model_config *config, const cop_checkpoint *checkpoint,
                            cop_backend *backend, const cop_model_limits *limits,
                            cop_text *unused, cop_model **model, cop_error *err);

/** Says which recipes are likely to be applied next, in this order: components [start[i],
 *  start[i + 1]) of row i [count], copied. Sums that they end in are then added up together.
 *  Results do not depend on it. */
cop_status cop_model_expect(cop_model *model, const cop_component *components,
                            const size_t *start, size_t count, cop_error *err);

/** Rebuilds all weights of a lane (below cop_model_lanes()) as base + recipe (NULL: the base)
 *  and packs them. Always from the untouched base. */
cop_status cop_model_apply(cop_model *model, size_t lane, const cop_recipe *recipe,
                           cop_error *err);

/** Lanes that the model has. */
size_t cop_model_lanes(const cop_model *model);

/** Sequences of a lane that are generated at a time: limits.batch, or as many as fit. */
size_t cop_model_batch(const cop_model *model);

/** A prompt; ids not owned. */
typedef struct cop_prompt {
    const int32_t *ids; /**< [count >= 1] */
    size_t count;
} cop_prompt;

/** One answer. Free with cop_generation_free(). */
typedef struct cop_generation {
    cop_ids ids;   /**< generated ids, the stop token left out */
    bool stopped;  /**< ended by a stop token or stop callback, not by the limit */
    bool finite;   /**< false: NaN or infinite logits; ids up to there */
    float *logits; /**< [V] after the last prompt token, if asked for; owned */
    double prompt_log_probability; /**< sum over its tokens after the first, if asked */
} cop_generation;

/** Options of a generation. */
typedef struct cop_generate_options {
    size_t max_new_tokens;
    cop_sampling sampling;
    /** [count] numbers of the examples that the prompts stand for, whose random numbers their
     *  answers are drawn by; NULL: their places in the call. Not owned. */
    const size_t *examples;
    /** The first so many lanes answer; 0 as 1. What a lane answers does not depend on the
     *  others. */
    size_t lanes;
    /** [lanes] numbers that stand for sampling.sample; NULL: the same for all. Not owned. */
    const uint32_t *samples;
    bool want_logits; /**< of one lane: fill in logits and prompt_log_probability */
    /** Asked after every token with what prompt `index` of some lane has generated so far; true
     * ends it (stop strings). May be NULL. Where several tokens are generated before it is
     * asked, it is shown them one by one, and those after its end are dropped. */
    bool (*stop)(void *context, size_t index, const cop_ids *ids);
    void *stop_context;
    /** Polled once per pass over prompts and every few steps, every step on the CPU; true
     *  abandons the generation with COP_INTERRUPTED. May be NULL. */
    bool (*cancelled)(void *context);
    void *cancelled_context;
} cop_generate_options;

/** Tokens that went through the model, summed over calls. */
typedef struct cop_model_counters {
    uint64_t prompt_tokens;    /**< computed, a shared prefix counted once */
    uint64_t generated_tokens; /**< in answers: without stop tokens and dropped ones */
    /** Passes of one token per sequence in which some answer was still going on; a pass that
     *  was over before the host saw that all had ended is not counted. */
    uint64_t decode_steps;
} cop_model_counters;

/** Answers, greedy or drawn, to prompts [count], any count: they are taken in groups of at most
 *  cop_model_batch(), in order. Within a group the common prefix is computed once, prompts are
 *  packed without padding, and the batch shrinks as sequences end. generations [lanes, count]
 *  are filled in order of the prompts. A prompt that does not fit the limits or the model's
 *  positions is COP_ERR_CONFIG. */
cop_status cop_model_generate(cop_model *model, const cop_prompt *prompts, size_t count,
                              const cop_generate_options *options, cop_generation *generations,
                              cop_error *err);

/** Frees what a generation owns. */
void cop_generation_free(cop_generation *generation);

/** Counters since the model was created. */
cop_model_counters cop_model_count(const cop_model *model);

/** What the memory plan says that the model takes on its backend, in bytes, and of how many
 * that was planned. */
uint64_t cop_model_planned_bytes(const cop_model *model, uint64_t *room_bytes);

/** Frees *model and sets it to NULL; NULL is allowed. */
void cop_model_destroy(cop_model **model);

#endif
