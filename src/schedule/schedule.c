/* The schedule: which worker gets which units, and when.
 *
 * Units are positions in the phase's list. A position is handed out once in order (`next` is
 * the first that never was), and again only where a worker left, failed, or a copy of it is
 * worth its time (`returned`). A worker holds a chunk at hand and one ahead, so that it never
 * waits for a message; how large a chunk is follows from how long its units took and how much
 * is left, so that chunks are long at first and single units at the end (guided
 * self-scheduling). The rows of a chunk that a worker computes side by side are a band
 * (bands.h); a band has one deadline.
 *
 * There is no clock and no message here: every call is told the time, which is what the
 * simulator (simulate.c) and the tests drive. */
#include "coppice/schedule/schedule.h"

#include "coppice/base/memory.h"
#include "coppice/schedule/bands.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A chunk: positions at .. at + count - 1 in the list of units, which are consecutive. */
typedef struct held_range {
    size_t at, count;
    size_t left;     /* units without an answer of this worker */
    cop_bands bands; /* those that come after the band at hand */
    cop_band band;   /* what of the band at hand has no answer yet */
} held_range;

enum { MOST_HELD = 2 }; /* the chunk at hand and the next one */

typedef struct worker_state {
    bool joined;
    int held_count;
    size_t lanes;               /* rows that it computes side by side */
    held_range held[MOST_HELD]; /* the band of held[0] is being computed */
    bool fresh;                 /* that band has no answer yet */
    bool late;                  /* its first one came after the deadline */
    double started_s;           /* of what is left of it */
    double spare_s;             /* time of it that its answers so far did not account for */
    double most_s;              /* of that, what its last answer can have taken */
    double rate; /* seconds for a unit of size 1, smoothed; its share where there were others
                  * beside it; 0: not known */
} worker_state;

/* A unit to hand out again. */
typedef struct returned_unit {
    size_t at;
    size_t avoid;    /* the worker that should not get it */
    double within_s; /* nor one that takes longer for it */
} returned_unit;

enum { UNIT_DONE = 1, UNIT_COPIED = 2, UNIT_ALONE = 4 };

struct cop_schedule {
    cop_schedule_options options;
    cop_schedule_phase phase;
    uint8_t *flags;    /* [unit_count] UNIT_... */
    uint8_t *attempts; /* [unit_count] failures */
    size_t unit_capacity, attempt_capacity;
    size_t left;             /* units without an answer */
    size_t next;             /* first position that was never handed out */
    returned_unit *returned; /* [returned_count] */
    size_t returned_count, returned_capacity;
    worker_state *workers; /* [options.workers] */
    size_t joined_count;
    size_t joined_lanes; /* of all of them */
    double speed_sum;    /* of joined workers whose rate is known */
    size_t known_count;  /* of these */
    double slowest;      /* longest time of a unit of size 1 that was done in time */
};

/* --- workers come and go, units are answered --- */

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
    COP_GROW(*bytes, *capacity, count, err);
    if (count > 0) memset(*bytes, 0, count);
    return COP_OK;
}

static double size_at(const cop_schedule *s, size_t at)
{
    const size_t row_units = s->phase.row_units;
    return s->phase.units[at] % row_units == row_units - 1 ? s->phase.last_size : 1;
}

/* Position of a unit of the chunk. */
static size_t place_of(const cop_schedule *s, const held_range *held, uint64_t unit)
{
    return held->at + (size_t)(unit - s->phase.units[held->at]);
}

static size_t position_of(const cop_schedule *s, const worker_state *w)
{
    assert(w->held_count > 0);
    return place_of(s, &w->held[0], w->held[0].band.first);
}

/* Of the units of a band all or none are the last of their rows. */
static double present_size(const cop_schedule *s, const worker_state *w)
{
    return (double)w->held[0].band.count * size_at(s, position_of(s, w));
}

static bool next_held(const cop_schedule *s, held_range *held, size_t *at)
{
    if (held->left == 0) return false;
    *at = place_of(s, held, held->band.first);
    held->left--;
    held->band.first += held->band.step;
    if (--held->band.count == 0) (void)cop_bands_next(&held->bands, &held->band);
    return true;
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
    assert(cop_schedule_is_valid(s));
    return COP_OK;
}

