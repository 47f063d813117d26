/* Task exec as a scorer: groups, cancelling, failures, what counts as correct. This program is
 * also the command. */
#include "coppice/task/scorer.h"

#include "unit/child/child_support.h"

/* The reward is the field "worth" of the example; "say" of it, if there is, is said instead. */
static void score_lines(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        json_t *const request = json_loads(line, JSON_ALLOW_NUL, NULL);
        const char *const say = json_string_value(json_object_get(request, "say"));
        if (say != NULL && strcmp(say, "nothing") == 0) continue;
        json_t *const answer = json_object();
        (void)json_object_set(answer, "id", json_object_get(request, "id"));
        (void)json_object_set(answer, "reward", json_object_get(request, "worth"));
        (void)json_object_set(answer, "correct", json_object_get(request, "right"));
        (void)json_object_set(answer, "extracted", json_object_get(request, "found"));
        (void)json_object_set(answer, "form", json_object_get(request, "formed"));
        if (say != NULL) {
            (void)puts(say);
        } else {
            (void)json_dumpf(answer, stdout, JSON_COMPACT);
            (void)putchar('\n');
        }
        (void)fflush(stdout);
        json_decref(answer);
        json_decref(request);
    }
    free(line);
}

static const char *program; /* this one: in a new process /proc/self/exe is another */

static cop_scorer *make_scorer(double timeout_s, double correct_at)
{
    const cop_task *task = NULL;
    cop_scorer *scorer = NULL;
    cop_error err = {0};
    const char *const command[] = {program, "score"};
    const cop_task_setup setup = {.command = command,
                                  .command_count = 2,
                                  .timeout_s = timeout_s,
                                  .correct_at = correct_at};
    assert_int_equal(cop_task_find("exec", &task, NULL), COP_OK);
    if (cop_scorer_create(task, &setup, &scorer, &err) != COP_OK) fail_msg("%s", err.message);
    return scorer;
}

/* Submits one response to an example of JSON text. */
static cop_scoring *submit(cop_scorer *scorer, const char *example)
{
    const cop_task *task = NULL;
    const json_t *answer = NULL;
    cop_scoring *scoring = NULL;
    cop_error err = {0};
    json_t *const fields = json_loads(example, 0, NULL);
    assert_non_null(fields);
    assert_int_equal(cop_task_find("exec", &task, NULL), COP_OK);
    assert_int_equal(task->answer(fields, &answer, NULL), COP_OK);
    const cop_response response = {
        .example = fields, .answer = answer, .prompt = "p", .text = "a\0b", .length = 3};
    if (cop_scorer_submit(scorer, &response, 1, &scoring, &err) != COP_OK)
        fail_msg("%s", err.message);
    json_decref(fields); /* borrowed during the call only */
    return scoring;
}

static cop_score collect(cop_scorer *scorer, cop_scoring *scoring)
{
    cop_score score = {0};
    cop_error err = {0};
    if (cop_scorer_collect(scorer, &scoring, &score, NULL, NULL, &err) != COP_OK)
        fail_msg("%s", err.message);
    assert_null(scoring);
    return score;
}

/* Fails with these words in the message. */
static void fails(cop_scorer *scorer, const char *example, const char *words)
{
    cop_scoring *scoring = submit(scorer, example);
    cop_score score = {0};
    cop_error err = {0};
    assert_int_equal(cop_scorer_collect(scorer, &scoring, &score, NULL, NULL, &err),
                     COP_ERR_UNIT);
    assert_null(score.extracted);
    if (strstr(err.message, words) == NULL) fail_msg("no \"%s\" in %s", words, err.message);
}

static void test_groups(void **state)
{
    (void)state;
    enum { GROUPS = 40, SIZE = 30 };
    cop_scoring *scorings[GROUPS];
    cop_scorer *scorer = make_scorer(60, 0);
    json_t *const examples = json_array();
    for (int g = 0; g < GROUPS; g++) {
        cop_response responses[SIZE];
        for (int i = 0; i < SIZE; i++) {
            json_t *const example = json_pack("{s:i}", "worth", g * SIZE + i);
            (void)json_array_append_new(examples, example);
            responses[i] =
                (cop_response){.example = example, .answer = json_null(), .text = ""};
        }
        assert_int_equal(cop_scorer_submit(scorer, responses, SIZE, &scorings[g], NULL),
                         COP_OK);
    }
    for (int g = 0; g < GROUPS; g++) {
        cop_score scores[SIZE];
        const bool wanted = g % 3 != 1;
        assert_int_equal(
            cop_scorer_collect(scorer, &scorings[g], wanted ? scores : NULL, NULL, NULL, NULL),
            COP_OK);
        for (int i = 0; wanted && i < SIZE; i++)
            assert_true(scores[i].reward == g * SIZE + i);
    }
    json_decref(examples);
    cop_scorer_destroy(&scorer);
    no_children_left();
}

static void test_form(void **state)
{
    (void)state;
    static const struct {
        const char *example;
        cop_form form;
    } cases[] = {{"{\"worth\": 1}", COP_FORM_NONE},
                 {"{\"worth\": 1, \"formed\": null}", COP_FORM_NONE},
                 {"{\"worth\": 0, \"formed\": true}", COP_FORM_FOUND},
                 {"{\"worth\": 1, \"formed\": false}", COP_FORM_MISSING}};
    cop_scorer *scorer = make_scorer(60, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_score score = collect(scorer, submit(scorer, cases[i].example));
        assert_int_equal(score.form, cases[i].form);
        cop_score_free(&score);
    }
    cop_scorer_destroy(&scorer);
    no_children_left();
}

