#include "report/run_file.h"

#include "coppice/base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- opening --- */

cop_status cop_run_file_open(const char *path, char **file, cop_store **store, cop_text *note,
                             cop_error *err)
{
    struct stat info;
    bool previous = false;
    cop_error why = {0};
    *store = NULL;
    *file = stat(path, &info) == 0 && S_ISDIR(info.st_mode)
                ? cop_text_join_path(path, "run.h5", err)
                : cop_memory_copy_string(path, strlen(path), err);
    if (*file == NULL) return COP_ERR_MEMORY;
    COP_TRY(cop_store_read_latest(*file, store, &previous, &why, err));
    COP_CHECK(*store != NULL, err, COP_ERR_FORMAT, "%s: there is no run file", *file);
    if (!previous || note == NULL) return COP_OK;
    return cop_text_format(note, err, "note: %s; this is the generation before it\n",
                           why.message);
}

/* --- single values and lists --- */

double cop_run_file_number(const cop_store *store, const char *group, const char *name)
{
    char path[192];
    double value = 0;
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    (void)cop_store_get_f64(store, path, &value);
    return value;
}

bool cop_run_file_is_on_reward(const cop_store *store)
{
    const char *const on = cop_store_get_text(store, "/gate/on");
    return on != NULL && strcmp(on, "reward") == 0;
}

const cop_store_array *cop_run_file_column(const cop_store *store, const char *path,
                                           cop_store_type type, size_t count)
{
    const cop_store_array *const array = cop_store_get(store, path);
    return array != NULL && array->rank == 1 && array->type == type && array->shape[0] >= count
               ? array
               : NULL;
}

/* --- JSON --- */

static json_t *element_json(const cop_store_array *array, size_t i)
{
    switch (array->type) {
    case COP_STORE_F32:
        return json_real((double)((const float *)array->data)[i]);
    case COP_STORE_F64:
        return json_real(((const double *)array->data)[i]);
    case COP_STORE_I64:
        return json_integer(((const int64_t *)array->data)[i]);
    case COP_STORE_U64: {
        /* A JSON number does not hold all of them. */
        char text[32];
        (void)snprintf(text, sizeof text, "%llu",
                       (unsigned long long)((const uint64_t *)array->data)[i]);
        return json_string(text);
    }
    case COP_STORE_U8:
        return json_integer(((const uint8_t *)array->data)[i]);
    case COP_STORE_TEXT:
        return json_string(((const char *const *)array->data)[i]);
    }
    return NULL;
}

/* Dense arrays as nested lists. */
static json_t *array_json(const cop_store_array *array, int dimension, size_t *at)
{
    if (dimension == array->rank) {
        json_t *const value = element_json(array, (*at)++);
        return value != NULL ? value : json_null();
    }
    json_t *const list = json_array();
    for (uint64_t i = 0; i < array->shape[dimension]; i++) {
        (void)json_array_append_new(list, array_json(array, dimension + 1, at));
    }
    return list;
}

/* The object for the group of `path` within `root`, made as needed, and the name in it. */
static json_t *object_at(json_t *root, const char *path, const char **leaf)
{
    json_t *group = root;
    const char *at = path + 1;
    for (const char *slash = strchr(at, '/'); slash != NULL; slash = strchr(at, '/')) {
        char name[128];
        (void)snprintf(name, sizeof name, "%.*s", (int)(slash - at), at);
        json_t *next = json_object_get(group, name);
        if (next == NULL) {
            next = json_object();
            (void)json_object_set_new(group, name, next);
        }
        group = next;
        at = slash + 1;
    }
    *leaf = at;
    return group;
}

cop_status cop_run_file_json(const cop_store *store, const char *group, int digits,
                             cop_text *text, cop_error *err)
{
    json_t *const root = json_object();
    const size_t length = strlen(group);
    for (size_t i = 0; i < cop_store_count(store); i++) {
        const char *const path = cop_store_path_at(store, i);
        if (strncmp(path, group, length) != 0 || path[length] != '/') continue;
        const char *leaf = NULL;
        json_t *const at = object_at(root, path + length, &leaf);
        size_t element = 0;
        (void)json_object_set_new(at, leaf,
                                  array_json(cop_store_get(store, path), 0, &element));
    }
    const size_t format =
        JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION((size_t)digits);
    char *const dump = root == NULL ? NULL : json_dumps(root, format);
    json_decref(root);
    COP_CHECK(dump != NULL, err, COP_ERR_MEMORY, "no memory for the JSON of a run file");
    const cop_status status = cop_text_format(text, err, "%s\n", dump);
    free(dump);
    return status;
}
