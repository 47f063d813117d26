/* CoRP (arXiv 2605.31494): the population is merged around the base in one gated move, and the
 * accepted model is recentred in gated rounds of local search. */
#include "method/methods.h"
#include "method/move.h"
#include "method/recenter.h"

cop_status cop_corp_run(cop_search *search, const cop_candidates *population, bool *improved,
                        cop_error *err)
{
    static const cop_move move = {
        .path = "/stage1", .title = "stage 1", .gate_path = "/gate/stage1", .round = 0};
    cop_direction accepted = {0};
    COP_TRY(cop_move_run(search, &move, population, &accepted, improved, err));
    const cop_status status =
        *improved ? cop_recenter_run(search, population, &accepted, err) : COP_OK;
    cop_direction_free(&accepted);
    return status;
}
