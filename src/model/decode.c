/* Decoding: one token per sequence and step. A device takes several steps before the host looks
 * at their tokens; what an answer gets does not depend on how many. */
#include "model/group.h"

#include "model/forward.h"
#include "model/rules.h"

static cop_status feed(void *context, const int32_t *ids, const cop_batch *batch,
                       cop_error *err)
{
    cop_model *const model = context;
    COP_TRY(cop_model_forward(model, ids, batch, err));
    return cop_model_logits(model, NULL, batch->rows, err);
}

/* Most active sequences of a lane. */
static size_t longest_lane(const sequence_group *group)
{
    size_t most = 0;
    for (size_t l = 0; l < group->lanes; l++) {
        size_t count = 0;
        for (size_t i = 0; i < group->count; i++)
            count += group->sequences[l * group->count + i].active;
        if (count > most) most = count;
    }
    return most;
}

/* Lists the active sequences [lanes, count]: a lane with fewer has rows of none at its end.
 * \return count, and the most tokens that one may get. */
static size_t list_active(sequence_group *group, size_t *most_left)
{
    const size_t rows = longest_lane(group);
    *most_left = 0;
    for (size_t l = 0; l < group->lanes; l++) {
        size_t at = l * rows;
        for (size_t i = 0; i < group->count; i++) {
            sequence *const of = &group->sequences[l * group->count + i];
            if (!of->active) continue;
            const size_t left = group->options->max_new_tokens - of->out->ids.count;
            if (left > *most_left) *most_left = left;
            group->owners[at] = of;
            group->fed[at++] = (cop_decode_row){
                .slot = of->slot, .past = of->past, .next = of->next, .left = (int32_t)left};
        }
        for (; at < (l + 1) * rows; at++) {
            group->owners[at] = NULL;
            group->fed[at] = (cop_decode_row){.slot = -1};
        }
    }
    return rows;
}

/* One step by this layer's own hand: with rules every choice needs all tokens before it. */
static cop_status run_ruled_step(sequence_group *group, size_t count, cop_error *err)
{
    cop_batch batch = group->batch;
    const size_t all = group->lanes * count;
    const size_t vocabulary = (size_t)group->model->config->vocabulary;
    batch.spans = group->spans;
    batch.span_count = 0;
    batch.rows = all;
    for (size_t r = 0; r < all; r++) {
        const cop_decode_row *const row = &group->fed[r];
        const sequence *const of = group->owners[r];
        group->ids[r] = (int32_t)(r / count * vocabulary) + (of == NULL ? 0 : row->next);
        if (of == NULL) continue;
        if (group->options->sampling.temperature > 0)
            group->uniform[r] = cop_group_uniform(group, of, of->out->ids.count);
        group->spans[batch.span_count++] = (cop_span){
            .slot = row->slot, .first_row = (int32_t)r, .rows = 1, .past = row->past};
    }
    COP_TRY(feed(group->model, group->ids, &batch, err));
    return cop_rules_choose(group, group->owners, all, group->uniform, group->tokens, err);
}

static cop_status run_steps(sequence_group *group, size_t count, size_t steps, cop_error *err)
{
    cop_model *const model = group->model;
    const cop_model_config *const c = model->config;
    const cop_sampling *const how = &group->options->sampling;
    const bool draws = how->temperature > 0;
    const size_t all = group->lanes * count;
    for (size_t s = 0; s < steps && draws; s++) {
        for (size_t r = 0; r < all; r++) {
            const sequence *const of = group->owners[r];
            if (of == NULL) continue;
            group->uniform[s * all + r] = cop_group_uniform(group, of, of->out->ids.count + s);
        }
    }
    const cop_decode decode = {.rows = group->fed,
                               .count = count,
                               .most_rows = model->limits.batch,
                               .prefix = group->batch.prefix,
                               .prefix_slot = group->batch.prefix_slot,
                               .lane_slots = group->batch.lane_slots,
                               .stops = c->stops,
                               .stop_count = (size_t)c->stop_count,
                               .logits = model->scratch.logits,
                               .vocabulary = (size_t)c->vocabulary,
                               .draw = {.temperature = how->temperature,
                                        .top_p = how->top_p,
                                        .uniform = group->uniform},
                               .step = feed,
                               .context = model};
    return model->backend->ops->decode(model->backend, &decode, steps, group->tokens, err);
}

/* Hands the tokens of all steps to their sequences, up to where each ends. \return in *taken
 * how many there were. */
static cop_status take_tokens(sequence_group *group, size_t count, size_t steps, size_t *taken,
                              cop_error *err)
{
    const size_t all = group->lanes * count;
    *taken = 0;
    for (size_t s = 0; s < steps; s++) {
        const size_t before = *taken;
        for (size_t r = 0; r < all; r++) {
            sequence *const of = group->owners[r];
            const int32_t id = group->tokens[s * all + r];
            if (of == NULL || !of->active) continue;
            COP_CHECK(id != COP_DECODE_NONE, err, COP_ERR_INTERNAL,
                      "prompt %zu got no token %zu", of->index, of->out->ids.count);
            of->past++;
            (*taken)++;
            COP_TRY(cop_group_accept(group, of, id, err));
        }
        if (*taken == before) break;
        group->model->counters.decode_steps++;
    }
    return COP_OK;
}

/* Steps until the next look: more while sequences go on, fewer where many of the tokens that
 * were computed (count x steps) came after an end. */
static size_t adapt_steps(size_t steps, size_t computed, size_t taken)
{
    const size_t wasted = computed - taken;
    if (wasted > computed / 4) return steps > 1 ? steps / 2 : 1;
    return wasted > computed / 16 ? steps : 2 * steps;
}

cop_status cop_group_decode(sequence_group *group, cop_error *err)
{
    enum { FIRST_STEPS = 4 };
    const bool ruled = cop_rules_are_active(&group->model->config->rules);
    const size_t most = ruled ? 1 : group->model->backend->decode_steps;
    size_t wanted = FIRST_STEPS;
    for (;;) {
        size_t left = 0;
        size_t taken = 0;
        const size_t count = list_active(group, &left);
        if (count == 0) return COP_OK;
        if (wanted > most) wanted = most;
        const size_t steps = wanted < left ? wanted : left;
        COP_TRY(cop_group_poll(group, err));
        COP_TRY(ruled ? run_ruled_step(group, count, err)
                      : run_steps(group, count, steps, err));
        COP_TRY(take_tokens(group, count, steps, &taken, err));
        wanted = adapt_steps(wanted, group->lanes * count * steps, taken);
    }
}
