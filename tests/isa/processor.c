// Holds the emulated processor against the definitions that kernels are written for, so that
// what they give on it says something about real ones: tiles of bf16, what the kernel keeps of
// them over a change of threads, and the permission without which they must not be had. A
// static program of its own; nothing of the tree is linked.
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, FLUSH_DENORMALS = 0x9fc0 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint16_t bf16)
{
    const uint32_t bits = (uint32_t)bf16 << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Numbers whose sums round, overflow, vanish, or are denormal to begin with.
static uint16_t make_bf16(unsigned kind, uint64_t *state)
{
    static const struct {
        unsigned lowest, count;
    } exponents[] = {{125, 3}, {107, 41}, {52, 24}, {0, 130}, {0, 255}};
    const uint64_t r = next_random(state);
    const unsigned exponent = exponents[kind].lowest + (unsigned)(r % exponents[kind].count);
    return (uint16_t)((r >> 40 & 1) << 15 |
                      (exponent * (kind != 3 || (r >> 50 & 3) != 0)) << 7 | (r >> 20 & 127));
}

// rows[i] rows of bytes[i] bytes in the first three tiles: c, a, b.
static void configure(const unsigned rows[3], const unsigned bytes[3])
{
    unsigned char c[64] = {1};
    for (unsigned i = 0; i < 3; i++) {
        c[16 + 2 * i] = (unsigned char)bytes[i];
        c[48 + i] = (unsigned char)rows[i];
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(*(const unsigned char(*)[64])c) : "memory");
}

static void multiply(void *c, const void *a, const void *b, long stride)
{
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm0\n tileloadd (%2,%1,1), %%tmm1\n tileloadd "
                     "(%3,%1,1), %%tmm2\n"
                     "tdpbf16ps %%tmm2, %%tmm1, %%tmm0\n tilestored %%tmm0, (%0,%1,1)" ::"r"(c),
                     "r"(stride), "r"(a), "r"(b)
                     : "memory");
}

__attribute__((target("fma"), noinline)) static float fused(float a, float b, float c)
{
    return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

// c + (the even products, one after the other + the odd ones), with denormals as zeros, to the
// nearest even.
static float defined(float c, const uint16_t *a, const uint16_t *b, unsigned pairs)
{
    const unsigned control = _mm_getcsr();
    _mm_setcsr(FLUSH_DENORMALS);
    volatile float even = 0;
    volatile float odd = 0;
    for (unsigned i = 0; i < pairs; i++) {
        even = fused(float_of(a[2 * i]), float_of(b[32 * i]), even);
        odd = fused(float_of(a[2 * i + 1]), float_of(b[32 * i + 1]), odd);
    }
    volatile float sum = even + odd;
    sum = c + sum;
    _mm_setcsr(control);
    return sum;
}

static int products_are_as_defined(void)
{
    static uint16_t a[16][32];
    static uint16_t b[16][32];
    static float c[16][16];
    static float before[16][16];
    uint64_t state = 88172645463325252U;
    long wrong = 0;
    long compared = 0;
    for (unsigned round = 0; round < 300; round++) {
        const unsigned kind = round % 5;
        const unsigned m = round < 200 ? 16 : 1 + (unsigned)(next_random(&state) % 16);
        const unsigned n = round < 200 ? 16 : 1 + (unsigned)(next_random(&state) % 16);
        const unsigned k = round < 200 ? 16 : 1 + (unsigned)(next_random(&state) % 16);
        for (unsigned i = 0; i < 512; i++) {
            a[i / 32][i % 32] = make_bf16(kind, &state);
            b[i / 32][i % 32] = make_bf16(kind, &state);
        }
        for (unsigned i = 0; i < 256; i++) {
            const uint32_t bits = (uint32_t)make_bf16(kind, &state) << 16 |
                                  (uint32_t)(next_random(&state) & 0xffff);
            memcpy(&before[i / 16][i % 16], &bits, sizeof bits);
        }
        memcpy(c, before, sizeof c);
        configure((const unsigned[]){m, m, k}, (const unsigned[]){4 * n, 4 * k, 4 * n});
        multiply(c, a, b, 64);
        for (unsigned i = 0; i < m; i++)
            for (unsigned j = 0; j < n; j++, compared++) {
                const float want = defined(before[i][j], a[i], &b[0][2 * j], k);
                if (bits_of(want) == bits_of(c[i][j]) || (isnan(want) && isnan(c[i][j])))
                    continue;
                if (wrong++ < 5)
                    printf("kind %u, %ux%ux%u, row %u, column %u: %a is defined, %a came\n",
                           kind, m, n, k, i, j, (double)want, (double)c[i][j]);
            }
    }
    printf("* TDPBF16PS: %ld of %ld sums are not as defined\n", wrong, compared);
    return wrong == 0;
}

// Tiles of a thread's own shape and contents, kept while others run.
static void *keep_tiles(void *number)
{
    const unsigned own = *(const unsigned *)number;
    const unsigned rows = 3 + 4 * own;
    unsigned char in[16][64];
    unsigned char out[16][64];
    for (unsigned i = 0; i < sizeof in; i++)
        in[i / 64][i % 64] = (unsigned char)(i * 7 + own * 50);
    configure((const unsigned[]){rows, rows, 16}, (const unsigned[]){64 - 8 * own, 64, 64});
    for (unsigned round = 0; round < 200; round++) {
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm0\n tileloadd (%0,%1,1), %%tmm2" ::"r"(in),
                         "r"(64L)
                         : "memory");
        sched_yield();
        memset(out, 0, sizeof out);
        __asm__ volatile("tilestored %%tmm2, (%0,%1,1)" ::"r"(out), "r"(64L) : "memory");
        if (memcmp(in, out, sizeof in) != 0) return "sixteen rows";
        memset(out, 0, sizeof out);
        __asm__ volatile("tilestored %%tmm0, (%0,%1,1)" ::"r"(out), "r"(64L) : "memory");
        for (unsigned i = 0; i < 16; i++)
            for (unsigned j = 0; j < 64; j++)
                if (out[i][j] != (i < rows && j < 64 - 8 * own ? in[i][j] : 0))
                    return "a smaller tile";
        in[round % 16][round % 64]++;
    }
    return NULL;
}

static int threads_keep_their_tiles(void)
{
    static unsigned number[3] = {0, 1, 2};
    pthread_t thread[3];
    int right = 1;
    for (unsigned i = 0; i < 3; i++)
        if (pthread_create(&thread[i], NULL, keep_tiles, &number[i]) != 0) exit(3);
    for (unsigned i = 0; i < 3; i++) {
        void *what;
        if (pthread_join(thread[i], &what) != 0) exit(3);
        if (what != NULL)
            printf("thread %u did not find its tiles again: %s\n", i, (const char *)what);
        right = right && what == NULL;
    }
    return right;
}

static int tiles_need_permission(void)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        configure((const unsigned[]){16, 16, 16}, (const unsigned[]){64, 64, 64});
        __asm__ volatile("tilezero %tmm0");
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) exit(3);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGILL) return 1;
    printf("tiles could be used without permission: status %d\n", status);
    return 0;
}

int main(void)
{
    int right = tiles_need_permission();
    if (syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) != 0) {
        puts("skip: no permission to use tiles: neither this processor nor its emulator has "
             "AMX");
        return 77;
    }
    right = products_are_as_defined() && right;
    right = threads_keep_their_tiles() && right;
    return !right;
}
