#include "coppice/rundir/keeper.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/base/thread.h"
#include "coppice/base/timer.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two writes of status.json. */
static const double status_interval_s = 2;

struct cop_keeper {
    cop_claim *claim;
    char *job;
    char started[24];
    int64_t ranks, nodes, threads;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* on the monotonic clock */
    bool stopping;       /* under the mutex, as all below */
    cop_keeper_view view;
    cop_error trouble; /* not yet taken */
};

/* --- status.json --- */

static json_t *phase_json(const cop_keeper_view *view)
{
    const cop_progress *const p = &view->progress;
    const size_t width = p->row_units > 0 ? p->row_units : 1;
    const double spent_s = cop_timer_now_s() - p->phase_start_s;
    const size_t fresh = p->done - p->restored;
    const double rate = p->total > 0 && spent_s > 0 ? (double)fresh / spent_s : 0;
    json_t *const eta = rate > 0 ? json_real((double)(p->total - p->done) / rate) : json_null();
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o}", "name", p->title,
                     "candidates_done", (json_int_t)(p->done / width), "candidates",
                     (json_int_t)(p->total / width), "units_done", (json_int_t)p->done, "units",
                     (json_int_t)p->total, "candidates_per_s", rate / (double)width,
                     "tokens_per_s", spent_s > 0 ? (double)p->tokens / spent_s : 0, "eta_s",
                     eta, "best", isfinite(p->best) ? json_real(p->best) : json_null());
}

static json_t *checkpoint_json(const cop_keeper_view *view)
{
    json_t *const age =
        view->saved_s >= 0 ? json_real(cop_timer_now_s() - view->saved_s) : json_null();
    return json_pack("{s:o, s:I, s:I}", "age_s", age, "unsaved_units",
                     (json_int_t)(view->progress.all_units - view->saved_units),
                     "failed_attempts", (json_int_t)view->failed_saves);
}

static json_t *budget_json(const cop_progress_budget *b)
{
    json_t *const answers = b->answers > 0 ? json_integer((json_int_t)b->answers) : json_null();
    json_t *const tokens = b->tokens > 0 ? json_integer((json_int_t)b->tokens) : json_null();
    return json_pack("{s:o, s:o, s:I, s:I}", "answers", answers, "tokens", tokens,
                     "spent_answers", (json_int_t)b->spent_answers, "spent_tokens",
                     (json_int_t)b->spent_tokens);
}

static json_t *status_json(const cop_keeper *k, const cop_keeper_view *view, const char *state)
{
    const cop_claim_record *const claim = cop_claim_get(k->claim);
    char now[24];
    cop_timer_utc(now, sizeof now);
    json_t *const object = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:s, s:I, s:I, s:o, s:o}",
        "coppice_status", 1, "state", state, "version", cop_build_version(), "job", k->job,
        "started", k->started, "written", now, "ranks", (json_int_t)k->ranks, "nodes",
        (json_int_t)k->nodes, "threads_per_rank", (json_int_t)k->threads, "host",
        claim->owner.host, "pid", (json_int_t)claim->owner.pid, "slurm_job",
        claim->owner.slurm_job, "claim", (json_int_t)cop_claim_number(k->claim),
        "units_this_start", (json_int_t)view->progress.all_units, "phase", phase_json(view),
        "checkpoint", checkpoint_json(view));
    const cop_progress_budget *const budget = &view->progress.budget;
    if (object != NULL && (budget->answers > 0 || budget->tokens > 0))
        (void)json_object_set_new(object, "budget", budget_json(budget));
    return object;
}

