/* coppice noise */
#include "app/app.h"

#include "coppice/noise/noise.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    const char *seed, *tensor, *count, *offset, *stream;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case 's':
        a->seed = text;
        return 0;
    case 't':
        a->tensor = text;
        return 0;
    case 'n':
        a->count = text;
        return 0;
    case 'i':
        a->offset = text;
        return 0;
    case 'k':
        a->stream = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"seed", 's', "S", 0, "Seed, 0 to 2^64-1", 0},
    {"tensor", 't', "NAME", 0, "Tensor, by its Hugging Face name", 0},
    {"count", 'n', "N", 0, "How many numbers", 0},
    {"offset", 'i', "I", 0, "Index of the first (default 0)", 0},
    {"stream", 'k', "K", 0,
     "Stream (default 0, weights; 8 and 9: rows' and columns' factors of noise of low rank)",
     0},
    {0}};

static const struct argp argp = {
    options,
    parse,
    NULL,
    "Prints standard normal numbers of the noise (version 1), one hexadecimal binary32 bit "
    "pattern per line. The "
    "same everywhere: see src/noise/NOISE.md for the definition.\v"
    "  coppice noise --seed 1 --tensor model.norm.weight --count 4",
    NULL,
    NULL,
    NULL};

static cop_status parse_u64(const char *option, const char *text, uint64_t *value,
                            cop_error *err)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    COP_CHECK(errno == 0 && end != text && *end == '\0' && strchr(text, '-') == NULL, err,
              COP_ERR_USAGE, "--%s %s: must be a whole number from 0 to 2^64-1", option, text);
    return COP_OK;
}

cop_status cop_command_noise(int argc, char **argv, cop_error *err)
{
    enum { BLOCK = 4096 };
    arguments a = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    uint64_t seed = 0;
    uint64_t count = 0;
    uint64_t first = 0;
    uint64_t stream = COP_STREAM_WEIGHTS;
    COP_TRY(cop_app_require("noise", "--seed S", a.seed, err));
    COP_TRY(cop_app_require("noise", "--tensor NAME", a.tensor, err));
    COP_TRY(cop_app_require("noise", "--count N", a.count, err));
    COP_TRY(parse_u64("seed", a.seed, &seed, err));
    COP_TRY(parse_u64("count", a.count, &count, err));
    if (a.offset != NULL) COP_TRY(parse_u64("offset", a.offset, &first, err));
    if (a.stream != NULL) COP_TRY(parse_u64("stream", a.stream, &stream, err));
    COP_CHECK(stream <= COP_STREAM_RIGHT, err, COP_ERR_USAGE, "--stream %s: must be 0 to %d",
              a.stream, COP_STREAM_RIGHT);
    const uint32_t tensor = cop_noise_tensor_id(a.tensor);
    float block[BLOCK];
    for (uint64_t done = 0; done < count; done += BLOCK) {
        const size_t n = count - done < BLOCK ? (size_t)(count - done) : BLOCK;
        cop_noise_stream_fill(block, seed, (cop_noise_stream)stream, tensor, first + done, n,
                              cop_cpu_isa());
        for (size_t i = 0; i < n; i++) {
            uint32_t bits = 0;
            memcpy(&bits, &block[i], sizeof bits);
            COP_CHECK(printf("%08" PRIx32 "\n", bits) > 0, err, COP_ERR_IO,
                      "standard output: %s", strerror(errno));
        }
    }
    return cop_app_flush(err);
}
