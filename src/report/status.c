/* How a run is doing, told from outside: status.json and the claim, otherwise the run file. */
#include "coppice/report/report.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/rundir/claim.h"
#include "coppice/store/store.h"
#include "report/spending.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is found in a run directory. */
typedef struct finding {
    char *directory;
    json_t *status; /* of status.json, NULL: none */
    uint64_t claim; /* number, 0: none */
    cop_claim_record record;
    bool readable;             /* the record */
    const char *owner;         /* alive, dead, silent, gone; none */
    const char *state;         /* see find_state() */
    bool has_file, file_ended; /* the run file */
} finding;

/* The directory of a run directory or file. */
static char *directory_of(const char *path, cop_error *err)
{
    struct stat info;
    const char *const slash = strrchr(path, '/');
    if (stat(path, &info) != 0 || S_ISDIR(info.st_mode))
        return cop_memory_copy_string(path, strlen(path), err);
    if (slash == NULL) return cop_memory_copy_string(".", 1, err);
    return cop_memory_copy_string(path, slash == path ? 1 : (size_t)(slash - path), err);
}

/* --- looking --- */

/* An owner on another machine: does its heartbeat go on? By this process's own clock. */
static cop_status watch_heartbeat(finding *f, cop_error *err)
{
    static const double beats = 2.5;
    static const double pause_s = 0.1;
    const uint64_t number = f->claim;
    const uint64_t beat = f->record.beat;
    const double end_s = cop_timer_now_s() + beats * f->record.heartbeat_s;
    f->owner = "silent";
    while (cop_timer_now_s() < end_s) {
        cop_timer_sleep(pause_s);
        COP_TRY(cop_claim_read(f->directory, &f->claim, &f->record, &f->readable, err));
        if (!f->readable) continue;
        if (f->record.released) {
            f->owner = "gone";
            return COP_OK;
        }
        if (f->claim != number || f->record.beat != beat) {
            f->owner = "alive";
            return COP_OK;
        }
    }
    return COP_OK;
}

static cop_status look_at_claim(finding *f, cop_error *err)
{
    cop_claim_owner mine;
    cop_claim_describe_self(&mine);
    f->owner = "none";
    COP_TRY(cop_claim_read(f->directory, &f->claim, &f->record, &f->readable, err));
    if (f->claim == 0) return COP_OK;
    f->owner = "unknown";
    if (!f->readable) return COP_OK;
    switch (cop_claim_judge(&f->record, &mine)) {
    case COP_CLAIM_RELEASED:
        f->owner = "gone";
        return COP_OK;
    case COP_CLAIM_DEAD:
        f->owner = "dead";
        return COP_OK;
    case COP_CLAIM_ALIVE:
        f->owner = "alive";
        return COP_OK;
    case COP_CLAIM_UNKNOWN:
        break;
    }
    return watch_heartbeat(f, err);
}

static cop_status read_status(finding *f, cop_error *err)
{
    enum { MOST_BYTES = 1 << 20 };
    char *const path = cop_text_join_path(f->directory, "status.json", err);
    if (path == NULL) return COP_ERR_MEMORY;
    cop_text text = {0};
    if (cop_text_read_file(&text, path, MOST_BYTES, NULL) == COP_OK && text.data != NULL) {
        f->status = json_loadb(text.data, text.length, 0, NULL);
    }
    cop_text_free(&text);
    cop_memory_free(path);
    return COP_OK;
}

