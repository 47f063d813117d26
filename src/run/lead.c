/* Rank 0's side of the phases: units go through the queue to the ranks, checkpoints into the
 * run directory. What comes back is checked before it is taken, whatever a rank may have sent.
 */
#include "run/context.h"

#include "coppice/base/memory.h"
#include "coppice/base/signals.h"
#include "coppice/phase/excerpt.h"
#include "coppice/phase/work_order.h"
#include "run/units.h"

/* A phase in progress. */
typedef struct running {
    cop_lead *lead;
    cop_phase *phase;
    const cop_phase *seen;     /* what the ranks see of it */
    cop_phase_excerpt excerpt; /* is that where units are the phase's own, else empty */
} running;

/* --- what the queue calls --- */

static cop_phase_result result_of(const running *w, const cop_queue_result *result)
{
    return (cop_phase_result){.unit = w->seen == w->phase
                                          ? result->unit
                                          : cop_phase_excerpt_find(&w->excerpt, result->unit),
                              .status = result->status,
                              .scores = result->scores,
                              .score_count = result->score_count,
                              .answers = result->has_answers ? result->answers : NULL,
                              .tokens = result->tokens,
                              .seconds = result->seconds,
                              .rank = result->rank,
                              .arithmetic = w->lead->arithmetic_of[result->rank]};
}

static cop_status check(void *context, const cop_queue_result *result, cop_error *err)
{
    const running *const w = context;
    const cop_phase_result given = result_of(w, result);
    return cop_phase_check(&w->lead->phases, w->phase, &given, err);
}

static cop_status done(void *context, const cop_queue_result *result, cop_error *err)
{
    (void)err;
    const running *const w = context;
    const cop_phase_result given = result_of(w, result);
    cop_phase_take(&w->lead->phases, w->phase, &given);
    return COP_OK;
}

static void note(void *context, const char *text)
{
    const running *const w = context;
    cop_log_write(w->lead->rank->log, COP_LOG_WARN, "%s: %s", w->phase->title, text);
}

static cop_status pack(void *context, uint64_t first, size_t count, bool again, cop_text *data,
                       cop_error *err)
{
    const running *const w = context;
    const size_t row = first / w->seen->row_units;
    const size_t last = (first + count - 1) / w->seen->row_units;
    const size_t before = data->length;
    const size_t ranks = (size_t)cop_world_size(w->lead->rank->world);
    COP_TRY(cop_work_rows_pack(w->seen, row, last - row + 1, data, err));
    COP_TRY(cop_work_rows_pack_ahead(w->seen, last, ranks > 1 ? ranks - 1 : 1, data, err));
    if (ranks == 1 || again) return COP_OK; /* nobody counts, or the queue does */
    w->lead->coefficient_bytes += data->length - before;
    for (size_t r = row; r <= last; r++) /* what a row takes that has one component or none */
        w->lead->coefficient_bytes -=
            sizeof(uint32_t) + (cop_phase_row(w->seen, r).count > 0 ? COP_COMPONENT_BYTES : 0);
    return COP_OK;
}

static cop_status tick(void *context, cop_error *err)
{
    const running *const w = context;
    return cop_phase_tick(&w->lead->phases, w->phase, err);
}

/* --- what a phase calls --- */

static void draw_progress(void *context)
{
    cop_progress_draw(context);
}

static cop_status open_queue(cop_lead *lead, cop_error *err)
{
    cop_rank *const rank = lead->rank;
    const cop_queue_options options = cop_units_options(rank->job);
    const cop_queue_work *work = NULL;
    if (lead->queue != NULL) return COP_OK;
    if (rank->evaluator != NULL) {
        COP_TRY(cop_units_create(rank, draw_progress, &lead->progress, &lead->units, err));
        work = cop_units_callbacks(lead->units);
    }
    return cop_queue_open(rank->world, &options, work, &lead->queue, err);
}

static cop_status evaluate(void *context, cop_phase *phase, const uint64_t *units, size_t count,
                           cop_error *err)
{
    cop_lead *const lead = context;
    running w = {.lead = lead, .phase = phase, .seen = phase};
    cop_text order = {0};
    COP_TRY(open_queue(lead, err));
    if (phase->is_cut) {
        COP_TRY(cop_phase_excerpt_create(phase, units, count, &w.excerpt, err));
        w.seen = &w.excerpt.phase;
    }
    cop_status status = cop_work_order_pack(&lead->rank->splits, w.seen, &order, err);
    const cop_unit_range last = cop_phase_unit_range(w.seen, w.seen->row_units - 1);
    const cop_queue_phase work = {.units = phase->is_cut ? w.excerpt.units : units,
                                  .unit_count = count,
                                  .row_units = w.seen->row_units,
                                  .last_size = (double)last.count / (double)phase->batch,
                                  .order = order.data,
                                  .order_bytes = order.length,
                                  .context = &w,
                                  .pack = pack,
                                  .check = check,
                                  .done = done,
                                  .note = note,
                                  .tick = tick};
    if (status == COP_OK) status = cop_queue_run(lead->queue, &work, err);
    cop_text_free(&order);
    cop_phase_excerpt_free(&w.excerpt);
    /* Units failed then, on whatever rank saw it first: this is why. */
    cop_error changed = {0};
    if (cop_base_check(lead, &changed) != COP_OK)
        return cop_error_set(err, changed.status, "%s", changed.message);
    return status;
}

static cop_status watch(void *context, bool *due, cop_error *err)
{
    cop_lead *const lead = context;
    const cop_status status = cop_rundir_watch(&lead->dir, err);
    lead->phases.file = lead->dir.run_path; /* which may have moved */
    COP_TRY(status);
    const bool is_announced = cop_signals_take_continue() && lead->dir.unsaved;
    *due = is_announced || cop_rundir_is_due(&lead->dir);
    return *due ? cop_base_check(lead, err) : COP_OK;
}

static cop_status note_traffic(void *context, cop_error *err)
{
    return cop_traffic_note(context, err);
}

static cop_status save(void *context, cop_save_when when, cop_error *err)
{
    cop_lead *const lead = context;
    cop_status status = COP_OK;
    if (when == COP_SAVE_LEAVING) {
        status = cop_rundir_save_and_leave(&lead->dir, err);
    } else if (when == COP_SAVE_NOW || cop_rundir_is_due(&lead->dir)) {
        status = cop_rundir_save(&lead->dir, err);
    }
    lead->phases.file = lead->dir.run_path;
    return status;
}

void cop_lead_set_phases(cop_lead *lead)
{
    const cop_job *const job = lead->rank->job;
    lead->phases = (cop_phases){.store = lead->dir.store,
                                .file = lead->dir.run_path,
                                .unsaved = &lead->dir.unsaved,
                                .progress = &lead->progress,
                                .log = lead->rank->log,
                                .batch = (size_t)job->backend.batch,
                                .max_tokens = (uint64_t)job->generation.max_new_tokens,
                                .host = {lead, evaluate, watch, note_traffic, save}};
}

cop_status cop_lead_dismiss(cop_lead *lead, cop_error *err)
{
    static const double patience_s = 30; /* a rank may be in the middle of a rebuild */
    cop_world *const world = lead->rank->world;
    const cop_status status =
        cop_queue_close(world, &lead->queue, patience_s, &lead->missing, err);
    cop_units_destroy(&lead->units);
    if (lead->missing > 0) {
        cop_log_write(lead->rank->log, COP_LOG_WARN,
                      "%d of %d ranks do not answer; all is saved, so MPI is ended by force",
                      lead->missing, cop_world_size(world));
    }
    return status;
}
