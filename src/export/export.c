/* An export as a whole: checks, a temporary directory, the parts, one rename at the end. */
#include "coppice/export/export.h"

#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "export/export_parts.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_TRIES = 100 };

static cop_status check_digest(const cop_checkpoint *base, const cop_recipe *recipe,
                               cop_error *err)
{
    if (recipe->base_sha256[0] == '\0') return COP_OK;
    const cop_status status =
        cop_checkpoint_check(base, recipe->base_sha256, "the recipe", err);
    return status == COP_OK ? COP_OK
                            : cop_error_prefix(err, "%s", cop_checkpoint_directory(base));
}

/* --- the target --- */

static bool is_empty_directory(const char *path)
{
    DIR *const directory = opendir(path);
    if (directory == NULL) return false;
    bool empty = true;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) empty = false;
    }
    (void)closedir(directory);
    return empty;
}

static cop_status check_target(const char *path, cop_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        COP_CHECK(errno == ENOENT, err, COP_ERR_IO, "%s: cannot be made: %s", path,
                  strerror(errno));
        return COP_OK;
    }
    COP_CHECK(S_ISDIR(info.st_mode) && is_empty_directory(path), err, COP_ERR_IO,
              "%s: is there already and not an empty directory; give another one", path);
    return COP_OK;
}

/* A new directory beside `path`. */
static cop_status make_temporary(const char *path, cop_text *temporary, cop_error *err)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        cop_text_clear(temporary);
        COP_TRY(cop_text_format(temporary, err, "%s.tmp-%ld-%d", path, (long)getpid(), i));
        if (mkdir(temporary->data, 0777) == 0) return COP_OK;
        if (errno != EEXIST) break;
    }
    return cop_error_set(err, COP_ERR_IO, "%s: cannot create it: %s", temporary->data,
                         strerror(errno));
}

static void remove_temporary(const char *path)
{
    DIR *const directory = opendir(path);
    if (directory != NULL) {
        for (struct dirent *entry = readdir(directory); entry != NULL;
             entry = readdir(directory)) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

static cop_status move_into_place(const char *temporary, const char *path, cop_error *err)
{
    const int failed = cop_file_sync_directory(temporary);
    COP_CHECK(failed == 0, err, COP_ERR_IO, "%s: cannot sync it: %s", temporary,
              strerror(failed));
    COP_CHECK(rename(temporary, path) == 0, err, COP_ERR_IO, "%s: cannot rename %s to it: %s",
              path, temporary, strerror(errno));
    return COP_OK;
}

static cop_status sync_parent(const char *path, cop_error *err)
{
    const int failed = cop_file_sync_parent(path);
    COP_CHECK(failed == 0, err, COP_ERR_IO, "%s: cannot sync its directory: %s", path,
              strerror(failed));
    return COP_OK;
}

/* --- the whole --- */

/* `path`: task->target without trailing slashes. */
static cop_status write_directory(cop_export_task *task, const char *path,
                                  cop_export_report *report, cop_error *err)
{
    cop_text temporary = {0};
    cop_status status = make_temporary(path, &temporary, err);
    if (status == COP_OK) {
        task->target = temporary.data;
        status = cop_export_weights(task, report, err);
        if (status == COP_OK) status = cop_export_side_files(task, err);
        if (status == COP_OK) status = cop_checkpoint_check_unchanged(task->base, err);
        if (status == COP_OK) status = move_into_place(temporary.data, path, err);
        if (status != COP_OK) remove_temporary(temporary.data);
        if (status == COP_OK) status = sync_parent(path, err);
    }
    cop_text_free(&temporary);
    return status;
}

static cop_status export_to(cop_export_task *task, const char *path, cop_export_report *report,
                            cop_error *err)
{
    const char *const slash = strrchr(path, '/');
    task->name = slash == NULL ? path : slash + 1;
    COP_TRY(check_target(path, err)); /* before the base is read, which takes longer */
    COP_TRY(check_digest(task->base, task->recipe, err));
    return write_directory(task, path, report, err);
}

cop_status cop_export_write(const cop_checkpoint *base, const cop_recipe *recipe,
                            const char *out_dir, int threads, cop_export_report *report,
                            cop_error *err)
{
    assert(threads >= 1);
    if (report != NULL) *report = (cop_export_report){0};
    size_t length = strlen(out_dir);
    while (length > 1 && out_dir[length - 1] == '/')
        length--;
    COP_CHECK(length > 0, err, COP_ERR_IO, "the directory to export to has no name");
    char *const path = cop_memory_copy_string(out_dir, length, err);
    if (path == NULL) return COP_ERR_MEMORY;
    cop_export_report done = {0};
    cop_export_task task = {.base_dir = cop_checkpoint_directory(base),
                            .base = base,
                            .recipe = recipe,
                            .threads = threads};
    const cop_status status = export_to(&task, path, &done, err);
    cop_memory_free(path);
    if (report != NULL && status == COP_OK) *report = done;
    return status;
}
