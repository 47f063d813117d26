/* What ranks can tell of the launcher that started them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "queue/launcher.h"

#include <stdlib.h>
#include <string.h>

static void test_mapping_policies(void **state)
{
    (void)state;
    assert_true(cop_launcher_maps_more("BYSLOT:OVERSUBSCRIBE"));
    assert_true(cop_launcher_maps_more("BYCORE:SPAN:OVERSUBSCRIBE"));
    assert_true(cop_launcher_maps_more("BYCORE:OVERSUBSCRIBE,SPAN"));
    assert_false(cop_launcher_maps_more("BYCORE:NOOVERSUBSCRIBE"));
    assert_false(cop_launcher_maps_more("BYCORE:OVERSUBSCRIBED"));
    assert_false(cop_launcher_maps_more("BYCORE:"));
    assert_false(cop_launcher_maps_more(""));
    assert_false(cop_launcher_maps_more(NULL));
}

static const char *const names[] = {"OMPI_MCA_rmaps_base_oversubscribe", "SLURM_OVERCOMMIT",
                                    "PRTE_LAUNCHED", "PMIX_NAMESPACE"};

static const char *more(const char *job, const char *key)
{
    return strcmp(job, "job@1") == 0 && strcmp(key, "pmix.mapby") == 0 ? "BYSLOT:OVERSUBSCRIBE"
                                                                       : NULL;
}

static const char *no_more(const char *job, const char *key)
{
    (void)job;
    (void)key;
    return "BYSLOT:NOOVERSUBSCRIBE";
}

static const char *never(const char *job, const char *key)
{
    fail_msg("%s asked for %s", job, key);
    return NULL;
}

static bool with(const char *const *pairs, const char *(*attribute)(const char *, const char *))
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(unsetenv(names[i]), 0);
    for (; *pairs != NULL; pairs += 2)
        assert_int_equal(setenv(pairs[0], pairs[1], 1), 0);
    return cop_launcher_oversubscribes(getenv, attribute);
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_variables(void **state)
{
    (void)state;
    assert_false(with(ENV(NULL), never));
    assert_true(with(ENV("OMPI_MCA_rmaps_base_oversubscribe", "1"), never));
    assert_true(with(ENV("OMPI_MCA_rmaps_base_oversubscribe", "true"), never));
    assert_false(with(ENV("OMPI_MCA_rmaps_base_oversubscribe", "0"), never));
    assert_true(with(ENV("SLURM_OVERCOMMIT", "1"), never));
    assert_false(with(ENV("SLURM_OVERCOMMIT", ""), never));
}

static void test_attribute(void **state)
{
    (void)state;
    assert_true(with(ENV("PRTE_LAUNCHED", "1", "PMIX_NAMESPACE", "job@1"), more));
    assert_false(with(ENV("PRTE_LAUNCHED", "1", "PMIX_NAMESPACE", "job@2"), more));
    assert_false(with(ENV("PRTE_LAUNCHED", "1", "PMIX_NAMESPACE", "job@1"), no_more));
    /* srun's server is not asked, nor is there one without a job */
    assert_false(with(ENV("PMIX_NAMESPACE", "job@1"), never));
    assert_false(with(ENV("PRTE_LAUNCHED", "1"), never));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mapping_policies),
                                       cmocka_unit_test(test_variables),
                                       cmocka_unit_test(test_attribute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
