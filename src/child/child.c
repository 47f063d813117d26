/* Children: the callers' side. Requests go into a queue, answers are waited for. */
#include "coppice/child/child.h"

#include "child/child_parts.h"
#include "coppice/base/memory.h"
#include "coppice/base/thread.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const char default_form[] = "{\"id\": N, ...}";
static const double default_grace_s = 2;
static const size_t default_line_bytes = 1 << 20;
static const size_t default_queue_bytes = 64 << 20;
static const double poll_s = 0.05; /* between two looks at `cancelled` */

static void wake(const cop_child *child)
{
    const uint64_t one = 1;
    /* It can only fail by being full, and then the thread is about to look anyway. */
    const ssize_t written = write(child->wake, &one, sizeof one);
    (void)written;
}

/* --- calls --- */

static cop_status add_call(cop_child *child, uint64_t id, cop_error *err)
{
    COP_GROW(child->calls, child->call_capacity, child->call_count + 1, err);
    child->calls[child->call_count++] = (cop_child_call){.id = id};
    return COP_OK;
}

/* --- requests --- */

/* With the mutex held: waits for room, so that a slow command does not fill the memory. */
static cop_status enqueue(cop_child *child, uint64_t id, const char *line, size_t length,
                          cop_error *err)
{
    while (child->requests.length > child->taken &&
           child->requests.length - child->taken + length > child->options.queue_bytes) {
        (void)pthread_cond_wait(&child->changed, &child->mutex);
    }
    if (child->taken > 0) { /* not at every request: only where that is most of the memory */
        const size_t left = child->requests.length - child->taken;
        if (left <= child->taken) {
            memmove(child->requests.data, child->requests.data + child->taken, left);
            child->requests.length = left;
            child->taken = 0;
        }
    }
    const size_t before = child->requests.length;
    cop_status status = cop_text_append(&child->requests, line, length, err);
    if (status == COP_OK) status = cop_text_append(&child->requests, "\n", 1, err);
    if (status == COP_OK) status = add_call(child, id, err);
    if (status != COP_OK) {
        child->requests.length = before;
        return status;
    }
    child->due++;
    return COP_OK;
}

cop_status cop_child_send(cop_child *child, json_t *request, uint64_t *id, cop_error *err)
{
    (void)pthread_mutex_lock(&child->mutex);
    *id = child->next_id++;
    (void)pthread_mutex_unlock(&child->mutex);
    char *line = NULL;
    if (request != NULL &&
        json_object_set_new(request, "id", json_integer((json_int_t)*id)) == 0) {
        line = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
    }
    json_decref(request);
    COP_CHECK(line != NULL, err, COP_ERR_MEMORY, "no memory for a request to %s", child->name);
    (void)pthread_mutex_lock(&child->mutex);
    const cop_status status = enqueue(child, *id, line, strlen(line), err);
    (void)pthread_mutex_unlock(&child->mutex);
    free(line);
    wake(child);
    return status;
}

/* --- answers --- */

/* Waits for a change, at most until it is time to look at `cancelled` again. */
static void await_change(cop_child *child, bool briefly)
{
    if (briefly) {
        cop_thread_wait(&child->changed, &child->mutex, poll_s);
    } else {
        (void)pthread_cond_wait(&child->changed, &child->mutex);
    }
}

/* With the mutex held: the call is no longer the caller's. */
static void abandon(cop_child *child, uint64_t id)
{
    cop_child_call *const call = cop_child_find(child, id);
    assert(call != NULL);
    if (call->state == COP_CHILD_DUE) {
        call->dropped = true;
    } else {
        cop_child_settle(child, call);
    }
}

cop_status cop_child_receive(cop_child *child, uint64_t id, json_t **answer,
                             bool (*cancelled)(void *), void *context, cop_error *err)
{
    *answer = NULL;
    cop_status status = COP_OK;
    (void)pthread_mutex_lock(&child->mutex);
    cop_child_call *call = cop_child_find(child, id);
    assert(call != NULL);
    while (call->state == COP_CHILD_DUE && status == COP_OK) {
        if (cancelled != NULL) {
            (void)pthread_mutex_unlock(&child->mutex);
            if (cancelled(context)) {
                status = cop_error_set(err, COP_INTERRUPTED, "%s: waiting for an answer ended",
                                       child->name);
            }
            (void)pthread_mutex_lock(&child->mutex);
            call = cop_child_find(child, id); /* the list may have moved */
            if (status != COP_OK || call->state != COP_CHILD_DUE) continue;
        }
        await_change(child, cancelled != NULL);
        call = cop_child_find(child, id);
    }
    if (call->state == COP_CHILD_FAILED && status == COP_OK) {
        status = cop_error_set(err, child->failure.status, "%s", child->failure.message);
    }
    if (call->state == COP_CHILD_ANSWERED && status == COP_OK) {
        *answer = call->answer; /* moved */
        call->answer = NULL;
    }
    abandon(child, id);
    (void)pthread_mutex_unlock(&child->mutex);
    return status;
}

