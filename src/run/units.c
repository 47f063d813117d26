/* A rank's side of the phases: an order tells the examples, a chunk the recipes of its rows,
 * and units are begun and finished by the evaluator. */
#include "run/units.h"

#include "coppice/base/memory.h"
#include "coppice/base/signals.h"
#include "coppice/phase/work_order.h"

#include <assert.h>
#include <string.h>

struct cop_units {
    cop_rank *rank;
    void (*idle)(void *context); /* NULL: nothing to do */
    void *idle_context;
    cop_queue_work callbacks;
    cop_work_order order;
    cop_work_rows rows; /* of the chunk at hand */
    cop_component *row; /* a recipe in the making */
    size_t row_capacity;
    size_t lanes;
    cop_recipe **recipes;       /* [lanes] of the rows at hand */
    cop_unit *units;            /* [lanes] those that are begun together */
    cop_unit_pending **pending; /* [lanes] their handles */
    char **extracted;           /* [batch] answers of a unit, NULL in between */
    size_t open;                /* begun and not finished */
    size_t
        doubtful; /* of these, the oldest: begun before somebody wrote to the model's files */
};

static cop_unit_range unit_range(const cop_units *w, uint64_t unit)
{
    return cop_unit_range_of(unit, w->order.row_units, w->order.example_count,
                             w->order.unit > 0 ? w->order.unit
                                               : (size_t)w->rank->job->backend.batch);
}

static bool should_drop(void *context)
{
    const cop_units *const w = context;
    if (cop_world_rank(w->rank->world) != 0) return cop_queue_cancelled(w->rank->world);
    if (w->idle != NULL) w->idle(w->idle_context); /* a lone rank has no other moment for it */
    return cop_signals_pending() != 0;
}

static cop_status order(void *context, const void *data, size_t bytes, cop_error *err)
{
    cop_units *const w = context;
    cop_work_order_free(&w->order);
    return cop_work_order_unpack(&w->rank->splits, data, bytes, &w->order, err);
}

static cop_status chunk(void *context, uint64_t first, size_t count, const void *data,
                        size_t bytes, cop_error *err)
{
    cop_units *const w = context;
    cop_work_rows_free(&w->rows);
    const size_t row = first / w->order.row_units;
    const size_t last = (first + count - 1) / w->order.row_units;
    COP_TRY(cop_work_rows_unpack(data, bytes, row, last - row + 1, &w->rows, err));
    return cop_model_expect(cop_evaluator_model(w->rank->evaluator), w->rows.components,
                            w->rows.start, w->rows.count + w->rows.ahead, err);
}

/* Gives the recipe the components of row `r` of this chunk, behind the trunk if they are. */
static cop_status set_components(cop_units *w, size_t r, cop_recipe *recipe, cop_error *err)
{
    const cop_component *const own = w->rows.components + w->rows.start[r];
    const size_t count = w->rows.start[r + 1] - w->rows.start[r];
    const size_t before = w->order.trunk_count;
    if (!w->rows.on_trunk[r]) return cop_recipe_set_components(recipe, own, count, err);
    COP_GROW(w->row, w->row_capacity, before + count, err);
    if (before > 0) memcpy(w->row, w->order.trunk, before * sizeof *w->row);
    if (count > 0) memcpy(w->row + before, own, count * sizeof *w->row);
    return cop_recipe_set_components(recipe, w->row, before + count, err);
}

/* A unit of this chunk as the evaluator wants it, with `recipe` for its row's. */
static cop_status describe(cop_units *w, uint64_t unit, cop_recipe *recipe, cop_unit *work,
                           cop_error *err)
{
    const size_t row = unit / w->order.row_units;
    const cop_unit_range range = unit_range(w, unit);
    COP_CHECK(row >= w->rows.first && row - w->rows.first < w->rows.count && range.count > 0,
              err, COP_ERR_MPI, "unit %llu is not in this chunk", (unsigned long long)unit);
    COP_TRY(set_components(w, row - w->rows.first, recipe, err));
    *work = (cop_unit){.recipe = recipe,
                       .examples = w->order.examples + range.first,
                       .count = range.count,
                       .sampling = w->order.sampling,
                       .rewards_only = !w->order.keeps_answers};
    work->sampling.sample = (uint32_t)row;
    return COP_OK;
}

/* Units of a chunk are described alike: where one cannot be, none is begun. */
static cop_status describe_all(cop_units *w, const uint64_t *units, size_t count,
                               cop_error *err)
{
    for (size_t i = 0; i < count; i++)
        COP_TRY(describe(w, units[i], w->recipes[i], &w->units[i], err));
    return COP_OK;
}

static void begin(void *context, const uint64_t *units, size_t count, void **pending,
                  cop_error *failures)
{
    cop_units *const w = context;
    cop_error unknown = {0};
    assert(count >= 1 && count <= w->lanes);
    if (describe_all(w, units, count, &unknown) != COP_OK) {
        for (size_t i = 0; i < count; i++)
            failures[i] = unknown;
        return;
    }
    cop_evaluator_begin(w->rank->evaluator, w->units, count, should_drop, w, w->pending,
                        failures);
    for (size_t i = 0; i < count; i++) {
        pending[i] = w->pending[i];
        w->open += failures[i].status == COP_OK;
    }
}

static void drop_answers(cop_units *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cop_memory_free(w->extracted[i]);
        w->extracted[i] = NULL;
    }
}

