#include "coppice/phase/progress.h"

#include "coppice/base/timer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* mpirun gives its ranks a pseudo-terminal even when its own output goes to a file, so under a
 * launcher it is the launcher's output that counts. */
static bool launcher_has_terminal(void)
{
    char path[64];
    char target[256];
    (void)snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) return false;
    target[length] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

/* One that can take a line back. */
static bool is_terminal(void)
{
    const char *const kind = getenv("TERM");
    if (isatty(STDOUT_FILENO) != 1 || (kind != NULL && strcmp(kind, "dumb") == 0)) return false;
    return getenv("OMPI_COMM_WORLD_SIZE") == NULL || launcher_has_terminal();
}

void cop_progress_start(cop_progress *progress, cop_progress_mode mode, bool quiet)
{
    *progress = (cop_progress){.quiet = quiet, .start_s = cop_timer_now_s(), .best = -INFINITY};
    progress->live =
        !quiet && (mode == COP_PROGRESS_ALWAYS || (mode == COP_PROGRESS_AUTO && is_terminal()));
}

void cop_progress_begin(cop_progress *progress, const char *title, size_t total,
                        size_t restored, size_t rows, size_t row_units)
{
    (void)snprintf(progress->title, sizeof progress->title, "%s", title);
    progress->phase_start_s = cop_timer_now_s();
    progress->total = total;
    progress->restored = restored;
    progress->done = restored;
    progress->rows = rows;
    progress->row_units = row_units;
    progress->tokens = 0;
}

void cop_progress_extend(cop_progress *progress, size_t total, size_t restored)
{
    progress->total += total;
    progress->restored += restored;
    progress->done += restored;
}

void cop_progress_count(cop_progress *progress, uint64_t tokens)
{
    progress->done++;
    progress->all_units++;
    progress->tokens += tokens;
    progress->all_tokens += tokens;
}

/* Of the terminal; the pseudo-terminal of a launcher does not know. */
static size_t count_columns(void)
{
    enum { USUAL = 80 };
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                           : USUAL;
}

enum { BAR = 20, LINE_BYTES = 192 };

static void format_line(const cop_progress *p, double spent_s, bool with_bar,
                        char line[LINE_BYTES])
{
    char bar[BAR + 4] = "";
    char eta[16] = "-";
    char best[32] = "";
    const double rate = spent_s > 0 ? (double)(p->done - p->restored) / spent_s : 0;
    if (rate > 0) cop_timer_format(eta, sizeof eta, (double)(p->total - p->done) / rate);
    if (isfinite(p->best)) (void)snprintf(best, sizeof best, "  best %.3f", p->best);
    if (with_bar) {
        const int filled = (int)(p->done * BAR / p->total);
        (void)snprintf(bar, sizeof bar, "[%.*s%.*s] ", filled, "####################",
                       BAR - filled, "....................");
    }
    (void)snprintf(line, LINE_BYTES, "%-16s %s%zu/%zu  %.1f cand/s  %.0f tok/s  ETA %s%s",
                   p->title, bar, p->done / p->row_units, p->total / p->row_units,
                   rate / (double)p->row_units, spent_s > 0 ? (double)p->tokens / spent_s : 0,
                   eta, best);
}

/* A line that is wrapped cannot be taken back, so a narrow terminal gets a shorter one. */
void cop_progress_draw(cop_progress *progress)
{
    const double now_s = cop_timer_now_s();
    if (!progress->live || now_s - progress->drawn_s < 0.2 || progress->total == 0) return;
    progress->drawn_s = now_s;
    const size_t columns = count_columns();
    char line[LINE_BYTES];
    format_line(progress, now_s - progress->phase_start_s, true, line);
    if (strlen(line) >= columns)
        format_line(progress, now_s - progress->phase_start_s, false, line);
    (void)printf("\r\033[K%.*s", (int)columns - 1, line);
    (void)fflush(stdout);
    progress->drawn = true;
}

void cop_progress_clear(cop_progress *progress)
{
    if (!progress->drawn) return;
    (void)printf("\r\033[K");
    (void)fflush(stdout);
    progress->drawn = false;
    progress->drawn_s = 0;
}

void cop_progress_end(cop_progress *progress, const char *result)
{
    char spent[16];
    char rates[64] = "from the run file";
    const double spent_s = cop_timer_now_s() - progress->phase_start_s;
    const size_t fresh = progress->done - progress->restored;
    cop_timer_format(spent, sizeof spent, spent_s);
    if (fresh > 0 && spent_s > 0) {
        (void)snprintf(rates, sizeof rates, "%6.1f cand/s %8.0f tok/s",
                       (double)fresh / (double)progress->row_units / spent_s,
                       (double)progress->tokens / spent_s);
    }
    cop_progress_print(progress, "%-22s %4zu candidates %8s  %-29s %s", progress->title,
                       progress->rows, spent, rates, result != NULL ? result : "");
}

void cop_progress_print(cop_progress *progress, const char *format, ...)
{
    if (progress->quiet) return;
    cop_progress_clear(progress);
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
    (void)fflush(stdout);
}
