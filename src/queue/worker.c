/* The queue on the ranks that evaluate. */
#include "queue/messages.h"
#include "queue/pipeline.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* Chunks that lie here, beside the one at hand. Rank 0 sends at most two ahead. */
enum { MOST_CHUNKS = 4 };

typedef struct worker {
    cop_world *world;
    pipeline pipeline;
    uint16_t phase;
    message chunks[MOST_CHUNKS]; /* [chunk_count] as they came */
    size_t chunk_count;
    message inbox;
    cop_text body;        /* of a result on its way */
    uint32_t told_serial; /* of the cancel that was answered last */
} worker;

static cop_status say_ready(const worker *w, uint32_t serial, cop_error *err)
{
    const ready_message ready = {.serial = serial, .lanes = (uint32_t)w->pipeline.lanes};
    return cop_message_send(w->world, 0, TAG_READY, &ready, sizeof ready, NULL, 0, err);
}

static cop_status say_why(cop_world *world, const cop_error *why, cop_error *err)
{
    const ready_message ready = {.status = (int32_t)why->status};
    return cop_message_send(world, 0, TAG_READY, &ready, sizeof ready, why->message,
                            strnlen(why->message, 255), err);
}

/* Scores, and answers where there are any, one after the other. */
static cop_status pack_result(worker *w, const cop_queue_result *result, cop_error *err)
{
    cop_text_clear(&w->body);
    if (result->status != COP_OK)
        return cop_text_append(&w->body, result->message, strlen(result->message), err);
    const size_t count = result->score_count;
    COP_TRY(
        cop_text_append(&w->body, (const char *)result->scores, count * sizeof(float), err));
    if (!result->has_answers) return COP_OK;
    return cop_text_append(&w->body, (const char *)result->answers, count * sizeof(uint64_t),
                           err);
}

static cop_status send_result(void *context, const cop_queue_result *result, cop_error *err)
{
    worker *const w = context;
    if (cop_queue_cancelled(w->world)) return COP_OK; /* nobody waits for it any more */
    const unsigned answers = result->has_answers ? RESULT_HAS_ANSWERS : 0;
    const result_header header = {
        .unit = (uint32_t)result->unit,
        .tokens = {(uint32_t)result->tokens, (uint32_t)(result->tokens >> 32)},
        .seconds = (float)result->seconds,
        .phase = w->phase,
        .status = (uint16_t)((unsigned)result->status | answers)};
    COP_TRY(pack_result(w, result, err));
    return cop_message_send(w->world, 0, TAG_RESULT, &header, sizeof header, w->body.data,
                            w->body.length, err);
}

static work_header header_of(const message *chunk)
{
    assert(chunk->bytes >= sizeof(work_header));
    work_header header;
    memcpy(&header, chunk->data, sizeof header);
    return header;
}

static void drop_first_chunk(worker *w)
{
    assert(w->chunk_count > 0 && w->chunk_count <= MOST_CHUNKS);
    const message used = w->chunks[0];
    w->chunk_count--;
    memmove(w->chunks, w->chunks + 1, w->chunk_count * sizeof *w->chunks);
    w->chunks[w->chunk_count] = used; /* its memory serves again */
}

/* Drops what rank 0 does not want any more, and says so. */
static cop_status obey_cancel(worker *w, cop_error *err)
{
    const uint32_t serial = w->world->cancelled_serial;
    if (serial == w->told_serial) return COP_OK;
    cop_pipeline_drop(&w->pipeline);
    while (w->chunk_count > 0 && header_of(&w->chunks[0]).serial <= serial)
        drop_first_chunk(w);
    w->told_serial = serial;
    return say_ready(w, serial, err);
}

static void note_cancel(cop_world *world, const message *m)
{
    cancel_message cancel = {0};
    if (m->bytes >= sizeof cancel) memcpy(&cancel, m->data, sizeof cancel);
    if (cancel.serial > world->cancelled_serial) world->cancelled_serial = cancel.serial;
}

static cop_status say_alive(cop_world *world, cop_error *err)
{
    return cop_message_send(world, 0, TAG_ALIVE, NULL, 0, NULL, 0, err);
}

bool cop_queue_cancelled(cop_world *world)
{
    if (world->rank == 0) return false;
    message m = {0};
    bool there = false;
    if (cop_message_poll(world, 0, TAG_PING, 0, &m, &there, NULL) == COP_OK && there)
        (void)say_alive(world, NULL);
    if (world->serial > world->cancelled_serial &&
        cop_message_poll(world, 0, TAG_CANCEL, sizeof(cancel_message), &m, &there, NULL) ==
            COP_OK &&
        there)
        note_cancel(world, &m);
    cop_message_free(&m);
    return world->serial <= world->cancelled_serial;
}

static cop_status take_order(worker *w, cop_error *err)
{
    phase_header header;
    COP_CHECK(w->inbox.bytes >= sizeof header, err, COP_ERR_MPI, "rank 0 sent half a phase");
    memcpy(&header, w->inbox.data, sizeof header);
    COP_CHECK(header.row_units > 0, err, COP_ERR_MPI, "rank 0 sent rows without units");
    w->phase = header.phase;
    cop_pipeline_order(&w->pipeline, header.row_units, w->inbox.data + sizeof header,
                       w->inbox.bytes - sizeof header);
    return COP_OK;
}

