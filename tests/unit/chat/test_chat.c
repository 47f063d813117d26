/* Prompts by the template of a model directory. */
#include "coppice/base/memory.h"
#include "coppice/chat/chat.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/folder_support.h"

static char folder[FOLDER_BYTES];

static int make_folder(void **state)
{
    (void)state;
    return folder_create(folder);
}

static void remove_file(const char *name)
{
    char *const path = cop_text_join_path(folder, name, NULL);
    (void)unlink(path);
    cop_memory_free(path);
}

static int empty_folder(void **state)
{
    (void)state;
    remove_file("chat_template.jinja");
    remove_file("chat_template.json");
    remove_file("tokenizer_config.json");
    remove_file("special_tokens_map.json");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void write_file(const char *name, const char *text)
{
    char *const path = cop_text_join_path(folder, name, NULL);
    assert_non_null(path);
    assert_int_equal(cop_text_write_file(path, text, strlen(text), NULL), COP_OK);
    cop_memory_free(path);
}

static void write_json(const char *name, json_t *json)
{
    char *const text = json_dumps(json, 0);
    assert_non_null(text);
    write_file(name, text);
    free(text);
    json_decref(json);
}

static const cop_chat_message hi[] = {{"user", "Hi"}};

static void check_prompt(const char *family, const char *date, const char *wanted)
{
    const cop_chat_options options = {.model_dir = folder, .family = family, .date = date};
    cop_chat *chat = NULL;
    cop_text prompt = {0};
    cop_error err = {0};
    cop_status status = cop_chat_create(&options, &chat, &err);
    if (status == COP_OK) status = cop_chat_render(chat, hi, 1, &prompt, &err);
    if (status != COP_OK) fail_msg("%s", err.message);
    assert_string_equal(prompt.data, wanted);
    cop_text_free(&prompt);
    cop_chat_destroy(&chat);
}

static void check_refused(const char *date, cop_status wanted, const char *named)
{
    const cop_chat_options options = {.model_dir = folder, .date = date};
    cop_chat *chat = NULL;
    cop_text prompt = {0};
    cop_error err = {0};
    cop_status status = cop_chat_create(&options, &chat, &err);
    if (status == COP_OK) status = cop_chat_render(chat, hi, 1, &prompt, &err);
    assert_int_equal(status, wanted);
    if (strstr(err.message, named) == NULL) fail_msg("\"%s\" lacks %s", err.message, named);
    assert_int_equal(prompt.length, 0);
    cop_chat_destroy(&chat);
}

#define HEAD                                                                     \
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + " \
    "message['content'] + '<|im_end|>'"
#define TAIL \
    "}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
#define HI "<|im_start|>user\nHi<|im_end|>"
#define OPEN "<|im_start|>assistant\n"

/* What differs from ChatML by a little is rendered with its difference. */
static void test_near_misses(void **state)
{
    (void)state;
    static const struct {
        const char *template, *prompt;
    } cases[] = {
        {HEAD " + '\\n'" TAIL, HI "\n" OPEN},
        {"{{bos_token}}" HEAD " + '\\n'" TAIL, "<s>" HI "\n" OPEN},
        {HEAD TAIL, HI OPEN},
        {HEAD " + eos_token + '\\n'" TAIL, HI "</s>\n" OPEN},
        {HEAD " + '\\n'" TAIL "{{ 'Answer:' }}", HI "\n" OPEN "Answer:"},
        {"{% if messages[0].role != 'system' %}You are Bob. {% endif %}" HEAD " + '\\n'" TAIL,
         "You are Bob. " HI "\n" OPEN},
        {"{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n{% endfor %}A:",
         "USER: Hi\nA:"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_json("tokenizer_config.json",
                   json_pack("{s:s, s:s, s:{s:s}}", "chat_template", cases[i].template,
                             "bos_token", "<s>", "eos_token", "content", "</s>"));
        check_prompt(NULL, NULL, cases[i].prompt);
        check_prompt("auto", NULL, cases[i].prompt);
        check_prompt("chatml", NULL, HI "\n" OPEN);
    }
}

/* The file comes before the configuration, and that before the old file. */
static void test_precedence(void **state)
{
    (void)state;
    write_json("chat_template.json", json_pack("{s:s}", "chat_template", "old"));
    check_prompt(NULL, NULL, "old");
    write_json("tokenizer_config.json",
               json_pack("{s:[{s:s,s:s},{s:s,s:s}]}", "chat_template", "name", "tool_use",
                         "template", "other", "name", "default", "template", "config"));
    check_prompt(NULL, NULL, "config");
    write_file("chat_template.jinja", "file{{ messages[0].content }}\n");
    check_prompt(NULL, NULL, "fileHi");
}

static void test_tokens(void **state)
{
    (void)state;
    write_file("chat_template.jinja", "[{{ bos_token }}{{ eos_token }}{{ unk_token }}]");
    check_prompt(NULL, NULL, "[]");
    write_json("special_tokens_map.json",
               json_pack("{s:s, s:{s:s}}", "bos_token", "<b>", "eos_token", "content", "<e>"));
    check_prompt(NULL, NULL, "[<b><e>]");
    write_json("tokenizer_config.json",
               json_pack("{s:s, s:{}}", "eos_token", "<x>", "added_tokens_decoder"));
    check_prompt(NULL, NULL, "[<x>]");
}

/* The model's own names, as transformers 5.24 gives them to templates. */
static void test_tokens_of_other_names(void **state)
{
    (void)state;
    write_file("chat_template.jinja", "[{{ think_token }}|{{ end_of_turn_token }}|{{ user }}|"
                                      "{{ add_bos_token }}|{{ tokens }}]");
    write_json("special_tokens_map.json",
               json_pack("{s:{s:s}}", "end_of_turn_token", "content", "<end>"));
    check_prompt(NULL, NULL, "[|<end>|||]");
    write_json("tokenizer_config.json",
               json_pack("{s:{s:s, s:{s:s}}, s:b, s:s, s:[s]}", "extra_special_tokens",
                         "think_token", "<think>", "user", "content", "<u>", "add_bos_token", 1,
                         "tokens", "no", "additional_special_tokens", "<a>"));
    check_prompt(NULL, NULL, "[<think>|<end>|<u>||]");
}

static void test_date(void **state)
{
    (void)state;
    write_file("chat_template.jinja", "{{ strftime_now('%d %b %Y, %A, %j') }}");
    check_prompt(NULL, NULL, "26 Jul 2024, Friday, 208");
    check_prompt(NULL, "2026-11-28", "28 Nov 2026, Saturday, 332");
    check_prompt(NULL, "2000-02-29", "29 Feb 2000, Tuesday, 060");
    check_prompt(NULL, "1900-01-01", "01 Jan 1900, Monday, 001");
    check_refused("2026-02-29", COP_ERR_CONFIG, "2026-02-29");
    check_refused("28 Nov 2026", COP_ERR_CONFIG, "YYYY-MM-DD");
    const cop_chat_options options = {.model_dir = folder};
    cop_chat *chat = NULL;
    assert_int_equal(cop_chat_create(&options, &chat, NULL), COP_OK);
    assert_true(cop_chat_asks_date(chat));
    assert_false(cop_chat_is_plain(chat));
    assert_false(cop_chat_lacks_template(chat));
    cop_chat_destroy(&chat);
}

static void check_lacks(const char *family, bool wanted)
{
    const cop_chat_options options = {.model_dir = folder, .family = family};
    cop_chat *chat = NULL;
    assert_int_equal(cop_chat_create(&options, &chat, NULL), COP_OK);
    assert_int_equal(cop_chat_lacks_template(chat), wanted);
    cop_chat_destroy(&chat);
}

static void test_none(void **state)
{
    (void)state;
    check_prompt(NULL, NULL, "Hi");
    check_lacks(NULL, true);
    check_lacks("auto", true);
    check_lacks("plain", false);
    write_json("tokenizer_config.json", json_object());
    check_prompt(NULL, NULL, "Hi");
    write_json("tokenizer_config.json", json_pack("{s:n}", "chat_template"));
    check_prompt(NULL, NULL, "Hi");
}

static void test_refusals(void **state)
{
    (void)state;
    write_file("tokenizer_config.json", "{\"chat_template\": ");
    check_refused(NULL, COP_ERR_FORMAT, "tokenizer_config.json");
    write_file("tokenizer_config.json", "[]");
    check_refused(NULL, COP_ERR_FORMAT, "tokenizer_config.json");
    write_json("tokenizer_config.json", json_pack("{s:i}", "chat_template", 7));
    check_refused(NULL, COP_ERR_FORMAT, "chat_template");
    write_json("tokenizer_config.json",
               json_pack("{s:[{s:s}]}", "chat_template", "name", "tool_use"));
    check_refused(NULL, COP_ERR_FORMAT, "default");
    write_json("tokenizer_config.json",
               json_pack("{s:s}", "chat_template", "a\n{{ messages|groupby('role') }}"));
    check_refused(NULL, COP_ERR_UNSUPPORTED,
                  "tokenizer_config.json: the chat template: line 2");
    write_json("tokenizer_config.json",
               json_pack("{s:s}", "chat_template", "{{ raise_exception('no user') }}"));
    check_refused(NULL, COP_ERR_FORMAT, "no user");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_near_misses, empty_folder),
        cmocka_unit_test_teardown(test_precedence, empty_folder),
        cmocka_unit_test_teardown(test_tokens, empty_folder),
        cmocka_unit_test_teardown(test_tokens_of_other_names, empty_folder),
        cmocka_unit_test_teardown(test_date, empty_folder),
        cmocka_unit_test_teardown(test_none, empty_folder),
        cmocka_unit_test_teardown(test_refusals, empty_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
