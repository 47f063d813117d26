/* Backends in libraries of their own, loaded at run time. Private to backend/. */
#ifndef COP_BACKEND_PLUGIN_H
#define COP_BACKEND_PLUGIN_H

#include "coppice/backend/backend.h"

/* What a plug-in offers. A plug-in of another build may lay out the types below otherwise: it
 * is refused. `build` stays the first field for ever. */
typedef struct cop_plugin {
    const char *build; /* COP_PLUGIN_BUILD of the library */
    cop_status (*create)(const cop_backend_options *options, cop_backend **backend,
                         cop_error *err);
    /* As cop_backend_locate(). */
    void (*locate)(const cop_backend_options *options, char *id, size_t size);
    /* As cop_backend_has_bf16(). */
    bool (*has_bf16)(const cop_backend_options *options);
} cop_plugin;

/* The one symbol that the library exports. */
typedef const cop_plugin *(*cop_plugin_entry)(void);
#define COP_PLUGIN_SYMBOL "cop_plugin_cuda"
#define COP_PLUGIN_FILE "libcoppice_cuda.so"

/* Refuses a plug-in that is none (NULL) or was not built with this program: version, and a sum
 * of the headers that both have in common. */
cop_status cop_plugin_check(const char *path, const cop_plugin *plugin, cop_error *err);

/* Loads the plug-in from `folder` and makes its backend. COP_ERR_UNSUPPORTED: there is none in
 * the folder, it cannot be loaded, it belongs to another build or finds no device; the message
 * has the remedy. The library stays loaded. */
cop_status cop_plugin_create(const char *folder, const cop_backend_options *options,
                             cop_backend **backend, cop_error *err);

/* As cop_backend_locate(), by the plug-in in `folder`; empty where it cannot be used. */
void cop_plugin_locate(const char *folder, const cop_backend_options *options, char *id,
                       size_t size);

/* As cop_backend_has_bf16(), by the plug-in in `folder`; false where it cannot be used. */
bool cop_plugin_has_bf16(const char *folder, const cop_backend_options *options);

#endif
