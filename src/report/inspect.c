/* Shows a run file: for people a page, for machines a JSON object. */
#include "coppice/report/report.h"
#include "coppice/report/results.h"

#include "coppice/base/memory.h"
#include "coppice/phase/phase.h"
#include "coppice/report/split_analysis.h"
#include "coppice/store/store.h"
#include "report/burnt.h"
#include "report/guards.h"
#include "report/moved.h"
#include "report/races.h"
#include "report/run_file.h"
#include "report/screen.h"
#include "report/spending.h"

#include <stdio.h>
#include <string.h>

/* --- phases --- */

/* What a group with scores holds. */
typedef struct phase_facts {
    char path[96];
    uint64_t rows, examples, units, done, not_finite, left_out, taken_over, tokens;
    double seconds;
} phase_facts;

static bool read_phase(const cop_store *store, const char *status_path, phase_facts *facts)
{
    const size_t length = strlen(status_path);
    if (length < 7 || strcmp(status_path + length - 7, "/status") != 0) return false;
    *facts = (phase_facts){0};
    (void)snprintf(facts->path, sizeof facts->path, "%.*s", (int)(length - 7), status_path);
    char path[128];
    const cop_store_array *const status = cop_store_get(store, status_path);
    (void)snprintf(path, sizeof path, "%s/scores", facts->path);
    const cop_store_array *const scores = cop_store_get(store, path);
    (void)snprintf(path, sizeof path, "%s/tokens", facts->path);
    const cop_store_array *const tokens = cop_store_get(store, path);
    (void)snprintf(path, sizeof path, "%s/seconds", facts->path);
    const cop_store_array *const seconds = cop_store_get(store, path);
    if (scores == NULL || scores->rank != 2 || status->type != COP_STORE_U8 ||
        status->rank != 2)
        return false;
    facts->rows = scores->shape[0];
    facts->examples = scores->shape[1];
    facts->units = status->shape[0] * status->shape[1];
    for (uint64_t u = 0; u < facts->units; u++) {
        const uint8_t state = ((const uint8_t *)status->data)[u];
        facts->done += state == COP_UNIT_OK || state == COP_UNIT_NOT_FINITE;
        facts->not_finite += state == COP_UNIT_NOT_FINITE;
        facts->left_out += state == COP_UNIT_LEFT_OUT;
        facts->taken_over += state == COP_UNIT_TAKEN_OVER;
        if (tokens != NULL && tokens->type == COP_STORE_U64 && tokens->rank == 2 &&
            tokens->shape[0] * tokens->shape[1] == facts->units) {
            facts->tokens += ((const uint64_t *)tokens->data)[u];
        }
        if (seconds != NULL && seconds->type == COP_STORE_F32 && seconds->rank == 2 &&
            seconds->shape[0] * seconds->shape[1] == facts->units) {
            facts->seconds += (double)((const float *)seconds->data)[u];
        }
    }
    return true;
}

/* --- for people --- */

static const char *text_or(const cop_store *store, const char *path, const char *otherwise)
{
    const char *const text = cop_store_get_text(store, path);
    return text != NULL ? text : otherwise;
}

/* The last starts, for a job that is requeued often has many. */
static cop_status print_starts(const cop_store *store, cop_text *text, cop_error *err)
{
    enum { SHOWN = 5 };
    const cop_store_array *const times =
        cop_run_file_column(store, "/job/starts/time", COP_STORE_TEXT, 1);
    const size_t count = times == NULL ? 0 : (size_t)times->shape[0];
    const cop_store_array *const hosts =
        cop_run_file_column(store, "/job/starts/host", COP_STORE_TEXT, count);
    const cop_store_array *const backends =
        cop_run_file_column(store, "/job/starts/backends", COP_STORE_TEXT, count);
    const cop_store_array *const ranks =
        cop_run_file_column(store, "/job/starts/ranks", COP_STORE_I64, count);
    const cop_store_array *const nodes =
        cop_run_file_column(store, "/job/starts/nodes", COP_STORE_I64, count);
    if (hosts == NULL || backends == NULL || ranks == NULL || nodes == NULL) return COP_OK;
    COP_TRY(cop_text_format(text, err, "  starts    %zu%s\n", count,
                            count > SHOWN ? ", the last of them" : ""));
    for (size_t i = count > SHOWN ? count - SHOWN : 0; i < count; i++) {
        const int64_t on_ranks = ((const int64_t *)ranks->data)[i];
        const int64_t on_nodes = ((const int64_t *)nodes->data)[i];
        COP_TRY(cop_text_format(
            text, err, "            %s on %s, %lld rank%s, %lld node%s: %s\n",
            ((const char *const *)times->data)[i], ((const char *const *)hosts->data)[i],
            (long long)on_ranks, on_ranks == 1 ? "" : "s", (long long)on_nodes,
            on_nodes == 1 ? "" : "s", ((const char *const *)backends->data)[i]));
    }
    return COP_OK;
}

