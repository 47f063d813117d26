/* Processes that own a claim: who this one is, and whether another one still runs. */
#include "coppice/rundir/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- this process --- */

/* Reads the start of a small file, without the line's end; "" if it cannot be read. */
static void read_line(const char *path, char *text, size_t size)
{
    text[0] = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    const ssize_t length = read(fd, text, size - 1);
    (void)close(fd);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* State and start time of a process: fields 3 and 22 of its stat, counted from behind its
 * name, which may hold anything. */
static bool read_process(int64_t pid, char *state, char start[24])
{
    enum { START_FIELD = 22 };
    char path[64];
    char line[1024];
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    read_line(path, line, sizeof line);
    const char *at = strrchr(line, ')');
    if (at == NULL || at[1] != ' ') return false;
    *state = at[2];
    for (int field = 2; field < START_FIELD && at != NULL; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) return false;
    (void)snprintf(start, 24, "%.*s", (int)strcspn(at + 1, " "), at + 1);
    return true;
}

static void describe_slurm(cop_claim_owner *owner)
{
    const char *const job = getenv("SLURM_JOB_ID");
    const char *const cluster = getenv("SLURM_CLUSTER_NAME");
    const char *const restart = getenv("SLURM_RESTART_COUNT");
    if (job == NULL) return;
    (void)snprintf(owner->slurm_job, sizeof owner->slurm_job, "%s%s%s",
                   cluster != NULL ? cluster : "", cluster != NULL ? "/" : "", job);
    owner->slurm_restart = restart != NULL ? strtoll(restart, NULL, 10) : 0;
}

void cop_claim_describe_self(cop_claim_owner *owner)
{
    char state = '\0';
    *owner = (cop_claim_owner){.pid = getpid()};
    if (gethostname(owner->host, sizeof owner->host - 1) != 0) owner->host[0] = '\0';
    if (!read_process(owner->pid, &state, owner->pid_start)) owner->pid_start[0] = '\0';
    read_line("/proc/sys/kernel/random/boot_id", owner->boot, sizeof owner->boot);
    const ssize_t length =
        readlink("/proc/self/ns/pid", owner->pid_namespace, sizeof owner->pid_namespace - 1);
    owner->pid_namespace[length > 0 ? length : 0] = '\0';
    describe_slurm(owner);
}

/* --- another one --- */

/* A killed process is a zombie while its parent has not looked; but as long as it has other
 * threads, one may still be within a write. */
static bool is_only_thread(int64_t pid)
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%lld/task", (long long)pid);
    DIR *const tasks = opendir(path);
    if (tasks == NULL) return true;
    for (const struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        if (entry->d_name[0] != '.') count++;
    }
    (void)closedir(tasks);
    return count <= 1;
}

static bool is_running(const cop_claim_owner *owner)
{
    char state = '\0';
    char start[24] = "";
    if (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH) return false;
    if (!read_process(owner->pid, &state, start)) return true; /* hidden from us */
    if (strcmp(start, owner->pid_start) != 0) return false;
    return (state != 'Z' && state != 'X') || !is_only_thread(owner->pid);
}

static bool is_same(const char *a, const char *b)
{
    return a[0] != '\0' && strcmp(a, b) == 0;
}

cop_claim_state cop_claim_judge(const cop_claim_record *record, const cop_claim_owner *mine)
{
    const cop_claim_owner *const theirs = &record->owner;
    if (record->released) return COP_CLAIM_RELEASED;
    /* Names of hosts are no proof: containers share a kernel, images share a name. */
    if (is_same(theirs->boot, mine->boot) &&
        is_same(theirs->pid_namespace, mine->pid_namespace) && theirs->pid_start[0] != '\0') {
        return is_running(theirs) ? COP_CLAIM_ALIVE : COP_CLAIM_DEAD;
    }
    /* Slurm starts a job again only after it has ended or been given up. */
    if (is_same(theirs->slurm_job, mine->slurm_job) &&
        theirs->slurm_restart < mine->slurm_restart) {
        return COP_CLAIM_DEAD;
    }
    return COP_CLAIM_UNKNOWN;
}

/* --- the record --- */

cop_status cop_claim_print(const cop_claim_record *record, char bytes[COP_CLAIM_BYTES],
                           cop_error *err)
{
    const cop_claim_owner *const o = &record->owner;
    json_t *const object = json_pack(
        "{s:i, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:f, s:I, s:b}", "coppice_claim", 1,
        "token", record->token, "host", o->host, "pid", (json_int_t)o->pid, "pid_start",
        o->pid_start, "boot", o->boot, "pid_namespace", o->pid_namespace, "slurm_job",
        o->slurm_job, "slurm_restart", (json_int_t)o->slurm_restart, "since", record->since,
        "heartbeat_s", record->heartbeat_s, "beat", (json_int_t)record->beat, "released",
        record->released);
    char *const text =
        object == NULL
            ? NULL
            : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
    json_decref(object);
    COP_CHECK(text != NULL, err, COP_ERR_INTERNAL, "a claim cannot be written as JSON");
    const size_t length = strlen(text);
    const bool fits = length < COP_CLAIM_BYTES;
    if (fits) {
        for (size_t i = 0; i < COP_CLAIM_BYTES; i++)
            bytes[i] = i < length ? text[i] : ' ';
        bytes[COP_CLAIM_BYTES - 1] = '\n';
    }
    free(text);
    COP_CHECK(fits, err, COP_ERR_INTERNAL, "a claim of %zu bytes is too long", length);
    return COP_OK;
}

static bool get_text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *const value = json_string_value(json_object_get(object, key));
    return value != NULL && (size_t)snprintf(text, size, "%s", value) < size;
}

static bool read_record(const json_t *object, cop_claim_record *record)
{
    cop_claim_owner *const o = &record->owner;
    const json_t *const released = json_object_get(object, "released");
    o->pid = json_integer_value(json_object_get(object, "pid"));
    o->slurm_restart = json_integer_value(json_object_get(object, "slurm_restart"));
    record->heartbeat_s = json_number_value(json_object_get(object, "heartbeat_s"));
    record->beat = (uint64_t)json_integer_value(json_object_get(object, "beat"));
    record->released = json_is_true(released);
    return json_is_boolean(released) && o->pid > 0 && record->heartbeat_s > 0 &&
           get_text(object, "token", record->token, sizeof record->token) &&
           get_text(object, "host", o->host, sizeof o->host) &&
           get_text(object, "pid_start", o->pid_start, sizeof o->pid_start) &&
           get_text(object, "boot", o->boot, sizeof o->boot) &&
           get_text(object, "pid_namespace", o->pid_namespace, sizeof o->pid_namespace) &&
           get_text(object, "slurm_job", o->slurm_job, sizeof o->slurm_job) &&
           get_text(object, "since", record->since, sizeof record->since);
}

bool cop_claim_parse(const char *bytes, size_t length, cop_claim_record *record)
{
    *record = (cop_claim_record){0};
    json_t *const object = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL);
    const bool ok = object != NULL && read_record(object, record);
    json_decref(object);
    if (!ok) *record = (cop_claim_record){0};
    return ok;
}
