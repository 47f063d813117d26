/* Fuzz target of the job file, for libFuzzer:
 *   make CC=clang BUILD=build-fuzz LAYERS='base formats' \
 *     OPT='-O1 -g -fsanitize=fuzzer-no-link,address' build-fuzz/libcoppice.a
 *   clang -g -fsanitize=fuzzer,address -fopenmp -Iinclude -Isrc -Itests tests/fuzz/fuzz_job.c \
 *     build-fuzz/libcoppice.a -lyaml -lcrypto -ljansson -o fuzz_job
 *   ./fuzz_job -max_len=4096 -dict=tests/fuzz/job.dict tests/fuzz/corpus/job
 */
#include "fuzz/fuzz_job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!cop_fuzz_job(data, size)) abort();
    return 0;
}
