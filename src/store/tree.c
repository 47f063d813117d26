#include "store/tree.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

size_t cop_store_element_bytes(cop_store_type type)
{
    switch (type) {
    case COP_STORE_F32:
        return 4;
    case COP_STORE_F64:
    case COP_STORE_I64:
    case COP_STORE_U64:
        return 8;
    case COP_STORE_U8:
        return 1;
    case COP_STORE_TEXT:
        return sizeof(char *);
    }
    return 0;
}

cop_status cop_store_array_size(const cop_store_array *array, size_t *count, size_t *bytes,
                                cop_error *err)
{
    const size_t element = cop_store_element_bytes(array->type);
    COP_CHECK(element > 0, err, COP_ERR_INTERNAL, "array of unknown type %d", (int)array->type);
    COP_CHECK(array->rank >= 0 && array->rank <= COP_STORE_MAX_RANK, err, COP_ERR_INTERNAL,
              "array of rank %d; at most %d", array->rank, (int)COP_STORE_MAX_RANK);
    bool fits = true;
    *count = 1;
    for (int d = 0; d < array->rank; d++) {
        fits = fits && cop_memory_multiply(*count, (size_t)array->shape[d], count);
    }
    COP_CHECK(fits && cop_memory_multiply(*count, element, bytes), err, COP_ERR_MEMORY,
              "array larger than can be addressed");
    return COP_OK;
}

/* Absolute, and every component something that HDF5 takes as a plain name. */
static cop_status check_path(const char *path, cop_error *err)
{
    const size_t length = path == NULL ? 0 : strlen(path);
    COP_CHECK(length > 1 && path[0] == '/', err, COP_ERR_INTERNAL,
              "store path '%s' is not absolute", path == NULL ? "(null)" : path);
    COP_CHECK(length <= COP_STORE_MAX_PATH, err, COP_ERR_INTERNAL,
              "store path of %zu bytes; at most %d", length, (int)COP_STORE_MAX_PATH);
    int depth = 0;
    for (const char *slash = path; *slash == '/';) {
        const char *const name = slash + 1;
        const size_t bytes = strcspn(name, "/");
        const bool dots =
            (bytes == 1 && name[0] == '.') || (bytes == 2 && name[0] == '.' && name[1] == '.');
        COP_CHECK(bytes > 0 && !dots, err, COP_ERR_INTERNAL,
                  "store path '%s' has the component '%.*s'", path, (int)bytes, name);
        depth++;
        slash = name + bytes;
    }
    COP_CHECK(depth <= COP_STORE_MAX_DEPTH, err, COP_ERR_INTERNAL,
              "store path '%s' is %d levels deep; at most %d", path, depth,
              (int)COP_STORE_MAX_DEPTH);
    return COP_OK;
}

/* Index of the first entry whose path is not below `path`. */
static size_t lower_bound(const cop_store *store, const char *path)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(store->entries[middle]->path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert(low == 0 || strcmp(store->entries[low - 1]->path, path) < 0);
    assert(low == store->count || strcmp(store->entries[low]->path, path) >= 0);
    return low;
}

static cop_store_entry *find(const cop_store *store, const char *path)
{
    const size_t index = lower_bound(store, path);
    if (index == store->count || strcmp(store->entries[index]->path, path) != 0) return NULL;
    return store->entries[index];
}

/* The range [*first, *end) of the arrays below the group `path`. */
static void find_group(const cop_store *store, const char *path, size_t *first, size_t *end)
{
    char prefix[COP_STORE_MAX_PATH + 2] = "/";
    *first = *end = 0;
    if (path[0] != '/' || strlen(path) > COP_STORE_MAX_PATH) return;
    const bool root = strcmp(path, "/") == 0;
    if (!root) (void)snprintf(prefix, sizeof prefix, "%s/", path);
    const size_t length = strlen(prefix);
    *first = *end = lower_bound(store, prefix);
    while (*end < store->count && strncmp(store->entries[*end]->path, prefix, length) == 0) {
        (*end)++;
    }
    assert(*first <= *end && *end <= store->count);
}

