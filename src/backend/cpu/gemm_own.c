/* GEMM by the project's own kernels: bf16 in the order of the tile instruction, the same bits
 * on every processor, for any number of rows beside a row and any number of threads.
 *
 * Weights lie in panels of 16 columns (see kernels/product.c), so that a task reads them once
 * from end to end. A task is TASK_PANELS panels times at most TASK_ROWS rows, and takes the
 * depth in pieces of TASK_DEPTH: a piece of its panels (64 x 512 bf16, 64 KiB) and of its rows
 * (160 x 512 binary32, 320 KiB) stay in a second-level cache of 512 KiB, one panel's piece (16
 * KiB) in the first, and its sums (40 KiB) are stored once, with bias and residual. Tasks of
 * the same panels follow each other, so that weights come from memory once however many rows
 * there are; threads take tasks in turn, so that one which is slowed down by others holds up
 * one task, not half of the product. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/parallel.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum {
    TASK_ROWS = 160, /* whole strips of AVX2 and of AMX: 5 and 32 rows */
    TASK_DEPTH = 512,
    TASK_PANELS = 4,
    TASK_COLUMNS = TASK_PANELS * COP_PANEL,
    /* Fewer multiplications than this are done before a second thread is awake. */
    SERIAL_PRODUCTS = 1 << 18
};

struct cop_gemm_weight {
    size_t n, k;
    size_t panels, depth; /* n and k in whole panels and blocks */
    uint32_t *packed;     /* [panels, depth / 2, COP_PANEL] */
};

typedef struct own_gemm {
    cop_gemm base;
    cop_gemm_options options;
    char *rows; /* operands [rows, depth] as the kernel takes them */
    size_t rows_bytes;
    float *sums; /* [threads, TASK_ROWS, TASK_COLUMNS] */
} own_gemm;

static size_t round_up(size_t value, size_t step)
{
    return (value + step - 1) / step * step;
}

static void destroy(cop_gemm *gemm)
{
    own_gemm *const self = (own_gemm *)gemm;
    cop_memory_free(self->rows);
    cop_memory_free(self->sums);
    cop_memory_free(self);
}

/* --- weights --- */

static size_t packed_bytes(const cop_gemm_weight *weight)
{
    return weight->panels * COP_PANEL * weight->depth * sizeof(uint16_t);
}

static cop_status weight_create(cop_gemm *gemm, size_t n, size_t k, cop_gemm_weight **weight,
                                cop_error *err)
{
    (void)gemm;
    *weight = NULL;
    cop_gemm_weight *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    *made = (cop_gemm_weight){.n = n,
                              .k = k,
                              .panels = round_up(n, COP_PANEL) / COP_PANEL,
                              .depth = round_up(k, COP_PRODUCT_BLOCK)};
    made->packed = cop_gemm_map(packed_bytes(made), err);
    if (made->packed == NULL) {
        cop_memory_free(made);
        return COP_ERR_MEMORY;
    }
    *weight = made;
    return COP_OK;
}

static void weight_destroy(cop_gemm *gemm, cop_gemm_weight *weight)
{
    (void)gemm;
    cop_gemm_unmap(weight->packed, packed_bytes(weight));
    cop_memory_free(weight);
}

/* Rows to pack: pieces of whole rows, one after the other, and what is added to them. */
typedef struct pack_work {
    const own_gemm *self;
    const cop_gemm_weight *weight;
    const cop_rebuild_piece *pieces; /* [piece_count] */
    size_t piece_count;
    const cop_component *components; /* [component_count] */
    size_t component_count;
} pack_work;

/* Where a piece's elements can be read as they lie: bf16 to which nothing is added. NULL: they
 * cannot. */
static const uint16_t *as_they_lie(const pack_work *w, const cop_rebuild_piece *piece)
{
    const bool moved = w->component_count > 0 || piece->sum != NULL;
    const bool plain = piece->dtype == COP_BF16 && !piece->base_is_sums;
    const bool even = (uintptr_t)piece->base % sizeof(uint16_t) == 0;
    return (moved && piece->scale != 0.0F) || !plain || !even ? NULL : piece->base;
}

/* Rows of a panel as bf16: where they are, and room for those that lie nowhere as such. */
typedef struct panel_rows {
    const uint16_t *at[COP_PANEL];
    uint16_t room[COP_PANEL][TASK_DEPTH];
} panel_rows;

