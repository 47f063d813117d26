#include "backend/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether this machine may have a GPU, asked before any of its libraries is opened: they are
 * half a gigabyte, and take longer to load than a small model. The driver makes the device
 * files when it is first used, so that one that is loaded counts as well. */
static bool may_have_gpu(void)
{
    static const char *const signs[] = {"/dev/nvidiactl", "/dev/nvidia0",
                                        "/dev/dxg", /* under WSL */
                                        "/proc/driver/nvidia/version"};
    const char *const own = getenv("COPPICE_GPU_FILE");
    if (own != NULL) return access(own, F_OK) == 0;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (access(signs[i], F_OK) == 0) return true;
    }
    return false;
}

/* The entry of a loaded library; ISO C has no conversion from an object's pointer. */
static cop_plugin_entry entry_of(void *library)
{
    void *const symbol = dlsym(library, COP_PLUGIN_SYMBOL);
    cop_plugin_entry entry = NULL;
    _Static_assert(sizeof entry == sizeof symbol, "dlsym returns functions");
    memcpy(&entry, &symbol, sizeof entry);
    return entry;
}

cop_status cop_plugin_check(const char *path, const cop_plugin *plugin, cop_error *err)
{
    COP_CHECK(plugin != NULL, err, COP_ERR_UNSUPPORTED,
              "backend.kind: cuda: %s is no plug-in of Coppice; build it again with make",
              path);
    COP_CHECK(
        strcmp(plugin->build, COP_PLUGIN_BUILD) == 0, err, COP_ERR_UNSUPPORTED,
        "backend.kind: cuda: %s is of another build (%s) than the program (%s); build and "
        "install both together",
        path, plugin->build, COP_PLUGIN_BUILD);
    return COP_OK;
}

static cop_status open_library(const char *folder, void **library, const cop_plugin **plugin,
                               cop_error *err)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, COP_PLUGIN_FILE);
    COP_CHECK(length > 0 && (size_t)length < sizeof path, err, COP_ERR_UNSUPPORTED,
              "backend.kind: cuda: the path of the program is too long to load %s",
              COP_PLUGIN_FILE);
    COP_CHECK(
        access(path, F_OK) == 0, err, COP_ERR_UNSUPPORTED,
        "backend.kind: cuda: there is no %s; build it where nvcc is found (make info says) "
        "or choose backend.kind: cpu",
        path);
    COP_CHECK(may_have_gpu(), err, COP_ERR_UNSUPPORTED,
              "backend.kind: cuda: no usable GPU: there is no device file (/dev/nvidiactl, "
              "/dev/nvidia0, /dev/dxg) and no driver; install the driver, give the container "
              "the device, or choose backend.kind: cpu");
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    COP_CHECK(*library != NULL, err, COP_ERR_UNSUPPORTED,
              "backend.kind: cuda: %s; install the CUDA libraries that it was built with, or "
              "choose backend.kind: cpu",
              dlerror());
    const cop_plugin_entry entry = entry_of(*library);
    *plugin = entry == NULL ? NULL : entry();
    return cop_plugin_check(path, *plugin, err);
}

/* The plug-in in `folder`, part of *library; NULL if it cannot be used: COP_ERR_UNSUPPORTED. */
static const cop_plugin *load(const char *folder, void **library, cop_error *err)
{
    const cop_plugin *plugin = NULL;
    *library = NULL;
    const cop_status status = open_library(folder, library, &plugin, err);
    if (status == COP_OK) return plugin;
    if (*library != NULL) (void)dlclose(*library);
    return NULL;
}

cop_status cop_plugin_create(const char *folder, const cop_backend_options *options,
                             cop_backend **backend, cop_error *err)
{
    *backend = NULL;
    void *library = NULL;
    const cop_plugin *const plugin = load(folder, &library, err);
    if (plugin == NULL) return COP_ERR_UNSUPPORTED;
    const cop_status status = plugin->create(options, backend, err);
    /* A backend's code must stay; without one, nothing of the library is in use. */
    if (status != COP_OK) (void)dlclose(library);
    return status;
}

void cop_plugin_locate(const char *folder, const cop_backend_options *options, char *id,
                       size_t size)
{
    id[0] = '\0';
    void *library = NULL;
    const cop_plugin *const plugin = load(folder, &library, NULL);
    if (plugin == NULL) return;
    plugin->locate(options, id, size);
    /* Where there is a device, its backend follows. */
    if (id[0] == '\0') (void)dlclose(library);
}

bool cop_plugin_has_bf16(const char *folder, const cop_backend_options *options)
{
    void *library = NULL;
    const cop_plugin *const plugin = load(folder, &library, NULL);
    /* The library stays: its backend follows. */
    return plugin != NULL && plugin->has_bf16(options);
}
