/* What a recipe is applied to: whether it is the base that the recipe was found with. */
#include "app/app.h"

#include <stdio.h>
#include <string.h>

bool cop_app_accept_add(cop_app_accept *accept, const char *name)
{
    const size_t index = cop_identity_find(name);
    if (index == COP_IDENTITY_FILES) return false;
    for (size_t i = 0; i < accept->count; i++) {
        if (strcmp(accept->names[i], name) == 0) return true;
    }
    accept->names[accept->count++] = cop_identity_name(index);
    return true;
}

cop_status cop_app_check_base(const char *path, const cop_recipe *recipe,
                              const cop_checkpoint *base, bool own_template,
                              const cop_app_accept *accept, cop_error *err)
{
    const char *const directory = cop_checkpoint_directory(base);
    cop_identity now;
    if (recipe->base_sha256[0] != '\0' &&
        cop_checkpoint_check(base, recipe->base_sha256, path, err) != COP_OK)
        return cop_error_prefix(err, "%s", directory);
    if (!cop_identity_is_known(&recipe->files)) {
        (void)fprintf(stderr,
                      "coppice: note: %s does not tell which config.json, tokenizer and chat "
                      "template it was found with, so these cannot be checked\n",
                      path);
        return COP_OK;
    }
    COP_TRY(cop_identity_read(directory, own_template, &now, err));
    if (cop_identity_check(&recipe->files, &now, accept->names, accept->count, path,
                           "restore it, or take it on with --accept FILE", err) != COP_OK)
        return cop_error_prefix(err, "%s", directory);
    return COP_OK;
}

void cop_app_print_notes(const char *command, const cop_text *notes)
{
    for (const char *at = notes->data; at != NULL && *at != '\0';) {
        const int length = (int)strcspn(at, "\n");
        (void)fprintf(stderr, "coppice %s: note: %.*s\n", command, length, at);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
}
