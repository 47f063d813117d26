/* Printed values read back as the same; the table of keys is consistent; the reference is
 * complete. */
#include "coppice/job/job.h"
#include "fuzz/fuzz_job.h"
#include "job/job_keys.h"
#include "job/job_parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GOOD "model: m\ntask: {name: gsm8k, data: d}\n"

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static cop_job *parse(const char *override)
{
    cop_job *job = NULL;
    cop_error err = {0};
    const cop_job_source source = {.text = GOOD, .length = strlen(GOOD), .path = "x.yaml"};
    if (cop_job_parse(&source, &override, override != NULL, &job, &err) != COP_OK) {
        print_error("%s\n", err.message);
    }
    assert_non_null(job);
    return job;
}

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        if (strcmp(cop_job_key_name(i), name) == 0) return i;
    }
    fail_msg("no key %s", name);
    return 0;
}

/* Fails unless key `name`, given as `value`, prints as `wanted`. */
static void assert_prints(const char *name, const char *value, const char *wanted)
{
    char override[512];
    (void)snprintf(override, sizeof override, "%s=%s", name, value);
    cop_job *job = parse(override);
    cop_text text = {0};
    assert_int_equal(cop_job_print_value(job, index_of(name), &text, NULL), COP_OK);
    assert_string_equal(text.data, wanted);
    assert_true(cop_fuzz_round_trip(job));
    cop_text_free(&text);
    cop_job_destroy(&job);
}

static void test_values(void **state)
{
    (void)state;
    assert_prints("population.size", "+12", "12");
    assert_prints("backend.candidates", "auto", "auto");
    assert_prints("backend.candidates", "\"auto\"", "auto");
    assert_prints("backend.candidates", "256", "256");
    assert_prints("task.correct_at", "auto", "auto");
    assert_prints("task.correct_at", "-12.5", "-12.5");
    assert_prints("task.correct_at", "0", "0");
    assert_prints("population.seed", "9223372036854775807", "9223372036854775807");
    assert_prints("splits.seed", "-1", "-1");
    assert_prints("gate.z", "1.0", "1");
    assert_prints("gate.z", "-0.0", "0");
    assert_prints("gate.z", "10", "10");
    assert_prints("gate.z", "0.1", "0.1");
    assert_prints("gate.z", "0.30000000000000004", "0.30000000000000004");
    assert_prints("gate.z", "0.000001", "1e-06");
    assert_prints("checkpoint.interval", "100000000", "1e+08");
    assert_prints("consolidate.beta", "3", "[3]");
    assert_prints("consolidate.beta", "[.5, 1, 10, 20]", "[0.5, 1, 10, 20]");
    assert_prints("generation.stop", "[]", "[]");
    assert_prints("generation.stop", "[a, 'b \"c\"', \"d\\ne\\\\\"]",
                  "[\"a\", \"b \\\"c\\\"\", \"d\\ne\\\\\"]");
    assert_prints("task.prompt.user", "~", "null");
    assert_prints("task.prompt.user", "'null'", "\"null\"");
    assert_prints("task.prompt.user", "''", "\"\"");
    assert_prints("task.prompt.user", "\"\\x01\\x7f\\t\\r\\x85\\u2028\\ufeff\\U0001F600\"",
                  "\"\\x01\\x7F\\t\\r\\x85\\u2028\\uFEFF\xf0\x9f\x98\x80\"");
    assert_prints("task.prompt.user", "\"\\uffff\\U0010ffff\\xa0\\xe9\"",
                  "\"\\uFFFF\\U0010FFFF\\xA0\xc3\xa9\"");
    assert_prints("guard", "[]", "[]");
    assert_prints("guard", "[{loss: .50, task: text, data: '/d \"q\"', examples: 7}]",
                  "[{task: \"text\", data: \"/d \\\"q\\\"\", examples: 7, loss: 0.5}]");
    assert_prints("guard",
                  "[{task: a, data: /b, examples: 1, loss: 0}, {task: 'c', data: /d, "
                  "examples: 2, loss: 1e-3}]",
                  "[{task: \"a\", data: \"/b\", examples: 1, loss: 0}, {task: \"c\", data: "
                  "\"/d\", examples: 2, loss: 0.001}]");
    assert_prints("model", "/a/b c", "\"/a/b c\"");
    assert_prints("backend.compute", "bf16", "\"bf16\"");
}

static void test_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    /* Only a directory's name can bring them in. The result must still be YAML. */
    cop_job *job = parse(NULL);
    static const char *const broken[] = {
        "\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x80", "\xf5\x80", "\xf0\x80\x80\x80"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char *const kept = job->model;
        char name[32];
        (void)snprintf(name, sizeof name, "/a%sb", broken[i]);
        job->model = name;
        cop_text text = {0};
        assert_int_equal(cop_text_append(&text, "model=", 6, NULL), COP_OK);
        assert_int_equal(cop_job_print_value(job, 0, &text, NULL), COP_OK);
        job->model = kept;
        for (size_t j = 0; j < text.length; j++)
            assert_true((unsigned char)text.data[j] < 0x80);
        cop_job *again = parse(text.data);
        cop_job_destroy(&again);
        cop_text_free(&text);
    }
    cop_job_destroy(&job);
}

