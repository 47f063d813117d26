/* A group of prompts that go through the model side by side, in every lane that is asked. */
#ifndef COP_MODEL_GROUP_H
#define COP_MODEL_GROUP_H

#include "model/model_internal.h"

/* One prompt of a group, in one lane. */
typedef struct sequence {
    const cop_prompt *prompt;
    cop_generation *out;
    size_t lane;
    size_t index; /* of the prompt in the call */
    int32_t slot; /* in the cache */
    int32_t past; /* tokens in the cache, the shared prefix included */
    int32_t next; /* the token to feed next */
    bool active;  /* wants more tokens */
} sequence;

/* The group with its host scratch; sequence i of lane l has slot l * slots + i. The passes over
 * prompts are put together for the first lane, and cop_group_forward() repeats them for the
 * others. */
typedef struct sequence_group {
    cop_model *model;
    const cop_generate_options *options;
    size_t lanes;
    sequence *sequences; /* [lanes, count] */
    size_t count;
    cop_batch batch; /* of the pass that is being put together; spans is below */

    cop_span *spans;   /* [lanes, limits.batch + 1]: one more for the prefix */
    int32_t *ids;      /* [lanes, scratch.rows] */
    int32_t *rows;     /* [lanes, scratch.head_rows] that go through the head */
    int32_t *results;  /* [lanes, scratch.head_rows] chosen ids */
    int32_t *targets;  /* [scratch.head_rows] */
    double *scores;    /* [scratch.head_rows] */
    double *uniform;   /* as results, or for all decode steps between two looks */
    sequence **owners; /* [lanes, scratch.head_rows] sequence of each of `rows`, or of `fed`;
                        * there NULL for a row of none */

    cop_decode_row *fed; /* [lanes, limits.batch] sequences that decode */
    int32_t *tokens;     /* [decode_steps, lanes, limits.batch] what they got between looks */
} sequence_group;

/* Room for the group's prompts [count] in each lane; cop_group_free() in any case. */
cop_status cop_group_alloc(sequence_group *group, cop_error *err);

/* Frees what a group owns. */
void cop_group_free(sequence_group *group);

/* Computes the prompts (their common prefix once), and from them the first token of each
 * answer; logits and log-probabilities if the options ask for them. */
cop_status cop_group_prefill(sequence_group *group, cop_error *err);

/* Feeds every sequence's last token and takes the next until none is active (decode.c). */
cop_status cop_group_decode(sequence_group *group, cop_error *err);

/* Computes the logits of group->rows [count], as many of each lane, and chooses group->results
 * from them. */
cop_status cop_group_choose(sequence_group *group, size_t count, cop_error *err);

/* The number that draws the sequence's token `position`. */
double cop_group_uniform(const sequence_group *group, const sequence *of, size_t position);

/* Takes a token as the sequence's next: -1 is not finite logits. Ends the sequence on a stop
 * token, the stop callback or the limit. */
cop_status cop_group_accept(sequence_group *group, sequence *of, int32_t id, cop_error *err);

/* COP_INTERRUPTED if the caller wants to stop. */
cop_status cop_group_poll(const sequence_group *group, cop_error *err);

/* Runs the batch that was put together, unless the caller wants to stop. */
cop_status cop_group_forward(sequence_group *group, cop_error *err);

#endif
