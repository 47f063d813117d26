/** \file progress.h
 * What rank 0 shows while it works: a live line on a terminal, one line per phase.
 */
#ifndef COPPICE_PHASE_PROGRESS_H
#define COPPICE_PHASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** When the live progress line is drawn. */
typedef enum cop_progress_mode {
    COP_PROGRESS_AUTO, /**< where rank 0's output, or its launcher's, is a terminal */
    COP_PROGRESS_ALWAYS,
    COP_PROGRESS_NEVER
} cop_progress_mode;

/** What a search with a budget may spend, and has spent at the end of its last phase. */
typedef struct cop_progress_budget {
    uint64_t answers, tokens; /**< limits; 0: none */
    uint64_t spent_answers, spent_tokens;
} cop_progress_budget;

/** What is shown; all fields are the module's own but `best`, the best mean so far, and
 * `budget`. */
typedef struct cop_progress {
    bool live; /**< draw the live line */
    bool quiet;
    bool drawn;     /**< the live line is on the screen */
    double start_s; /**< of the job */
    char title[32]; /**< of the phase */
    double phase_start_s;
    double drawn_s;  /**< last time the line was drawn */
    size_t total;    /**< units of the phase */
    size_t restored; /**< of these, taken from the run file */
    size_t done;     /**< restored ones included */
    size_t rows;     /**< candidates of the phase */
    size_t row_units;
    uint64_t tokens;     /**< generated in this phase by this run of the program */
    uint64_t all_tokens; /**< ... in all phases */
    size_t all_units;
    double best; /**< best mean so far; not finite: none */
    cop_progress_budget budget;
} cop_progress;

/** Decides whether to draw. */
void cop_progress_start(cop_progress *progress, cop_progress_mode mode, bool quiet);

/** A phase of `rows` candidates begins: `total` units, `restored` of them known. A candidate
 * has `row_units`, or fewer where it left a race. */
void cop_progress_begin(cop_progress *progress, const char *title, size_t total,
                        size_t restored, size_t rows, size_t row_units);

/** The phase goes on: `total` units more, `restored` of them known. */
void cop_progress_extend(cop_progress *progress, size_t total, size_t restored);

/** One unit is done. */
void cop_progress_count(cop_progress *progress, uint64_t tokens);

/** Draws the live line if it is time. */
void cop_progress_draw(cop_progress *progress);

/** Removes the live line; it comes back with the next draw. */
void cop_progress_clear(cop_progress *progress);

/** The phase is over: prints its line with `result` (may be NULL) at its end. */
void cop_progress_end(cop_progress *progress, const char *result);

/** Prints a line for people, above the live line. */
void cop_progress_print(cop_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
