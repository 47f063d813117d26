/* What all backends share (backend.h). */
#include "coppice/backend/backend.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/plugin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *cop_backend_part_name(cop_backend_part part)
{
    static const char *const names[COP_PART_COUNT] = {
        "rebuild", "pack", "gemm", "attention", "norm", "rope", "glu", "embed", "logits"};
    return (size_t)part < COP_PART_COUNT ? names[part] : "unknown";
}

void cop_backend_destroy(cop_backend **backend)
{
    if (*backend != NULL) (*backend)->ops->destroy(*backend);
    *backend = NULL;
}

/* The plug-in lies beside the program in a build, in ../lib/coppice in an installation.
 * folder [size]. */
static cop_status plugin_folder(char *folder, size_t size, cop_error *err)
{
    static const char installed[] = "/../lib/coppice";
    const ssize_t length = readlink("/proc/self/exe", folder, size - sizeof installed);
    COP_CHECK(
        length > 0, err, COP_ERR_UNSUPPORTED,
        "backend.kind: cuda: where this program lies cannot be told, so its plug-in is not "
        "found; choose backend.kind: cpu");
    folder[length] = '\0';
    char *const name = strrchr(folder, '/');
    char *const end = name != NULL ? name : folder + length;
    *end = '\0';
    char plugin[2048 + sizeof COP_PLUGIN_FILE];
    (void)snprintf(plugin, sizeof plugin, "%s/%s", folder, COP_PLUGIN_FILE);
    if (access(plugin, F_OK) != 0) memcpy(end, installed, sizeof installed);
    return COP_OK;
}

static cop_status create_cuda(const cop_backend_options *options, cop_backend **backend,
                              cop_error *err)
{
    char folder[2048];
    COP_TRY(plugin_folder(folder, sizeof folder, err));
    return cop_plugin_create(folder, options, backend, err);
}

void cop_backend_locate(const cop_backend_options *options, char *id, size_t size)
{
    char folder[2048];
    id[0] = '\0';
    if (options->kind != COP_BACKEND_CPU &&
        plugin_folder(folder, sizeof folder, NULL) == COP_OK)
        cop_plugin_locate(folder, options, id, size);
}

bool cop_backend_has_bf16(const cop_backend_options *options)
{
    char folder[2048];
    if (options->kind != COP_BACKEND_CUDA) return cop_cpu_has_bf16_products(options);
    return plugin_folder(folder, sizeof folder, NULL) == COP_OK &&
           cop_plugin_has_bf16(folder, options);
}

cop_status cop_backend_hold_isa(cop_isa_hold hold, const cop_backend_options *options,
                                cop_error *err)
{
    return cop_cpu_hold_isa(hold, options, err);
}

cop_status cop_backend_create(const cop_backend_options *options, cop_backend **backend,
                              cop_error *err)
{
    const bool defined =
        options->arithmetic == COP_ARITHMETIC_DEFINED || options->gemm == COP_GEMM_OWN;
    COP_TRY(cop_backend_check(options, err));
    if (options->kind == COP_BACKEND_CUDA) return create_cuda(options, backend, err);
    if (options->kind == COP_BACKEND_AUTO && !defined) {
        /* No GPU is no failure, a GPU that fails is one: the CPU would take its place
         * unnoticed. */
        cop_error why = {0};
        const cop_status status = create_cuda(options, backend, &why);
        if (status == COP_OK) return COP_OK;
        COP_CHECK(status == COP_ERR_UNSUPPORTED, err, status, "%s", why.message);
    }
    return cop_backend_create_cpu(options, backend, err);
}
