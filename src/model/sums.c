#include "model/sums.h"

#include "coppice/base/memory.h"
#include "model/kept.h"

#include <assert.h>
#include <string.h>

/* Shorter sums are cheaper to add up again than to keep. */
enum { WORTH_KEEPING = 16 };

static cop_status copy_terms(const cop_rebuild_sum *from, model_terms *to, cop_error *err)
{
    cop_component *const copy = cop_memory_alloc(from->count, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    memcpy(copy, from->components, from->count * sizeof *copy);
    *to = (model_terms){.owned = copy, .sum = {.components = copy, .count = from->count}};
    return COP_OK;
}

static void free_terms(model_terms *terms)
{
    cop_memory_free(terms->owned);
    *terms = (model_terms){0};
}

/* --- what is announced --- */

static void forget_announced(model_sums *sums)
{
    for (size_t i = 0; i < sums->announced_count; i++)
        free_terms(&sums->announced[i]);
    sums->announced_count = 0;
}

cop_status cop_model_expect(cop_model *model, const cop_component *components,
                            const size_t *start, size_t count, cop_error *err)
{
    model_sums *const sums = &model->sums;
    forget_announced(sums);
    for (size_t r = 0; r < count && sums->announced_count < MODEL_MOST_SUMS; r++) {
        const cop_rebuild_sum found =
            cop_rebuild_last_sum(components + start[r], start[r + 1] - start[r]);
        bool known = found.count < WORTH_KEEPING;
        for (size_t i = 0; i < sums->announced_count && !known; i++)
            known = cop_rebuild_same_sum(&sums->announced[i].sum, &found);
        if (known) continue;
        COP_TRY(copy_terms(&found, &sums->announced[sums->announced_count], err));
        sums->announced_count++;
    }
    return COP_OK;
}

/* --- what is kept --- */

static void free_kept(cop_model *model, model_sum *kept)
{
    cop_model_drop_kept(model, &kept->memory);
    free_terms(&kept->terms);
    *kept = (model_sum){0};
}

/* True if a sum is of the recipe's noise and of the tensors that its scope has. */
static bool fits(const cop_model *model, const model_sum *kept, const cop_recipe *recipe)
{
    if (kept->memory.noise_rank != recipe->noise_rank) return false;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++) {
            const float scale =
                cop_recipe_scale(recipe, model->checkpoint, model->weights[w].tensors[p]);
            if ((cop_model_kept_part(&kept->memory, w, p) != NULL) != (scale != 0.0F))
                return false;
        }
    }
    return true;
}

/* A place for one more: a new one, or that of the sum that was of use the longest time ago,
 * `since` being the moment from which on none may go. NULL: there is none. */
static model_sum *find_place(cop_model *model, const cop_recipe *recipe, uint64_t since)
{
    model_sums *const sums = &model->sums;
    model_sum *oldest = NULL;
    for (size_t i = 0; i < sums->count; i++) {
        model_sum *const kept = &sums->kept[i];
        if (kept->used < since && (oldest == NULL || kept->used < oldest->used)) oldest = kept;
    }
    if (sums->count < MODEL_MOST_SUMS) {
        model_sum *const fresh = &sums->kept[sums->count];
        if (cop_model_keep(model, recipe, &fresh->memory, NULL) == COP_OK) {
            sums->count++;
            return fresh;
        }
    }
    if (oldest != NULL) free_terms(&oldest->terms);
    return oldest;
}

static size_t find_kept(const model_sums *sums, const cop_rebuild_sum *wanted)
{
    for (size_t i = 0; i < sums->count; i++) {
        if (sums->kept[i].terms.owned != NULL &&
            cop_rebuild_same_sum(&sums->kept[i].terms.sum, wanted))
            return i;
    }
    return SIZE_MAX;
}

