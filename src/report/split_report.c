/* Shows a split-half analysis: tables and bars. */
#include "coppice/report/report.h"

#include "coppice/base/memory.h"
#include "coppice/report/split_analysis.h"
#include "report/run_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char group[] = "/split_half/";

/* --- reading the group --- */

static const cop_store_array *array_at(const cop_store *store, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s%s", group, name);
    return cop_store_get(store, path);
}

static size_t count_of(const cop_store *store, const char *name)
{
    const cop_store_array *const array = array_at(store, name);
    return array == NULL || array->rank != 1 ? 0 : (size_t)array->shape[0];
}

double cop_split_number(const cop_store *store, const char *name, size_t index)
{
    const cop_store_array *const array = array_at(store, name);
    if (array == NULL) return 0;
    size_t count = 1;
    for (int d = 0; d < array->rank; d++)
        count *= (size_t)array->shape[d];
    if (index >= count) return 0;
    if (array->type == COP_STORE_F64) return ((const double *)array->data)[index];
    return array->type == COP_STORE_I64 ? (double)((const int64_t *)array->data)[index] : 0;
}

/* A number of a statistic. */
static double number(const cop_store *store, const char *statistic, const char *part,
                     size_t index)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%s/%s", statistic, part);
    return cop_split_number(store, name, index);
}

/* --- the table --- */

static cop_status print_line(const cop_store *store, const char *title, const char *statistic,
                             size_t index, cop_text *text, cop_error *err)
{
    return cop_text_format(
        text, err, "  %-28s %+7.3f  %+6.3f .. %+6.3f  %+7.3f %+7.3f  %7.1f  %6.4f\n", title,
        number(store, statistic, "median", index), number(store, statistic, "low", index),
        number(store, statistic, "high", index), number(store, statistic, "null_mean", index),
        number(store, statistic, "null_95", index), number(store, statistic, "z", index),
        number(store, statistic, "p", index));
}

/* The (q, beta) pair whose directions agree best, and the one that agrees least. */
static cop_status print_directions(const cop_store *store, cop_text *text, cop_error *err)
{
    static const char statistic[] = "direction_cosine";
    const size_t count = count_of(store, "q");
    size_t best = 0;
    size_t worst = 0;
    for (size_t i = 1; i < count; i++) {
        const double median = number(store, statistic, "median", i);
        if (median > number(store, statistic, "median", best)) best = i;
        if (median < number(store, statistic, "median", worst)) worst = i;
    }
    const size_t shown[] = {best, worst};
    for (size_t i = 0; i < (count > 1 ? 2 : count); i++) {
        char title[64];
        (void)snprintf(title, sizeof title, "direction, q %g, beta %g",
                       cop_split_number(store, "q", shown[i]),
                       cop_split_number(store, "beta", shown[i]));
        COP_TRY(print_line(store, title, statistic, shown[i], text, err));
    }
    return COP_OK;
}

static cop_status print_table(const cop_store *store, cop_text *text, cop_error *err)
{
    static const char overlap[] = "subspace_overlap";
    const size_t dimensions = count_of(store, "subspace_overlap/median");
    COP_TRY(cop_text_format(text, err, "  %-28s %7s  %-16s  %7s %7s  %7s  %6s\n",
                            "agreement of two halves", "median", "95% of halvings", "chance",
                            "its 95%", "z", "p"));
    COP_TRY(print_line(store, "reward, Pearson", "reward_pearson", 0, text, err));
    COP_TRY(print_line(store, "reward, Spearman", "reward_spearman", 0, text, err));
    COP_TRY(print_line(store, "reward, all examples", "reward_spearman_brown", 0, text, err));
    COP_TRY(print_directions(store, text, err));
    for (size_t k = 1; k <= dimensions; k *= 4) {
        char title[64];
        (void)snprintf(title, sizeof title, "subspace, overlap(%zu)", k);
        COP_TRY(print_line(store, title, overlap, k - 1, text, err));
    }
    return COP_OK;
}

/* --- bars --- */

enum { BAR = 40 };

/* A bar of `share` of the full length, with a mark at `mark`. */
static void draw_bar(char bar[BAR + 1], double share, double mark)
{
    for (int i = 0; i < BAR; i++)
        bar[i] = i < (int)lround(share * BAR) ? '#' : '.';
    const int at = (int)(mark * BAR);
    if (at >= 0 && at < BAR) bar[at] = '|';
    bar[BAR] = '\0';
}

static cop_status print_canonical(const cop_store *store, cop_text *text, cop_error *err)
{
    static const char statistic[] = "canonical_correlation";
    const double high = number(store, statistic, "null_95", 0);
    COP_TRY(cop_text_format(text, err,
                            "\n  canonical correlations of the halves' subspaces (|: 95%% of "
                            "chance's largest lie below)\n"));
    for (size_t k = 0; k < count_of(store, "canonical_correlation/median"); k++) {
        char bar[BAR + 1];
        const double median = number(store, statistic, "median", k);
        draw_bar(bar, median, high);
        COP_TRY(cop_text_format(text, err, "  %4zu  %.3f  %s%s\n", k + 1, median, bar,
                                median > high ? "" : "  chance"));
    }
    return COP_OK;
}