static void test_random_numbers_read_back(void **state)
{
    (void)state;
    uint64_t seed = 20;
    cop_job *job = parse(NULL);
    const size_t index = index_of("gate.z");
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&seed);
        /* Any exponent; or few digits. */
        if (i % 2 == 0) bits &= 0x7fffffffffffffffU;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 2 == 1) value = (double)(bits % 100000) / 1000.0;
        if (!__builtin_isfinite(value)) continue;
        job->gate.z = value;
        cop_text text = {0};
        assert_int_equal(cop_job_print_value(job, index, &text, NULL), COP_OK);
        assert_true(strtod(text.data, NULL) == value);
        char reference[40];
        (void)snprintf(reference, sizeof reference, "%.17g", value);
        assert_true(text.length <= strlen(reference));
        cop_text_free(&text);
    }
    cop_job_destroy(&job);
}

static void test_random_texts_read_back(void **state)
{
    (void)state;
    uint64_t seed = 21;
    cop_job *job = parse(NULL);
    for (int i = 0; i < 2000; i++) {
        cop_text text = {0};
        const size_t length = next_random(&seed) % 12;
        assert_int_equal(cop_text_append(&text, "", 0, NULL), COP_OK);
        for (size_t j = 0; j < length; j++) {
            /* A code point from one of the planes with something special in it. */
            static const unsigned ranges[] = {0x7f, 0xff, 0x7ff, 0x2fff, 0xffff, 0x10ffff};
            unsigned c = (unsigned)(next_random(&seed) % ranges[next_random(&seed) % 6]) + 1;
            if (c >= 0xd800 && c < 0xe000) c = '"';
            char bytes[4] = {(char)c};
            size_t count = 1;
            if (c >= 0x10000) {
                const unsigned parts[4] = {0xf0U | c >> 18, 0x80U | (c >> 12 & 63U),
                                           0x80U | (c >> 6 & 63U), 0x80U | (c & 63U)};
                for (count = 0; count < 4; count++)
                    bytes[count] = (char)parts[count];
            } else if (c >= 0x800) {
                const unsigned parts[3] = {0xe0U | c >> 12, 0x80U | (c >> 6 & 63U),
                                           0x80U | (c & 63U)};
                for (count = 0; count < 3; count++)
                    bytes[count] = (char)parts[count];
            } else if (c >= 0x80) {
                bytes[0] = (char)(0xc0U | c >> 6);
                bytes[1] = (char)(0x80U | (c & 63U));
                count = 2;
            }
            assert_int_equal(cop_text_append(&text, bytes, count, NULL), COP_OK);
        }
        char *const kept = job->task.user;
        job->task.user = text.data;
        cop_text printed = {0};
        assert_int_equal(cop_text_append(&printed, "task.prompt.user=", 17, NULL), COP_OK);
        assert_int_equal(cop_job_print_value(job, index_of("task.prompt.user"), &printed, NULL),
                         COP_OK);
        assert_null(strchr(printed.data, '\n'));
        cop_job *again = parse(printed.data);
        assert_string_equal(again->task.user, text.data);
        job->task.user = kept;
        cop_job_destroy(&again);
        cop_text_free(&printed);
        cop_text_free(&text);
    }
    cop_job_destroy(&job);
}

static void test_shipped_and_full_jobs_read_back(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "tests/data/jobs/all.yaml",     "tests/data/jobs/minimal.yaml",
        "tests/data/jobs/forms.yaml",   "jobs/demo.yaml",
        "jobs/qwen2.5-0.5b-gsm8k.yaml", "jobs/reward_example.yaml"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cop_job *job = NULL;
        assert_int_equal(cop_job_load(paths[i], NULL, 0, &job, NULL), COP_OK);
        assert_true(cop_fuzz_round_trip(job));
        cop_job_destroy(&job);
    }
}

/* Prints all values of a job as overrides: values [keys]. */
static void print_all(const cop_job *job, cop_text *values)
{
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        values[i] = (cop_text){0};
        assert_int_equal(cop_text_format(&values[i], NULL, "%s=", cop_job_key_name(i)), COP_OK);
        assert_int_equal(cop_job_print_value(job, i, &values[i], NULL), COP_OK);
    }
}

