/* A phase's arrays. Rows are appended; everything of a row is known when it is added but what
 * its units give, which cop_phase_take() fills in. Recipes lie one after the other in one
 * array, so that a row of one component costs 16 bytes, whatever the number of seeds in the
 * run. */
#include "coppice/phase/phase.h"

#include "coppice/base/digest.h"
#include "coppice/base/memory.h"
#include "coppice/search/compare.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Components of some rows. A row lies in one block. */
typedef struct cop_block {
    struct cop_block *before;
    size_t count, capacity;
    cop_component components[];
} cop_block;

enum { BLOCK_COMPONENTS = 4096 };

/* One array of a phase: `width` elements of `size` bytes a row. */
typedef struct column {
    void **items;
    size_t width, size;
} column;

enum { COLUMNS = 9 };

/* Lists the arrays by row. */
static void list_columns(cop_phase *p, column columns[COLUMNS])
{
    const column all[COLUMNS] = {
        {(void **)&p->recipes, 1, sizeof *p->recipes},
        {(void **)&p->digest, 1, sizeof *p->digest},
        {(void **)&p->scores, p->example_count, sizeof *p->scores},
        {(void **)&p->answers, p->keeps_answers ? p->example_count : 0, sizeof *p->answers},
        {(void **)&p->state, p->row_units, sizeof *p->state},
        {(void **)&p->tokens, p->row_units, sizeof *p->tokens},
        {(void **)&p->seconds, p->row_units, sizeof *p->seconds},
        {(void **)&p->rank, p->row_units, sizeof *p->rank},
        {(void **)&p->arithmetic, p->row_units, sizeof *p->arithmetic}};
    memcpy(columns, all, sizeof all);
}

cop_status cop_phase_create(const cop_phases *phases, const char *path, const char *title,
                            const size_t *examples, size_t example_count, cop_phase **phase,
                            cop_error *err)
{
    *phase = NULL;
    assert(phases->batch > 0 && phases->unsaved != NULL);
    assert(path[0] == '/' && strlen(path) < sizeof(*phase)->path);
    cop_phase *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    (void)snprintf(created->path, sizeof created->path, "%s", path);
    (void)snprintf(created->title, sizeof created->title, "%s", title);
    created->batch = phases->batch;
    created->example_count = example_count;
    created->row_units = (example_count + phases->batch - 1) / phases->batch;
    created->examples = cop_memory_alloc(example_count, sizeof *created->examples, err);
    if (created->examples == NULL) {
        cop_phase_destroy(&created);
        return COP_ERR_MEMORY;
    }
    memcpy(created->examples, examples, example_count * sizeof *examples);
    *phase = created;
    return COP_OK;
}

void cop_phase_cut(cop_phase *phase, size_t unit)
{
    assert(phase->row_count == 0 && phase->row_capacity == 0);
    assert(unit > 0 && unit <= phase->batch);
    phase->is_cut = true;
    phase->batch = unit;
    phase->row_units = (phase->example_count + unit - 1) / unit;
}

static void free_blocks(cop_phase *p)
{
    while (p->blocks != NULL) {
        cop_block *const before = p->blocks->before;
        cop_memory_free(p->blocks);
        p->blocks = before;
    }
}

void cop_phase_destroy(cop_phase **phase)
{
    if (phase == NULL || *phase == NULL) return;
    cop_phase *const p = *phase;
    column columns[COLUMNS];
    list_columns(p, columns);
    for (size_t i = 0; i < COLUMNS; i++)
        cop_memory_free(*columns[i].items);
    free_blocks(p);
    cop_memory_free(p->trunk);
    cop_memory_free(p->examples);
    cop_memory_free(p);
    *phase = NULL;
}

/* Makes room for one more row. */
static cop_status reserve_row(cop_phase *p, cop_error *err)
{
    if (p->row_count < p->row_capacity) return COP_OK;
    const size_t rows = p->row_capacity == 0 ? 64 : p->row_capacity * 2;
    column columns[COLUMNS];
    list_columns(p, columns);
    for (size_t i = 0; i < COLUMNS; i++) {
        const column *const c = &columns[i];
        size_t capacity = p->row_capacity * c->width;
        if (c->width == 0) continue;
        COP_TRY(cop_memory_grow(c->items, &capacity, rows * c->width, c->size, err));
    }
    p->row_capacity = rows;
    return COP_OK;
}

