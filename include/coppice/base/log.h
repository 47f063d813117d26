/** \file log.h
 * Log lines: "time level rank message", to a stream and, once a run directory exists, a file.
 * A clean run is quiet on the terminal: only warnings and errors go to stderr; everything goes
 * to the file.
 */
#ifndef COPPICE_BASE_LOG_H
#define COPPICE_BASE_LOG_H

#include "coppice/base/status.h"

#include <stdbool.h>

typedef enum cop_log_level {
    COP_LOG_DEBUG,
    COP_LOG_INFO,
    COP_LOG_WARN,
    COP_LOG_ERROR
} cop_log_level;

typedef struct cop_log cop_log;

/** A log that writes lines of at least `terminal_level` to stderr. */
cop_status cop_log_create(int rank, cop_log_level terminal_level, cop_log **log,
                          cop_error *err);

/** From now on also appends every line to the file at `path`. */
cop_status cop_log_open_file(cop_log *log, const char *path, cop_error *err);

/** Writes one line; control characters in the message become spaces. A NULL log is silent. */
void cop_log_write(cop_log *log, cop_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Called before and after a line goes to the terminal, so that a progress bar can clear and
 *  redraw itself. */
void cop_log_set_terminal_hook(cop_log *log, void (*hook)(void *context, bool before),
                               void *context);

/** Flushes, closes and frees *log and sets it to NULL; NULL is allowed. */
void cop_log_destroy(cop_log **log);

#endif
