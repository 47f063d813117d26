#include "base/memory_limits.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PATH = 4096, MOST_FILE = MOST_PATH + 64 };

/* Names that the two versions of control groups have for the same things. */
typedef struct group_version {
    const char *mount;
    const char *limit, *usage;
    const char *inactive, *active; /* lines of memory.stat: page cache */
} group_version;

static const group_version version1 = {.mount = "/sys/fs/cgroup/memory",
                                       .limit = "memory.limit_in_bytes",
                                       .usage = "memory.usage_in_bytes",
                                       .inactive = "total_inactive_file",
                                       .active = "total_active_file"};
static const group_version version2 = {.mount = "/sys/fs/cgroup",
                                       .limit = "memory.max",
                                       .usage = "memory.current",
                                       .inactive = "inactive_file",
                                       .active = "active_file"};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A group being looked at. */
typedef struct group {
    const char *root;
    const group_version *version;
    char path[MOST_PATH]; /* below the mount; "" for its root */
} group;

static FILE *open_file(const group *at, const char *name)
{
    char path[2 * MOST_FILE];
    const int length =
        snprintf(path, sizeof path, "%s%s%s/%s", at->root, at->version->mount, at->path, name);
    return length < 0 || (size_t)length >= sizeof path ? NULL : fopen(path, "re");
}

/* The number in a file of one line; UINT64_MAX where there is none or it says "max". */
static uint64_t read_number(const group *at, const char *name)
{
    FILE *const file = open_file(at, name);
    if (file == NULL) return UINT64_MAX;
    unsigned long long value = 0;
    const int got = fscanf(file, "%llu", &value);
    (void)fclose(file);
    return got == 1 ? value : UINT64_MAX;
}

/* Page cache that is charged to the group. The kernel drops it before it runs out of memory, so
 * it is not in the way: files read earlier must not make a plan look too large. */
static uint64_t read_cache(const group *at)
{
    FILE *const file = open_file(at, "memory.stat");
    if (file == NULL) return 0;
    uint64_t cache = 0;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        char name[64];
        unsigned long long value = 0;
        if (sscanf(line, "%63s %llu", name, &value) != 2) continue;
        if (strcmp(name, at->version->inactive) == 0 ||
            strcmp(name, at->version->active) == 0) {
            cache += value;
        }
    }
    (void)fclose(file);
    return cache;
}

/* What a group leaves: its limit less what it uses. */
static uint64_t group_available(const group *at)
{
    const uint64_t limit = read_number(at, at->version->limit);
    const uint64_t usage = read_number(at, at->version->usage);
    if (limit == UINT64_MAX || usage == UINT64_MAX) return UINT64_MAX;
    const uint64_t cache = read_cache(at);
    const uint64_t held = usage > cache ? usage - cache : 0;
    return limit > held ? limit - held : 0;
}

/* Visits a group and all its parents. Within a container the group's path may not exist; the
 * mount's root is then its own group. */
static uint64_t chain_available(group *at)
{
    uint64_t available = UINT64_MAX;
    for (;;) {
        available = least(available, group_available(at));
        if (at->path[0] == '\0') return available;
        char *const slash = strrchr(at->path, '/');
        if (slash == NULL) return available;
        *slash = '\0';
    }
}

/* True if `word` is in the comma-separated list. */
static bool is_listed(const char *word, const char *list)
{
    const size_t length = strlen(word);
    for (;;) {
        const size_t end = strcspn(list, ",");
        if (end == length && strncmp(list, word, length) == 0) return true;
        if (list[end] == '\0') return false;
        list += end + 1;
    }
}

/* What the group of a line "number:controllers:path" leaves. */
static uint64_t line_available(const char *root, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *const controllers = strchr(line, ':');
    char *const path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL) return UINT64_MAX;
    *path = '\0';
    group at = {.root = root};
    if (controllers[1] == '\0') {
        at.version = &version2;
    } else if (is_listed("memory", controllers + 1)) {
        at.version = &version1;
    } else {
        return UINT64_MAX;
    }
    (void)snprintf(at.path, sizeof at.path, "%s", path + 1);
    return chain_available(&at);
}

static uint64_t groups_available(const char *root)
{
    char text[MOST_FILE];
    (void)snprintf(text, sizeof text, "%s/proc/self/cgroup", root);
    FILE *const file = fopen(text, "re");
    if (file == NULL) return UINT64_MAX;
    uint64_t available = UINT64_MAX;
    while (fgets(text, sizeof text, file) != NULL) {
        available = least(available, line_available(root, text));
    }
    (void)fclose(file);
    return available;
}

static uint64_t machine_available(const char *root)
{
    char text[MOST_FILE];
    (void)snprintf(text, sizeof text, "%s/proc/meminfo", root);
    FILE *const file = fopen(text, "re");
    if (file == NULL) return UINT64_MAX;
    uint64_t available = UINT64_MAX;
    while (fgets(text, sizeof text, file) != NULL) {
        unsigned long long kib = 0;
        if (sscanf(text, "MemAvailable: %llu kB", &kib) == 1) available = kib * 1024;
    }
    (void)fclose(file);
    return available;
}

uint64_t cop_memory_limits_read(const char *root)
{
    const uint64_t available = least(machine_available(root), groups_available(root));
    return available == UINT64_MAX ? 0 : available;
}
