/* Job files that are wrong: what the message says and where it points. */
#include "coppice/base/memory.h"
#include "coppice/job/job.h"
#include "job/job_parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/folder_support.h"

/* Lines 1 and 2; what is tested begins in line 3. */
#define GOOD "model: m\ntask: {name: gsm8k, data: d}\n"

typedef struct wrong_text {
    const char *text;    /* after GOOD */
    const char *message; /* begins with this */
} wrong_text;

/* Fails if parsing does not fail with this status and a message that begins so. */
static void assert_fails(const char *text, size_t length, const char *override,
                         cop_status wanted, const char *message)
{
    cop_job *job = (cop_job *)&job;
    cop_error err = {0};
    const cop_job_source source = {.text = text, .length = length, .path = "j.yaml"};
    const cop_status status = cop_job_parse(&source, &override, override != NULL, &job, &err);
    if (status != wanted || strncmp(err.message, message, strlen(message)) != 0) {
        print_error("%.200s | %s\ngot    %s: %s\nwanted %s: %s\n", text,
                    override == NULL ? "" : override, cop_status_name(status), err.message,
                    cop_status_name(wanted), message);
    }
    assert_int_equal(status, wanted);
    assert_int_equal(err.status, wanted);
    assert_null(job);
    assert_memory_equal(err.message, message, strlen(message));
    assert_int_equal(cop_job_parse(&source, &override, override != NULL, &job, NULL), wanted);
}

static void assert_all_fail(const wrong_text *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cop_text text = {0};
        assert_int_equal(cop_text_format(&text, NULL, GOOD "%s", cases[i].text), COP_OK);
        assert_fails(text.data, text.length, NULL, COP_ERR_CONFIG, cases[i].message);
        cop_text_free(&text);
    }
}
#define ASSERT_ALL_FAIL(cases) assert_all_fail(cases, sizeof(cases) / sizeof(cases)[0])

static void test_unknown_keys(void **state)
{
    (void)state;
    static const wrong_text cases[] = {
        {"population:\n  sgima: 1", "j.yaml:4: unknown key \"population.sgima\"; did you mean "
                                    "\"population.sigma\"?"},
        {"population: {\n size: 3,\n Sigma: 1}",
         "j.yaml:5: unknown key \"population.Sigma\"; did you mean \"population.sigma\"?"},
        {"populatoin:\n  sigma: 1",
         "j.yaml:3: unknown key \"populatoin\"; did you mean \"population\"?"},
        {"sigma: 1", "j.yaml:3: unknown key \"sigma\"; did you mean \"population.sigma\"?"},
        {"gate:\n\n  max_scale: 1",
         "j.yaml:5: unknown key \"gate.max_scale\"; did you mean \"consolidate.max_scale\"?"},
        {"iterations: 3",
         "j.yaml:3: unknown key \"iterations\"; did you mean \"es.iterations\"?"},
        {"race: 3", "j.yaml:3: unknown key \"race\"; did you mean \"population.race\"?"},
        {"es:\n  size: 8",
         "j.yaml:4: unknown key \"es.size\"; did you mean \"population.size\"?"},
        {"es.alpha: 1", "j.yaml:3: unknown key \"es.alpha\"; 'coppice run --keys' lists"},
        {"task.user: x",
         "j.yaml:3: unknown key \"task.user\"; did you mean \"task.prompt.user\"?"},
        {"modle: x", "j.yaml:3: unknown key \"modle\"; did you mean \"model\"?"},
        {"backend.thread: 3",
         "j.yaml:3: unknown key \"backend.thread\"; did you mean \"backend.threads\"?"},
        {"xyzzy: 1", "j.yaml:3: unknown key \"xyzzy\"; 'coppice run --keys' lists"},
        {"x: {y: {z: {a: {b: {c: 1}}}}}", "j.yaml:3: unknown key \"x\"; 'coppice run --keys"},
        {"\"a\\nb\": 1", "j.yaml:3: unknown key \"a b\"; 'coppice run --keys"},
        {"\"a\\0b\": 1", "j.yaml:3: a key must not be empty or have a NUL"},
        {"'': 1", "j.yaml:3: a key must not be empty"},
        {"[a]: 1", "j.yaml:3: a key must be a word"},
        {"task.prompt.question: 1",
         "j.yaml:3: unknown key \"task.prompt.question\"; did you mean "},
    };
    ASSERT_ALL_FAIL(cases);
}

