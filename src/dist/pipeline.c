#include "dist/pipeline.h"

#include "coppice/memory.h"
#include "coppice/timer.h"

#include <stdio.h>
#include <string.h>

cop_status cop_pipeline_create(pipeline *p, size_t score_capacity, cop_error *err)
{
    p->result.scores = cop_memory_alloc(score_capacity, sizeof(float), err);
    p->result.answers = cop_memory_alloc(score_capacity, sizeof(uint64_t), err);
    return p->result.scores == NULL || p->result.answers == NULL ? COP_ERR_MEMORY : COP_OK;
}

void cop_pipeline_order(pipeline *p, const void *data, size_t bytes)
{
    cop_pipeline_drop(p);
    p->order_failure.status = COP_OK;
    (void)p->work->order(p->work->context, data, bytes, &p->order_failure);
}

void cop_pipeline_chunk(pipeline *p, uint64_t first, size_t count, const void *data,
                        size_t bytes)
{
    p->chunk_failure.status = COP_OK;
    if (p->order_failure.status != COP_OK) return;
    (void)p->work->chunk(p->work->context, first, count, data, bytes, &p->chunk_failure);
}

static void clear_result(pipeline *p, uint64_t unit)
{
    p->result = (cop_queue_result){.unit = unit,
                                   .scores = p->result.scores,
                                   .answers = p->result.answers,
                                   .rank = p->rank};
}

static cop_status emit_failure(pipeline *p, uint64_t unit, const cop_error *failure,
                               cop_error *err)
{
    clear_result(p, unit);
    p->result.status = failure->status;
    (void)snprintf(p->result.message, sizeof p->result.message, "%s", failure->message);
    return p->emit(p->emit_context, &p->result, err);
}

cop_status cop_pipeline_flush(pipeline *p, cop_error *err)
{
    if (!p->pending) return COP_OK;
    p->pending = false;
    cop_error failure = {0};
    clear_result(p, p->unit);
    const double start_s = cop_timer_now_s();
    p->result.status = p->work->finish(p->work->context, p->unit, &p->result, &failure);
    p->result.seconds = p->begin_s + cop_timer_now_s() - start_s;
    if (p->result.status != COP_OK) {
        p->result.score_count = 0;
        p->result.has_answers = false;
        (void)snprintf(p->result.message, sizeof p->result.message, "%s", failure.message);
    }
    return p->emit(p->emit_context, &p->result, err);
}

cop_status cop_pipeline_begin(pipeline *p, uint64_t unit, cop_error *err)
{
    cop_error failure = p->order_failure.status != COP_OK ? p->order_failure : p->chunk_failure;
    const double start_s = cop_timer_now_s();
    if (failure.status == COP_OK) (void)p->work->begin(p->work->context, unit, &failure);
    const double spent_s = cop_timer_now_s() - start_s;
    COP_TRY(cop_pipeline_flush(p, err));
    if (failure.status != COP_OK) return emit_failure(p, unit, &failure, err);
    p->pending = true;
    p->unit = unit;
    p->begin_s = spent_s;
    return p->work->overlap ? COP_OK : cop_pipeline_flush(p, err);
}

void cop_pipeline_drop(pipeline *p)
{
    if (!p->pending) return;
    p->pending = false;
    (void)p->work->finish(p->work->context, p->unit, NULL, NULL);
}

void cop_pipeline_free(pipeline *p)
{
    cop_pipeline_drop(p);
    cop_memory_free(p->result.scores);
    cop_memory_free(p->result.answers);
    p->result.scores = NULL;
    p->result.answers = NULL;
}
