/* coppice generate */
#include "app/app.h"
#include "app/model_options.h"

#include "coppice/base/memory.h"
#include "coppice/chat/chat.h"
#include "coppice/json/json.h"
#include "coppice/model/model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct arguments {
    cop_app_model model;
    const char *gemm, *temperature, *top_p, *seed;
    bool logits;
} arguments;

enum { KEY_LOGITS = 0x100, KEY_GEMM, KEY_TEMPERATURE, KEY_TOP_P, KEY_SEED };

static const struct argp_option options[] = {
    {"gemm", KEY_GEMM, "PROVIDER", 0,
     "auto (default: own for a bf16 model, whose first token comes soonest so; a library with "
     "--compute f32 or --arithmetic library, and where it has instructions for bf16), own, "
     "onednn or openblas",
     0},
    {"temperature", KEY_TEMPERATURE, "T", 0,
     "Draw tokens at this temperature; 0 (default): greedy answers", 0},
    {"top-p", KEY_TOP_P, "P", 0,
     "Draw from the likeliest tokens that have this probability together (default 1: all)", 0},
    {"seed", KEY_SEED, "N", 0,
     "Of the draws (default 0). Answer n (from 0) depends on the seed and n, not on --batch",
     0},
    {"logits", KEY_LOGITS, NULL, 0,
     "Also print the logits after the last prompt token, and the log-probability "
     "of the prompt",
     0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        return 0;
    case KEY_GEMM:
        a->gemm = text;
        return 0;
    case KEY_TEMPERATURE:
        a->temperature = text;
        return 0;
    case KEY_TOP_P:
        a->top_p = text;
        return 0;
    case KEY_SEED:
        a->seed = text;
        return 0;
    case KEY_LOGITS:
        a->logits = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cop_app_model_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    options,
    parse,
    NULL,
    "Answers prompts, greedily or by drawing: JSON lines on standard input, JSON lines on "
    "standard output, in "
    "input order.\v"
    "Input lines: {\"ids\": [1, 2]}, {\"prompt\": \"text as it is\"} or {\"messages\": "
    "[{\"role\": \"user\", "
    "\"content\": \"...\"}]}.\n"
    "Output lines: {\"ids\": [...], \"text\": \"...\", \"finish\": \"stop\" or \"length\"}; "
    "with --logits also "
    "\"logits\" and \"prompt_log_probability\". The text is left out where the model has no "
    "tokenizer.json.\n\n"
    "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Tom has 3 pens. Tom buys 4 "
    "more. How many "
    "pens does Tom have?\"}]}' | coppice generate --model jobs/demo/model",
    children,
    NULL,
    NULL};

/* Prompts read from standard input. */
typedef struct prompt_list {
    const char *model_dir, *family, *date;
    cop_tokenizer *tokenizer; /* NULL: the model has none */
    cop_chat *chat;           /* NULL: no messages yet */
    cop_ids ids;              /* of all prompts */
    size_t *start;            /* [count + 1] */
    size_t start_capacity;
    size_t count;
    size_t longest;
} prompt_list;

static cop_status need_tokenizer(const prompt_list *list, cop_error *err)
{
    COP_CHECK(list->tokenizer != NULL, err, COP_ERR_FORMAT,
              "%s has no tokenizer.json: give prompts as {\"ids\": [...]}", list->model_dir);
    return COP_OK;
}

static cop_status read_ids(prompt_list *list, const json_t *ids, cop_error *err)
{
    COP_CHECK(json_is_array(ids), err, COP_ERR_FORMAT, "\"ids\" must be a list of token ids");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *const id = json_array_get(ids, i);
        COP_CHECK(json_is_integer(id) && json_integer_value(id) >= 0 &&
                      json_integer_value(id) <= INT32_MAX,
                  err, COP_ERR_FORMAT, "\"ids\" must hold whole numbers, not below 0");
        COP_TRY(cop_ids_append(&list->ids, (int32_t)json_integer_value(id), err));
    }
    return COP_OK;
}