static void test_duplicates(void **state)
{
    (void)state;
    static const wrong_text cases[] = {
        {"model: n", "j.yaml:3: model is given twice, first in line 1"},
        {"task: {}", "j.yaml:3: task is given twice, first in line 2"},
        {"task.name: n", "j.yaml:3: task.name is given twice, first in line 2"},
        {"gate:\n  z: 1\n  z: 2", "j.yaml:5: gate.z is given twice, first in line 4"},
        {"task.prompt: x\ntask.prompt.user: y",
         "j.yaml:4: task.prompt.user is given twice, first in line 3"},
        {"gate:\ngate:", "j.yaml:4: gate is given twice, first in line 3"},
    };
    ASSERT_ALL_FAIL(cases);
}

static void test_wrong_types(void **state)
{
    (void)state;
    static const wrong_text cases[] = {
        {"population.size: many", "j.yaml:3: population.size takes an integer, not \"many\""},
        {"population.size: 1.5", "j.yaml:3: population.size takes an integer, not \"1.5\""},
        {"population.size: 1e3", "j.yaml:3: population.size takes an integer, not \"1e3\""},
        {"population.size: 0x10", "j.yaml:3: population.size takes an integer, not \"0x10\""},
        {"population.size: 010", "j.yaml:3: population.size takes an integer, not \"010\"; "
                                 "write it in plain decimal digits"},
        {"population.size: -", "j.yaml:3: not valid YAML"},
        {"population.size: 1 000", "j.yaml:3: population.size takes an integer, not \"1 000\""},
        {"population.size: true", "j.yaml:3: population.size takes an integer, not \"true\""},
        {"population.size: '5'",
         "j.yaml:3: population.size takes an integer, not the quoted text"},
        {"population.size: [5]", "j.yaml:3: population.size takes an integer, not a list"},
        {"population.size: {a: 5}",
         "j.yaml:3: population.size takes an integer, not a mapping"},
        {"population.size:", "j.yaml:3: population.size has no value"},
        {"population.size: ~", "j.yaml:3: population.size has no value"},
        {"gate.z: 010", "j.yaml:3: gate.z takes a number, not \"010\""},
        {"gate.z: 1.2.3", "j.yaml:3: gate.z takes a number, not \"1.2.3\""},
        {"gate.z: .", "j.yaml:3: gate.z takes a number, not \".\""},
        {"gate.z: 1e", "j.yaml:3: gate.z takes a number, not \"1e\""},
        {"gate.z: 0x1p3", "j.yaml:3: gate.z takes a number, not \"0x1p3\""},
        {"gate.z: \"1\"", "j.yaml:3: gate.z takes a number, not the quoted text \"1\""},
        {"gate.z: .nan", "j.yaml:3: gate.z takes a finite number, not \".nan\""},
        {"gate.z: -.Inf", "j.yaml:3: gate.z takes a finite number, not \"-.Inf\""},
        {"gate.z: NaN", "j.yaml:3: gate.z takes a finite number, not \"NaN\""},
        {"population.sigma: [1, .inf]", "j.yaml:3: population.sigma takes finite numbers"},
        {"population.sigma: [1, x]", "j.yaml:3: population.sigma takes numbers, not \"x\""},
        {"baselines.randopt: [1, 2.5]",
         "j.yaml:3: baselines.randopt takes integers, not \"2.5\""},
        {"baselines.randopt: [\"1\"]",
         "j.yaml:3: baselines.randopt takes integers, not the quoted text \"1\""},
        {"baselines.randopt: {a: 1}",
         "j.yaml:3: baselines.randopt takes a list of integers, not a mapping"},
        {"population.sigma: [1, ]\npopulation.sigma: x",
         "j.yaml:4: population.sigma is given twice"},
        {"population.sigma: [1, [2]]", "j.yaml:3: population.sigma: a list holds plain values"},
        {"population.sigma: [{a: 1}]", "j.yaml:3: population.sigma: a list holds plain values"},
        {"population.sigma:\n  - 1\n  -", "j.yaml:3: population.sigma takes numbers, not \"\""},
        {"population.sigma: {a: 1}",
         "j.yaml:3: population.sigma takes a list of numbers, not a mapping"},
        {"population.sigma: []", "j.yaml:3: population.sigma must not be an empty list"},
        {"population.scope: []", "j.yaml:3: population.scope must not be an empty list"},
        {"population.scope:", "j.yaml:3: population.scope has no value"},
        {"generation.stop: [a, '']", "j.yaml:3: generation.stop: item 2 is empty"},
        {"generation.stop: [null]", "j.yaml:3: generation.stop: item 1 is empty"},
        {"generation.stop: [\"a\\0\"]",
         "j.yaml:3: generation.stop: a text must not have a NUL"},
        {"task.chat: ''", "j.yaml:3: task.chat must not be an empty text"},
        {"task.chat:", "j.yaml:3: task.chat has no value"},
        {"task.chat: [a]",
         "j.yaml:3: task.chat takes a text, not a list; put text with brackets"},
        {"task.prompt.user: {question}",
         "j.yaml:3: task.prompt.user takes a text, not a mapping; put"},
        {"task.prompt: {question}",
         "j.yaml:3: unknown key \"task.prompt.question\"; did you mean "},
        {"task.prompt: [a]", "j.yaml:3: task.prompt.user takes a text, not a list"},
        {"population: 5", "j.yaml:3: population is a group of keys, not a value"},
        {"population: [5]", "j.yaml:3: population is a group of keys, not a value"},
        {"population: ''", "j.yaml:3: population is a group of keys, not a value"},
    };
    ASSERT_ALL_FAIL(cases);
}

