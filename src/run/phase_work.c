#include "run/phase_work.h"

#include "coppice/memory.h"
#include "run/phase.h"
#include "run/signals.h"
#include "run/work_order.h"

enum { MOST_PENDING = 2 }; /* a unit is begun before the one before it is finished */

struct cop_phase_work {
    cop_run *run;
    cop_queue_work callbacks;
    cop_work_order order;
    cop_work_rows rows;                      /* of the chunk at hand */
    cop_recipe *recipe;                      /* of the row at hand */
    char **extracted;                        /* [batch] answers of a unit, NULL in between */
    cop_unit_pending *pending[MOST_PENDING]; /* [pending_count], the oldest first */
    int pending_count;
};

static cop_unit_range unit_range(const cop_phase_work *w, uint64_t unit)
{
    return cop_unit_range_of(unit, w->order.chunks, w->order.example_count,
                             (size_t)w->run->job->backend.batch);
}

static bool should_drop(void *context)
{
    const cop_phase_work *const w = context;
    if (cop_world_rank(w->run->world) != 0) return cop_queue_cancelled(w->run->world);
    cop_progress_draw(&w->run->progress); /* a lone rank has no other moment for it */
    return cop_signals_pending() != 0;
}

static cop_status order(void *context, const void *data, size_t bytes, cop_error *err)
{
    cop_phase_work *const w = context;
    cop_work_order_free(&w->order);
    return cop_work_order_unpack(w->run, data, bytes, &w->order, err);
}

static cop_status chunk(void *context, uint64_t first, size_t count, const void *data,
                        size_t bytes, cop_error *err)
{
    cop_phase_work *const w = context;
    cop_work_rows_free(&w->rows);
    const size_t row = first / w->order.chunks;
    const size_t last = (first + count - 1) / w->order.chunks;
    return cop_work_rows_unpack(data, bytes, row, last - row + 1, &w->rows, err);
}

static cop_status begin(void *context, uint64_t unit, cop_error *err)
{
    cop_phase_work *const w = context;
    const size_t row = unit / w->order.chunks;
    const cop_unit_range range = unit_range(w, unit);
    COP_CHECK(row >= w->rows.first && row - w->rows.first < w->rows.count && range.count > 0 &&
                  w->pending_count < MOST_PENDING,
              err, COP_ERR_MPI, "unit %llu is not in this chunk", (unsigned long long)unit);
    const size_t start = w->rows.start[row - w->rows.first];
    const size_t end = w->rows.start[row - w->rows.first + 1];
    COP_TRY(cop_recipe_set_components(w->recipe, w->rows.components + start, end - start, err));
    cop_unit work = {.recipe = w->recipe,
                     .examples = w->order.examples + range.first,
                     .count = range.count,
                     .sampling = w->order.sampling};
    work.sampling.sample = (uint32_t)row;
    COP_TRY(cop_evaluator_begin(w->run->evaluator, &work, should_drop, w,
                                &w->pending[w->pending_count], err));
    w->pending_count++;
    return COP_OK;
}

/* Digests of the unit's answers, which end here. */
static cop_status take_answers(cop_phase_work *w, size_t count, cop_queue_result *result,
                               cop_error *err)
{
    cop_status status = COP_OK;
    for (size_t i = 0; i < count; i++) {
        if (status == COP_OK)
            status = cop_phase_answer(w->extracted[i], &result->answers[i], err);
        cop_memory_free(w->extracted[i]);
        w->extracted[i] = NULL;
    }
    result->has_answers = true;
    return status;
}

static cop_status finish(void *context, uint64_t unit, cop_queue_result *result, cop_error *err)
{
    cop_phase_work *const w = context;
    cop_unit_pending *oldest = w->pending[0];
    w->pending[0] = w->pending[1];
    w->pending_count--;
    if (result == NULL)
        return cop_evaluator_finish(w->run->evaluator, &oldest, NULL, NULL, NULL, err);
    const bool answers = w->order.keeps_answers;
    cop_unit_result got = {.rewards = result->scores,
                           .extracted = answers ? w->extracted : NULL};
    COP_TRY(cop_evaluator_finish(w->run->evaluator, &oldest, should_drop, w, &got, err));
    const size_t count = unit_range(w, unit).count;
    result->tokens = got.generated_tokens;
    if (answers) COP_TRY(take_answers(w, count, result, err));
    if (got.status != COP_OK)
        return cop_error_set(err, got.status, "%s", cop_status_text(got.status));
    result->score_count = count;
    return COP_OK;
}

cop_status cop_phase_work_create(cop_run *run, cop_phase_work **work, cop_error *err)
{
    *work = NULL;
    cop_phase_work *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->run = run;
    created->callbacks =
        (cop_queue_work){.context = created,
                         .overlap = run->task->scorer != NULL, /* functions take no time */
                         .order = order,
                         .chunk = chunk,
                         .begin = begin,
                         .finish = finish};
    created->extracted =
        cop_memory_alloc((size_t)run->job->backend.batch, sizeof *created->extracted, err);
    const cop_status status = created->extracted == NULL
                                  ? COP_ERR_MEMORY
                                  : cop_run_create_recipe(run->job, &created->recipe, err);
    if (status != COP_OK) {
        cop_phase_work_destroy(&created);
        return status;
    }
    *work = created;
    return COP_OK;
}

const cop_queue_work *cop_phase_work_callbacks(const cop_phase_work *work)
{
    return &work->callbacks;
}

cop_queue_options cop_phase_work_options(const cop_job *job)
{
    static const double chunk_s = 5; /* what a worker is handed at a time */
    return (cop_queue_options){.score_capacity = (size_t)job->backend.batch,
                               .chunk_s = chunk_s,
                               .deadline_factor = job->schedule.deadline_factor,
                               .deadline_least_s = job->schedule.deadline_least};
}

void cop_phase_work_destroy(cop_phase_work **work)
{
    if (work == NULL || *work == NULL) return;
    cop_work_order_free(&(*work)->order);
    cop_work_rows_free(&(*work)->rows);
    cop_recipe_destroy(&(*work)->recipe);
    cop_memory_free((*work)->extracted);
    cop_memory_free(*work);
    *work = NULL;
}