static cop_status read_messages(prompt_list *list, const json_t *messages, cop_error *err)
{
    const size_t count = json_array_size(messages);
    COP_CHECK(count > 0, err, COP_ERR_FORMAT,
              "\"messages\" must be a list of {\"role\", \"content\"}");
    COP_TRY(need_tokenizer(list, err));
    const cop_chat_options wanted = {
        .model_dir = list->model_dir, .family = list->family, .date = list->date};
    if (list->chat == NULL) COP_TRY(cop_chat_create(&wanted, &list->chat, err));
    cop_chat_message *const chat = cop_memory_alloc(count, sizeof *chat, err);
    if (chat == NULL) return COP_ERR_MEMORY;
    cop_text text = {0};
    cop_status status = COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++) {
        const json_t *const message = json_array_get(messages, i);
        chat[i].role = json_string_value(json_object_get(message, "role"));
        chat[i].content = json_string_value(json_object_get(message, "content"));
        if (!cop_json_is_text(json_object_get(message, "role")) ||
            !cop_json_is_text(json_object_get(message, "content"))) {
            status =
                cop_error_set(err, COP_ERR_FORMAT,
                              "message %zu needs \"role\" and \"content\" strings, without "
                              "zero characters",
                              i + 1);
        }
    }
    if (status == COP_OK) status = cop_chat_render(list->chat, chat, count, &text, err);
    if (status == COP_OK) {
        status = cop_tokenizer_encode(list->tokenizer, text.data, text.length,
                                      cop_chat_is_plain(list->chat), &list->ids, err);
    }
    cop_text_free(&text);
    cop_memory_free(chat);
    return status;
}

static cop_status read_prompt(void *context, size_t number, const json_t *line, cop_error *err)
{
    (void)number;
    prompt_list *const list = context;
    const json_t *const ids = json_object_get(line, "ids");
    const json_t *const prompt = json_object_get(line, "prompt");
    const json_t *const messages = json_object_get(line, "messages");
    COP_CHECK((ids != NULL) + (prompt != NULL) + (messages != NULL) == 1, err, COP_ERR_FORMAT,
              "needs one of \"ids\", \"prompt\" and \"messages\"");
    if (ids != NULL) {
        COP_TRY(read_ids(list, ids, err));
    } else if (messages != NULL) {
        COP_TRY(read_messages(list, messages, err));
    } else {
        COP_CHECK(json_is_string(prompt), err, COP_ERR_FORMAT, "\"prompt\" must be a string");
        COP_TRY(need_tokenizer(list, err));
        COP_TRY(cop_tokenizer_encode(list->tokenizer, json_string_value(prompt),
                                     json_string_length(prompt), true, &list->ids, err));
    }
    COP_GROW(list->start, list->start_capacity, list->count + 2, err);
    if (list->count == 0) list->start[0] = 0;
    list->start[++list->count] = list->ids.count;
    const size_t length = list->ids.count - list->start[list->count - 1];
    COP_CHECK(length > 0, err, COP_ERR_FORMAT, "the prompt is empty");
    if (length > list->longest) list->longest = length;
    return COP_OK;
}

/* What answers. */
typedef struct answerer {
    cop_model_config config;
    cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model *model;
    cop_recipe *recipe;
} answerer;

static cop_status print_notes(const cop_model_config *config, cop_error *err)
{
    cop_text notes = {0};
    const cop_status status = cop_model_config_notes(config, &notes, err);
    if (status == COP_OK) cop_app_print_notes("generate", &notes);
    cop_text_free(&notes);
    return status;
}