void cop_schedule_join(cop_schedule *s, size_t worker, size_t lanes)
{
    assert(worker < s->options.workers);
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

static cop_status put_back(cop_schedule *s, const returned_unit *unit, cop_error *err)
{
    COP_GROW(s->returned, s->returned_capacity, s->returned_count + 1, err);
    s->returned[s->returned_count++] = *unit;
    return COP_OK;
}

cop_status cop_schedule_leave(cop_schedule *s, size_t worker, cop_error *err)
{
    assert(worker < s->options.workers);
    worker_state *const w = &s->workers[worker];
    if (!w->joined) return COP_OK;
    count_speed(s, w, -1);
    w->joined = false;
    s->joined_count--;
    s->joined_lanes -= w->lanes;
    for (int h = 0; h < w->held_count; h++) {
        held_range rest = w->held[h];
        size_t at = 0;
        while (next_held(s, &rest, &at)) {
            if (s->flags[at] & UNIT_DONE) continue;
            const returned_unit unit = {.at = at, .avoid = worker, .within_s = INFINITY};
            COP_TRY(put_back(s, &unit, err));
        }
    }
    return COP_OK;
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
    const double size = present_size(s, w);
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
    (void)next_held(s, &w->held[0], at);
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
    assert(worker < s->options.workers);
    worker_state *const w = &s->workers[worker];
    size_t at = 0;
    double took_s = 0;
    if (!pop_unit(s, w, unit, now_s, &at, &took_s)) return COP_SCHEDULE_UNKNOWN;
    if (w->joined) learn(s, w, size_at(s, at), seconds, took_s);
    if (s->flags[at] & UNIT_DONE) return COP_SCHEDULE_REPEATED;
    assert(s->left > 0);
    s->flags[at] |= UNIT_DONE;
    s->left--;
    drop_returned(s, at);
    return COP_SCHEDULE_TAKEN;
}

cop_status cop_schedule_failed(cop_schedule *s, size_t worker, uint64_t unit, double now_s,
                               cop_schedule_verdict *verdict, int *attempts, cop_error *err)
{
    assert(worker < s->options.workers);
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
    return put_back(s, &again, err);
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

/* --- how much a worker gets, and when --- */

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
    assert(worker < s->options.workers);
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
    assert(worker < s->options.workers);
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
    assert(count > 0 && w->held_count < MOST_HELD);
    held_range *const held = &w->held[w->held_count++];
    *held = (held_range){.at = at, .count = count, .left = count};
    held->bands = cop_bands_of(chunk->first, count, s->phase.row_units, w->lanes);
    (void)cop_bands_next(&held->bands, &held->band);
    return COP_OK;
}

/* --- who is overdue, whose units deserve a copy --- */

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
        const double scaled_s = s->options.deadline_factor * s->slowest * present_size(s, w);
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
        if (next_held(s, &held, &at)) s->flags[at] |= UNIT_ALONE;
    }
}

int cop_schedule_blame(cop_schedule *s, size_t worker, uint64_t *unit)
{
    assert(worker < s->options.workers);
    const worker_state *const w = &s->workers[worker];
    *unit = 0;
    if (!w->joined || w->held_count == 0) return 0;
    mark_alone(s, w->held[0]);
    const size_t at = position_of(s, w);
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
        while (next_held(s, &rest, &next)) {
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
        COP_TRY(put_back(s, &copy, err));
        ++*copies;
    }
    return COP_OK;
}

/* --- validity --- */

/* A worker's chunks are of the phase, and none but the last is empty of units. */
static bool is_worker_valid(const cop_schedule *s, const worker_state *w)
{
    if (w->held_count < 0 || w->held_count > MOST_HELD) return false;
    for (int h = 0; h < w->held_count; h++) {
        const held_range *const held = &w->held[h];
        if (held->count == 0 || held->left == 0 || held->left > held->count) return false;
        if (held->at + held->count > s->phase.unit_count) return false;
    }
    return w->rate >= 0 && w->spare_s >= 0;
}

bool cop_schedule_is_valid(const cop_schedule *s)
{
    size_t left = 0;
    size_t joined = 0;
    size_t known = 0;
    for (size_t u = 0; u < s->phase.unit_count; u++)
        left += (s->flags[u] & UNIT_DONE) == 0;
    for (size_t i = 0; i < s->options.workers; i++) {
        const worker_state *const w = &s->workers[i];
        if (!is_worker_valid(s, w)) return false;
        joined += w->joined;
        known += w->joined && w->rate > 0;
    }
    for (size_t r = 0; r < s->returned_count; r++) {
        if (s->returned[r].at >= s->phase.unit_count) return false;
    }
    return left == s->left && joined == s->joined_count && known == s->known_count &&
           s->next <= s->phase.unit_count && (known > 0 || s->speed_sum < 1e-6);
}