/* An array cannot also be a group. */
static cop_status check_clash(const cop_store *store, const char *path, cop_error *err)
{
    size_t first = 0;
    size_t end = 0;
    find_group(store, path, &first, &end);
    COP_CHECK(first == end, err, COP_ERR_INTERNAL,
              "store path '%s' is a group that holds '%s'; remove it first", path,
              store->entries[first]->path);
    char parent[COP_STORE_MAX_PATH + 1];
    (void)snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strrchr(parent, '/'); slash != parent; slash = strrchr(parent, '/')) {
        *slash = '\0';
        COP_CHECK(find(store, parent) == NULL, err, COP_ERR_INTERNAL,
                  "store path '%s' lies below the array '%s'; remove it first", path, parent);
    }
    return COP_OK;
}

cop_status cop_store_insert(cop_store *store, cop_store_entry **entry, cop_error *err)
{
    const char *const path = (*entry)->path;
    COP_TRY(check_path(path, err));
    COP_TRY(check_clash(store, path, err));
    const size_t index = lower_bound(store, path);
    if (index < store->count && strcmp(store->entries[index]->path, path) == 0) {
        cop_store_entry_destroy(&store->entries[index]);
    } else {
        COP_GROW(store->entries, store->capacity, store->count + 1, err);
        memmove(store->entries + index + 1, store->entries + index,
                (store->count - index) * sizeof(cop_store_entry *));
        store->count++;
    }
    store->entries[index] = *entry;
    *entry = NULL;
    assert(store->count <= store->capacity);
    assert(index == 0 || strcmp(store->entries[index - 1]->path, path) < 0);
    assert(index + 1 == store->count || strcmp(path, store->entries[index + 1]->path) < 0);
    return COP_OK;
}

void *cop_store_copy_texts(const char *const *texts, size_t count, cop_error *err)
{
    size_t bytes = count * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        bytes += (texts[i] == NULL ? 0 : strlen(texts[i])) + 1;
    const char **const pointers = cop_memory_alloc_raw(bytes, 1, err);
    if (pointers == NULL) return NULL;
    char *next = (char *)(pointers + count);
    for (size_t i = 0; i < count; i++) {
        const char *const text = texts[i] == NULL ? "" : texts[i];
        const size_t length = strlen(text) + 1;
        memcpy(next, text, length);
        pointers[i] = next;
        next += length;
    }
    assert(next == (char *)pointers + bytes);
    return pointers;
}

static void *copy_data(const cop_store_array *array, cop_error *err)
{
    size_t count = 0;
    size_t bytes = 0;
    if (cop_store_array_size(array, &count, &bytes, err) != COP_OK) return NULL;
    if (array->data == NULL) {
        if (bytes == 0) return cop_memory_alloc_raw(0, 1, err);
        cop_error_set(err, COP_ERR_INTERNAL, "array without data");
        return NULL;
    }
    if (array->type == COP_STORE_TEXT) return cop_store_copy_texts(array->data, count, err);
    void *const copy = cop_memory_alloc_raw(bytes, 1, err);
    if (copy != NULL) memcpy(copy, array->data, bytes);
    return copy;
}

static char *copy_string(const char *text, bool *failed, cop_error *err)
{
    if (text == NULL) return NULL;
    char *const copy = cop_memory_copy_string(text, strlen(text), err);
    *failed = *failed || copy == NULL;
    return copy;
}