void cop_child_drop(cop_child *child, uint64_t id)
{
    (void)pthread_mutex_lock(&child->mutex);
    abandon(child, id);
    (void)pthread_mutex_unlock(&child->mutex);
}

/* --- life --- */

static cop_status copy_options(cop_child *child, const cop_child_options *options,
                               cop_error *err)
{
    child->options = *options;
    cop_child_options *const own = &child->options;
    if (own->grace_s <= 0) own->grace_s = default_grace_s;
    if (own->line_bytes == 0) own->line_bytes = default_line_bytes;
    if (own->queue_bytes == 0) own->queue_bytes = default_queue_bytes;
    child->name = cop_memory_copy_string(options->name, strlen(options->name), err);
    child->timeout_key =
        cop_memory_copy_string(options->timeout_key, strlen(options->timeout_key), err);
    child->command = cop_memory_alloc(options->command_count, sizeof *child->command, err);
    const char *const form = options->form != NULL ? options->form : default_form;
    child->form = cop_memory_copy_string(form, strlen(form), err);
    if (child->name == NULL || child->timeout_key == NULL || child->form == NULL ||
        child->command == NULL)
        return COP_ERR_MEMORY;
    for (size_t i = 0; i < options->command_count; i++) {
        const char *const word = options->command[i];
        child->command[i] = cop_memory_copy_string(word, strlen(word), err);
        if (child->command[i] == NULL) return COP_ERR_MEMORY;
    }
    return COP_OK;
}

static void free_child(cop_child *child)
{
    for (size_t i = 0; i < child->call_count; i++)
        json_decref(child->calls[i].answer);
    for (size_t i = 0; child->command != NULL && i < child->options.command_count; i++)
        cop_memory_free(child->command[i]);
    cop_memory_free(child->command);
    cop_memory_free(child->name);
    cop_memory_free(child->timeout_key);
    cop_memory_free(child->form);
    cop_memory_free(child->calls);
    cop_text_free(&child->requests);
    cop_text_free(&child->answers);
    cop_text_free(&child->errors);
    if (child->wake >= 0) (void)close(child->wake);
    cop_memory_free(child);
}

/* With the thread running: what became of the first start. */
static cop_status await_start(cop_child *child, cop_error *err)
{
    (void)pthread_mutex_lock(&child->mutex);
    while (!child->started)
        (void)pthread_cond_wait(&child->changed, &child->mutex);
    const cop_error failure = child->failure;
    (void)pthread_mutex_unlock(&child->mutex);
    COP_CHECK(failure.status == COP_OK, err, failure.status, "%s", failure.message);
    return COP_OK;
}

cop_status cop_child_create(const cop_child_options *options, cop_child **child, cop_error *err)
{
    *child = NULL;
    assert(options->command_count > 0 && options->timeout_s > 0);
    cop_child *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->process = COP_PROCESS_NONE;
    created->idle = true;
    created->next_id = 1; /* 0 is no id in many languages */
    created->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int why = errno;
    cop_status status = copy_options(created, options, err);
    if (status == COP_OK && created->wake < 0)
        status = cop_error_set(err, COP_ERR_IO, "%s: no descriptor for it: %s", options->name,
                               strerror(why));
    if (status == COP_OK) {
        status = cop_thread_start(&created->thread, &created->mutex, &created->changed,
                                  cop_child_serve, created, err);
        if (status != COP_OK) (void)cop_error_prefix(err, "%s", options->name);
    }
    if (status != COP_OK) {
        free_child(created);
        return status;
    }
    status = await_start(created, err);
    if (status != COP_OK) cop_child_destroy(&created);
    *child = created;
    return status;
}

void cop_child_destroy(cop_child **child)
{
    if (child == NULL || *child == NULL) return;
    cop_child *const c = *child;
    (void)pthread_mutex_lock(&c->mutex);
    c->closing = true;
    (void)pthread_mutex_unlock(&c->mutex);
    wake(c);
    cop_thread_join(c->thread, &c->mutex, &c->changed);
    free_child(c);
    *child = NULL;
}
