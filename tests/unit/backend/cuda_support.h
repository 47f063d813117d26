/* The CUDA plug-in for tests: emulated on the processor (tests/cuda_host), and the real one
 * where it was built. Both lie beside the folder of the test programs. */
#ifndef COPPICE_TESTS_CUDA_SUPPORT_H
#define COPPICE_TESTS_CUDA_SUPPORT_H

#include "backend/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether plug-ins are loaded on a machine that has no device file. */
static inline void cuda_test_pretend_device(bool there)
{
    (void)(there ? setenv("COPPICE_GPU_FILE", "/dev/null", 1) : unsetenv("COPPICE_GPU_FILE"));
}

/* Folder of a plug-in: "cuda_host" for the emulated one, which needs no device file, "." for
 * the real one. */
static inline void cuda_test_folder(const char *which, char *folder, size_t size)
{
    char program[2048] = "";
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) program[0] = '\0';
    char *const name = strrchr(program, '/');
    if (name != NULL) *name = '\0';
    (void)snprintf(folder, size, "%s/../%s", program, which);
    cuda_test_pretend_device(strcmp(which, "cuda_host") == 0);
}

static inline cop_status cuda_test_create(const char *which, cop_compute compute,
                                          cop_backend **backend, cop_error *err)
{
    char folder[4000];
    const cop_backend_options options = {.kind = COP_BACKEND_CUDA,
                                         .compute = compute,
                                         .storage = COP_BF16,
                                         .threads = 1,
                                         .isa = COP_ISA_SCALAR};
    cuda_test_folder(which, folder, sizeof folder);
    return cop_plugin_create(folder, &options, backend, err);
}

#endif
