/* Where a task says that the beginning of a response settles its reward, nothing that may
 * follow changes it: responses of the golden files, of the fuzzers' corpus and made of the
 * pieces that tasks look for, cut after every character, with what followed them and with
 * anything else. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"
#include "fuzz/fuzz_reward.h"
#include "unit/task/task_support.h"

#include <dirent.h>

enum { ENDINGS = 6, MOST_BYTES = 1200 };

/* The tasks that have a rule; the others look at the end of a response first. */
static const char *const ruled[] = {"order", "exact", "contains", "json"};
enum { RULED = sizeof ruled / sizeof ruled[0] };

static const char *const pieces[] = {"A",          "B",
                                     "c",          ",",
                                     ", ",         " ",
                                     "\n",         "A,B,C,D,E",
                                     "12",         "1",
                                     "2",          "answer",
                                     "an",         "the ",
                                     "\t",         "B, C,E ,D,A",
                                     "D",          "E,",
                                     "\xC2\xA0",   "\xC3\xA9",
                                     "BCEDA",      "\xE2\x80\x83",
                                     "x",          "b,c,e,d,a",
                                     "e",          "#### ",
                                     "\\boxed{B}", "</think>",
                                     "<answer>",   "-5",
                                     "1,234",      "{",
                                     "}",          "\"",
                                     "\": ",       "\\",
                                     "{\"a\": 1}", "]"};
enum { PIECES = sizeof pieces / sizeof pieces[0] };

typedef struct tally {
    size_t beginnings, rewards, all;
} tally;

static uint64_t draw(uint64_t *random)
{
    *random = *random * 6364136223846793005U + 1442695040888963407U;
    return *random >> 33;
}

static void append_pieces(cop_text *text, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++) {
        const char *const piece = pieces[draw(random) % PIECES];
        assert_int_equal(cop_text_append(text, piece, strlen(piece), NULL), COP_OK);
    }
}

static void check_same(const cop_task *task, const cop_score *early, const cop_text *text,
                       size_t length, bool all, const json_t *answer)
{
    cop_score late = {0};
    assert_int_equal(task->score(text->data, text->length, answer, &late, NULL), COP_OK);
    const char *const a = early->extracted != NULL ? early->extracted : "(none)";
    const char *const b = late.extracted != NULL ? late.extracted : "(none)";
    if (late.reward != early->reward || late.correct != early->correct ||
        (all && strcmp(a, b) != 0))
        fail_msg("%s: %g \"%s\" after %zu bytes, in the end %g \"%s\": %s", task->name,
                 early->reward, a, length, late.reward, b, text->data);
    cop_score_free(&late);
}

/* Checks a beginning [length] of a response: what it settles holds with the rest of it, and
 * with anything else. */
static void check_beginning(const cop_task *task, const cop_text *response, size_t length,
                            const json_t *answer, uint64_t *random, tally *t)
{
    const cop_decided decided = task->decided(response->data, length, answer);
    t->beginnings++;
    if (decided == COP_DECIDED_NOTHING) return;
    t->rewards++;
    t->all += decided == COP_DECIDED_ALL;
    cop_score early = {0};
    cop_text text = {0};
    assert_int_equal(task->score(response->data, length, answer, &early, NULL), COP_OK);
    for (size_t k = 0; k < ENDINGS; k++) {
        cop_text_clear(&text);
        assert_int_equal(
            cop_text_append(&text, response->data, k == 0 ? response->length : length, NULL),
            COP_OK);
        append_pieces(&text, k, random);
        check_same(task, &early, &text, length, decided == COP_DECIDED_ALL, answer);
    }
    cop_text_free(&text);
    cop_score_free(&early);
}

static void check_response(const cop_task *task, const char *bytes, size_t length,
                           const json_t *answer, uint64_t *random, tally *t)
{
    cop_text response = {0};
    assert_int_equal(cop_unicode_repair(&response, bytes, length, NULL), COP_OK);
    assert_int_equal(cop_text_append(&response, "", 0, NULL), COP_OK);
    for (size_t at = 0;;) {
        check_beginning(task, &response, at, answer, random, t);
        if (at >= response.length || at > MOST_BYTES) break;
        uint32_t code = 0;
        at += cop_unicode_decode(response.data + at, response.length - at, &code);
    }
    cop_text_free(&response);
}

