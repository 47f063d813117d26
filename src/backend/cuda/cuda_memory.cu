/* Device memory, copies to and from it, the KV cache. */
#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "coppice/base/memory.h"
}

#include <string.h>

static const double mib = 1048576.0;

/* Memory that is short is reported and not kept: the device goes on. */
static cop_status allocate(cop_cuda *cuda, cop_buffer *buffer, size_t bytes, cop_error *err)
{
    static constexpr int TAIL = 16; /* vector loads may reach beyond the last element */
    COP_TRY(cop_cuda_check(cuda, err));
    void *memory = NULL;
    const cudaError_t code =
        bytes > SIZE_MAX - TAIL ? cudaErrorMemoryAllocation : cudaMalloc(&memory, bytes + TAIL);
    if (code == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); /* taken note of */
        size_t unused = 0;
        size_t total = 0;
        (void)cudaMemGetInfo(&unused, &total);
        return cop_error_set(
            err, COP_ERR_BACKEND,
            "GPU %d (%s): out of memory: %.1f MiB are wanted, %.1f of %.1f MiB are free; lower "
            "backend.batch, or let fewer ranks share the GPU",
            cuda->device, cuda->properties.name, (double)bytes / mib, (double)unused / mib,
            (double)total / mib);
    }
    CUDA_TRY(cuda, code, "allocating memory", err);
    *buffer = (cop_buffer){.data = (char *)memory, .bytes = bytes};
    return COP_OK;
}

cop_status cop_cuda_reserve(cop_cuda *cuda, cop_buffer *buffer, size_t bytes, cop_error *err)
{
    if (bytes <= buffer->bytes) return COP_OK;
    cop_cuda_release(cuda, buffer); /* waits for what uses it */
    return allocate(cuda, buffer, bytes, err);
}

void cop_cuda_release(cop_cuda *cuda, cop_buffer *buffer)
{
    if (buffer->data == NULL) return;
    cop_cuda_forget_graphs(cuda);
    /* Fails only after a failure that is kept already. */
    (void)cudaFree(buffer->data);
    *buffer = (cop_buffer){};
}

/* --- copies --- */

static cop_status synchronise(cop_cuda *cuda, cop_error *err)
{
    CUDA_TRY(cuda, cudaStreamSynchronize(cuda->stream), "the work on the device", err);
    cuda->pinned_used = 0;
    return COP_OK;
}

/* Pinned memory that stays as it is until the next synchronisation. */
static cop_status take_pinned(cop_cuda *cuda, size_t bytes, void **memory, cop_error *err)
{
    static constexpr int LEAST = 1 << 20;
    static constexpr int ALIGNMENT = 64;
    *memory = NULL;
    const size_t wanted = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (cuda->pinned_used > 0 && wanted > cuda->pinned_bytes - cuda->pinned_used)
        COP_TRY(synchronise(cuda, err));
    if (wanted > cuda->pinned_bytes) {
        const size_t size = wanted > LEAST ? 2 * wanted : LEAST;
        if (cuda->pinned != NULL)
            CUDA_TRY(cuda, cudaFreeHost(cuda->pinned), "freeing host memory", err);
        cuda->pinned = NULL;
        cuda->pinned_bytes = 0;
        void *made = NULL;
        CUDA_TRY(cuda, cudaMallocHost(&made, size), "allocating host memory for copies", err);
        cuda->pinned = (char *)made;
        cuda->pinned_bytes = size;
    }
    *memory = cuda->pinned + cuda->pinned_used;
    cuda->pinned_used += wanted;
    return COP_OK;
}

cop_status cop_cuda_send(cop_cuda *cuda, cop_buffer *to, const void *data, size_t bytes,
                         cop_error *err)
{
    if (bytes == 0) return COP_OK;
    COP_TRY(cop_cuda_reserve(cuda, to, bytes, err));
    void *host = NULL;
    COP_TRY(take_pinned(cuda, bytes, &host, err));
    memcpy(host, data, bytes);
    CUDA_TRY(cuda, cudaMemcpyAsync(to->data, host, bytes, cudaMemcpyHostToDevice, cuda->stream),
             "copying to the device", err);
    return COP_OK;
}

cop_status cop_cuda_fetch(cop_cuda *cuda, void *out, const void *from, size_t bytes,
                          cop_error *err)
{
    if (bytes == 0) return cop_cuda_check(cuda, err);
    CUDA_TRY(cuda, cudaMemcpyAsync(out, from, bytes, cudaMemcpyDeviceToHost, cuda->stream),
             "copying from the device", err);
    return synchronise(cuda, err);
}

/* --- buffers --- */

static cop_status create(cop_cuda *cuda, size_t bytes, cop_buffer **buffer, cop_error *err)
{
    *buffer = NULL;
    cop_buffer *const made = (cop_buffer *)cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    const cop_status status = allocate(cuda, made, bytes, err);
    if (status == COP_OK) {
        *buffer = made;
    } else {
        cop_memory_free(made);
    }
    return status;
}

