/* Files beside the weights: configuration, tokenizer and so on are copied; the recipe and a
 * word on where the weights come from are added. */
#include "export/export_parts.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char readme_name[] = "README.md";
static const char recipe_name[] = "coppice_recipe.json";
static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

/* Weights in other formats, which would still be the base's, and what lists them. */
static const char *const foreign_weights[] = {
    "*.safetensors",
    "*.safetensors.index.json",
    "*.bin.index.json",
    "pytorch_model*.bin",
    "model*.bin",
    "consolidated*.bin",
    "*.pt",
    "*.pth",
    "*.ckpt",
    "*.gguf",
    "*.ggml",
    "*.onnx",
    "*.onnx_data",
    "*.h5",
    "*.msgpack",
    "*.ot",
    "*.tflite",
    "*.npz",
};

static bool matches_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof foreign_weights / sizeof foreign_weights[0]; i++) {
        if (fnmatch(foreign_weights[i], name, FNM_CASEFOLD) == 0) return true;
    }
    return false;
}

static const char *file_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* What becomes of a file of the base directory. */
typedef enum fate { FATE_COPY, FATE_WRITTEN_APART, FATE_LEFT_OUT } fate;

static fate decide(const cop_checkpoint *base, const char *name)
{
    if (strcmp(name, readme_name) == 0 || strcmp(name, recipe_name) == 0)
        return FATE_WRITTEN_APART;
    for (size_t i = 0; i < cop_checkpoint_file_count(base); i++) {
        if (strcmp(name, file_name(cop_checkpoint_file_path(base, i))) == 0) {
            return FATE_WRITTEN_APART;
        }
    }
    const bool sharded = strcmp(file_name(cop_checkpoint_file_path(base, 0)), single_name) != 0;
    if (sharded && strcmp(name, index_name) == 0) return FATE_COPY;
    return matches_foreign(name) ? FATE_LEFT_OUT : FATE_COPY;
}

/* Links are followed: caches of models are full of them. One that leads nowhere is no file; one
 * that cannot be followed now may well be. */
static cop_status find_regular(const char *path, bool *regular, cop_error *err)
{
    struct stat info;
    *regular = false;
    if (stat(path, &info) == 0) {
        *regular = S_ISREG(info.st_mode);
        return COP_OK;
    }
    COP_CHECK(errno == ENOENT || errno == ENOTDIR || errno == ELOOP, err, COP_ERR_IO,
              "%s: cannot examine it: %s", path, strerror(errno));
    return COP_OK;
}

static cop_status copy_file(const cop_export_task *task, const char *name, const char *source,
                            cop_error *err)
{
    cop_export_file out;
    COP_TRY(cop_export_file_create(task->target, name, &out, err));
    return cop_export_file_close(&out, cop_export_file_append(&out, source, err), err);
}

static const char tie_key[] = "\"tie_word_embeddings\"";

/* Where the value true of tie_word_embeddings stands in config.json; NULL: nowhere. */
static const char *find_tie(const char *text)
{
    const char *at = strstr(text, tie_key);
    if (at == NULL) return NULL;
    at += sizeof tie_key - 1;
    at += strspn(at, " \t\r\n");
    if (*at != ':') return NULL;
    at += 1 + strspn(at + 1, " \t\r\n");
    return strncmp(at, "true", 4) == 0 ? at : NULL;
}

/* config.json's text with the tie false: where it says true, and first where it does not say
 * it, as families that are tied unless told otherwise may. */
static cop_status untie(const char *text, const char *source, cop_text *untied, cop_error *err)
{
    const char *const tie = find_tie(text);
    if (tie != NULL)
        return cop_text_format(untied, err, "%.*sfalse%s", (int)(tie - text), text, tie + 4);
    const char *const start = strchr(text, '{');
    COP_CHECK(start != NULL && strstr(text, tie_key) == NULL, err, COP_ERR_FORMAT,
              "%s: \"tie_word_embeddings\": true is not found, to write false", source);
    return cop_text_format(untied, err, "%.*s{%s: false,%s", (int)(start - text), text, tie_key,
                           start + 1);
}

/* config.json without the tie that the weights contradict: other readers would follow it. */
static cop_status write_untied(const cop_export_task *task, const char *name,
                               const char *source, cop_error *err)
{
    enum { LIMIT_BYTES = 4 << 20 };
    cop_text text = {0};
    cop_text untied = {0};
    cop_export_file out;
    cop_status status = cop_text_read_file(&text, source, LIMIT_BYTES, err);
    if (status == COP_OK) status = untie(text.data, source, &untied, err);
    if (status == COP_OK) status = cop_export_file_create(task->target, name, &out, err);
    if (status == COP_OK) {
        status = cop_export_file_write(&out, untied.data, untied.length, err);
        status = cop_export_file_close(&out, status, err);
    }
    cop_text_free(&untied);
    cop_text_free(&text);
    return status;
}

