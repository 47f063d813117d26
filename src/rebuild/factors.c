#include "rebuild/factors.h"

#include "coppice/base/memory.h"
#include "coppice/noise/kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    DRAWN = 1024, /* numbers that are drawn at a time: whole panels of either side */
    /* More than this of one side is drawn again where it is needed: that costs time, which rows
     * and columns by the ten thousand, or hundreds of products, take a lot of anyway. */
    MOST_BYTES = 64 << 20
};

/* One of the two sides. */
typedef struct side {
    cop_noise_stream stream;
    size_t length; /* of the matrix */
    size_t lanes;  /* of a panel */
} side;

static side left_side(const factor_source *source)
{
    return (side){COP_STREAM_LEFT, source->low.rows, OUTER_ROWS};
}

static side right_side(const factor_source *source)
{
    return (side){COP_STREAM_RIGHT, source->low.columns,
                  cop_outer_kernels_get(source->isa)->lanes};
}

/* What the left factors of product p are multiplied by. */
static float factor_of(const factor_source *source, size_t p)
{
    const cop_component *const component = &source->components[p / source->low.rank];
    const bool in_sum = source->alone || component->factor != 0.0F;
    const float amplitude =
        in_sum ? component->amplitude : component->amplitude * source->scale;
    return amplitude / sqrtf((float)source->low.rank);
}

/* out [count] = factors of product p from `first` on, zero outside the matrix. */
static void draw(const factor_source *source, const side *of, size_t p, size_t first,
                 size_t count, float *out)
{
    const uint64_t seed = source->components[p / source->low.rank].seed;
    const size_t start = p % source->low.rank * of->length;
    const size_t room = first < of->length ? of->length - first : 0;
    const size_t inside = count < room ? count : room;
    cop_noise_stream_fill(out, seed, of->stream, source->tensor, start + first, inside,
                          source->isa);
    memset(out + inside, 0, (count - inside) * sizeof *out);
    if (of->stream != COP_STREAM_LEFT) return;
    const float factor = factor_of(source, p);
    for (size_t i = 0; i < inside; i++)
        out[i] *= factor;
}

/* Panels [depth, lanes] of products p .. p+depth-1 and `count` elements from `first` on, which
 * lie `panel` numbers apart. */
static void draw_panels(const factor_source *source, const side *of, size_t p, size_t depth,
                        size_t first, size_t count, float *panels, size_t panel)
{
    float drawn[DRAWN];
    const size_t whole = (count + of->lanes - 1) / of->lanes * of->lanes;
    assert(whole <= DRAWN);
    for (size_t d = 0; d < depth; d++) {
        draw(source, of, p + d, first, whole, drawn);
        for (size_t i = 0; i < whole; i += of->lanes)
            memcpy(panels + i / of->lanes * panel + d * of->lanes, drawn + i,
                   of->lanes * sizeof *drawn);
    }
}

const float *cop_factors_left(const factor_source *source, const cop_rebuild_factors *kept,
                              size_t p, size_t depth, size_t row, float *room)
{
    if (kept != NULL && kept->left != NULL && row >= kept->row &&
        (row - kept->row) % OUTER_ROWS == 0 && row < kept->row + kept->rows)
        return kept->left +
               ((row - kept->row) / OUTER_ROWS * factor_depth(source) + p) * OUTER_ROWS;
    const side of = left_side(source);
    draw_panels(source, &of, p, depth, row, OUTER_ROWS, room, 0);
    return room;
}

const float *cop_factors_right(const factor_source *source, const cop_rebuild_factors *kept,
                               size_t p, size_t depth, size_t column, size_t columns,
                               float *room, size_t *panel)
{
    const side of = right_side(source);
    assert(column % of.lanes == 0);
    if (kept != NULL && kept->right != NULL) {
        *panel = factor_depth(source) * of.lanes;
        return kept->right + column / of.lanes * *panel + p * of.lanes;
    }
    *panel = depth * of.lanes;
    draw_panels(source, &of, p, depth, column, columns, room, *panel);
    return room;
}

/* Bytes of so many products of `count` elements, whole panels; more than MOST_BYTES, however
 * many more, are SIZE_MAX. */
static size_t side_bytes(size_t count, size_t lanes, size_t depth)
{
    const size_t padded = (count + lanes - 1) / lanes * lanes;
    if (padded > 0 && depth > MOST_BYTES / sizeof(float) / padded) return SIZE_MAX;
    return padded * depth * sizeof(float);
}

/* All products of `count` elements from `first` on. NULL: none, too many, or no memory. */
static float *keep_side(const factor_source *source, const side *of, size_t first, size_t count,
                        int threads)
{
    const size_t depth = factor_depth(source);
    const size_t panels = (count + of->lanes - 1) / of->lanes;
    const size_t bytes = side_bytes(count, of->lanes, depth);
    if (bytes == 0 || bytes > MOST_BYTES) return NULL;
    float *const out = cop_memory_alloc_raw(bytes, 1, NULL);
    if (out == NULL) return NULL;
    const size_t step = DRAWN / of->lanes;
    const size_t runs = (panels + step - 1) / step;
    const bool shared = threads > 1 && depth * count > 4 * (size_t)DRAWN;
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static) if (shared)
    for (size_t run = 0; run < runs; run++) {
        for (size_t p = 0; p < depth; p++) {
            const size_t panel = run * step;
            const size_t some = panels - panel < step ? panels - panel : step;
            draw_panels(source, of, p, 1, first + panel * of->lanes, some * of->lanes,
                        out + (panel * depth + p) * of->lanes, depth * of->lanes);
        }
    }
    return out;
}

cop_rebuild_factors *cop_factors_keep(const factor_source *source, size_t row, size_t rows,
                                      int threads)
{
    if (factor_depth(source) == 0 || source->scale == 0.0F) return NULL;
    cop_rebuild_factors *kept = cop_memory_alloc(1, sizeof *kept, NULL);
    if (kept == NULL) return NULL;
    const side left = left_side(source);
    const side right = right_side(source);
    *kept = (cop_rebuild_factors){.row = row, .rows = rows};
    kept->left = keep_side(source, &left, row, rows, threads);
    kept->right = keep_side(source, &right, 0, source->low.columns, threads);
    return kept;
}

uint64_t cop_rebuild_factors_bytes(size_t rows, size_t columns, size_t products)
{
    /* A list with fewer products may just be kept where all of them are too many. */
    const size_t left = side_bytes(rows, OUTER_ROWS, products);
    const size_t right = side_bytes(columns, OUTER_LANES_AVX512, products);
    return (uint64_t)(left < MOST_BYTES ? left : MOST_BYTES) +
           (right < MOST_BYTES ? right : MOST_BYTES);
}

cop_rebuild_factors *cop_rebuild_factors_create(const cop_rebuild_piece *piece,
                                                const cop_component *components,
                                                size_t component_count, int threads,
                                                cop_isa isa)
{
    if (piece->low.rank == 0) return NULL;
    const factor_source source = {.components = components,
                                  .count = component_count,
                                  .tensor = piece->tensor,
                                  .scale = piece->scale,
                                  .low = piece->low,
                                  .isa = isa};
    const size_t row = (size_t)(piece->first / piece->low.columns);
    const size_t end = (size_t)((piece->first + piece->count) / piece->low.columns);
    return cop_factors_keep(&source, row, end > row ? end - row : 1, threads);
}

void cop_rebuild_factors_destroy(cop_rebuild_factors **factors)
{
    if (*factors == NULL) return;
    cop_memory_free((*factors)->left);
    cop_memory_free((*factors)->right);
    cop_memory_free(*factors);
    *factors = NULL;
}