static void test_guards(void **state)
{
    (void)state;
#define REST "data: d, examples: 3, loss: 0.1"
    static const wrong_text cases[] = {
        {"guard: 3", "j.yaml:3: guard takes a list of mappings"},
        {"guard: [3]", "j.yaml:3: guard takes a list of mappings"},
        {"guard: {task: text, " REST "}", "j.yaml:3: guard takes a list of mappings"},
        {"guard: [{task: text, " REST "}, 3]", "j.yaml:3: guard: a list holds plain values"},
        {"guard: [3, {task: text, " REST "}]", "j.yaml:3: guard: a list holds plain values"},
        {"guard: [{task: [text], " REST "}]", "j.yaml:3: guard: a list holds plain values"},
        {"guard: [{[a]: text, " REST "}]", "j.yaml:3: guard: a list holds plain values"},
        {"guard: [{}]", "j.yaml:3: guard 1: it has no task"},
        {"guard: [{task: text, " REST "}, {task: a}]", "j.yaml:3: guard 2: it has no data"},
        {"guard: [{" REST "}]", "j.yaml:3: guard 1: it has no task"},
        {"guard: [{task: a, task: b, " REST "}]", "j.yaml:3: guard 1: task is given twice"},
        {"guard: [{taks: a, " REST "}]",
         "j.yaml:3: guard 1: unknown key \"taks\"; did you mean \"task\"?"},
        {"guard: [{zzzzzz: a, " REST "}]", "j.yaml:3: guard 1: unknown key \"zzzzzz\"; a guard "
                                           "has task, data, examples and loss"},
        {"guard: [{task: a, data: d, examples: 3, loss: -0.1}]",
         "j.yaml:3: guard 1: loss: -0.1 is out of range (0 .. 1000)"},
        {"guard: [{task: a, data: d, examples: 0, loss: 0}]",
         "j.yaml:3: guard 1: examples: 0 is out of range"},
        {"guard: [{task: a, data: d, examples: many, loss: 0}]",
         "j.yaml:3: guard 1: examples takes an integer, not \"many\""},
        {"guard: [{task: , data: d, examples: 1, loss: 0}]",
         "j.yaml:3: guard 1: task has no value"},
        {"guard: [{task: a, data: ~/d, examples: 1, loss: 0}]",
         "j.yaml:3: guard 1: data: \"~/d\": ~ is not replaced"},
        {"guard: []\nguard: []", "j.yaml:4: guard is given twice"},
        {"guards: []", "j.yaml:3: unknown key \"guards\"; did you mean \"guard\"?"},
    };
#undef REST
    ASSERT_ALL_FAIL(cases);
}

