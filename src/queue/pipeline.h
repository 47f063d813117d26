/* Evaluating units in two steps, the second beside the first of the next. Private to queue/. */
#ifndef COP_QUEUE_PIPELINE_H
#define COP_QUEUE_PIPELINE_H

#include "coppice/queue/queue.h"
#include "coppice/schedule/bands.h"

/* Units that were begun side by side, or have failed at that. */
typedef struct pipeline_band {
    uint64_t *units;     /* [next .. count, room for lanes] not finished */
    void **handles;      /* likewise; what begin made of them */
    cop_error *failures; /* likewise; COP_OK: begun */
    size_t next, count;
    double share_s; /* of the time that the beginning took */
} pipeline_band;

typedef struct pipeline {
    const cop_queue_work *work;
    int rank;
    size_t lanes;            /* rows side by side; set by cop_pipeline_create() */
    size_t row_units;        /* of the phase */
    cop_error order_failure; /* of the phase: that of all its units */
    cop_error chunk_failure; /* of the chunk: that of its units */
    cop_bands bands;         /* what of the chunk is to be begun */
    pipeline_band pending;   /* begun and not finished */
    pipeline_band coming;    /* being begun */
    cop_queue_result result; /* its arrays [score_capacity] are owned */
    /* Gets every result, in the order of beginning. */
    cop_status (*emit)(void *context, const cop_queue_result *result, cop_error *err);
    void *emit_context;
} pipeline;

/* Sets work, rank and emit before. */
cop_status cop_pipeline_create(pipeline *p, size_t score_capacity, cop_error *err);

/* A phase or a chunk begins; failures are kept for its units. */
void cop_pipeline_order(pipeline *p, size_t row_units, const void *data, size_t bytes);
void cop_pipeline_chunk(pipeline *p, uint64_t first, size_t count, const void *data,
                        size_t bytes);

/* True if the chunk has units that were not begun. */
bool cop_pipeline_has_units(const pipeline *p);

/* Begins the next units of the chunk, those that are computed side by side, and finishes what
 * can be finished. Fails only if emit does. */
cop_status cop_pipeline_begin(pipeline *p, cop_error *err);

/* True if units are begun and not finished. */
bool cop_pipeline_is_pending(const pipeline *p);

/* Finishes what is pending. */
cop_status cop_pipeline_flush(pipeline *p, cop_error *err);

/* Drops what is pending, and the rest of the chunk. */
void cop_pipeline_drop(pipeline *p);

/* Drops and frees. */
void cop_pipeline_free(pipeline *p);

#endif
