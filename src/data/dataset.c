/* Data sets are read as a stream, a line at a time, so that only those examples take memory
 * that somebody asks for: the ranks of a node share the file in the system's cache. */
#include "coppice/data/dataset.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/json/json.h"
#include "data/dataset_parse.h"
#include "data/line_reader.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* No model reads a prompt of this size: such a line is an accident, said before it is parsed.
 */
static const size_t max_line_bytes = (size_t)16 << 20;

struct cop_dataset {
    json_t **examples; /* [count], owned; NULL: not wanted */
    size_t count;
    size_t capacity;
    char digest[COP_DIGEST_HEX_BYTES];
};

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
    }
    return true;
}

/* Parses one line, without its newline; *example is owned by the caller. */
static cop_status parse_line(const char *line, size_t length, json_t **example, cop_error *err)
{
    const char *const nul = memchr(line, '\0', length);
    COP_CHECK(nul == NULL, err, COP_ERR_FORMAT, "a NUL byte in column %zu; not a text file?",
              (size_t)(nul - line) + 1);
    cop_error why = {0};
    const cop_status status = cop_json_read(line, length, COP_JSON_LINE, example, &why);
    COP_CHECK(status == COP_OK, err, status, "%s%s", why.message,
              status == COP_ERR_FORMAT
                  ? "; each line must be a JSON object, {\"field\": value, ...}"
                  : "");
    if (json_is_object(*example)) return COP_OK;
    json_decref(*example);
    *example = NULL;
    return cop_error_set(err, COP_ERR_FORMAT,
                         "not a JSON object; each line must be one, {\"field\": value, ...}");
}

/* What is done with the lines that are not blank; `index` counts them. */
typedef struct line_user {
    cop_status (*use)(void *context, size_t index, const char *line, size_t length,
                      cop_error *err);
    void *context;
    size_t limit; /* lines to read; 0: all */
} line_user;

static cop_status use_lines(cop_line_reader *reader, const char *origin, const line_user *user,
                            cop_error *err)
{
    size_t index = 0;
    for (size_t number = 1; user->limit == 0 || index < user->limit; number++) {
        const char *line = NULL;
        size_t length = 0;
        cop_status status = cop_line_reader_next(reader, &line, &length, err);
        if (status == COP_OK && line == NULL) break;
        if (status == COP_OK && number == 1) cop_json_skip_mark(&line, &length);
        if (status == COP_OK && is_blank(line, length)) continue;
        if (status == COP_OK) status = user->use(user->context, index++, line, length, err);
        if (status != COP_OK) return cop_error_prefix(err, "%s:%zu", origin, number);
    }
    COP_CHECK(index > 0, err, COP_ERR_FORMAT, "%s: has no examples", origin);
    return COP_OK;
}

/* --- reading what is kept --- */

typedef struct keeper {
    cop_dataset *dataset;
    const cop_dataset_options *options;
} keeper;

static cop_status keep_line(void *context, size_t index, const char *line, size_t length,
                            cop_error *err)
{
    const keeper *const self = context;
    cop_dataset *const dataset = self->dataset;
    const bool *const wanted = self->options->wanted;
    COP_CHECK(wanted == NULL || index < self->options->wanted_count, err, COP_ERR_FORMAT,
              "the file has grown while it was read");
    COP_GROW(dataset->examples, dataset->capacity, dataset->count + 1, err);
    json_t **const example = &dataset->examples[dataset->count++];
    *example = NULL;
    if (wanted != NULL && !wanted[index]) return COP_OK;
    COP_TRY(parse_line(line, length, example, err));
    if (self->options->edit == NULL) return COP_OK;
    return self->options->edit(self->options->context, index, *example, err);
}

static cop_status read_kept(cop_line_reader *reader, const char *origin,
                            const cop_dataset_options *options, cop_dataset **dataset,
                            cop_error *err)
{
    static const cop_dataset_options everything = {0};
    cop_dataset *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    keeper self = {.dataset = made, .options = options == NULL ? &everything : options};
    const line_user user = {.use = keep_line, .context = &self, .limit = self.options->limit};
    cop_status status = use_lines(reader, origin, &user, err);
    if (status == COP_OK && self.options->wanted != NULL &&
        made->count != self.options->wanted_count) {
        status = cop_error_set(err, COP_ERR_FORMAT, "%s: the file has shrunk while it was read",
                               origin);
    }
    if (status == COP_OK && user.limit == 0)
        status = cop_line_reader_digest(reader, made->digest, err);
    if (status != COP_OK) cop_dataset_destroy(&made);
    *dataset = made;
    return status;
}

cop_status cop_dataset_parse(const char *bytes, size_t length, const char *origin,
                             cop_dataset **dataset, cop_error *err)
{
    *dataset = NULL;
    cop_line_reader *reader = NULL;
    COP_TRY(cop_line_reader_create(bytes, length, max_line_bytes, &reader, err));
    const cop_status status = read_kept(reader, origin, NULL, dataset, err);
    cop_line_reader_destroy(&reader);
    return status;
}

cop_status cop_dataset_load(const char *path, const cop_dataset_options *options,
                            cop_dataset **dataset, cop_error *err)
{
    *dataset = NULL;
    cop_line_reader *reader = NULL;
    COP_TRY(cop_line_reader_open(path, max_line_bytes, &reader, err));
    const cop_status status = read_kept(reader, path, options, dataset, err);
    cop_line_reader_destroy(&reader);
    return status;
}

/* --- looking at every example once --- */

typedef struct visitor {
    cop_dataset_visit visit;
    void *context;
    size_t count;
} visitor;

static cop_status visit_line(void *context, size_t index, const char *line, size_t length,
                             cop_error *err)
{
    visitor *const self = context;
    json_t *example = NULL;
    COP_TRY(parse_line(line, length, &example, err));
    const cop_status status = self->visit(self->context, index, example, err);
    json_decref(example);
    self->count = index + 1;
    return status;
}

cop_status cop_dataset_scan(const char *path, cop_dataset_visit visit, void *context,
                            size_t *count, cop_error *err)
{
    cop_line_reader *reader = NULL;
    visitor self = {.visit = visit, .context = context};
    const line_user user = {.use = visit_line, .context = &self};
    COP_TRY(cop_line_reader_open(path, max_line_bytes, &reader, err));
    const cop_status status = use_lines(reader, path, &user, err);
    cop_line_reader_destroy(&reader);
    *count = self.count;
    return status;
}

/* --- the examples --- */

size_t cop_dataset_count(const cop_dataset *dataset)
{
    return dataset->count;
}

const json_t *cop_dataset_at(const cop_dataset *dataset, size_t index)
{
    assert(index < dataset->count);
    return dataset->examples[index];
}

const char *cop_dataset_digest(const cop_dataset *dataset)
{
    return dataset->digest;
}

void cop_dataset_destroy(cop_dataset **dataset)
{
    if (dataset == NULL || *dataset == NULL) return;
    for (size_t i = 0; i < (*dataset)->count; i++)
        json_decref((*dataset)->examples[i]);
    cop_memory_free((*dataset)->examples);
    cop_memory_free(*dataset);
    *dataset = NULL;
}