/* A rectangle of a piece as rows `to` and following of a panel: rebuilt to the type that it is
 * stored in, since that is what an export holds, and from there to bf16. */
static void read_rectangle(const pack_work *w, const cop_rebuild_piece *whole,
                           const cop_rebuild_rectangle *rectangle, size_t to, panel_rows *out)
{
    float stored[COP_PANEL][TASK_DEPTH];
    float wide[TASK_DEPTH];
    cop_rebuild_piece piece = *whole;
    const bool straight = piece.dtype == COP_BF16;
    piece.out = straight ? (void *)out->room[to] : (void *)stored;
    cop_rebuild_run_rectangle(&piece, w->components, w->component_count, rectangle,
                              w->self->options.isa);
    const size_t stride = TASK_DEPTH * cop_dtype_size(piece.dtype);
    for (size_t n = 0; n < rectangle->rows && !straight; n++) {
        w->self->options.kernels->widen(wide, (const char *)stored + n * stride, piece.dtype,
                                        rectangle->columns);
        w->self->options.kernels->narrow(out->room[to + n], COP_BF16, wide, rectangle->columns);
    }
}

/* Columns first .. first + count - 1 of a panel, whose rows may be of more than one piece. Rows
 * are read where they lie if all of `depth` can be. */
static void read_panel(const pack_work *w, size_t panel, size_t first, size_t count,
                       size_t depth, panel_rows *out)
{
    const cop_gemm_weight *const weight = w->weight;
    const size_t row = panel * COP_PANEL;
    const size_t end = weight->n - row < COP_PANEL ? weight->n : row + COP_PANEL;
    size_t start = 0; /* of the piece */
    for (size_t n = 0; n < COP_PANEL; n++)
        out->at[n] = out->room[n];
    for (size_t i = 0; i < w->piece_count && start < end; i++) {
        const cop_rebuild_piece *const piece = &w->pieces[i];
        const uint16_t *const lying = count == depth ? as_they_lie(w, piece) : NULL;
        const size_t stop = start + piece->count / weight->k;
        const size_t from = start < row ? row : start;
        const size_t to = stop < end ? stop : end;
        const cop_rebuild_rectangle part = {.width = weight->k,
                                            .row = from - start,
                                            .rows = from < to ? to - from : 0,
                                            .column = first,
                                            .columns = count,
                                            .stride = TASK_DEPTH};
        if (lying == NULL && part.rows > 0) read_rectangle(w, piece, &part, from - row, out);
        for (size_t n = 0; n < part.rows && lying != NULL; n++)
            out->at[from - row + n] = lying + (part.row + n) * weight->k + first;
        start = stop;
    }
}

