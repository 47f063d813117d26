#include "run/phase.h"

#include "coppice/base/digest.h"
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "coppice/search/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cop_status cop_phase_create(const cop_run *run, const char *path, const char *title,
                            const size_t *examples, size_t example_count, cop_phase **phase,
                            cop_error *err)
{
    *phase = NULL;
    cop_phase *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    (void)snprintf(created->path, sizeof created->path, "%s", path);
    (void)snprintf(created->title, sizeof created->title, "%s", title);
    const size_t batch = (size_t)run->job->backend.batch;
    created->example_count = example_count;
    created->chunks = (example_count + batch - 1) / batch;
    created->examples = cop_memory_alloc(example_count, sizeof *created->examples, err);
    if (created->examples == NULL) {
        cop_phase_destroy(&created);
        return COP_ERR_MEMORY;
    }
    memcpy(created->examples, examples, example_count * sizeof *examples);
    *phase = created;
    return COP_OK;
}

void cop_phase_destroy(cop_phase **phase)
{
    if (phase == NULL || *phase == NULL) return;
    cop_phase *const p = *phase;
    for (size_t r = 0; r < p->row_count; r++)
        cop_memory_free(p->components[r]);
    cop_memory_free(p->components);
    cop_memory_free(p->component_count);
    cop_memory_free(p->digest);
    cop_memory_free(p->scores);
    cop_memory_free(p->answers);
    cop_memory_free(p->state);
    cop_memory_free(p->tokens);
    cop_memory_free(p->seconds);
    cop_memory_free(p->rank);
    cop_memory_free(p->arithmetic);
    cop_memory_free(p->examples);
    cop_memory_free(p);
    *phase = NULL;
}

/* Makes room for one more row in an array of `width` elements of `size` bytes a row. */
static cop_status grow(void **items, size_t old_rows, size_t rows, size_t width, size_t size,
                       cop_error *err)
{
    size_t capacity = old_rows * width;
    return cop_memory_grow(items, &capacity, rows * width, size, err);
}

static cop_status reserve_rows(cop_phase *p, cop_error *err)
{
    if (p->row_count < p->row_capacity) return COP_OK;
    const size_t old = p->row_capacity;
    const size_t rows = old == 0 ? 64 : old * 2;
    const struct {
        void **items;
        size_t width, size;
    } arrays[] = {{(void **)&p->components, 1, sizeof *p->components},
                  {(void **)&p->component_count, 1, sizeof *p->component_count},
                  {(void **)&p->digest, 1, sizeof *p->digest},
                  {(void **)&p->scores, p->example_count, sizeof *p->scores},
                  {(void **)&p->state, p->chunks, sizeof *p->state},
                  {(void **)&p->tokens, p->chunks, sizeof *p->tokens},
                  {(void **)&p->seconds, p->chunks, sizeof *p->seconds},
                  {(void **)&p->rank, p->chunks, sizeof *p->rank},
                  {(void **)&p->arithmetic, p->chunks, sizeof *p->arithmetic},
                  {(void **)&p->answers, p->example_count, sizeof *p->answers}};
    const size_t count = sizeof arrays / sizeof arrays[0] - (p->keeps_answers ? 0 : 1);
    for (size_t i = 0; i < count; i++) {
        void *items = NULL;
        memcpy(&items, (const void *)arrays[i].items, sizeof items);
        const cop_status status = grow(&items, old, rows, arrays[i].width, arrays[i].size, err);
        memcpy((void *)arrays[i].items, &items, sizeof items);
        COP_TRY(status);
    }
    p->row_capacity = rows;
    return COP_OK;
}

static uint64_t fold(uint64_t digest, const void *data, size_t bytes)
{
    const unsigned char *const b = data;
    for (size_t i = 0; i < bytes; i++)
        digest = (digest ^ b[i]) * 1099511628211U; /* FNV-1a */
    return digest;
}

