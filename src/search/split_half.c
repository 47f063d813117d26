/* The split-half analysis: threads over halvings of the data, then over permuted data sets.
 * Every number has its place, so that the order of work leaves no trace. */
#include "coppice/search/split_half.h"

#include "coppice/base/memory.h"
#include "search/split_summary.h"

#include <omp.h>

/* What the threads share. */
typedef struct analysis {
    cop_split_data data;
    const cop_split_options *options;
    cop_split_numbers numbers;
    size_t done; /* steps */
    bool over;   /* stopped or failed */
    cop_error failure;
} analysis;

/* --- on every thread --- */

static bool is_over(analysis *a)
{
    bool over;
#pragma omp atomic read
    over = a->over;
    return over;
}

/* The first failure counts. */
static void fail(analysis *a, const cop_error *why)
{
#pragma omp critical(cop_split_half_failure)
    if (a->failure.status == COP_OK) a->failure = *why;
#pragma omp atomic write
    a->over = true;
}

/* One step more; the calling thread, which is the team's first, tells. */
static void count_step(analysis *a)
{
    size_t done;
#pragma omp atomic capture
    done = ++a->done;
    if (omp_get_thread_num() != 0 || !a->options->tick) return;
    if (!a->options->tick(a->options->context, done,
                          a->options->halvings + a->options->permutations))
        return;
    cop_error stopped = {0};
    (void)cop_error_set(&stopped, COP_INTERRUPTED, "the split-half analysis was stopped");
    fail(a, &stopped);
}

/* Halving `h` of the data, or past the last its spectrum. */
static void measure_data(analysis *a, cop_split_work *work, size_t h)
{
    cop_error why = {0};
    if (is_over(a)) return;
    if (h < a->numbers.halvings) {
        (void)cop_split_work_halve(work, h, a->numbers.observed + h * a->numbers.layout.width,
                                   &why);
        count_step(a);
    } else {
        (void)cop_split_work_spectrum(work, a->numbers.spectrum, &why);
    }
    if (why.status != COP_OK) fail(a, &why);
}

static cop_status measure_halvings(const analysis *a, cop_split_work *work, size_t index,
                                   cop_error *err)
{
    const cop_split_numbers *const numbers = &a->numbers;
    cop_split_data_permute(&a->data, index, work->order, work->permuted);
    cop_split_work_begin(work, work->permuted);
    for (size_t h = 0; h < numbers->null_halvings; h++) {
        const size_t row = index * numbers->null_halvings + h;
        COP_TRY(
            cop_split_work_halve(work, h, numbers->null + row * numbers->layout.width, err));
    }
    return cop_split_work_spectrum(
        work, numbers->null_spectrum + index * numbers->layout.spectrum, err);
}

static void measure_permuted(analysis *a, cop_split_work *work, size_t index)
{
    cop_error why = {0};
    if (is_over(a)) return;
    if (measure_halvings(a, work, index, &why) != COP_OK) fail(a, &why);
    count_step(a);
}

static void work_through(analysis *a)
{
#pragma omp parallel num_threads(a->options->threads)
    {
        cop_split_work work = {0};
        cop_error why = {0};
        omp_set_num_threads(1); /* BLAS must not split its sums by the size of this team */
        if (cop_split_work_create(&a->data, a->options, &work, &why) != COP_OK) {
            fail(a, &why);
        } else {
            cop_split_work_begin(&work, a->data.scores);
        }
#pragma omp barrier
#pragma omp for schedule(dynamic)
        for (size_t h = 0; h <= a->numbers.halvings; h++)
            measure_data(a, &work, h);
#pragma omp for schedule(dynamic)
        for (size_t p = 0; p < a->numbers.permutations; p++)
            measure_permuted(a, &work, p);
        cop_split_work_free(&work);
    }
}

/* --- on the calling thread --- */

static cop_status reserve(cop_split_numbers *numbers, cop_error *err)
{
    size_t rows, null, spectra;
    if (!cop_memory_multiply(numbers->permutations, numbers->null_halvings, &rows) ||
        !cop_memory_multiply(rows, numbers->layout.width, &null) ||
        !cop_memory_multiply(numbers->permutations, numbers->layout.spectrum, &spectra))
        return cop_error_set(err, COP_ERR_MEMORY, "the numbers of %zu permutations",
                             numbers->permutations);
    numbers->observed =
        cop_memory_alloc_raw(numbers->halvings * numbers->layout.width, sizeof(double), err);
    numbers->null = cop_memory_alloc_raw(null, sizeof(double), err);
    numbers->spectrum = cop_memory_alloc_raw(numbers->layout.spectrum, sizeof(double), err);
    numbers->null_spectrum = cop_memory_alloc_raw(spectra, sizeof(double), err);
    const bool complete =
        numbers->observed && numbers->null && numbers->spectrum && numbers->null_spectrum;
    return complete ? COP_OK : COP_ERR_MEMORY;
}

