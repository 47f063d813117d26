/* Prompts -> cache, first tokens, logits, log-probabilities. */
#include "model/group.h"

#include "coppice/base/memory.h"
#include "model/forward.h"

/* Tokens that all prompts begin with, leaving each at least one of its own. */
static size_t common_prefix(const sequence_group *group)
{
    const cop_prompt *const first = group->sequences[0].prompt;
    size_t common = first->count - 1;
    for (size_t i = 1; i < group->count; i++) {
        const cop_prompt *const other = group->sequences[i].prompt;
        if (other->count - 1 < common) common = other->count - 1;
        size_t same = 0;
        while (same < common && first->ids[same] == other->ids[same])
            same++;
        common = same;
    }
    return common;
}

/* Adds the next tokens of a sequence to the batch, as many as fit. */
static void add_span(sequence_group *group, sequence *of, size_t end)
{
    cop_batch *const batch = &group->batch;
    const size_t space = group->model->scratch.rows - batch->rows;
    const size_t left = end - (size_t)of->past;
    const size_t rows = left < space ? left : space;
    for (size_t r = 0; r < rows; r++) {
        group->ids[batch->rows + r] = of->prompt->ids[(size_t)of->past + r];
    }
    group->spans[batch->span_count++] = (cop_span){.slot = of->slot,
                                                   .first_row = (int32_t)batch->rows,
                                                   .rows = (int32_t)rows,
                                                   .past = of->past};
    batch->rows += rows;
    of->past += (int32_t)rows;
}

/* Log-probabilities of the tokens that follow rows [count] of the last pass. */
static cop_status score_rows(sequence_group *group, size_t count, cop_error *err)
{
    cop_model *const model = group->model;
    if (count == 0) return COP_OK;
    COP_TRY(cop_model_logits(model, group->rows, count, err));
    COP_TRY(model->backend->ops->log_probability(model->backend, model->scratch.logits, count,
                                                 (size_t)model->config->vocabulary,
                                                 group->targets, group->scores, err));
    for (size_t i = 0; i < count; i++) {
        group->owners[i]->out->prompt_log_probability += group->scores[i];
    }
    return COP_OK;
}

static cop_status score_spans(sequence_group *group, const cop_batch *done, cop_error *err)
{
    size_t count = 0;
    for (size_t s = 0; s < done->span_count; s++) {
        const cop_span *const span = &group->spans[s];
        sequence *const of = &group->sequences[span->slot];
        for (int32_t r = 0; r < span->rows; r++) {
            const size_t next = (size_t)(span->past + r) + 1;
            if (next == of->prompt->count) continue;
            group->rows[count] = span->first_row + r;
            group->targets[count] = of->prompt->ids[next];
            group->owners[count] = of;
            if (++count < group->model->scratch.head_rows) continue;
            COP_TRY(score_rows(group, count, err));
            count = 0;
        }
    }
    return score_rows(group, count, err);
}

/* Row `row` of the logits, widened, as the generation's own copy. */
static cop_status copy_logits(sequence_group *group, size_t row, cop_generation *out,
                              cop_error *err)
{
    cop_backend *const backend = group->model->backend;
    const size_t count = (size_t)group->model->config->vocabulary;
    const size_t bytes = count * cop_dtype_size(backend->output);
    out->logits = cop_memory_alloc_raw(count, sizeof(float), err);
    if (out->logits == NULL) return COP_ERR_MEMORY;
    if (backend->output == COP_F32) {
        return backend->ops->download(backend, group->model->scratch.logits, row * bytes,
                                      out->logits, bytes, err);
    }
    uint16_t *const narrow = cop_memory_alloc_raw(count, sizeof *narrow, err);
    if (narrow == NULL) return COP_ERR_MEMORY;
    const cop_status status = backend->ops->download(backend, group->model->scratch.logits,
                                                     row * bytes, narrow, bytes, err);
    for (size_t i = 0; i < count && status == COP_OK; i++) {
        out->logits[i] = backend->output == COP_BF16 ? cop_bf16_to_f32(narrow[i])
                                                     : cop_f16_to_f32(narrow[i]);
    }
    cop_memory_free(narrow);
    return status;
}

