#include "checkpoint/checkpoint_index.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/json/json.h"
#include "coppice/json/json_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A generous limit: the largest public models have indices of a few MB. */
enum { MAX_BYTES = 256 << 20 };

/* A file name in the model's own directory, and of a weight file. */
static bool is_plain_file_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/') return false;
    }
    return name[0] != '.' && strstr(name, "..") == NULL &&
           cop_text_ends_in(name, ".safetensors");
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Lists each shard once. */
static cop_status collect_files(cop_weight_index *index, cop_error *err)
{
    index->files = cop_memory_alloc(json_object_size(index->map), sizeof *index->files, err);
    if (index->files == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    const char *tensor = NULL;
    json_t *file = NULL;
    json_object_foreach(index->map, tensor, file)
    {
        const char *const name = json_string_value(file);
        COP_CHECK(cop_json_is_text(file), err, COP_ERR_FORMAT,
                  "\"weight_map\": the file of %s is not a string", tensor);
        COP_CHECK(is_plain_file_name(name), err, COP_ERR_FORMAT,
                  "\"weight_map\": \"%s\" is not a plain name of a .safetensors file", name);
        index->files[count++] = name;
    }
    qsort(index->files, count, sizeof *index->files, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(index->files[i], index->files[index->file_count - 1]) == 0)
            continue;
        index->files[index->file_count++] = index->files[i];
    }
    return COP_OK;
}

static cop_status parse(const char *text, size_t length, cop_weight_index *index,
                        cop_error *err)
{
    COP_TRY(cop_json_load(text, length, &index->root, err));
    index->map = json_object_get(index->root, "weight_map");
    COP_CHECK(json_is_object(index->map), err, COP_ERR_FORMAT,
              "\"weight_map\" is missing or not an object");
    COP_CHECK(json_object_size(index->map) > 0, err, COP_ERR_FORMAT, "\"weight_map\" is empty");
    return collect_files(index, err);
}

cop_status cop_weight_index_parse(const char *text, size_t length, const char *origin,
                                  cop_weight_index *index, cop_error *err)
{
    *index = (cop_weight_index){0};
    const cop_status status = parse(text, length, index, err);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "%s", origin);
        cop_weight_index_free(index);
    }
    return status;
}

cop_status cop_weight_index_read(const char *path, cop_weight_index *index, cop_error *err)
{
    *index = (cop_weight_index){0};
    cop_text text = {0};
    cop_status status = cop_text_read_file(&text, path, MAX_BYTES, err);
    if (status == COP_OK)
        status = cop_weight_index_parse(text.data, text.length, path, index, err);
    cop_text_free(&text);
    return status;
}

const char *cop_weight_index_shard(const cop_weight_index *index, const char *tensor_name)
{
    return json_string_value(json_object_get(index->map, tensor_name));
}

void cop_weight_index_free(cop_weight_index *index)
{
    cop_memory_free(index->files);
    json_decref(index->root);
    *index = (cop_weight_index){0};
}
