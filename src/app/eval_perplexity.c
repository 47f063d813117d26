/* How likely a model finds plain text. */
#include "app/eval_perplexity.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/data/passages.h"
#include "coppice/evaluate/likelihood.h"
#include "coppice/json/json.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

typedef struct measurement {
    const cop_app_perplexity *wanted;
    cop_model_config config;
    cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model *model;
    cop_tokenizer *tokenizer;
    cop_recipe *recipe;
    cop_passages text;
    cop_ids ids;              /* of all passages */
    cop_prompt *passages;     /* [text.count] */
    cop_likelihood *measured; /* [text.count] */
    size_t window;            /* tokens */
    size_t windows;
    size_t longest; /* tokens of a window */
    size_t tokens;  /* that count */
    double seconds;
} measurement;

/* --- what is measured --- */

static cop_status read_window(measurement *m, cop_error *err)
{
    int64_t window = m->config.max_positions;
    if (m->wanted->window != NULL)
        COP_TRY(cop_app_parse_int("window", m->wanted->window, 2, window, &window, err));
    m->window = (size_t)window;
    return COP_OK;
}

/* Ids of all passages: their places move while ids are added, so each is found by its end. */
static cop_status encode(measurement *m, size_t *ends, cop_error *err)
{
    for (size_t i = 0; i < m->text.count; i++) {
        const size_t start = m->text.start[i];
        const cop_status status =
            cop_tokenizer_encode(m->tokenizer, m->text.text.data + start,
                                 m->text.start[i + 1] - start, true, &m->ids, err);
        if (status != COP_OK)
            return cop_error_prefix(err, "%s, text %zu", m->wanted->path, i + 1);
        ends[i] = m->ids.count;
    }
    return COP_OK;
}

static void count_passages(measurement *m, const size_t *ends)
{
    size_t start = 0;
    for (size_t i = 0; i < m->text.count; start = ends[i++]) {
        const size_t count = ends[i] - start;
        m->passages[i] = (cop_prompt){.ids = m->ids.data + start, .count = count};
        m->windows += cop_likelihood_count_windows(count, m->window);
        m->tokens += count > 0 ? count - 1 : 0;
        m->longest = count > m->longest ? count : m->longest;
    }
    m->longest = m->longest < m->window ? m->longest : m->window;
}

static cop_status load_text(measurement *m, cop_error *err)
{
    const char *const path = m->wanted->path;
    COP_TRY(cop_tokenizer_load_model(m->wanted->model->dir, &m->tokenizer, err));
    COP_TRY(cop_passages_load(path, &m->text, err));
    size_t *const ends = cop_memory_alloc(m->text.count, sizeof *ends, err);
    m->passages = cop_memory_alloc(m->text.count, sizeof *m->passages, err);
    m->measured = cop_memory_alloc(m->text.count, sizeof *m->measured, err);
    cop_status status = ends == NULL || m->passages == NULL || m->measured == NULL
                            ? COP_ERR_MEMORY
                            : encode(m, ends, err);
    if (status == COP_OK) count_passages(m, ends);
    cop_memory_free(ends);
    COP_TRY(status);
    COP_CHECK(m->tokens > 0, err, COP_ERR_FORMAT,
              "%s: no text has a second token, and the first does not count: nothing tells "
              "what is likely before it",
              path);
    return COP_OK;
}

/* --- the model --- */

/* Windows side by side: a pass is full with fewer of them, the longer they are. */
static size_t choose_batch(const measurement *m, size_t most)
{
    enum { ROWS = 4096 };
    const size_t fill = ROWS / m->longest > 0 ? ROWS / m->longest : 1;
    size_t batch = fill < most ? fill : most;
    return batch < m->windows ? batch : m->windows;
}

static cop_status print_notes(const measurement *m, const cop_text *unused, cop_error *err)
{
    cop_text notes = {0};
    if (unused->length > 0)
        (void)fprintf(stderr, "coppice eval: warning: unused tensors: %s\n", unused->data);
    const cop_status status = cop_model_config_notes(&m->config, &notes, err);
    if (status == COP_OK) cop_app_print_notes("eval", &notes);
    cop_text_free(&notes);
    return status;
}

