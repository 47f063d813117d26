/* Plain text: read a line at a time, so that what is wrong with it has a line's number. */
#include "coppice/data/passages.h"

#include "coppice/base/memory.h"
#include "coppice/data/dataset.h"
#include "coppice/json/json.h"
#include "coppice/unicode/unicode.h"
#include "data/line_reader.h"

#include <stdbool.h>
#include <string.h>

static const size_t max_line_bytes = (size_t)16 << 20;

/* What was appended since the last call is a passage. */
static cop_status end_passage(cop_passages *p, cop_error *err)
{
    COP_GROW(p->start, p->capacity, p->count + 2, err);
    if (p->count == 0) p->start[0] = 0;
    p->start[++p->count] = p->text.length;
    return COP_OK;
}

/* --- JSON lines --- */

cop_status cop_passage_of(const json_t *example, const char **text, size_t *length,
                          cop_error *err)
{
    const json_t *const field = json_object_get(example, "text");
    COP_CHECK(field != NULL, err, COP_ERR_FORMAT, "it has no field \"text\"");
    COP_CHECK(json_is_string(field) && json_string_length(field) > 0, err, COP_ERR_FORMAT,
              "\"text\" must be a string that is not empty");
    *text = json_string_value(field);
    *length = json_string_length(field);
    return COP_OK;
}

static cop_status take_example(void *context, size_t index, json_t *example, cop_error *err)
{
    cop_passages *const p = context;
    const char *text = NULL;
    size_t length = 0;
    (void)index;
    COP_TRY(cop_passage_of(example, &text, &length, err));
    COP_TRY(cop_text_append(&p->text, text, length, err));
    return end_passage(p, err);
}

/* --- text as it is --- */

/* Appends the next line as it is, with its newline. */
static cop_status take_line(cop_passages *p, cop_line_reader *reader, bool first, bool *more,
                            cop_error *err)
{
    const char *line = NULL;
    size_t length = 0;
    COP_TRY(cop_line_reader_next(reader, &line, &length, err));
    *more = line != NULL;
    if (!*more) return COP_OK;
    if (first) cop_json_skip_mark(&line, &length);
    COP_CHECK(memchr(line, '\0', length) == NULL, err, COP_ERR_FORMAT,
              "a NUL byte; not a text file?");
    COP_CHECK(cop_unicode_is_valid(line, length), err, COP_ERR_FORMAT,
              "not text in UTF-8; convert it, for example by iconv -t UTF-8");
    COP_TRY(cop_text_append(&p->text, line, length, err));
    return cop_text_append(&p->text, "\n", cop_line_reader_had_newline(reader) ? 1 : 0, err);
}

static cop_status take_text(const char *path, cop_passages *p, cop_error *err)
{
    cop_line_reader *reader = NULL;
    cop_status status = COP_OK;
    bool more = true;
    COP_TRY(cop_line_reader_open(path, max_line_bytes, &reader, err));
    for (size_t number = 1; more && status == COP_OK; number++) {
        status = take_line(p, reader, number == 1, &more, err);
        if (status != COP_OK) status = cop_error_prefix(err, "%s:%zu", path, number);
    }
    cop_line_reader_destroy(&reader);
    if (status == COP_OK && p->text.length == 0)
        status = cop_error_set(err, COP_ERR_FORMAT, "%s: the file is empty", path);
    return status == COP_OK ? end_passage(p, err) : status;
}

cop_status cop_passages_load(const char *path, cop_passages *passages, cop_error *err)
{
    size_t count = 0;
    *passages = (cop_passages){0};
    const cop_status status = cop_line_reader_is_json(path)
                                  ? cop_dataset_scan(path, take_example, passages, &count, err)
                                  : take_text(path, passages, err);
    if (status != COP_OK) cop_passages_free(passages);
    return status;
}

void cop_passages_free(cop_passages *passages)
{
    cop_text_free(&passages->text);
    cop_memory_free(passages->start);
    *passages = (cop_passages){0};
}
