#include "coppice/phase/work_order.h"

#include "coppice/base/memory.h"

#include <string.h>

/* Layout of an order: header, the size of units u32 if it is the phase's own, how answers are
 * drawn if they are, the trunk as a row if there is one, then runs. Of rows: for each
 * its number of components u32, seeds u64 [C], amplitudes f32 [C]. */
typedef struct order_header {
    uint32_t example_count, row_units, flags;
} order_header;

enum { ORDER_KEEPS_ANSWERS = 1, ORDER_SAMPLES = 2, ORDER_CUTS = 4, ORDER_HAS_TRUNK = 8 };

typedef struct order_sampling {
    double temperature, top_p;
    uint64_t seed;
} order_sampling;

/* Examples `first` .. `first + count - 1` of cop_splits_list(). */
typedef struct example_run {
    uint32_t first, count;
} example_run;

/* A cursor over a message. */
typedef struct cursor {
    const char *data;
    size_t bytes, at;
} cursor;

static cop_status get(cursor *c, void *to, size_t bytes, cop_error *err)
{
    COP_CHECK(bytes <= c->bytes - c->at, err, COP_ERR_MPI,
              "a message from rank 0 is shorter than it says");
    memcpy(to, c->data + c->at, bytes);
    c->at += bytes;
    return COP_OK;
}

static cop_status put(cop_text *data, const void *from, size_t bytes, cop_error *err)
{
    return cop_text_append(data, from, bytes, err);
}

/* --- one row --- */

/* Beside the number of a row's components: their factors follow; the trunk comes before them.
 */
#define ROW_HAS_SUMS (UINT32_C(1) << 31)
#define ROW_ON_TRUNK (UINT32_C(1) << 30)

static bool has_sums(const cop_component *components, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        if (components[j].factor != 0.0F) return true;
    }
    return false;
}

static cop_status put_row(cop_text *data, cop_row row, cop_error *err)
{
    const cop_component *const components = row.components;
    const bool sums = has_sums(components, row.count);
    const uint32_t head =
        (uint32_t)row.count | (sums ? ROW_HAS_SUMS : 0U) | (row.on_trunk ? ROW_ON_TRUNK : 0U);
    COP_TRY(put(data, &head, sizeof head, err));
    for (size_t j = 0; j < row.count; j++)
        COP_TRY(put(data, &components[j].seed, sizeof(uint64_t), err));
    for (size_t j = 0; j < row.count; j++)
        COP_TRY(put(data, &components[j].amplitude, sizeof(float), err));
    for (size_t j = 0; j < row.count && sums; j++)
        COP_TRY(put(data, &components[j].factor, sizeof(float), err));
    return COP_OK;
}

/* What a row begins with: *count components, which there are bytes for. */
static cop_status get_head(cursor *c, uint32_t *head, size_t *count, cop_error *err)
{
    COP_TRY(get(c, head, sizeof *head, err));
    *count = *head & ~(ROW_HAS_SUMS | ROW_ON_TRUNK);
    COP_CHECK(*count <= (c->bytes - c->at) / COP_COMPONENT_BYTES, err, COP_ERR_MPI,
              "a message from rank 0 is shorter than it says");
    return COP_OK;
}

static cop_status get_components(cursor *c, cop_component *components, size_t count, bool sums,
                                 cop_error *err)
{
    for (size_t j = 0; j < count; j++)
        COP_TRY(get(c, &components[j].seed, sizeof(uint64_t), err));
    for (size_t j = 0; j < count; j++)
        COP_TRY(get(c, &components[j].amplitude, sizeof(float), err));
    for (size_t j = 0; j < count && sums; j++)
        COP_TRY(get(c, &components[j].factor, sizeof(float), err));
    return COP_OK;
}

/* --- orders --- */

/* Where each example stands in cop_splits_list(). */
typedef struct place_list {
    uint32_t *at; /* [count] by example, UINT32_MAX for none; owned */
    size_t count;
} place_list;

static cop_status find_places(const cop_splits *splits, place_list *places, cop_error *err)
{
    size_t count = 0;
    size_t *const list = cop_splits_list(splits, &count, err);
    if (list == NULL) return COP_ERR_MEMORY;
    *places = (place_list){0};
    for (size_t i = 0; i < count; i++) {
        if (list[i] >= places->count) places->count = list[i] + 1;
    }
    places->at = cop_memory_alloc(places->count, sizeof *places->at, err);
    if (places->at != NULL) {
        memset(places->at, 0xff, places->count * sizeof *places->at);
        for (size_t i = 0; i < count; i++)
            places->at[list[i]] = (uint32_t)i;
    }
    cop_memory_free(list);
    return places->at == NULL ? COP_ERR_MEMORY : COP_OK;
}

static uint32_t place_of(const place_list *places, size_t example)
{
    return example < places->count ? places->at[example] : UINT32_MAX;
}