cop_status cop_cuda_buffer_create(cop_backend *backend, size_t bytes, cop_buffer **buffer,
                                  cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_TRY(create(cuda, bytes, buffer, err));
    cop_cuda_note(cuda, cudaMemsetAsync((*buffer)->data, 0, bytes, cuda->stream),
                  "clearing memory");
    const cop_status status = cop_cuda_check(cuda, err);
    if (status != COP_OK) cop_cuda_buffer_destroy(backend, buffer);
    return status;
}

cop_status cop_cuda_buffer_wrap(cop_backend *backend, const void *data, size_t bytes,
                                cop_buffer **buffer, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_TRY(create(cuda, bytes, buffer, err));
    cop_cuda_note(
        cuda,
        cudaMemcpyAsync((*buffer)->data, data, bytes, cudaMemcpyHostToDevice, cuda->stream),
        "copying the base to the device");
    (*buffer)->is_base = true;
    const cop_status status = cop_cuda_check(cuda, err);
    if (status != COP_OK) cop_cuda_buffer_destroy(backend, buffer);
    return status;
}

void cop_cuda_buffer_destroy(cop_backend *backend, cop_buffer **buffer)
{
    if (*buffer == NULL) return;
    cop_cuda_release(cop_cuda_of(backend), *buffer);
    cop_memory_free(*buffer);
    *buffer = NULL;
}

cop_status cop_cuda_upload(cop_backend *backend, cop_buffer *buffer, size_t offset_bytes,
                           const void *data, size_t bytes, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_CHECK(!buffer->is_base, err, COP_ERR_INTERNAL, "upload to the base");
    COP_CHECK(offset_bytes <= buffer->bytes && bytes <= buffer->bytes - offset_bytes, err,
              COP_ERR_INTERNAL, "upload of %zu bytes at %zu to a buffer of %zu", bytes,
              offset_bytes, buffer->bytes);
    if (bytes == 0) return cop_cuda_check(cuda, err);
    CUDA_TRY(cuda,
             cudaMemcpyAsync(buffer->data + offset_bytes, data, bytes, cudaMemcpyHostToDevice,
                             cuda->stream),
             "copying to the device", err);
    return synchronise(cuda, err);
}

cop_status cop_cuda_download(cop_backend *backend, const cop_buffer *buffer,
                             size_t offset_bytes, void *data, size_t bytes, cop_error *err)
{
    COP_CHECK(offset_bytes <= buffer->bytes && bytes <= buffer->bytes - offset_bytes, err,
              COP_ERR_INTERNAL, "download of %zu bytes at %zu from a buffer of %zu", bytes,
              offset_bytes, buffer->bytes);
    return cop_cuda_fetch(cop_cuda_of(backend), data, buffer->data + offset_bytes, bytes, err);
}

/* --- KV cache --- */

cop_status cop_cuda_kv_create(cop_backend *backend, size_t layers, size_t slots, size_t length,
                              const cop_attention_shape *shape, cop_kv **kv, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    *kv = NULL;
    COP_CHECK(shape->head_size <= COP_CUDA_MOST_HEAD_SIZE && shape->head_size % 2 == 0, err,
              COP_ERR_UNSUPPORTED,
              "attention heads of %d are not implemented on the GPU, only even sizes up to %d; "
              "choose backend.kind: cpu",
              (int)shape->head_size, (int)COP_CUDA_MOST_HEAD_SIZE);
    const size_t per_position = (size_t)shape->kv_heads * (size_t)shape->head_size;
    size_t bytes = 0;
    COP_CHECK(
        cop_memory_multiply(layers, slots, &bytes) &&
            cop_memory_multiply(bytes, length, &bytes) &&
            cop_memory_multiply(bytes, per_position * cop_dtype_size(backend->input), &bytes),
        err, COP_ERR_MEMORY, "a KV cache of %zu x %zu x %zu x %zu cannot be addressed", layers,
        slots, length, per_position);
    cop_kv *const made = (cop_kv *)cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->layers = layers;
    made->slots = slots;
    made->length = length;
    made->kv_heads = (size_t)shape->kv_heads;
    made->group = (size_t)(shape->heads / shape->kv_heads);
    made->head_size = (size_t)shape->head_size;
    cop_status status = allocate(cuda, &made->keys, bytes, err);
    if (status == COP_OK) status = allocate(cuda, &made->values, bytes, err);
    *kv = made;
    if (status != COP_OK) cop_cuda_kv_destroy(backend, kv);
    return status;
}

void cop_cuda_kv_destroy(cop_backend *backend, cop_kv **kv)
{
    if (*kv == NULL) return;
    cop_cuda *const cuda = cop_cuda_of(backend);
    cop_cuda_release(cuda, &(*kv)->keys);
    cop_cuda_release(cuda, &(*kv)->values);
    cop_memory_free(*kv);
    *kv = NULL;
}
