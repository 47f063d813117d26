/* A checkpoint over tensors that are in memory already. */
#include "coppice/checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_tensors.h"
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <string.h>

static const char *text_of(cop_dtype dtype)
{
    switch (dtype) {
    case COP_F32:
        return "F32";
    case COP_BF16:
        return "BF16";
    case COP_F16:
        return "F16";
    case COP_DTYPE_OTHER:
        break;
    }
    return NULL;
}

static cop_status copy_tensor(const cop_tensor_info *from, cop_safetensors_tensor *to,
                              cop_error *err)
{
    COP_CHECK(from->name != NULL, err, COP_ERR_FORMAT, "a tensor in memory has no name");
    const char *const text = from->dtype_text != NULL ? from->dtype_text : text_of(from->dtype);
    const cop_safetensors_dtype *const dtype =
        text == NULL ? NULL : cop_safetensors_find_dtype(text);
    COP_CHECK(dtype != NULL && dtype->dtype == from->dtype, err, COP_ERR_FORMAT,
              "tensor %s in memory: dtype and dtype_text do not agree", from->name);
    size_t count = 0;
    size_t bytes = 0;
    COP_CHECK(from->rank >= 0 && from->rank <= COP_TENSOR_MAX_RANK &&
                  cop_safetensors_count(from->shape, from->rank, &count) &&
                  cop_safetensors_bytes(dtype, count, &bytes),
              err, COP_ERR_FORMAT, "tensor %s in memory: its shape is not valid", from->name);
    COP_CHECK((from->count == 0 || from->count == count) &&
                  (from->bytes == 0 || from->bytes == bytes) &&
                  (bytes == 0 || from->data != NULL),
              err, COP_ERR_FORMAT, "tensor %s in memory: its shape has %zu elements, %zu bytes",
              from->name, count, bytes);

    to->name = cop_memory_copy_string(from->name, strlen(from->name), err);
    if (to->name == NULL) return COP_ERR_MEMORY;
    to->info = *from;
    to->info.name = to->name;
    to->info.dtype_text = dtype->text;
    to->info.count = count;
    to->info.bytes = bytes;
    to->info.noise_id = cop_noise_tensor_id(to->name);
    to->info.file = 0;
    to->info.offset = 0;
    return COP_OK;
}

cop_status cop_checkpoint_from_memory(const cop_tensor_info *infos, size_t count,
                                      cop_checkpoint **checkpoint, cop_error *err)
{
    *checkpoint = NULL;
    cop_checkpoint *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_ERR_MEMORY;
    made->tensors = cop_memory_alloc(count, sizeof *made->tensors, err);
    if (made->tensors == NULL) goto out;
    made->capacity = count;
    for (made->count = 0; made->count < count; made->count++) {
        COP_TRY_OUT(copy_tensor(&infos[made->count], &made->tensors[made->count], err));
    }
    COP_TRY_OUT(cop_checkpoint_finish(made, err));
    *checkpoint = made;
    made = NULL;
out:
    cop_checkpoint_close(&made);
    return status;
}