/* The response with all answers that the fuzzers use, in every task with a rule. */
static void check_everywhere(const char *bytes, size_t length, uint64_t *random,
                             tally tallies[RULED])
{
    for (size_t i = 0; i < sizeof fuzz_answers / sizeof fuzz_answers[0]; i++) {
        for (size_t r = 0; r < RULED; r++) {
            const cop_task *task = NULL;
            if (strcmp(fuzz_answers[i][0], ruled[r]) != 0) continue;
            json_t *const answer = json_loads(fuzz_answers[i][1], JSON_DECODE_ANY, NULL);
            assert_int_equal(cop_task_find(ruled[r], &task, NULL), COP_OK);
            check_response(task, bytes, length, answer, random, &tallies[r]);
            json_decref(answer);
        }
    }
}

static void who_has_a_rule(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t i = 0; cop_task_at(i) != NULL; i++)
        found += cop_task_at(i)->decided != NULL;
    assert_int_equal(found, RULED);
    for (size_t r = 0; r < RULED; r++) {
        const cop_task *task = NULL;
        assert_int_equal(cop_task_find(ruled[r], &task, NULL), COP_OK);
        assert_non_null(task->decided);
    }
}

typedef struct decided_case {
    const char *task, *beginning, *answer;
    cop_decided decided;
} decided_case;

static void what_is_decided(void **state)
{
    (void)state;
    static const decided_case cases[] = {
        {"contains", "it is 12", "\"12\"", COP_DECIDED_REWARD},
        {"contains", "it is 1", "\"12\"", COP_DECIDED_NOTHING},
        {"contains", "", "\"12\"", COP_DECIDED_NOTHING},
        {"contains", "so B", "[\"12\", \" B \"]", COP_DECIDED_REWARD},
        {"contains", "b", "\"B\"", COP_DECIDED_NOTHING},
        {"contains", "-5.", "-5", COP_DECIDED_REWARD},
        {"contains", "12", "[]", COP_DECIDED_NOTHING},
        {"contains", "12", "[\"12\", {}]", COP_DECIDED_REWARD},
        {"exact", "12", "\"12\"", COP_DECIDED_NOTHING},
        {"exact", "12 \n", "\"12\"", COP_DECIDED_NOTHING},
        {"exact", "12 \nx", "\"12\"", COP_DECIDED_REWARD},
        {"exact", " \t1", "\"12\"", COP_DECIDED_NOTHING},
        {"exact", " \t", "\"12\"", COP_DECIDED_NOTHING},
        {"exact", "", "\"12\"", COP_DECIDED_NOTHING},
        {"exact", "2", "\"12\"", COP_DECIDED_REWARD},
        {"exact", "2", "[\"12\", \"21\"]", COP_DECIDED_NOTHING},
        {"exact", "a b", "\"a b c\"", COP_DECIDED_NOTHING},
        {"exact", "a  b", "\"a b c\"", COP_DECIDED_REWARD},
        {"exact", "123", "\"12\"", COP_DECIDED_REWARD},
        {"order", "B,C,E,D,A", "\"B,C,E,D,A\"", COP_DECIDED_ALL},
        {"order", "b , c,e, d,\na", "\"B,C,E,D,A\"", COP_DECIDED_ALL},
        {"order", "I say: A,A,A,A,A", "\"B,C,E,D,A\"", COP_DECIDED_ALL},
        {"order", "B,C,E,D,", "\"B,C,E,D,A\"", COP_DECIDED_NOTHING},
        {"order", "B C E D A", "\"B,C,E,D,A\"", COP_DECIDED_NOTHING},
        {"order", "BCEDA and more", "\"B,C,E,D,A\"", COP_DECIDED_NOTHING},
        {"json", "{\"a\": 1}", "{\"a\": 1}", COP_DECIDED_ALL},
        {"json", "Here: {\"a\": {\"b\": [1]}} and", "{\"a\": 1}", COP_DECIDED_ALL},
        {"json", "{name}", "{\"a\": 1}", COP_DECIDED_ALL},
        {"json", "{\"a\": {\"b\": 1}", "{\"a\": 1}", COP_DECIDED_NOTHING},
        {"json", "{\"a\": \"}\"", "{\"a\": 1}", COP_DECIDED_NOTHING},
        {"json", "{\"a\": \"\\\"}", "{\"a\": 1}", COP_DECIDED_NOTHING},
        {"json", "{\"a\": \"\\", "{\"a\": 1}", COP_DECIDED_NOTHING},
        {"json", "} no", "{\"a\": 1}", COP_DECIDED_NOTHING},
        {"json", "", "{\"a\": 1}", COP_DECIDED_NOTHING},
        {"order", "", "\"B,C,E,D,A\"", COP_DECIDED_NOTHING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const decided_case *const c = &cases[i];
        const cop_task *task = NULL;
        json_t *const answer = json_loads(c->answer, JSON_DECODE_ANY, NULL);
        assert_int_equal(cop_task_find(c->task, &task, NULL), COP_OK);
        const cop_decided got = task->decided(c->beginning, strlen(c->beginning), answer);
        if (got != c->decided)
            fail_msg("%s, \"%s\" for %s: %d", c->task, c->beginning, c->answer, (int)got);
        json_decref(answer);
    }
}

/* Every response of the golden files, with its own answer where it is of such a task. */
static void golden_responses_keep_their_rewards(void **state)
{
    (void)state;
    static const char *const files[] = {"tests/data/rewards.json",
                                        "tests/data/rewards-more.json"};
    uint64_t random = 3;
    tally own = {0};
    tally tallies[RULED] = {{0}};
    const cop_task *order = NULL;
    assert_int_equal(cop_task_find("order", &order, NULL), COP_OK);
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        json_t *const root = json_load_file(files[f], 0, NULL);
        const char *name = NULL;
        json_t *cases = NULL;
        assert_non_null(root);
        json_object_foreach(root, name, cases)
        {
            for (size_t i = 0; i < json_array_size(cases); i++) {
                const json_t *const one = json_array_get(cases, i);
                const json_t *const text = json_object_get(one, "response");
                const char *const bytes = json_string_value(text);
                const size_t length = json_string_length(text);
                if (strcmp(name, "order") == 0)
                    check_response(order, bytes, length, json_object_get(one, "answer"),
                                   &random, &own);
                if (i % 4 == 0) check_everywhere(bytes, length, &random, tallies);
            }
        }
        json_decref(root);
    }
    print_message("order: %zu of %zu beginnings\n", own.all, own.beginnings);
    assert_true(own.all > 200 && own.all < own.beginnings);
    for (size_t r = 0; r < RULED; r++)
        assert_true(tallies[r].rewards > 20);
}

