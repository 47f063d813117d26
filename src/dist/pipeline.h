/* Evaluating units in two steps, the second beside the first of the next. Private to dist/. */
#ifndef DIST_PIPELINE_H
#define DIST_PIPELINE_H

#include "coppice/dist.h"

typedef struct pipeline {
    const cop_queue_work *work;
    int rank;
    cop_error order_failure; /* of the phase: that of all its units */
    cop_error chunk_failure; /* of the chunk: that of its units */
    bool pending;            /* `unit` is begun, not finished */
    uint64_t unit;
    double begin_s;          /* time that its beginning took */
    cop_queue_result result; /* its arrays [score_capacity] are owned */
    /* Gets every result, in the order of beginning. */
    cop_status (*emit)(void *context, const cop_queue_result *result, cop_error *err);
    void *emit_context;
} pipeline;

/* Sets work, rank and emit before. */
cop_status cop_pipeline_create(pipeline *p, size_t score_capacity, cop_error *err);

/* A phase or a chunk begins; failures are kept for its units. */
void cop_pipeline_order(pipeline *p, const void *data, size_t bytes);
void cop_pipeline_chunk(pipeline *p, uint64_t first, size_t count, const void *data,
                        size_t bytes);

/* Begins a unit and finishes what can be finished. Fails only if emit does. */
cop_status cop_pipeline_begin(pipeline *p, uint64_t unit, cop_error *err);

/* Finishes what is pending. */
cop_status cop_pipeline_flush(pipeline *p, cop_error *err);

/* Drops what is pending. */
void cop_pipeline_drop(pipeline *p);

/* Drops and frees. */
void cop_pipeline_free(pipeline *p);

#endif