cop_status cop_store_set(cop_store *store, const char *path, const cop_store_array *array,
                         const char *unit, const char *meaning, cop_error *err)
{
    cop_error why = {.status = COP_ERR_INTERNAL};
    COP_TRY(check_path(path, err));
    cop_store_entry *entry = cop_memory_alloc(1, sizeof *entry, err);
    if (entry == NULL) return COP_ERR_MEMORY;
    bool failed = false;
    entry->path = copy_string(path, &failed, &why);
    entry->unit = copy_string(unit, &failed, &why);
    entry->meaning = copy_string(meaning, &failed, &why);
    entry->array = *array;
    entry->array.data = copy_data(array, &why);
    for (int d = array->rank; d >= 0 && d < COP_STORE_MAX_RANK; d++)
        entry->array.shape[d] = 0;
    cop_status status = COP_OK;
    if (failed || entry->array.data == NULL) {
        status = cop_error_set(err, why.status, "%s: %s", path, why.message);
    } else {
        status = cop_store_insert(store, &entry, err);
    }
    cop_store_entry_destroy(&entry);
    return status;
}

const cop_store_array *cop_store_get(const cop_store *store, const char *path)
{
    const cop_store_entry *const entry = find(store, path);
    return entry == NULL ? NULL : &entry->array;
}

void cop_store_remove(cop_store *store, const char *path)
{
    size_t first = lower_bound(store, path);
    size_t end = first + 1;
    if (find(store, path) == NULL) find_group(store, path, &first, &end);
    assert(first <= end && end <= store->count);
    for (size_t i = first; i < end; i++)
        cop_store_entry_destroy(&store->entries[i]);
    for (size_t i = end; i < store->count; i++) {
        store->entries[first + i - end] = store->entries[i];
    }
    store->count -= end - first;
}

size_t cop_store_count(const cop_store *store)
{
    return store->count;
}

const char *cop_store_path_at(const cop_store *store, size_t index)
{
    assert(index < store->count);
    return store->entries[index]->path;
}

/* An array whose shape and data agree. */
static bool is_entry_valid(const cop_store_entry *entry)
{
    size_t count = 0;
    size_t bytes = 0;
    if (check_path(entry->path, NULL) != COP_OK) return false;
    if (cop_store_array_size(&entry->array, &count, &bytes, NULL) != COP_OK) return false;
    for (size_t i = 0; entry->array.type == COP_STORE_TEXT && i < count; i++) {
        if (((const char *const *)entry->array.data)[i] == NULL) return false;
    }
    return entry->array.data != NULL;
}

bool cop_store_is_valid(const cop_store *store)
{
    if (store->count > store->capacity) return false;
    for (size_t i = 0; i < store->count; i++) {
        if (!is_entry_valid(store->entries[i])) return false;
        if (i > 0 && strcmp(store->entries[i - 1]->path, store->entries[i]->path) >= 0)
            return false;
    }
    return true;
}

cop_status cop_store_create(cop_store **store, cop_error *err)
{
    *store = cop_memory_alloc(1, sizeof **store, err);
    return *store == NULL ? COP_ERR_MEMORY : COP_OK;
}

cop_status cop_store_clone(const cop_store *store, cop_store **copy, cop_error *err)
{
    COP_TRY(cop_store_create(copy, err));
    for (size_t i = 0; i < store->count; i++) {
        const cop_store_entry *const entry = store->entries[i];
        const cop_status status =
            cop_store_set(*copy, entry->path, &entry->array, entry->unit, entry->meaning, err);
        if (status != COP_OK) {
            cop_store_destroy(copy);
            return status;
        }
    }
    return COP_OK;
}

void cop_store_entry_destroy(cop_store_entry **entry)
{
    if (*entry == NULL) return;
    cop_memory_free((*entry)->path);
    cop_memory_free((*entry)->unit);
    cop_memory_free((*entry)->meaning);
    union {
        const void *borrowed;
        void *owned;
    } data = {.borrowed = (*entry)->array.data};
    cop_memory_free(data.owned);
    cop_memory_free(*entry);
    *entry = NULL;
}

void cop_store_destroy(cop_store **store)
{
    if (store == NULL || *store == NULL) return;
    cop_store_remove(*store, "/");
    cop_memory_free((*store)->entries);
    cop_memory_free(*store);
    *store = NULL;
}
