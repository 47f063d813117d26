#include "run/recorded.h"

#include <stdio.h>
#include <string.h>

cop_status cop_recorded_key(const cop_store *store, size_t key, cop_text *value, cop_error *err)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/job/keys/%s", cop_job_key_name(key));
    const char *const recorded = cop_store_get_text(store, path);
    if (recorded == NULL) return cop_job_print_before(key, value, err);
    /* Programs that kept no digests of the base's files wrote 0 for the task's own value. */
    const bool own = strcmp(recorded, "0") == 0 &&
                     strcmp(cop_job_key_name(key), "task.correct_at") == 0 &&
                     cop_store_get_text(store, "/base/files/config.json") == NULL;
    const char *const text = own ? "auto" : recorded;
    return cop_text_append(value, text, strlen(text), err);
}
