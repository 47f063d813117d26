/* Noise for runs of elements on any processor. */
#include "coppice/noise/gaussian.h"
#include "coppice/noise/noise.h"
#include "coppice/noise/philox.h"
#include "noise/noise_isa.h"

static void gaussian_block(uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                           uint64_t block, float z[4])
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), tensor,
                                 (uint32_t)stream};
    uint32_t words[4];
    philox_words(counter, key, words);
    gaussian_pair(words[0], words[1], z);
    gaussian_pair(words[2], words[3], z + 2);
}

void cop_noise_fill_scalar(float *out, uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                           uint64_t first, size_t count)
{
    float z[4];
    for (size_t done = 0; done < count;) {
        const uint64_t index = first + done;
        gaussian_block(seed, stream, tensor, index / 4, z);
        for (size_t k = index % 4; k < 4 && done < count; k++) {
            out[done++] = z[k];
        }
    }
}

void cop_noise_accumulate_scalar(float *sums, uint64_t seed, uint32_t tensor, uint64_t first,
                                 size_t count, float factor)
{
    float z[4];
    for (size_t done = 0; done < count;) {
        const uint64_t index = first + done;
        gaussian_block(seed, COP_STREAM_WEIGHTS, tensor, index / 4, z);
        for (size_t k = index % 4; k < 4 && done < count; k++, done++) {
            sums[done] = fmaf(factor, z[k], sums[done]);
        }
    }
}