static int64_t traffic(const cop_store *store, const char *name)
{
    char path[64];
    int64_t value = 0;
    (void)snprintf(path, sizeof path, "/traffic/%s", name);
    (void)cop_store_get_i64(store, path, &value);
    return value;
}

/* Messages of a unit, and what comes on top: for each rank, for what was done twice, for merged
 * models' coefficients, for scores and answers. */
static cop_status print_traffic(const cop_store *store, cop_text *text, cop_error *err)
{
    const int64_t units = traffic(store, "unit_count");
    const int64_t scores = traffic(store, "score_count");
    const int64_t answers = traffic(store, "answer_count");
    const int64_t coefficients = traffic(store, "coefficient_bytes");
    const int64_t bytes = traffic(store, "sent_bytes") + traffic(store, "received_bytes");
    const int64_t ranks = traffic(store, "rank_bytes");
    const int64_t again = traffic(store, "again_bytes");
    if (bytes == 0 || units == 0) return COP_OK;
    COP_TRY(cop_text_format(
        text, err,
        "  messages  %.1f bytes for each of %lld candidates x batches and 4 per score, by rank "
        "0 in the last start;\n"
        "            %lld bytes in all, of these %lld to and from ranks whatever they "
        "evaluate, "
        "%lld for units done twice,\n"
        "            %lld merged models' seeds and amplitudes, %lld digests of answers\n",
        (double)(bytes - 4 * scores - 8 * answers - coefficients - ranks - again) /
            (double)units,
        (long long)units, (long long)bytes, (long long)ranks, (long long)again,
        (long long)coefficients, (long long)(8 * answers)));
    double cpu_s = 0;
    double wall_s = 0;
    (void)cop_store_get_f64(store, "/traffic/coordinator_cpu_s", &cpu_s);
    (void)cop_store_get_f64(store, "/traffic/coordinator_wall_s", &wall_s);
    return cop_text_format(
        text, err,
        "  rank 0    %.2f%% of a processor while the others computed; %lld "
        "failed units, %lld refused messages, %lld silences\n",
        wall_s > 0 ? 100 * cpu_s / wall_s : 0, (long long)traffic(store, "failures"),
        (long long)traffic(store, "nonsense"), (long long)traffic(store, "silences"));
}

static cop_status print_head(const cop_store *store, const char *path, cop_text *text,
                             cop_error *err)
{
    int64_t ranks = 0;
    (void)cop_store_get_i64(store, "/job/ranks", &ranks);
    COP_TRY(cop_text_format(text, err, "%s: coppice %s (%s), schema %d\n", path,
                            text_or(store, "/job/version", "?"),
                            text_or(store, "/job/git", "?"), COP_STORE_SCHEMA));
    COP_TRY(cop_text_format(
        text, err, "  started   %s on %s, %lld rank%s\n", text_or(store, "/job/started", "?"),
        text_or(store, "/job/host", "?"), (long long)ranks, ranks == 1 ? "" : "s"));
    COP_TRY(print_starts(store, text, err));
    COP_TRY(cop_text_format(text, err, "  model     %s  sha256 %.16s...\n",
                            text_or(store, "/job/keys/model", "?"),
                            text_or(store, "/base/model_sha256", "?")));
    COP_TRY(cop_text_format(text, err, "  task      %s on %s\n",
                            text_or(store, "/job/keys/task.name", "?"),
                            text_or(store, "/job/keys/task.data", "?")));
    COP_TRY(print_traffic(store, text, err));
    return cop_text_append(text, "\n", 1, err);
}

