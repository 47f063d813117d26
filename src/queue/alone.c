/* A phase on a lone rank: the same schedule and steps, without messages. */
#include "queue/coordinator.h"

#include <stdio.h>

static cop_status take_failure(cop_queue *q, const cop_queue_result *result, cop_error *err)
{
    cop_schedule_verdict verdict = COP_SCHEDULE_UNKNOWN;
    int attempts = 0;
    COP_TRY(cop_schedule_failed(q->schedule, 0, result->unit, cop_queue_clock(q), &verdict,
                                &attempts, err));
    return cop_queue_take_failure(q, result, attempts, err);
}

static cop_status take(void *context, const cop_queue_result *result, cop_error *err)
{
    cop_queue *const q = context;
    /* A signal drops the unit at hand: no failure of it. */
    if (result->status == COP_INTERRUPTED) COP_TRY(q->phase->tick(q->phase->context, err));
    cop_error why = {0};
    const char *const wrong = cop_queue_judge(q, result, &why);
    if (wrong != NULL) {
        cop_queue_result failed = *result;
        failed.status = COP_ERR_UNIT;
        (void)snprintf(failed.message, sizeof failed.message, "%s", wrong);
        return take_failure(q, &failed, err);
    }
    if (result->status == COP_OK || result->status == COP_ERR_NUMERIC) {
        const cop_schedule_verdict verdict = cop_schedule_done(
            q->schedule, 0, result->unit, result->seconds, cop_queue_clock(q));
        COP_CHECK(verdict == COP_SCHEDULE_TAKEN, err, COP_ERR_INTERNAL,
                  "unit %llu came out of turn", (unsigned long long)result->unit);
        return cop_queue_keep(q, result, err);
    }
    /* A device that has failed would fail at every other attempt, too. */
    COP_CHECK(result->status != COP_ERR_BACKEND, err, result->status, "%s", result->message);
    return take_failure(q, result, err);
}

static cop_status run_chunk(cop_queue *q, const cop_schedule_chunk *chunk, cop_error *err)
{
    cop_text_clear(&q->packed);
    COP_TRY(q->phase->pack(q->phase->context, chunk->first, chunk->count, &q->packed, err));
    cop_pipeline_chunk(&q->pipeline, chunk->first, chunk->count, q->packed.data,
                       q->packed.length);
    q->stats.chunks++;
    while (cop_pipeline_has_units(&q->pipeline)) {
        COP_TRY(q->phase->tick(q->phase->context, err));
        COP_TRY(cop_pipeline_begin(&q->pipeline, err));
    }
    return COP_OK;
}

cop_status cop_queue_run_alone(cop_queue *q, cop_error *err)
{
    cop_status status = COP_OK;
    q->pipeline.emit = take;
    q->pipeline.emit_context = q;
    cop_pipeline_order(&q->pipeline, q->phase->row_units, q->phase->order,
                       q->phase->order_bytes);
    cop_schedule_join(q->schedule, 0, q->pipeline.lanes);
    while (cop_schedule_left(q->schedule) > 0 && status == COP_OK) {
        cop_schedule_chunk chunk;
        status = cop_schedule_take(q->schedule, 0, cop_queue_clock(q), &chunk, err);
        if (status != COP_OK) break;
        status =
            chunk.count > 0 ? run_chunk(q, &chunk, err) : cop_pipeline_flush(&q->pipeline, err);
    }
    cop_pipeline_drop(&q->pipeline);
    return status;
}
