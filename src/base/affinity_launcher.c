#include "base/affinity_launcher.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PROCESSORS = 8192, WORDS = MOST_PROCESSORS / 64, MOST_ANCESTORS = 16 };

/* What /proc/PID/status says that matters here. */
typedef struct process {
    char name[64];
    char list[COP_AFFINITY_LIST_BYTES]; /* of the processors that it may use */
    long parent;                        /* 0: none */
} process;

static bool read_process(const char *root, const char *pid, process *p)
{
    char text[1024];
    *p = (process){0};
    (void)snprintf(text, sizeof text, "%s/proc/%s/status", root, pid);
    FILE *const file = fopen(text, "re");
    if (file == NULL) return false;
    while (fgets(text, sizeof text, file) != NULL) {
        if (sscanf(text, "Name:\t%63[^\n]", p->name) == 1) continue;
        if (sscanf(text, "PPid:\t%ld", &p->parent) == 1) continue;
        (void)sscanf(text, "Cpus_allowed_list:\t%511[0-9,-]", p->list);
    }
    (void)fclose(file);
    return p->list[0] != '\0';
}

/* Sets the bits of a list like "0-3,8"; false where it has none that there can be. */
static bool parse_list(const char *list, uint64_t set[WORDS])
{
    memset(set, 0, WORDS * sizeof *set);
    for (const char *at = list; *at != '\0';) {
        char *end = NULL;
        const unsigned long first = strtoul(at, &end, 10);
        if (end == at) return false;
        unsigned long last = first;
        if (*end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
            if (end == at) return false;
        }
        if (last < first || last >= MOST_PROCESSORS) return false;
        for (unsigned long i = first; i <= last; i++)
            set[i / 64] |= UINT64_C(1) << i % 64;
        at = *end == ',' ? end + 1 : end;
    }
    return list[0] != '\0';
}

static bool is_within(const uint64_t inner[WORDS], const uint64_t outer[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) {
        if ((inner[i] & ~outer[i]) != 0) return false;
    }
    return true;
}

bool cop_affinity_find_widened(const char *root, cop_affinity_widened *found)
{
    process p;
    uint64_t mine[WORDS];
    uint64_t theirs[WORDS];
    if (!read_process(root, "self", &p) || !parse_list(p.list, mine)) return false;
    (void)snprintf(found->mine, sizeof found->mine, "%s", p.list);
    for (int i = 0; i < MOST_ANCESTORS && p.parent > 0; i++) {
        char pid[24];
        (void)snprintf(pid, sizeof pid, "%ld", p.parent);
        if (!read_process(root, pid, &p) || !parse_list(p.list, theirs)) return false;
        if (is_within(mine, theirs)) continue;
        (void)snprintf(found->launcher, sizeof found->launcher, "%s", p.name);
        (void)snprintf(found->allowed, sizeof found->allowed, "%s", p.list);
        return true;
    }
    return false;
}
