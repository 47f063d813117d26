/* clang -fsanitize=fuzzer,address,undefined: the tokenizer on any bytes as a file and a text.
 */
#include "fuzz/fuzz_tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _Bool accepted = 0;
    if (!cop_fuzz_tokenizer(data, size, &accepted)) abort();
    return 0;
}