static cop_status put_runs(const cop_phase *phase, const place_list *places, cop_text *data,
                           cop_error *err)
{
    size_t i = 0;
    while (i < phase->example_count) {
        example_run piece = {.first = place_of(places, phase->examples[i]), .count = 1};
        COP_CHECK(piece.first != UINT32_MAX, err, COP_ERR_INTERNAL,
                  "phase %s names example %zu, which is in no split", phase->path,
                  phase->examples[i]);
        i++;
        while (i < phase->example_count &&
               place_of(places, phase->examples[i]) == piece.first + piece.count) {
            piece.count++;
            i++;
        }
        COP_TRY(put(data, &piece, sizeof piece, err));
    }
    return COP_OK;
}

cop_status cop_work_order_pack(const cop_splits *splits, const cop_phase *phase, cop_text *data,
                               cop_error *err)
{
    const cop_sampling *const sampling = &phase->sampling;
    const bool samples = sampling->temperature > 0;
    const order_header header = {.example_count = (uint32_t)phase->example_count,
                                 .row_units = (uint32_t)phase->row_units,
                                 .flags = (phase->keeps_answers ? ORDER_KEEPS_ANSWERS : 0U) |
                                          (samples ? ORDER_SAMPLES : 0U) |
                                          (phase->is_cut ? ORDER_CUTS : 0U) |
                                          (phase->trunk_count > 0 ? ORDER_HAS_TRUNK : 0U)};
    const cop_row trunk = {.components = phase->trunk, .count = phase->trunk_count};
    const uint32_t unit = (uint32_t)phase->batch;
    const order_sampling drawn = {sampling->temperature, sampling->top_p, sampling->seed};
    COP_TRY(put(data, &header, sizeof header, err));
    if (phase->is_cut) COP_TRY(put(data, &unit, sizeof unit, err));
    if (samples) COP_TRY(put(data, &drawn, sizeof drawn, err));
    if (trunk.count > 0) COP_TRY(put_row(data, trunk, err));
    place_list places;
    COP_TRY(find_places(splits, &places, err));
    const cop_status status = put_runs(phase, &places, data, err);
    cop_memory_free(places.at);
    return status;
}

static cop_status get_runs(cursor *c, const size_t *list, size_t list_count,
                           cop_work_order *order, cop_error *err)
{
    size_t at = 0;
    while (at < order->example_count) {
        example_run piece = {0};
        COP_TRY(get(c, &piece, sizeof piece, err));
        COP_CHECK(piece.count > 0 && piece.count <= order->example_count - at &&
                      piece.first <= list_count && piece.count <= list_count - piece.first,
                  err, COP_ERR_MPI, "a message from rank 0 names examples that there are not");
        memcpy(order->examples + at, list + piece.first, piece.count * sizeof *list);
        at += piece.count;
    }
    COP_CHECK(c->at == c->bytes, err, COP_ERR_MPI,
              "a message from rank 0 is longer than it says");
    return COP_OK;
}

static cop_status get_trunk(cursor *c, cop_work_order *order, cop_error *err)
{
    uint32_t head = 0;
    COP_TRY(get_head(c, &head, &order->trunk_count, err));
    order->trunk = cop_memory_alloc(order->trunk_count, sizeof *order->trunk, err);
    cop_status status = order->trunk == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK)
        status = get_components(c, order->trunk, order->trunk_count, (head & ROW_HAS_SUMS) != 0,
                                err);
    if (status != COP_OK) cop_work_order_free(order);
    return status;
}

cop_status cop_work_order_unpack(const cop_splits *splits, const void *data, size_t bytes,
                                 cop_work_order *order, cop_error *err)
{
    cursor c = {.data = data, .bytes = bytes};
    order_header header = {0};
    *order = (cop_work_order){0};
    COP_TRY(get(&c, &header, sizeof header, err));
    COP_CHECK(header.row_units > 0, err, COP_ERR_MPI, "a phase from rank 0 has no units");
    uint32_t unit = 0;
    if ((header.flags & ORDER_CUTS) != 0) {
        COP_TRY(get(&c, &unit, sizeof unit, err));
        COP_CHECK(unit > 0, err, COP_ERR_MPI, "a phase from rank 0 has units of no examples");
    }
    order->unit = unit;
    order_sampling drawn = {0};
    if ((header.flags & ORDER_SAMPLES) != 0) COP_TRY(get(&c, &drawn, sizeof drawn, err));
    order->keeps_answers = (header.flags & ORDER_KEEPS_ANSWERS) != 0;
    order->sampling = (cop_sampling){
        .temperature = drawn.temperature, .top_p = drawn.top_p, .seed = drawn.seed};
    if ((header.flags & ORDER_HAS_TRUNK) != 0) COP_TRY(get_trunk(&c, order, err));
    size_t count = 0;
    size_t *const list = cop_splits_list(splits, &count, err);
    cop_status status = COP_OK;
    if (list == NULL) {
        status = COP_ERR_MEMORY;
    } else if (header.example_count > count) {
        status = cop_error_set(err, COP_ERR_MPI,
                               "a phase from rank 0 has %u examples, all splits have %zu",
                               header.example_count, count);
    } else {
        order->row_units = header.row_units;
        order->example_count = header.example_count;
        order->examples = cop_memory_alloc(order->example_count, sizeof *order->examples, err);
        status =
            order->examples == NULL ? COP_ERR_MEMORY : get_runs(&c, list, count, order, err);
    }
    cop_memory_free(list);
    if (status != COP_OK) cop_work_order_free(order);
    return status;
}

