/* coppice merge, noise, export: thin covers of one library call each. */
#include "app/app.h"

#include "coppice/base/affinity.h"
#include "coppice/base/memory.h"
#include "coppice/export/export.h"
#include "coppice/model/model.h"
#include "coppice/noise/noise.h"
#include "coppice/search/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- merge --- */

static const struct argp merge_argp = {
    NULL,
    NULL,
    NULL,
    "The two-pass merge of CoRP's first stage: one JSON object {\"sigma\": [...], \"reward\": "
    "[...], \"q\": 0.5, "
    "\"beta\": 10, \"rank\": 8} in, the merge with all its statistics out.\v"
    "  echo '{\"sigma\": [0.001, 0.002, 0.001], \"reward\": [0.3, 0.5, 0.4], \"q\": 0.5, "
    "\"beta\": 5, "
    "\"rank\": 2}' | coppice merge",
    NULL,
    NULL,
    NULL};

static cop_status read_numbers(const json_t *input, const char *key, double **values,
                               size_t *count, cop_error *err)
{
    const json_t *const list = json_object_get(input, key);
    COP_CHECK(json_is_array(list) && json_array_size(list) > 0, err, COP_ERR_FORMAT,
              "\"%s\" must be a list of numbers, not empty", key);
    *count = json_array_size(list);
    *values = cop_memory_alloc(*count, sizeof **values, err);
    if (*values == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < *count; i++) {
        const json_t *const value = json_array_get(list, i);
        COP_CHECK(json_is_number(value), err, COP_ERR_FORMAT, "\"%s\" must hold numbers only",
                  key);
        (*values)[i] = json_number_value(value);
    }
    return COP_OK;
}

static json_t *numbers_json(const double *values, size_t count)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_real(values[i]));
    return list;
}

static json_t *merge_json(const cop_merge *m, double q, double beta, int64_t rank)
{
    json_t *const elite = json_array();
    for (size_t i = 0; i < m->elite_count; i++) {
        (void)json_array_append_new(elite, json_integer((json_int_t)m->elite[i]));
    }
    return json_pack(
        "{s:f, s:f, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o}",
        "q", q, "beta", beta, "rank", (json_int_t)rank, "threshold", m->threshold, "elite",
        elite, "pass1_weight", numbers_json(m->pass1_weight, m->elite_count), "pass2_weight",
        numbers_json(m->pass2_weight, m->elite_count), "alignment",
        numbers_json(m->alignment, m->elite_count), "dispersion",
        numbers_json(m->dispersion, m->elite_count), "mean_rss", m->mean_rss, "trace_cov",
        m->trace_cov, "effective_rank", m->effective_rank, "kappa", m->kappa, "ess", m->ess,
        "entropy", m->entropy, "eigenvalue", numbers_json(m->eigenvalue, m->rank), "direction",
        numbers_json(m->direction, m->count));
}

static cop_status merge_object(const json_t *input, cop_error *err)
{
    double *sigma = NULL;
    double *reward = NULL;
    size_t count = 0;
    size_t rewards = 0;
    cop_merge merge = {0};
    const json_t *const q = json_object_get(input, "q");
    const json_t *const beta = json_object_get(input, "beta");
    const json_t *const rank = json_object_get(input, "rank");
    COP_CHECK(json_is_number(q) && json_is_number(beta), err, COP_ERR_FORMAT,
              "\"q\" and \"beta\" must be numbers");
    COP_CHECK(rank == NULL || (json_is_integer(rank) && json_integer_value(rank) >= 0), err,
              COP_ERR_FORMAT, "\"rank\" must be a whole number, not below 0");
    const int64_t most = rank == NULL ? 8 : json_integer_value(rank);
    cop_status status = COP_OK;
    COP_TRY_OUT(read_numbers(input, "sigma", &sigma, &count, err));
    COP_TRY_OUT(read_numbers(input, "reward", &reward, &rewards, err));
    if (count != rewards) {
        status =
            cop_error_set(err, COP_ERR_FORMAT, "%zu sigmas but %zu rewards", count, rewards);
        goto out;
    }
    COP_TRY_OUT(cop_merge_run(sigma, reward, NULL, count, json_number_value(q),
                              json_number_value(beta), (size_t)most, &merge, err));
    status = cop_app_print_json(
        merge_json(&merge, json_number_value(q), json_number_value(beta), most), err);
out:
    cop_merge_free(&merge);
    cop_memory_free(sigma);
    cop_memory_free(reward);
    return status;
}

