/* The bytes that the world says it has moved, against a count at MPI's own door: this program
 * puts itself between the library and MPI (PMPI). Four ranks, which it starts by itself. */
#include "unit/queue/queue_support.h"

#include <mpi.h>

static uint64_t sent_bytes, received_bytes, rank_bytes, collective_calls;

/* Tags of messages.h: 2 is a result, 6 is work; all others are for the rank. */
static void count_rank_bytes(int tag, uint64_t bytes)
{
    if (tag != 2 && tag != 6) rank_bytes += bytes;
}

int MPI_Isend(const void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    int size = 0;
    (void)PMPI_Type_size(type, &size);
    sent_bytes += (uint64_t)count * (uint64_t)size;
    count_rank_bytes(tag, (uint64_t)count * (uint64_t)size);
    return PMPI_Isend(data, count, type, rank, tag, comm, request);
}

int MPI_Irecv(void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    int size = 0;
    (void)PMPI_Type_size(type, &size);
    received_bytes += (uint64_t)count * (uint64_t)size;
    count_rank_bytes(tag, (uint64_t)count * (uint64_t)size);
    return PMPI_Irecv(data, count, type, rank, tag, comm, request);
}

/* None of these is used for messages between two ranks: a use would go uncounted. */
int MPI_Send(const void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm)
{
    (void)fprintf(stderr, "MPI_Send is not counted\n");
    abort();
    return PMPI_Send(data, count, type, rank, tag, comm);
}

int MPI_Recv(void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
             MPI_Status *status)
{
    (void)fprintf(stderr, "MPI_Recv is not counted\n");
    abort();
    return PMPI_Recv(data, count, type, rank, tag, comm, status);
}

int MPI_Ibcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm,
               MPI_Request *request)
{
    collective_calls++;
    return PMPI_Ibcast(data, count, type, root, comm, request);
}

int MPI_Iallreduce(const void *mine, void *all, int count, MPI_Datatype type, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request)
{
    collective_calls++;
    return PMPI_Iallreduce(mine, all, count, type, op, comm, request);
}

static void messages_are_counted_to_the_byte(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    t.unit_s = 0.002;
    if (cop_world_rank(shared_world) == 2) t.failures_left[11] = 1;
    const uint64_t before = collective_calls;
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    const cop_traffic traffic = cop_world_traffic(shared_world);
    assert_int_equal(traffic.sent_bytes, sent_bytes);
    assert_int_equal(traffic.received_bytes, received_bytes);
    assert_int_equal(collective_calls - before, 1); /* the meeting at the test's end */
    if (!is_first()) return;
    check_all(&t);
    assert_int_equal(traffic.rank_bytes, rank_bytes);
    /* A unit takes its result's 20 bytes, four for each score and eight for each answer, and at
     * most a chunk of its own: 12, and 8 of the toy's data. Apart from that a rank costs its
     * order and its way in, 8 + 5 and 12 (a cancel at the end: 4 more), and so does what was
     * done twice. */
    const uint64_t bytes = sent_bytes + received_bytes - rank_bytes - stats.again_bytes -
                           4 * stats.scores - 8 * stats.answers;
    if (bytes < 20 * stats.units || bytes > (20 + 12 + 8) * stats.units)
        fail_msg("%llu bytes for %llu units", (unsigned long long)bytes,
                 (unsigned long long)stats.units);
    if (rank_bytes > 3 * (13 + 12 + 4))
        fail_msg("%llu bytes for ranks", (unsigned long long)rank_bytes);
    /* The failure with its reason, which rank 2 need not have had, and the second try; copies.
     */
    if (stats.failures > 0) assert_true(stats.again_bytes > 20 + 12 + 8);
    if (stats.failures > 0) assert_true(t.packed_again > 0);
    assert_true(stats.again_bytes >= (uint64_t)t.packed_again * (12 + 8));
    assert_true(stats.again_bytes <= (stats.failures + stats.copies) * 300);
    (void)printf(
        "* %.1f bytes per unit and 4 per score, counted at MPI's interface; %llu for 3 "
        "ranks, %llu for a failure\n",
        (double)bytes / (double)stats.units, (unsigned long long)rank_bytes,
        (unsigned long long)stats.again_bytes);
}

static void collectives_are_counted_as_if_rank_0_talked_to_each(void **state)
{
    (void)state;
    cop_error err = {0};
    const bool first = is_first();
    const uint64_t others = (uint64_t)cop_world_size(shared_world) - 1;
    const uint64_t before = cop_world_traffic(shared_world).collective_bytes;
    char mine[10] = {0};
    char all[64 * 10];
    assert_int_equal(cop_world_gather(shared_world, mine, sizeof mine, all, &err), COP_OK);
    const uint64_t now = cop_world_traffic(shared_world).collective_bytes;
    assert_int_equal(now - before, first ? 10 * others : 10);
}

int main(int argc, char **argv)
{
    cop_error err = {0};
    start_ranks("4", argv);
    if (cop_world_open(&argc, &argv, &shared_world, &err) != COP_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_counted_to_the_byte),
        cmocka_unit_test(collectives_are_counted_as_if_rank_0_talked_to_each),
    };
    const int result = cmocka_run_group_tests(tests, NULL, NULL);
    if (cop_world_close(&shared_world, &err) != COP_OK) return 1;
    return result;
}