/* Room for the components of a row. */
static cop_status reserve_components(cop_phase *p, size_t count, cop_component **room,
                                     cop_error *err)
{
    cop_block *last = p->blocks;
    if (last == NULL || last->capacity - last->count < count) {
        const size_t capacity = count > BLOCK_COMPONENTS ? count : BLOCK_COMPONENTS;
        last = cop_memory_alloc(1, sizeof *last + capacity * sizeof *last->components, err);
        if (last == NULL) return COP_ERR_MEMORY;
        *last = (cop_block){.before = p->blocks, .capacity = capacity};
        p->blocks = last;
    }
    assert(last->count + count <= last->capacity);
    *room = last->components + last->count;
    last->count += count;
    return COP_OK;
}

static const uint64_t digest_of_nothing = 14695981039346656037U;

static uint64_t fold(uint64_t digest, const void *data, size_t bytes)
{
    const unsigned char *const b = data;
    for (size_t i = 0; i < bytes; i++)
        digest = (digest ^ b[i]) * 1099511628211U; /* FNV-1a */
    return digest;
}

static uint64_t fold_components(uint64_t digest, const cop_component *components, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        digest = fold(digest, &components[j].seed, sizeof components[j].seed);
        digest = fold(digest, &components[j].amplitude, sizeof components[j].amplitude);
        if (components[j].factor != 0.0F)
            digest = fold(digest, &components[j].factor, sizeof components[j].factor);
    }
    return digest;
}

/* The same for a row behind the trunk as for one that has the trunk's components itself. */
static uint64_t digest_row(const cop_phase *p, cop_row row)
{
    uint64_t digest = row.on_trunk ? p->trunk_digest : digest_of_nothing;
    assert(!row.on_trunk || !(p->sampling.temperature > 0));
    if (p->sampling.temperature > 0) {
        const uint64_t sample = p->row_count - 1;
        digest = fold(digest, &p->sampling.temperature, sizeof p->sampling.temperature);
        digest = fold(digest, &p->sampling.top_p, sizeof p->sampling.top_p);
        digest = fold(digest, &p->sampling.seed, sizeof p->sampling.seed);
        digest = fold(digest, &sample, sizeof sample);
    }
    digest = fold_components(digest, row.components, row.count);
    for (size_t i = 0; i < p->example_count; i++) {
        const uint64_t example = p->examples[i];
        digest = fold(digest, &example, sizeof example);
    }
    return digest;
}

static cop_status add(cop_phase *p, const cop_component *components, size_t count,
                      bool on_trunk, cop_error *err)
{
    COP_TRY(reserve_row(p, err));
    cop_component *own = NULL;
    COP_TRY(reserve_components(p, count, &own, err));
    if (count > 0) memcpy(own, components, count * sizeof *components);
    assert(p->row_count < p->row_capacity);
    const size_t r = p->row_count++;
    p->recipes[r] = (cop_row){.components = own, .count = count, .on_trunk = on_trunk};
    p->digest[r] = digest_row(p, p->recipes[r]);
    for (size_t i = 0; i < p->example_count; i++)
        p->scores[r * p->example_count + i] = NAN;
    for (size_t i = 0; p->keeps_answers && i < p->example_count; i++)
        p->answers[r * p->example_count + i] = 0;
    for (size_t c = 0; c < p->row_units; c++) {
        const size_t unit = r * p->row_units + c;
        p->state[unit] = COP_UNIT_PENDING;
        p->tokens[unit] = 0;
        p->seconds[unit] = 0;
        p->rank[unit] = -1;
        p->arithmetic[unit] = COP_NO_ARITHMETIC;
    }
    return COP_OK;
}

cop_status cop_phase_add(cop_phase *phase, const cop_component *components, size_t count,
                         cop_error *err)
{
    return add(phase, components, count, false, err);
}

cop_status cop_phase_set_trunk(cop_phase *phase, const cop_component *components, size_t count,
                               cop_error *err)
{
    assert(phase->trunk == NULL);
    if (count == 0) return COP_OK;
    phase->trunk = cop_memory_alloc_raw(count, sizeof *phase->trunk, err);
    if (phase->trunk == NULL) return COP_ERR_MEMORY;
    memcpy(phase->trunk, components, count * sizeof *components);
    phase->trunk_count = count;
    phase->trunk_digest = fold_components(digest_of_nothing, components, count);
    return COP_OK;
}

cop_status cop_phase_add_to_trunk(cop_phase *phase, const cop_component *components,
                                  size_t count, cop_error *err)
{
    return add(phase, components, count, phase->trunk_count > 0, err);
}

cop_unit_range cop_phase_unit_range(const cop_phase *phase, uint64_t unit)
{
    return cop_unit_range_of(unit, phase->row_units, phase->example_count, phase->batch);
}

