#include "job/job_yaml.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <string.h>
#include <yaml.h>

enum { MOST_DEPTH = 8 };

typedef struct yaml_reader {
    yaml_parser_t parser;
    const cop_job_yaml *yaml;
    cop_job_take take;
    void *context;
    size_t line; /* of the last event or entry, from 1 */
} yaml_reader;

/* An entry being read, with the memory behind it. */
typedef struct entry_draft {
    cop_job_entry entry;
    size_t capacity; /* of entry.items */
} entry_draft;

cop_job_shown cop_job_show(const char *text, size_t length)
{
    enum { MOST = sizeof((cop_job_shown *)0)->text - sizeof "..." };
    cop_job_shown shown = {{0}};
    size_t keep = length < MOST ? length : MOST;
    /* Not within a UTF-8 sequence. */
    while (keep > 0 && keep < length && ((unsigned char)text[keep] & 0xc0U) == 0x80U)
        keep--;
    for (size_t i = 0; i < keep; i++) {
        const unsigned char byte = (unsigned char)text[i];
        shown.text[i] = byte == '\n' || byte == '\t' ? ' '
                        : byte < 32 || byte == 127   ? '?'
                                                     : text[i];
    }
    memcpy(shown.text + keep, keep < length ? "..." : "", keep < length ? sizeof "..." : 1);
    return shown;
}

bool cop_job_item_is_null(const cop_job_item *item)
{
    return !item->quoted &&
           (item->length == 0 || strcmp(item->text, "~") == 0 ||
            strcmp(item->text, "null") == 0 || strcmp(item->text, "Null") == 0 ||
            strcmp(item->text, "NULL") == 0);
}

static void draft_free(entry_draft *draft)
{
    for (size_t i = 0; i < draft->entry.count; i++) {
        cop_memory_free(draft->entry.items[i].text);
        cop_memory_free(draft->entry.items[i].name);
    }
    cop_memory_free(draft->entry.items);
}

/* True if the indentation of line `line` (from 1) has a tab. */
static bool is_indented_by_tab(const cop_job_yaml *yaml, size_t line)
{
    const char *at = yaml->text;
    const char *const end = yaml->text + yaml->length;
    for (size_t i = 1; i < line && at < end; i++) {
        const char *const newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == NULL ? end : newline + 1;
    }
    while (at < end && *at == ' ')
        at++;
    return at < end && *at == '\t';
}

/* The parser's complaint as an error. */
static cop_status fail_syntax(yaml_reader *reader, cop_error *err)
{
    const yaml_parser_t *const parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return cop_error_set(err, COP_ERR_MEMORY, "no memory to parse it");
    }
    const char *const problem = parser->problem == NULL ? "not YAML" : parser->problem;
    if (parser->error == YAML_READER_ERROR) {
        size_t line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < reader->yaml->length; i++) {
            line += reader->yaml->text[i] == '\n';
        }
        reader->line = line;
        return cop_error_set(err, COP_ERR_CONFIG, "not valid YAML: %s", problem);
    }
    reader->line = parser->problem_mark.line + 1;
    return cop_error_set(
        err, COP_ERR_CONFIG, "not valid YAML: %s (column %zu)%s", problem,
        parser->problem_mark.column + 1,
        is_indented_by_tab(reader->yaml, reader->line) ? "; indent with spaces, not tabs" : "");
}

/* Refuses what a job file has no use for. */
static cop_status check_event(const yaml_event_t *event, cop_error *err)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    COP_CHECK(
        anchor == NULL && event->type != YAML_ALIAS_EVENT, err, COP_ERR_CONFIG,
        "anchors (&name) and aliases (*name) are not supported; write the value out, or put "
        "text that begins with & or * in quotes");
    COP_CHECK(tag == NULL, err, COP_ERR_CONFIG,
              "tags are not supported; put text that begins with ! in quotes");
    return COP_OK;
}

/* On COP_OK *event is the caller's to delete. */
static cop_status next_event(yaml_reader *reader, yaml_event_t *event, cop_error *err)
{
    if (yaml_parser_parse(&reader->parser, event) == 0) return fail_syntax(reader, err);
    reader->line = event->start_mark.line + 1;
    const cop_status status = check_event(event, err);
    if (status != COP_OK) yaml_event_delete(event);
    return status;
}

