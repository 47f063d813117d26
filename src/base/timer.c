#include "coppice/base/timer.h"

#include <stdio.h>
#include <time.h>

double cop_timer_now_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void cop_timer_sleep(double seconds)
{
    if (!(seconds > 0)) return;
    seconds = seconds < 1e9 ? seconds : 1e9; /* a time_t has to hold it */
    const struct timespec span = {.tv_sec = (time_t)seconds,
                                  .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&span, NULL);
}

void cop_timer_utc(char *text, size_t size)
{
    const time_t now = time(NULL);
    struct tm parts = {0};
    if (gmtime_r(&now, &parts) == NULL ||
        strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(text, size, "unknown");
    }
}

void cop_timer_format(char *text, size_t size, double seconds)
{
    if (!(seconds < 1e9)) { /* not a number included */
        (void)snprintf(text, size, "?");
        return;
    }
    const long whole = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (whole < 60) {
        (void)snprintf(text, size, "%ld s", whole);
    } else if (whole < 3600) {
        (void)snprintf(text, size, "%ld:%02ld", whole / 60, whole % 60);
    } else {
        (void)snprintf(text, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60,
                       whole % 60);
    }
}