/* A job is what its values say, without its file; one that lacks what a job needs is none. */
static void test_restored_from_values(void **state)
{
    (void)state;
    enum { MOST = 256 };
    static cop_text values[MOST];
    static cop_text again[MOST];
    const char *texts[MOST] = {NULL};
    const size_t count = cop_job_key_count();
    cop_job *restored = NULL;
    cop_error err = {0};
    assert_true(count <= MOST);
    cop_job *job = parse("task.prompt.user=\"{question}: \\\"# x\\\"\\n y\"");
    print_all(job, values);
    for (size_t i = 0; i < count; i++)
        texts[i] = values[i].data;
    if (cop_job_restore("/run.h5", texts, count, &restored, &err) != COP_OK)
        fail_msg("%s", err.message);
    assert_string_equal(restored->task.user, job->task.user);
    print_all(restored, again);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(again[i].data, values[i].data);
        cop_text_free(&again[i]);
        cop_text_free(&values[i]);
    }
    cop_job_destroy(&restored);
    cop_job_destroy(&job);
    const char *const some[] = {"model=/m", "task.name=gsm8k"};
    assert_int_equal(cop_job_restore("/run.h5", some, 2, &restored, &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "task.data"));
    assert_null(restored);
}

static void test_table(void **state)
{
    (void)state;
    assert_true(cop_job_key_count() > 30);
    assert_null(cop_job_key_name(cop_job_key_count()));
    assert_false(cop_job_key_is_identity(cop_job_key_count()));
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        const cop_job_key *const key = cop_job_key_at(i);
        assert_int_equal(cop_job_key_find(key->name), i);
        assert_true(key->initial != NULL || key->example != NULL);
        assert_non_null(key->meaning);
        assert_int_equal(key->meaning[strlen(key->meaning) - 1], '.');
        /* How often and with how many threads changes no result, nor does what is said of it.
         */
        assert_int_equal(cop_job_key_is_identity(i),
                         strncmp(key->name, "checkpoint.", 11) != 0 &&
                             strncmp(key->name, "analysis.", 9) != 0 &&
                             strncmp(key->name, "schedule.", 9) != 0 &&
                             strcmp(key->name, "backend.threads") != 0 &&
                             strcmp(key->name, "backend.isa") != 0 &&
                             strcmp(key->name, "backend.arithmetic") != 0 && /* by its effect */
                             strcmp(key->name, "backend.mixed") != 0 &&
                             strcmp(key->name, "backend.candidates") != 0 &&
                             strcmp(key->name, "generation.stop_decided") != 0 &&
                             strcmp(key->name, "gate.allow_flat") != 0 &&
                             strcmp(key->name, "task.timeout") != 0);
        for (size_t j = 0; j < i; j++)
            assert_true(cop_job_key_at(j)->offset != key->offset);
        /* Its groups are listed. */
        char group[64];
        (void)snprintf(group, sizeof group, "%s", key->name);
        for (char *dot = strrchr(group, '.'); dot != NULL; dot = strrchr(group, '.')) {
            *dot = '\0';
            assert_true(cop_job_section_find(group) >= 0);
        }
    }
    for (size_t i = 0; cop_job_section_at(i) != NULL; i++) {
        const cop_job_section *const section = cop_job_section_at(i);
        assert_true(cop_job_key_find(section->name) < 0);
        if (section->stand_in != NULL) assert_true(cop_job_key_find(section->stand_in) >= 0);
    }
    cop_job *job = parse(NULL);
    cop_error err = {0};
    cop_text text = {0};
    assert_int_equal(cop_job_print_value(job, 1000, &text, &err), COP_ERR_INTERNAL);
    cop_job_destroy(&job);
}

static void test_reference(void **state)
{
    (void)state;
    cop_text text = {0};
    assert_int_equal(cop_job_print_keys(&text, NULL), COP_OK);
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        char line_start[64];
        (void)snprintf(line_start, sizeof line_start, "\n%s ", cop_job_key_name(i));
        const char *const at = strstr(text.data, line_start);
        assert_non_null(at);
        assert_null(strstr(at + 1, line_start));
    }
    assert_non_null(strstr(text.data, "1 .. 1000000"));
    assert_non_null(strstr(text.data, "auto | 1 .. 256"));
    assert_non_null(strstr(text.data, "auto | f32 | bf16"));
    assert_non_null(strstr(text.data, "backend.mixed               true or false "));
    for (const char *at = text.data; *at != '\0';) {
        const size_t length = strcspn(at, "\n");
        if (length > 100) print_error("%.*s\n", (int)length, at);
        assert_true(length <= 100);
        assert_true(length == 0 || at[length - 1] != ' ');
        at += length + (at[length] == '\n');
    }
    assert_int_equal(text.data[text.length - 1], '\n');
    cop_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_random_numbers_read_back),
        cmocka_unit_test(test_random_texts_read_back),
        cmocka_unit_test(test_shipped_and_full_jobs_read_back),
        cmocka_unit_test(test_restored_from_values),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