static cop_status look_at_file(finding *f, cop_error *err)
{
    char *const path = cop_text_join_path(f->directory, "run.h5", err);
    if (path == NULL) return COP_ERR_MEMORY;
    cop_store *store = NULL;
    bool previous = false;
    const cop_status status = cop_store_read_latest(path, &store, &previous, NULL, err);
    f->has_file = store != NULL;
    f->file_ended = store != NULL && cop_store_get(store, "/final/recipe") != NULL;
    cop_store_destroy(&store);
    cop_memory_free(path);
    return status;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *const text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The status is of the claim's owner, not of a start before it. */
static bool is_current(const finding *f)
{
    const json_int_t claim = json_integer_value(json_object_get(f->status, "claim"));
    return f->claim == 0 || (uint64_t)claim == f->claim;
}

/* The run is done, and the last start was of another job, model or data and left it as it was.
 */
static bool was_refused(const finding *f)
{
    return f->file_ended && is_current(f) &&
           json_integer_value(json_object_get(f->status, "exit_code")) ==
               cop_status_exit_code(COP_ERR_MISMATCH) &&
           json_integer_value(json_object_get(f->status, "units_this_start")) == 0;
}

/* starting, running: its owner lives. silent: its owner cannot be seen to live. stopped: it has
 * died or was killed. done, interrupted, failed: as it said itself. */
static void find_state(finding *f)
{
    const bool alive = strcmp(f->owner, "alive") == 0;
    const char *const said = text_of(f->status, "state");
    if (alive) {
        f->state = f->status != NULL && is_current(f) ? "running" : "starting";
    } else if (strcmp(f->owner, "silent") == 0 || strcmp(f->owner, "unknown") == 0) {
        f->state = "silent";
    } else if (f->status != NULL && is_current(f) && said[0] != '\0' &&
               strcmp(said, "running") != 0 && !was_refused(f)) {
        f->state = said;
    } else {
        f->state = f->file_ended ? "done" : "stopped";
    }
}

static cop_status look(finding *f, cop_error *err)
{
    struct stat info;
    COP_CHECK(stat(f->directory, &info) == 0 && S_ISDIR(info.st_mode), err, COP_ERR_FORMAT,
              "%s: there is no run directory", f->directory);
    COP_TRY(look_at_claim(f, err));
    COP_TRY(read_status(f, err));
    if (strcmp(f->owner, "alive") != 0) COP_TRY(look_at_file(f, err));
    COP_CHECK(f->claim > 0 || f->status != NULL || f->has_file, err, COP_ERR_FORMAT,
              "%s: there is no run in this directory", f->directory);
    find_state(f);
    return COP_OK;
}

/* --- telling --- */

static cop_status print_json(const finding *f, cop_text *text, cop_error *err)
{
    json_t *const object = f->status != NULL ? json_deep_copy(f->status) : json_object();
    const cop_claim_owner *const o = &f->record.owner;
    (void)json_object_set_new(object, "state", json_string(f->state));
    (void)json_object_set_new(object, "owner", json_string(f->owner));
    (void)json_object_set_new(
        object, "claimed_by",
        f->readable ? json_pack("{s:s, s:I, s:s, s:I, s:s, s:f}", "host", o->host, "pid",
                                (json_int_t)o->pid, "slurm_job", o->slurm_job, "slurm_restart",
                                (json_int_t)o->slurm_restart, "since", f->record.since,
                                "heartbeat_s", f->record.heartbeat_s)
                    : json_null());
    char *const dump =
        object == NULL
            ? NULL
            : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
    json_decref(object);
    COP_CHECK(dump != NULL, err, COP_ERR_MEMORY, "no memory for a status");
    const cop_status status = cop_text_format(text, err, "%s\n", dump);
    free(dump);
    return status;
}

static double real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static cop_status print_phase(const finding *f, cop_text *text, cop_error *err)
{
    const json_t *const phase = json_object_get(f->status, "phase");
    const bool running = strcmp(f->state, "running") == 0;
    if (text_of(phase, "name")[0] == '\0') return COP_OK;
    COP_TRY(cop_text_format(text, err, "  phase       %s: %.0f of %.0f candidates",
                            text_of(phase, "name"), real_of(phase, "candidates_done"),
                            real_of(phase, "candidates")));
    if (running && json_is_number(json_object_get(phase, "eta_s"))) {
        char eta[16];
        cop_timer_format(eta, sizeof eta, real_of(phase, "eta_s"));
        COP_TRY(cop_text_format(text, err, ", %.1f a second, %.0f tokens/s, ETA %s",
                                real_of(phase, "candidates_per_s"),
                                real_of(phase, "tokens_per_s"), eta));
    }
    COP_TRY(cop_text_append(text, "\n", 1, err));
    if (!json_is_number(json_object_get(phase, "best"))) return COP_OK;
    return cop_text_format(text, err, "  best        %.3f in this phase\n",
                           real_of(phase, "best"));
}

static uint64_t whole_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key)); /* 0 of null */
}

