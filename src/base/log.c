#include "coppice/base/log.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cop_log {
    int file;    /* descriptor, -1 until opened */
    size_t lost; /* lines that could not be written */
    bool cut;    /* the last line in the file has no end */
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
    (*log)->file = -1;
    (*log)->terminal_level = terminal_level;
    return COP_OK;
}

cop_status cop_log_open_file(cop_log *log, const char *path, cop_error *err)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    COP_CHECK(file >= 0, err, COP_ERR_IO, "%s: cannot open the log: %s", path, strerror(errno));
    if (log->file >= 0) (void)close(log->file);
    log->file = file;
    return COP_OK;
}

/* A line goes out in one write, so that lines never mix, whoever else appends. */
static bool append(cop_log *log, const char *line, size_t length)
{
    ssize_t wrote = 0;
    do {
        wrote = write(log->file, line, length);
    } while (wrote < 0 && errno == EINTR);
    if (wrote > 0) log->cut = (size_t)wrote < length;
    return wrote == (ssize_t)length;
}

/* While the disk is full lines are lost; the log goes on when there is room again. */
static void append_line(cop_log *log, cop_log_level level, const char *message)
{
    char now[32];
    char line[2304];
    cop_timer_utc(now, sizeof now);
    if (log->cut && !append(log, "\n", 1)) {
        log->lost++;
        return;
    }
    if (log->lost > 0) {
        const int length = snprintf(line, sizeof line,
                                    "%s warning rank %d  %zu lines of this log are lost: they "
                                    "could not be written\n",
                                    now, log->rank, log->lost);
        if (!append(log, line, (size_t)length)) {
            log->lost++;
            return;
        }
        log->lost = 0;
    }
    const int length = snprintf(line, sizeof line, "%s %-7s rank %d  %s\n", now, name_of(level),
                                log->rank, message);
    if (!append(log, line, (size_t)length)) log->lost++;
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
    if (log->file >= 0) append_line(log, level, message);
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
    if ((*log)->file >= 0) (void)close((*log)->file);
    cop_memory_free(*log);
    *log = NULL;
}