static void test_correct_and_extracted(void **state)
{
    (void)state;
    static const struct {
        const char *example;
        bool correct;
        const char *extracted;
    } cases[] = {{"{\"worth\": 1}", true, NULL},
                 {"{\"worth\": 0.9999}", false, NULL},
                 {"{\"worth\": 1, \"right\": false}", false, NULL},
                 {"{\"worth\": -3.5, \"right\": true}", true, NULL},
                 {"{\"worth\": 0, \"right\": null, \"found\": null}", false, NULL},
                 {"{\"worth\": 0, \"found\": \"x\\u00e9\"}", false, "x\xc3\xa9"},
                 {"{\"worth\": 0, \"found\": 7.0}", false, "7"}};
    cop_scorer *scorer = make_scorer(60, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_score score = collect(scorer, submit(scorer, cases[i].example));
        assert_int_equal(score.correct, cases[i].correct);
        if (cases[i].extracted == NULL) assert_null(score.extracted);
        if (cases[i].extracted != NULL)
            assert_string_equal(score.extracted, cases[i].extracted);
        cop_score_free(&score);
    }
    cop_scorer_destroy(&scorer);
    scorer = make_scorer(60, 0.5); /* where a job says so, half is right */
    assert_true(collect(scorer, submit(scorer, "{\"worth\": 0.5}")).correct);
    assert_false(collect(scorer, submit(scorer, "{\"worth\": 0.4}")).correct);
    cop_scorer_destroy(&scorer);
}

static void test_bad_answers(void **state)
{
    (void)state;
    cop_scorer *scorer = make_scorer(60, 0);
    fails(scorer, "{}", "\"reward\" is missing");
    fails(scorer, "{\"worth\": \"1\"}", "\"reward\" is not a number");
    fails(scorer, "{\"worth\": null}", "\"reward\" is not a number");
    fails(scorer, "{\"worth\": 1e39}", "\"reward\" is too large");
    fails(scorer, "{\"worth\": 1, \"right\": 1}", "\"correct\"");
    fails(scorer, "{\"worth\": 1, \"found\": []}", "\"extracted\"");
    fails(scorer, "{\"worth\": 1, \"formed\": 1}", "\"form\"");
    fails(scorer, "{\"worth\": 1, \"say\": \"{\\\"reward\\\": 1e999}\"}",
          "without a whole number");
    const cop_score score = collect(scorer, submit(scorer, "{\"worth\": 3}"));
    assert_true(score.reward == 3);
    cop_scorer_destroy(&scorer);
}

/* One failure fails all that was on its way, and nothing after that. */
static void test_failure_of_several(void **state)
{
    (void)state;
    cop_scorer *scorer = make_scorer(60, 0);
    cop_scoring *first = submit(scorer, "{\"worth\": 1, \"say\": \"nothing\"}");
    cop_scoring *second = submit(scorer, "{\"worth\": 1, \"say\": \"nonsense\"}");
    cop_score score = {0};
    assert_int_equal(cop_scorer_collect(scorer, &first, &score, NULL, NULL, NULL),
                     COP_ERR_UNIT);
    cop_scoring *third = submit(scorer, "{\"worth\": 2}");
    assert_int_equal(cop_scorer_collect(scorer, &second, &score, NULL, NULL, NULL),
                     COP_ERR_UNIT);
    assert_true(collect(scorer, third).reward == 2);
    cop_scorer_destroy(&scorer);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void test_cancelled(void **state)
{
    (void)state;
    cop_scorer *scorer = make_scorer(0.4, 0);
    cop_scoring *scoring = submit(scorer, "{\"worth\": 1, \"say\": \"nothing\"}");
    cop_score score = {0};
    assert_int_equal(cop_scorer_collect(scorer, &scoring, &score, at_once, NULL, NULL),
                     COP_INTERRUPTED);
    assert_null(scoring);
    fails(scorer, "{\"worth\": 1, \"say\": \"nothing\"}", "silent for 0.4 s");
    cop_scorer_destroy(&scorer);
}

static void test_no_command(void **state)
{
    (void)state;
    const cop_task *task = NULL;
    cop_scorer *scorer = NULL;
    cop_error err = {0};
    assert_int_equal(cop_task_find("exec", &task, NULL), COP_OK);
    assert_int_equal(cop_scorer_create(task, NULL, &scorer, &err), COP_ERR_CONFIG);
    assert_null(scorer);
    assert_non_null(strstr(err.message, "task.command"));
    const char *const none[] = {"there-is-no-such-command"};
    const cop_task_setup setup = {.command = none, .command_count = 1};
    assert_int_equal(cop_scorer_create(task, &setup, &scorer, &err), COP_ERR_CONFIG);
    assert_null(scorer);
    no_children_left();
}

static void test_text_that_is_none(void **state)
{
    (void)state;
    cop_scorer *scorer = make_scorer(60, 0);
    cop_scoring *scoring = NULL;
    cop_error err = {0};
    const cop_response response = {.answer = json_null(), .text = "\xff", .length = 1};
    assert_int_equal(cop_scorer_submit(scorer, &response, 1, &scoring, &err), COP_ERR_FORMAT);
    assert_null(scoring);
    assert_non_null(strstr(err.message, "UTF-8"));
    cop_scorer_destroy(&scorer);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "score") == 0) {
        score_lines();
        return 0;
    }
    char self[4096] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
    program = self;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_correct_and_extracted),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_failure_of_several),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_no_command),
        cmocka_unit_test(test_text_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