static void test_out_of_range(void **state)
{
    (void)state;
    static const wrong_text cases[] = {
        {"population.size: 0", "j.yaml:3: population.size: 0 is out of range (1 .. 1000000)"},
        {"population.size: -3", "j.yaml:3: population.size: -3 is out of range (1 .. 1000000)"},
        {"population.size: 1000001",
         "j.yaml:3: population.size: 1000001 is out of range (1 .. 1"},
        {"population.size: 99999999999999999999",
         "j.yaml:3: population.size: 99999999999999999999 is out of range (1 .. 1000000)"},
        {"population.seed: 9223372036854775808",
         "j.yaml:3: population.seed: 9223372036854775808 is out of range (>= 0)"},
        {"population.seed: -1", "j.yaml:3: population.seed: -1 is out of range (>= 0)"},
        {"splits.seed: -2", "j.yaml:3: splits.seed: -2 is out of range (>= -1)"},
        {"splits.support: 0", "j.yaml:3: splits.support: 0 is out of range"},
        {"splits.probe: 0", "j.yaml:3: splits.probe: 0 is out of range"},
        {"splits.validate: 0", "j.yaml:3: splits.validate: 0 is out of range"},
        {"splits.test: -1", "j.yaml:3: splits.test: -1 is out of range"},
        {"population.sigma: [0.1, 0]",
         "j.yaml:3: population.sigma: 0 is out of range (1e-12 .. 100)"},
        {"baselines.randopt: [1, 0]",
         "j.yaml:3: baselines.randopt: 0 is out of range (1 .. 10000)"},
        {"population.sigma: -0.1", "j.yaml:3: population.sigma: -0.1 is out of range"},
        {"population.sigma: 1e999", "j.yaml:3: population.sigma: 1e999 is out of range"},
        {"consolidate.q: [1]", "j.yaml:3: consolidate.q: 1 is out of range (>= 0, < 1)"},
        {"consolidate.q: [-0.1]", "j.yaml:3: consolidate.q: -0.1 is out of range (>= 0, < 1)"},
        {"consolidate.scale: [0]",
         "j.yaml:3: consolidate.scale: 0 is out of range (> 0, <= 1000000)"},
        {"consolidate.beta: [-1]", "j.yaml:3: consolidate.beta: -1 is out of range"},
        {"consolidate.max_scale: 0", "j.yaml:3: consolidate.max_scale: 0 is out of range"},
        {"consolidate.rank: 0", "j.yaml:3: consolidate.rank: 0 is out of range"},
        {"budget.answers: 0", "j.yaml:3: budget.answers: 0 is out of range (none | >= 1)"},
        {"budget.tokens: -1", "j.yaml:3: budget.tokens: -1 is out of range (none | >= 1)"},
        {"consolidate.race: 1",
         "j.yaml:3: consolidate.race: 1 is out of range (off | 2 .. 64)"},
        {"population.race: 1", "j.yaml:3: population.race: 1 is out of range (off | 2 .. 64)"},
        {"recenter.race: 65", "j.yaml:3: recenter.race: 65 is out of range (off | 2 .. 64)"},
        {"recenter.lambda: 1.01", "j.yaml:3: recenter.lambda: 1.01 is out of range (0 .. 1)"},
        {"recenter.rounds: -1", "j.yaml:3: recenter.rounds: -1 is out of range"},
        {"recenter.step: [1, 0]", "j.yaml:3: recenter.step: 0 is out of range"},
        {"gate.z: -1", "j.yaml:3: gate.z: -1 is out of range (0 .. 10)"},
        {"gate.tries: 0", "j.yaml:3: gate.tries: 0 is out of range"},
        {"generation.max_new_tokens: 0",
         "j.yaml:3: generation.max_new_tokens: 0 is out of range"},
        {"backend.threads: 0", "j.yaml:3: backend.threads: 0 is out of range"},
        {"backend.candidates: 0",
         "j.yaml:3: backend.candidates: 0 is out of range (auto | 1 .. 256)"},
        {"task.correct_at: right",
         "j.yaml:3: task.correct_at takes a number or auto, not \"right\""},
        {"backend.candidates: many",
         "j.yaml:3: backend.candidates takes an integer or auto, not \"many\""},
        {"backend.batch: 0", "j.yaml:3: backend.batch: 0 is out of range"},
        {"checkpoint.interval: -1", "j.yaml:3: checkpoint.interval: -1 is out of range"},
        {"population.noise: rank-0",
         "j.yaml:3: population.noise: unknown choice \"rank-0\" (full | rank-1 to rank-64)"},
        {"population.noise: rank-65", "j.yaml:3: population.noise: unknown choice \"rank-65\""},
        {"population.noise: rank-x", "j.yaml:3: population.noise: unknown choice \"rank-x\""},
        {"population.noise: rank-04", "j.yaml:3: population.noise: unknown choice \"rank-04\""},
        {"population.noise: rank--1", "j.yaml:3: population.noise: unknown choice \"rank--1\""},
        {"population.noise: rank-", "j.yaml:3: population.noise: unknown choice \"rank-\""},
        {"population.noise: Full", "j.yaml:3: population.noise: unknown choice \"Full\""},
        {"population.noise: rank-1 to rank-64",
         "j.yaml:3: population.noise: unknown choice \"rank-1 to rank-64\""},
        {"population.noise: 4", "j.yaml:3: population.noise: unknown choice \"4\""},
        {"backend.kind: gpu",
         "j.yaml:3: backend.kind: unknown choice \"gpu\" (auto | cpu | cuda)"},
        {"backend.compute: bf61",
         "j.yaml:3: backend.compute: unknown choice \"bf61\" (auto | f32 | "
         "bf16); did you mean \"bf16\"?"},
        {"backend.compute: F32", "j.yaml:3: backend.compute: unknown choice \"F32\""},
        {"backend.gemm: mkl",
         "j.yaml:3: backend.gemm: unknown choice \"mkl\" (auto | own | onednn | openblas)"},
        {"backend.gemm: ''", "j.yaml:3: backend.gemm must not be an empty text"},
    };
    ASSERT_ALL_FAIL(cases);
}

