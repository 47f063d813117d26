/* Root mean square of a tensor, the same bits everywhere: squares are added in binary64, block
 * by block in index order, and the blocks' sums in order. */
#include "coppice/checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_tensors.h"

#include <assert.h>
#include <math.h>

enum { BLOCK = 4096 };

static double value_at(const cop_tensor_info *tensor, size_t i)
{
    switch (tensor->dtype) {
    case COP_F32:
        return (double)((const float *)tensor->data)[i];
    case COP_BF16:
        return (double)cop_bf16_to_f32(((const uint16_t *)tensor->data)[i]);
    case COP_F16:
        return (double)cop_f16_to_f32(((const uint16_t *)tensor->data)[i]);
    case COP_DTYPE_OTHER:
    default:
        return 0;
    }
}

static float measure(const cop_tensor_info *tensor)
{
    double sum = 0;
    for (size_t first = 0; first < tensor->count; first += BLOCK) {
        const size_t left = tensor->count - first;
        const size_t count = left < BLOCK ? left : BLOCK;
        double part = 0;
        for (size_t i = 0; i < count; i++) {
            const double value = value_at(tensor, first + i);
            part += value * value;
        }
        sum += part;
    }
    const float rms = tensor->count == 0 ? 0.0F : (float)sqrt(sum / (double)tensor->count);
    return isfinite(rms) ? rms : 0.0F;
}

float cop_checkpoint_rms(const cop_checkpoint *checkpoint, const cop_tensor_info *tensor)
{
    size_t at = 0;
    while (at < checkpoint->count && &checkpoint->tensors[at].info != tensor)
        at++;
    assert(at < checkpoint->count);
    if (checkpoint->rms[at] < 0) checkpoint->rms[at] = measure(tensor);
    return checkpoint->rms[at];
}
