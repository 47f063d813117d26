/* The schedule's books: workers come and go, units are answered. */
#include "dist/schedule_parts.h"

#include "coppice/memory.h"

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

void cop_schedule_join(cop_schedule *s, size_t worker)
{
    worker_state *const w = &s->workers[worker];
    w->held_count = 0;
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
    for (int h = 0; h < w->held_count; h++) {
        for (size_t at = w->held[h].at; at < w->held[h].end; at++) {
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

/* A unit that is answered need not be handed out again. */
static void drop_returned(cop_schedule *s, size_t at)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->returned_count; i++) {
        if (s->returned[i].at != at) s->returned[kept++] = s->returned[i];
    }
    s->returned_count = kept;
}

/* Takes the unit that a worker computes off its list; false if that is another one. */
static bool pop_unit(cop_schedule *s, worker_state *w, uint64_t unit, double now_s, size_t *at,
                     double *elapsed_s)
{
    if (w->held_count == 0 || s->phase.units[w->held[0].at] != unit) return false;
    *at = w->held[0].at++;
    if (w->held[0].at == w->held[0].end) w->held[0] = w->held[--w->held_count];
    *elapsed_s = now_s - w->started_s;
    w->started_s = now_s;
    return true;
}

/* Learns from a unit that was done in time. */
static void learn(cop_schedule *s, worker_state *w, double size, double seconds,
                  double elapsed_s)
{
    static const double newest_share = 0.3;
    static const double least_s = 1e-7; /* a unit takes some time, whatever the clock says */
    if (elapsed_s > size * cop_schedule_deadline_s(s)) return;
    if (elapsed_s > s->slowest * size) s->slowest = elapsed_s / size;
    const double spent_s = fmax(fmin(seconds, elapsed_s), least_s) / size;
    count_speed(s, w, -1);
    w->rate = w->rate > 0 ? w->rate + newest_share * (spent_s - w->rate) : spent_s;
    count_speed(s, w, +1);
}

cop_schedule_verdict cop_schedule_done(cop_schedule *s, size_t worker, uint64_t unit,
                                       double seconds, double now_s)
{
    worker_state *const w = &s->workers[worker];
    size_t at = 0;
    double elapsed_s = 0;
    if (!pop_unit(s, w, unit, now_s, &at, &elapsed_s)) return COP_SCHEDULE_UNKNOWN;
    if (w->joined) learn(s, w, cop_schedule_size(s, at), seconds, elapsed_s);
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
    double elapsed_s = 0;
    *attempts = 0;
    *verdict = COP_SCHEDULE_UNKNOWN;
    if (!pop_unit(s, w, unit, now_s, &at, &elapsed_s)) return COP_OK;
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