/* Digests of the unit's answers, which end here. */
static cop_status take_answers(cop_units *w, size_t count, cop_queue_result *result,
                               cop_error *err)
{
    cop_status status = COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++)
        status = cop_phase_answer(w->extracted[i], &result->answers[i], err);
    drop_answers(w, count);
    result->has_answers = true;
    return status;
}

/* Whatever was computed while somebody wrote to the model is nobody's score, even if the
 * tensors are what they were: the unit is done again then. */
static cop_status check_base(cop_units *w, cop_error *err)
{
    const char *touched = NULL;
    cop_checkpoint *const base = cop_evaluator_checkpoint(w->rank->evaluator);
    COP_TRY(cop_checkpoint_review(base, &touched, err));
    if (touched != NULL) w->doubtful = w->open + 1;
    if (w->doubtful == 0) return COP_OK;
    w->doubtful--;
    return cop_error_set(err, COP_ERR_IO,
                         "%s was written to while it was used; its tensors are the same",
                         touched != NULL ? touched : w->rank->job->model);
}

static cop_status finish(void *context, uint64_t unit, void *handle, cop_queue_result *result,
                         cop_error *err)
{
    cop_units *const w = context;
    cop_unit_pending *pending = handle;
    assert(w->open > 0);
    w->open--;
    if (result == NULL) {
        w->doubtful -= w->doubtful > 0 ? 1 : 0;
        return cop_evaluator_finish(w->rank->evaluator, &pending, NULL, NULL, NULL, err);
    }
    const bool answers = w->order.keeps_answers;
    cop_unit_result got = {.rewards = result->scores,
                           .extracted = answers ? w->extracted : NULL};
    COP_TRY(cop_evaluator_finish(w->rank->evaluator, &pending, should_drop, w, &got, err));
    const size_t count = unit_range(w, unit).count;
    const cop_status unchanged = check_base(w, err);
    if (unchanged != COP_OK && answers) drop_answers(w, count);
    COP_TRY(unchanged);
    result->tokens = got.generated_tokens;
    if (answers) COP_TRY(take_answers(w, count, result, err));
    if (got.status != COP_OK)
        return cop_error_set(err, got.status, "%s", cop_status_text(got.status));
    result->score_count = count;
    return COP_OK;
}

static cop_status make_room(cop_units *w, cop_error *err)
{
    w->extracted =
        cop_memory_alloc((size_t)w->rank->job->backend.batch, sizeof *w->extracted, err);
    w->recipes = cop_memory_alloc(w->lanes, sizeof *w->recipes, err);
    w->units = cop_memory_alloc(w->lanes, sizeof *w->units, err);
    w->pending = cop_memory_alloc(w->lanes, sizeof *w->pending, err);
    if (w->extracted == NULL || w->recipes == NULL || w->units == NULL || w->pending == NULL)
        return COP_ERR_MEMORY;
    for (size_t i = 0; i < w->lanes; i++)
        COP_TRY(cop_rank_create_recipe(
            w->rank->job, cop_evaluator_checkpoint(w->rank->evaluator), &w->recipes[i], err));
    return COP_OK;
}

cop_status cop_units_create(cop_rank *rank, void (*idle)(void *context), void *idle_context,
                            cop_units **units, cop_error *err)
{
    *units = NULL;
    cop_units *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->rank = rank;
    created->idle = idle;
    created->idle_context = idle_context;
    created->lanes = cop_evaluator_lanes(rank->evaluator);
    created->callbacks = (cop_queue_work){.context = created,
                                          .overlap = cop_evaluator_overlaps(rank->evaluator),
                                          .lanes = created->lanes,
                                          .order = order,
                                          .chunk = chunk,
                                          .begin = begin,
                                          .finish = finish};
    const cop_status status = make_room(created, err);
    if (status != COP_OK) {
        cop_units_destroy(&created);
        return status;
    }
    *units = created;
    return COP_OK;
}

const cop_queue_work *cop_units_callbacks(const cop_units *units)
{
    return &units->callbacks;
}

cop_queue_options cop_units_options(const cop_job *job)
{
    static const double chunk_s = 5; /* what a worker is handed at a time */
    return (cop_queue_options){.score_capacity = (size_t)job->backend.batch,
                               .chunk_s = chunk_s,
                               .deadline_factor = job->schedule.deadline_factor,
                               .deadline_least_s = job->schedule.deadline_least};
}

void cop_units_destroy(cop_units **units)
{
    if (units == NULL || *units == NULL) return;
    cop_units *const w = *units;
    cop_work_order_free(&w->order);
    cop_work_rows_free(&w->rows);
    cop_memory_free(w->row);
    for (size_t i = 0; w->recipes != NULL && i < w->lanes; i++)
        cop_recipe_destroy(&w->recipes[i]);
    cop_memory_free(w->recipes);
    cop_memory_free(w->units);
    cop_memory_free(w->extracted);
    cop_memory_free(w->pending);
    cop_memory_free(w);
    *units = NULL;
}

cop_status cop_units_serve(cop_rank *rank, cop_error *err)
{
    const cop_queue_options options = cop_units_options(rank->job);
    cop_units *units = NULL;
    cop_error why = {0};
    if (cop_units_create(rank, NULL, NULL, &units, &why) != COP_OK)
        return cop_queue_decline(rank->world, &why, err);
    const cop_status status =
        cop_queue_serve(rank->world, &options, cop_units_callbacks(units), err);
    cop_units_destroy(&units);
    return status;
}
