#include "queue/pipeline.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdio.h>
#include <string.h>

cop_status cop_pipeline_create(pipeline *p, size_t score_capacity, cop_error *err)
{
    const size_t lanes = p->work->lanes == 0 ? 1 : p->work->lanes;
    COP_CHECK(lanes <= COP_QUEUE_MOST_LANES, err, COP_ERR_INTERNAL,
              "%zu rows side by side, the queue knows %d", lanes, COP_QUEUE_MOST_LANES);
    p->lanes = lanes;
    p->row_units = 1;
    p->pending = cop_memory_alloc(lanes, sizeof *p->pending, err);
    p->coming = cop_memory_alloc(lanes, sizeof *p->coming, err);
    p->units = cop_memory_alloc(lanes, sizeof *p->units, err);
    p->result.scores = cop_memory_alloc(score_capacity, sizeof(float), err);
    p->result.answers = cop_memory_alloc(score_capacity, sizeof(uint64_t), err);
    return p->pending == NULL || p->coming == NULL || p->units == NULL ||
                   p->result.scores == NULL || p->result.answers == NULL
               ? COP_ERR_MEMORY
               : COP_OK;
}

void cop_pipeline_order(pipeline *p, size_t row_units, const void *data, size_t bytes)
{
    cop_pipeline_drop(p);
    p->row_units = row_units;
    p->order_failure.status = COP_OK;
    (void)p->work->order(p->work->context, data, bytes, &p->order_failure);
}

void cop_pipeline_chunk(pipeline *p, uint64_t first, size_t count, const void *data,
                        size_t bytes)
{
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

/* What keeps the units of a band from being begun, COP_OK for nothing; what they need together.
 */
static cop_error prepare(pipeline *p, const band *b)
{
    cop_error failure = p->order_failure.status != COP_OK ? p->order_failure : p->chunk_failure;
    if (failure.status != COP_OK || b->count < 2 || p->work->prepare == NULL) return failure;
    for (size_t i = 0; i < b->count; i++)
        p->units[i] = b->first + i * b->step;
    failure.status = p->work->prepare(p->work->context, p->units, b->count, &failure);
    return failure.status == COP_INTERRUPTED ? failure : (cop_error){0}; /* one by one, then */
}

/* Begins the units of a band -> coming. \return how many were. */
static size_t begin_units(pipeline *p, const band *b)
{
    double start_s = cop_timer_now_s();
    const cop_error failure = prepare(p, b);
    const double share_s = (cop_timer_now_s() - start_s) / (double)b->count;
    size_t begun = 0;
    for (size_t i = 0; i < b->count; i++) {
        pipeline_unit *const u = &p->coming[i];
        *u = (pipeline_unit){.unit = b->first + i * b->step, .failure = failure};
        start_s = cop_timer_now_s();
        if (failure.status == COP_OK)
            u->failure.status = p->work->begin(p->work->context, u->unit, &u->failure);
        u->begin_s = share_s + cop_timer_now_s() - start_s;
        begun += u->failure.status == COP_OK;
    }
    return begun;
}

cop_status cop_pipeline_begin(pipeline *p, cop_error *err)
{
    band next;
    if (!cop_bands_next(&p->bands, &next)) return COP_OK;
    const size_t begun = begin_units(p, &next);
    const cop_status status = cop_pipeline_flush(p, err);
    if (status != COP_OK) cop_pipeline_drop(p); /* what came before is finished first */
    pipeline_unit *const spare = p->pending;
    p->pending = p->coming;
    p->coming = spare;
    p->first_pending = 0;
    p->pending_count = next.count;
    COP_TRY(status);
    return p->work->overlap && begun > 0 ? COP_OK : cop_pipeline_flush(p, err);
}

/* --- the second step --- */

bool cop_pipeline_is_pending(const pipeline *p)
{
    return p->first_pending < p->pending_count;
}

static cop_status finish(pipeline *p, const pipeline_unit *u, cop_error *err)
{
    cop_queue_result *const r = &p->result;
    cop_error failure = u->failure;
    const double start_s = cop_timer_now_s();
    *r = (cop_queue_result){
        .unit = u->unit, .scores = r->scores, .answers = r->answers, .rank = p->rank};
    if (failure.status == COP_OK)
        failure.status = p->work->finish(p->work->context, u->unit, r, &failure);
    r->status = failure.status;
    r->seconds = u->begin_s + cop_timer_now_s() - start_s;
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
        COP_TRY(finish(p, &p->pending[p->first_pending++], err));
    return COP_OK;
}

void cop_pipeline_drop(pipeline *p)
{
    p->bands.left = 0;
    while (cop_pipeline_is_pending(p)) {
        const pipeline_unit *const u = &p->pending[p->first_pending++];
        if (u->failure.status == COP_OK)
            (void)p->work->finish(p->work->context, u->unit, NULL, NULL);
    }
}

void cop_pipeline_free(pipeline *p)
{
    if (p->pending != NULL) cop_pipeline_drop(p);
    cop_memory_free(p->pending);
    cop_memory_free(p->coming);
    cop_memory_free(p->units);
    cop_memory_free(p->result.scores);
    cop_memory_free(p->result.answers);
    p->pending = NULL;
    p->coming = NULL;
    p->units = NULL;
    p->result.scores = NULL;
    p->result.answers = NULL;
}
