#include "coppice/log.h"

#include "coppice/memory.h"
#include "coppice/timer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cop_log {
    FILE *file; /* NULL until opened */
    int rank;
    cop_log_level terminal_level;
    void (*hook)(void *context, bool before);
    void *hook_context;
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static const char *name_of(cop_log_level level)
{
    const size_t count = sizeof level_names / sizeof level_names[0];
    return level_names[(size_t)level < count ? (size_t)level : count - 1];
}

cop_status cop_log_create(int rank, cop_log_level terminal_level, cop_log **log, cop_error *err)
{
    *log = cop_memory_alloc(1, sizeof **log, err);
    if (*log == NULL) return COP_ERR_MEMORY;
    (*log)->rank = rank;
    (*log)->terminal_level = terminal_level;
    return COP_OK;
}

cop_status cop_log_open_file(cop_log *log, const char *path, cop_error *err)
{
    FILE *const file = fopen(path, "ae");
    COP_CHECK(file != NULL, err, COP_ERR_IO, "%s: cannot open the log: %s", path,
              strerror(errno));
    if (log->file != NULL) (void)fclose(log->file);
    log->file = file;
    return COP_OK;
}

void cop_log_write(cop_log *log, cop_log_level level, const char *format, ...)
{
    if (log == NULL) return;
    char message[2048] = "";
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *c = message; *c != '\0'; c++) {
        if ((unsigned char)*c < 32 || *c == 127) *c = ' '; /* nothing that a terminal obeys */
    }
    if (log->file != NULL) {
        char now[32];
        cop_timer_utc(now, sizeof now);
        (void)fprintf(log->file, "%s %-7s rank %d  %s\n", now, name_of(level), log->rank,
                      message);
        (void)fflush(log->file);
    }
    if (level >= log->terminal_level) {
        if (log->hook != NULL) log->hook(log->hook_context, true);
        const bool named = level >= COP_LOG_WARN;
        (void)fprintf(stderr, "coppice: %s%s%s\n", named ? name_of(level) : "",
                      named ? ": " : "", message);
        if (log->hook != NULL) log->hook(log->hook_context, false);
    }
}

void cop_log_set_terminal_hook(cop_log *log, void (*hook)(void *context, bool before),
                               void *context)
{
    log->hook = hook;
    log->hook_context = context;
}

void cop_log_destroy(cop_log **log)
{
    if (log == NULL || *log == NULL) return;
    if ((*log)->file != NULL) (void)fclose((*log)->file);
    cop_memory_free(*log);
    *log = NULL;
}
