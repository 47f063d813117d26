#include "queue/messages.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

enum { MPI_ROOM_MIB = 288 };

static cop_status find_node(cop_world *world, cop_error *err)
{
    int length = 0;
    MPI_TRY(MPI_Comm_split_type(world->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL,
                                &world->node));
    MPI_TRY(MPI_Comm_set_errhandler(world->node, MPI_ERRORS_RETURN));
    MPI_TRY(MPI_Comm_rank(world->node, &world->local_rank));
    MPI_TRY(MPI_Comm_size(world->node, &world->local_size));
    world->node_first = world->rank;
    MPI_TRY(MPI_Bcast(&world->node_first, 1, MPI_INT, 0, world->node));
    const int first = world->local_rank == 0 ? 1 : 0;
    MPI_TRY(MPI_Allreduce(&first, &world->node_count, 1, MPI_INT, MPI_SUM, world->comm));
    return cop_mpi_check(MPI_Get_processor_name(world->host, &length), "MPI_Get_processor_name",
                         err);
}

static cop_status start_world(cop_world *world, cop_error *err)
{
    MPI_TRY(MPI_Comm_dup(MPI_COMM_WORLD, &world->comm));
    MPI_TRY(MPI_Comm_set_errhandler(world->comm, MPI_ERRORS_RETURN));
    MPI_TRY(MPI_Comm_rank(world->comm, &world->rank));
    MPI_TRY(MPI_Comm_size(world->comm, &world->size));
    return find_node(world, err);
}

cop_status cop_world_open(int *argc, char ***argv, cop_world **world, cop_error *err)
{
    *world = NULL;
    int provided = 0;
    /* It maps its plug-ins and memory to share, and has no code of its own for being refused.
     */
    COP_TRY(cop_memory_check_room((uint64_t)MPI_ROOM_MIB << 20, "MPI", err));
    MPI_TRY(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
    COP_CHECK(provided >= MPI_THREAD_FUNNELED, err, COP_ERR_MPI,
              "this MPI library cannot be used beside threads (MPI_THREAD_FUNNELED)");
    MPI_TRY(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    cop_world *const opened = cop_memory_alloc(1, sizeof *opened, err);
    if (opened == NULL) return COP_ERR_MEMORY;
    opened->comm = MPI_COMM_NULL;
    opened->node = MPI_COMM_NULL;
    const cop_status status = start_world(opened, err);
    if (status != COP_OK) {
        cop_memory_free(opened);
        return status;
    }
    *world = opened;
    return COP_OK;
}

int cop_world_rank(const cop_world *world)
{
    return world->rank;
}

int cop_world_size(const cop_world *world)
{
    return world->size;
}

int cop_world_local_rank(const cop_world *world)
{
    return world->local_rank;
}

int cop_world_local_size(const cop_world *world)
{
    return world->local_size;
}

int cop_world_node_first(const cop_world *world)
{
    return world->node_first;
}

int cop_world_node_count(const cop_world *world)
{
    return world->node_count;
}

const char *cop_world_host(const cop_world *world)
{
    return world->host;
}

cop_traffic cop_world_traffic(const cop_world *world)
{
    return world->traffic;
}

/* A collective that moves `bytes` between rank 0 and each of the others. */
static void count_collective(cop_world *world, size_t bytes)
{
    world->traffic.collective_bytes +=
        (uint64_t)bytes * (world->rank == 0 ? (uint64_t)world->size - 1 : 1);
}

cop_status cop_world_gather(cop_world *world, const void *mine, size_t bytes, void *all,
                            cop_error *err)
{
    assert(world->rank != 0 || all != NULL);
    COP_CHECK(bytes <= INT_MAX, err, COP_ERR_INTERNAL, "too much to gather");
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_TRY(MPI_Igather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, 0, world->comm,
                        &request));
    COP_TRY(cop_mpi_wait(&request, err));
    if (world->size > 1) count_collective(world, bytes);
    return COP_OK;
}

cop_status cop_world_broadcast(cop_world *world, void *data, size_t bytes, cop_error *err)
{
    COP_CHECK(bytes <= INT_MAX, err, COP_ERR_INTERNAL, "too much to broadcast");
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_TRY(MPI_Ibcast(data, (int)bytes, MPI_BYTE, 0, world->comm, &request));
    COP_TRY(cop_mpi_wait(&request, err));
    if (world->size > 1) count_collective(world, bytes);
    return COP_OK;
}

cop_status cop_world_gather_node(cop_world *world, const void *mine, size_t bytes, void *all,
                                 cop_error *err)
{
    COP_CHECK(bytes <= INT_MAX, err, COP_ERR_INTERNAL, "too much to gather");
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_TRY(MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, world->node,
                           &request));
    COP_TRY(cop_mpi_wait(&request, err));
    world->traffic.collective_bytes += (uint64_t)bytes * 2 * (uint64_t)(world->local_size - 1);
    return COP_OK;
}

cop_status cop_world_agree(cop_world *world, cop_status mine, cop_error *err)
{
    if (world->size == 1) return mine;
    MPI_Request request = MPI_REQUEST_NULL;
    int failed = mine == COP_OK ? world->size : world->rank;
    int lowest = world->size;
    MPI_TRY(MPI_Iallreduce(&failed, &lowest, 1, MPI_INT, MPI_MIN, world->comm, &request));
    COP_TRY(cop_mpi_wait(&request, err));
    count_collective(world, 2 * sizeof failed); /* to rank 0 and back */
    if (lowest == world->size) return COP_OK;
    cop_error first = {0};
    if (world->rank == lowest) {
        first.status = mine;
        (void)snprintf(first.message, sizeof first.message, "%s",
                       err != NULL ? err->message : cop_status_text(mine));
    }
    MPI_TRY(MPI_Ibcast(&first, sizeof first, MPI_BYTE, lowest, world->comm, &request));
    COP_TRY(cop_mpi_wait(&request, err));
    count_collective(world, sizeof first);
    return cop_error_set(err, first.status, lowest == 0 ? "%s" : "%s (rank %d)", first.message,
                         lowest);
}

cop_status cop_world_close(cop_world **world, cop_error *err)
{
    if (*world == NULL) return COP_OK;
    cop_world *const closing = *world;
    *world = NULL;
    double pause_s = 0;
    for (size_t pending = 1; cop_message_reap(closing, &pending, err) == COP_OK && pending > 0;)
        cop_mpi_pause(&pause_s, 1e-3);
    int code = MPI_Comm_free(&closing->node);
    if (code == MPI_SUCCESS) code = MPI_Comm_free(&closing->comm);
    cop_memory_free(closing->outbox);
    cop_memory_free(closing);
    if (code == MPI_SUCCESS) code = MPI_Finalize();
    return cop_mpi_check(code, "MPI_Finalize", err);
}

void cop_world_abort(cop_world *world, int exit_code)
{
    (void)MPI_Abort(world->comm, exit_code);
}
