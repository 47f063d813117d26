/* What the queue and its messages cost, for the run file. */
#include "run/context.h"

#include <stdio.h>

cop_status cop_traffic_note(cop_lead *lead, cop_error *err)
{
    if (lead->queue == NULL) return COP_OK;
    const cop_queue_stats q = cop_queue_get_stats(lead->queue);
    const cop_traffic t = cop_world_traffic(lead->rank->world);
    const struct {
        const char *name;
        uint64_t value;
        const char *unit, *meaning;
    } counts[] = {
        {"unit_count", q.units, "units", "candidates times example batches evaluated"},
        {"score_count", q.scores, "scores", "sent back with them, four bytes each"},
        {"answer_count", q.answers, "answers", "digests sent back with them, eight bytes each"},
        {"messages", t.messages, "messages", "between rank 0 and one other"},
        {"sent_bytes", t.sent_bytes, "bytes", "in these, by rank 0"},
        {"received_bytes", t.received_bytes, "bytes", "in these, by rank 0"},
        {"rank_bytes", t.rank_bytes, "bytes",
         "in both: said to and by each rank whatever it evaluates, and each phase's order"},
        {"again_bytes", q.again_bytes, "bytes",
         "in both: units handed out a second time, results that were not taken"},
        {"coefficient_bytes", lead->coefficient_bytes, "bytes",
         "in sent_bytes: seeds and amplitudes of merged models beyond the first of each, "
         "but for units handed out a second time"},
        {"collective_bytes", t.collective_bytes, "bytes",
         "broadcasts, gathers and agreements, as if rank 0 talked to each other rank "
         "by itself"},
        {"chunks", q.chunks, "chunks", "runs of units handed out"},
        {"copies", q.copies, "units", "given to a second, idle rank"},
        {"late", q.late, "units", "answered when another rank had answered already"},
        {"failures", q.failures, "units", "attempts that failed"},
        {"nonsense", q.nonsense, "messages", "refused"},
        {"silences", q.silences, "ranks", "that were silent beyond the deadline"}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/traffic/%s", counts[i].name);
        COP_TRY(cop_store_set_i64(lead->dir.store, path, (int64_t)counts[i].value,
                                  counts[i].unit, counts[i].meaning, err));
    }
    COP_TRY(cop_store_set_f64(lead->dir.store, "/traffic/coordinator_cpu_s", q.cpu_s, "s",
                              "processor time of rank 0 during phases, all its threads", err));
    return cop_store_set_f64(lead->dir.store, "/traffic/coordinator_wall_s", q.wall_s, "s",
                             "time of the phases, all of this for the last start", err);
}