static cop_status write_json(const cop_keeper *k, json_t *object, bool last, cop_error *err)
{
    char *const text =
        object == NULL
            ? NULL
            : json_dumps(object, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
    json_decref(object);
    COP_CHECK(text != NULL, err, COP_ERR_MEMORY, "no memory for status.json");
    char directory[COP_CLAIM_PATH_BYTES];
    cop_claim_locate(k->claim, directory); /* it may have been moved */
    char *const path = cop_text_join_path(directory, "status.json", err);
    cop_text line = {0};
    cop_status status =
        path == NULL ? COP_ERR_MEMORY : cop_text_format(&line, err, "%s\n", text);
    free(text);
    if (status == COP_OK) {
        status = (last ? cop_text_write_file : cop_text_replace_file)(path, line.data,
                                                                      line.length, err);
    }
    cop_text_free(&line);
    cop_memory_free(path);
    return status;
}

/* --- the thread --- */

static void note_trouble(cop_keeper *k, const cop_error *why)
{
    (void)pthread_mutex_lock(&k->mutex);
    k->trouble = *why;
    (void)pthread_mutex_unlock(&k->mutex);
}

static cop_status do_turn(cop_keeper *k, const cop_keeper_view *view, bool beat, cop_error *err)
{
    if (beat) COP_TRY(cop_claim_beat(k->claim, err));
    if (cop_claim_is_lost(k->claim)) return COP_OK;
    return write_json(k, status_json(k, view, "running"), false, err);
}

static void *keep(void *context)
{
    cop_keeper *const k = context;
    const double heartbeat_s = cop_claim_get(k->claim)->heartbeat_s;
    const double turn_s = heartbeat_s < status_interval_s ? heartbeat_s : status_interval_s;
    double beaten_s = cop_timer_now_s();
    (void)pthread_mutex_lock(&k->mutex);
    while (!k->stopping) {
        const cop_keeper_view view = k->view;
        (void)pthread_mutex_unlock(&k->mutex);
        cop_error why = {0};
        const bool beat = cop_timer_now_s() - beaten_s >= heartbeat_s;
        if (beat) beaten_s = cop_timer_now_s();
        if (do_turn(k, &view, beat, &why) != COP_OK) note_trouble(k, &why);
        (void)pthread_mutex_lock(&k->mutex);
        if (!k->stopping) cop_thread_wait(&k->wake, &k->mutex, turn_s);
    }
    (void)pthread_mutex_unlock(&k->mutex);
    return NULL;
}

/* --- from the main thread --- */

static void free_keeper(cop_keeper **keeper)
{
    if (*keeper == NULL) return;
    cop_memory_free((*keeper)->job);
    cop_memory_free(*keeper);
    *keeper = NULL;
}

cop_status cop_keeper_start(cop_claim *claim, const cop_keeper_facts *facts,
                            cop_keeper **keeper, cop_error *err)
{
    *keeper = NULL;
    cop_keeper *k = cop_memory_alloc(1, sizeof *k, err);
    if (k == NULL) return COP_ERR_MEMORY;
    *k = (cop_keeper){.claim = claim,
                      .ranks = facts->ranks,
                      .nodes = facts->nodes,
                      .threads = facts->threads,
                      .view = {.saved_s = -1, .progress.best = -INFINITY}};
    cop_timer_utc(k->started, sizeof k->started);
    k->job = cop_memory_copy_string(facts->job, strlen(facts->job), err);
    cop_status status = k->job == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) {
        status = cop_thread_start(&k->thread, &k->mutex, &k->wake, keep, k, err);
    }
    if (status != COP_OK) {
        free_keeper(&k);
        return status;
    }
    *keeper = k;
    return COP_OK;
}

void cop_keeper_post(cop_keeper *keeper, const cop_keeper_view *view)
{
    (void)pthread_mutex_lock(&keeper->mutex);
    keeper->view = *view;
    (void)pthread_mutex_unlock(&keeper->mutex);
}

bool cop_keeper_take_trouble(cop_keeper *keeper, cop_error *why)
{
    (void)pthread_mutex_lock(&keeper->mutex);
    const bool any = keeper->trouble.status != COP_OK;
    if (any) *why = keeper->trouble;
    keeper->trouble = (cop_error){0};
    (void)pthread_mutex_unlock(&keeper->mutex);
    return any;
}

static const char *state_of(cop_status status)
{
    if (status == COP_OK) return "done";
    return status == COP_INTERRUPTED ? "interrupted" : "failed";
}

void cop_keeper_stop(cop_keeper **keeper, cop_status status, const char *message)
{
    if (keeper == NULL || *keeper == NULL) return;
    cop_keeper *const k = *keeper;
    (void)pthread_mutex_lock(&k->mutex);
    k->stopping = true;
    (void)pthread_cond_signal(&k->wake);
    (void)pthread_mutex_unlock(&k->mutex);
    cop_thread_join(k->thread, &k->mutex, &k->wake);
    if (cop_claim_check(k->claim, NULL) == COP_OK) {
        json_t *const last = status_json(k, &k->view, state_of(status));
        (void)json_object_set_new(last, "exit_code",
                                  json_integer(cop_status_exit_code(status)));
        (void)json_object_set_new(last, "message",
                                  json_string(status == COP_OK ? "" : message));
        (void)write_json(k, last, true, NULL); /* a report, no more */
    }
    free_keeper(keeper);
}