static uint64_t digest_row(const cop_phase *p, const cop_component *components, size_t count)
{
    uint64_t digest = 14695981039346656037U;
    if (p->sampling.temperature > 0) {
        const uint64_t sample = p->row_count - 1;
        digest = fold(digest, &p->sampling.temperature, sizeof p->sampling.temperature);
        digest = fold(digest, &p->sampling.top_p, sizeof p->sampling.top_p);
        digest = fold(digest, &p->sampling.seed, sizeof p->sampling.seed);
        digest = fold(digest, &sample, sizeof sample);
    }
    for (size_t j = 0; j < count; j++) {
        digest = fold(digest, &components[j].seed, sizeof components[j].seed);
        digest = fold(digest, &components[j].amplitude, sizeof components[j].amplitude);
    }
    for (size_t i = 0; i < p->example_count; i++) {
        const uint64_t example = p->examples[i];
        digest = fold(digest, &example, sizeof example);
    }
    return digest;
}

cop_status cop_phase_add(const cop_run *run, cop_phase *p, const double *centre,
                         const double *direction, double step, cop_error *err)
{
    COP_TRY(reserve_rows(p, err));
    cop_component *const components =
        cop_memory_alloc(run->seed_count, sizeof *components, err);
    if (components == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    for (size_t s = 0; s < run->seed_count; s++) {
        const double amplitude =
            (centre != NULL ? centre[s] : 0) + (direction != NULL ? step * direction[s] : 0);
        if ((float)amplitude == 0.0F) continue;
        components[count++] =
            (cop_component){.seed = run->seeds[s], .amplitude = (float)amplitude};
    }
    const size_t r = p->row_count++;
    p->components[r] = cop_memory_shrink(components, count, sizeof *components);
    p->component_count[r] = count;
    p->digest[r] = digest_row(p, components, count);
    for (size_t i = 0; i < p->example_count; i++)
        p->scores[r * p->example_count + i] = NAN;
    for (size_t i = 0; p->keeps_answers && i < p->example_count; i++)
        p->answers[r * p->example_count + i] = 0;
    for (size_t c = 0; c < p->chunks; c++) {
        const size_t unit = r * p->chunks + c;
        p->state[unit] = COP_UNIT_PENDING;
        p->tokens[unit] = 0;
        p->seconds[unit] = 0;
        p->rank[unit] = -1;
        p->arithmetic[unit] = COP_NO_ARITHMETIC;
    }
    return COP_OK;
}

cop_status cop_run_create_recipe(const cop_job *job, cop_recipe **recipe, cop_error *err)
{
    COP_TRY(cop_recipe_create(recipe, err));
    if (!cop_scaling_find(job->population.scaling, &(*recipe)->scaling))
        (*recipe)->scaling = COP_SCALING_ABSOLUTE;
    const cop_status status =
        cop_recipe_set_scope(*recipe, (const char *const *)job->population.scope.data,
                             job->population.scope.count, err);
    if (status != COP_OK) cop_recipe_destroy(recipe);
    return status;
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
    return phase->scores + row * phase->example_count;
}

bool cop_phase_row_valid(const cop_phase *phase, size_t row)
{
    for (size_t c = 0; c < phase->chunks; c++) {
        if (phase->state[row * phase->chunks + c] != COP_UNIT_OK) return false;
    }
    return true;
}

double cop_phase_mean(const cop_phase *phase, size_t row)
{
    const float *const scores = cop_phase_scores(phase, row);
    double sum = 0;
    for (size_t i = 0; i < phase->example_count; i++)
        sum += (double)scores[i];
    return phase->example_count == 0 ? 0 : sum / (double)phase->example_count;
}

double cop_phase_accuracy(const cop_run *run, const cop_phase *phase, size_t row)
{
    const cop_measure correctness = {.correct_at = run->measure.correct_at};
    return cop_measure_mean(&correctness, cop_phase_scores(phase, row), phase->example_count);
}

double cop_phase_merit(const cop_run *run, const cop_phase *phase, size_t row)
{
    return cop_measure_mean(&run->measure, cop_phase_scores(phase, row), phase->example_count);
}