static cop_status take_chunk(worker *w, cop_error *err)
{
    COP_CHECK(w->chunk_count < MOST_CHUNKS && w->inbox.bytes >= sizeof(work_header) &&
                  header_of(&w->inbox).count > 0,
              err, COP_ERR_MPI, "rank 0 sent work that is none");
    if (header_of(&w->inbox).serial <= w->world->cancelled_serial) return COP_OK;
    const message spare = w->chunks[w->chunk_count];
    w->chunks[w->chunk_count++] = w->inbox;
    w->inbox = spare;
    return COP_OK;
}

/* Takes what has arrived. */
static cop_status take_messages(worker *w, bool *any, cop_error *err)
{
    *any = false;
    for (;;) {
        bool there = false;
        COP_TRY(cop_message_poll(w->world, 0, MPI_ANY_TAG, INT_MAX, &w->inbox, &there, err));
        if (!there) break;
        *any = true;
        COP_CHECK(w->inbox.fault == NULL, err, COP_ERR_MPI, "rank 0 sent %s", w->inbox.fault);
        switch (w->inbox.tag) {
        case TAG_ORDER:
            COP_TRY(take_order(w, err));
            break;
        case TAG_WORK:
            COP_TRY(take_chunk(w, err));
            break;
        case TAG_CANCEL:
            note_cancel(w->world, &w->inbox);
            break;
        case TAG_PING:
            COP_TRY(say_alive(w->world, err));
            break;
        case TAG_STOP:
            w->world->stopped = true;
            return cop_message_send(w->world, 0, TAG_LEAVE, NULL, 0, NULL, 0, err);
        default:
            return cop_error_set(err, COP_ERR_MPI, "rank 0 sent a message of kind %d",
                                 w->inbox.tag);
        }
    }
    return obey_cancel(w, err);
}

/* Begins the next units at hand. */
static cop_status evaluate_next(worker *w, cop_error *err)
{
    if (!cop_pipeline_has_units(&w->pipeline)) {
        const work_header header = header_of(&w->chunks[0]);
        w->world->serial = header.serial;
        cop_pipeline_chunk(&w->pipeline, header.first, header.count,
                           w->chunks[0].data + sizeof header,
                           w->chunks[0].bytes - sizeof header);
        drop_first_chunk(w);
    }
    return cop_pipeline_begin(&w->pipeline, err);
}

static cop_status serve(worker *w, cop_error *err)
{
    static const double patient_after_s = 1;
    double pause_s = 0;
    double idle_since_s = cop_timer_now_s();
    while (!w->world->stopped) {
        bool any = false;
        COP_TRY(take_messages(w, &any, err));
        if (w->world->stopped) break;
        if (cop_pipeline_has_units(&w->pipeline) || w->chunk_count > 0) {
            COP_TRY(evaluate_next(w, err));
        } else if (cop_pipeline_is_pending(&w->pipeline)) {
            COP_TRY(cop_pipeline_flush(&w->pipeline, err));
        } else if (!any) {
            const bool patient = cop_timer_now_s() - idle_since_s > patient_after_s;
            cop_mpi_pause(&pause_s, patient ? 5e-3 : 5e-4);
            continue;
        }
        pause_s = 0;
        idle_since_s = cop_timer_now_s();
    }
    return COP_OK;
}

cop_status cop_queue_serve(cop_world *world, const cop_queue_options *options,
                           const cop_queue_work *work, cop_error *err)
{
    COP_CHECK(options->score_capacity <= COP_QUEUE_MOST_SCORES, err, COP_ERR_CONFIG,
              "a unit of %zu scores is too large: lower backend.batch",
              options->score_capacity);
    worker w = {.world = world,
                .pipeline = {.work = work, .rank = world->rank, .emit = send_result}};
    w.pipeline.emit_context = &w;
    world->stopped = false;
    world->serial = 1;
    world->cancelled_serial = 0;
    cop_error why = {0};
    cop_status status = cop_pipeline_create(&w.pipeline, options->score_capacity, &why);
    if (status == COP_OK) status = say_ready(&w, 0, &why);
    if (status == COP_OK) status = serve(&w, &why);
    cop_pipeline_free(&w.pipeline);
    for (size_t i = 0; i < MOST_CHUNKS; i++)
        cop_message_free(&w.chunks[i]);
    cop_message_free(&w.inbox);
    cop_text_free(&w.body);
    if (status == COP_OK) return COP_OK;
    /* With the memory given back there may be enough to say why. */
    if (status != COP_ERR_MPI && !world->stopped) return cop_queue_decline(world, &why, err);
    return cop_error_set(err, status, "%s", why.message);
}

cop_status cop_queue_decline(cop_world *world, const cop_error *why, cop_error *err)
{
    message inbox = {0};
    double pause_s = 0;
    cop_status status = say_why(world, why, err);
    while (status == COP_OK) {
        bool there = false;
        status = cop_message_poll(world, 0, MPI_ANY_TAG, INT_MAX, &inbox, &there, err);
        if (status == COP_OK && there && inbox.tag == TAG_STOP) break;
        if (!there) cop_mpi_pause(&pause_s, 5e-3);
    }
    cop_message_free(&inbox);
    COP_TRY(status);
    return cop_message_send(world, 0, TAG_LEAVE, NULL, 0, NULL, 0, err);
}
