/* Few-shot examples: which ones a prompt gets, in which order, never the question itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/memory.h"
#include "data/dataset_parse.h"
#include "evaluate/shots.h"

#include <stdio.h>
#include <string.h>

enum { EXAMPLES = 12, SHOTS = 4 };

static cop_dataset *make_examples(void)
{
    cop_text text = {0};
    cop_dataset *dataset = NULL;
    for (int i = 0; i < EXAMPLES; i++)
        assert_int_equal(cop_text_format(&text, NULL,
                                         "{\"question\": \"Q%d\", \"answer\": \"A%d\"}\n", i,
                                         i),
                         COP_OK);
    assert_int_equal(cop_dataset_parse(text.data, text.length, "x.jsonl", &dataset, NULL),
                     COP_OK);
    cop_text_free(&text);
    return dataset;
}

static cop_evaluator_options make_options(const cop_dataset *examples, int64_t seed)
{
    cop_evaluator_options options = {.examples = examples, .shots = SHOTS, .shot_seed = seed};
    assert_int_equal(cop_task_find("gsm8k", &options.task, NULL), COP_OK);
    return options;
}

/* The numbers of the examples that question Q`number` gets. */
static void choose(const cop_evaluator_options *options, int number, int chosen[SHOTS])
{
    cop_shots *shots = NULL;
    cop_error err = {0};
    char user[16];
    cop_chat_message messages[2 * SHOTS];
    (void)snprintf(user, sizeof user, "Q%d", number);
    assert_int_equal(cop_shots_create(options, &shots, &err), COP_OK);
    if (cop_shots_choose(shots, user, messages, &err) != COP_OK) fail_msg("%s", err.message);
    for (int i = 0; i < SHOTS; i++) {
        int question = -1;
        int answer = -2;
        assert_string_equal(messages[2 * i].role, "user");
        assert_string_equal(messages[2 * i + 1].role, "assistant");
        assert_int_equal(sscanf(messages[2 * i].content, "Q%d", &question), 1);
        assert_int_equal(sscanf(messages[2 * i + 1].content, "A%d", &answer), 1);
        assert_int_equal(question, answer);
        assert_int_not_equal(question, number);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(chosen[k], question);
        chosen[i] = question;
    }
    cop_shots_destroy(&shots);
}

/* Every question gets the same examples, except those that are among them. */
static void test_choice(void **state)
{
    (void)state;
    cop_dataset *examples = make_examples();
    for (int64_t seed = -1; seed < 5; seed++) {
        const cop_evaluator_options options = make_options(examples, seed);
        int common[SHOTS];
        choose(&options, 99, common);
        for (int number = 0; number < EXAMPLES; number++) {
            int one[SHOTS];
            int two[SHOTS];
            int k = 0;
            choose(&options, number, one);
            choose(&options, number, two);
            assert_memory_equal(one, two, sizeof one);
            for (int i = 0; i < SHOTS; i++) {
                if (common[i] == number) continue;
                assert_int_equal(one[k++], common[i]);
            }
        }
        for (int i = 0; i < SHOTS && seed == -1; i++)
            assert_int_equal(common[i], i); /* file order */
    }
    cop_dataset_destroy(&examples);
}

/* The order is that of the splits: with the data set itself as examples they come from the
 * support set. */
static void test_order_of_splits(void **state)
{
    (void)state;
    cop_dataset *examples = make_examples();
    const cop_evaluator_options options = make_options(examples, 3);
    const size_t counts[COP_SPLIT_COUNT] = {5, 2, 2, 3};
    cop_splits splits;
    int chosen[SHOTS];
    assert_int_equal(cop_splits_create(EXAMPLES, counts, 0, 3, NULL, &splits, NULL), COP_OK);
    choose(&options, 99, chosen);
    for (int i = 0; i < SHOTS; i++)
        assert_int_equal(chosen[i], splits.examples[COP_SPLIT_SUPPORT][i]);
    cop_splits_free(&splits);
    cop_dataset_destroy(&examples);
}

static void test_templates(void **state)
{
    (void)state;
    cop_dataset *examples = make_examples();
    cop_evaluator_options options = make_options(examples, -1);
    cop_shots *shots = NULL;
    cop_chat_message messages[2 * SHOTS];
    options.user = "Ask: {question}";
    options.assistant = "So {answer}.";
    assert_int_equal(cop_shots_create(&options, &shots, NULL), COP_OK);
    assert_int_equal(cop_shots_choose(shots, "Ask: Q0", messages, NULL), COP_OK);
    assert_string_equal(messages[0].content, "Ask: Q1");
    assert_string_equal(messages[1].content, "So A1.");
    cop_shots_destroy(&shots);
    cop_dataset_destroy(&examples);
}

static void refuse(const cop_evaluator_options *options, const char *word)
{
    cop_shots *shots = NULL;
    cop_error err = {0};
    cop_chat_message messages[2 * EXAMPLES];
    cop_status status = cop_shots_create(options, &shots, &err);
    if (status == COP_OK) status = cop_shots_choose(shots, "Q0", messages, &err);
    assert_int_equal(status, COP_ERR_CONFIG);
    if (!strstr(err.message, word)) fail_msg("%s", err.message);
    cop_shots_destroy(&shots);
}

static void test_refused(void **state)
{
    (void)state;
    cop_dataset *examples = make_examples();
    cop_shots *shots = NULL;
    cop_evaluator_options options = make_options(examples, 0);
    options.shots = 0;
    assert_int_equal(cop_shots_create(&options, &shots, NULL), COP_OK);
    assert_null(shots);
    options.shots = EXAMPLES;
    refuse(&options, "only 11 besides");
    options.shots = 2;
    options.assistant = "{solution}";
    refuse(&options, "solution");
    options.assistant = NULL;
    assert_int_equal(cop_task_find("countdown", &options.task, NULL), COP_OK);
    refuse(&options, "task.prompt.assistant");
    options.examples = NULL;
    refuse(&options, "task.examples");
    cop_dataset_destroy(&examples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_order_of_splits),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
