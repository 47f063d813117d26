/* Turns MPI return codes into statuses, and waits without spinning. Private to queue/. */
#ifndef COP_QUEUE_MPI_CHECK_H
#define COP_QUEUE_MPI_CHECK_H

#include "coppice/queue/world.h"

#include <mpi.h>

/* A message on its way out. */
typedef struct outgoing {
    MPI_Request request;
    void *data;
} outgoing;

struct cop_world {
    MPI_Comm comm; /* private duplicate of MPI_COMM_WORLD */
    MPI_Comm node; /* of these, the ranks of this node */
    int rank, size;
    int local_rank, local_size;
    int node_first; /* lowest rank of this node */
    int node_count;
    char host[MPI_MAX_PROCESSOR_NAME];
    cop_traffic traffic;
    outgoing *outbox; /* [outbox_count] messages whose memory MPI may still read */
    size_t outbox_count, outbox_capacity;
    /* A worker's: what it is at, and the last order to drop work. */
    uint32_t serial, cancelled_serial;
    bool stopped;
};

/* COP_OK, or COP_ERR_MPI with MPI's own words for `code`. */
cop_status cop_mpi_check(int code, const char *call, cop_error *err);

#define MPI_TRY(call) COP_TRY(cop_mpi_check((call), #call, err))

/* A pause that grows from 20 us to `longest_s` while nothing happens; reset *pause_s to 0 after
 * an event. */
void cop_mpi_pause(double *pause_s, double longest_s);

/* Waits for a request, sleeping in between. */
cop_status cop_mpi_wait(MPI_Request *request, cop_error *err);

#endif