static void test_yaml_that_is_refused(void **state)
{
    (void)state;
    static const wrong_text cases[] = {
        {"population:\n\tsize: 3",
         "j.yaml:4: not valid YAML: found character that cannot start any "
         "token (column 1); indent with spaces, not tabs"},
        {"gate: {z: 1", "j.yaml:"},
        {"gate: 'x", "j.yaml:"},
        {"  gate: 1", "j.yaml:3: not valid YAML"},
        {"task.chat: a: b", "j.yaml:3: not valid YAML: mapping values are not allowed"},
        {"gate: @x", "j.yaml:3: not valid YAML"},
        {"gate: \x01", "j.yaml:3: not valid YAML: control characters are not allowed"},
        {"gate: \xff\xfe", "j.yaml:3: not valid YAML"},
        {"gate: \xc3", "j.yaml:3: not valid YAML"},
        {"gate: \"\\q\"", "j.yaml:3: not valid YAML"},
        {"gate: &a {z: 1}", "j.yaml:3: anchors (&name) and aliases (*name) are not supported"},
        {"gate: &a\n  z: 1", "j.yaml:3: anchors"},
        {"generation.stop: [&a x, *a]", "j.yaml:3: anchors"},
        {"<<: *a", "j.yaml:3: anchors"},
        {"gate.z: !!float 1", "j.yaml:3: tags are not supported"},
        {"gate: !x {}", "j.yaml:3: tags are not supported"},
        {"generation.stop: !x []", "j.yaml:3: tags are not supported"},
        {"---\ngate: {z: 1}", "j.yaml:3: a second YAML document (---)"},
        {"...\n---\n", "j.yaml:4: a second YAML document (---)"},
    };
    ASSERT_ALL_FAIL(cases);

    static const char *const not_mappings[] = {"5", "[a]", "- a", "''", "just words"};
    for (size_t i = 0; i < sizeof not_mappings / sizeof not_mappings[0]; i++) {
        assert_fails(not_mappings[i], strlen(not_mappings[i]), NULL, COP_ERR_CONFIG,
                     "j.yaml:1: a job file is a mapping");
    }
    static const char nul[] = "model: m\ntask.name: n\n\0x: 1\n";
    assert_fails(nul, sizeof nul - 1, NULL, COP_ERR_CONFIG,
                 "j.yaml:3: not valid YAML: control");
}

static void test_missing_keys(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"", "j.yaml: missing key \"model\"; add a line such as \"model: models/"},
        {"# only a comment\n", "j.yaml: missing key \"model\""},
        {"{}", "j.yaml: missing key \"model\""},
        {"gate: {z: 1}", "j.yaml: missing key \"model\""},
        {"model: m",
         "j.yaml: missing key \"task.name\"; add a line such as \"name: gsm8k\" below "
         "\"task:\""},
        {"model: m\ntask: {name: n}",
         "j.yaml: missing key \"task.data\"; add a line such as \"data: "},
        {"model: \ntask: {name: n, data: d}", "j.yaml:1: model has no value"},
        {"model: ''\ntask: {name: n, data: d}", "j.yaml:1: model must not be an empty text"},
        {"model: '~/m'\ntask: {name: n, data: d}",
         "j.yaml:1: model: \"~/m\": ~ is not replaced"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_fails(texts[i][0], strlen(texts[i][0]), NULL, COP_ERR_CONFIG, texts[i][1]);
    }
}

