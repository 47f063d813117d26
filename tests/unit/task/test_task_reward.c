/* Rewards of gsm8k, arith and countdown against golden cases and at their edges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/memory.h"
#include "coppice/task/task.h"
#include "fuzz/fuzz_reward.h"
#include "unit/task/task_support.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_golden_gsm8k(void **state)
{
    (void)state;
    check_golden("tests/data/rewards.json", "gsm8k");
}

static void test_golden_countdown(void **state)
{
    (void)state;
    check_golden("tests/data/rewards.json", "countdown");
}

static void test_gsm8k(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"#### 1,234", "\"1234\"", 1, "1234"},
        {"so 10,800", "\"10800\"", 0, "10800"}, /* without the mark, as written */
        {"#### 5 apples", "\"5\"", 1, "5"},
        {"#### -5", "\"-5\"", 1, "-5"},
        {"#### --5", "\"-5\"", 1, "-5"}, /* no marked number, but the last one */
        {"####  5", "\"5\"", 1, "5"},
        {"##### 5", "\"5\"", 1, "5"},
        {"#### 5\n#### 6", "\"5\"", 0, "6"},
        {"#### 5\nso 6", "\"5\"", 1, "5"},
        {"#### 5\nso 6", "\"6\"", 1, "5"},
        {"#### .\n5", "\"5\"", 1, NULL},
        {"7.50", "\"7.50\"", 1, "7.50"},
        {"7.50", "7.5", 0, "7.50"},
        {"5 . .", "\"5\"", 1, "5"},
        {"5 , .", "\"5\"", 0, NULL},
        {"1-2", "\"-2\"", 1, "-2"},
        {"#### 72", "72", 1, "72"},
        {"#### 72", "72.0", 1, "72"},
        {"#### 72", "\"48/2=24\\n48+24=72\\n#### 72\"", 1, "72"},
        {"#### 1200", "\"and so\\n#### 1,200 \\n\"", 1, "1200"},
        {"", "\"1\"", 0, NULL},
        {"-", "\"1\"", 0, NULL},
        {"####", "\"1\"", 0, NULL},
        {"it is \u22125", "\"5\"", 1, "5"}, /* the published reward knows ASCII's minus sign */
        {"it is \u22125", "\"-5\"", 0, "5"},
    };
    CHECK_CASES("gsm8k", cases);
}

static void test_arith(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"The answer is 120.", "\"120\"", 1, "120"},
        {"The answer is 120...", "\"120\"", 1, "120"},
        {"The answer is 1,200.", "\"1200\"", 1, "1200"},
        {"3 + 4 = 7\n#### 7", "\"7\"", 1, "7"},
        {"#### 7.\nor 8", "\"7\"", 1, "7"},
        {"#### 7\nor 8", "\"8\"", 0, "7"},
        {"The answer is 12.0", "\"12\"", 0, "12.0"},
        {"no idea", "\"12\"", 0, NULL},
        {".", "\"12\"", 0, NULL},
        {"The total is 72 clips, altogether.", "\"72\"", 1, "72"},
        {"72, she said, ... and left.", "\"72\"", 1, "72"},
        {"#### 72\n#### ,", "\"72\"", 1, "72"},
        {"#### .\n72 of 5", "\"5\"", 1, "5"},
        {"The total is ...72 clips", "\"72\"", 1, "72"},
        {"The total is -...72 clips", "\"-72\"", 1, "-72"},
        {"The total is .72 clips", "\".72\"", 1, ".72"},
        {"The total is .72 clips", "\"72\"", 0, ".72"},
        {"It is 72", "\"72.\"", 1, "72"}, /* a reference with a full stop */
        {", . -", "\"12\"", 0, NULL},
        {"it is \u22125", "\"-5\"", 1, "-5"}, /* Unicode's minus sign */
        {"it is \u22125", "\"5\"", 0, "-5"},
        {"#### \u22121,200. Or 7", "\"-1200\"", 1, "-1200"},
        {"\u2212...72 clips", "\"-72\"", 1, "-72"},
        {"7 \u2212 5 = 2", "\"2\"", 1, "2"},
        {"7 \u2212 5", "\"5\"", 1, "5"},
        {"\u2212", "\"12\"", 0, NULL},
    };
    CHECK_CASES("arith", cases);
}

