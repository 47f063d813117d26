/* One input through one parser, for fuzzers and for the unit test that replays their corpora.
 * An input either parses, and then what it gave is consistent, or fails with a message. A
 * broken promise aborts, which is what fuzzers look for. */
#ifndef TESTS_FUZZ_FUZZ_FORMATS_H
#define TESTS_FUZZ_FUZZ_FORMATS_H

#include "checkpoint/safetensors.h"
#include "coppice/data/dataset.h"
#include "coppice/recipe/recipe.h"
#include "data/dataset_parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void fuzz_require(int promise)
{
    if (!promise) abort();
}

/* \return 1 if the input was accepted. */
static inline int fuzz_safetensors(const uint8_t *data, size_t size)
{
    cop_safetensors file;
    cop_error err = {0};
    if (cop_safetensors_parse(data, size, "fuzz", &file, &err) != COP_OK) {
        fuzz_require(err.status != COP_OK && err.message[0] != '\0' && file.count == 0);
        return 0;
    }
    size_t place = file.data_start;
    for (size_t i = 0; i < file.count; i++) {
        const cop_tensor_info *const info = &file.tensors[i].info;
        fuzz_require(info->offset == place && info->bytes <= size - place);
        fuzz_require(info->data == data + place && info->rank <= COP_TENSOR_MAX_RANK);
        fuzz_require(info->dtype == COP_DTYPE_OTHER ||
                     info->bytes == info->count * cop_dtype_size(info->dtype));
        place += info->bytes;
    }
    fuzz_require(place == size);
    cop_safetensors_free(&file);
    return 1;
}

/* What parses prints, and the print parses to the same print. */
static inline int fuzz_recipe(const uint8_t *data, size_t size)
{
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    if (cop_recipe_parse((const char *)data, size, "fuzz", &recipe, &err) != COP_OK) {
        fuzz_require(err.status != COP_OK && err.message[0] != '\0' && recipe == NULL);
        return 0;
    }
    cop_text first = {0};
    cop_text second = {0};
    cop_recipe *again = NULL;
    fuzz_require(cop_recipe_print(recipe, &first, &err) == COP_OK);
    fuzz_require(cop_recipe_parse(first.data, first.length, "fuzz", &again, &err) == COP_OK);
    fuzz_require(cop_recipe_print(again, &second, &err) == COP_OK);
    fuzz_require(first.length == second.length &&
                 memcmp(first.data, second.data, first.length) == 0);
    cop_text_free(&first);
    cop_text_free(&second);
    cop_recipe_destroy(&recipe);
    cop_recipe_destroy(&again);
    return 1;
}

static inline int fuzz_dataset(const uint8_t *data, size_t size)
{
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    if (cop_dataset_parse((const char *)data, size, "fuzz", &dataset, &err) != COP_OK) {
        fuzz_require(err.status != COP_OK && err.message[0] != '\0' && dataset == NULL);
        return 0;
    }
    fuzz_require(cop_dataset_count(dataset) > 0 && strlen(cop_dataset_digest(dataset)) == 64);
    for (size_t i = 0; i < cop_dataset_count(dataset); i++) {
        fuzz_require(json_is_object(cop_dataset_at(dataset, i)));
    }
    cop_dataset_destroy(&dataset);
    return 1;
}

#endif