static cop_status print_phases(const cop_store *store, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "  %-32s %6s %9s %11s %12s %9s\n", "phase", "rows",
                            "examples", "units done", "tokens", "rank s"));
    for (size_t i = 0; i < cop_store_count(store); i++) {
        phase_facts f;
        if (!read_phase(store, cop_store_path_at(store, i), &f)) continue;
        COP_TRY(cop_text_format(text, err, "  %-32s %6llu %9llu %5llu/%-5llu %12llu %9.1f",
                                f.path, (unsigned long long)f.rows,
                                (unsigned long long)f.examples, (unsigned long long)f.done,
                                (unsigned long long)f.units, (unsigned long long)f.tokens,
                                f.seconds));
        if (f.not_finite > 0) {
            COP_TRY(cop_text_format(text, err, "  %llu not finite",
                                    (unsigned long long)f.not_finite));
        }
        if (f.left_out > 0) {
            COP_TRY(
                cop_text_format(text, err, "  %llu left out", (unsigned long long)f.left_out));
        }
        if (f.taken_over > 0) {
            COP_TRY(cop_text_format(text, err, "  %llu taken over",
                                    (unsigned long long)f.taken_over));
        }
        COP_TRY(cop_text_append(text, "\n", 1, err));
    }
    return COP_OK;
}

static cop_status print_gate(const cop_store *store, cop_text *text, cop_error *err)
{
    const bool on_reward = cop_run_file_is_on_reward(store);
    for (size_t n = 1;; n++) {
        char group[64];
        char path[96];
        int64_t accepted = 0;
        (void)snprintf(group, sizeof group, "/gate/decisions/%02zu", n);
        (void)snprintf(path, sizeof path, "%s/accepted", group);
        if (!cop_store_get_i64(store, path, &accepted)) return COP_OK;
        if (n == 1) COP_TRY(cop_text_format(text, err, "\n  gate decisions\n"));
        const double share = cop_run_file_number(store, group, "share");
        char shorter[48] = "";
        if (share > 0 && share < 1)
            (void)snprintf(shorter, sizeof shorter, "; %.2g of the proposed step", share);
        (void)snprintf(path, sizeof path, "%s/operator", group);
        COP_TRY(cop_text_format(
            text, err,
            "  round %.0f try %.0f  %-9s  step %.5f  %+4.0f %s %4.0f %s  mean %+.3f  "
            "bound %+.3f  %s%s\n",
            cop_run_file_number(store, group, "round"),
            cop_run_file_number(store, group, "try"), text_or(store, path, ""),
            cop_run_file_number(store, group, "step"),
            cop_run_file_number(store, group, "fixes"), on_reward ? "better" : "fixed",
            cop_run_file_number(store, group, "regressions"), on_reward ? "worse" : "broken",
            cop_run_file_number(store, group, "mean"),
            cop_run_file_number(store, group, "bound"), accepted ? "accepted" : "rejected",
            shorter));
        COP_TRY(cop_guards_print_decision(store, group, text, err));
    }
}

static cop_status print_final(const cop_store *store, cop_text *text, cop_error *err)
{
    if (cop_store_get(store, "/final/recipe") == NULL) {
        return cop_text_format(text, err,
                               "\n  not ended yet: run the same command again to go on\n");
    }
    if (cop_store_get(store, "/final/methods") == NULL)
        return cop_text_format(text, err, "\n  ended; no test examples (splits.test: 0)\n");
    COP_TRY(cop_text_append(text, "\n", 1, err));
    return cop_results_print(store, text, err);
}

cop_status cop_run_inspect(const char *path, bool json, cop_text *text, cop_error *err)
{
    char *file = NULL;
    cop_store *store = NULL;
    cop_status status = cop_run_file_open(path, &file, &store, json ? NULL : text, err);
    if (status == COP_OK && json) {
        status = cop_run_file_json(store, "", 9, text, err);
    } else if (status == COP_OK) {
        status = print_head(store, file, text, err);
        if (status == COP_OK) status = print_phases(store, text, err);
        if (status == COP_OK) status = cop_moved_print(store, text, err);
        if (status == COP_OK) status = cop_burnt_print(store, "\n  ", text, err);
        if (status == COP_OK) status = cop_screen_print(store, text, err);
        if (status == COP_OK) status = cop_split_print(store, false, text, err);
        if (status == COP_OK) status = cop_races_print(store, text, err);
        if (status == COP_OK) status = cop_spending_print(store, text, err);
        if (status == COP_OK) status = print_gate(store, text, err);
        if (status == COP_OK) status = print_final(store, text, err);
    }
    cop_store_destroy(&store);
    cop_memory_free(file);
    return status;
}
