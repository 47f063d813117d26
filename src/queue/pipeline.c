#include "queue/pipeline.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool create_band(pipeline_band *b, size_t lanes, cop_error *err)
{
    b->units = cop_memory_alloc(lanes, sizeof *b->units, err);
    b->handles = cop_memory_alloc(lanes, sizeof *b->handles, err);
    b->failures = cop_memory_alloc(lanes, sizeof *b->failures, err);
    return b->units != NULL && b->handles != NULL && b->failures != NULL;
}

static void free_band(pipeline_band *b)
{
    cop_memory_free(b->units);
    cop_memory_free(b->handles);
    cop_memory_free(b->failures);
    *b = (pipeline_band){0};
}

cop_status cop_pipeline_create(pipeline *p, size_t score_capacity, cop_error *err)
{
    const size_t lanes = p->work->lanes == 0 ? 1 : p->work->lanes;
    COP_CHECK(lanes <= COP_QUEUE_MOST_LANES, err, COP_ERR_INTERNAL,
              "%zu rows side by side, the queue knows %d", lanes, COP_QUEUE_MOST_LANES);
    p->lanes = lanes;
    p->row_units = 1;
    if (!create_band(&p->pending, lanes, err) || !create_band(&p->coming, lanes, err))
        return COP_ERR_MEMORY;
    p->result.scores = cop_memory_alloc(score_capacity, sizeof(float), err);
    p->result.answers = cop_memory_alloc(score_capacity, sizeof(uint64_t), err);
    return p->result.scores == NULL || p->result.answers == NULL ? COP_ERR_MEMORY : COP_OK;
}

void cop_pipeline_order(pipeline *p, size_t row_units, const void *data, size_t bytes)
{
    assert(row_units > 0);
    cop_pipeline_drop(p);
    p->row_units = row_units;
    p->order_failure.status = COP_OK;
    (void)p->work->order(p->work->context, data, bytes, &p->order_failure);
}

void cop_pipeline_chunk(pipeline *p, uint64_t first, size_t count, const void *data,
                        size_t bytes)
{
    assert(count > 0 && !cop_pipeline_has_units(p));
    p->bands = cop_bands_of(first, count, p->row_units, p->lanes);
    p->chunk_failure.status = COP_OK;
    if (p->order_failure.status != COP_OK) return;
    (void)p->work->chunk(p->work->context, first, count, data, bytes, &p->chunk_failure);
}

bool cop_pipeline_has_units(const pipeline *p)
{
    return p->bands.left > 0;
}

/* --- the first step --- */

/* Begins the units of a band -> coming. \return how many were. */
static size_t begin_units(pipeline *p, const cop_band *b)
{
    pipeline_band *const c = &p->coming;
    const cop_error failure =
        p->order_failure.status != COP_OK ? p->order_failure : p->chunk_failure;
    size_t begun = 0;
    assert(b->count >= 1 && b->count <= p->lanes);
    for (size_t i = 0; i < b->count; i++) {
        c->units[i] = b->first + i * b->step;
        c->handles[i] = NULL;
        c->failures[i] = failure;
    }
    c->next = 0;
    c->count = b->count;
    const double start_s = cop_timer_now_s();
    if (failure.status == COP_OK)
        p->work->begin(p->work->context, c->units, c->count, c->handles, c->failures);
    c->share_s = (cop_timer_now_s() - start_s) / (double)c->count;
    for (size_t i = 0; i < c->count; i++)
        begun += c->failures[i].status == COP_OK;
    return begun;
}

cop_status cop_pipeline_begin(pipeline *p, cop_error *err)
{
    cop_band next;
    if (!cop_bands_next(&p->bands, &next)) return COP_OK;
    const size_t begun = begin_units(p, &next);
    const cop_status status = cop_pipeline_flush(p, err);
    if (status != COP_OK) cop_pipeline_drop(p); /* what came before is finished first */
    assert(!cop_pipeline_is_pending(p));
    const pipeline_band spare = p->pending;
    p->pending = p->coming;
    p->coming = spare;
    COP_TRY(status);
    return p->work->overlap && begun > 0 ? COP_OK : cop_pipeline_flush(p, err);
}

/* --- the second step --- */

bool cop_pipeline_is_pending(const pipeline *p)
{
    assert(p->pending.next <= p->pending.count);
    return p->pending.next < p->pending.count;
}

/* Finishes the next pending unit. */
static cop_status finish(pipeline *p, cop_error *err)
{
    pipeline_band *const b = &p->pending;
    const size_t i = b->next++;
    cop_queue_result *const r = &p->result;
    cop_error failure = b->failures[i];
    const double start_s = cop_timer_now_s();
    *r = (cop_queue_result){
        .unit = b->units[i], .scores = r->scores, .answers = r->answers, .rank = p->rank};
    if (failure.status == COP_OK)
        failure.status =
            p->work->finish(p->work->context, b->units[i], b->handles[i], r, &failure);
    r->status = failure.status;
    r->seconds = b->share_s + cop_timer_now_s() - start_s;
    if (r->status != COP_OK) {
        r->score_count = 0;
        r->has_answers = false;
        (void)snprintf(r->message, sizeof r->message, "%s", failure.message);
    }
    return p->emit(p->emit_context, r, err);
}

cop_status cop_pipeline_flush(pipeline *p, cop_error *err)
{
    while (cop_pipeline_is_pending(p))
        COP_TRY(finish(p, err));
    return COP_OK;
}

void cop_pipeline_drop(pipeline *p)
{
    p->bands.left = 0;
    while (cop_pipeline_is_pending(p)) {
        pipeline_band *const b = &p->pending;
        const size_t i = b->next++;
        if (b->failures[i].status == COP_OK)
            (void)p->work->finish(p->work->context, b->units[i], b->handles[i], NULL, NULL);
    }
}

void cop_pipeline_free(pipeline *p)
{
    cop_pipeline_drop(p);
    free_band(&p->pending);
    free_band(&p->coming);
    cop_memory_free(p->result.scores);
    cop_memory_free(p->result.answers);
    p->result.scores = NULL;
    p->result.answers = NULL;
}
