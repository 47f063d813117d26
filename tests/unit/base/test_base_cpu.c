/* The processor's instruction sets, against what the kernel says, and how they are lowered. */
#include "coppice/base/build_info.h"
#include "coppice/base/cpu.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* The line of /proc/cpuinfo that begins so; false if there is none. */
static bool read_cpuinfo(const char *begin, char *line, int size)
{
    FILE *const file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) return false;
    bool found = false;
    while (!found && fgets(line, size, file) != NULL) {
        found = strncmp(line, begin, strlen(begin)) == 0;
    }
    (void)fclose(file);
    return found;
}

static bool has_flag(const char *flags, const char *name)
{
    char word[32];
    (void)snprintf(word, sizeof word, " %s ", name);
    return strstr(flags, word) != NULL;
}

static void test_detection(void **state)
{
    (void)state;
    char flags[8192];
    if (!read_cpuinfo("flags", flags, sizeof flags)) {
        print_message("skipped: /proc/cpuinfo has no flags here\n");
        skip();
    }
    flags[strcspn(flags, "\n")] = ' ';
    assert_int_equal(unsetenv("COPPICE_ISA"), 0);
    const bool avx2 =
        has_flag(flags, "avx2") && has_flag(flags, "fma") && has_flag(flags, "f16c");
    const bool avx512 = avx2 && has_flag(flags, "avx512f") && has_flag(flags, "avx512bw") &&
                        has_flag(flags, "avx512dq") && has_flag(flags, "avx512vl");
    /* A system may refuse tiles to a process: then there are none. */
    const bool amx = avx512 && has_flag(flags, "amx_bf16") && has_flag(flags, "amx_tile");
    if (cop_cpu_isa() != COP_ISA_AMX || !amx) {
        assert_int_equal(cop_cpu_isa(), avx512 ? COP_ISA_AVX512
                                        : avx2 ? COP_ISA_AVX2
                                               : COP_ISA_SCALAR);
    }
    const bool bf16 = has_flag(flags, "avx512_bf16") || has_flag(flags, "amx_bf16");
    assert_int_equal(cop_cpu_has_bf16(), avx512 && bf16);
}

static void test_environment_only_lowers(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("COPPICE_ISA"), 0);
    const cop_isa best = cop_cpu_isa();
    for (int isa = 0; isa < COP_ISA_COUNT; isa++) {
        assert_int_equal(setenv("COPPICE_ISA", cop_isa_name((cop_isa)isa), 1), 0);
        assert_int_equal(cop_cpu_isa(), isa < (int)best ? isa : (int)best);
        assert_int_equal(cop_cpu_check(NULL), COP_OK);
    }
    static const char *const odd[] = {"", "AVX2", "sse", "avx51", "avx5122"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(setenv("COPPICE_ISA", odd[i], 1), 0);
        assert_int_equal(cop_cpu_isa(), best);
        cop_error err = {0};
        assert_int_equal(cop_cpu_check(&err), odd[i][0] == '\0' ? COP_OK : COP_ERR_USAGE);
        assert_true(odd[i][0] == '\0' || strstr(err.message, odd[i]) != NULL);
    }
    assert_int_equal(unsetenv("COPPICE_ISA"), 0);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(cop_isa_name(COP_ISA_SCALAR), "scalar");
    assert_string_equal(cop_isa_name(COP_ISA_AVX2), "avx2");
    assert_string_equal(cop_isa_name(COP_ISA_AVX512), "avx512");
    assert_string_equal(cop_isa_name(COP_ISA_AMX), "amx");
}

static void test_description(void **state)
{
    (void)state;
    char text[128];
    cop_cpu_describe(text, sizeof text);
    assert_true(strlen(text) > 0);
    assert_null(strchr(text, '\n'));
    char line[256];
    if (read_cpuinfo("model name", line, sizeof line)) assert_non_null(strstr(line, text));
    char small[5];
    cop_cpu_describe(small, sizeof small);
    assert_memory_equal(small, text, strlen(text) < 4 ? strlen(text) : 4);
    assert_true(strlen(small) <= 4);
}

static void test_build_information(void **state)
{
    (void)state;
    int major = 0;
    int minor = 0;
    int patch = 0;
    assert_int_equal(sscanf(cop_build_version(), "%d.%d.%d", &major, &minor, &patch), 3);
    assert_true(strlen(cop_build_git()) > 0);
    assert_true(strlen(cop_build_compiler()) > 0);
    assert_non_null(cop_build_flags());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detection),
        cmocka_unit_test(test_environment_only_lowers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_build_information),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
