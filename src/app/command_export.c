/* coppice export */
#include "app/app.h"

#include "coppice/base/affinity.h"
#include "coppice/export/export.h"
#include "coppice/model/model.h"

#include <stdio.h>

typedef struct arguments {
    const char *recipe, *model, *out;
    cop_app_accept accept;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
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

static const struct argp_option options[] = {
    {"model", 'm', "BASE", 0, "The base model's directory", 0},
    {"out", 'o', "DIR", 0, "Where to write the model; must not exist yet, or be empty", 0},
    {"accept", 'a', "FILE", 0, COP_APP_ACCEPT_HELP, 0},
    {0}};

static const struct argp argp = {
    options,
    parse,
    "RUN_OR_RECIPE",
    "Writes the model that a run directory, run.h5 or recipe.json stands for, as a Hugging "
    "Face directory: same "
    "files, names, sharding and types as the base, weights bit for bit as they were "
    "evaluated.\v"
    "  coppice export runs/demo --model jobs/demo/model --out better-model",
    NULL,
    NULL,
    NULL};

static cop_status export_model(const arguments *a, cop_recipe *recipe,
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
    arguments a = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
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
