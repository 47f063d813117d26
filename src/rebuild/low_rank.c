/* Weights from the base and noise of low rank, tile by tile. A tile of sums is a product of two
 * panels of factors, which stay in the first-level cache while it is added up, and the factors
 * of a whole matrix are drawn once: for N components of rank r that is N r multiply-adds an
 * element and no number drawn, where full noise draws N of them. */
#include "rebuild/low_rank.h"

#include "coppice/noise/noise.h"
#include "rebuild/factors.h"
#include "rebuild/piece.h"
#include "rebuild/storage.h"

#include <assert.h>
#include <string.h>

enum {
    TILE = OUTER_ROWS * OUTER_COLUMNS,
    /* So few rows draw their factors as they go. */
    WORTH_KEEPING = 2 * OUTER_ROWS,
    RIGHT_COLUMNS = 64 /* whose factors are drawn at a time if they are not kept */
};

/* A piece with what every tile of it needs. */
typedef struct job {
    const cop_rebuild_piece *piece; /* its base NULL: zeros */
    factor_source source;
    const cop_rebuild_factors *kept; /* or NULL */
    const cop_storage_kernels *storage;
    const cop_outer_kernels *outer;
} job;

/* Rows of the matrix, and columns of these. */
typedef struct span {
    size_t row, rows;
    size_t column, columns;
} span;

static job job_of(const cop_rebuild_piece *piece, const cop_component *components,
                  size_t component_count, cop_isa isa)
{
    assert(piece->low.rank <= COP_MOST_RANK && piece->low.columns > 0);
    return (job){.piece = piece,
                 .source = {.components = components,
                            .count = component_count,
                            .tensor = piece->tensor,
                            .scale = piece->scale,
                            .low = piece->low,
                            .isa = isa},
                 .kept = piece->factors,
                 .storage = cop_storage_kernels_get(isa),
                 .outer = cop_outer_kernels_get(isa)};
}

/* --- a tile --- */

/* Columns before the tile's first one in its sums: panels begin at multiples of their width. */
static size_t lead_of(const span *tile)
{
    return tile->column % OUTER_COLUMNS % RIGHT_COLUMNS;
}

static void add_right(const job *work, const span *tile, const float *left, size_t p,
                      size_t depth, float *sums)
{
    _Alignas(64) float room[RIGHT_COLUMNS * OUTER_DEPTH];
    const size_t first = tile->column - lead_of(tile);
    const size_t columns = tile->columns + lead_of(tile);
    const bool kept = work->kept != NULL && work->kept->right != NULL;
    const size_t step = kept ? columns : RIGHT_COLUMNS;
    for (size_t done = 0; done < columns; done += step) {
        const size_t some = columns - done < step ? columns - done : step;
        size_t panel = 0;
        const float *const right = cop_factors_right(&work->source, work->kept, p, depth,
                                                     first + done, some, room, &panel);
        work->outer->add(sums + done, left, right, panel, depth, tile->rows, some);
    }
}

/* Adds products p .. end-1 to the tile's sums, in even steps. */
static void add_products(const job *work, const span *tile, size_t p, size_t end, float *sums)
{
    _Alignas(64) float room[OUTER_ROWS * OUTER_DEPTH];
    const size_t steps = (end - p + OUTER_DEPTH - 1) / OUTER_DEPTH;
    for (size_t left_over = steps; left_over > 0; left_over--) {
        const size_t depth = (end - p) / left_over;
        const float *const left =
            cop_factors_left(&work->source, work->kept, p, depth, tile->row, room);
        add_right(work, tile, left, p, depth, sums);
        p += depth;
    }
}

/* Adds a sum's tile, or that of a sum which is known, to the tile's sums. */
static void add_sum(const job *work, const span *tile, const float *sum, size_t stride,
                    float factor, float *sums)
{
    for (size_t r = 0; r < tile->rows; r++)
        work->storage->add(sums + r * OUTER_COLUMNS + lead_of(tile), sum + r * stride,
                           factor * work->piece->scale, tile->columns);
}

/* Adds the components from j on that go together: all up to the next sum, or a sum. \return
 * their number. */
