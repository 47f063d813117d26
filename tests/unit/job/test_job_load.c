/* Job files that are right: defaults, every key, forms of YAML, paths, overrides. */
#include "coppice/base/memory.h"
#include "coppice/job/job.h"
#include "job/job_parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define DATA "tests/data/jobs/"

static cop_job *load(const char *path, const char *const *overrides, size_t count)
{
    cop_job *job = NULL;
    cop_error err = {0};
    const cop_status status = cop_job_load(path, overrides, count, &job, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    assert_non_null(job);
    return job;
}

static cop_job *parse(const char *text, const char *const *overrides, size_t count)
{
    cop_job *job = NULL;
    cop_error err = {0};
    const cop_job_source source = {.text = text, .length = strlen(text), .path = "x.yaml"};
    const cop_status status = cop_job_parse(&source, overrides, count, &job, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    return job;
}

static void assert_numbers(const cop_job_numbers *numbers, const double *wanted, size_t count)
{
    assert_int_equal(numbers->count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(numbers->data[i] == wanted[i]);
}
#define NUMBERS(...) \
    (const double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double)

/* `relative` below the current directory, in full. */
static void assert_path(const char *path, const char *relative)
{
    char *const here = realpath(".", NULL);
    assert_non_null(here);
    char wanted[8192];
    (void)snprintf(wanted, sizeof wanted, "%s/%s", here, relative);
    assert_string_equal(path, wanted);
    free(here);
}

static void assert_integers(const cop_job_integers *got, size_t count, const int64_t *want)
{
    assert_int_equal(got->count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(got->data[i] == want[i]);
}

static void test_defaults(void **state)
{
    (void)state;
    cop_job *job = load(DATA "minimal.yaml", NULL, 0);
    assert_path(job->model, DATA "m");
    assert_string_equal(job->task.name, "gsm8k");
    assert_path(job->task.data, DATA "d.jsonl");
    assert_null(job->task.system);
    assert_null(job->task.user);
    assert_string_equal(job->task.chat, "auto");
    assert_null(job->task.assistant);
    assert_null(job->task.examples);
    assert_int_equal(job->task.shots, 0);
    assert_int_equal(job->task.fields.count, 0);
    assert_int_equal(job->splits.support, 500);
    assert_int_equal(job->splits.probe, 100);
    assert_int_equal(job->splits.validate, 200);
    assert_int_equal(job->splits.test, 400);
    assert_int_equal(job->splits.seed, 0);
    assert_int_equal(job->budget.answers, 0);
    assert_int_equal(job->budget.tokens, 0);
    assert_int_equal(job->population.size, 500);
    assert_numbers(&job->population.sigma, NUMBERS(5e-4, 1e-3, 2e-3));
    assert_int_equal(job->population.seed, 1);
    assert_false(job->population.antithetic);
    assert_string_equal(job->population.noise, "full");
    assert_int_equal(job->population.scope.count, 1);
    assert_string_equal(job->population.scope.data[0], "*");
    assert_int_equal(job->generation.max_new_tokens, 256);
    assert_int_equal(job->generation.stop.count, 0);
    assert_int_equal(job->consolidate.operators.count, 1);
    assert_string_equal(job->consolidate.operators.data[0], "two-pass");
    assert_numbers(&job->consolidate.q, NUMBERS(.5, .7, .9));
    assert_numbers(&job->consolidate.beta, NUMBERS(.5, 1, 2, 5, 10, 20, 50));
    assert_numbers(&job->consolidate.scale, NUMBERS(.5, 1, 2, 4, 8, 16));
    assert_true(job->consolidate.max_scale == 128);
    assert_int_equal(job->consolidate.rank, 8);
    assert_int_equal(job->population.race, 0);
    assert_int_equal(job->consolidate.race, 0);
    assert_int_equal(job->recenter.race, 0);
    assert_int_equal(job->recenter.rounds, 3);
    assert_int_equal(job->recenter.accepts, 2);
    assert_int_equal(job->recenter.patience, 2);
    assert_int_equal(job->recenter.size, 100);
    assert_true(job->recenter.lambda == 0.5);
    assert_true(job->recenter.regression_weight == 2);
    assert_numbers(&job->recenter.step, NUMBERS(.5, 1, 2));
    assert_true(job->gate.z == 1);
    assert_int_equal(job->gate.tries, 3);
    assert_int_equal(job->guard.count, 0);
    assert_string_equal(job->method, "corp");
    assert_integers(&job->baselines.randopt, 3, (const int64_t[]){1, 10, 50});
    assert_integers(&job->baselines.self_consistency, 3, (const int64_t[]){1, 10, 50});
    assert_true(job->baselines.temperature == 0.7 && job->baselines.top_p == 1);
    assert_string_equal(job->backend.kind, "auto");
    assert_string_equal(job->backend.compute, "auto");
    assert_string_equal(job->backend.gemm, "auto");
    assert_int_equal(job->backend.threads, 1);
    assert_int_equal(job->backend.batch, 128);
    assert_int_equal(job->backend.candidates, 0);
    assert_true(job->checkpoint.interval == 30);
    assert_string_equal(job->path, DATA "minimal.yaml");
    assert_string_equal(job->source, "---\nmodel: m\ntask: {name: gsm8k, data: d.jsonl}\n");
    cop_job_destroy(&job);
    assert_null(job);
    cop_job_destroy(&job);
    cop_job_destroy(NULL);
}

static void test_every_key(void **state)
{
    (void)state;
    cop_job *job = load(DATA "all.yaml", NULL, 0);
    assert_path(job->model, DATA "some/model");
    assert_string_equal(job->task.name, "countdown");
    assert_string_equal(job->task.data, "/absolute/data.jsonl");
    assert_string_equal(job->task.system, "Be brief.");
    assert_string_equal(job->task.user, "Numbers {numbers}, target {target}: go");
    assert_string_equal(job->task.assistant, "<answer>{way}</answer>");
    assert_string_equal(job->task.chat, "chatml");
    assert_path(job->task.examples, DATA "shots.jsonl");
    assert_int_equal(job->task.shots, 30);
    assert_int_equal(job->task.fields.count, 2);
    assert_string_equal(cop_fields_get(&job->task.fields, "numbers"), "given.numbers");
    assert_string_equal(cop_fields_get(&job->task.fields, "target"), "goal");
    assert_int_equal(job->task.command.count, 4);
    assert_path(job->task.command.data[0], DATA "./score");
    assert_string_equal(job->task.command.data[1], "--file");
    assert_path(job->task.command.data[2], DATA "../table.txt");
    assert_string_equal(job->task.command.data[3], "a/b");
    assert_true(job->task.timeout == 2.5);
    assert_true(job->task.correct_at == 0.5);
    assert_int_equal(job->splits.support, 31);
    assert_int_equal(job->splits.probe, 32);
    assert_int_equal(job->splits.validate, 33);
    assert_int_equal(job->splits.test, 0);
    assert_int_equal(job->splits.seed, -1);
    assert_int_equal(job->budget.answers, 20000);
    assert_int_equal(job->budget.tokens, 2000000);
    assert_int_equal(job->guard.count, 2);
    assert_string_equal(job->guard.data[0].task, "text");
    assert_path(job->guard.data[0].data, DATA "pile.jsonl");
    assert_int_equal(job->guard.data[0].examples, 41);
    assert_true(job->guard.data[0].loss == 0.02);
    assert_string_equal(job->guard.data[1].task, "choice");
    assert_string_equal(job->guard.data[1].data, "/other/choice.jsonl");
    assert_int_equal(job->guard.data[1].examples, 42);
    assert_true(job->guard.data[1].loss == 0);
    assert_int_equal(job->population.size, 34);
    assert_numbers(&job->population.sigma, NUMBERS(1e-3, 2.5e-4, .5, 7));
    assert_true(job->population.seed == INT64_MAX);
    assert_string_equal(job->population.noise, "rank-12");
    assert_int_equal(job->population.scope.count, 2);
    assert_string_equal(job->population.scope.data[0], "model.layers.*");
    assert_string_equal(job->population.scope.data[1], "lm_head.weight");
    assert_int_equal(job->generation.max_new_tokens, 35);
    assert_int_equal(job->generation.stop.count, 4);
    assert_string_equal(job->generation.stop.data[0], "\n\n");
    assert_string_equal(job->generation.stop.data[1], "it's");
    assert_string_equal(job->generation.stop.data[2], "plain words");
    assert_string_equal(job->generation.stop.data[3], "null");
    assert_numbers(&job->consolidate.q, NUMBERS(0, .999));
    assert_numbers(&job->consolidate.beta, NUMBERS(0));
    assert_numbers(&job->consolidate.scale, NUMBERS(3));
    assert_true(job->consolidate.max_scale == 36.5);
    assert_int_equal(job->consolidate.race, 5);
    assert_int_equal(job->recenter.race, 64);
    assert_int_equal(job->consolidate.rank, 37);
    assert_int_equal(job->recenter.rounds, 0);
    assert_int_equal(job->recenter.accepts, 38);
    assert_int_equal(job->recenter.patience, 39);
    assert_int_equal(job->recenter.size, 40);
    assert_true(job->recenter.lambda == 1);
    assert_true(job->recenter.regression_weight == 0);
    assert_numbers(&job->recenter.step, NUMBERS(.25));
    assert_true(job->gate.z == 2.5);
    assert_int_equal(job->gate.tries, 4);
    assert_string_equal(job->backend.kind, "cpu");
    assert_string_equal(job->backend.compute, "f32");
    assert_string_equal(job->backend.gemm, "openblas");
    assert_int_equal(job->backend.threads, 6);
    assert_int_equal(job->backend.batch, 41);
    assert_true(job->checkpoint.interval == 0);
    cop_job_destroy(&job);
}

static void test_forms_of_yaml(void **state)
{
    (void)state;
    cop_job *job = load(DATA "forms.yaml", NULL, 0);
    assert_path(job->model, DATA "a b/#c");
    assert_string_equal(job->task.name, "gsm8k");
    assert_path(job->task.data, DATA "folded/ name");
    assert_null(job->task.system);
    assert_string_equal(job->task.user,
                        "First line: {question}\n  indented & *kept*\n\nLast line\n");
    assert_int_equal(job->population.size, 500);
    assert_int_equal(job->splits.support, 500);
    cop_job_destroy(&job);

    /* Line ends of other systems, a byte order mark, no newline at the end. */
    job = parse("\xef\xbb\xbfmodel: m\r\ntask:\r\n  name: n\r\n  data: d\r\ngate: {z: 0}", NULL,
                0);
    assert_path(job->model, "m");
    assert_string_equal(job->task.name, "n");
    assert_true(job->gate.z == 0);
    cop_job_destroy(&job);
}

static void test_prompts_absent_and_empty(void **state)
{
    (void)state;
    cop_job *job =
        parse("model: m\ntask: {name: n, data: d, prompt: {system: '', user: ~}}", NULL, 0);
    assert_string_equal(job->task.system, "");
    assert_null(job->task.user);
    cop_job_destroy(&job);

    job = parse("model: m\ntask: {name: n, data: d, prompt: '{question}'}", NULL, 0);
    assert_null(job->task.system);
    assert_string_equal(job->task.user, "{question}");
    cop_job_destroy(&job);

    job = parse("model: m\ntask: {name: n, data: d, prompt: }", NULL, 0);
    assert_null(job->task.user);
    cop_job_destroy(&job);
}

/* Where a word of a command is a path, and where it starts from. */
static void test_command(void **state)
{
    (void)state;
    static const char *const overrides[] = {
        "task.command=[bin/score, -x, ./data, ../up, a/b, .]"};
    cop_job *job = parse("model: m\ntask: {name: n, data: d, command: score.sh}", NULL, 0);
    assert_int_equal(job->task.command.count, 1);
    assert_string_equal(job->task.command.data[0], "score.sh"); /* looked for in PATH */
    cop_job_destroy(&job);

    job = load(DATA "all.yaml", overrides, 1);
    const cop_job_strings *const command = &job->task.command;
    assert_int_equal(command->count, 6);
    assert_path(command->data[0], "bin/score"); /* of an override: from the current directory */
    assert_string_equal(command->data[1], "-x");
    assert_path(command->data[2], "./data");
    assert_path(command->data[3], "../up");
    assert_string_equal(command->data[4], "a/b");
    assert_string_equal(command->data[5], ".");
    cop_job_destroy(&job);

    job = parse("model: m\ntask: {name: n, data: d, command: [/bin/score, /data]}", NULL, 0);
    assert_string_equal(job->task.command.data[0], "/bin/score");
    assert_string_equal(job->task.command.data[1], "/data");
    cop_job_destroy(&job);
}

static void test_number_spellings(void **state)
{
    (void)state;
    cop_job *job =
        parse("model: m\ntask: {name: n, data: d}\nsplits: {support: +7, seed: 0}\n"
              "recenter: {lambda: -0.0, regression_weight: 1.E+2, step: [.5, 5., 1e0, +2]}",
              NULL, 0);
    assert_int_equal(job->splits.support, 7);
    assert_true(job->recenter.lambda == 0 && !__builtin_signbit(job->recenter.lambda));
    assert_true(job->recenter.regression_weight == 100);
    assert_numbers(&job->recenter.step, NUMBERS(.5, 5, 1, 2));
    cop_job_destroy(&job);
}

static void test_overrides(void **state)
{
    (void)state;
    static const char *const overrides[] = {
        "population.size=7",
        "population.sigma=[0.01, 2e-2]",
        "baselines.randopt=[7, 1, 7]",
        "baselines.self_consistency=[]",
        "method=randopt",
        "generation.stop=[]",
        "task.prompt=Now: \"{question}\"=1"
        /* a value may hold "=", and comes as YAML */
        ,
    };
    /* "Now: ..." is a mapping in YAML, so this one must fail; the others are right. */
    cop_job *job = NULL;
    cop_error err = {0};
    assert_int_equal(cop_job_load(DATA "all.yaml", overrides, 7, &job, &err), COP_ERR_CONFIG);
    assert_null(job);

    job = load(DATA "all.yaml", overrides, 6);
    assert_int_equal(job->population.size, 7);
    assert_numbers(&job->population.sigma, NUMBERS(.01, .02));
    assert_integers(&job->baselines.randopt, 3, (const int64_t[]){7, 1, 7});
    assert_integers(&job->baselines.self_consistency, 0, NULL);
    assert_string_equal(job->method, "randopt");
    assert_true(job->population.seed == INT64_MAX);
    assert_int_equal(job->generation.stop.count, 0);
    cop_job_destroy(&job);

    static const char *const later[] = {"population.size=7", "population={size: 8, seed: 3}",
                                        "population.size=9", "task.prompt='a=b: {c}'",
                                        "task.prompt.system="};
    job = load(DATA "all.yaml", later, 5);
    assert_int_equal(job->population.size, 9);
    assert_int_equal(job->population.seed, 3);
    assert_string_equal(job->task.user, "a=b: {c}");
    assert_null(job->task.system);
    cop_job_destroy(&job);
}

static void test_overrides_give_required_keys(void **state)
{
    (void)state;
    static const char *const overrides[] = {"model=x", "task={name: n, data: /d}"};
    cop_job *job = parse("", overrides, 2);
    assert_path(job->model, "x");
    assert_string_equal(job->task.data, "/d");
    assert_string_equal(job->source, "");
    cop_job_destroy(&job);
}

/* In the file relative to the file, in an override to the current directory. */
static void test_relative_paths(void **state)
{
    (void)state;
    static const char *const overrides[] = {"model=tests/other"};
    cop_job *job = load(DATA "minimal.yaml", overrides, 1);
    assert_path(job->model, "tests/other");
    assert_path(job->task.data, DATA "d.jsonl");
    cop_job_destroy(&job);

    /* The same job from elsewhere has the same paths. */
    char *const here = getcwd(NULL, 0);
    assert_non_null(here);
    assert_int_equal(chdir("tests/data"), 0);
    job = load("jobs/minimal.yaml", NULL, 0);
    assert_int_equal(chdir(here), 0);
    assert_path(job->model, DATA "m");
    cop_job_destroy(&job);
    free(here);
}

static void test_shipped_jobs(void **state)
{
    (void)state;
    cop_job *job = load("jobs/demo.yaml", NULL, 0);
    char file[8192];
    (void)snprintf(file, sizeof file, "%s/model.safetensors", job->model);
    assert_int_equal(access(file, R_OK), 0);

    cop_text data = {0};
    cop_error err = {0};
    assert_int_equal(cop_text_read_file(&data, job->task.data, 1 << 24, &err), COP_OK);
    int64_t lines = 0;
    for (size_t i = 0; i < data.length; i++)
        lines += data.data[i] == '\n';
    const int64_t wanted =
        job->splits.support + job->splits.probe + job->splits.validate + job->splits.test;
    assert_true(lines >= wanted);
    cop_text_free(&data);
    cop_job_destroy(&job);

    job = load("jobs/qwen2.5-0.5b-gsm8k.yaml", NULL, 0);
    assert_int_equal(job->population.size, 500);
    assert_int_equal(job->splits.support, 500);
    assert_int_equal(job->splits.probe, 100);
    assert_numbers(&job->population.sigma, NUMBERS(5e-4, 1e-3, 2e-3));
    assert_non_null(strstr(job->task.user, "####"));
    cop_job_destroy(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_forms_of_yaml),
        cmocka_unit_test(test_prompts_absent_and_empty),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_number_spellings),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_overrides_give_required_keys),
        cmocka_unit_test(test_relative_paths),
        cmocka_unit_test(test_shipped_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
