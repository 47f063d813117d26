/* What rounding swallows: the share of weights that a candidate moves at all in the base's
 * type, by tensor. A sigma that is right for one tensor may leave most of another as it is. */
#include "run/context.h"

#include "coppice/base/memory.h"
#include "coppice/export/export.h"

#include <stdio.h>

enum { SAMPLE = 1 << 16 }; /* elements of a tensor that are looked at */

/* The rows of the table: of the tensors that get noise. */
typedef struct moved_table {
    const char **names; /* [count] borrowed */
    float *scales;      /* [count] */
    float *shares;      /* [count], while they are measured of every tensor of the base */
    size_t *tensors;    /* [count] index in the base, rising */
    size_t count;
} moved_table;

static void free_table(moved_table *table)
{
    cop_memory_free(table->names);
    cop_memory_free(table->scales);
    cop_memory_free(table->shares);
    cop_memory_free(table->tensors);
}

static cop_status make_table(const cop_checkpoint *base, const cop_recipe *recipe,
                             moved_table *table, cop_error *err)
{
    const size_t all = cop_checkpoint_count(base);
    table->names = cop_memory_alloc(all, sizeof *table->names, err);
    table->scales = cop_memory_alloc(all, sizeof *table->scales, err);
    table->shares = cop_memory_alloc(all, sizeof *table->shares, err);
    table->tensors = cop_memory_alloc(all, sizeof *table->tensors, err);
    if (table->names == NULL || table->scales == NULL || table->shares == NULL ||
        table->tensors == NULL)
        return COP_ERR_MEMORY;
    for (size_t i = 0; i < all; i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(base, i);
        const float scale = cop_recipe_scale(recipe, base, info);
        if (scale == 0.0F || info->original != NULL) continue;
        table->names[table->count] = info->name;
        table->scales[table->count] = scale;
        table->tensors[table->count++] = i;
    }
    return COP_OK;
}

static cop_status set_column(cop_lead *lead, const moved_table *table, const char *path,
                             cop_store_type type, const void *values, const char *meaning,
                             cop_error *err)
{
    const cop_store_array array = {
        .type = type, .rank = 1, .shape = {table->count}, .data = values};
    return cop_store_set(lead->dir.store, path, &array, NULL, meaning, err);
}

static cop_status note_sigma(cop_lead *lead, cop_recipe *recipe, moved_table *table,
                             double sigma, cop_error *err)
{
    const cop_job *const job = lead->rank->job;
    const cop_component component = {.seed = lead->search.seeds[0], .amplitude = (float)sigma};
    cop_export_report report = {0};
    char path[64];
    COP_TRY(cop_recipe_set_components(recipe, &component, 1, err));
    cop_export_measure(lead->rank->base, recipe, SAMPLE, 1, &report, table->shares);
    COP_CHECK(report.elements > 0, err, COP_ERR_CONFIG,
              "population.scope: no tensor of %s matches", job->model);
    const double share = 1 - (double)report.elements_moved / (double)report.elements;
    (void)snprintf(path, sizeof path, "/population/unmoved/sigma_%.9g", sigma);
    COP_TRY(cop_store_set_f64(
        lead->dir.store, path, share, NULL,
        "share of weights that a candidate of this sigma leaves as they are", err));
    for (size_t i = 0; i < table->count; i++)
        table->shares[i] = table->shares[table->tensors[i]];
    (void)snprintf(path, sizeof path, "/population/moved/sigma_%.9g", sigma);
    COP_TRY(set_column(lead, table, path, COP_STORE_F32, table->shares,
                       "share of each tensor's weights that a candidate of this sigma moves",
                       err));
    cop_log_write(lead->rank->log, COP_LOG_INFO,
                  "sigma %g leaves %.1f%% of the weights as they are", sigma, 100 * share);
    return COP_OK;
}

cop_status cop_lead_note_moved(cop_lead *lead, cop_error *err)
{
    const cop_job *const job = lead->rank->job;
    cop_recipe *recipe = NULL;
    moved_table table = {0};
    cop_status status = COP_OK;
    COP_TRY(cop_rank_create_recipe(job, lead->rank->base, &recipe, err));
    COP_TRY_OUT(make_table(lead->rank->base, recipe, &table, err));
    for (size_t k = 0; k < job->population.sigma.count; k++)
        COP_TRY_OUT(note_sigma(lead, recipe, &table, job->population.sigma.data[k], err));
    COP_TRY_OUT(set_column(lead, &table, "/population/moved/tensor", COP_STORE_TEXT,
                           table.names, "tensors that get noise", err));
    COP_TRY_OUT(set_column(lead, &table, "/population/moved/scale", COP_STORE_F32, table.scales,
                           "what a sigma is multiplied by", err));
out:
    free_table(&table);
    cop_recipe_destroy(&recipe);
    return status;
}