static void test_overrides(void **state)
{
    (void)state;
    static const char *const usage[] = {"population.size", "=4", "", "-s"};
    for (size_t i = 0; i < sizeof usage / sizeof usage[0]; i++) {
        assert_fails(GOOD, strlen(GOOD), usage[i], COP_ERR_USAGE, "-s ");
    }
    static const char *const cases[][2] = {
        {"population.sgima=1",
         "-s population.sgima=1: unknown key \"population.sgima\"; did you mean "
         "\"population.sigma\"?"},
        {"population=4", "-s population=4: population is a group of keys, not a value; indent "
                         "its keys below \"population:\", or write \"population.KEY\""},
        {"population.sigma=0.1,0.2", "-s population.sigma=0.1,0.2: population.sigma takes "
                                     "numbers, not \"0.1,0.2\"; write a list as [1, 2]"},
        {"population.size=", "-s population.size=: population.size has no value"},
        {"population.size=0",
         "-s population.size=0: population.size: 0 is out of range (1 .. 1000000)"},
        {"population.size=4 # few\n", ""},
        {"population.size=[", "-s population.size=[: not valid YAML"},
        {"population={size: 1, size: 2}",
         "-s population={size: 1, size: 2}: population.size is given "
         "twice"},
        {"task.prompt.user=Say: {q}",
         "-s task.prompt.user=Say: {q}: task.prompt.user takes a text, "
         "not a mapping"},
        {"model=", "-s model=: model has no value"},
        {"model=*x", "-s model=*x: anchors"},
        {"a.b.c=1", "-s a.b.c=1: unknown key \"a.b.c\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i][1][0] == '\0') continue;
        assert_fails(GOOD, strlen(GOOD), cases[i][0], COP_ERR_CONFIG, cases[i][1]);
    }
}

/* Deep, wide and huge texts end at once and in few words. */
static void test_bombs(void **state)
{
    (void)state;
    static const char *const units[] = {"[", "{", "- ",   "? ",   "{a: ", "a: {",
                                        "'", "!", "*a\n", "\n\n", "#"};
    char *const text = malloc(COP_JOB_MOST_BYTES + 16);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const size_t step = strlen(units[i]);
        size_t length = 0;
        while (length + step <= COP_JOB_MOST_BYTES) {
            memcpy(text + length, units[i], step);
            length += step;
        }
        assert_fails(text, length, NULL, COP_ERR_CONFIG, "j.yaml:");
    }
    /* Many keys: the first unknown one ends it. */
    size_t length = 0;
    for (int i = 0; length + 32 < COP_JOB_MOST_BYTES; i++) {
        length += (size_t)snprintf(text + length, 32, "k%d: 1\n", i);
    }
    assert_fails(text, length, NULL, COP_ERR_CONFIG, "j.yaml:1: unknown key \"k0\"");
    free(text);
}

static void test_files(void **state)
{
    (void)state;
    char folder[FOLDER_BYTES];
    assert_int_equal(folder_create(folder), 0);
    char path[FOLDER_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/job.yaml", folder);
    cop_job *job = NULL;
    cop_error err = {0};
    assert_int_equal(cop_job_load(path, NULL, 0, &job, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, path));
    assert_null(job);
    assert_int_equal(cop_job_load(folder, NULL, 0, &job, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, folder));

    char *const big = malloc(COP_JOB_MOST_BYTES + 1);
    assert_non_null(big);
    memset(big, '#', COP_JOB_MOST_BYTES + 1);
    assert_int_equal(cop_text_write_file(path, big, COP_JOB_MOST_BYTES + 1, &err), COP_OK);
    free(big);
    assert_int_equal(cop_job_load(path, NULL, 0, &job, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "1048576 bytes"));
    assert_null(job);
    assert_int_equal(folder_remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_keys), cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_wrong_types),  cmocka_unit_test(test_guards),
        cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_yaml_that_is_refused),
        cmocka_unit_test(test_missing_keys), cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_bombs),        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
