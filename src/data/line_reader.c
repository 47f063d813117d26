/* The lines lie one after the other in a window over the file. Where the window ends within a
 * line, what there is of it moves to the front and the rest is read behind it; the window grows
 * only while one line does not fit. */
#include "data/line_reader.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_WINDOW_BYTES = 1 << 18 };

struct cop_line_reader {
    int fd;            /* -1: memory */
    const char *bytes; /* the window: `own`, or all of the memory */
    size_t filled;     /* bytes of it */
    size_t at;         /* the next line begins here */
    char *own;         /* [capacity] */
    size_t capacity, max_bytes;
    bool ended;   /* the window ends where the file does */
    bool newline; /* the last line that was given had one */
    cop_digest *digest;
};

static cop_status make(size_t max_bytes, cop_line_reader **reader, cop_error *err)
{
    *reader = cop_memory_alloc(1, sizeof **reader, err);
    if (*reader == NULL) return COP_ERR_MEMORY;
    (*reader)->fd = -1;
    (*reader)->max_bytes = max_bytes;
    const cop_status status = cop_digest_create(&(*reader)->digest, err);
    if (status != COP_OK) cop_line_reader_destroy(reader);
    return status;
}

cop_status cop_line_reader_create(const char *bytes, size_t length, size_t max_bytes,
                                  cop_line_reader **reader, cop_error *err)
{
    COP_TRY(make(max_bytes, reader, err));
    (*reader)->bytes = bytes;
    (*reader)->filled = length;
    (*reader)->ended = true;
    const cop_status status = cop_digest_update((*reader)->digest, bytes, length, err);
    if (status != COP_OK) cop_line_reader_destroy(reader);
    return status;
}

static cop_status open_file(cop_line_reader *r, const char *path, cop_error *err)
{
    struct stat info;
    r->fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    COP_CHECK(r->fd >= 0, err,
              errno == ENOENT || errno == ENOTDIR ? COP_ERR_FORMAT : COP_ERR_IO,
              "%s: cannot open it: %s", path, strerror(errno));
    COP_CHECK(fstat(r->fd, &info) == 0, err, COP_ERR_IO, "%s: cannot read it: %s", path,
              strerror(errno));
    COP_CHECK(S_ISREG(info.st_mode), err, COP_ERR_IO, "%s: not a regular file", path);
    r->own = cop_memory_alloc_raw(FIRST_WINDOW_BYTES, 1, err);
    r->bytes = r->own;
    r->capacity = FIRST_WINDOW_BYTES;
    return r->own == NULL ? COP_ERR_MEMORY : COP_OK;
}

cop_status cop_line_reader_open(const char *path, size_t max_bytes, cop_line_reader **reader,
                                cop_error *err)
{
    COP_TRY(make(max_bytes, reader, err));
    const cop_status status = open_file(*reader, path, err);
    if (status != COP_OK) cop_line_reader_destroy(reader);
    return status;
}

/* Reads more behind what is left of the window. */
static cop_status refill(cop_line_reader *r, cop_error *err)
{
    const size_t left = r->filled - r->at;
    if (left > 0 && r->at > 0) memmove(r->own, r->own + r->at, left);
    r->at = 0;
    r->filled = left;
    if (left == r->capacity) {
        COP_GROW(r->own, r->capacity, 2 * r->capacity, err);
        r->bytes = r->own;
    }
    ssize_t got = 0;
    do {
        got = read(r->fd, r->own + left, r->capacity - left);
    } while (got < 0 && errno == EINTR);
    COP_CHECK(got >= 0, err, COP_ERR_IO, "cannot read it: %s", strerror(errno));
    r->ended = got == 0;
    r->filled += (size_t)got;
    return cop_digest_update(r->digest, r->own + left, (size_t)got, err);
}

cop_status cop_line_reader_next(cop_line_reader *r, const char **line, size_t *length,
                                cop_error *err)
{
    size_t searched = 0;
    const char *newline = NULL;
    *line = NULL;
    *length = 0;
    for (;;) {
        const size_t left = r->filled - r->at;
        newline = left == searched ? NULL
                                   : memchr(r->bytes + r->at + searched, '\n', left - searched);
        searched = newline == NULL ? left : (size_t)(newline - r->bytes) - r->at;
        COP_CHECK(searched <= r->max_bytes, err, COP_ERR_FORMAT,
                  "a line of more than %zu MiB, which no model can read; is there a newline "
                  "after each example?",
                  r->max_bytes >> 20);
        if (newline != NULL || r->ended) break;
        COP_TRY(refill(r, err));
    }
    if (newline == NULL && searched == 0) return COP_OK;
    *line = r->bytes + r->at;
    *length = searched;
    r->newline = newline != NULL;
    r->at += searched + (newline != NULL ? 1 : 0);
    return COP_OK;
}

bool cop_line_reader_is_json(const char *path)
{
    return cop_text_ends_in(path, ".jsonl") || cop_text_ends_in(path, ".ndjson") ||
           cop_text_ends_in(path, ".json");
}

bool cop_line_reader_had_newline(const cop_line_reader *r)
{
    return r->newline;
}

cop_status cop_line_reader_digest(cop_line_reader *r, char hex[COP_DIGEST_HEX_BYTES],
                                  cop_error *err)
{
    assert(r->ended && r->at == r->filled);
    return cop_digest_finish(r->digest, hex, err);
}

void cop_line_reader_destroy(cop_line_reader **reader)
{
    if (reader == NULL || *reader == NULL) return;
    cop_line_reader *const r = *reader;
    if (r->fd >= 0) (void)close(r->fd);
    cop_digest_destroy(&r->digest);
    cop_memory_free(r->own);
    cop_memory_free(r);
    *reader = NULL;
}
