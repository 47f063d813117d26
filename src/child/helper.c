#include "coppice/child/helper.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

cop_status cop_helper_find(const char *name, const char *why, cop_text *path, cop_error *err)
{
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
    COP_CHECK(length > 0 && (size_t)length < sizeof self, err, COP_ERR_IO,
              "/proc/self/exe: cannot read it: %s", strerror(errno));
    const char *const slash = memrchr(self, '/', (size_t)length);
    const int folder = slash != NULL ? (int)(slash - self) : 0;
    COP_TRY(cop_text_format(path, err, "%.*s/%s", folder, self, name));
    if (access(path->data, X_OK) == 0) return COP_OK;
    const int failed = errno;
    cop_text above = {0};
    COP_TRY(cop_text_format(&above, err, "%.*s/../%s", folder, self, name));
    if (access(above.data, X_OK) == 0) {
        cop_text_free(path);
        *path = above; /* moved */
        return COP_OK;
    }
    cop_text_free(&above);
    return cop_error_set(err, COP_ERR_CONFIG, "%s: %s: %s", path->data, strerror(failed), why);
}
