/* What all backends share (backend.h). */
#include "coppice/backend.h"

#include <stddef.h>

const char *cop_backend_part_name(cop_backend_part part)
{
    static const char *const names[COP_PART_COUNT] = {
        "rebuild", "pack", "gemm", "attention", "norm", "rope", "swiglu", "embed", "logits"};
    return (size_t)part < COP_PART_COUNT ? names[part] : "unknown";
}

void cop_backend_destroy(cop_backend **backend)
{
    if (*backend != NULL) (*backend)->ops->destroy(*backend);
    *backend = NULL;
}
