/* The queue on rank 0: phases from their first chunk to their last result. */
#include "queue/coordinator.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double cop_queue_clock(cop_queue *q)
{
    static const double longest_step_s = 1;
    const double now_s = cop_timer_now_s();
    q->clock_s += fmin(now_s - q->clock_read_s, longest_step_s);
    q->clock_read_s = now_s;
    return q->clock_s;
}

void cop_queue_note(const cop_queue *q, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (q->phase == NULL || q->phase->note == NULL) return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    q->phase->note(q->phase->context, text);
}

cop_status cop_queue_open(cop_world *world, const cop_queue_options *options,
                          const cop_queue_work *work, cop_queue **queue, cop_error *err)
{
    *queue = NULL;
    COP_CHECK(options->score_capacity <= COP_QUEUE_MOST_SCORES, err, COP_ERR_CONFIG,
              "a unit of %zu scores is too large: lower backend.batch",
              options->score_capacity);
    cop_queue *opened = cop_memory_alloc(1, sizeof *opened, err);
    if (opened == NULL) return COP_ERR_MEMORY;
    opened->world = world;
    opened->options = *options;
    opened->clock_read_s = cop_timer_now_s();
    opened->pipeline.work = work;
    opened->peers = cop_memory_alloc((size_t)world->size, sizeof *opened->peers, err);
    opened->result.scores = cop_memory_alloc(options->score_capacity, sizeof(float), err);
    opened->result.answers = cop_memory_alloc(options->score_capacity, sizeof(uint64_t), err);
    const cop_schedule_options schedule = {.workers = (size_t)world->size,
                                           .chunk_s = options->chunk_s,
                                           .deadline_factor = options->deadline_factor,
                                           .deadline_least_s = options->deadline_least_s};
    cop_status status = COP_ERR_MEMORY;
    if (opened->peers != NULL && opened->result.scores != NULL &&
        opened->result.answers != NULL)
        status = cop_schedule_create(&schedule, &opened->schedule, err);
    if (status == COP_OK && world->size == 1)
        status = cop_pipeline_create(&opened->pipeline, options->score_capacity, err);
    if (status != COP_OK) {
        int missing = 0;
        (void)cop_queue_close(world, &opened, 0, &missing, NULL);
        return status;
    }
    *queue = opened;
    return COP_OK;
}

cop_queue_stats cop_queue_get_stats(const cop_queue *q)
{
    return q->stats;
}

/* The order goes to a worker with its first chunk. */
static cop_status send_order(cop_queue *q, int rank, cop_error *err)
{
    peer *const p = &q->peers[rank];
    if (p->order == q->number) return COP_OK;
    p->order = q->number;
    const size_t row_units = q->phase->row_units;
    const phase_header header = {.row_units =
                                     row_units < UINT32_MAX ? (uint32_t)row_units : UINT32_MAX,
                                 .phase = (uint16_t)q->number};
    return cop_message_send(q->world, rank, TAG_ORDER, &header, sizeof header, q->phase->order,
                            q->phase->order_bytes, err);
}

static cop_status send_chunk(cop_queue *q, int rank, const cop_schedule_chunk *chunk,
                             cop_error *err)
{
    COP_TRY(send_order(q, rank, err));
    cop_text_clear(&q->packed);
    COP_TRY(q->phase->pack(q->phase->context, chunk->first, chunk->count, &q->packed, err));
    const work_header header = {.first = (uint32_t)chunk->first,
                                .count = (uint32_t)chunk->count,
                                .serial = ++q->peers[rank].serial};
    q->stats.chunks++;
    if (chunk->again) q->stats.again_bytes += sizeof header + q->packed.length;
    return cop_message_send(q->world, rank, TAG_WORK, &header, sizeof header, q->packed.data,
                            q->packed.length, err);
}

cop_status cop_queue_offer(cop_queue *q, int rank, cop_error *err)
{
    for (;;) {
        cop_schedule_chunk chunk;
        COP_TRY(cop_schedule_take(q->schedule, (size_t)rank, cop_queue_clock(q), &chunk, err));
        if (chunk.count == 0) return COP_OK;
        COP_TRY(send_chunk(q, rank, &chunk, err));
    }
}

static cop_status offer_idle(cop_queue *q, cop_error *err)
{
    for (int rank = 1; rank < q->world->size && cop_schedule_waiting(q->schedule) > 0; rank++) {
        if (cop_schedule_is_idle(q->schedule, (size_t)rank))
            COP_TRY(cop_queue_offer(q, rank, err));
    }
    return COP_OK;
}

/* While workers have their next units already, and when nothing is left to hand out, nobody
 * waits for rank 0. Every pause costs it some 50 us, so it makes few of them then. *be_quick:
 * somebody may wait. */
static double longest_pause(const cop_queue *q, bool *be_quick)
{
    const size_t waiting = cop_schedule_waiting(q->schedule);
    const double unit_s = cop_schedule_unit_s(q->schedule);
    *be_quick = waiting > 0 && waiting < (size_t)q->world->size;
    if (*be_quick) return 5e-4;
    if (waiting > 0) return fmin(fmax(0.2 * unit_s, 5e-3), 2e-2);
    return fmin(fmax(0.03 * unit_s, 5e-4), 5e-3); /* the phase ends so much later */
}

