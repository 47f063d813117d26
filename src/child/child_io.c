/* Children: the thread that starts the command, feeds it, listens to it and ends it. */
#include "child/child_parts.h"

#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/json/json.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const double look_s = 0.25; /* between two looks whether the command has ended */
static const double settle_s = 1;  /* for one that has closed a pipe to end altogether */
static const int ending_poll_ms = 20;

enum {
    CHUNK_BYTES = 1 << 16,
    MOST_CHUNKS = 16, /* of standard error at a time: answers come first */
    ERROR_LINE_BYTES = 1000,
    SHOWN_BYTES = 120,
    REMEDY_BYTES = 160,
    KEPT_BYTES = 1 << 20,       /* memory that is kept for the next requests */
    ERROR_ROOM_BYTES = 1 << 16, /* of standard error at once, ... */
    ERROR_RATE_BYTES = 1 << 10, /* ... and a second, ... */
    ERROR_PART_BYTES = 1 << 13  /* ... in parts of this size once more came */
};

static const char crash_remedy[] = "run it by hand to see why";

/* What was wrong with the command, in words. */
typedef struct fault {
    cop_error what;
    char remedy[REMEDY_BYTES];
    bool broken; /* it has closed a pipe: maybe it is ending by itself */
} fault;

/* --- what it says --- */

/* Text of others for a message: one line of printable characters, cut to `size`. */
static void show(char *shown, size_t size, const char *text, size_t length)
{
    const size_t kept = length < size - 1 ? length : size - 1;
    for (size_t i = 0; i < kept; i++) {
        const unsigned char c = (unsigned char)text[i];
        shown[i] = c < 32 || c == 127 ? ' ' : (char)c;
    }
    size_t end = kept;
    if (kept < length) { /* no half of a character */
        while (end > 0 && ((unsigned char)text[end] & 0xC0U) == 0x80U)
            end--;
    }
    shown[end] = '\0';
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
    return true;
}

static void say(const cop_child *child, const char *text)
{
    char line[ERROR_LINE_BYTES + 128];
    const int length = snprintf(line, sizeof line, "coppice: %s: %s\n", child->name, text);
    const size_t bytes = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    (void)cop_file_write(STDERR_FILENO, line, bytes); /* whole lines: ranks share the stream */
}

/* Says what was left out, if anything was. */
static void tell_left_out(cop_child *child)
{
    if (child->lines_left_out == 0) return;
    char text[128];
    (void)snprintf(text, sizeof text,
                   "%zu lines (%zu bytes) of its standard error were left out",
                   child->lines_left_out, child->bytes_left_out);
    child->lines_left_out = child->bytes_left_out = 0;
    say(child, text);
}

/* Whether a line may still be passed on: a command that says too much fills nobody's disk. */
static bool has_room(cop_child *child, size_t length)
{
    const double now = cop_timer_now_s();
    const double more = (now - child->errors_s) * ERROR_RATE_BYTES;
    child->errors_room = fmin(child->errors_room + more, ERROR_ROOM_BYTES);
    child->errors_s = now;
    const double least = child->lines_left_out > 0 ? ERROR_PART_BYTES : (double)length;
    if (child->errors_room < least) return false;
    child->errors_room -= (double)length;
    return true;
}

static void pass_error_line(cop_child *child, const char *text, size_t length)
{
    char line[ERROR_LINE_BYTES + 1];
    show(line, sizeof line, text, length);
    if (line[strspn(line, " ")] == '\0') return;
    show(child->last_words, sizeof child->last_words, text, length);
    if (has_room(child, length)) {
        tell_left_out(child);
        say(child, line);
    } else {
        child->lines_left_out++;
        child->bytes_left_out += length;
    }
}