static cop_status load_model(measurement *m, const cop_app_answering *how, cop_error *err)
{
    cop_backend_options options = how->backend;
    cop_text unused = {0};
    const cop_model_limits limits = {
        .batch = choose_batch(m, how->batch), .prompt_tokens = m->longest, .fit_batch = true};
    options.storage = cop_model_storage(m->checkpoint);
    COP_TRY(cop_backend_create(&options, &m->backend, err));
    cop_status status = cop_model_create(&m->config, m->checkpoint, m->backend, &limits,
                                         &unused, &m->model, err);
    if (status == COP_ERR_MEMORY && m->longest > 2)
        status = cop_error_prefix(err, "windows of %zu tokens (--window N: shorter ones)",
                                  m->longest);
    if (status == COP_OK) status = print_notes(m, &unused, err);
    cop_text_free(&unused);
    COP_TRY(status);
    COP_TRY(cop_app_model_recipe("eval", m->wanted->model, m->checkpoint, &m->recipe, err));
    return m->recipe == NULL ? COP_OK : cop_model_apply(m->model, 0, m->recipe, err);
}

/* --- the result --- */

static void show(void *context, size_t tokens)
{
    const measurement *const m = context;
    (void)fprintf(stderr, "\r%zu of %zu tokens", tokens, m->tokens);
}

static cop_status measure(measurement *m, cop_error *err)
{
    const bool shows = isatty(STDERR_FILENO) == 1 && !m->wanted->json;
    const cop_likelihood_watch watch = {.done = shows ? show : NULL, .context = m};
    const double start_s = cop_timer_now_s();
    if (shows) show(m, 0);
    const cop_status status = cop_likelihood_measure(m->model, m->passages, m->text.count,
                                                     m->window, &watch, m->measured, err);
    m->seconds = cop_timer_now_s() - start_s;
    if (shows) (void)fprintf(stderr, "\r\033[K");
    COP_TRY(status);
    return cop_checkpoint_check_unchanged(m->checkpoint, err);
}

static cop_status print_result(const measurement *m, cop_error *err)
{
    double sum = 0;
    char backend[256];
    for (size_t i = 0; i < m->text.count; i++)
        sum += m->measured[i].sum;
    COP_CHECK(isfinite(sum), err, COP_ERR_NUMERIC, "%s: logits are not finite",
              m->wanted->model->dir);
    const double mean = sum / (double)m->tokens;
    m->backend->ops->describe(m->backend, backend, sizeof backend);
    if (m->wanted->json) {
        COP_TRY(cop_app_print_json(
            json_pack("{s:s, s:I, s:I, s:f, s:f, s:o, s:I, s:I, s:f, s:s}", "file",
                      m->wanted->path, "texts", (json_int_t)m->text.count, "tokens",
                      (json_int_t)m->tokens, "log_likelihood_sum", sum, "log_likelihood", mean,
                      "perplexity", cop_json_real(exp(-mean)), "window", (json_int_t)m->window,
                      "windows", (json_int_t)m->windows, "seconds", m->seconds, "backend",
                      backend),
            err));
        return cop_app_flush(err);
    }
    (void)printf("%s, %zu text%s, %zu tokens that count\n", m->wanted->path, m->text.count,
                 m->text.count == 1 ? "" : "s", m->tokens);
    (void)printf("likelihood  %.6f per token, mean natural logarithm\n", mean);
    (void)printf("perplexity  %.4f\n", exp(-mean));
    (void)printf(
        "windows     %zu of %zu tokens at most; where a text was cut, each begins with "
        "the token that the one before ended in\n",
        m->windows, m->window);
    (void)printf("speed       %.0f tokens/s: %zu tokens in %.1f s (%s)\n",
                 (double)m->tokens / m->seconds, m->tokens, m->seconds, backend);
    return cop_app_flush(err);
}

static void destroy(measurement *m)
{
    cop_model_destroy(&m->model);
    cop_backend_destroy(&m->backend);
    cop_recipe_destroy(&m->recipe);
    cop_checkpoint_close(&m->checkpoint);
    cop_tokenizer_destroy(&m->tokenizer);
    cop_passages_free(&m->text);
    cop_ids_free(&m->ids);
    cop_memory_free(m->passages);
    cop_memory_free(m->measured);
}

cop_status cop_app_eval_perplexity(const cop_app_perplexity *wanted, cop_error *err)
{
    measurement m = {.wanted = wanted};
    cop_app_answering how = {0};
    COP_TRY(cop_app_model_resolve("eval", wanted->model, &how, err));
    cop_status status = cop_model_open(wanted->model->dir, &m.config, &m.checkpoint, err);
    if (status == COP_OK) status = read_window(&m, err);
    if (status == COP_OK) status = load_text(&m, err);
    if (status == COP_OK) status = load_model(&m, &how, err);
    if (status == COP_OK) status = measure(&m, err);
    if (status == COP_OK) status = print_result(&m, err);
    destroy(&m);
    return status;
}
