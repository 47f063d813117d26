/* The schedule's books: workers come and go, units are answered. */
#include "schedule/schedule_parts.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

cop_status cop_schedule_create(const cop_schedule_options *options, cop_schedule **schedule,
                               cop_error *err)
{
    *schedule = NULL;
    cop_schedule *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->options = *options;
    created->workers = cop_memory_alloc(options->workers, sizeof *created->workers, err);
    if (created->workers == NULL) {
        cop_schedule_destroy(&created);
        return COP_ERR_MEMORY;
    }
    *schedule = created;
    return COP_OK;
}

void cop_schedule_destroy(cop_schedule **schedule)
{
    if (schedule == NULL || *schedule == NULL) return;
    cop_memory_free((*schedule)->workers);
    cop_memory_free((*schedule)->flags);
    cop_memory_free((*schedule)->attempts);
    cop_memory_free((*schedule)->returned);
    cop_memory_free(*schedule);
    *schedule = NULL;
}

static cop_status reserve(uint8_t **bytes, size_t *capacity, size_t count, cop_error *err)
{
    void *items = *bytes;
    COP_TRY(cop_memory_grow(&items, capacity, count, 1, err));
    *bytes = items;
    if (count > 0) memset(*bytes, 0, count);
    return COP_OK;
}

/* Counts a worker's speed in (+1) or out (-1). */
static void count_speed(cop_schedule *s, const worker_state *w, int sign)
{
    if (!w->joined || w->rate <= 0) return;
    s->speed_sum += sign / w->rate;
    s->known_count += (size_t)sign;
}

cop_status cop_schedule_begin(cop_schedule *s, const cop_schedule_phase *phase, cop_error *err)
{
    COP_CHECK(phase->row_units > 0, err, COP_ERR_INTERNAL, "the rows of a phase have no units");
    for (size_t i = 1; i < phase->unit_count; i++) {
        COP_CHECK(phase->units[i - 1] < phase->units[i], err, COP_ERR_INTERNAL,
                  "the units of a phase must rise");
    }
    COP_TRY(reserve(&s->flags, &s->unit_capacity, phase->unit_count, err));
    COP_TRY(reserve(&s->attempts, &s->attempt_capacity, phase->unit_count, err));
    s->phase = *phase;
    s->left = phase->unit_count;
    s->next = 0;
    s->returned_count = 0;
    s->speed_sum = 0; /* anew: sums of differences drift */
    s->known_count = 0;
    for (size_t i = 0; i < s->options.workers; i++) {
        s->workers[i].held_count = 0;
        count_speed(s, &s->workers[i], +1);
    }
    return COP_OK;
}

void cop_schedule_join(cop_schedule *s, size_t worker, size_t lanes)
{
    worker_state *const w = &s->workers[worker];
    assert(lanes >= 1);
    w->held_count = 0;
    if (w->joined) s->joined_lanes -= w->lanes;
    w->lanes = lanes;
    s->joined_lanes += lanes;
    if (w->joined) return;
    w->joined = true;
    s->joined_count++;
    count_speed(s, w, +1);
}

cop_status cop_schedule_put_back(cop_schedule *s, const returned_unit *unit, cop_error *err)
{
    void *items = s->returned;
    COP_TRY(cop_memory_grow(&items, &s->returned_capacity, s->returned_count + 1,
                            sizeof *s->returned, err));
    s->returned = items;
    s->returned[s->returned_count++] = *unit;
    return COP_OK;
}

cop_status cop_schedule_leave(cop_schedule *s, size_t worker, cop_error *err)
{
    worker_state *const w = &s->workers[worker];
    if (!w->joined) return COP_OK;
    count_speed(s, w, -1);
    w->joined = false;
    s->joined_count--;
    s->joined_lanes -= w->lanes;
    for (int h = 0; h < w->held_count; h++) {
        held_range rest = w->held[h];
        size_t at = 0;
        while (cop_schedule_next_held(s, &rest, &at)) {
            if (s->flags[at] & UNIT_DONE) continue;
            const returned_unit unit = {.at = at, .avoid = worker, .within_s = INFINITY};
            COP_TRY(cop_schedule_put_back(s, &unit, err));
        }
    }
    return COP_OK;
}

double cop_schedule_size(const cop_schedule *s, size_t at)
{
    const size_t row_units = s->phase.row_units;
    return s->phase.units[at] % row_units == row_units - 1 ? s->phase.last_size : 1;
}

/* Position of a unit of the chunk. */
static size_t place_of(const cop_schedule *s, const held_range *held, uint64_t unit)
{
    return held->at + (size_t)(unit - s->phase.units[held->at]);
}

size_t cop_schedule_present(const cop_schedule *s, const worker_state *w)
{
    assert(w->held_count > 0);
    return place_of(s, &w->held[0], w->held[0].band.first);
}

/* Of the units of a band all or none are the last of their rows. */
double cop_schedule_present_size(const cop_schedule *s, const worker_state *w)
{
    return (double)w->held[0].band.count * cop_schedule_size(s, cop_schedule_present(s, w));
}