static cop_status coordinate(cop_queue *q, cop_error *err)
{
    double pause_s = 0;
    COP_TRY(offer_idle(q, err));
    while (cop_schedule_left(q->schedule) > 0) {
        bool any = false;
        size_t sending = 0;
        COP_TRY(cop_queue_receive(q, &any, err));
        COP_TRY(q->phase->tick(q->phase->context, err));
        COP_TRY(cop_queue_review(q, err));
        if (cop_schedule_returned(q->schedule) > 0) COP_TRY(offer_idle(q, err));
        COP_TRY(cop_queue_check_workers(q, err));
        COP_TRY(cop_message_reap(q->world, &sending, err));
        if (any) {
            pause_s = 0;
            continue;
        }
        bool be_quick = false;
        double longest_s = longest_pause(q, &be_quick);
        if (sending > 0) longest_s = 1e-4;
        if (!be_quick) pause_s = longest_s;
        cop_mpi_pause(&pause_s, longest_s);
    }
    return COP_OK;
}

/* Whoever still works on this phase is told to stop. */
static cop_status end_phase(cop_queue *q, cop_error *err)
{
    for (int rank = 1; rank < q->world->size; rank++) {
        if (q->peers[rank].state == PEER_READY && cop_schedule_owes(q->schedule, (size_t)rank))
            COP_TRY(cop_queue_take_away(q, rank, PEER_CANCELLED, err));
    }
    return COP_OK;
}

static double own_cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

cop_status cop_queue_run(cop_queue *q, const cop_queue_phase *phase, cop_error *err)
{
    const double start_s = cop_timer_now_s();
    const double cpu_s = own_cpu_s();
    const cop_schedule_phase schedule = {.units = phase->units,
                                         .unit_count = phase->unit_count,
                                         .row_units = phase->row_units,
                                         .last_size = phase->last_size};
    COP_CHECK(phase->unit_count == 0 || phase->units[phase->unit_count - 1] <= UINT32_MAX, err,
              COP_ERR_CONFIG, "a phase of more than 2^32 units: raise backend.batch");
    COP_TRY(cop_schedule_begin(q->schedule, &schedule, err));
    q->phase = phase;
    q->number++;
    (void)cop_queue_clock(q);
    cop_status status = q->world->size == 1 ? cop_queue_run_alone(q, err) : coordinate(q, err);
    cop_error ending = {0};
    if (status != COP_ERR_MPI && end_phase(q, &ending) != COP_OK && status == COP_OK)
        status = cop_error_set(err, ending.status, "%s", ending.message);
    q->phase = NULL;
    q->stats.wall_s += cop_timer_now_s() - start_s;
    q->stats.cpu_s += own_cpu_s() - cpu_s;
    return status;
}

/* Waits until the others have left, or `patience_s` are over. */
static cop_status see_off(cop_world *world, double patience_s, int silent, int *missing,
                          cop_error *err)
{
    static const double short_part = 0.2; /* for ranks that were silent before */
    message inbox = {0};
    cop_status status = COP_OK;
    double pause_s = 0;
    const double start_s = cop_timer_now_s();
    *missing = world->size - 1;
    for (int rank = 1; rank < world->size && status == COP_OK; rank++)
        status = cop_message_send(world, rank, TAG_STOP, NULL, 0, NULL, 0, err);
    while (*missing > 0 && status == COP_OK) {
        bool there = false;
        /* A new message of a length that is of no interest any more: what counts is its tag. */
        status = cop_message_poll(world, MPI_ANY_SOURCE, MPI_ANY_TAG, 0, &inbox, &there, err);
        if (status == COP_OK && there && inbox.tag == TAG_LEAVE) --*missing;
        if (there) {
            pause_s = 0;
            continue;
        }
        const double waited_s = cop_timer_now_s() - start_s;
        if (waited_s > (*missing <= silent ? short_part * patience_s : patience_s)) break;
        cop_mpi_pause(&pause_s, 5e-3);
    }
    cop_message_free(&inbox);
    return status;
}

cop_status cop_queue_close(cop_world *world, cop_queue **queue, double patience_s, int *missing,
                           cop_error *err)
{
    cop_queue *const q = *queue;
    int silent = 0;
    *missing = 0;
    *queue = NULL;
    if (q != NULL) {
        for (int rank = 1; q->peers != NULL && rank < world->size; rank++)
            silent += q->peers[rank].state == PEER_SILENT;
        cop_pipeline_free(&q->pipeline);
        cop_schedule_destroy(&q->schedule);
        cop_memory_free(q->peers);
        cop_memory_free(q->result.scores);
        cop_memory_free(q->result.answers);
        cop_message_free(&q->inbox);
        cop_text_free(&q->packed);
        cop_memory_free(q);
    }
    return patience_s > 0 ? see_off(world, patience_s, silent, missing, err) : COP_OK;
}