cop_row cop_phase_row(const cop_phase *phase, size_t row)
{
    assert(row < phase->row_count);
    return phase->recipes[row];
}

void cop_phase_drop_recipes(cop_phase *phase)
{
    for (size_t r = 0; r < phase->row_count; r++)
        phase->recipes[r] = (cop_row){0};
    free_blocks(phase);
}

cop_status cop_phase_answer(const char *extracted, uint64_t *answer, cop_error *err)
{
    char hex[COP_DIGEST_HEX_BYTES];
    *answer = COP_VOTE_NO_ANSWER;
    if (extracted == NULL || extracted[0] == '\0') return COP_OK;
    COP_TRY(cop_digest_bytes(extracted, strlen(extracted), hex, err));
    hex[16] = '\0';
    *answer = strtoull(hex, NULL, 16);
    if (*answer == COP_VOTE_NO_ANSWER) *answer = 1;
    return COP_OK;
}

const float *cop_phase_scores(const cop_phase *phase, size_t row)
{
    assert(row < phase->row_count);
    return phase->scores + row * phase->example_count;
}

void cop_phase_leave_out(cop_phase *phase, size_t row)
{
    assert(row < phase->row_count);
    for (size_t c = 0; c < phase->row_units; c++) {
        uint8_t *const state = &phase->state[row * phase->row_units + c];
        if (*state == COP_UNIT_PENDING) *state = COP_UNIT_LEFT_OUT;
    }
}

void cop_phase_take_over(cop_phase *phase, size_t row, const float *scores)
{
    assert(row < phase->row_count);
    memcpy(phase->scores + row * phase->example_count, scores,
           phase->example_count * sizeof *scores);
    for (size_t c = 0; c < phase->row_units; c++) {
        assert(phase->state[row * phase->row_units + c] == COP_UNIT_PENDING);
        phase->state[row * phase->row_units + c] = COP_UNIT_TAKEN_OVER;
    }
}

bool cop_phase_row_valid(const cop_phase *phase, size_t row)
{
    for (size_t c = 0; c < phase->row_units; c++) {
        const uint8_t state = phase->state[row * phase->row_units + c];
        if (state != COP_UNIT_OK && state != COP_UNIT_TAKEN_OVER) return false;
    }
    return true;
}

size_t cop_phase_count_scored(const cop_phase *phase, size_t row)
{
    size_t count = 0;
    for (size_t c = 0; c < phase->row_units; c++) {
        const size_t unit = row * phase->row_units + c;
        if (phase->state[unit] == COP_UNIT_OK || phase->state[unit] == COP_UNIT_NOT_FINITE)
            count += cop_phase_unit_range(phase, unit).count;
    }
    return count;
}

double cop_phase_mean(const cop_phase *phase, size_t row)
{
    const float *const scores = cop_phase_scores(phase, row);
    double sum = 0;
    for (size_t i = 0; i < phase->example_count; i++)
        sum += (double)scores[i];
    return phase->example_count == 0 ? 0 : sum / (double)phase->example_count;
}

double cop_phase_accuracy(const cop_phase *phase, size_t row, const cop_measure *measure)
{
    const cop_measure correctness = {.correct_at = measure->correct_at};
    return cop_phase_merit(phase, row, &correctness);
}

double cop_phase_merit(const cop_phase *phase, size_t row, const cop_measure *measure)
{
    return cop_measure_mean(measure, cop_phase_scores(phase, row), phase->example_count);
}

/* A unit's scores are numbers if and only if it is scored. */
static bool is_unit_valid(const cop_phase *p, uint64_t unit)
{
    const cop_unit_range range = cop_phase_unit_range(p, unit);
    const float *const scores = cop_phase_scores(p, unit / p->row_units) + range.first;
    const bool unscored =
        p->state[unit] == COP_UNIT_PENDING || p->state[unit] == COP_UNIT_LEFT_OUT;
    if (p->state[unit] > COP_UNIT_TAKEN_OVER) return false;
    for (size_t i = 0; i < range.count; i++) {
        if (isnan(scores[i]) != unscored) return false;
    }
    return true;
}

bool cop_phase_is_valid(const cop_phase *phase)
{
    const cop_phase *const p = phase;
    if (p->batch == 0 || p->row_count > p->row_capacity) return false;
    if (p->row_units != (p->example_count + p->batch - 1) / p->batch) return false;
    for (uint64_t u = 0; u < p->row_count * p->row_units; u++) {
        if (!is_unit_valid(p, u)) return false;
    }
    return true;
}
