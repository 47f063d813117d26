/* clang -fsanitize=fuzzer,address,undefined: the safetensors parser on any bytes. */
#include "fuzz/fuzz_formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)fuzz_safetensors(data, size);
    return 0;
}
