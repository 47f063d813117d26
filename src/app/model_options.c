#include "app/model_options.h"

#include "coppice/chat/chat.h"
#include "coppice/job/job.h"

#include <string.h>

enum {
    KEY_MODEL = 0x400,
    KEY_RECIPE,
    KEY_ACCEPT,
    KEY_TOKENS,
    KEY_CHAT,
    KEY_DATE,
    KEY_BACKEND,
    KEY_COMPUTE,
    KEY_ARITHMETIC,
    KEY_BATCH,
    KEY_THREADS
};

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "DIR", 0, "Model directory in Hugging Face layout", 0},
    {"recipe", KEY_RECIPE, "FILE", 0, "Recipe to apply: recipe.json, a run directory or run.h5",
     0},
    {"accept", KEY_ACCEPT, "FILE", 0, COP_APP_ACCEPT_HELP, 0},
    {"max-new-tokens", KEY_TOKENS, "N", 0, "Longest answer in tokens (default 256)", 0},
    {"chat", KEY_CHAT, "FAMILY", 0,
     "Rules of a chat template family for messages instead of the model's own template", 0},
    {"date", KEY_DATE, "YYYY-MM-DD", 0,
     "Today to chat templates that ask for the date (default " COP_CHAT_DEFAULT_DATE ")", 0},
    {"backend", KEY_BACKEND, "KIND", 0,
     "auto (default: a GPU where there is one, otherwise the CPU), cpu or cuda", 0},
    {"compute", KEY_COMPUTE, "TYPE", 0, "auto, f32 or bf16", 0},
    {"arithmetic", KEY_ARITHMETIC, "ORDER", 0,
     "auto, defined (bf16, the same bits on every x86-64 processor with FMA: what a job with "
     "backend.arithmetic: defined computes) or library",
     0},
    {"batch", KEY_BATCH, "N", 0,
     "Answers generated side by side (default: eval 128, generate 64)", 0},
    {"threads", KEY_THREADS, "N", 0, "Threads (default: all cores)", 0},
    {0}};

/* Where the text of an option goes that is one; NULL for others. */
static const char **place_of(cop_app_model *o, int key)
{
    switch (key) {
    case KEY_MODEL:
        return &o->dir;
    case KEY_RECIPE:
        return &o->recipe;
    case KEY_TOKENS:
        return &o->tokens;
    case KEY_CHAT:
        return &o->chat;
    case KEY_DATE:
        return &o->date;
    case KEY_BACKEND:
        return &o->kind;
    case KEY_COMPUTE:
        return &o->compute;
    case KEY_ARITHMETIC:
        return &o->arithmetic;
    case KEY_BATCH:
        return &o->batch;
    case KEY_THREADS:
        return &o->threads;
    default:
        return NULL;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    cop_app_model *const o = state->input;
    const char **const place = place_of(o, key);
    if (place != NULL) {
        *place = text;
        return 0;
    }
    if (key != KEY_ACCEPT) return ARGP_ERR_UNKNOWN;
    if (!cop_app_accept_add(&o->accept, text)) argp_error(state, "--accept: %s?", text);
    return 0;
}

const struct argp cop_app_model_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

cop_status cop_app_model_resolve(const char *command, const cop_app_model *o,
                                 cop_app_answering *how, cop_error *err)
{
    static const char batch_key[] = "backend.batch";
    const cop_job_range longest = cop_job_key_range("generation.max_new_tokens");
    int64_t batch =
        how->batch != 0 ? (int64_t)how->batch : cop_job_key_range(batch_key).initial;
    int64_t tokens = longest.initial;
    int64_t threads = 0;
    cop_compute compute = COP_COMPUTE_AUTO;
    COP_TRY(cop_app_require(command, "--model DIR", o->dir, err));
    COP_TRY(cop_app_parse_like("batch", batch_key, o->batch, &batch, err));
    COP_TRY(cop_app_parse_like("threads", "backend.threads", o->threads, &threads, err));
    if (o->tokens != NULL) /* none: only the prompt is computed */
        COP_TRY(cop_app_parse_int("max-new-tokens", o->tokens, 0, longest.most, &tokens, err));
    if (o->compute != NULL) COP_TRY(cop_app_parse_compute(o->compute, &compute, err));
    how->batch = (size_t)batch;
    how->max_new_tokens = (size_t)tokens;
    how->backend = cop_app_backend_options(compute, threads);
    COP_CHECK(
        o->arithmetic == NULL || cop_arithmetic_parse(o->arithmetic, &how->backend.arithmetic),
        err, COP_ERR_USAGE, "--arithmetic %s: must be auto, defined or library", o->arithmetic);
    if (o->kind != NULL) COP_TRY(cop_app_parse_backend(o->kind, &how->backend.kind, err));
    return COP_OK;
}

cop_status cop_app_model_recipe(const char *command, const cop_app_model *o,
                                const cop_checkpoint *base, cop_recipe **recipe, cop_error *err)
{
    *recipe = NULL;
    if (o->recipe == NULL) return COP_OK;
    const bool own_template = o->chat == NULL || strcmp(o->chat, "auto") == 0;
    COP_TRY(cop_app_read_recipe(o->recipe, recipe, err));
    COP_TRY(cop_app_check_base(o->recipe, *recipe, base, own_template, &o->accept, err));
    cop_app_announce_rebuild(command, *recipe, base);
    return COP_OK;
}
