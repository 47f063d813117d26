/* The product of kernels/product.c by the tile instruction (AMX), whose order of sums it is.
 *
 * Four tiles hold sums: 32 rows of two panels, through the whole depth. A block of depth is two
 * tiles of rows and two of panels, loaded once for four products: 16 cycles each against 8 for
 * a load from the first-level cache, so that loads hide behind products. A panel's block is a
 * tile as it lies in memory. What is left of the rows is a tile of fewer rows.
 *
 * Tiles are named in the assembler's own words, with memory as what is read and written: the
 * compiler's intrinsics of GCC 12 do not say that a configuration or a tile is read from
 * memory, and stores before them get lost. */
#include "backend/cpu/kernels/kernels.h"

#include <assert.h>

#if defined(__x86_64__)
#include <string.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64, STRIP = 2 * TILE_ROWS };

/* What LDTILECFG reads. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

#define TILE_LOAD(tile, from, stride)                   \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile \
                     :                                  \
                     : "r"(from), "r"((size_t)(stride)) \
                     : "memory")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile : : : "memory")
#define TILE_BEGIN(tile, fresh, from, stride) \
    do {                                      \
        if (fresh) {                          \
            TILE_ZERO(tile);                  \
        } else {                              \
            TILE_LOAD(tile, from, stride);    \
        }                                     \
    } while (0)
#define TILE_STORE(tile, to, stride)                        \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" \
                     :                                      \
                     : "r"(to), "r"((size_t)(stride))       \
                     : "memory")
#define TILE_DOT(sum, a, b) \
    __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : : : "memory")

/* Tiles 0 to 3: sums; 4 and 5: rows; 6 and 7: panels. */
static void configure(size_t upper, size_t lower)
{
    const uint8_t rows[8] = {(uint8_t)upper, (uint8_t)upper, (uint8_t)lower, (uint8_t)lower,
                             (uint8_t)upper, (uint8_t)lower, TILE_ROWS,      TILE_ROWS};
    tile_config config = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        /* A tile of no rows is given one, which is not used. */
        config.rows[t] = rows[t] == 0 ? 1 : rows[t];
        config.row_bytes[t] = TILE_BYTES;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
}

/* One strip of more than 16 rows against two panels. */
static void multiply_four(const cop_product *p, const uint16_t *a, const uint32_t *b, float *c)
{
    const size_t a_bytes = p->a_stride * sizeof *a;
    const size_t c_bytes = p->c_stride * sizeof *c;
    const uint16_t *const a_lower = a + TILE_ROWS * p->a_stride;
    const uint32_t *const b_next = b + p->b_stride;
    float *const c_lower = c + TILE_ROWS * p->c_stride;
    TILE_BEGIN(0, p->fresh, c, c_bytes);
    TILE_BEGIN(1, p->fresh, c + COP_PANEL, c_bytes);
    TILE_BEGIN(2, p->fresh, c_lower, c_bytes);
    TILE_BEGIN(3, p->fresh, c_lower + COP_PANEL, c_bytes);
    for (size_t k = 0; k < p->depth; k += COP_PRODUCT_BLOCK) {
        TILE_LOAD(6, b + k / 2 * COP_PANEL, TILE_BYTES);
        TILE_LOAD(4, a + k, a_bytes);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(7, b_next + k / 2 * COP_PANEL, TILE_BYTES);
        TILE_DOT(1, 4, 7);
        TILE_LOAD(5, a_lower + k, a_bytes);
        TILE_DOT(2, 5, 6);
        TILE_DOT(3, 5, 7);
    }
    TILE_STORE(0, c, c_bytes);
    TILE_STORE(1, c + COP_PANEL, c_bytes);
    TILE_STORE(2, c_lower, c_bytes);
    TILE_STORE(3, c_lower + COP_PANEL, c_bytes);
}

/* At most 16 rows against two panels. */
static void multiply_wide(const cop_product *p, const uint16_t *a, const uint32_t *b, float *c)
{
    const size_t a_bytes = p->a_stride * sizeof *a;
    const size_t c_bytes = p->c_stride * sizeof *c;
    const uint32_t *const b_next = b + p->b_stride;
    TILE_BEGIN(0, p->fresh, c, c_bytes);
    TILE_BEGIN(1, p->fresh, c + COP_PANEL, c_bytes);
    for (size_t k = 0; k < p->depth; k += COP_PRODUCT_BLOCK) {
        TILE_LOAD(4, a + k, a_bytes);
        TILE_LOAD(6, b + k / 2 * COP_PANEL, TILE_BYTES);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(7, b_next + k / 2 * COP_PANEL, TILE_BYTES);
        TILE_DOT(1, 4, 7);
    }
    TILE_STORE(0, c, c_bytes);
    TILE_STORE(1, c + COP_PANEL, c_bytes);
}

/* Rows against one panel. */
static void multiply_tall(const cop_product *p, const uint16_t *a, const uint32_t *b, float *c,
                          bool lower)
{
    const size_t a_bytes = p->a_stride * sizeof *a;
    const size_t c_bytes = p->c_stride * sizeof *c;
    const uint16_t *const a_lower = a + TILE_ROWS * p->a_stride;
    float *const c_lower = c + TILE_ROWS * p->c_stride;
    TILE_BEGIN(0, p->fresh, c, c_bytes);
    if (lower) TILE_BEGIN(2, p->fresh, c_lower, c_bytes);
    for (size_t k = 0; k < p->depth; k += COP_PRODUCT_BLOCK) {
        TILE_LOAD(6, b + k / 2 * COP_PANEL, TILE_BYTES);
        TILE_LOAD(4, a + k, a_bytes);
        TILE_DOT(0, 4, 6);
        if (!lower) continue;
        TILE_LOAD(5, a_lower + k, a_bytes);
        TILE_DOT(2, 5, 6);
    }
    TILE_STORE(0, c, c_bytes);
    if (lower) TILE_STORE(2, c_lower, c_bytes);
}

static void multiply_strip(const cop_product *p, size_t row, size_t rows)
{
    const uint16_t *const a = (const uint16_t *)p->a + row * p->a_stride;
    float *const c = p->c + row * p->c_stride;
    const bool lower = rows > TILE_ROWS;
    size_t panel = 0;
    for (; panel + 2 <= p->panels; panel += 2) {
        const uint32_t *const b = p->b + panel * p->b_stride;
        if (lower) {
            multiply_four(p, a, b, c + panel * COP_PANEL);
        } else {
            multiply_wide(p, a, b, c + panel * COP_PANEL);
        }
    }
    if (panel < p->panels)
        multiply_tall(p, a, p->b + panel * p->b_stride, c + panel * COP_PANEL, lower);
}

void cop_kernel_product_amx(const cop_product *product)
{
    assert(product->depth % COP_PRODUCT_BLOCK == 0);
    size_t configured = 0;
    for (size_t row = 0; row < product->rows; row += STRIP) {
        const size_t left = product->rows - row;
        const size_t rows = left < STRIP ? left : STRIP;
        if (rows != configured)
            configure(rows < TILE_ROWS ? rows : TILE_ROWS,
                      rows > TILE_ROWS ? rows - TILE_ROWS : 0);
        configured = rows;
        multiply_strip(product, row, rows);
    }
    __asm__ volatile("tilerelease" : : : "memory");
}
#endif
