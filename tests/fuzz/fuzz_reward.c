/* clang -fsanitize=fuzzer,address,undefined: the rewards on any bytes as a response. */
#include "fuzz/fuzz_reward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_reward(data, size);
    return 0;
}
