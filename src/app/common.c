#include "app/app.h"

#include "coppice/base/affinity.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/chat/chat.h"
#include "coppice/job/job.h"
#include "coppice/json/json.h"
#include "coppice/rebuild/rebuild.h"
#include "coppice/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char cop_app_said[] = "\n";

cop_status cop_app_each_line(cop_status (*line)(void *context, size_t number,
                                                const json_t *value, cop_error *err),
                             void *context, cop_error *err)
{
    char *text = NULL;
    size_t capacity = 0;
    size_t number = 0;
    cop_status status = COP_OK;
    ssize_t length = 0;
    while (status == COP_OK && (length = getline(&text, &capacity, stdin)) >= 0) {
        number++;
        if (strspn(text, " \t\r\n") == (size_t)length) continue;
        json_t *value = NULL;
        const char *line_text = text;
        size_t left = (size_t)length;
        if (number == 1) cop_json_skip_mark(&line_text, &left);
        status = cop_json_read(line_text, left, JSON_DECODE_ANY | COP_JSON_LINE, &value, err);
        if (status != COP_OK) {
            status = cop_error_prefix(err, "standard input, line %zu: not JSON", number);
        } else if ((status = line(context, number, value, err)) != COP_OK) {
            status = cop_error_prefix(err, "standard input, line %zu", number);
        }
        json_decref(value);
    }
    const int why = errno;
    if (status == COP_OK && feof(stdin) == 0) {
        status = cop_error_set(err, why == ENOMEM ? COP_ERR_MEMORY : COP_ERR_IO,
                               "standard input, line %zu: %s", number + 1, strerror(why));
    }
    free(text);
    return status;
}

