/* Which directions are tried: all, or as many as the budget leaves room for. Operators list
 * theirs along grids, so of a few the spread is best where their numbers are far apart; in the
 * order of reversed bits every beginning is. */
#include "method/proposals.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

/* 0 .. count - 1 in the order of their bits reversed: 0, 4, 2, 6, 1, ... of eight. */
static void spread(size_t *sequence, size_t count)
{
    size_t span = 1;
    size_t n = 0;
    while (span < count)
        span *= 2;
    for (size_t i = 0; i < span; i++) {
        size_t reversed = 0;
        for (size_t bit = 1; bit < span; bit *= 2)
            reversed = reversed * 2 + (i & bit ? 1 : 0);
        if (reversed < count) sequence[n++] = reversed;
    }
}

cop_status cop_proposals_choose(const cop_search *search, const cop_round *round,
                                cop_proposals *proposals, size_t *more, cop_error *err)
{
    const size_t count = proposals->direction_count;
    *more =
        cop_round_directions(round, cop_budget_left(&search->budget), count, proposals->tried);
    if (proposals->sequence == NULL) {
        proposals->sequence = cop_memory_alloc(count, sizeof *proposals->sequence, err);
        if (proposals->sequence == NULL) return COP_ERR_MEMORY;
        for (size_t i = 0; i < count; i++)
            proposals->sequence[i] = i;
        if (*more < count) spread(proposals->sequence, count);
    }
    proposals->tried += *more;
    return COP_OK;
}

cop_status cop_proposals_close(cop_search *search, const cop_round *round,
                               const cop_proposals *proposals, const cop_phase *phase,
                               uint64_t left, size_t *tries, cop_error *err)
{
    const uint64_t after = cop_budget_left(&search->budget);
    const size_t whole = cop_proposals_count_left(proposals, round->tries);
    /* Guards may have one proposal tried with several steps. */
    const size_t wanted = search->in_turn && whole > 0 ? round->tries : whole;
    const size_t room = cop_round_tries(round, after);
    *tries = room < wanted ? room : wanted;
    COP_TRY(cop_search_note_step(search, phase->path, "directions", proposals->direction_count,
                                 proposals->tried, left, err));
    return cop_search_note_step(search, phase->path, "tries at the gate", wanted, *tries, after,
                                err);
}
