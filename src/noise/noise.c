/* The definition of the noise, one element at a time. */
#include "coppice/noise/noise.h"

#include "coppice/noise/gaussian.h"
#include "coppice/noise/philox.h"

#include <string.h>

uint32_t cop_noise_tensor_id(const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    }
    return hash;
}

void cop_noise_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    philox_words(counter, key, out);
}

static void philox_block(uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                         uint64_t block, uint32_t out[4])
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), tensor,
                                 (uint32_t)stream};
    cop_noise_philox(counter, key, out);
}

uint64_t cop_noise_bits(uint64_t seed, cop_noise_stream stream, uint32_t domain, uint64_t index)
{
    uint32_t words[4];
    philox_block(seed, stream, domain, index, words);
    return words[0] | (uint64_t)words[1] << 32;
}

double cop_noise_uniform(uint64_t seed, cop_noise_stream stream, uint32_t domain,
                         uint64_t index)
{
    /* 52 bits and a half are the most that stay exact, so that 1 is never reached. */
    return ((double)(cop_noise_bits(seed, stream, domain, index) >> 12) + 0.5) * 0x1p-52;
}

float cop_noise_stream_at(uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                          uint64_t index)
{
    uint32_t words[4];
    philox_block(seed, stream, tensor, index / 4, words);
    const size_t pair = index % 4 / 2 * 2;
    float z[2];
    gaussian_pair(words[pair], words[pair + 1], z);
    return z[index % 2];
}

float cop_noise_at(uint64_t seed, uint32_t tensor, uint64_t index)
{
    return cop_noise_stream_at(seed, COP_STREAM_WEIGHTS, tensor, index);
}

bool cop_noise_kind_parse(const char *text, size_t *rank)
{
    static const char prefix[] = "rank-";
    *rank = 0;
    if (strcmp(text, "full") == 0) return true;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0) return false;
    const char *const digits = text + sizeof prefix - 1;
    const size_t length = strlen(digits);
    if (length == 0 || length > 2 || digits[0] == '0') return false;
    if (strspn(digits, "0123456789") != length) return false;
    for (const char *c = digits; *c != '\0'; c++)
        *rank = 10 * *rank + (size_t)(*c - '0');
    return *rank <= COP_MOST_RANK;
}