json_t *cop_app_ids_json(const int32_t *ids, size_t count)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, json_integer(ids[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

cop_status cop_app_print_json(json_t *value, cop_error *err)
{
    char *const text = value == NULL
                           ? NULL
                           : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
                                                   JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
    json_decref(value);
    COP_CHECK(text != NULL, err, COP_ERR_MEMORY, "no memory for a line of output");
    const bool ok = printf("%s\n", text) >= 0;
    free(text);
    COP_CHECK(ok, err, COP_ERR_IO, "standard output: %s", strerror(errno));
    return COP_OK;
}

cop_status cop_app_flush(cop_error *err)
{
    COP_CHECK(fflush(stdout) == 0 && ferror(stdout) == 0, err, COP_ERR_IO,
              "standard output: %s", strerror(errno));
    return COP_OK;
}

cop_status cop_app_print_text(const cop_text *text, cop_error *err)
{
    COP_CHECK(text->length == 0 || fputs(text->data, stdout) != EOF, err, COP_ERR_IO,
              "standard output: %s", strerror(errno));
    return cop_app_flush(err);
}

cop_status cop_app_parse(const struct argp *argp, int argc, char **argv, void *input,
                         cop_error *err)
{
    COP_CHECK(argp_parse(argp, argc, argv, 0, NULL, input) == 0, err, COP_ERR_USAGE,
              "wrong arguments");
    return COP_OK;
}

cop_status cop_app_parse_int(const char *option, const char *text, int64_t low, int64_t high,
                             int64_t *value, cop_error *err)
{
    char *end = NULL;
    errno = 0;
    const long long parsed = strtoll(text, &end, 10);
    COP_CHECK(errno == 0 && end != text && *end == '\0' && parsed >= low && parsed <= high, err,
              COP_ERR_USAGE, "--%s %s: must be a whole number from %lld to %lld", option, text,
              (long long)low, (long long)high);
    *value = parsed;
    return COP_OK;
}

cop_status cop_app_parse_like(const char *option, const char *key, const char *text,
                              int64_t *value, cop_error *err)
{
    const cop_job_range range = cop_job_key_range(key);
    if (text == NULL) return COP_OK;
    return cop_app_parse_int(option, text, range.least, range.most, value, err);
}

cop_status cop_app_parse_number(const char *option, const char *text, double low, double high,
                                double *value, cop_error *err)
{
    char *end = NULL;
    const double parsed = strtod(text, &end);
    COP_CHECK(end != text && *end == '\0' && parsed >= low && parsed <= high, err,
              COP_ERR_USAGE, "--%s %s: must be a number from %g to %g", option, text, low,
              high);
    *value = parsed;
    return COP_OK;
}

cop_status cop_app_parse_compute(const char *text, cop_compute *compute, cop_error *err)
{
    COP_CHECK(cop_compute_parse(text, compute), err, COP_ERR_USAGE,
              "--compute %s: must be auto, f32 or bf16", text);
    return COP_OK;
}

cop_status cop_app_parse_backend(const char *text, cop_backend_kind *kind, cop_error *err)
{
    COP_CHECK(cop_backend_kind_parse(text, kind), err, COP_ERR_USAGE,
              "--backend %s: must be auto, cpu or cuda", text);
    return COP_OK;
}

cop_backend_options cop_app_backend_options(cop_compute compute, int64_t threads)
{
    return (cop_backend_options){.compute = compute,
                                 .threads =
                                     threads > 0 ? (int)threads : cop_affinity_core_count(),
                                 .isa = cop_cpu_isa()};
}

/* The recipe that a run file holds. */
static cop_status recipe_of_run(const char *path, cop_recipe **recipe, cop_error *err)
{
    cop_store *store = NULL;
    bool previous = false;
    COP_TRY(cop_store_read_latest(path, &store, &previous, NULL, err));
    COP_CHECK(store != NULL, err, COP_ERR_FORMAT, "%s: there is no run file", path);
    const char *const text = cop_store_get_text(store, "/final/recipe");
    cop_status status = COP_OK;
    if (text == NULL) {
        status = cop_error_set(err, COP_ERR_FORMAT,
                               "%s: the run has not ended, so it has no recipe yet; run "
                               "its job to the end first",
                               path);
    } else {
        status = cop_recipe_parse(text, strlen(text), path, recipe, err);
    }
    cop_store_destroy(&store);
    return status;
}

cop_status cop_app_read_recipe(const char *path, cop_recipe **recipe, cop_error *err)
{
    struct stat info;
    COP_CHECK(stat(path, &info) == 0, err, COP_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        char *const run = cop_text_join_path(path, "run.h5", err);
        if (run == NULL) return COP_ERR_MEMORY;
        const cop_status status = recipe_of_run(run, recipe, err);
        cop_memory_free(run);
        return status;
    }
    if (cop_text_ends_in(path, ".h5")) return recipe_of_run(path, recipe, err);
    return cop_recipe_read(path, recipe, err);
}

/* Elements of the tensors that a recipe changes. */
static double count_changed(const cop_recipe *recipe, const cop_checkpoint *base)
{
    double elements = 0;
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(base, i);
        if (cop_recipe_scale(recipe, base, info) != 0.0F) elements += (double)info->count;
    }
    return elements;
}

void cop_app_announce_rebuild(const char *command, const cop_recipe *recipe,
                              const cop_checkpoint *base)
{
    enum { PIECE = 1 << 15, ROWS = 1 << 7, TERMS = 64 };
    static const double patience_s = 5;
    if (recipe->component_count < TERMS) return;
    float *const sums = cop_memory_alloc(PIECE, sizeof *sums, NULL);
    if (sums == NULL) return;
    const int threads = cop_affinity_core_count();
    const cop_rebuild_piece piece = {.base = sums,
                                     .out = sums,
                                     .dtype = COP_F32,
                                     .count = PIECE,
                                     .scale = 1.0F,
                                     .low = {recipe->noise_rank, ROWS, PIECE / ROWS}};
    cop_rebuild_run(&piece, recipe->components, 1, threads, cop_cpu_isa()); /* starts threads */
    const double start_s = cop_timer_now_s();
    cop_rebuild_run(&piece, recipe->components, TERMS, threads, cop_cpu_isa());
    const double term_s = (cop_timer_now_s() - start_s) / ((double)PIECE * TERMS);
    cop_memory_free(sums);
    const double elements = count_changed(recipe, base);
    const double whole_s = term_s * elements * (double)recipe->component_count;
    if (whole_s < patience_s) return;
    char text[16];
    cop_timer_format(text, sizeof text, whole_s);
    (void)fprintf(stderr,
                  "coppice %s: %zu components for each of %.1f million weights: about %s on %d "
                  "cores before there is more to see\n",
                  command, recipe->component_count, elements / 1e6, text, threads);
}

cop_status cop_app_require(const char *command, const char *option, const void *value,
                           cop_error *err)
{
    COP_CHECK(value != NULL, err, COP_ERR_USAGE, "%s is required; see coppice %s --help",
              option, command);
    return COP_OK;
}

void cop_app_warn_of_chat(const char *command, const char *unstopped, bool asks_date,
                          const char *date)
{
    if (unstopped != NULL) {
        (void)fprintf(
            stderr,
            "coppice %s: warning: the chat template ends an answer by %s, which is no "
            "stop token of the model: answers go on to --max-new-tokens\n",
            command, unstopped);
    }
    if (asks_date) {
        (void)fprintf(stderr,
                      "coppice %s: note: the chat template asks for today's date; it gets %s "
                      "(--date)\n",
                      command, date != NULL ? date : COP_CHAT_DEFAULT_DATE);
    }
}
