/* One move of the centre by a scored population. Private to method/. */
#ifndef COP_METHOD_MOVE_H
#define COP_METHOD_MOVE_H

#include "coppice/method/method.h"

/* Where the move is kept. */
typedef struct cop_move {
    const char *path, *title; /* of the proposals' phase */
    const char *gate_path;
    int64_t round; /* as in cop_gate_record */
} cop_move;

/* What the job's operators make of the candidates, in a grid of steps on probe, the best
 * through the gate on validate. If one passes the centre moves, *moved is true and *accepted
 * (NULL: not wanted; cop_direction_free() it) is the direction. CoRP's stage 1 (arXiv
 * 2605.31494) is this around the base. */
cop_status cop_move_run(cop_search *search, const cop_move *move,
                        const cop_candidates *candidates, cop_direction *accepted, bool *moved,
                        cop_error *err);

#endif
