/* A race among the rows of a phase (coppice/search/race.h): stage by stage those leave that are
 * behind the best beyond doubt, and what is left of their examples is never scored. A later
 * start finds the same scores, and so the same leave again. Private to method/. */
#ifndef COP_METHOD_RACE_H
#define COP_METHOD_RACE_H

#include "coppice/method/method.h"
#include "coppice/search/race.h"

/* What a race is about. */
typedef struct cop_race_rules {
    const char *racers;  /* what the rows are, for people: "proposals" */
    size_t stages;       /* 0: no race, all are scored on everything */
    size_t keep;         /* so many stay at least */
    size_t places;       /* who is behind so many leaves; 0 and 1: behind the best */
    cop_measure measure; /* what a score is worth */
    /* With `centre` [examples] a row is worth its gain over it, a loss counting `weight` times
     * (cop_paired_compare()). */
    const float *centre;
    double weight;
} cop_race_rules;

typedef struct cop_phase_race {
    cop_race_rules rules;
    cop_race_plan plan; /* stages 0: there was none */
    cop_race_row *rows; /* [count]; all zero: it ran all of the way */
    size_t count, capacity;
    size_t raced; /* rows that have run, the first ones */
} cop_phase_race;

/* A phase whose units end where the stages of the race do, by its rules. */
cop_status cop_phase_race_create(cop_search *search, const char *path, const char *title,
                                 const size_t *examples, size_t count, cop_phase_race *race,
                                 cop_phase **phase, cop_error *err);

/* Scores what the phase holds: all of it, or by a race that ends with all scores of those who
 * stay. Rows of an earlier call are not raced again, but may lead. */
cop_status cop_phase_race_score(cop_search *search, cop_phase_race *race, cop_phase *phase,
                                cop_error *err);

/* True if a row left the race: its scores are a part, and it takes part in nothing. */
bool cop_phase_race_has_left(const cop_phase_race *race, size_t row);

/* Tells the user what the race saved. */
void cop_phase_race_describe(const cop_phase_race *race, const cop_phase *phase,
                             cop_progress *progress);

/* Who left the race, when and why, beside the phase's scores; nothing where there was none. */
cop_status cop_phase_race_record(const cop_search *search, const cop_phase_race *race,
                                 const cop_phase *phase, cop_error *err);

/* Frees what it owns. */
void cop_phase_race_free(cop_phase_race *race);

#endif
