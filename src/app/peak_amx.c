/* AMX: tiles of 16 rows of 32 bf16, multiplied into 16 x 16 sums.
 *
 * The instructions are written as the assembler has them: the intrinsic of GCC 12 that loads a
 * configuration does not say that it reads memory, so that what was stored there gets lost. */
#include "app/peaks.h"

#include "coppice/base/cpu.h"

#if defined(__x86_64__)
#include <stdint.h>

enum { SUMS = 4, ROWS = 16, DEPTH = 32, ROW_BYTES = 64 };

/* What LDTILECFG reads. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Tiles 0 to 3 are sums of 4 and 5 times 6 and 7, as a product has them; all are zero. */
static float run(size_t rounds)
{
    tile_config config = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        config.row_bytes[t] = ROW_BYTES;
        config.rows[t] = ROWS;
    }
    __asm__ volatile("ldtilecfg %0\n\t"
                     "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\t"
                     "tilezero %%tmm3\n\ttilezero %%tmm4\n\ttilezero %%tmm5\n\t"
                     "tilezero %%tmm6\n\ttilezero %%tmm7"
                     :
                     : "m"(config)
                     : "memory");
    for (size_t i = 0; i < rounds; i++) {
        __asm__ volatile("tdpbf16ps %tmm6, %tmm4, %tmm0\n\t"
                         "tdpbf16ps %tmm7, %tmm4, %tmm1\n\t"
                         "tdpbf16ps %tmm6, %tmm5, %tmm2\n\t"
                         "tdpbf16ps %tmm7, %tmm5, %tmm3");
    }
    __asm__ volatile("tilerelease" : : : "memory");
    return (float)rounds;
}

static bool is_there(void)
{
    return cop_cpu_isa() >= COP_ISA_AMX;
}

const cop_peak cop_peak_amx = {"AMX, bf16", true, 2.0 * SUMS *ROWS *ROWS *DEPTH, run, is_there};
#else
COP_PEAK_ABSENT(cop_peak_amx);
#endif