/* Adds up sums [count], which have their places already. */
static cop_status add_up(cop_model *model, const cop_recipe *recipe, model_sum *const *made,
                         size_t count, cop_error *err)
{
    cop_buffer *outs[MODEL_MOST_SUMS];
    cop_rebuild_sum lists[MODEL_MOST_SUMS];
    for (size_t k = 0; k < count; k++)
        lists[k] = made[k]->terms.sum;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++) {
            const cop_tensor_info *const info = model->weights[w].tensors[p];
            if (cop_model_kept_part(&made[0]->memory, w, p) == NULL) continue;
            for (size_t k = 0; k < count; k++)
                outs[k] = cop_model_kept_part(&made[k]->memory, w, p);
            COP_TRY(model->backend->ops->sums(model->backend, outs, lists, count,
                                              info->noise_id, cop_recipe_low_rank(recipe, info),
                                              info->count, err));
        }
    }
    return COP_OK;
}

/* Takes a place for a sum and puts it into the list of those to be added up, if there is one.
 */
static cop_status take_place(cop_model *model, const cop_recipe *recipe,
                             const cop_rebuild_sum *wanted, uint64_t since, model_sum **made,
                             size_t *count, cop_error *err)
{
    model_sum *const place = find_place(model, recipe, since);
    if (place == NULL) return COP_OK;
    COP_TRY(copy_terms(wanted, &place->terms, err));
    place->used = ++model->sums.clock;
    made[(*count)++] = place;
    return COP_OK;
}

/* Adds up what is wanted, and with it what is announced and not kept. */
static cop_status make(cop_model *model, const cop_recipe *recipe,
                       const cop_rebuild_sum *wanted, cop_error *err)
{
    model_sums *const sums = &model->sums;
    model_sum *made[MODEL_MOST_SUMS];
    size_t count = 0;
    const uint64_t since = sums->clock + 1;
    for (size_t i = 0; i < sums->announced_count; i++) { /* what is to be used stays */
        const size_t at = find_kept(sums, &sums->announced[i].sum);
        if (at != SIZE_MAX) sums->kept[at].used = ++sums->clock;
    }
    cop_status status = take_place(model, recipe, wanted, since, made, &count, err);
    for (size_t i = 0; i < sums->announced_count && count > 0 && status == COP_OK; i++) {
        if (find_kept(sums, &sums->announced[i].sum) == SIZE_MAX)
            status =
                take_place(model, recipe, &sums->announced[i].sum, since, made, &count, err);
    }
    if (status == COP_OK && count > 0) status = add_up(model, recipe, made, count, err);
    for (size_t k = 0; k < count && status != COP_OK; k++)
        free_terms(&made[k]->terms); /* its memory stays */
    return status;
}

cop_status cop_model_follow_sum(cop_model *model, const cop_recipe *recipe, size_t *sum,
                                size_t *first, cop_error *err)
{
    model_sums *const sums = &model->sums;
    *sum = SIZE_MAX;
    if (recipe == NULL || sums->refused) return COP_OK;
    const cop_rebuild_sum wanted =
        cop_rebuild_last_sum(recipe->components, recipe->component_count);
    *first = recipe->component_count - wanted.count;
    if (wanted.count < WORTH_KEEPING) return COP_OK;
    if (sums->count > 0 && !fits(model, &sums->kept[0], recipe)) {
        for (size_t i = 0; i < sums->count; i++)
            free_kept(model, &sums->kept[i]);
        sums->count = 0;
    }
    size_t at = find_kept(sums, &wanted);
    if (at == SIZE_MAX) {
        COP_TRY(make(model, recipe, &wanted, err));
        at = find_kept(sums, &wanted);
    }
    if (at != SIZE_MAX) sums->kept[at].used = ++sums->clock;
    *sum = at;
    return COP_OK;
}

const cop_buffer *cop_model_sum_part(const cop_model *model, size_t sum, size_t weight,
                                     size_t part)
{
    assert(sum < model->sums.count);
    return cop_model_kept_part(&model->sums.kept[sum].memory, weight, part);
}

void cop_model_destroy_sums(cop_model *model)
{
    for (size_t i = 0; i < model->sums.count; i++)
        free_kept(model, &model->sums.kept[i]);
    forget_announced(&model->sums);
    model->sums.count = 0;
}