#if defined(__x86_64__)
/* Four words, each a pair of elements. */
static __m128i load_four(const uint16_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static void store_four(uint32_t *to, __m128i words)
{
    _mm_storeu_si128((__m128i *)(void *)to, words);
}

/* Rows [COP_PANEL] as words of a panel: transposed, four by four. depth is a multiple of 8. */
static void interleave(const uint16_t *const rows[COP_PANEL], size_t depth, uint32_t *out)
{
    const size_t step = COP_PANEL;
    for (size_t i = 0; i < depth; i += 8) {
        for (size_t n = 0; n < COP_PANEL; n += 4) {
            const __m128i a = load_four(&rows[n][i]);
            const __m128i b = load_four(&rows[n + 1][i]);
            const __m128i c = load_four(&rows[n + 2][i]);
            const __m128i d = load_four(&rows[n + 3][i]);
            const __m128i ab_low = _mm_unpacklo_epi32(a, b);
            const __m128i ab_high = _mm_unpackhi_epi32(a, b);
            const __m128i cd_low = _mm_unpacklo_epi32(c, d);
            const __m128i cd_high = _mm_unpackhi_epi32(c, d);
            uint32_t *const to = out + i / 2 * step + n;
            store_four(to, _mm_unpacklo_epi64(ab_low, cd_low));
            store_four(to + step, _mm_unpackhi_epi64(ab_low, cd_low));
            store_four(to + 2 * step, _mm_unpacklo_epi64(ab_high, cd_high));
            store_four(to + 3 * step, _mm_unpackhi_epi64(ab_high, cd_high));
        }
    }
}
#else
/* Rows [COP_PANEL] as words of a panel. */
static void interleave(const uint16_t *const rows[COP_PANEL], size_t depth, uint32_t *out)
{
    for (size_t i = 0; i < depth; i += 2) {
        for (size_t n = 0; n < COP_PANEL; n++)
            *out++ = rows[n][i] | (uint32_t)rows[n][i + 1] << 16;
    }
}
#endif

static void pack_panels(const void *context, size_t begin, size_t end)
{
    const pack_work *const w = context;
    const cop_gemm_weight *const weight = w->weight;
    panel_rows rows;
    for (size_t panel = begin; panel < end; panel++) {
        uint32_t *const out = weight->packed + panel * COP_PANEL * weight->depth / 2;
        for (size_t first = 0; first < weight->depth; first += TASK_DEPTH) {
            const size_t left = weight->depth - first;
            const size_t depth = left < TASK_DEPTH ? left : TASK_DEPTH;
            const size_t count = weight->k - first < depth ? weight->k - first : depth;
            if (count < depth || (panel + 1) * COP_PANEL > weight->n)
                memset(rows.room, 0, sizeof rows.room);
            read_panel(w, panel, first, count, depth, &rows);
            interleave(rows.at, depth, out + first / 2 * COP_PANEL);
        }
    }
}

static cop_status weight_rebuild(cop_gemm *gemm, cop_gemm_weight *weight,
                                 const cop_rebuild_piece *pieces, size_t piece_count,
                                 const cop_component *components, size_t component_count,
                                 cop_error *err)
{
    (void)err;
    const own_gemm *const self = (const own_gemm *)gemm;
    const pack_work work = {self, weight, pieces, piece_count, components, component_count};
    cop_cpu_parallel_for(self->options.threads, weight->panels,
                         COP_PANEL * weight->depth * (1 + component_count), pack_panels, &work);
    return COP_OK;
}

static cop_status weight_pack(cop_gemm *gemm, cop_gemm_weight *weight, const void *source,
                              cop_dtype dtype, cop_error *err)
{
    const cop_rebuild_piece whole = {
        .base = source, .dtype = dtype, .count = weight->n * weight->k};
    return weight_rebuild(gemm, weight, &whole, 1, NULL, 0, err);
}

/* --- products --- */

typedef struct run_work {
    const own_gemm *self;
    const cop_gemm_call *call;
    size_t row_blocks, columns; /* of a task */
    size_t tasks;
    atomic_size_t *next;
} run_work;

/* Rows as operands: widened for kernels that take them so, filled up with zeros. */
static void make_rows(const void *context, size_t begin, size_t end)
{
    const run_work *const w = context;
    const own_gemm *const self = w->self;
    const size_t k = w->call->weight->k;
    const size_t depth = w->call->weight->depth;
    const size_t item = cop_dtype_size(self->options.kernels->product_input);
    for (size_t r = begin; r < end; r++) {
        const uint16_t *const from = (const uint16_t *)w->call->in + r * k;
        char *const to = self->rows + r * depth * item;
        if (item == sizeof *from) {
            memcpy(to, from, k * item);
        } else {
            self->options.kernels->widen((float *)(void *)to, from, COP_BF16, k);
        }
        memset(to + k * item, 0, (depth - k) * item);
    }
}

/* Stores sums [rows, TASK_COLUMNS] of columns `first` on, which get the bias first. */
static void store_sums(const cop_gemm_call *call, float *sums, size_t row, size_t rows,
                       size_t first, size_t columns)
{
    const size_t n = call->weight->n;
    const size_t count = n - first < columns ? n - first : columns;
    const float *const bias = call->bias == NULL ? NULL : call->bias + first;
    const size_t biased = bias == NULL ? 0 : count;
    for (size_t r = 0; r < rows; r++) {
        float *const out = call->out + (row + r) * n + first;
        float *const from = sums + r * TASK_COLUMNS;
#pragma omp simd
        for (size_t i = 0; i < biased; i++)
            from[i] += bias[i];
        if (!call->accumulate) {
            memcpy(out, from, count * sizeof *out);
            continue;
        }
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            out[i] += from[i];
    }
}

static void run_task(const run_work *w, size_t task, float *sums)
{
    const own_gemm *const self = w->self;
    const cop_gemm_call *const call = w->call;
    const cop_gemm_weight *const weight = call->weight;
    const size_t item = cop_dtype_size(self->options.kernels->product_input);
    const size_t row = task % w->row_blocks * TASK_ROWS;
    const size_t panel = task / w->row_blocks * (w->columns / COP_PANEL);
    const size_t most = w->columns / COP_PANEL;
    cop_product product = {.a_stride = weight->depth,
                           .b_stride = weight->depth / 2 * COP_PANEL,
                           .c = sums,
                           .c_stride = TASK_COLUMNS,
                           .fresh = true,
                           .rows = call->rows - row < TASK_ROWS ? call->rows - row : TASK_ROWS,
                           .panels =
                               weight->panels - panel < most ? weight->panels - panel : most};
    /* Whole panels that nothing is added to need no place in between. */
    const bool in_place = call->bias == NULL && !call->accumulate &&
                          (panel + product.panels) * COP_PANEL <= weight->n;
    if (in_place) {
        product.c = call->out + row * weight->n + panel * COP_PANEL;
        product.c_stride = weight->n;
    }
    for (size_t k = 0; k < weight->depth; k += TASK_DEPTH) {
        product.a = self->rows + (row * weight->depth + k) * item;
        product.b = weight->packed + panel * product.b_stride + k / 2 * COP_PANEL;
        product.depth = weight->depth - k < TASK_DEPTH ? weight->depth - k : TASK_DEPTH;
        self->options.kernels->product(&product);
        product.fresh = false;
    }
    if (!in_place) store_sums(call, sums, row, product.rows, panel * COP_PANEL, w->columns);
}

static void run_tasks(const void *context, int thread)
{
    const run_work *const w = context;
    float *const sums = w->self->sums + (size_t)thread * TASK_ROWS * TASK_COLUMNS;
    for (;;) {
        const size_t task = atomic_fetch_add_explicit(w->next, 1, memory_order_relaxed);
        if (task >= w->tasks) return;
        run_task(w, task, sums);
    }
}

static cop_status reserve_rows(own_gemm *self, size_t bytes, cop_error *err)
{
    if (bytes <= self->rows_bytes) return COP_OK;
    cop_memory_free(self->rows);
    self->rows_bytes = 0;
    self->rows = cop_gemm_alloc(bytes, err);
    if (self->rows == NULL) return COP_ERR_MEMORY;
    self->rows_bytes = bytes;
    return COP_OK;
}

static cop_status run(cop_gemm *gemm, const cop_gemm_call *call, cop_error *err)
{
    own_gemm *const self = (own_gemm *)gemm;
    const cop_gemm_weight *const weight = call->weight;
    const size_t threads = (size_t)self->options.threads;
    const size_t item = cop_dtype_size(self->options.kernels->product_input);
    COP_TRY(reserve_rows(self, call->rows * weight->depth * item, err));
    atomic_size_t next = 0;
    /* Narrower tasks where there would be too few to share evenly. */
    const bool few = weight->panels < threads * 8 * TASK_PANELS;
    run_work work = {.self = self,
                     .call = call,
                     .row_blocks = (call->rows + TASK_ROWS - 1) / TASK_ROWS,
                     .columns = few && threads > 1 ? TASK_COLUMNS / 2 : TASK_COLUMNS,
                     .next = &next};
    work.tasks =
        work.row_blocks * ((weight->panels * COP_PANEL + work.columns - 1) / work.columns);
    cop_cpu_parallel_for(self->options.threads, call->rows, weight->depth, make_rows, &work);
    const bool small = call->rows * weight->n * weight->k < SERIAL_PRODUCTS;
    cop_cpu_parallel_each(small ? 1 : self->options.threads, run_tasks, &work);
    return COP_OK;
}

cop_status cop_gemm_create_own(const cop_gemm_options *options, cop_gemm **gemm, cop_error *err)
{
    static const cop_gemm_ops ops = {
        .destroy = destroy,
        .weight_create = weight_create,
        .weight_destroy = weight_destroy,
        .weight_pack = weight_pack,
        .weight_rebuild = weight_rebuild,
        .run = run,
    };
    assert(options->input == COP_BF16);
    *gemm = NULL;
    own_gemm *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->base.ops = &ops;
    made->base.input = COP_BF16;
    made->options = *options;
    made->sums = cop_memory_alloc((size_t)options->threads * TASK_ROWS * TASK_COLUMNS,
                                  sizeof *made->sums, err);
    if (made->sums == NULL) {
        destroy(&made->base);
        return COP_ERR_MEMORY;
    }
    (void)snprintf(made->base.name, sizeof made->base.name, "own kernels");
    (void)snprintf(made->base.isa, sizeof made->base.isa, "%s", cop_isa_name(options->isa));
    *gemm = &made->base;
    return COP_OK;
}