/* Rows [count] of the first lane, of a pass with `block` rows in each, in the others too. */
static void repeat_for_lanes(sequence_group *group, size_t count, size_t block)
{
    for (size_t l = 1; l < group->lanes; l++) {
        for (size_t i = 0; i < count; i++) {
            group->rows[l * count + i] = group->rows[i] + (int32_t)(l * block);
            group->owners[l * count + i] = group->owners[i] + l * group->count;
        }
    }
}

/* The first tokens of the sequences whose prompts ended in the last pass. */
static cop_status take_first_tokens(sequence_group *group, const cop_batch *done,
                                    cop_error *err)
{
    const cop_generate_options *const options = group->options;
    size_t count = 0;
    for (size_t s = 0; s < done->span_count; s++) {
        const cop_span *const span = &group->spans[s];
        if ((size_t)span->slot >= group->count) continue; /* the prefix */
        sequence *const of = &group->sequences[span->slot];
        if ((size_t)span->past + (size_t)span->rows < of->prompt->count) continue;
        group->rows[count] = span->first_row + span->rows - 1;
        group->owners[count++] = of;
    }
    repeat_for_lanes(group, count, done->rows);
    if (count == 0 || (options->max_new_tokens == 0 && !options->want_logits)) return COP_OK;
    const size_t all = group->lanes * count;
    COP_TRY(cop_group_choose(group, all, err));
    for (size_t i = 0; i < all; i++) {
        sequence *const of = group->owners[i];
        if (options->want_logits) COP_TRY(copy_logits(group, i, of->out, err));
        COP_TRY(cop_group_accept(group, of, group->results[i], err));
    }
    return COP_OK;
}

static cop_status flush(sequence_group *group, cop_error *err)
{
    if (group->batch.rows == 0) return COP_OK;
    const cop_batch done = group->batch;
    group->model->counters.prompt_tokens += group->lanes * done.rows;
    COP_TRY(cop_group_forward(group, err));
    if (group->options->want_logits) COP_TRY(score_spans(group, &done, err));
    return take_first_tokens(group, &done, err);
}

/* Packs tokens of a sequence up to `end` into passes; a pass that is full is run. */
static cop_status pack(sequence_group *group, sequence *of, size_t end, cop_error *err)
{
    while ((size_t)of->past < end) {
        add_span(group, of, end);
        if (group->batch.rows == group->model->scratch.rows) COP_TRY(flush(group, err));
    }
    return COP_OK;
}

/* Packs the shared prefix, into the slot after the sequences' own. Sequences may follow in the
 * same pass: in every layer all keys and values are stored before any are read. */
static cop_status pack_prefix(sequence_group *group, cop_error *err)
{
    /* Scoring wants the logits of every prompt row, so that nothing is shared then. */
    if (group->count < 2 || group->options->want_logits) return COP_OK;
    const size_t prefix = common_prefix(group);
    group->batch.prefix = (int32_t)prefix;
    group->batch.prefix_slot = (int32_t)group->model->slots - 1;
    sequence shared = {.prompt = group->sequences[0].prompt, .slot = group->batch.prefix_slot};
    for (size_t i = 0; i < group->count; i++)
        group->sequences[i].past = (int32_t)prefix;
    return pack(group, &shared, prefix, err);
}

cop_status cop_group_prefill(sequence_group *group, cop_error *err)
{
    COP_TRY(pack_prefix(group, err));
    for (size_t i = 0; i < group->count; i++) {
        sequence *const of = &group->sequences[i];
        COP_TRY(pack(group, of, of->prompt->count, err));
    }
    for (size_t l = 1; l < group->lanes; l++) {
        for (size_t i = 0; i < group->count; i++)
            group->sequences[l * group->count + i].past = group->sequences[i].past;
    }
    return flush(group, err);
}
