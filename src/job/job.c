/* Job files: defaults, the file, overrides, in this order. */
#include "coppice/job/job.h"

#include "coppice/base/memory.h"
#include "job/job_guard.h"
#include "job/job_keys.h"
#include "job/job_parse.h"
#include "job/job_value.h"
#include "job/job_yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What has been read so far. */
typedef struct job_loader {
    cop_job *job;
    const char *directory;        /* of relative paths */
    bool given[COP_JOB_KEYS_MAX]; /* by file or override */
    /* Lines where this text has given the name, 0: it has not. */
    size_t key_lines[COP_JOB_KEYS_MAX];
    size_t section_lines[COP_JOB_SECTIONS_MAX];
    cop_fields pair_lines; /* entries of mappings that this text has given, and their lines */
} job_loader;

/* The group that `name` lies in, if a plain value may stand for it. */
static const cop_job_section *find_text_section(const char *name)
{
    const size_t length = (size_t)(strrchr(name, '.') == NULL ? 0 : strrchr(name, '.') - name);
    for (size_t i = 0; cop_job_section_at(i) != NULL; i++) {
        const cop_job_section *const section = cop_job_section_at(i);
        const bool inside = strlen(section->name) == length && length > 0 &&
                            strncmp(section->name, name, length) == 0;
        if (inside && section->stand_in != NULL) return section;
    }
    return NULL;
}

static cop_status fail_unknown(const char *name, cop_error *err)
{
    const char *const nearest = cop_job_key_nearest(name);
    const cop_job_shown shown = cop_job_show(name, strlen(name));
    const cop_job_section *const section = find_text_section(name);
    if (section != NULL) {
        return cop_error_set(
            err, COP_ERR_CONFIG,
            "unknown key \"%s\"; did you mean \"%s\", or a text for %s? One with "
            "braces or a colon needs quotes",
            shown.text, nearest == NULL ? section->stand_in : nearest, section->name);
    }
    if (nearest == NULL) {
        return cop_error_set(
            err, COP_ERR_CONFIG,
            "unknown key \"%s\"; 'coppice run --keys' lists those that there are", shown.text);
    }
    return cop_error_set(err, COP_ERR_CONFIG, "unknown key \"%s\"; did you mean \"%s\"?",
                         shown.text, nearest);
}

static cop_status mark_line(size_t *seen, const cop_job_entry *entry, cop_error *err)
{
    COP_CHECK(*seen == 0, err, COP_ERR_CONFIG, "%s is given twice, first in line %zu",
              entry->name, *seen);
    *seen = entry->line;
    return COP_OK;
}

static cop_status take_key(job_loader *loader, size_t index, const cop_job_entry *entry,
                           cop_error *err)
{
    const cop_job_key *const key = cop_job_key_at(index);
    COP_TRY(mark_line(&loader->key_lines[index], entry, err));
    loader->given[index] = true;
    /* Entries given one by one before stay beside those that follow. */
    if (key->type == COP_JOB_FIELDS && loader->pair_lines.count > 0 &&
        entry->shape == COP_JOB_GROUP)
        return COP_OK;
    if (key->type == COP_JOB_GUARDS)
        return cop_job_guards_set(&loader->job->guard, key, entry, loader->directory, err);
    return cop_job_value_set(loader->job, key, entry, loader->directory, err);
}

/* An entry of mapping `index`. */
static cop_status take_pair(job_loader *loader, size_t index, const cop_job_entry *entry,
                            cop_error *err)
{
    const cop_job_key *const key = cop_job_key_at(index);
    const char *const before = cop_fields_get(&loader->pair_lines, entry->name);
    char line[24];
    COP_CHECK(before == NULL, err, COP_ERR_CONFIG, "%s is given twice, first in line %s",
              cop_job_show(entry->name, strlen(entry->name)).text, before);
    (void)snprintf(line, sizeof line, "%zu", entry->line);
    COP_TRY(cop_fields_set(&loader->pair_lines, entry->name, line, err));
    loader->given[index] = true;
    return cop_job_value_set_pair(loader->job, key, entry->name + strlen(key->name) + 1, entry,
                                  err);
}

