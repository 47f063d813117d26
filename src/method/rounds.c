/* Small populations in a row: the centre moves after each whose best proposal passes the gate,
 * and where none does the next population is drawn closer. */
#include "method/methods.h"
#include "method/move.h"

#include <stdio.h>

/* The candidates of round k > 0, scored around the centre. */
static cop_status score_round(cop_search *search, size_t round, double shrink,
                              cop_candidates *candidates, cop_error *err)
{
    const size_t size = (size_t)search->job->population.size;
    const cop_round wanted = cop_round_of_later(search->method, search->job);
    char path[64];
    char title[32];
    (void)snprintf(path, sizeof path, "/rounds/round_%zu/population", round + 1);
    (void)snprintf(title, sizeof title, "round %zu", round + 1);
    COP_TRY(cop_candidates_draw(search, round * size, size, shrink, candidates, err));
    return cop_candidates_score(search, candidates, &wanted, path, title, err);
}

static cop_status move_centre(cop_search *search, size_t round,
                              const cop_candidates *candidates, bool *moved, cop_error *err)
{
    char path[64];
    char title[32];
    char gate[64];
    (void)snprintf(path, sizeof path, "/rounds/round_%zu/steps", round + 1);
    (void)snprintf(title, sizeof title, "round %zu steps", round + 1);
    (void)snprintf(gate, sizeof gate, "/gate/rounds_%zu", round + 1);
    const cop_move move = {
        .path = path, .title = title, .gate_path = gate, .round = (int64_t)round + 1};
    *moved = false;
    if (candidates->usable == 0) return COP_OK;
    return cop_move_run(search, &move, candidates, NULL, moved, err);
}

cop_status cop_rounds_run(cop_search *search, const cop_candidates *population, bool *improved,
                          cop_error *err)
{
    const cop_job *const job = search->job;
    double shrink = 1;
    int64_t rejects = 0; /* in a row */
    *improved = false;
    for (size_t round = 0; round < (size_t)job->rounds.count; round++) {
        cop_candidates drawn = {0};
        bool moved = false;
        cop_status status = COP_OK;
        if (round > 0) status = score_round(search, round, shrink, &drawn, err);
        const cop_candidates *const candidates = round == 0 ? population : &drawn;
        const bool is_made = status == COP_OK && candidates->count > 0;
        if (is_made) status = move_centre(search, round, candidates, &moved, err);
        cop_candidates_free(&drawn);
        COP_TRY(status);
        if (!is_made) break; /* the budget has no room for it */
        *improved = *improved || moved;
        rejects = moved ? 0 : rejects + 1;
        if (!moved) shrink *= job->rounds.shrink;
        if (rejects >= job->rounds.patience) break;
    }
    return COP_OK;
}