void cop_work_order_free(cop_work_order *order)
{
    cop_memory_free(order->examples);
    cop_memory_free(order->trunk);
    *order = (cop_work_order){0};
}

/* --- rows --- */

cop_status cop_work_rows_pack(const cop_phase *phase, size_t first, size_t count,
                              cop_text *data, cop_error *err)
{
    for (size_t r = first; r < first + count; r++)
        COP_TRY(put_row(data, cop_phase_row(phase, r), err));
    return COP_OK;
}

/* True if both recipes end in the same sum, whatever its factor. */
static bool same_direction(cop_row a, cop_row b)
{
    const cop_rebuild_sum x = cop_rebuild_last_sum(a.components, a.count);
    const cop_rebuild_sum y = cop_rebuild_last_sum(b.components, b.count);
    return x.count > 0 && cop_rebuild_same_sum(&x, &y);
}

cop_status cop_work_rows_pack_ahead(const cop_phase *phase, size_t last, size_t ranks,
                                    cop_text *data, cop_error *err)
{
    enum { MOST_DIRECTIONS = 7, MOST_BYTES = 256 << 10 };
    const size_t before = data->length;
    size_t directions = 0;
    cop_row at = cop_phase_row(phase, last);
    for (size_t r = last + 1; r < phase->row_count && directions < MOST_DIRECTIONS;) {
        const cop_row row = cop_phase_row(phase, r);
        size_t end = r + 1;
        if (!has_sums(row.components, row.count)) break;
        while (end < phase->row_count && same_direction(row, cop_phase_row(phase, end)))
            end++;
        if (!same_direction(at, row)) {
            if ((end - r) * phase->row_units < ranks) break;
            if (data->length - before + row.count * sizeof(cop_component) > MOST_BYTES) break;
            COP_TRY(cop_work_rows_pack(phase, r, 1, data, err));
            directions++;
        }
        at = row;
        r = end;
    }
    return COP_OK;
}

/* One recipe more. */
static cop_status get_row(cursor *c, cop_work_rows *rows, size_t r, cop_error *err)
{
    uint32_t head = 0;
    size_t own = 0;
    const size_t at = rows->start[r];
    rows->start[r + 1] = at;
    COP_TRY(get_head(c, &head, &own, err));
    COP_TRY(get_components(c, rows->components + at, own, (head & ROW_HAS_SUMS) != 0, err));
    rows->start[r + 1] = at + own;
    rows->on_trunk[r] = (head & ROW_ON_TRUNK) != 0;
    return COP_OK;
}

cop_status cop_work_rows_unpack(const void *data, size_t bytes, size_t first, size_t count,
                                cop_work_rows *rows, cop_error *err)
{
    cursor c = {.data = data, .bytes = bytes};
    *rows = (cop_work_rows){.first = first, .count = count};
    /* No more rows and components than there are bytes for. */
    rows->start =
        cop_memory_alloc(count + bytes / sizeof(uint32_t) + 1, sizeof *rows->start, err);
    rows->components =
        cop_memory_alloc(bytes / COP_COMPONENT_BYTES, sizeof *rows->components, err);
    rows->on_trunk =
        cop_memory_alloc(count + bytes / sizeof(uint32_t), sizeof *rows->on_trunk, err);
    cop_status status =
        rows->start == NULL || rows->components == NULL || rows->on_trunk == NULL
            ? COP_ERR_MEMORY
            : COP_OK;
    for (size_t r = 0; r < count && status == COP_OK; r++)
        status = get_row(&c, rows, r, err);
    for (; c.at < c.bytes && status == COP_OK; rows->ahead++)
        status = get_row(&c, rows, count + rows->ahead, err);
    if (status != COP_OK) cop_work_rows_free(rows);
    return status;
}

void cop_work_rows_free(cop_work_rows *rows)
{
    cop_memory_free(rows->start);
    cop_memory_free(rows->components);
    cop_memory_free(rows->on_trunk);
    *rows = (cop_work_rows){0};
}
