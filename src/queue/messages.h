/* The messages of the queue. Private to queue/.
 *
 *   worker -> 0  TAG_READY   ready_message [, text]: give me work; what I had is dropped
 *                TAG_RESULT  result_header, then scores f32 [n] and, if there are any,
 *                            answers u64 [n]; of a failure, its text
 *                TAG_ALIVE   nothing: the answer to TAG_PING
 *                TAG_LEAVE   nothing: the answer to TAG_STOP, my last message
 *
 *   0 -> worker  TAG_ORDER   phase_header, bytes of the caller: a phase begins
 *                TAG_WORK    work_header, bytes of the caller: a chunk of units
 *                TAG_CANCEL  cancel_message: drop the work up to that serial, then say ready
 *                TAG_PING    nothing: say that you live, in the middle of a unit too
 *                TAG_STOP    nothing: no more phases
 *
 * All ranks run the same program on the same kind of machine: structs travel as they lie in
 * memory. */
#ifndef COP_QUEUE_MESSAGES_H
#define COP_QUEUE_MESSAGES_H

#include "queue/mpi_check.h"

enum {
    TAG_READY = 1,
    TAG_RESULT,
    TAG_ALIVE,
    TAG_LEAVE,
    TAG_ORDER,
    TAG_WORK,
    TAG_CANCEL,
    TAG_PING,
    TAG_STOP
};

typedef struct ready_message {
    uint32_t serial; /* of the cancel that this answers, 0: the first of all */
    int32_t status;  /* not COP_OK: this rank cannot work, the text says why */
    uint32_t lanes;  /* rows that it computes side by side, 1 .. COP_QUEUE_MOST_LANES */
} ready_message;

typedef struct result_header {
    uint32_t unit;
    uint32_t tokens[2]; /* low and high half */
    float seconds;
    uint16_t phase;  /* number, modulo 2^16 */
    uint16_t status; /* with RESULT_HAS_ANSWERS */
} result_header;

enum { RESULT_HAS_ANSWERS = 0x8000 };

typedef struct phase_header {
    uint32_t row_units; /* at most 2^32 - 1: a longer row is none that ends */
    uint16_t phase;
} phase_header;

typedef struct work_header {
    uint32_t first, count;
    uint32_t serial; /* rises from 1 with each message of this kind to one worker */
} work_header;

typedef struct cancel_message {
    uint32_t serial;
} cancel_message;

/* Most scores of a unit, so that a result with answers is a message. */
#define COP_QUEUE_MOST_SCORES ((INT_MAX - 1024) / (sizeof(float) + sizeof(uint64_t)))

/* A message that has arrived. */
typedef struct message {
    int rank, tag;
    char *data; /* [bytes] */
    size_t bytes, capacity;
    size_t length;     /* bytes that came, though a fault may have left none here */
    const char *fault; /* NULL, or why its content could not be had */
} message;

/* Sends head [head_bytes] and body [body_bytes] as one message, without waiting. */
cop_status cop_message_send(cop_world *world, int rank, int tag, const void *head,
                            size_t head_bytes, const void *body, size_t body_bytes,
                            cop_error *err);

/* Frees what MPI has sent; *pending messages are left. */
cop_status cop_message_reap(cop_world *world, size_t *pending, cop_error *err);

/* Receives the next message from `rank` (or MPI_ANY_SOURCE) with `tag` (or MPI_ANY_TAG) if one
 * is there. One of more than `limit` bytes, or one that does not arrive in full, has a fault
 * and no content. */
cop_status cop_message_poll(cop_world *world, int rank, int tag, size_t limit, message *m,
                            bool *there, cop_error *err);

/* Frees the content. */
void cop_message_free(message *m);

#endif
