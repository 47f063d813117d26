/* What is compared: an operand is a run, a recipe or a model. */
#include "app/compare.h"

#include "coppice/base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool holds(const char *directory, const char *file)
{
    char *const path = cop_text_join_path(directory, file, NULL);
    const bool there = path != NULL && access(path, F_OK) == 0;
    cop_memory_free(path);
    return there;
}

static cop_status set_model(cop_compare_side *side, const char *directory, cop_error *err)
{
    side->model_dir = cop_memory_copy_string(directory, strlen(directory), err);
    return side->model_dir == NULL ? COP_ERR_MEMORY : COP_OK;
}

/* A run stands for the model that it ended with. */
static cop_status take_run(cop_compare_side *side, const char *moved, cop_error *err)
{
    COP_TRY(cop_asked_open(side->given, &side->run, err));
    COP_TRY(cop_app_read_recipe(side->given, &side->recipe, err));
    COP_CHECK(side->recipe->component_count > 0, err, COP_ERR_FORMAT,
              "%s: nothing passed the run's gate, so its result is its base and nothing "
              "changed; compare another run, or two models",
              side->given);
    return set_model(side, moved != NULL ? moved : cop_asked_job(side->run)->model, err);
}

static cop_status take_operand(cop_compare_side *side, const char *moved, cop_error *err)
{
    struct stat info;
    const char *const given = side->given;
    COP_CHECK(stat(given, &info) == 0, err, COP_ERR_FORMAT, "%s: %s", given, strerror(errno));
    if (!S_ISDIR(info.st_mode)) {
        if (cop_text_ends_in(given, ".h5")) return take_run(side, moved, err);
        COP_TRY(cop_app_read_recipe(given, &side->recipe, err));
        return moved != NULL ? set_model(side, moved, err) : COP_OK;
    }
    if (holds(given, "run.h5") || holds(given, "run.h5.prev"))
        return take_run(side, moved, err);
    COP_CHECK(holds(given, "config.json"), err, COP_ERR_FORMAT,
              "%s: neither a run (it has no run.h5) nor a model (it has no config.json)",
              given);
    return set_model(side, given, err);
}

cop_status cop_compare_find_sides(const cop_compare_arguments *a, cop_compare_side sides[2],
                                  cop_error *err)
{
    cop_compare_side *const base = &sides[0];
    cop_compare_side *const result = &sides[1];
    base->name = "base";
    result->name = "result";
    result->given = a->operands[a->operand_count - 1];
    if (a->operand_count == 2) base->given = a->operands[0];
    COP_TRY(take_operand(result, a->model.dir, err));
    if (base->given != NULL) COP_TRY(take_operand(base, a->model.dir, err));
    /* A recipe changes the other's model, where it is not said which. */
    if (result->model_dir == NULL && base->model_dir != NULL)
        COP_TRY(set_model(result, base->model_dir, err));
    COP_CHECK(result->model_dir != NULL, err, COP_ERR_USAGE,
              "%s is a recipe: say with --model DIR which model it changes", result->given);
    COP_CHECK(base->given != NULL || result->recipe != NULL, err, COP_ERR_USAGE,
              "%s is a model and no run: say what it is to be compared with, coppice compare "
              "BASE %s",
              result->given, result->given);
    return base->model_dir == NULL ? set_model(base, result->model_dir, err) : COP_OK;
}

void cop_compare_free_side(cop_compare_side *side)
{
    cop_memory_free(side->model_dir);
    cop_recipe_destroy(&side->recipe);
    cop_asked_destroy(&side->run);
    cop_app_answers_free(&side->answers);
    cop_app_answers_free(&side->off_task);
}
