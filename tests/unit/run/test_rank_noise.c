/* A scope has tensors in it, and noise of low rank a rank that every matrix there has room for,
 * or the job is refused before it begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/checkpoint/checkpoint.h"
#include "coppice/job/job.h"
#include "job/job_parse.h"
#include "run/context.h"

#include <stdio.h>
#include <string.h>

/* Its smallest matrices are k_proj and v_proj [16, 32]. */
#define MODEL "tests/data/arch/mistral"

/* idle [64]: the pattern that nothing matches, empty if each matches something. */
static cop_status check_idle(const char *noise, const char *scope, char *idle, cop_error *err)
{
    static const char text[] = "task: {name: gsm8k, data: d}\nmodel: " MODEL "\n";
    char noise_is[64];
    char scope_is[64];
    cop_job *job = NULL;
    cop_checkpoint *base = NULL;
    (void)snprintf(noise_is, sizeof noise_is, "population.noise=%s", noise);
    (void)snprintf(scope_is, sizeof scope_is, "population.scope=%s", scope);
    const char *const overrides[] = {noise_is, scope_is};
    const cop_job_source source = {.text = text, .length = sizeof text - 1, .path = "j.yaml"};
    assert_int_equal(cop_job_parse(&source, overrides, 2, &job, err), COP_OK);
    assert_int_equal(cop_checkpoint_open(MODEL, &base, err), COP_OK);
    const char *pattern = NULL;
    const cop_status status = cop_rank_check_noise(job, base, &pattern, err);
    (void)snprintf(idle, 64, "%s", pattern == NULL ? "" : pattern);
    cop_checkpoint_close(&base);
    cop_job_destroy(&job);
    return status;
}

static cop_status check(const char *noise, const char *scope, cop_error *err)
{
    char idle[64];
    return check_idle(noise, scope, idle, err);
}

static void test_that_fits(void **state)
{
    (void)state;
    cop_error err = {0};
    assert_int_equal(check("full", "[\"*\"]", &err), COP_OK);
    assert_int_equal(check("rank-1", "[\"*\"]", &err), COP_OK);
    assert_int_equal(check("rank-16", "[\"*\"]", &err), COP_OK);
    assert_int_equal(check("rank-32", "[\"*.mlp.*\", \"*norm*\"]", &err), COP_OK);
}

static void test_that_is_larger_than_a_side(void **state)
{
    (void)state;
    cop_error err = {0};
    assert_int_equal(check("rank-17", "[\"*\"]", &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "population.noise: rank-17"));
    assert_non_null(strstr(err.message, "model.layers.0.self_attn.k_proj.weight [16, 32]"));
    assert_non_null(strstr(err.message, "rank-16 or less"));
    assert_int_equal(check("rank-64", "[\"*.v_proj.*\"]", &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "v_proj.weight"));
}

static void test_a_scope_of_nothing(void **state)
{
    (void)state;
    cop_error err = {0};
    const char *const empty[] = {"[\"nothing\"]", "[\"[\"]", "[\"none\", \"nor.this\"]"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(check("full", empty[i], &err), COP_ERR_CONFIG);
        assert_non_null(strstr(err.message, "population.scope: no tensor of "));
        assert_non_null(strstr(err.message, "its tensors have names such as "));
    }
}

static void test_a_pattern_of_nothing_is_named(void **state)
{
    (void)state;
    char idle[64];
    cop_error err = {0};
    assert_int_equal(check_idle("full", "[\"*norm*\", \"*.mlp.*\"]", idle, &err), COP_OK);
    assert_string_equal(idle, "");
    assert_int_equal(check_idle("rank-2", "[\"*norm*\", \"*.mpl.*\", \"x\"]", idle, &err),
                     COP_OK);
    assert_string_equal(idle, "*.mpl.*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_that_fits),
                                       cmocka_unit_test(test_a_scope_of_nothing),
                                       cmocka_unit_test(test_a_pattern_of_nothing_is_named),
                                       cmocka_unit_test(test_that_is_larger_than_a_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
