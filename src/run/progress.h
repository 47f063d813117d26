/* What rank 0 shows while it works: a live line on a terminal, one line per phase. Private to
 * run/. */
#ifndef COP_RUN_PROGRESS_H
#define COP_RUN_PROGRESS_H

#include "coppice/run/run.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cop_progress {
    bool live; /* draw the live line */
    bool quiet;
    bool drawn;     /* the live line is on the screen */
    double start_s; /* of the job */
    char title[32]; /* of the phase */
    double phase_start_s;
    double drawn_s;  /* last time the line was drawn */
    size_t total;    /* units of the phase */
    size_t restored; /* of these, taken from the run file */
    size_t done;     /* restored ones included */
    size_t units_per_row;
    uint64_t tokens;     /* generated in this phase by this run of the program */
    uint64_t all_tokens; /* ... in all phases */
    size_t all_units;
    double best; /* best mean so far, negative: none */
} cop_progress;

/* Decides whether to draw. */
void cop_progress_start(cop_progress *progress, const cop_run_options *options);

/* A phase begins: `total` units, `restored` of them known. */
void cop_progress_begin(cop_progress *progress, const char *title, size_t total,
                        size_t restored, size_t units_per_row);

/* One unit is done. */
void cop_progress_count(cop_progress *progress, uint64_t tokens);

/* Draws the live line if it is time. */
void cop_progress_draw(cop_progress *progress);

/* Removes the live line; it comes back with the next draw. */
void cop_progress_clear(cop_progress *progress);

/* The phase is over: prints its line with `result` (may be NULL) at its end. */
void cop_progress_end(cop_progress *progress, const char *result);

/* Prints a line for people, above the live line. */
void cop_progress_print(cop_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
