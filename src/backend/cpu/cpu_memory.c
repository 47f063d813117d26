/* Buffers of the CPU backend and what a plan takes. */
#include "backend/cpu/cpu_backend.h"

#include "coppice/base/memory.h"

#include <string.h>

cop_status cop_cpu_buffer_create(cop_backend *backend, size_t bytes, cop_buffer **buffer,
                                 cop_error *err)
{
    (void)backend;
    *buffer = NULL;
    cop_buffer *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->owned = cop_memory_alloc(bytes, 1, err);
    if (made->owned == NULL) {
        cop_memory_free(made);
        return COP_ERR_MEMORY;
    }
    made->data = made->owned;
    made->bytes = bytes;
    *buffer = made;
    return COP_OK;
}

cop_status cop_cpu_buffer_wrap(cop_backend *backend, const void *data, size_t bytes,
                               cop_buffer **buffer, cop_error *err)
{
    (void)backend;
    *buffer = NULL;
    cop_buffer *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->data = data;
    made->bytes = bytes;
    *buffer = made;
    return COP_OK;
}

void cop_cpu_buffer_destroy(cop_backend *backend, cop_buffer **buffer)
{
    (void)backend;
    if (*buffer != NULL) cop_memory_free((*buffer)->owned);
    cop_memory_free(*buffer);
    *buffer = NULL;
}

cop_status cop_cpu_upload(cop_backend *backend, cop_buffer *buffer, size_t offset_bytes,
                          const void *data, size_t bytes, cop_error *err)
{
    (void)backend;
    COP_CHECK(buffer->owned != NULL, err, COP_ERR_INTERNAL, "upload to borrowed memory");
    COP_CHECK(offset_bytes <= buffer->bytes && bytes <= buffer->bytes - offset_bytes, err,
              COP_ERR_INTERNAL, "upload of %zu bytes at %zu to a buffer of %zu", bytes,
              offset_bytes, buffer->bytes);
    if (bytes > 0) memcpy((char *)buffer->owned + offset_bytes, data, bytes);
    return COP_OK;
}

cop_status cop_cpu_download(cop_backend *backend, const cop_buffer *buffer, size_t offset_bytes,
                            void *data, size_t bytes, cop_error *err)
{
    (void)backend;
    COP_CHECK(offset_bytes <= buffer->bytes && bytes <= buffer->bytes - offset_bytes, err,
              COP_ERR_INTERNAL, "download of %zu bytes at %zu from a buffer of %zu", bytes,
              offset_bytes, buffer->bytes);
    if (bytes > 0) memcpy(data, (const char *)buffer->data + offset_bytes, bytes);
    return COP_OK;
}

cop_status cop_cpu_reserve_stage(cop_cpu *cpu, size_t bytes, cop_error *err)
{
    if (bytes <= cpu->stage.bytes) return COP_OK;
    cop_memory_free(cpu->stage.owned);
    cpu->stage = (cop_buffer){0};
    cpu->stage.owned = cop_gemm_alloc(bytes, err);
    if (cpu->stage.owned == NULL) return COP_ERR_MEMORY;
    cpu->stage.data = cpu->stage.owned;
    cpu->stage.bytes = bytes;
    return COP_OK;
}

void cop_cpu_plan(const cop_backend *backend, const cop_backend_plan *plan,
                  uint64_t *need_bytes, uint64_t *have_bytes)
{
    /* Generated code and scratch of the libraries, stacks of the threads. */
    const uint64_t fixed = UINT64_C(128) << 20;
    const uint64_t compute = cop_dtype_size(backend->input);
    const uint64_t storage = cop_dtype_size(plan->storage);
    const uint64_t lanes = plan->lanes == 0 ? 1 : plan->lanes;
    /* Packed in blocks of up to 64: one hundredth covers padding of all but tiny matrices. */
    const uint64_t packed = (plan->matrices + plan->matrices / 100) * compute;
    /* What is packed as another type goes through binary32 on its way. Who rebuilds straight
     * into what he packs needs neither. */
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const bool straight = cpu->gemm->ops->weight_rebuild != NULL;
    const bool widened = plan->storage != backend->input && plan->storage != COP_F32;
    const uint64_t staged =
        straight ? 0 : plan->largest_matrix * (storage + (widened ? sizeof(float) : 0));
    *need_bytes = fixed + lanes * (packed + staged + plan->others * storage) +
                  plan->kv * compute + plan->activations * sizeof(float) + plan->factors;
    const uint64_t share = cpu->memory_bytes;
    const uint64_t available = share > 0 ? share : cop_memory_available_bytes();
    /* Not shared: every rank has a limit of its own. */
    const uint64_t left = cop_memory_address_left_bytes();
    *have_bytes = available == 0 || available > left ? left : available;
}
