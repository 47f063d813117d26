#include "sandbox/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024 };

int cop_waits_open(void)
{
    return open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Reads a small file below /proc. */
static bool read_text(int proc, const char *path, char text[TEXT_BYTES])
{
    const int fd = proc >= 0 ? openat(proc, path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return false;
    ssize_t got = 0;
    do
        got = read(fd, text, TEXT_BYTES - 1);
    while (got < 0 && errno == EINTR);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* A descriptor of a process shows its number in the namespace that /proc is of. */
pid_t cop_waits_find(int proc, pid_t child)
{
    const int fd = (int)syscall(SYS_pidfd_open, child, 0U);
    if (fd < 0) return 0;
    char path[64];
    char text[TEXT_BYTES];
    (void)snprintf(path, sizeof path, "self/fdinfo/%d", fd);
    const bool got = read_text(proc, path, text);
    (void)close(fd);
    const char *const line = got ? strstr(text, "\nPid:") : NULL;
    const long number = line != NULL ? strtol(line + strlen("\nPid:"), NULL, 10) : 0;
    return number > 0 ? (pid_t)number : 0;
}

bool cop_waits_add(int proc, pid_t found, double *seconds, bool *runs)
{
    char path[64];
    char text[TEXT_BYTES];
    if (found <= 0) return false;
    /* Nanoseconds on a processor, waiting for one; how often it ran. */
    (void)snprintf(path, sizeof path, "%d/schedstat", (int)found);
    if (!read_text(proc, path, text)) return false;
    char *end = NULL;
    (void)strtoull(text, &end, 10);
    const unsigned long long waited_ns = strtoull(end, &end, 10);
    *seconds += 1e-9 * (double)waited_ns;
    (void)snprintf(path, sizeof path, "%d/stat", (int)found);
    if (!read_text(proc, path, text)) return false;
    const char *const state = strrchr(text, ')');
    *runs = *runs || (state != NULL && strncmp(state, ") R", 3) == 0);
    return true;
}