static cop_status print_budget(const finding *f, cop_text *text, cop_error *err)
{
    const json_t *const budget = json_object_get(f->status, "budget");
    if (budget == NULL) return COP_OK;
    COP_TRY(cop_text_format(text, err, "  budget      "));
    COP_TRY(cop_spending_describe(whole_of(budget, "answers"),
                                  whole_of(budget, "spent_answers"), whole_of(budget, "tokens"),
                                  whole_of(budget, "spent_tokens"), text, err));
    return cop_text_format(text, err, " spent by finished phases\n");
}

static cop_status print_checkpoint(const finding *f, cop_text *text, cop_error *err)
{
    const json_t *const checkpoint = json_object_get(f->status, "checkpoint");
    const double failed = real_of(checkpoint, "failed_attempts");
    char age[16];
    if (checkpoint == NULL || strcmp(f->state, "done") == 0) return COP_OK;
    if (json_is_number(json_object_get(checkpoint, "age_s"))) {
        cop_timer_format(age, sizeof age, real_of(checkpoint, "age_s"));
        COP_TRY(cop_text_format(text, err, "  checkpoint  %s old, %.0f units newer", age,
                                real_of(checkpoint, "unsaved_units")));
        if (strcmp(f->state, "running") != 0) /* nobody has written how old it is by now */
            COP_TRY(cop_text_format(text, err, " at %s", text_of(f->status, "written")));
    } else {
        COP_TRY(cop_text_format(text, err, "  checkpoint  none in this start yet"));
    }
    if (failed > 0)
        COP_TRY(cop_text_format(text, err, "; %.0f attempts to write have failed", failed));
    return cop_text_append(text, "\n", 1, err);
}

static cop_status print_owner(const finding *f, cop_text *text, cop_error *err)
{
    static const struct {
        const char *owner, *words;
    } meanings[] = {{"alive", "alive"},
                    {"dead", "dead"},
                    {"silent", "gives no sign of life"},
                    {"gone", "has given the directory back"}};
    const cop_claim_owner *const o = &f->record.owner;
    const char *words = "cannot be told";
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(f->owner, meanings[i].owner) == 0) words = meanings[i].words;
    }
    if (!f->readable) return COP_OK;
    return cop_text_format(text, err, "  owner       host %s, pid %lld%s%s, since %s: %s\n",
                           o->host, (long long)o->pid,
                           o->slurm_job[0] != '\0' ? ", Slurm job " : "", o->slurm_job,
                           f->record.since, words);
}

static cop_status print_page(const finding *f, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "%s: %s", f->directory, f->state));
    if (strcmp(f->state, "stopped") == 0 || strcmp(f->state, "interrupted") == 0) {
        COP_TRY(cop_text_format(text, err, "; run the same command again to go on"));
    }
    COP_TRY(cop_text_append(text, "\n", 1, err));
    const bool failed = strcmp(f->state, "failed") == 0;
    if (failed || was_refused(f)) {
        COP_TRY(cop_text_format(
            text, err, "  %s %.0f: %s\n", failed ? "exit code  " : "last start: exit code",
            real_of(f->status, "exit_code"), text_of(f->status, "message")));
    }
    if (f->status != NULL && strcmp(f->state, "starting") != 0) {
        COP_TRY(print_phase(f, text, err));
        COP_TRY(print_budget(f, text, err));
        COP_TRY(print_checkpoint(f, text, err));
        const double threads = real_of(f->status, "threads_per_rank");
        COP_TRY(
            cop_text_format(text, err,
                            "  ranks       %.0f on %.0f node%s, %.0f thread%s each, started "
                            "%s\n",
                            real_of(f->status, "ranks"), real_of(f->status, "nodes"),
                            real_of(f->status, "nodes") > 1 ? "s" : "", threads,
                            threads > 1 ? "s" : "", text_of(f->status, "started")));
    }
    return print_owner(f, text, err);
}

cop_status cop_run_status(const char *path, bool json, cop_text *text, bool *running,
                          cop_error *err)
{
    finding f = {.directory = directory_of(path, err), .owner = "none", .state = "stopped"};
    if (f.directory == NULL) return COP_ERR_MEMORY;
    cop_status status = look(&f, err);
    if (status == COP_OK) status = json ? print_json(&f, text, err) : print_page(&f, text, err);
    if (status == COP_OK && running != NULL) {
        *running = strcmp(f.state, "running") == 0 || strcmp(f.state, "starting") == 0;
    }
    json_decref(f.status);
    cop_memory_free(f.directory);
    return status;
}
