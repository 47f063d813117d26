/* Plurality votes. */
#include "coppice/search/compare.h"

#include "coppice/base/memory.h"

#include <stdbool.h>
#include <stdlib.h>

/* One member's vote on an example. */
typedef struct vote {
    uint64_t answer;
    size_t member;
} vote;

/* Equal answers side by side, the higher rank first among them. */
static int compare_votes(const void *a, const void *b)
{
    const vote *const x = a;
    const vote *const y = b;
    if (x->answer != y->answer) return x->answer < y->answer ? -1 : 1;
    return (x->member > y->member) - (x->member < y->member);
}

static size_t collect(const cop_ballot *ballot, size_t example, vote *votes)
{
    size_t count = 0;
    for (size_t k = 0; k < ballot->members; k++) {
        const uint64_t answer = ballot->answers[k * ballot->examples + example];
        if (answer != COP_VOTE_NO_ANSWER)
            votes[count++] = (vote){.answer = answer, .member = k};
    }
    qsort(votes, count, sizeof *votes, compare_votes);
    return count;
}

/* The winner's votes in votes [count], sorted: where they begin, and how many. */
static size_t find_winner(const vote *votes, size_t count, size_t *support)
{
    size_t best = 0;
    *support = 0;
    for (size_t start = 0; start < count;) {
        size_t end = start + 1;
        while (end < count && votes[end].answer == votes[start].answer)
            end++;
        const bool ahead = votes[start].member < votes[best].member;
        if (end - start > *support || (end - start == *support && ahead)) {
            best = start;
            *support = end - start;
        }
        start = end;
    }
    return best;
}

cop_status cop_vote(const cop_ballot *ballot, size_t *winner, float *score, cop_error *err)
{
    vote *const votes = cop_memory_alloc_raw(ballot->members, sizeof *votes, err);
    if (votes == NULL) return COP_ERR_MEMORY;
    for (size_t m = 0; m < ballot->examples; m++) {
        size_t support;
        const size_t count = collect(ballot, m, votes);
        const size_t first = find_winner(votes, count, &support);
        if (winner != NULL) winner[m] = support == 0 ? ballot->members : votes[first].member;
        if (score == NULL) continue;
        score[m] = ballot->members > 0 ? ballot->scores[m] : 0;
        for (size_t i = first; i < first + support; i++) {
            const float own = ballot->scores[votes[i].member * ballot->examples + m];
            if (i == first || own < score[m]) score[m] = own;
        }
    }
    cop_memory_free(votes);
    return COP_OK;
}
