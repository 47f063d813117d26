/* The final tables, from the run file. */
#include "coppice/report/results.h"

#include "report/run_file.h"

#include <stdio.h>

static const char *title(const cop_store *store, const char *group)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/title", group);
    const char *const text = cop_store_get_text(store, path);
    return text != NULL ? text : group;
}

/* "0.013"; values that would show as zero as a bound. */
static void format_p(char text[8], double p)
{
    (void)snprintf(text, 8, p < 0.0005 ? "<0.001" : "%.3f", p);
}

static cop_status print_accuracy(const cop_store *store, const char *group, bool first,
                                 bool has_consolidated, cop_text *text, cop_error *err)
{
    char p_base[8];
    char p_consolidated[8];
    format_p(p_base, cop_run_file_number(store, group, "p_base"));
    format_p(p_consolidated, cop_run_file_number(store, group, "p_consolidated"));
    const char *const names[2][3] = {{"accuracy", "accuracy_low", "accuracy_high"},
                                     {"reward", "reward_low", "reward_high"}};
    const char *const *const shown = names[cop_run_file_is_on_reward(store) ? 1 : 0];
    COP_TRY(cop_text_format(text, err, "  %-25s %.3f  %.3f .. %.3f", title(store, group),
                            cop_run_file_number(store, group, shown[0]),
                            cop_run_file_number(store, group, shown[1]),
                            cop_run_file_number(store, group, shown[2])));
    if (first) {
        COP_TRY(cop_text_format(text, err, "%36s", ""));
    } else {
        COP_TRY(cop_text_format(text, err, "  %+.3f  %+.3f .. %+.3f  %7s",
                                cop_run_file_number(store, group, "gain"),
                                cop_run_file_number(store, group, "gain_low"),
                                cop_run_file_number(store, group, "gain_high"), p_base));
    }
    return has_consolidated ? cop_text_format(text, err, "  %7s\n", p_consolidated)
                            : cop_text_append(text, "\n", 1, err);
}

static cop_status print_cost(const cop_store *store, const char *group, cop_text *text,
                             cop_error *err)
{
    return cop_text_format(text, err, "  %-25s %8.0f %10.0f %12.0f %9.0f %11.0f %10.3f\n",
                           title(store, group), cop_run_file_number(store, group, "answers"),
                           cop_run_file_number(store, group, "search_evaluations"),
                           cop_run_file_number(store, group, "search_tokens"),
                           cop_run_file_number(store, group, "test_evaluations"),
                           cop_run_file_number(store, group, "test_tokens"),
                           cop_run_file_number(store, group, "gain_per_million_tokens"));
}

cop_status cop_results_print(const cop_store *store, cop_text *text, cop_error *err)
{
    const cop_store_array *const list = cop_store_get(store, "/final/methods");
    if (list == NULL || list->type != COP_STORE_TEXT || list->rank != 1) return COP_OK;
    const char *const *const groups = list->data;
    bool chosen = false;
    const bool has_consolidated =
        cop_store_get(store, "/final/consolidated/p_consolidated") != NULL;
    COP_TRY(cop_text_format(text, err, "%-27s %5s  %-14s  %6s  %-16s  %7s%s\n",
                            cop_run_file_is_on_reward(store) ? "test reward" : "test accuracy",
                            "", "95% interval", "gain", "95%, paired", "p, base",
                            has_consolidated ? "  p, cons" : ""));
    for (uint64_t i = 0; i < list->shape[0]; i++) {
        COP_TRY(print_accuracy(store, groups[i], i == 0, has_consolidated, text, err));
        char path[192];
        (void)snprintf(path, sizeof path, "%s/rank", groups[i]);
        chosen = chosen || cop_store_get(store, path) != NULL;
    }
    COP_TRY(cop_text_format(text, err,
                            "\n%-27s %8s %10s %12s %9s %11s %10s\n%-27s %8s %10s %12s %9s %11s "
                            "%10s\n",
                            "cost", "answers", "search,", "search,", "test,", "test,",
                            "gain per", "", "an item", "answers", "tokens", "answers", "tokens",
                            "M tokens"));
    for (uint64_t i = 0; i < list->shape[0]; i++)
        COP_TRY(print_cost(store, groups[i], text, err));
    COP_TRY(cop_text_format(
        text, err,
        "\np: %s on the same examples%s. The base's cost "
        "is that of all splits.\n",
        cop_run_file_is_on_reward(store) ? "the sign test" : "McNemar's exact test",
        has_consolidated ? ", against the base and the consolidated model (cons)" : ""));
    if (!chosen) return COP_OK;
    return cop_text_format(text, err, "(*) chosen by its score on test, which flatters it.\n");
}
