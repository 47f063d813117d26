/* bench: the queue's schedule with many workers, under a simulated clock. */
#include "app/bench.h"

#include "coppice/schedule/schedule.h"

#include <stdio.h>

static cop_status measure(size_t workers, cop_simulation_result *result, cop_error *err)
{
    const cop_simulation simulation = {.schedule = {.workers = workers,
                                                    .chunk_s = 5,
                                                    .deadline_factor = 20,
                                                    .deadline_least_s = 60},
                                       .rows = workers * 10,
                                       .row_units = 4,
                                       .unit_s = 2,
                                       .spread = 0.3,
                                       .slowest = 0.5,
                                       .message_s = 50e-6,
                                       .late_share = 0.1,
                                       .late_s = 10,
                                       .fail_share = 0.001,
                                       .seed = 1};
    return cop_schedule_simulate(&simulation, result, err);
}

static cop_status print_row(cop_bench *bench, json_t *list, size_t workers, cop_error *err)
{
    cop_simulation_result r;
    COP_TRY(measure(workers, &r, err));
    const double per_unit_us = 1e6 * r.schedule_s / (double)r.units;
    if (bench->json != NULL) {
        (void)json_array_append_new(
            list,
            json_pack("{s:I, s:I, s:f, s:f, s:f, s:f}", "workers", (json_int_t)workers, "units",
                      (json_int_t)r.units, "makespan_s", r.makespan_s, "ideal_s", r.ideal_s,
                      "mean_gap_us", 1e6 * r.gap_s, "coordinator_us_per_unit", per_unit_us));
        return COP_OK;
    }
    (void)printf("  %7zu %8zu %10.1f s %8.1f s %7.3f %14.1f %17.2f\n", workers, r.units,
                 r.makespan_s, r.ideal_s, r.makespan_s / r.ideal_s, 1e6 * r.gap_s, per_unit_us);
    return COP_OK;
}

cop_status cop_bench_queue(cop_bench *bench, cop_error *err)
{
    static const size_t workers[] = {10, 100, 1000, 10000};
    json_t *const list = bench->json == NULL ? NULL : json_array();
    if (list != NULL) (void)json_object_set_new(bench->json, "queue", list);
    if (bench->json == NULL) {
        (void)printf("\nqueue, simulated: speeds 0.5 to 1, units of 2 s +- 30%%, a tenth joins "
                     "10 s late, 0.1%% of units fail\n"
                     "  workers    units     makespan      ideal   ratio   idle gap, us   "
                     "rank 0, us/unit\n");
    }
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
        COP_TRY(print_row(bench, list, workers[i], err));
    return COP_OK;
}