static size_t add_term(const job *work, const span *tile, size_t j, float *sums)
{
    const factor_source *const source = &work->source;
    const size_t rank = source->low.rank;
    size_t end = j;
    while (end < source->count && (source->alone || source->components[end].factor == 0.0F))
        end++;
    if (end > j) {
        add_products(work, tile, j * rank, end * rank, sums);
        return end - j;
    }
    _Alignas(64) float own[TILE];
    const size_t count = cop_component_term(source->components, source->count, j);
    assert(count > 0);
    memset(own, 0, sizeof own);
    add_products(work, tile, j * rank, (j + count) * rank, own);
    add_sum(work, tile, own + lead_of(tile), OUTER_COLUMNS,
            source->components[j + count - 1].factor, sums);
    return count;
}

/* Rebuilds a tile, of at most OUTER_ROWS rows and within OUTER_COLUMNS columns from a multiple
 * of them on, into `out`, `stride` elements from row to row. */
static void rebuild_tile(const job *work, const span *tile, void *out, size_t stride)
{
    const cop_rebuild_piece *const piece = work->piece;
    const size_t from = cop_dtype_size(rebuild_base_type(piece));
    const size_t to = cop_dtype_size(rebuild_out_type(piece));
    const size_t width = piece->low.columns;
    const size_t start = (size_t)(tile->row * (uint64_t)width + tile->column - piece->first);
    _Alignas(64) float sums[TILE];
    /* What lies around the tile is added to as well. */
    if (piece->base == NULL || tile->rows < OUTER_ROWS || lead_of(tile) > 0 ||
        tile->columns % RIGHT_COLUMNS > 0)
        memset(sums, 0, sizeof sums);
    for (size_t r = 0; r < tile->rows && piece->base != NULL; r++)
        work->storage->widen(sums + r * OUTER_COLUMNS + lead_of(tile),
                             (const char *)piece->base + (start + r * width) * from,
                             rebuild_base_type(piece), tile->columns);
    for (size_t j = 0; j < work->source.count && piece->scale != 0.0F;)
        j += add_term(work, tile, j, sums);
    if (piece->sum != NULL && piece->scale != 0.0F)
        add_sum(work, tile, piece->sum + start, width, piece->factor, sums);
    for (size_t r = 0; r < tile->rows; r++)
        work->storage->narrow((char *)out + r * stride * to,
                              sums + r * OUTER_COLUMNS + lead_of(tile), rebuild_out_type(piece),
                              tile->columns);
}

/* --- pieces in tiles --- */

static size_t tiles_across(const span *all)
{
    const size_t end = all->column + all->columns;
    if (all->rows == 0 || all->columns == 0) return 0;
    return (end + OUTER_COLUMNS - 1) / OUTER_COLUMNS - all->column / OUTER_COLUMNS;
}