static cop_status add_item(entry_draft *draft, const yaml_event_t *event, cop_error *err)
{
    cop_job_entry *const entry = &draft->entry;
    COP_GROW(entry->items, draft->capacity, entry->count + 1, err);
    const char *const text = (const char *)event->data.scalar.value;
    const size_t length = event->data.scalar.length;
    COP_CHECK(memchr(text, '\0', length) == NULL, err, COP_ERR_CONFIG,
              "%s: a text must not have a NUL character", entry->name);
    cop_job_item *const item = &entry->items[entry->count];
    *item = (cop_job_item){.of = entry->records};
    item->text = cop_memory_copy_string(text, length, err);
    if (item->text == NULL) return COP_ERR_MEMORY;
    item->length = length;
    item->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    entry->count++;
    return COP_OK;
}

static cop_status fail_list(const entry_draft *draft, cop_error *err)
{
    return cop_error_set(err, COP_ERR_CONFIG,
                         "%s: a list holds plain values, not lists or mappings (text "
                         "with a colon or brackets needs quotes)",
                         cop_job_show(draft->entry.name, strlen(draft->entry.name)).text);
}

/* Adds the value of a key of a mapping in a list. */
static cop_status add_named(yaml_reader *reader, entry_draft *draft, const yaml_event_t *key,
                            cop_error *err)
{
    yaml_event_t value;
    if (key->type != YAML_SCALAR_EVENT) return fail_list(draft, err);
    char *name = cop_memory_copy_string((const char *)key->data.scalar.value,
                                        key->data.scalar.length, err);
    if (name == NULL) return COP_ERR_MEMORY;
    cop_status status = next_event(reader, &value, err);
    if (status == COP_OK) {
        status = value.type == YAML_SCALAR_EVENT ? add_item(draft, &value, err)
                                                 : fail_list(draft, err);
        yaml_event_delete(&value);
    }
    if (status == COP_OK) {
        draft->entry.items[draft->entry.count - 1].name = name;
        name = NULL;
    }
    cop_memory_free(name);
    return status;
}

/* Reads a mapping in a list up to its end. */
static cop_status read_record(yaml_reader *reader, entry_draft *draft, cop_error *err)
{
    for (;;) {
        yaml_event_t event;
        COP_TRY(next_event(reader, &event, err));
        const bool at_end = event.type == YAML_MAPPING_END_EVENT;
        const cop_status status = at_end ? COP_OK : add_named(reader, draft, &event, err);
        yaml_event_delete(&event);
        if (status != COP_OK) return status;
        if (at_end) break;
    }
    draft->entry.records++;
    return COP_OK;
}

/* Reads the items of a list up to its end: plain values, or mappings of such. */
static cop_status read_items(yaml_reader *reader, entry_draft *draft, cop_error *err)
{
    for (bool first = true;; first = false) {
        yaml_event_t event;
        COP_TRY(next_event(reader, &event, err));
        const yaml_event_type_t type = event.type;
        const bool record = type == YAML_MAPPING_START_EVENT;
        cop_status status = COP_OK;
        if (record && first) draft->entry.shape = COP_JOB_RECORDS;
        const bool records = draft->entry.shape == COP_JOB_RECORDS;
        if (record && records) {
            status = read_record(reader, draft, err);
        } else if (type == YAML_SCALAR_EVENT && !records) {
            status = add_item(draft, &event, err);
        } else if (type != YAML_SEQUENCE_END_EVENT) {
            status = fail_list(draft, err);
        }
        yaml_event_delete(&event);
        if (status != COP_OK || type == YAML_SEQUENCE_END_EVENT) return status;
    }
}

static cop_status read_mapping(yaml_reader *reader, const char *name, size_t depth,
                               cop_error *err);

/* Reads the value that begins with *event and hands it on. */
static cop_status read_value(yaml_reader *reader, const yaml_event_t *event, const char *name,
                             size_t depth, cop_error *err)
{
    entry_draft draft = {.entry = {.name = name, .shape = COP_JOB_GROUP, .line = reader->line}};
    const size_t line = reader->line;
    cop_status status = COP_OK;
    if (event->type == YAML_SCALAR_EVENT) {
        draft.entry.shape = COP_JOB_SCALAR;
        COP_TRY_OUT(add_item(&draft, event, err));
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        draft.entry.shape = COP_JOB_LIST;
        COP_TRY_OUT(read_items(reader, &draft, err));
    }
    reader->line = line;
    COP_TRY_OUT(reader->take(reader->context, &draft.entry, err));
    if (event->type == YAML_MAPPING_START_EVENT) {
        COP_TRY_OUT(read_mapping(reader, name, depth, err));
    }
out:
    draft_free(&draft);
    return status;
}

