/* clang -fsanitize=fuzzer,address,undefined: config.json and generation_config.json. */
#include "fuzz/fuzz_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)fuzz_config(data, size);
    return 0;
}
