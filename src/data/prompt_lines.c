/* Prompts of a file, as a data set of one field. */
#include "coppice/data/prompt_lines.h"

#include "coppice/base/text.h"
#include "coppice/json/json.h"
#include "data/dataset_parse.h"
#include "data/line_reader.h"

#include <stdlib.h>
#include <string.h>

static const size_t most_bytes = (size_t)64 << 20;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A line [length] as an object; an empty one stays, so that lines are counted as in the file.
 */
static cop_status append_line(const char *line, size_t length, cop_text *lines, cop_error *err)
{
    while (length > 0 && is_blank(line[length - 1]))
        length--;
    while (length > 0 && is_blank(*line)) {
        line++;
        length--;
    }
    if (length == 0) return cop_text_append(lines, "\n", 1, err);
    COP_CHECK(memchr(line, '\0', length) == NULL, err, COP_ERR_FORMAT,
              "a zero character; not a text file?");
    json_t *const object = json_pack("{s:o}", "prompt", json_stringn(line, length));
    COP_CHECK(object != NULL, err, COP_ERR_FORMAT, "not a text in UTF-8");
    char *const text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    COP_CHECK(text != NULL, err, COP_ERR_MEMORY, "no memory for a prompt");
    const cop_status status = cop_text_format(lines, err, "%s\n", text);
    free(text);
    return status;
}

static cop_status load_plain(const char *path, cop_dataset **dataset, cop_error *err)
{
    cop_text text = {0};
    cop_text lines = {0};
    size_t number = 0;
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_text_read_file(&text, path, most_bytes, err));
    const char *at = text.data;
    size_t left = text.length;
    if (left > 0) cop_json_skip_mark(&at, &left);
    while (left > 0) {
        const char *const stop = memchr(at, '\n', left);
        const size_t length = stop != NULL ? (size_t)(stop - at) : left;
        number++;
        if (append_line(at, length, &lines, err) != COP_OK) {
            status = cop_error_prefix(err, "%s:%zu", path, number);
            goto out;
        }
        at += length + (stop != NULL);
        left -= length + (stop != NULL);
    }
    COP_TRY_OUT(cop_dataset_parse(lines.data != NULL ? lines.data : "", lines.length, path,
                                  dataset, err));
out:
    cop_text_free(&text);
    cop_text_free(&lines);
    return status;
}

/* Called with every line of JSON. */
static cop_status check_prompt(void *context, size_t index, json_t *example, cop_error *err)
{
    (void)context;
    (void)index;
    const json_t *const prompt = json_object_get(example, "prompt");
    COP_CHECK(cop_json_is_text(prompt) && json_string_length(prompt) > 0, err, COP_ERR_FORMAT,
              "it needs a field \"prompt\": a string, not empty and without a zero character");
    return COP_OK;
}

cop_status cop_prompt_lines_load(const char *path, cop_dataset **dataset, cop_error *err)
{
    static const cop_dataset_options checked = {.edit = check_prompt};
    *dataset = NULL;
    return cop_line_reader_is_json(path) ? cop_dataset_load(path, &checked, dataset, err)
                                         : load_plain(path, dataset, err);
}