/* Dotted name of the key in *event below `parent`. */
static cop_status join_name(const yaml_event_t *event, const char *parent, cop_text *name,
                            cop_error *err)
{
    COP_CHECK(event->type == YAML_SCALAR_EVENT, err, COP_ERR_CONFIG,
              "a key must be a word, not a list or mapping");
    const char *const key = (const char *)event->data.scalar.value;
    COP_CHECK(event->data.scalar.length > 0 && strlen(key) == event->data.scalar.length, err,
              COP_ERR_CONFIG, "a key must not be empty or have a NUL character");
    return cop_text_format(name, err, "%s%s%s", parent, parent[0] == '\0' ? "" : ".", key);
}

/* Reads the keys of a mapping up to its end. */
static cop_status read_mapping(yaml_reader *reader, const char *name, size_t depth,
                               cop_error *err)
{
    COP_CHECK(depth < MOST_DEPTH, err, COP_ERR_CONFIG, "%s: nested too deeply",
              cop_job_show(name, strlen(name)).text);
    for (;;) {
        yaml_event_t event;
        cop_text full = {0};
        COP_TRY(next_event(reader, &event, err));
        const bool at_end = event.type == YAML_MAPPING_END_EVENT;
        cop_status status = at_end ? COP_OK : join_name(&event, name, &full, err);
        yaml_event_delete(&event);
        if (!at_end && status == COP_OK) {
            const size_t line = reader->line;
            status = next_event(reader, &event, err);
            if (status == COP_OK) {
                reader->line = line;
                status = read_value(reader, &event, full.data, depth + 1, err);
                yaml_event_delete(&event);
            }
        }
        cop_text_free(&full);
        if (at_end || status != COP_OK) return status;
    }
}

/* Reads the only document's root, of which *event is the beginning. */
static cop_status read_root(yaml_reader *reader, const yaml_event_t *event, cop_error *err)
{
    const char *const name = reader->yaml->name;
    if (name[0] != '\0') return read_value(reader, event, name, 0, err);
    COP_CHECK(event->type == YAML_MAPPING_START_EVENT, err, COP_ERR_CONFIG,
              "a job file is a mapping of keys to values, such as \"model: path\"");
    return read_mapping(reader, name, 0, err);
}

/* A text without a document: no keys, or no value. */
static cop_status take_nothing(yaml_reader *reader, cop_error *err)
{
    char empty[] = "";
    cop_job_item item = {.text = empty};
    const cop_job_entry entry = {.name = reader->yaml->name,
                                 .shape = COP_JOB_SCALAR,
                                 .items = &item,
                                 .count = 1,
                                 .line = 1};
    reader->line = 1;
    return entry.name[0] == '\0' ? COP_OK : reader->take(reader->context, &entry, err);
}

static cop_status read_stream(yaml_reader *reader, cop_error *err)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        COP_TRY(next_event(reader, &event, err));
        const yaml_event_type_t type = event.type;
        cop_status status = COP_OK;
        if (type == YAML_DOCUMENT_START_EVENT) {
            if (seen) {
                status = cop_error_set(err, COP_ERR_CONFIG,
                                       "a second YAML document (---); there must be one only");
            }
            seen = true;
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                   type != YAML_DOCUMENT_END_EVENT) {
            status = read_root(reader, &event, err);
        }
        yaml_event_delete(&event);
        if (status != COP_OK) return status;
        if (type == YAML_STREAM_END_EVENT) return seen ? COP_OK : take_nothing(reader, err);
    }
}

cop_status cop_job_yaml_read(const cop_job_yaml *yaml, cop_job_take take, void *context,
                             cop_error *err)
{
    yaml_reader reader = {.yaml = yaml, .take = take, .context = context};
    const bool is_marked = yaml->length >= 3 && memcmp(yaml->text, "\xef\xbb\xbf", 3) == 0;
    const size_t mark = is_marked ? 3 : 0; /* byte order mark: would count as indentation */
    COP_CHECK(yaml_parser_initialize(&reader.parser) != 0, err, COP_ERR_MEMORY,
              "%s: no memory to parse it", yaml->origin);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)yaml->text + mark,
                                 yaml->length - mark);
    const cop_status status = read_stream(&reader, err);
    yaml_parser_delete(&reader.parser);
    if (status != COP_OK && yaml->has_lines && reader.line > 0) {
        (void)cop_error_prefix(err, "%s:%zu", yaml->origin, reader.line);
    } else if (status != COP_OK) {
        (void)cop_error_prefix(err, "%s", yaml->origin);
    }
    return status;
}