static void close_pipe(int *fd)
{
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

/* Reads what there is, at most a chunk. \return bytes, 0 at the end (then closed), -1 if there
 * is nothing now. */
static ssize_t read_pipe(int *fd, char *chunk)
{
    if (*fd < 0) return 0;
    ssize_t got = 0;
    do {
        got = read(*fd, chunk, CHUNK_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return -1;
    if (got <= 0) close_pipe(fd);
    return got < 0 ? 0 : got;
}

/* Passes on its standard error, as far as there is any. */
static void pass_errors(cop_child *child)
{
    char chunk[CHUNK_BYTES];
    cop_text *const line = &child->errors;
    ssize_t got = -1;
    for (int i = 0; i < MOST_CHUNKS && (got = read_pipe(&child->process.err, chunk)) > 0; i++) {
        for (const char *at = chunk, *const end = chunk + got; at < end;) {
            const char *const newline = memchr(at, '\n', (size_t)(end - at));
            const size_t length = (size_t)((newline != NULL ? newline : end) - at);
            const size_t room = ERROR_LINE_BYTES - line->length;
            const size_t taken = length < room ? length : room;
            if (cop_text_append(line, at, taken, NULL) != COP_OK) return;
            at += taken + (taken == length && newline != NULL);
            const bool whole = taken == length ? newline != NULL : true; /* or cut in pieces */
            if (whole) pass_error_line(child, line->data, line->length);
            if (whole) cop_text_clear(line);
        }
    }
    if (got != 0 || line->length == 0) return;
    pass_error_line(child, line->data, line->length); /* its last, not ended by a newline */
    cop_text_clear(line);
}

/* --- its end --- */

/* Waits for it to end, with its pipes kept empty. \return whether it has; `how` as in
 * cop_process_has_ended(). */
static bool await_end(cop_child *child, double seconds, char *how, size_t size)
{
    char chunk[CHUNK_BYTES];
    const double until_s = cop_timer_now_s() + seconds;
    for (;;) {
        const bool ended = cop_process_has_ended(&child->process, how, size);
        while (read_pipe(&child->process.out, chunk) > 0 && cop_timer_now_s() < until_s) {
        }
        pass_errors(child);
        if (ended || cop_timer_now_s() >= until_s) return ended;
        struct pollfd fds[] = {{.fd = child->process.out, .events = POLLIN},
                               {.fd = child->process.err, .events = POLLIN}};
        (void)poll(fds, 2, ending_poll_ms);
    }
}

static void finish(cop_child *child)
{
    tell_left_out(child);
    cop_process_finish(&child->process);
    cop_text_clear(&child->answers);
    cop_text_clear(&child->errors);
}

/* Ends it by SIGTERM, then SIGKILL. */
static void end_now(cop_child *child)
{
    char how[80];
    cop_process_ask_to_end(&child->process);
    (void)await_end(child, child->options.grace_s, how, sizeof how);
    finish(child);
}

/* The end of the child: end of input first. */
static void end_politely(cop_child *child)
{
    char how[80];
    if (child->process.pid == 0) return;
    close_pipe(&child->process.in);
    if (await_end(child, child->options.grace_s, how, sizeof how)) {
        finish(child);
    } else {
        end_now(child);
    }
}

/* --- failures; all with the mutex held, which is given up while the command is ended --- */

/* Calls up to `last` will have no answer. */
static void fail_calls(cop_child *child, uint64_t last)
{
    for (size_t i = child->settled; i < child->call_count; i++) {
        cop_child_call *const call = &child->calls[i];
        if (call->gone || call->state != COP_CHILD_DUE || call->id > last) continue;
        call->state = COP_CHILD_FAILED;
        call->gone = call->dropped;
        child->due--;
    }
    cop_child_compact(child);
    (void)pthread_cond_broadcast(&child->changed);
}

/* What happened: "ended (exit code 1)", or what was wrong with it. */
static void word_event(const fault *why, bool ended, const char *how, char *text, size_t size)
{
    if (ended) {
        (void)snprintf(text, size, "ended (%s)", how);
    } else {
        (void)snprintf(text, size, "%s", why->what.message);
    }
}

/* Words the failure: what happened, what the command said last, what can be done. */
static void word_failure(cop_child *child, const fault *why, const char *event, size_t due)
{
    const char *const words = child->last_words;
    const char *const said = words[0] != '\0' ? "; its last words: \""
                             : why->broken    ? "; it said nothing on standard error"
                                              : "";
    (void)cop_error_set(&child->failure, COP_ERR_UNIT,
                        "%s: the command %s with %zu answer%s due%s%s%s; %s", child->name,
                        event, due, due == 1 ? "" : "s", said, words,
                        words[0] != '\0' ? "\"" : "", why->remedy);
}

/* Ends a command that has failed, with all requests on their way. The next one starts it anew.
 */
static void give_up(cop_child *child, const fault *why)
{
    char how[80] = "";
    const size_t due = child->due;
    const uint64_t last = child->call_count > 0 ? child->calls[child->call_count - 1].id : 0;
    cop_text_free(&child->requests);
    child->taken = 0;
    (void)pthread_mutex_unlock(&child->mutex);
    const bool ended = why->broken && await_end(child, settle_s, how, sizeof how);
    if (ended) {
        finish(child);
    } else {
        end_now(child);
    }
    char event[ERROR_LINE_BYTES];
    word_event(why, ended, how, event, sizeof event);
    (void)pthread_mutex_lock(&child->mutex);
    if (due > 0) {
        word_failure(child, why, event, due);
        fail_calls(child, last);
    } else {
        char text[ERROR_LINE_BYTES + 128];
        (void)snprintf(text, sizeof text,
                       "the command %s with nothing to do; the next request starts it again",
                       event);
        say(child, text);
    }
    child->idle = true;
}

static void start(cop_child *child)
{
    cop_error failure = {0};
    const uint64_t last = child->call_count > 0 ? child->calls[child->call_count - 1].id : 0;
    child->last_words[0] = '\0';
    child->errors_room = ERROR_ROOM_BYTES;
    child->errors_s = cop_timer_now_s();
    (void)pthread_mutex_unlock(&child->mutex);
    (void)cop_process_start((const char *const *)child->command, child->options.command_count,
                            &child->process, &failure);
    child->progress_s = cop_timer_now_s();
    (void)pthread_mutex_lock(&child->mutex);
    if (failure.status != COP_OK) {
        child->failure = failure;
        cop_text_free(&child->requests);
        child->taken = 0;
        fail_calls(child, last);
    }
    child->started = true;
    (void)pthread_cond_broadcast(&child->changed);
}

/* --- answers --- */

/* Puts an answer where it belongs; takes over its reference on success. */
static cop_status place_answer(cop_child *child, json_t *answer, cop_error *err)
{
    COP_CHECK(json_is_object(answer), err, COP_ERR_UNIT, "said something else than an object");
    const json_t *const id = json_object_get(answer, "id");
    COP_CHECK(json_is_integer(id), err, COP_ERR_UNIT,
              "gave an answer without a whole number as \"id\"");
    cop_child_call *const call = cop_child_find(child, (uint64_t)json_integer_value(id));
    COP_CHECK(call != NULL && call->state == COP_CHILD_DUE, err, COP_ERR_UNIT,
              "answered id %lld, which is unknown or was answered before",
              (long long)json_integer_value(id));
    if (child->options.check != NULL && child->options.check(answer, err) != COP_OK)
        return cop_error_prefix(err, "gave an answer that cannot be used");
    child->due--;
    call->state = COP_CHILD_ANSWERED;
    call->answer = answer;
    if (call->dropped) cop_child_settle(child, call);
    child->progress_s = cop_timer_now_s();
    return COP_OK;
}

static cop_status read_line(cop_child *child, const char *line, size_t length, cop_error *err)
{
    json_t *answer = NULL;
    cop_error why = {0};
    COP_CHECK(length <= child->options.line_bytes, err, COP_ERR_UNIT,
              "said a line of more than %zu bytes", child->options.line_bytes);
    const size_t flags =
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | COP_JSON_LINE | COP_JSON_STRICT;
    COP_CHECK(cop_json_read(line, length, flags, &answer, &why) == COP_OK, err, COP_ERR_UNIT,
              "said something that is not JSON (%.200s)", why.message);
    const cop_status status = place_answer(child, answer, err);
    if (status != COP_OK) json_decref(answer);
    return status;
}

/* Takes the whole lines of what has been read so far. */
static cop_status take_lines(cop_child *child, cop_error *err)
{
    cop_text *const text = &child->answers;
    size_t start = 0;
    cop_status status = COP_OK;
    while (status == COP_OK) {
        const char *const at = text->data + start;
        const char *const newline = memchr(at, '\n', text->length - start);
        if (newline == NULL) break;
        const size_t length = (size_t)(newline - at);
        start += length + 1;
        if (is_blank(at, length)) continue;
        status = read_line(child, at, length, err);
        if (status == COP_OK) continue;
        char shown[SHOWN_BYTES];
        const cop_error reason = *err;
        show(shown, sizeof shown, at, length);
        (void)cop_error_set(err, status, "%s: \"%s%s\",", reason.message, shown,
                            length >= sizeof shown ? "..." : "");
    }
    text->length -= start;
    memmove(text->data, text->data + start, text->length);
    (void)pthread_cond_broadcast(&child->changed);
    return status;
}

/* Listens until there is nothing more for now. \return false if something is wrong. */
static bool listen_to(cop_child *child, fault *why)
{
    char chunk[CHUNK_BYTES];
    ssize_t got = 0;
    while ((got = read_pipe(&child->process.out, chunk)) > 0) {
        const bool line = memchr(chunk, '\n', (size_t)got) != NULL;
        cop_status status = cop_text_append(&child->answers, chunk, (size_t)got, &why->what);
        if (status == COP_OK && line) status = take_lines(child, &why->what);
        if (status == COP_OK && child->answers.length > child->options.line_bytes) {
            status =
                cop_error_set(&why->what, COP_ERR_UNIT, "said a line of more than %zu bytes",
                              child->options.line_bytes);
        }
        (void)snprintf(why->remedy, sizeof why->remedy,
                       "an answer is %s on a line of its own; other text belongs on standard "
                       "error",
                       child->form);
        if (status != COP_OK) return false;
    }
    if (got < 0) return true;
    (void)cop_error_set(&why->what, COP_ERR_UNIT, "closed its standard output");
    (void)snprintf(why->remedy, sizeof why->remedy, "%s", crash_remedy);
    why->broken = true;
    return false;
}

/* Gives it as much as it takes. \return false if something is wrong. */
static bool feed(cop_child *child, fault *why)
{
    while (child->taken < child->requests.length) {
        const ssize_t put = write(child->process.in, child->requests.data + child->taken,
                                  child->requests.length - child->taken);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (put < 0) {
            close_pipe(&child->process.in);
            if (!listen_to(child, why)) return false; /* it may have answered before */
            (void)cop_error_set(&why->what, COP_ERR_UNIT, "closed its standard input");
            (void)snprintf(why->remedy, sizeof why->remedy, "%s", crash_remedy);
            why->broken = true;
            return false;
        }
        child->taken += (size_t)put;
        child->progress_s = cop_timer_now_s();
    }
    child->requests.length = child->taken = 0;
    if (child->requests.capacity > KEPT_BYTES) cop_text_free(&child->requests);
    (void)pthread_cond_broadcast(&child->changed); /* there is room */
    return true;
}

/* --- the thread --- */

/* Looks whether it has ended or is silent. \return false if something is wrong. */
static bool watch(cop_child *child, fault *why)
{
    char how[80];
    if (cop_process_has_ended(&child->process, how, sizeof how)) {
        /* Its last words may still be in the pipes. */
        if (!listen_to(child, why)) return false;
        if (child->due == 0) return true;
        (void)cop_error_set(&why->what, COP_ERR_UNIT, "ended");
        (void)snprintf(why->remedy, sizeof why->remedy, "%s", crash_remedy);
        why->broken = true;
        return false;
    }
    const double limit_s = child->options.timeout_s;
    if (cop_timer_now_s() - child->progress_s < limit_s) return true;
    (void)cop_error_set(&why->what, COP_ERR_UNIT, "was silent for %g s", limit_s);
    (void)snprintf(why->remedy, sizeof why->remedy,
                   "it must flush its output after each answer; if it is just slow, raise %s",
                   child->timeout_key);
    return false;
}

/* How long to sleep at most: nobody waits, for ever. */
static int sleep_ms(const cop_child *child)
{
    if (child->due == 0) return -1;
    const double left_s = child->progress_s + child->options.timeout_s - cop_timer_now_s();
    const double least_s = left_s < look_s ? left_s : look_s;
    return least_s > 0 ? (int)(least_s * 1000) + 1 : 0;
}

/* Sleeps until there is something to do. With the mutex held, which is given up meanwhile. */
static void await_work(cop_child *child)
{
    const cop_process *const p = &child->process;
    const bool feeding = child->taken < child->requests.length;
    struct pollfd fds[] = {{.fd = child->wake, .events = POLLIN},
                           {.fd = p->out, .events = POLLIN},
                           {.fd = p->err, .events = POLLIN},
                           {.fd = feeding ? p->in : -1, .events = POLLOUT}};
    const int most_ms = sleep_ms(child);
    (void)pthread_mutex_unlock(&child->mutex);
    (void)poll(fds, sizeof fds / sizeof fds[0], most_ms);
    uint64_t count = 0;
    const ssize_t got = read(child->wake, &count, sizeof count);
    (void)got; /* nothing there: it was something else */
    (void)pthread_mutex_lock(&child->mutex);
}

/* Gets ready for the first requests after a pause: their time starts now, and a command that
 * has ended meanwhile has failed nobody. */
static void begin_work(cop_child *child)
{
    char how[80];
    child->idle = false;
    child->progress_s = cop_timer_now_s();
    if (child->process.pid == 0 || !cop_process_has_ended(&child->process, how, sizeof how))
        return;
    pass_errors(child);
    finish(child);
}

void *cop_child_serve(void *context)
{
    cop_child *const child = context;
    (void)pthread_mutex_lock(&child->mutex);
    start(child);
    while (!child->closing) {
        await_work(child);
        if (child->closing) break;
        if (child->idle && child->due > 0) begin_work(child);
        if (child->due > 0 && child->process.pid == 0) start(child);
        if (child->process.pid != 0) {
            fault why = {0};
            pass_errors(child);
            const bool well = listen_to(child, &why) && feed(child, &why) &&
                              (child->due == 0 || watch(child, &why));
            if (!well) give_up(child, &why);
        }
        child->idle = child->due == 0;
    }
    (void)pthread_mutex_unlock(&child->mutex);
    end_politely(child);
    return NULL;
}