static void the_corpus_keeps_its_rewards(void **state)
{
    (void)state;
    static const char folder[] = "tests/fuzz/corpus/reward";
    uint64_t random = 7;
    size_t replayed = 0;
    tally tallies[RULED] = {{0}};
    DIR *const directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        cop_text text = {0};
        char *const path = cop_text_join_path(folder, entry->d_name, NULL);
        assert_non_null(path);
        assert_int_equal(cop_text_read_file(&text, path, 1 << 20, NULL), COP_OK);
        check_everywhere(text.data, text.length, &random, tallies);
        replayed++;
        cop_text_free(&text);
        cop_memory_free(path);
    }
    (void)closedir(directory);
    assert_true(replayed >= 5);
}

static void made_responses_keep_their_rewards(void **state)
{
    (void)state;
    uint64_t random = 11;
    tally tallies[RULED] = {{0}};
    for (int round = 0; round < 1500; round++) {
        cop_text text = {0};
        append_pieces(&text, draw(&random) % 12, &random);
        if (text.length > 0) check_everywhere(text.data, text.length, &random, tallies);
        cop_text_free(&text);
    }
    for (size_t r = 0; r < RULED; r++) {
        print_message("%s: %zu of %zu beginnings settle the reward, %zu all\n", ruled[r],
                      tallies[r].rewards, tallies[r].beginnings, tallies[r].all);
        assert_true(tallies[r].rewards > 1000 && tallies[r].rewards < tallies[r].beginnings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_a_rule),
        cmocka_unit_test(what_is_decided),
        cmocka_unit_test(golden_responses_keep_their_rewards),
        cmocka_unit_test(the_corpus_keeps_its_rewards),
        cmocka_unit_test(made_responses_keep_their_rewards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
