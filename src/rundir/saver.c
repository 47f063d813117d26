#include "coppice/rundir/saver.h"

#include "coppice/base/memory.h"
#include "coppice/base/thread.h"
#include "coppice/base/timer.h"

#include <string.h>

struct cop_saver {
    char *path;
    cop_status (*may_commit)(void *context, cop_error *err);
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* both ways */
    bool stopping;          /* under the mutex, as all below */
    bool writing;
    bool fresh; /* the result has not been taken */
    cop_store *waiting;
    uint64_t submitted; /* number of the last one */
    cop_saver_result result;
};

static void write_waiting(cop_saver *s)
{
    cop_store *store = s->waiting;
    cop_saver_result result = {.number = s->submitted};
    s->waiting = NULL;
    s->writing = true;
    (void)pthread_mutex_unlock(&s->mutex);
    const double start_s = cop_timer_now_s();
    (void)cop_store_write_if(store, s->path, s->may_commit, s->context, &result.error);
    result.seconds = cop_timer_now_s() - start_s;
    cop_store_destroy(&store);
    (void)pthread_mutex_lock(&s->mutex);
    s->writing = false;
    s->fresh = true;
    s->result = result;
    (void)pthread_cond_broadcast(&s->changed);
}

static void *run(void *context)
{
    cop_saver *const s = context;
    (void)pthread_mutex_lock(&s->mutex);
    for (;;) {
        if (s->waiting != NULL) {
            write_waiting(s);
        } else if (s->stopping) {
            break;
        } else {
            (void)pthread_cond_wait(&s->changed, &s->mutex);
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return NULL;
}

cop_status cop_saver_start(const char *path,
                           cop_status (*may_commit)(void *context, cop_error *err),
                           void *context, cop_saver **saver, cop_error *err)
{
    *saver = NULL;
    cop_saver *const s = cop_memory_alloc(1, sizeof *s, err);
    if (s == NULL) return COP_ERR_MEMORY;
    *s = (cop_saver){.may_commit = may_commit, .context = context};
    s->path = cop_memory_copy_string(path, strlen(path), err);
    cop_status status = s->path == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) {
        status = cop_thread_start(&s->thread, &s->mutex, &s->changed, run, s, err);
    }
    if (status != COP_OK) {
        cop_memory_free(s->path);
        cop_memory_free(s);
        return status;
    }
    *saver = s;
    return COP_OK;
}

uint64_t cop_saver_submit(cop_saver *saver, cop_store **store)
{
    (void)pthread_mutex_lock(&saver->mutex);
    cop_store_destroy(&saver->waiting);
    saver->waiting = *store;
    *store = NULL;
    const uint64_t number = ++saver->submitted;
    (void)pthread_cond_broadcast(&saver->changed);
    (void)pthread_mutex_unlock(&saver->mutex);
    return number;
}

cop_status cop_saver_move(cop_saver *saver, const char *path, cop_error *err)
{
    char *const copy = cop_memory_copy_string(path, strlen(path), err);
    if (copy == NULL) return COP_ERR_MEMORY;
    (void)pthread_mutex_lock(&saver->mutex);
    while (saver->writing)
        (void)pthread_cond_wait(&saver->changed, &saver->mutex);
    cop_memory_free(saver->path);
    saver->path = copy;
    (void)pthread_mutex_unlock(&saver->mutex);
    return COP_OK;
}

bool cop_saver_is_busy(cop_saver *saver)
{
    (void)pthread_mutex_lock(&saver->mutex);
    const bool busy = saver->writing || saver->waiting != NULL;
    (void)pthread_mutex_unlock(&saver->mutex);
    return busy;
}

bool cop_saver_take_result(cop_saver *saver, cop_saver_result *result)
{
    (void)pthread_mutex_lock(&saver->mutex);
    const bool fresh = saver->fresh;
    if (fresh) *result = saver->result;
    saver->fresh = false;
    (void)pthread_mutex_unlock(&saver->mutex);
    return fresh;
}

void cop_saver_wait(cop_saver *saver)
{
    (void)pthread_mutex_lock(&saver->mutex);
    while (saver->writing || saver->waiting != NULL)
        (void)pthread_cond_wait(&saver->changed, &saver->mutex);
    (void)pthread_mutex_unlock(&saver->mutex);
}

void cop_saver_stop(cop_saver **saver)
{
    if (saver == NULL || *saver == NULL) return;
    cop_saver *const s = *saver;
    (void)pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
    cop_thread_join(s->thread, &s->mutex, &s->changed);
    cop_memory_free(s->path);
    cop_memory_free(s);
    *saver = NULL;
}
