/* clang -fsanitize=fuzzer,address,undefined: the recipe parser on any bytes. */
#include "fuzz/fuzz_formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)fuzz_recipe(data, size);
    return 0;
}
