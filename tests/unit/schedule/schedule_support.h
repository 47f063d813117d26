/* A schedule of one phase, for tests of it. */
#ifndef COPPICE_TESTS_SCHEDULE_SUPPORT_H
#define COPPICE_TESTS_SCHEDULE_SUPPORT_H

#include "coppice/schedule/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST = 4096 };

static uint64_t units[MOST];

static inline cop_schedule *make(size_t workers, size_t count, size_t row_units,
                                 double last_size)
{
    const cop_schedule_options options = {
        .workers = workers, .chunk_s = 5, .deadline_factor = 10, .deadline_least_s = 2};
    cop_schedule *schedule = NULL;
    cop_error err = {0};
    assert_int_equal(cop_schedule_create(&options, &schedule, &err), COP_OK);
    for (size_t i = 0; i < count; i++)
        units[i] = i;
    const cop_schedule_phase phase = {
        .units = units, .unit_count = count, .row_units = row_units, .last_size = last_size};
    assert_int_equal(cop_schedule_begin(schedule, &phase, &err), COP_OK);
    return schedule;
}

static inline cop_schedule_chunk take(cop_schedule *schedule, size_t worker, double now_s)
{
    cop_schedule_chunk chunk;
    cop_error err = {0};
    assert_int_equal(cop_schedule_take(schedule, worker, now_s, &chunk, &err), COP_OK);
    assert_true(cop_schedule_is_valid(schedule));
    return chunk;
}

#endif
