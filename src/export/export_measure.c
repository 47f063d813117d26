/* What a recipe would move, counted without writing. */
#include "coppice/export/export.h"

#include "coppice/base/cpu.h"
#include "coppice/rebuild/rebuild.h"
#include "export/export_parts.h"

#include <assert.h>
#include <math.h>

/* A sample is taken in at most so many blocks, none shorter than that. */
enum { MAX_BLOCKS = 64, MIN_BLOCK = 4096 };

/* The elements of one tensor to look at: `blocks` of `length`, `stride` apart. */
typedef struct sampling {
    size_t blocks;
    size_t length;
    size_t stride;
} sampling;

static sampling plan(size_t count, size_t sample)
{
    if (sample == 0 || sample >= count) return (sampling){1, count, count};
    size_t length = sample / MAX_BLOCKS;
    if (length < MIN_BLOCK) length = MIN_BLOCK;
    if (length > sample) length = sample;
    const size_t blocks = sample / length;
    return (sampling){blocks, length, count / blocks};
}

/* Of one tensor: what was looked at, and of these what moved. */
static cop_export_report measure(const cop_tensor_info *info, const cop_recipe *recipe,
                                 float scale, size_t sample, int threads)
{
    cop_export_report found = {.tensors = 1};
    const sampling look = plan(info->count, sample);
    for (size_t b = 0; b < look.blocks && info->count > 0; b++) {
        const size_t first = b * look.stride;
        const cop_rebuild_piece piece = {.base = (const char *)info->data +
                                                 first * cop_dtype_size(info->dtype),
                                         .dtype = info->dtype,
                                         .first = first,
                                         .count = look.length,
                                         .tensor = info->noise_id,
                                         .scale = scale,
                                         .low = cop_recipe_low_rank(recipe, info)};
        const uint64_t unmoved = cop_rebuild_count_unmoved(
            &piece, recipe->components, recipe->component_count, threads, cop_cpu_isa());
        assert(unmoved <= look.length);
        found.elements += look.length;
        found.elements_moved += look.length - unmoved;
    }
    return found;
}

void cop_export_measure(const cop_checkpoint *base, const cop_recipe *recipe, size_t sample,
                        int threads, cop_export_report *report, float *moved)
{
    assert(threads >= 1);
    *report = (cop_export_report){0};
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(base, i);
        const float scale = cop_recipe_scale(recipe, base, info);
        if (moved != NULL) moved[i] = NAN;
        if (scale == 0.0F || info->original != NULL) continue;
        const cop_export_report found = measure(info, recipe, scale, sample, threads);
        report->tensors++;
        report->elements += found.elements;
        report->elements_moved += found.elements_moved;
        if (moved != NULL && found.elements > 0)
            moved[i] = (float)((double)found.elements_moved / (double)found.elements);
    }
}