static cop_status print_spectrum(const cop_store *store, cop_text *text, cop_error *err)
{
    enum { SHOWN = 16 };
    const size_t count = count_of(store, "spectrum/eigenvalue");
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += cop_split_number(store, "spectrum/eigenvalue", k);
    const double first = cop_split_number(store, "spectrum/eigenvalue", 0);
    if (!(first > 0)) return cop_text_format(text, err, "\n  all scores are alike\n");
    COP_TRY(cop_text_format(text, err,
                            "\n  spectrum of the centred scores, share of their variance (|: "
                            "95%% of permuted scores lie below)\n"));
    for (size_t k = 0; k < count && k < SHOWN; k++) {
        char bar[BAR + 1];
        const double value = cop_split_number(store, "spectrum/eigenvalue", k);
        const double high = cop_split_number(store, "spectrum/null_95", k);
        draw_bar(bar, value / first, high / first);
        COP_TRY(cop_text_format(text, err, "  %4zu  %4.1f%%  %s%s\n", k + 1, 100 * value / sum,
                                bar, value > high ? "" : "  chance"));
    }
    return COP_OK;
}

/* Medians over the grid of (q, beta), q by q. */
static cop_status print_grid(const cop_store *store, cop_text *text, cop_error *err)
{
    const size_t count = count_of(store, "q");
    size_t columns = 1;
    while (columns < count &&
           cop_split_number(store, "q", columns) == cop_split_number(store, "q", 0))
        columns++;
    COP_TRY(
        cop_text_format(text, err, "\n  agreement of the merged directions\n  %8s", "beta"));
    for (size_t j = 0; j < columns; j++)
        COP_TRY(cop_text_format(text, err, " %7g", cop_split_number(store, "beta", j)));
    for (size_t i = 0; i < count; i++) {
        if (i % columns == 0)
            COP_TRY(cop_text_format(text, err, "\n  q %6g", cop_split_number(store, "q", i)));
        COP_TRY(cop_text_format(text, err, " %+7.3f",
                                number(store, "direction_cosine", "median", i)));
    }
    return cop_text_append(text, "\n", 1, err);
}

/* --- all of it --- */

static cop_status print_dimensions(const cop_store *store, cop_text *text, cop_error *err)
{
    return cop_text_format(text, err,
                           "\n  reproducible rank %.0f; parallel analysis %.0f; effective rank "
                           "%.1f, participation "
                           "ratio %.1f of %zu\n",
                           cop_split_number(store, "reproducible_rank", 0),
                           cop_split_number(store, "parallel_rank", 0),
                           cop_split_number(store, "effective_rank", 0),
                           cop_split_number(store, "participation_ratio", 0),
                           count_of(store, "spectrum/eigenvalue"));
}

cop_status cop_split_print(const cop_store *store, bool whole, cop_text *text, cop_error *err)
{
    const char *const skipped = cop_store_get_text(store, "/split_half/skipped");
    if (skipped != NULL)
        return cop_text_format(text, err, "\n  no split-half analysis: %s\n", skipped);
    if (array_at(store, "reproducible_rank") == NULL) return COP_OK;
    const char *const within = cop_store_get_text(store, "/split_half/permuted_within");
    const bool in_sigma = within != NULL && strstr(within, "sigma") != NULL;
    const bool judged = within != NULL && strstr(within, "judges") != NULL;
    COP_TRY(cop_text_format(
        text, err,
        "\n  split-half analysis: %.0f candidates, %.0f examples, %.0f "
        "halvings; chance: %.0f times\n  every example's scores permuted "
        "over the candidates%s%s\n\n",
        cop_split_number(store, "candidates", 0), cop_split_number(store, "examples", 0),
        cop_split_number(store, "halvings", 0), cop_split_number(store, "permutations", 0),
        in_sigma ? " of equal sigma" : "",
        judged ? ",\n  those who decided about examples apart from the others" : ""));
    COP_TRY(print_table(store, text, err));
    if (whole) {
        if (count_of(store, "q") > 1) COP_TRY(print_grid(store, text, err));
        COP_TRY(print_canonical(store, text, err));
        COP_TRY(print_spectrum(store, text, err));
    }
    return print_dimensions(store, text, err);
}

/* --- coppice analyze --- */

/* The seed that the job's own analysis takes. */
static uint64_t seed_of(const cop_store *store)
{
    const char *const text = cop_store_get_text(store, "/job/keys/population.seed");
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static cop_status analyse(const cop_store *run, const cop_analyze_options *options,
                          cop_store *made, cop_error *err)
{
    const cop_split_request request = {
        .halvings = options->halvings > 0 ? options->halvings : COP_SPLIT_HALVINGS,
        .permutations =
            options->permutations > 0 ? options->permutations : COP_SPLIT_PERMUTATIONS,
        .seed = options->seed >= 0 ? (uint64_t)options->seed : seed_of(run),
        .within_sigma = options->within_sigma,
        .threads = options->threads,
        .tick = options->tick,
        .context = options->context};
    return cop_split_analyse(run, &request, made, err);
}

cop_status cop_run_analyze(const char *path, const cop_analyze_options *options, cop_text *text,
                           cop_error *err)
{
    char *file = NULL;
    cop_store *run = NULL;
    cop_store *made = NULL;
    cop_status status = cop_run_file_open(path, &file, &run, options->json ? NULL : text, err);
    if (status == COP_OK) status = cop_store_create(&made, err);
    if (status == COP_OK && analyse(run, options, made, err) != COP_OK)
        status = cop_error_prefix(err, "%s", path);
    if (status == COP_OK && options->json)
        status = cop_run_file_json(made, "/split_half", 12, text, err);
    if (status == COP_OK && !options->json) {
        status = cop_text_format(text, err, "%s\n", path);
        if (status == COP_OK) status = cop_split_print(made, true, text, err);
    }
    cop_store_destroy(&run);
    cop_store_destroy(&made);
    cop_memory_free(file);
    return status;
}