/* The last 300 characters count, not bytes. */
static void test_clip(void **state)
{
    (void)state;
    static const char *const filler[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\xb3"};
    json_t *answer = json_string("76");
    for (size_t kind = 0; kind < 4; kind++)
        for (size_t count = 290; count <= 305; count++) {
            char text[2048] = "#### 76";
            for (size_t i = 0; i < count; i++)
                strcat(text, filler[kind]);
            cop_score got = score("gsm8k", text, strlen(text), answer);
            /* 298 leave "76", which still is the last number; 299 leave "6". */
            assert_int_equal(got.correct, count <= 298);
            cop_score_free(&got);
        }
    json_decref(answer);
}

static void test_countdown(void **state)
{
    (void)state;
    static const char example[] = "{\"numbers\": [2, 3, 4], \"target\": 24}";
    static const reward_case cases[] = {
        {"a</think>\n<answer>2*3*4</answer>", example, 1.1, "24"},
        {"<think>a</think>\n<answer> 2*3*4 </answer>", example, 1.1, "24"},
        {"a</think>\n<answer>2*3*4\n</answer>", example, 1.1, "24"},
        {"a</think>\n<answer>2*3*4\n\n</answer>", example, 0.1, NULL},
        {"a</think>\n<answer>2*3*4</answer>\n", example, 1.1, "24"},
        {"a</think>\n<answer>2*3*4</answer>\n\n", example, 1.06, "24"},
        {"a</think>\n<answer>2*3*4</answer>.", example, 1.06, "24"},
        {"a</think>\n\n<answer>2*3*4</answer>", example, 1.06, "24"},
        {"</think><answer>2*3*4</answer></think>\n<answer>", example, 1.06, "24"},
        {"<answer>2*3*4</answer></think>\n<answer></answer>", example, 0.1, NULL},
        {"<answer>x</answer> <answer>2*3*4</answer>", example, 1.05, "24"},
        {"<answer><answer>2*3*4</answer>", example, 0.05, NULL},
        {"</answer>2*3*4<answer>", example, 0.0, NULL},
        {"a</think>", example, 0.01, NULL},
        {"<think>", example, 0.0, NULL},
        {"<answer>4*3+2*6</answer>", example, 0.05, NULL},
        {"<answer>4*(3+2+1)</answer>", example, 0.05, NULL},
        {"<answer>4*(3+2)</answer>", example, 0.05, "20"},
        {"<answer>04*3*2</answer>", example, 0.05, NULL},
        {"<answer>4*3*2 = 24</answer>", example, 0.05, NULL},
        {"<answer>4*3*2.</answer>", example, 0.05, NULL},
        {"<answer>99999999999999999999*3*2</answer>", example, 0.05, NULL},
        {"<answer>4 ** 2 + 8</answer>", "{\"numbers\": [4, 2, 8], \"target\": 24}", 0.05, NULL},
        {"<answer>9 // 2 + 1</answer>", "{\"numbers\": [9, 2, 1], \"target\": 5}", 0.05, NULL},
        {"<answer>2/3</answer>", "{\"numbers\": [3, 2.0], \"target\": 0.6666666666666666}",
         1.05, "0.66667"},
        {"<answer>2/3</answer>", "{\"numbers\": [3, 2], \"target\": 0.66665}", 0.05, "0.66667"},
        {"<answer>2/2*3</answer>", "{\"numbers\": [2, 2, 3], \"target\": 3}", 1.05, "3"},
        {"<answer>2/3*3</answer>", "{\"numbers\": [2, 2, 3], \"target\": 2}", 0.05, NULL},
    };
    CHECK_CASES("countdown", cases);
}

static void test_malformed_answers(void **state)
{
    (void)state;
    expect_format_error("gsm8k", "[1]", "answer");
    expect_format_error("gsm8k", "\" , \"", "empty");
    expect_format_error("arith", "null", "answer");
    /* What no response can match. */
    static const char *const numbers[] = {
        "\"NaN\"",  "\"inf\"",   "\"-Infinity\"", "\"0x10\"",     "\"1e5\"", "\"\"",
        "\"####\"", "\"-\"",     "\".\"",         "\"-.\"",       "\"--5\"", "\"+5\"",
        "\"5-\"",   "\"1.2.3\"", "\"$5\"",        "\"5%\"",       "\"1/2\"", "\"five\"",
        "\"5 6\"",  "\"5\\n6\"", "\"#### 5x\"",   "\"he has 5\"", "1e300",   "1e-9",
        "true",     "{}",        "\"\u0665\"",    "\"\u22125\""};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        expect_format_error("gsm8k", numbers[i], "field \"answer\"");
        expect_format_error("arith", numbers[i], "field \"answer\"");
    }
    char longer[400];
    memset(longer, '7', sizeof longer);
    longer[0] = longer[302] = '"'; /* 301 digits, and 300 characters count */
    longer[303] = '\0';
    expect_format_error("gsm8k", longer, "no response can match");
    expect_format_error("countdown", "{\"numbers\": [], \"target\": 0}", "1 to 64");
    expect_format_error("countdown", "{\"numbers\": [1, -2], \"target\": 3}", "entry 1");
    expect_format_error("countdown", "{\"numbers\": [1.5], \"target\": 1.5}", "entry 0");
    expect_format_error("countdown", "{\"numbers\": [1e19], \"target\": 1e19}", "entry 0");
    expect_format_error("countdown", "{\"target\": 3}", "numbers");
    expect_format_error("countdown", "{\"numbers\": 3, \"target\": 3}", "numbers");
    expect_format_error("countdown", "{\"numbers\": [1, \"2\"], \"target\": 3}", "entry 1");
    expect_format_error("countdown", "{\"numbers\": [1, 2]}", "target");
}