static void free_numbers(cop_split_numbers *numbers)
{
    cop_memory_free(numbers->observed);
    cop_memory_free(numbers->null);
    cop_memory_free(numbers->spectrum);
    cop_memory_free(numbers->null_spectrum);
}

static cop_status describe(const analysis *a, cop_split_half *result, cop_error *err)
{
    const cop_split_options *const options = a->options;
    const size_t pairs = a->numbers.layout.count[COP_SPLIT_DIRECTION];
    *result = (cop_split_half){.candidates = a->data.candidates,
                               .examples = a->data.examples,
                               .halvings = a->numbers.halvings,
                               .permutations = a->numbers.permutations,
                               .null_halvings = a->numbers.null_halvings,
                               .pair_count = pairs};
    result->q = cop_memory_alloc(pairs, sizeof *result->q, err);
    result->beta = cop_memory_alloc(pairs, sizeof *result->beta, err);
    if (!result->q || !result->beta) return COP_ERR_MEMORY;
    for (size_t i = 0; i < pairs; i++) {
        result->q[i] = options->q[i / options->beta_count];
        result->beta[i] = options->beta[i % options->beta_count];
    }
    return cop_split_summarise(&a->numbers, result, err);
}

cop_status cop_split_half_run(const cop_split_input *input, const cop_split_options *options,
                              cop_split_half *result, cop_error *err)
{
    cop_status status = COP_OK;
    analysis a = {.options = options};
    *result = (cop_split_half){0};
    COP_TRY(cop_split_data_create(input, options, &a.data, err));
    a.numbers = (cop_split_numbers){.layout = cop_split_layout_of(&a.data, options),
                                    .halvings = options->halvings,
                                    .permutations = options->permutations,
                                    .null_halvings = options->halvings < COP_SPLIT_NULL_HALVINGS
                                                         ? options->halvings
                                                         : COP_SPLIT_NULL_HALVINGS};
    COP_TRY_OUT(reserve(&a.numbers, err));
    work_through(&a);
    if (a.failure.status != COP_OK) {
        status = cop_error_set(err, a.failure.status, "%s", a.failure.message);
        goto out;
    }
    status = describe(&a, result, err);
out:
    free_numbers(&a.numbers);
    cop_split_data_free(&a.data);
    if (status != COP_OK) cop_split_half_free(result);
    return status;
}

void cop_split_half_free(cop_split_half *result)
{
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++) {
        cop_memory_free(result->statistic[id].value);
        cop_memory_free(result->statistic[id].summary);
    }
    cop_memory_free(result->q);
    cop_memory_free(result->beta);
    cop_memory_free(result->eigenvalue);
    cop_memory_free(result->spectrum_mean);
    cop_memory_free(result->spectrum_high);
    *result = (cop_split_half){0};
}

static const struct {
    const char *name, *meaning;
} statistics[COP_SPLIT_STATISTICS] = {
    [COP_SPLIT_PEARSON] = {"reward_pearson", "Pearson correlation of the halves' rewards"},
    [COP_SPLIT_SPEARMAN] = {"reward_spearman", "Spearman correlation of the halves' rewards"},
    [COP_SPLIT_SPEARMAN_BROWN] = {"reward_spearman_brown",
                                  "reliability of the reward on all support examples"},
    [COP_SPLIT_DIRECTION] = {"direction_cosine",
                             "cosine of the halves' merged directions beside the plain mean"},
    [COP_SPLIT_OVERLAP] = {"subspace_overlap",
                           "overlap(k) of the halves' leading subspaces, k = 1, 2, ..."},
    [COP_SPLIT_CANONICAL] = {"canonical_correlation",
                             "of the halves' leading subspaces, falling"},
};

const char *cop_split_statistic_name(cop_split_statistic_id id)
{
    return statistics[id].name;
}

const char *cop_split_statistic_meaning(cop_split_statistic_id id)
{
    return statistics[id].meaning;
}