bool cop_schedule_next_held(const cop_schedule *s, held_range *held, size_t *at)
{
    if (held->left == 0) return false;
    *at = place_of(s, held, held->band.first);
    held->left--;
    held->band.first += held->band.step;
    if (--held->band.count == 0) (void)cop_bands_next(&held->bands, &held->band);
    return true;
}

/* A unit that is answered need not be handed out again. */
static void drop_returned(cop_schedule *s, size_t at)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->returned_count; i++) {
        if (s->returned[i].at != at) s->returned[kept++] = s->returned[i];
    }
    s->returned_count = kept;
}

/* Notes how long the worker took for what it has just answered: what is left of a band is
 * computed together. \return seconds for work of size 1. */
static double note_time(const cop_schedule *s, worker_state *w, double now_s)
{
    const double size = cop_schedule_present_size(s, w);
    const double elapsed_s = now_s - w->started_s;
    const bool late = elapsed_s > size * cop_schedule_deadline_s(s);
    w->late = late || (w->late && !w->fresh);
    w->spare_s = (w->fresh ? 0 : w->spare_s) + elapsed_s;
    /* Answers that come together share the time before them. */
    w->most_s = fmax(elapsed_s, w->spare_s / (double)w->held[0].band.count);
    w->started_s = now_s;
    return elapsed_s / size;
}

/* Takes the unit that a worker is to answer next off its list; false if that is another one. */
static bool pop_unit(const cop_schedule *s, worker_state *w, uint64_t unit, double now_s,
                     size_t *at, double *took_s)
{
    if (w->held_count == 0 || w->held[0].band.first != unit) return false;
    *took_s = note_time(s, w, now_s);
    w->fresh = w->held[0].band.count == 1;
    (void)cop_schedule_next_held(s, &w->held[0], at);
    if (w->held[0].left == 0) w->held[0] = w->held[--w->held_count];
    return true;
}

/* Learns from a unit that was done in time. A worker cannot have spent more than rank 0 has
 * waited for it and those beside it. */
static void learn(cop_schedule *s, worker_state *w, double size, double seconds, double took_s)
{
    static const double newest_share = 0.3;
    static const double least_s = 1e-7; /* a unit takes some time, whatever the clock says */
    if (w->late) return;
    if (took_s > s->slowest) s->slowest = took_s;
    const double counted_s = fmin(seconds, w->most_s);
    const double spent_s = fmax(counted_s, least_s) / size;
    w->spare_s -= counted_s;
    count_speed(s, w, -1);
    w->rate = w->rate > 0 ? w->rate + newest_share * (spent_s - w->rate) : spent_s;
    count_speed(s, w, +1);
}

cop_schedule_verdict cop_schedule_done(cop_schedule *s, size_t worker, uint64_t unit,
                                       double seconds, double now_s)
{
    worker_state *const w = &s->workers[worker];
    size_t at = 0;
    double took_s = 0;
    if (!pop_unit(s, w, unit, now_s, &at, &took_s)) return COP_SCHEDULE_UNKNOWN;
    if (w->joined) learn(s, w, cop_schedule_size(s, at), seconds, took_s);
    if (s->flags[at] & UNIT_DONE) return COP_SCHEDULE_REPEATED;
    s->flags[at] |= UNIT_DONE;
    s->left--;
    drop_returned(s, at);
    return COP_SCHEDULE_TAKEN;
}

cop_status cop_schedule_failed(cop_schedule *s, size_t worker, uint64_t unit, double now_s,
                               cop_schedule_verdict *verdict, int *attempts, cop_error *err)
{
    worker_state *const w = &s->workers[worker];
    size_t at = 0;
    *attempts = 0;
    *verdict = COP_SCHEDULE_UNKNOWN;
    double took_s = 0;
    if (!pop_unit(s, w, unit, now_s, &at, &took_s)) return COP_OK;
    *verdict = COP_SCHEDULE_REPEATED;
    if (s->flags[at] & UNIT_DONE) return COP_OK;
    *verdict = COP_SCHEDULE_TAKEN;
    if (s->attempts[at] < UINT8_MAX) s->attempts[at]++;
    *attempts = s->attempts[at];
    const returned_unit again = {.at = at, .avoid = worker, .within_s = INFINITY};
    return cop_schedule_put_back(s, &again, err);
}

size_t cop_schedule_left(const cop_schedule *s)
{
    return s->left;
}

size_t cop_schedule_waiting(const cop_schedule *s)
{
    return s->phase.unit_count - s->next + s->returned_count;
}

size_t cop_schedule_returned(const cop_schedule *s)
{
    return s->returned_count;
}

bool cop_schedule_owes(const cop_schedule *s, size_t worker)
{
    return s->workers[worker].held_count > 0;
}

bool cop_schedule_is_idle(const cop_schedule *s, size_t worker)
{
    return s->workers[worker].joined && s->workers[worker].held_count == 0;
}
