/* Watching over workers: who is overdue, whose units deserve a copy. */
#include "schedule/schedule_parts.h"

#include <math.h>

double cop_schedule_deadline_s(const cop_schedule *s)
{
    if (s->slowest <= 0) return INFINITY;
    return fmax(s->options.deadline_least_s, s->options.deadline_factor * s->slowest);
}

size_t cop_schedule_overdue(const cop_schedule *s, size_t from, double now_s)
{
    if (s->slowest <= 0) return s->options.workers;
    for (size_t i = from; i < s->options.workers; i++) {
        const worker_state *const w = &s->workers[i];
        if (!w->joined || w->held_count == 0) continue;
        const double scaled_s =
            s->options.deadline_factor * s->slowest * cop_schedule_present_size(s, w);
        if (now_s - w->started_s > fmax(s->options.deadline_least_s, scaled_s)) return i;
    }
    return s->options.workers;
}

void cop_schedule_excuse(cop_schedule *s, size_t worker, double now_s)
{
    s->workers[worker].started_s = now_s;
}

/* At which of several units a worker hangs nobody can tell: others get them one by one. */
static void mark_alone(cop_schedule *s, held_range held)
{
    size_t at = 0;
    for (size_t left = held.band.count; left > 0; left--) {
        if (cop_schedule_next_held(s, &held, &at)) s->flags[at] |= UNIT_ALONE;
    }
}

int cop_schedule_blame(cop_schedule *s, size_t worker, uint64_t *unit)
{
    const worker_state *const w = &s->workers[worker];
    *unit = 0;
    if (!w->joined || w->held_count == 0) return 0;
    mark_alone(s, w->held[0]);
    const size_t at = cop_schedule_present(s, w);
    if (s->flags[at] & UNIT_DONE) return 0;
    *unit = s->phase.units[at];
    if (s->attempts[at] < UINT8_MAX) s->attempts[at]++;
    return s->attempts[at];
}

/* The fastest worker without work: seconds for a unit alone, 0 if there is none. *idle counts.
 * One that would compute several beside it is taken to need as long for one. */
static double fastest_idle(const cop_schedule *s, size_t *idle)
{
    const double mean_s = cop_schedule_unit_s(s);
    double fastest = 0;
    *idle = 0;
    for (size_t i = 0; i < s->options.workers; i++) {
        const worker_state *const w = &s->workers[i];
        if (!w->joined || w->held_count > 0) continue;
        const double rate = (w->rate > 0 ? w->rate : mean_s) * (double)w->lanes;
        if (*idle == 0 || rate < fastest) fastest = rate;
        ++*idle;
    }
    return fastest;
}

/* How long a worker will be busy; an overdue band is expected to take as long again. */
static double busy_s(const cop_schedule *s, const worker_state *w, double now_s)
{
    const double rate = w->rate > 0 ? w->rate : cop_schedule_unit_s(s);
    const double elapsed_s = now_s - w->started_s;
    size_t more = 0;
    for (int h = 0; h < w->held_count; h++)
        more += w->held[h].left;
    const size_t beside = w->held[0].band.count;
    const double band_s = (double)beside * rate;
    const double present_s = elapsed_s < band_s ? band_s - elapsed_s : elapsed_s;
    return present_s + (double)(more - beside) * rate;
}

/* The unit that a worker will come to last, of those that it owes and nobody else has; false if
 * there is none. */
static bool last_uncopied(const cop_schedule *s, const worker_state *w, size_t *at)
{
    bool found = false;
    for (int h = w->held_count - 1; h >= 0 && !found; h--) {
        held_range rest = w->held[h];
        size_t next = 0;
        while (cop_schedule_next_held(s, &rest, &next)) {
            if (s->flags[next] & (UNIT_DONE | UNIT_COPIED)) continue;
            *at = next;
            found = true;
        }
    }
    return found;
}

cop_status cop_schedule_copy(cop_schedule *s, double now_s, size_t *copies, cop_error *err)
{
    static const double slow_factor = 2; /* worth it if the owner needs so much longer */
    *copies = 0;
    if (s->left == 0 || cop_schedule_waiting(s) > 0) return COP_OK;
    size_t idle = 0;
    const double fastest = fastest_idle(s, &idle);
    if (idle == 0 || fastest <= 0) return COP_OK;
    for (size_t i = 0; i < s->options.workers && *copies < idle; i++) {
        const worker_state *const w = &s->workers[i];
        size_t at = 0;
        if (!w->joined || w->held_count == 0) continue;
        if (busy_s(s, w, now_s) <= slow_factor * fastest || !last_uncopied(s, w, &at)) continue;
        s->flags[at] |= UNIT_COPIED;
        const returned_unit copy = {.at = at, .avoid = i, .within_s = slow_factor * fastest};
        COP_TRY(cop_schedule_put_back(s, &copy, err));
        ++*copies;
    }
    return COP_OK;
}
