#include "coppice/base/cpu.h"
#include "coppice/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const char *const isa_names[COP_ISA_COUNT] = {"scalar", "avx2", "avx512", "amx"};

#if defined(__x86_64__)
/* What the kernels of either set are compiled with; the compilers have no name for F16C. */
static bool has_avx2(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return false;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

/* A process must ask before it touches a tile: their state is large, and not kept for others.
 * Asking again costs a system call and changes nothing. */
static bool may_use_tiles(void)
{
    enum { REQUEST_STATE = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
}

static bool has_amx(void)
{
    enum { AMX_BF16 = 1U << 22, AMX_TILE = 1U << 24 };
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    return (d & AMX_BF16) != 0 && (d & AMX_TILE) != 0 && may_use_tiles();
}
#endif

static cop_isa detect_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!has_avx2()) return COP_ISA_SCALAR;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return has_amx() ? COP_ISA_AMX : COP_ISA_AVX512;
    }
    return COP_ISA_AVX2;
#else
    return COP_ISA_SCALAR;
#endif
}

cop_isa cop_cpu_isa(void)
{
    const cop_isa best = detect_isa();
    const char *const wanted = getenv("COPPICE_ISA");
    if (wanted == NULL) return best;
    const size_t found = cop_text_find_name(wanted, isa_names, (size_t)best);
    return (cop_isa)found;
}

cop_status cop_cpu_check(cop_error *err)
{
    const char *const wanted = getenv("COPPICE_ISA");
    COP_CHECK(
        wanted == NULL || wanted[0] == '\0' ||
            cop_text_find_name(wanted, isa_names, COP_ISA_COUNT) < COP_ISA_COUNT,
        err, COP_ERR_USAGE,
        "environment variable COPPICE_ISA is '%s'; set it to scalar, avx2, avx512 or amx, "
        "or unset it",
        wanted);
    return COP_OK;
}

/* Of each hold: its name, and the kernels that go with it. */
static const struct {
    const char *name;
    cop_isa kernels;
} holds[COP_HOLD_COUNT] = {[COP_HOLD_NONE] = {"auto", COP_ISA_AMX},
                           [COP_HOLD_SCALAR] = {"scalar", COP_ISA_SCALAR},
                           [COP_HOLD_AVX2] = {"avx2", COP_ISA_AVX2},
                           [COP_HOLD_AVX512] = {"avx512", COP_ISA_AVX512},
                           [COP_HOLD_AVX512_BF16] = {"avx512_bf16", COP_ISA_AVX512},
                           [COP_HOLD_AMX] = {"amx", COP_ISA_AMX}};

const char *cop_isa_hold_name(cop_isa_hold hold)
{
    return holds[hold].name;
}

bool cop_isa_hold_parse(const char *name, cop_isa_hold *hold)
{
    for (int i = 0; i < (int)COP_HOLD_COUNT; i++) {
        if (strcmp(name, holds[i].name) != 0) continue;
        *hold = (cop_isa_hold)i;
        return true;
    }
    return false;
}

cop_isa cop_isa_hold_kernels(cop_isa_hold hold)
{
    return hold == COP_HOLD_NONE ? cop_cpu_isa() : holds[hold].kernels;
}

bool cop_cpu_has_bf16(void)
{
#if defined(__x86_64__)
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (detect_isa() < COP_ISA_AVX512) return false;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1U << 5) != 0) return true;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & 1U << 22) != 0) return true;
#endif
    return false;
}

const char *cop_isa_name(cop_isa isa)
{
    return isa_names[isa];
}

void cop_cpu_describe(char *text, unsigned size)
{
    (void)snprintf(text, size, "unknown");
    FILE *const file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) return;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
        const char *const name = colon + 1 + strspn(colon + 1, " \t");
        const size_t length = strcspn(name, "\n");
        if (length > 0) (void)snprintf(text, size, "%.*s", (int)length, name);
        break;
    }
    (void)fclose(file);
}