/* A group; nothing in its place is an empty one, and a value may stand for its main key. */
static cop_status take_section(job_loader *loader, size_t index, const cop_job_entry *entry,
                               cop_error *err)
{
    COP_TRY(mark_line(&loader->section_lines[index], entry, err));
    if (entry->shape == COP_JOB_GROUP) return COP_OK;
    if (entry->shape == COP_JOB_SCALAR && cop_job_item_is_null(&entry->items[0])) return COP_OK;
    const char *const stand_in = cop_job_section_at(index)->stand_in;
    COP_CHECK(stand_in != NULL, err, COP_ERR_CONFIG,
              "%s is a group of keys, not a value; indent its keys below \"%s:\", or write "
              "\"%s.KEY\"",
              entry->name, entry->name, entry->name);
    cop_job_entry renamed = *entry;
    renamed.name = stand_in;
    return take_key(loader, (size_t)cop_job_key_find(stand_in), &renamed, err);
}

static cop_status take_entry(void *context, const cop_job_entry *entry, cop_error *err)
{
    const int key = cop_job_key_find(entry->name);
    if (key >= 0) return take_key(context, (size_t)key, entry, err);
    const int section = cop_job_section_find(entry->name);
    if (section >= 0) return take_section(context, (size_t)section, entry, err);
    const int mapping = cop_job_mapping_find(entry->name);
    if (mapping >= 0) return take_pair(context, (size_t)mapping, entry, err);
    return fail_unknown(entry->name, err);
}

static void forget_lines(job_loader *loader)
{
    memset(loader->key_lines, 0, sizeof loader->key_lines);
    memset(loader->section_lines, 0, sizeof loader->section_lines);
    cop_fields_free(&loader->pair_lines);
}

static cop_status set_defaults(job_loader *loader, cop_error *err)
{
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        const cop_job_key *const key = cop_job_key_at(i);
        if (key->initial == NULL) continue;
        const cop_job_yaml yaml = {.text = key->initial,
                                   .length = strlen(key->initial),
                                   .name = key->name,
                                   .origin = "default"};
        COP_TRY(cop_job_yaml_read(&yaml, take_entry, loader, err));
    }
    memset(loader->given, 0, sizeof loader->given);
    return COP_OK;
}

cop_status cop_job_print_before(size_t index, cop_text *text, cop_error *err)
{
    const char *const before = cop_job_key_at(index)->before;
    if (before != NULL) return cop_text_append(text, before, strlen(before), err);
    cop_job *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    job_loader loader = {.job = made};
    cop_status status = set_defaults(&loader, err);
    if (status == COP_OK) status = cop_job_print_value(made, index, text, err);
    cop_fields_free(&loader.pair_lines);
    cop_job_destroy(&made);
    return status;
}

/* Applies "key=value". */
static cop_status apply_override(job_loader *loader, const char *override, cop_error *err)
{
    const char *const equals = strchr(override, '=');
    COP_CHECK(equals != NULL && equals > override, err, COP_ERR_USAGE,
              "-s %s: must be key=value, such as population.size=40", override);
    cop_text origin = {0};
    cop_status status = COP_OK;
    char *const name = cop_memory_copy_string(override, (size_t)(equals - override), err);
    if (name == NULL) return COP_ERR_MEMORY;
    COP_TRY_OUT(
        cop_text_format(&origin, err, "-s %s", cop_job_show(override, strlen(override)).text));
    const cop_job_yaml yaml = {
        .text = equals + 1, .length = strlen(equals + 1), .name = name, .origin = origin.data};
    forget_lines(loader);
    COP_TRY_OUT(cop_job_yaml_read(&yaml, take_entry, loader, err));
out:
    cop_text_free(&origin);
    cop_memory_free(name);
    return status;
}

static cop_status check_required(const job_loader *loader, const char *path, cop_error *err)
{
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        const cop_job_key *const key = cop_job_key_at(i);
        if (key->initial != NULL || loader->given[i]) continue;
        const char *const dot = strchr(key->name, '.');
        if (dot == NULL) {
            return cop_error_set(err, COP_ERR_CONFIG,
                                 "%s: missing key \"%s\"; add a line such as \"%s: %s\"", path,
                                 key->name, key->name, key->example);
        }
        return cop_error_set(
            err, COP_ERR_CONFIG,
            "%s: missing key \"%s\"; add a line such as \"%s: %s\" below \"%.*s:\"", path,
            key->name, dot + 1, key->example, (int)(dot - key->name), key->name);
    }
    return COP_OK;
}