static cop_status load(const arguments *a, const prompt_list *list,
                       const cop_app_answering *how, answerer *w, cop_error *err)
{
    COP_TRY(cop_model_open(a->model.dir, &w->config, &w->checkpoint, err));
    COP_TRY(print_notes(&w->config, err));
    cop_backend_options made = how->backend;
    COP_CHECK(a->gemm == NULL || cop_gemm_provider_parse(a->gemm, &made.gemm), err,
              COP_ERR_USAGE, "--gemm %s: must be auto, own, onednn or openblas", a->gemm);
    made.storage = cop_model_storage(w->checkpoint);
    made.quick_start = true;
    COP_TRY(cop_backend_create(&made, &w->backend, err));
    const cop_model_limits limits = {.batch = how->batch,
                                     .prompt_tokens = list->longest,
                                     .new_tokens = how->max_new_tokens,
                                     .fit_batch = true};
    COP_TRY(
        cop_model_create(&w->config, w->checkpoint, w->backend, &limits, NULL, &w->model, err));
    COP_TRY(cop_app_model_recipe("generate", &a->model, w->checkpoint, &w->recipe, err));
    return w->recipe == NULL ? COP_OK : cop_model_apply(w->model, 0, w->recipe, err);
}

static cop_status print_answer(const prompt_list *list, const answerer *w,
                               const cop_generation *g, bool logits, cop_error *err)
{
    json_t *const line = json_pack("{s:o}", "ids", cop_app_ids_json(g->ids.data, g->ids.count));
    COP_CHECK(line != NULL, err, COP_ERR_MEMORY, "no memory for an answer");
    if (list->tokenizer != NULL) {
        cop_text text = {0};
        cop_status status =
            cop_tokenizer_decode(list->tokenizer, g->ids.data, g->ids.count, false, &text, err);
        if (status == COP_OK) {
            (void)json_object_set_new(
                line, "text", json_stringn(text.data != NULL ? text.data : "", text.length));
        }
        cop_text_free(&text);
        if (status != COP_OK) {
            json_decref(line);
            return status;
        }
    }
    (void)json_object_set_new(line, "finish",
                              json_string(!g->finite   ? "not finite"
                                          : g->stopped ? "stop"
                                                       : "length"));
    if (logits && g->logits != NULL) {
        json_t *const values = json_array();
        for (int32_t v = 0; v < w->config.vocabulary; v++) {
            (void)json_array_append_new(values, json_real((double)g->logits[v]));
        }
        (void)json_object_set_new(line, "logits", values);
        (void)json_object_set_new(line, "prompt_log_probability",
                                  json_real(g->prompt_log_probability));
    }
    return cop_app_print_json(line, err);
}

/* How the draws of --temperature, --top-p and --seed are made. */
static cop_status read_sampling(const arguments *a, cop_sampling *how, cop_error *err)
{
    int64_t seed = 0;
    *how = (cop_sampling){.top_p = 1};
    COP_CHECK(a->temperature != NULL || (a->top_p == NULL && a->seed == NULL), err,
              COP_ERR_USAGE, "%s needs --temperature: greedy answers draw nothing",
              a->top_p != NULL ? "--top-p" : "--seed");
    if (a->temperature == NULL) return COP_OK;
    COP_TRY(
        cop_app_parse_number("temperature", a->temperature, 0, 1000, &how->temperature, err));
    if (a->top_p != NULL)
        COP_TRY(cop_app_parse_number("top-p", a->top_p, 1e-300, 1, &how->top_p, err));
    if (a->seed != NULL) COP_TRY(cop_app_parse_int("seed", a->seed, 0, INT64_MAX, &seed, err));
    how->seed = (uint64_t)seed;
    return COP_OK;
}

