#include "queue/messages.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

_Static_assert(sizeof(result_header) == 20 && sizeof(work_header) == 12,
               "these two make up the traffic of a unit");

static void count(cop_world *world, int tag, uint64_t *way, size_t bytes)
{
    *way += bytes;
    world->traffic.messages++;
    if (tag != TAG_WORK && tag != TAG_RESULT) world->traffic.rank_bytes += bytes;
}

cop_status cop_message_reap(cop_world *world, size_t *pending, cop_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->outbox_count; i++) {
        int sent = 0;
        MPI_TRY(MPI_Test(&world->outbox[i].request, &sent, MPI_STATUS_IGNORE));
        if (sent) {
            cop_memory_free(world->outbox[i].data);
        } else {
            world->outbox[kept++] = world->outbox[i];
        }
    }
    world->outbox_count = kept;
    *pending = kept;
    return COP_OK;
}

cop_status cop_message_send(cop_world *world, int rank, int tag, const void *head,
                            size_t head_bytes, const void *body, size_t body_bytes,
                            cop_error *err)
{
    assert(rank >= 0 && rank < world->size && rank != world->rank);
    const size_t bytes = head_bytes + body_bytes;
    COP_CHECK(
        bytes <= INT_MAX, err, COP_ERR_CONFIG,
        "a message of %zu bytes to rank %d is too long: fewer candidates (population.size) "
        "make it shorter",
        bytes, rank);
    COP_GROW(world->outbox, world->outbox_capacity, world->outbox_count + 1, err);
    outgoing out = {.request = MPI_REQUEST_NULL, .data = cop_memory_alloc_raw(bytes, 1, err)};
    if (out.data == NULL) return COP_ERR_MEMORY;
    if (head_bytes > 0) memcpy(out.data, head, head_bytes);
    if (body_bytes > 0) memcpy((char *)out.data + head_bytes, body, body_bytes);
    const cop_status status = cop_mpi_check(
        MPI_Isend(out.data, (int)bytes, MPI_BYTE, rank, tag, world->comm, &out.request),
        "MPI_Isend", err);
    if (status != COP_OK) {
        cop_memory_free(out.data);
        return status;
    }
    assert(world->outbox_count < world->outbox_capacity);
    world->outbox[world->outbox_count++] = out;
    count(world, tag, &world->traffic.sent_bytes, bytes);
    size_t pending = 0;
    return cop_message_reap(world, &pending, err);
}

/* Receives into m->data; *whole is false if the sender does not send the rest of what it began.
 * Such a receive cannot be taken back, so its memory stays with MPI. */
static cop_status receive(cop_world *world, message *m, size_t bytes, bool *whole,
                          cop_error *err)
{
    static const double patience_s = 10;
    MPI_Request request = MPI_REQUEST_NULL;
    double pause_s = 0;
    *whole = true;
    MPI_TRY(MPI_Irecv(m->data, (int)bytes, MPI_BYTE, m->rank, m->tag, world->comm, &request));
    const double start_s = cop_timer_now_s();
    for (;;) {
        int done = 0;
        MPI_TRY(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (done) return COP_OK;
        if (cop_timer_now_s() - start_s > patience_s) break;
        cop_mpi_pause(&pause_s, 1e-3);
    }
    *whole = false;
    m->data = NULL;
    m->capacity = 0;
    return COP_OK;
}

cop_status cop_message_poll(cop_world *world, int rank, int tag, size_t limit, message *m,
                            bool *there, cop_error *err)
{
    int found = 0;
    int length = 0;
    MPI_Status probe;
    MPI_TRY(MPI_Iprobe(rank, tag, world->comm, &found, &probe));
    *there = found != 0;
    if (!found) return COP_OK;
    MPI_TRY(MPI_Get_count(&probe, MPI_BYTE, &length));
    const size_t bytes = length < 0 ? 0 : (size_t)length;
    m->rank = probe.MPI_SOURCE;
    m->tag = probe.MPI_TAG;
    m->fault = NULL;
    m->bytes = 0;
    /* Even what nobody wants is received in full: Open MPI 4.1 writes past the end of a buffer
     * that is too small for a message from the same node. */
    COP_GROW(m->data, m->capacity, bytes + 1, err);
    bool whole = false;
    COP_TRY(receive(world, m, bytes, &whole, err));
    if (whole) count(world, m->tag, &world->traffic.received_bytes, bytes);
    m->length = whole ? bytes : 0;
    if (!whole) m->fault = "half a message";
    if (whole && bytes > limit) {
        m->fault = "a message longer than any";
        cop_memory_free(m->data);
        m->data = NULL;
        m->capacity = 0;
    }
    if (m->fault == NULL) m->bytes = bytes;
    return COP_OK;
}

void cop_message_free(message *m)
{
    cop_memory_free(m->data);
    *m = (message){0};
}
