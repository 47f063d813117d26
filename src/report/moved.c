/* The share of weights that a candidate moves at all, by tensor and sigma; tensors that differ
 * in the number of their layer alone share a line. */
#include "report/moved.h"

#include "coppice/base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SIGMAS = 8, NAME_BYTES = 96 };

static const char prefix[] = "/population/moved/sigma_";

/* Tensors of one name but for the layer. */
typedef struct moved_line {
    char name[NAME_BYTES];
    double sum[MAX_SIGMAS], least[MAX_SIGMAS];
    size_t tensors;
} moved_line;

typedef struct moved_columns {
    const char *sigma[MAX_SIGMAS];   /* as text, borrowed */
    const float *shares[MAX_SIGMAS]; /* [tensors] borrowed */
    size_t count;                    /* of columns that are shown */
} moved_columns;

/* "model.layers.12.mlp" as "model.layers.*.mlp". */
static void drop_layer(const char *name, char out[NAME_BYTES])
{
    size_t length = 0;
    for (const char *at = name; *at != '\0' && length + 2 < NAME_BYTES;) {
        const bool begins = at == name || at[-1] == '.';
        const size_t digits = begins ? strspn(at, "0123456789") : 0;
        if (digits > 0 && (at[digits] == '.' || at[digits] == '\0')) {
            out[length++] = '*';
            at += digits;
        } else {
            out[length++] = *at++;
        }
    }
    out[length] = '\0';
}

static moved_columns find_columns(const cop_store *store, uint64_t tensors)
{
    moved_columns columns = {.count = 0};
    for (size_t i = 0; i < cop_store_count(store) && columns.count < MAX_SIGMAS; i++) {
        const char *const path = cop_store_path_at(store, i);
        if (strncmp(path, prefix, sizeof prefix - 1) != 0) continue;
        const cop_store_array *const array = cop_store_get(store, path);
        if (array->type != COP_STORE_F32 || array->rank != 1 || array->shape[0] != tensors)
            continue;
        columns.sigma[columns.count] = path + sizeof prefix - 1;
        columns.shares[columns.count++] = array->data;
    }
    return columns;
}

static void add_tensor(moved_line *lines, size_t *count, const char *name, size_t tensor,
                       const moved_columns *columns)
{
    char short_name[NAME_BYTES];
    size_t i = 0;
    drop_layer(name, short_name);
    while (i < *count && strcmp(lines[i].name, short_name) != 0)
        i++;
    moved_line *const line = &lines[i];
    if (i == *count) {
        (*count)++;
        memcpy(line->name, short_name, sizeof short_name);
    }
    for (size_t k = 0; k < columns->count; k++) {
        const double share = (double)columns->shares[k][tensor];
        if (line->tensors == 0 || share < line->least[k]) line->least[k] = share;
        line->sum[k] += share;
    }
    line->tensors++;
}

static cop_status print_lines(const moved_line *lines, size_t count,
                              const moved_columns *columns, cop_text *text, cop_error *err)
{
    COP_TRY(
        cop_text_format(text, err, "\n  %-44s %7s", "weights moved, mean (least)", "tensors"));
    for (size_t k = 0; k < columns->count; k++)
        COP_TRY(cop_text_format(text, err, "  sigma %-9s", columns->sigma[k]));
    COP_TRY(cop_text_append(text, "\n", 1, err));
    for (size_t i = 0; i < count; i++) {
        COP_TRY(cop_text_format(text, err, "  %-44s %7zu", lines[i].name, lines[i].tensors));
        for (size_t k = 0; k < columns->count; k++)
            COP_TRY(cop_text_format(text, err, "  %5.1f%% (%5.1f%%)",
                                    100 * lines[i].sum[k] / (double)lines[i].tensors,
                                    100 * lines[i].least[k]));
        COP_TRY(cop_text_append(text, "\n", 1, err));
    }
    return COP_OK;
}

cop_status cop_moved_print(const cop_store *store, cop_text *text, cop_error *err)
{
    const cop_store_array *const names = cop_store_get(store, "/population/moved/tensor");
    if (names == NULL || names->type != COP_STORE_TEXT || names->rank != 1) return COP_OK;
    const moved_columns columns = find_columns(store, names->shape[0]);
    if (columns.count == 0 || names->shape[0] == 0) return COP_OK;
    moved_line *const lines = cop_memory_alloc((size_t)names->shape[0], sizeof *lines, err);
    if (lines == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < names->shape[0]; i++)
        add_tensor(lines, &count, ((const char *const *)names->data)[i], i, &columns);
    const cop_status status = print_lines(lines, count, &columns, text, err);
    cop_memory_free(lines);
    return status;
}