static cop_status answer_all(const prompt_list *list, const answerer *w, size_t batch,
                             const cop_generate_options *wanted, cop_error *err)
{
    cop_prompt *const prompts = cop_memory_alloc(batch, sizeof *prompts, err);
    size_t *const places = cop_memory_alloc(batch, sizeof *places, err);
    cop_generation *const answers = cop_memory_alloc(batch, sizeof *answers, err);
    cop_generate_options how = *wanted;
    how.examples = places;
    const bool show = isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) != 1;
    cop_status status =
        prompts == NULL || places == NULL || answers == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t first = 0; first < list->count && status == COP_OK; first += batch) {
        const size_t count = list->count - first < batch ? list->count - first : batch;
        if (show) (void)fprintf(stderr, "\r%zu of %zu", first, list->count);
        for (size_t i = 0; i < count; i++) {
            const size_t start = list->start[first + i];
            places[i] = first + i;
            prompts[i] = (cop_prompt){.ids = list->ids.data + start,
                                      .count = list->start[first + i + 1] - start};
        }
        status = cop_model_generate(w->model, prompts, count, &how, answers, err);
        if (status == COP_OK) status = cop_checkpoint_check_unchanged(w->checkpoint, err);
        for (size_t i = 0; i < count; i++) {
            if (status == COP_OK)
                status = print_answer(list, w, &answers[i], how.want_logits, err);
            cop_generation_free(&answers[i]);
        }
        if (status == COP_OK) status = cop_app_flush(err);
    }
    if (show) (void)fprintf(stderr, "\r\033[K");
    cop_memory_free(prompts);
    cop_memory_free(places);
    cop_memory_free(answers);
    return status;
}

/* What prompts made of messages lack or are given that nobody may expect. */
static cop_status warn_of_chat(const prompt_list *list, const cop_model_config *config,
                               cop_error *err)
{
    if (list->chat == NULL) return COP_OK;
    if (cop_chat_lacks_template(list->chat))
        (void)fprintf(stderr, "coppice generate: note: %s\n", COP_CHAT_LACKING);
    int32_t id = -1;
    cop_text content = {0};
    const cop_status status =
        cop_chat_find_end(list->chat, list->tokenizer, &id, &content, err);
    bool stops = id < 0;
    for (int32_t i = 0; i < config->stop_count; i++)
        stops = stops || config->stops[i] == id;
    if (status == COP_OK) {
        cop_app_warn_of_chat("generate", stops ? NULL : content.data,
                             cop_chat_asks_date(list->chat), list->date);
    }
    cop_text_free(&content);
    return status;
}

static cop_status load_tokenizer(prompt_list *list, cop_error *err)
{
    char *const path = cop_text_join_path(list->model_dir, "tokenizer.json", err);
    if (path == NULL) return COP_ERR_MEMORY;
    const cop_status status =
        access(path, F_OK) == 0
            ? cop_tokenizer_load_model(list->model_dir, &list->tokenizer, err)
            : COP_OK;
    cop_memory_free(path);
    return status;
}

static cop_status run(const arguments *a, prompt_list *list, answerer *w, cop_error *err)
{
    cop_app_answering made = {.batch = 64};
    COP_TRY(cop_app_model_resolve("generate", &a->model, &made, err));
    cop_generate_options how = {.want_logits = a->logits,
                                .max_new_tokens = made.max_new_tokens};
    COP_TRY(read_sampling(a, &how.sampling, err));
    list->model_dir = a->model.dir;
    list->family = a->model.chat;
    list->date = a->model.date;
    if (list->date != NULL) COP_TRY(cop_chat_check_date(list->date, err));
    COP_CHECK(access(list->model_dir, F_OK) == 0, err, COP_ERR_FORMAT,
              "%s: there is no such model directory", list->model_dir);
    COP_TRY(load_tokenizer(list, err));
    COP_TRY(cop_app_each_line(read_prompt, list, err));
    if (list->count == 0) return COP_OK;
    if (made.batch > list->count) made.batch = list->count;
    COP_TRY(load(a, list, &made, w, err));
    COP_TRY(warn_of_chat(list, &w->config, err));
    return answer_all(list, w, made.batch, &how, err);
}

cop_status cop_command_generate(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    prompt_list list = {0};
    answerer w = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    const cop_status status = run(&a, &list, &w, err);
    cop_model_destroy(&w.model);
    cop_backend_destroy(&w.backend);
    cop_checkpoint_close(&w.checkpoint);
    cop_recipe_destroy(&w.recipe);
    cop_chat_destroy(&list.chat);
    cop_tokenizer_destroy(&list.tokenizer);
    cop_ids_free(&list.ids);
    cop_memory_free(list.start);
    return status;
}
