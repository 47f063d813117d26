#include "report/races.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A race as the run file holds it. */
typedef struct race {
    char path[96];                 /* its group */
    const cop_store_array *left;   /* [rows] examples after which each left; 0: it stayed */
    const cop_store_array *scores; /* [rows, examples] */
} race;

static bool read_race(const cop_store *store, const char *path, race *found)
{
    static const char name[] = "/left_after";
    const size_t length = strlen(path);
    if (length < strlen(name) || strcmp(path + length - strlen(name), name) != 0) return false;
    char scores[128];
    (void)snprintf(found->path, sizeof found->path, "%.*s", (int)(length - strlen(name)), path);
    (void)snprintf(scores, sizeof scores, "%s/scores", found->path);
    found->left = cop_store_get(store, path);
    found->scores = cop_store_get(store, scores);
    return found->left->type == COP_STORE_I64 && found->left->rank == 1 &&
           found->scores != NULL && found->scores->type == COP_STORE_F32 &&
           found->scores->rank == 2 && found->scores->shape[0] == found->left->shape[0];
}

/* The least number of examples above `above` after which a row left, and of how many rows; 0:
 * none. */
static int64_t next_leave(const race *r, int64_t above, uint64_t *rows)
{
    const int64_t *const left = r->left->data;
    int64_t next = 0;
    *rows = 0;
    for (uint64_t i = 0; i < r->left->shape[0]; i++) {
        if (left[i] > above && (next == 0 || left[i] < next)) next = left[i];
    }
    for (uint64_t i = 0; i < r->left->shape[0]; i++)
        *rows += next > 0 && left[i] == next ? 1 : 0;
    return next;
}

static cop_status print_race(const race *r, cop_text *text, cop_error *err)
{
    const uint64_t answers = r->scores->shape[0] * r->scores->shape[1];
    uint64_t scored = 0;
    for (uint64_t i = 0; i < answers; i++)
        scored += isnan(((const float *)r->scores->data)[i]) ? 0 : 1;
    COP_TRY(cop_text_format(text, err, "  %-32s %llu of %llu answers;", r->path,
                            (unsigned long long)scored, (unsigned long long)answers));
    uint64_t rows = 0;
    uint64_t gone = 0;
    for (int64_t at = next_leave(r, 0, &rows); at > 0; at = next_leave(r, at, &rows)) {
        COP_TRY(cop_text_format(text, err, "%s %llu left after %lld", gone > 0 ? "," : "",
                                (unsigned long long)rows, (long long)at));
        gone += rows;
    }
    return cop_text_format(text, err, "%s %llu of %llu stayed\n", gone > 0 ? "," : "",
                           (unsigned long long)(r->left->shape[0] - gone),
                           (unsigned long long)r->left->shape[0]);
}

cop_status cop_races_print(const cop_store *store, cop_text *text, cop_error *err)
{
    bool first = true;
    for (size_t i = 0; i < cop_store_count(store); i++) {
        race r;
        if (!read_race(store, cop_store_path_at(store, i), &r)) continue;
        if (first) COP_TRY(cop_text_format(text, err, "\n  races\n"));
        first = false;
        COP_TRY(print_race(&r, text, err));
    }
    return COP_OK;
}
