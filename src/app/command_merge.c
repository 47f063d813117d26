/* coppice merge */
#include "app/app.h"

#include "coppice/base/memory.h"
#include "coppice/search/search.h"

#include <stdio.h>

static const struct argp argp = {
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
    COP_TRY(cop_app_parse(&argp, argc, argv, NULL, err));
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