static size_t count_tiles(const span *all)
{
    return tiles_across(all) * ((all->rows + OUTER_ROWS - 1) / OUTER_ROWS);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Tile `index` of a span: side by side, then down. */
static span tile_of(const span *all, size_t index)
{
    const size_t down = index / tiles_across(all) * OUTER_ROWS;
    const size_t block = all->column / OUTER_COLUMNS + index % tiles_across(all);
    const size_t first =
        block * OUTER_COLUMNS < all->column ? all->column : block * OUTER_COLUMNS;
    const size_t end = least((block + 1) * OUTER_COLUMNS, all->column + all->columns);
    return (span){all->row + down, least(OUTER_ROWS, all->rows - down), first, end - first};
}

/* A piece as what it has of its first row, whole rows, and what it has of its last. */
typedef struct cut {
    span part[3];
    size_t tiles[3];
} cut;

static cut cut_piece(const cop_rebuild_piece *piece)
{
    const size_t width = piece->low.columns;
    const size_t row = (size_t)(piece->first / width);
    const size_t column = (size_t)(piece->first % width);
    const size_t head = column == 0 ? 0 : least(width - column, piece->count);
    const size_t whole = (piece->count - head) / width;
    const size_t body = row + (column > 0);
    cut c = {.part = {{row, 1, column, head},
                      {body, whole, 0, width},
                      {body + whole, 1, 0, piece->count - head - whole * width}}};
    for (size_t i = 0; i < 3; i++)
        c.tiles[i] = count_tiles(&c.part[i]);
    return c;
}

static span tile_at(const cut *c, size_t index)
{
    size_t i = 0;
    while (index >= c->tiles[i])
        index -= c->tiles[i++];
    return tile_of(&c->part[i], index);
}

/* Draws the factors of a piece that is worth it, unless it has them. */
static cop_rebuild_factors *keep_factors(job *work, const cut *c, int threads)
{
    if (work->kept != NULL || c->part[1].rows < WORTH_KEEPING) return NULL;
    cop_rebuild_factors *const made =
        cop_factors_keep(&work->source, c->part[1].row, c->part[1].rows, threads);
    work->kept = made;
    return made;
}

static void run_tiles(job *work, int threads)
{
    const cop_rebuild_piece *const piece = work->piece;
    const size_t size = cop_dtype_size(rebuild_out_type(piece));
    const size_t width = piece->low.columns;
    const cut c = cut_piece(piece);
    const size_t tiles = c.tiles[0] + c.tiles[1] + c.tiles[2];
    cop_rebuild_factors *made = keep_factors(work, &c, threads);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && tiles > 1)
    for (size_t t = 0; t < tiles; t++) {
        const span tile = tile_at(&c, t);
        const size_t start = (size_t)(tile.row * (uint64_t)width + tile.column - piece->first);
        rebuild_tile(work, &tile, (char *)piece->out + start * size, width);
    }
    cop_rebuild_factors_destroy(&made);
}

void cop_low_rank_run(const cop_rebuild_piece *piece, const cop_component *components,
                      size_t component_count, int threads, cop_isa isa)
{
    job work = job_of(piece, components, component_count, isa);
    run_tiles(&work, threads);
}

void cop_low_rank_sum(const cop_rebuild_piece *piece, const cop_component *components,
                      size_t component_count, int threads, cop_isa isa)
{
    job work = job_of(piece, components, component_count, isa);
    work.source.alone = true;
    run_tiles(&work, threads);
}

void cop_low_rank_run_rectangle(const cop_rebuild_piece *piece, const cop_component *components,
                                size_t component_count, const cop_rebuild_rectangle *rectangle,
                                cop_isa isa)
{
    const job work = job_of(piece, components, component_count, isa);
    const size_t size = cop_dtype_size(rebuild_out_type(piece));
    assert(rectangle->width == piece->low.columns && piece->first % rectangle->width == 0);
    const size_t row = (size_t)(piece->first / rectangle->width) + rectangle->row;
    const span all = {row, rectangle->rows, rectangle->column, rectangle->columns};
    for (size_t t = 0; t < count_tiles(&all); t++) {
        const span tile = tile_of(&all, t);
        const size_t start = (tile.row - row) * rectangle->stride + tile.column - all.column;
        rebuild_tile(&work, &tile, (char *)piece->out + start * size, rectangle->stride);
    }
}

uint64_t cop_low_rank_count_unmoved(const cop_rebuild_piece *piece,
                                    const cop_component *components, size_t component_count,
                                    int threads, cop_isa isa)
{
    job work = job_of(piece, components, component_count, isa);
    const size_t size = cop_dtype_size(piece->dtype);
    const size_t width = piece->low.columns;
    const cut c = cut_piece(piece);
    const size_t tiles = c.tiles[0] + c.tiles[1] + c.tiles[2];
    cop_rebuild_factors *made = keep_factors(&work, &c, threads);
    uint64_t unmoved = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : unmoved) if (threads > 1 && tiles > 1)
    for (size_t t = 0; t < tiles; t++) {
        const span tile = tile_at(&c, t);
        _Alignas(64) char rebuilt[TILE * sizeof(float)];
        const size_t start = (size_t)(tile.row * (uint64_t)width + tile.column - piece->first);
        rebuild_tile(&work, &tile, rebuilt, OUTER_COLUMNS);
        for (size_t r = 0; r < tile.rows; r++)
            unmoved += rebuild_count_equal(
                rebuilt + r * OUTER_COLUMNS * size,
                (const char *)piece->base + (start + r * width) * size, size, tile.columns);
    }
    cop_rebuild_factors_destroy(&made);
    return unmoved;
}