/* The directory of a file, or the current one for NULL, in full: it stays right wherever the
 * run is continued from. */
static cop_status find_directory(const char *file, char **directory, cop_error *err)
{
    const char *const slash = file == NULL ? NULL : strrchr(file, '/');
    char *const name = slash == NULL
                           ? cop_memory_copy_string(".", 1, err)
                           : cop_memory_copy_string(file, (size_t)(slash - file) + 1, err);
    if (name == NULL) return COP_ERR_MEMORY;
    char *const resolved = realpath(name, NULL);
    cop_status status = COP_OK;
    if (resolved == NULL) {
        status = cop_error_set(err, COP_ERR_IO, "%s: cannot resolve the directory: %s", name,
                               strerror(errno));
    } else {
        *directory = cop_memory_copy_string(resolved, strlen(resolved), err);
        if (*directory == NULL) status = COP_ERR_MEMORY;
    }
    free(resolved);
    cop_memory_free(name);
    return status;
}

static cop_status fill(job_loader *loader, const cop_job_source *source,
                       const char *const *overrides, size_t override_count, cop_error *err)
{
    char *directory = NULL;
    cop_status status = COP_OK;
    const cop_job_yaml yaml = {.text = source->text,
                               .length = source->length,
                               .name = "",
                               .origin = source->path,
                               .has_lines = true};
    COP_TRY_OUT(set_defaults(loader, err));
    COP_TRY_OUT(find_directory(source->path, &directory, err));
    loader->directory = directory;
    forget_lines(loader);
    COP_TRY_OUT(cop_job_yaml_read(&yaml, take_entry, loader, err));

    cop_memory_free(directory);
    directory = NULL;
    COP_TRY_OUT(find_directory(NULL, &directory, err));
    loader->directory = directory;
    for (size_t i = 0; i < override_count; i++) {
        COP_TRY_OUT(apply_override(loader, overrides[i], err));
    }
    COP_TRY_OUT(check_required(loader, source->path, err));
out:
    cop_memory_free(directory);
    return status;
}

cop_status cop_job_parse(const cop_job_source *source, const char *const *overrides,
                         size_t override_count, cop_job **job, cop_error *err)
{
    *job = NULL;
    cop_job *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    job_loader loader = {.job = made};
    cop_status status = COP_OK;
    COP_TRY_OUT(fill(&loader, source, overrides, override_count, err));
    made->source = cop_memory_copy_string(source->text, source->length, err);
    made->path = cop_memory_copy_string(source->path, strlen(source->path), err);
    if (made->source == NULL || made->path == NULL) {
        status = COP_ERR_MEMORY;
        goto out;
    }
    *job = made;
    made = NULL;
out:
    cop_fields_free(&loader.pair_lines);
    cop_job_destroy(&made);
    return status;
}

cop_status cop_job_load(const char *path, const char *const *overrides, size_t override_count,
                        cop_job **job, cop_error *err)
{
    *job = NULL;
    cop_text text = {0};
    cop_status status = cop_text_read_file(&text, path, COP_JOB_MOST_BYTES, err);
    if (status == COP_OK) {
        const cop_job_source source = {.text = text.data, .length = text.length, .path = path};
        status = cop_job_parse(&source, overrides, override_count, job, err);
    }
    cop_text_free(&text);
    return status;
}

cop_status cop_job_restore(const char *origin, const char *const *values, size_t count,
                           cop_job **job, cop_error *err)
{
    static const char nothing[] = "{}\n";
    const cop_job_source source = {
        .text = nothing, .length = sizeof nothing - 1, .path = origin};
    return cop_job_parse(&source, values, count, job, err);
}

void cop_job_destroy(cop_job **job)
{
    if (job == NULL || *job == NULL) return;
    for (size_t i = 0; i < cop_job_key_count(); i++)
        cop_job_value_free(*job, cop_job_key_at(i));
    cop_job_guards_free(&(*job)->guard);
    cop_memory_free((*job)->source);
    cop_memory_free((*job)->path);
    cop_memory_free(*job);
    *job = NULL;
}