static void test_answer_of_example(void **state)
{
    (void)state;
    const cop_task *task;
    const json_t *answer;
    cop_error err = {0};
    json_t *good = json_pack("{s:s, s:s}", "question", "How many?", "answer", "5");
    json_t *bad = json_pack("{s:s}", "question", "How many?");
    json_t *puzzle = json_pack("{s:[i,i], s:f}", "numbers", 1, 2, "target", 0.5);
    assert_int_equal(cop_task_find("gsm8k", &task, NULL), COP_OK);
    assert_int_equal(task->answer(good, &answer, &err), COP_OK);
    assert_string_equal(json_string_value(answer), "5");
    assert_int_equal(task->answer(bad, &answer, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "answer"));
    assert_null(answer);
    assert_int_equal(cop_task_find("countdown", &task, NULL), COP_OK);
    assert_int_equal(task->answer(puzzle, &answer, &err), COP_OK);
    assert_ptr_equal(answer, puzzle);
    assert_int_equal(task->answer(good, &answer, &err), COP_ERR_FORMAT);
    json_decref(good);
    json_decref(bad);
    json_decref(puzzle);
}

/* Bytes of all kinds, and pieces that the tasks look for: what fuzz_reward() promises holds. */
static void test_garbage(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "<think>",  "</think>", "\n", "<answer>", "</answer>",  "#### ",    "-",
        ".",        ",",        "12", "(",        ")",          "+",        "*",
        "/",        " ",        "0",  "\xff",     "\xc3",       "\xa9\x80", "\xe2\x82\xac",
        "\\boxed{", "{",        "}",  "\\frac",   "answer is ", "thus ",    "$",
        "\\(",      "\\)",      "A",  "B,C",      "D E",        "=",        "\xd9\xa3"};
    uint64_t x = 9;
    for (int round = 0; round < 4000; round++) {
        uint8_t text[800];
        size_t length = 0;
        const size_t aim = (size_t)round % 700;
        while (length < aim) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            const size_t pick = (size_t)(x >> 40) % (sizeof pieces / sizeof pieces[0] + 1);
            if (pick == sizeof pieces / sizeof pieces[0]) {
                text[length++] = (uint8_t)(x >> 56); /* any byte, NUL too */
                continue;
            }
            memcpy(text + length, pieces[pick], strlen(pieces[pick]));
            length += strlen(pieces[pick]);
        }
        fuzz_reward(text, length);
    }
}

static void test_corpus(void **state)
{
    (void)state;
    static const char folder[] = "tests/fuzz/corpus/reward";
    size_t replayed = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        cop_text text = {0};
        char *path = cop_text_join_path(folder, entry->d_name, NULL);
        assert_non_null(path);
        assert_int_equal(cop_text_read_file(&text, path, 1 << 20, NULL), COP_OK);
        fuzz_reward((const uint8_t *)text.data, text.length);
        replayed++;
        cop_text_free(&text);
        cop_memory_free(path);
    }
    (void)closedir(directory);
    assert_true(replayed >= 5);
    assert_true(fuzz_covers_all_tasks());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_gsm8k),
        cmocka_unit_test(test_golden_countdown),
        cmocka_unit_test(test_gsm8k),
        cmocka_unit_test(test_arith),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_countdown),
        cmocka_unit_test(test_malformed_answers),
        cmocka_unit_test(test_answer_of_example),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