cop_status cop_command_merge(int argc, char **argv, cop_error *err)
{
    if (argp_parse(&merge_argp, argc, argv, 0, NULL, NULL) != 0) {
        return cop_error_set(err, COP_ERR_USAGE, "wrong arguments");
    }
    cop_status status = COP_OK;
    size_t number = 0;
    /* Objects may span lines and follow each other. */
    for (;;) {
        int c = 0;
        while ((c = getc(stdin)) == ' ' || c == '\n' || c == '\r' || c == '\t') {
        }
        if (c == EOF) break;
        (void)ungetc(c, stdin);
        json_error_t why;
        json_t *const input = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &why);
        number++;
        if (input == NULL) {
            status =
                cop_error_set(err, COP_ERR_FORMAT, "standard input, object %zu: not JSON: %s",
                              number, why.text);
        } else {
            status = merge_object(input, err);
        }
        json_decref(input);
        COP_TRY(status);
    }
    COP_CHECK(number > 0, err, COP_ERR_FORMAT,
              "standard input: no JSON object; see coppice merge --help");
    return cop_app_flush(err);
}

/* --- noise --- */

typedef struct noise_arguments {
    const char *seed, *tensor, *count, *offset;
} noise_arguments;

static error_t parse_noise(int key, char *text, struct argp_state *state)
{
    noise_arguments *const a = state->input;
    switch (key) {
    case 's':
        a->seed = text;
        return 0;
    case 't':
        a->tensor = text;
        return 0;
    case 'n':
        a->count = text;
        return 0;
    case 'i':
        a->offset = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option noise_options[] = {
    {"seed", 's', "S", 0, "Seed, 0 to 2^64-1", 0},
    {"tensor", 't', "NAME", 0, "Tensor, by its Hugging Face name", 0},
    {"count", 'n', "N", 0, "How many numbers", 0},
    {"offset", 'i', "I", 0, "Index of the first (default 0)", 0},
    {0}};

static const struct argp noise_argp = {
    noise_options,
    parse_noise,
    NULL,
    "Prints standard normal numbers of the noise (version 1), one hexadecimal binary32 bit "
    "pattern per line. The "
    "same everywhere: see include/coppice/noise/noise.h for the definition.\v"
    "  coppice noise --seed 1 --tensor model.norm.weight --count 4",
    NULL,
    NULL,
    NULL};

static cop_status parse_u64(const char *option, const char *text, uint64_t *value,
                            cop_error *err)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    COP_CHECK(errno == 0 && end != text && *end == '\0' && strchr(text, '-') == NULL, err,
              COP_ERR_USAGE, "--%s %s: must be a whole number from 0 to 2^64-1", option, text);
    return COP_OK;
}

cop_status cop_command_noise(int argc, char **argv, cop_error *err)
{
    enum { BLOCK = 4096 };
    noise_arguments a = {0};
    if (argp_parse(&noise_argp, argc, argv, 0, NULL, &a) != 0) {
        return cop_error_set(err, COP_ERR_USAGE, "wrong arguments");
    }
    uint64_t seed = 0;
    uint64_t count = 0;
    uint64_t first = 0;
    COP_TRY(cop_app_require("noise", "--seed S", a.seed, err));
    COP_TRY(cop_app_require("noise", "--tensor NAME", a.tensor, err));
    COP_TRY(cop_app_require("noise", "--count N", a.count, err));
    COP_TRY(parse_u64("seed", a.seed, &seed, err));
    COP_TRY(parse_u64("count", a.count, &count, err));
    if (a.offset != NULL) COP_TRY(parse_u64("offset", a.offset, &first, err));
    const uint32_t tensor = cop_noise_tensor_id(a.tensor);
    float block[BLOCK];
    for (uint64_t done = 0; done < count; done += BLOCK) {
        const size_t n = count - done < BLOCK ? (size_t)(count - done) : BLOCK;
        cop_noise_fill(block, seed, tensor, first + done, n, cop_cpu_isa());
        for (size_t i = 0; i < n; i++) {
            uint32_t bits = 0;
            memcpy(&bits, &block[i], sizeof bits);
            COP_CHECK(printf("%08" PRIx32 "\n", bits) > 0, err, COP_ERR_IO,
                      "standard output: %s", strerror(errno));
        }
    }
    return cop_app_flush(err);
}

/* --- export --- */

typedef struct export_arguments {
    const char *recipe, *model, *out;
    cop_app_accept accept;
} export_arguments;

static error_t parse_export(int key, char *text, struct argp_state *state)
{
    export_arguments *const a = state->input;
    switch (key) {
    case 'm':
        a->model = text;
        return 0;
    case 'o':
        a->out = text;
        return 0;
    case 'a':
        if (!cop_app_accept_add(&a->accept, text)) argp_error(state, "--accept: %s?", text);
        return 0;
    case ARGP_KEY_ARG:
        if (a->recipe != NULL) argp_error(state, "one run or recipe only");
        a->recipe = text;
        return 0;
    case ARGP_KEY_END:
        if (a->recipe == NULL) argp_error(state, "which run or recipe?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option export_options[] = {
    {"model", 'm', "BASE", 0, "The base model's directory", 0},
    {"out", 'o', "DIR", 0, "Where to write the model; must not exist yet, or be empty", 0},
    {"accept", 'a', "FILE", 0, COP_APP_ACCEPT_HELP, 0},
    {0}};

static const struct argp export_argp = {
    export_options,
    parse_export,
    "RUN_OR_RECIPE",
    "Writes the model that a run directory, run.h5 or recipe.json stands for, as a Hugging "
    "Face directory: same "
    "files, names, sharding and types as the base, weights bit for bit as they were "
    "evaluated.\v"
    "  coppice export runs/demo --model jobs/demo/model --out better-model",
    NULL,
    NULL,
    NULL};

static cop_status export_model(const export_arguments *a, cop_recipe *recipe,
                               cop_export_report *report, cop_error *err)
{
    cop_model_config config;
    cop_checkpoint *base = NULL;
    cop_text notes = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_model_open(a->model, &config, &base, err));
    COP_TRY_OUT(cop_app_check_base(a->recipe, recipe, base, true, &a->accept, err));
    COP_TRY_OUT(cop_model_config_notes(&config, &notes, err));
    cop_app_print_notes("export", &notes);
    recipe->untied_head = config.untied_by_file;
    cop_app_announce_rebuild("export", recipe, base);
    status = cop_export_write(base, recipe, a->out, cop_affinity_core_count(), report, err);
out:
    cop_text_free(&notes);
    cop_checkpoint_close(&base);
    return status;
}

cop_status cop_command_export(int argc, char **argv, cop_error *err)
{
    export_arguments a = {0};
    if (argp_parse(&export_argp, argc, argv, 0, NULL, &a) != 0) {
        return cop_error_set(err, COP_ERR_USAGE, "wrong arguments");
    }
    COP_TRY(cop_app_require("export", "--model BASE", a.model, err));
    COP_TRY(cop_app_require("export", "--out DIR", a.out, err));
    cop_recipe *recipe = NULL;
    cop_export_report report = {0};
    COP_TRY(cop_app_read_recipe(a.recipe, &recipe, err));
    const cop_status status = export_model(&a, recipe, &report, err);
    if (status == COP_OK) {
        (void)printf("%s: %zu tensors, %zu components; %llu of %llu weights differ from the "
                     "base (%.1f%%)\n",
                     a.out, report.tensors, recipe->component_count,
                     (unsigned long long)report.elements_moved,
                     (unsigned long long)report.elements,
                     report.elements == 0
                         ? 0
                         : 100.0 * (double)report.elements_moved / (double)report.elements);
    }
    cop_recipe_destroy(&recipe);
    COP_TRY(status);
    return cop_app_flush(err);
}
