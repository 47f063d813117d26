/* How much a worker gets, and when. */
#include "schedule/schedule_parts.h"

#include <assert.h>
#include <math.h>

double cop_schedule_unit_s(const cop_schedule *s)
{
    return s->known_count == 0 ? 0 : (double)s->known_count / s->speed_sum;
}

/* Units per second of all; workers not measured yet count as average. */
static double total_speed(const cop_schedule *s)
{
    const double mean_s = cop_schedule_unit_s(s);
    return s->speed_sum + (double)(s->joined_count - s->known_count) / mean_s;
}

/* A worker's share of that. */
static double share_of(const cop_schedule *s, const worker_state *w)
{
    const double mean_s = cop_schedule_unit_s(s);
    if (mean_s <= 0) return 1 / (double)s->joined_count;
    return 1 / ((w->rate > 0 ? w->rate : mean_s) * total_speed(s));
}

/* Units from `first` that follow one another in number, at most `most`. */
static size_t run_length(const cop_schedule *s, size_t first, size_t most)
{
    size_t count = 1;
    while (count < most && first + count < s->phase.unit_count &&
           s->phase.units[first + count] == s->phase.units[first] + count)
        count++;
    return count;
}

/* True if there are rows for all lanes of all workers, and as many again. */
static bool has_plenty(const cop_schedule *s, size_t left)
{
    return left / s->phase.row_units > 2 * s->joined_lanes;
}

/* Ends a chunk at a row's border: whole rows are cut down to, and while there is plenty a part
 * of a row is filled up. */
static size_t end_at_row(const cop_schedule *s, size_t first, size_t count, size_t most)
{
    const size_t row_units = s->phase.row_units;
    assert(row_units > 0);
    const size_t to_border = row_units - s->phase.units[first] % row_units;
    if (count >= to_border) return count - (count - to_border) % row_units;
    const size_t left = s->phase.unit_count - s->next;
    return has_plenty(s, left) && to_border <= most ? to_border : count;
}

/* A worker that computes several rows side by side gets rows for all its lanes, or several
 * times as many; near the end no more than makes all end together, for a few rows take it as
 * long as many. */
static size_t fill_lanes(const cop_schedule *s, const worker_state *w, size_t left,
                         size_t count)
{
    const size_t row_units = s->phase.row_units;
    assert(row_units > 0);
    const size_t wide = w->lanes * row_units;
    const size_t rows = wide - s->phase.units[s->next] % row_units;
    if (w->lanes == 1) return count;
    if (count >= rows) return count - (count - rows) % wide;
    if (has_plenty(s, left)) return rows;
    const size_t share = (size_t)ceil(share_of(s, w) * (double)s->left); /* of all unanswered */
    const size_t fair = share < rows ? share : rows;
    return count > fair ? count : fair;
}

static size_t chunk_size(const cop_schedule *s, const worker_state *w)
{
    static const double part = 0.5; /* of a worker's share of what is left */
    const size_t left = s->phase.unit_count - s->next;
    const double rate = w->rate > 0 ? w->rate : cop_schedule_unit_s(s);
    size_t count = 1;
    size_t most = rate > 0 ? 1 : s->phase.row_units;
    if (rate > 0 && s->options.chunk_s / rate > 1) {
        const double fits = s->options.chunk_s / rate;
        most = fits > (double)left ? left : (size_t)fits;
    }
    if (rate > 0) count = (size_t)(part * share_of(s, w) * (double)left);
    if (count < 1) count = 1;
    if (count > most) count = most;
    count = fill_lanes(s, w, left, count);
    if (count > most) most = count;
    count = end_at_row(s, s->next, count, most);
    return run_length(s, s->next, count < left ? count : left);
}

/* True if a worker may get a returned unit: one that it has failed itself only if it is alone,
 * the copy of one only if it is fast enough to be of use. */
static bool suits(const cop_schedule *s, size_t worker, const returned_unit *unit)
{
    const worker_state *const w = &s->workers[worker];
    return (unit->avoid != worker || s->joined_count == 1) &&
           w->rate * (double)w->lanes <= unit->within_s;
}

/* True if a returned unit can be computed beside the one before it: neither has failed, or was
 * with a worker that hangs. */
static bool goes_beside(const cop_schedule *s, size_t at, const returned_unit *unit)
{
    return unit->at == at + 1 && s->phase.units[unit->at] == s->phase.units[at] + 1 &&
           s->attempts[at] == 0 && s->attempts[unit->at] == 0 &&
           ((s->flags[at] | s->flags[unit->at]) & UNIT_ALONE) == 0;
}

/* A returned unit for the worker, or as many in a row as it has lanes. \return their number. */
static size_t pop_returned(cop_schedule *s, size_t worker, size_t *at)
{
    const size_t lanes = s->workers[worker].lanes;
    const size_t most = lanes == 1 ? 1 : lanes * s->phase.row_units;
    size_t kept = 0;
    size_t count = 0;
    for (size_t i = 0; i < s->returned_count; i++) {
        const returned_unit r = s->returned[i];
        const bool fits = count == 0 || (count < most && goes_beside(s, *at + count - 1, &r));
        if (fits && suits(s, worker, &r)) {
            if (count == 0) *at = r.at;
            count++;
        } else {
            s->returned[kept++] = r;
        }
    }
    s->returned_count = kept;
    return count;
}

/* A worker gets its next chunk ahead of time, when the rest of the present one would be over
 * before an answer is there; not any more when all others would be through with what is left
 * while it still computes. */
static bool wants_ahead(const cop_schedule *s, const worker_state *w)
{
    static const double lead_s = 0.01;
    const double waiting = (double)cop_schedule_waiting(s);
    if (waiting * share_of(s, w) <= (double)w->lanes) return false;
    const size_t rest = w->held[0].left;
    return rest <= w->lanes || (w->rate > 0 && (double)rest * w->rate <= lead_s);
}

cop_status cop_schedule_take(cop_schedule *s, size_t worker, double now_s,
                             cop_schedule_chunk *chunk, cop_error *err)
{
    worker_state *const w = &s->workers[worker];
    *chunk = (cop_schedule_chunk){0};
    if (!w->joined || w->held_count == MOST_HELD) return COP_OK;
    if (w->held_count > 0 && !wants_ahead(s, w)) return COP_OK;
    size_t at = 0;
    size_t count = s->returned_count == 0 ? 0 : pop_returned(s, worker, &at);
    const bool again = count > 0;
    if (!again) {
        if (s->next == s->phase.unit_count) return COP_OK;
        count = chunk_size(s, w);
        at = s->next;
        s->next += count;
    }
    COP_CHECK(at + count <= s->phase.unit_count, err, COP_ERR_INTERNAL,
              "the schedule hands out units that there are not");
    *chunk = (cop_schedule_chunk){.first = s->phase.units[at], .count = count, .again = again};
    if (w->held_count == 0) {
        w->started_s = now_s;
        w->fresh = true;
    }
    held_range *const held = &w->held[w->held_count++];
    *held = (held_range){.at = at, .count = count, .left = count};
    held->bands = cop_bands_of(chunk->first, count, s->phase.row_units, w->lanes);
    (void)cop_bands_next(&held->bands, &held->band);
    return COP_OK;
}