/* Copies a file of the base directory or adds it to those `left_out`. */
static cop_status treat_file(const cop_export_task *task, const char *name, cop_text *left_out,
                             cop_error *err)
{
    char *const path = cop_text_join_path(task->base_dir, name, err);
    if (path == NULL) return COP_ERR_MEMORY;
    bool regular = false;
    cop_status status = find_regular(path, &regular, err);
    const fate what = regular ? decide(task->base, name) : FATE_WRITTEN_APART;
    if (what == FATE_COPY && task->recipe->untied_head && strcmp(name, "config.json") == 0) {
        status = write_untied(task, name, path, err);
    } else if (what == FATE_COPY) {
        status = copy_file(task, name, path, err);
    } else if (what == FATE_LEFT_OUT) {
        status =
            cop_text_format(left_out, err, "%s%s", left_out->length == 0 ? "" : ", ", name);
    }
    cop_memory_free(path);
    return status;
}

static int compare_entries(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static cop_status copy_files(const cop_export_task *task, cop_text *left_out, cop_error *err)
{
    struct dirent **entries = NULL;
    const int count = scandir(task->base_dir, &entries, NULL, compare_entries);
    COP_CHECK(count >= 0, err, COP_ERR_IO, "%s: cannot list it: %s", task->base_dir,
              strerror(errno));
    cop_status status = COP_OK;
    for (int i = 0; i < count; i++) {
        if (status == COP_OK) status = treat_file(task, entries[i]->d_name, left_out, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* The sentence that README.md gets. */
static cop_status describe(const cop_export_task *task, const cop_text *left_out,
                           cop_text *text, cop_error *err)
{
    const cop_recipe *const recipe = task->recipe;
    COP_TRY(
        cop_text_format(text, err,
                        "The weights were written by Coppice %s: those of the base model plus "
                        "%zu seeded Gaussian perturbation%s, listed in `%s`.",
                        cop_build_version(), recipe->component_count,
                        recipe->component_count == 1 ? "" : "s", recipe_name));
    if (recipe->base_sha256[0] != '\0') {
        COP_TRY(cop_text_format(text, err, " SHA-256 of the base's tensors: `%s`.",
                                recipe->base_sha256));
    }
    if (left_out->length > 0) {
        COP_TRY(cop_text_format(text, err, " Left out, since they hold the base's weights: %s.",
                                left_out->data));
    }
    return cop_text_append(text, "\n", 1, err);
}

/* The base's README.md with the sentence at its end (the front matter is at its start), or a
 * new one. */
static cop_status write_readme(const cop_export_task *task, const cop_text *sentence,
                               cop_error *err)
{
    char *const source = cop_text_join_path(task->base_dir, readme_name, err);
    if (source == NULL) return COP_ERR_MEMORY;
    cop_text start = {0};
    cop_export_file out;
    bool regular = false;
    cop_status status = find_regular(source, &regular, err);
    if (status == COP_OK) status = cop_export_file_create(task->target, readme_name, &out, err);
    if (status == COP_OK) {
        if (regular) {
            status = cop_export_file_append(&out, source, err);
            if (status == COP_OK) status = cop_text_format(&start, err, "\n\n");
        } else {
            status = cop_text_format(&start, err, "# %s\n\n", task->name);
        }
        if (status == COP_OK)
            status = cop_export_file_write(&out, start.data, start.length, err);
        if (status == COP_OK) {
            status = cop_export_file_write(&out, sentence->data, sentence->length, err);
        }
        status = cop_export_file_close(&out, status, err);
    }
    cop_text_free(&start);
    cop_memory_free(source);
    return status;
}

static cop_status write_recipe(const cop_export_task *task, cop_error *err)
{
    char *const path = cop_text_join_path(task->target, recipe_name, err);
    if (path == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_recipe_write(task->recipe, path, err);
    cop_memory_free(path);
    return status;
}

cop_status cop_export_side_files(const cop_export_task *task, cop_error *err)
{
    cop_text left_out = {0};
    cop_text sentence = {0};
    cop_status status = copy_files(task, &left_out, err);
    if (status == COP_OK) status = write_recipe(task, err);
    if (status == COP_OK) status = describe(task, &left_out, &sentence, err);
    if (status == COP_OK) status = write_readme(task, &sentence, err);
    cop_text_free(&left_out);
    cop_text_free(&sentence);
    return status;
}
