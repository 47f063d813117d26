/* Recognising the chat template of a model directory. */
#include "coppice/chat.h"
#include "coppice/memory.h"

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
    remove_file("tokenizer_config.json");
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

static void write_config(json_t *config)
{
    char *const text = json_dumps(config, 0);
    assert_non_null(text);
    write_file("tokenizer_config.json", text);
    free(text);
    json_decref(config);
}

static void check_family(cop_chat_family wanted)
{
    cop_chat_family family = COP_CHAT_PLAIN;
    cop_error err = {0};
    if (cop_chat_family_detect(folder, &family, &err) != COP_OK) fail_msg("%s", err.message);
    if (family != wanted) {
        fail_msg("%s, not %s", cop_chat_family_name(family), cop_chat_family_name(wanted));
    }
}

static void check_refused(cop_status status, const char *named)
{
    cop_chat_family family = COP_CHAT_QWEN3;
    cop_error err = {0};
    assert_int_equal(cop_chat_family_detect(folder, &family, &err), status);
    if (strstr(err.message, named) == NULL) fail_msg("\"%s\" lacks %s", err.message, named);
    assert_non_null(strstr(err.message, folder));
    assert_int_equal(family, COP_CHAT_PLAIN);
}

#define CHATML                                                                                 \
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}" \
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
#define LOOP "{% for message in messages %}"
#define SYSTEM(text)                                                  \
    LOOP "{% if loop.first and messages[0]['role'] != 'system' %}{{ " \
         "'<|im_start|>system\\n" text "<|im_end|>\\n' }}{% endif %}" CHATML
#define QWEN3(opening)                                                                         \
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content " \
    "+ "                                                                                       \
    "'<|im_end|>\\n' }}{%- endif %}{%- set ns = namespace(last_query_index=0) %}{%- if "       \
    "loop.last or (not loop.last and reasoning_content) %}{{- '\\n<think>\\n' + "              \
    "content.split('</think>')[-1].lstrip('\\n') }}{{- '<|im_start|>assistant\\n' }}{%- if "   \
    "enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>"     \
    "\\n\\n' }}" opening "{%- endif %}"
#define HEADERS                                                                                \
    "{{ bos_token }}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + " \
    "message['content'] | trim + '<|eot_id|>' }}"
#define MISTRAL(inner)                                                                        \
    "{{- bos_token }}{{- \"[INST] \" + system_message + \"\\n\\n\" + message[\"content\"] + " \
    "\"" inner "[/INST]\" }}{{- \"[INST] \" + message[\"content\"] + \"" inner                \
    "[/INST]\" }}{{- \" \" + message[\"content\"]|trim + eos_token }}"
#define TAGS                                                                                 \
    "{{ '<|system|>\\n' + message['content'] + '\\n' }}{{ '<|user|>\\n' + "                  \
    "message['content'] + '\\n' }}{{ '<|assistant|>\\n' + message['content'] + eos_token + " \
    "'\\n' }}"
#define ZEPHYR                                                                    \
    "{{ '<|user|>\\n' + message['content'] + eos_token }}\n{{ '<|system|>\\n' + " \
    "message['content'] + eos_token }}\n{{ '<|assistant|>' }}\n"

typedef struct template_row {
    const char *template;
    cop_chat_family family; /* COP_CHAT_FAMILY_COUNT: none */
} template_row;

static const template_row templates[] = {
    {LOOP CHATML, COP_CHAT_CHATML},
    {SYSTEM("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
     COP_CHAT_QWEN2},
    {SYSTEM("You are a helpful assistant."), COP_CHAT_ASSISTANT},
    {SYSTEM("Please reason step by step, and put your final answer within \\\\boxed{}."),
     COP_CHAT_QWEN2_MATH},
    {SYSTEM("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
     COP_CHAT_SMOLLM2},
    {SYSTEM("You are a helpful function-calling AI assistant. You do not currently have access "
            "to any functions. <functions></functions>"),
     COP_CHAT_OLMO3},
    {QWEN3(""), COP_CHAT_QWEN3},
    {HEADERS, COP_CHAT_LLAMA3},
    {HEADERS "{%- set date_string = \"26 Jul 2024\" %}{{- \"Cutting Knowledge Date: December "
             "2023\\n\" }}",
     COP_CHAT_LLAMA31},
    {MISTRAL(""), COP_CHAT_MISTRAL},
    {"{{ bos_token }}" TAGS, COP_CHAT_OLMO},
    {ZEPHYR, COP_CHAT_ZEPHYR},
    /* Near misses. */
    {SYSTEM("You are Hermes."), COP_CHAT_FAMILY_COUNT},
    {SYSTEM("You are a helpful assistant. Be brief."), COP_CHAT_FAMILY_COUNT},
    {LOOP CHATML "{{ '<|im_start|>assistant\\n<think>\\n' }}", COP_CHAT_FAMILY_COUNT},
    {LOOP CHATML "{{ message['content'] | trim }}", COP_CHAT_FAMILY_COUNT},
    {LOOP "{{ '<|im_start|>' + message['content'] }}", COP_CHAT_FAMILY_COUNT},
    {QWEN3("{%- else %}{{- '<think>\\n' }}"), COP_CHAT_FAMILY_COUNT},
    {"{{ '<|start_header_id|>' + message['content'] + '<|eot_id|>' }}", COP_CHAT_FAMILY_COUNT},
    {HEADERS "{{- \"Cutting Knowledge Date: May 2025\\n\" }}", COP_CHAT_FAMILY_COUNT},
    {MISTRAL(" "), COP_CHAT_FAMILY_COUNT},
    {"{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}", COP_CHAT_FAMILY_COUNT},
    {TAGS, COP_CHAT_FAMILY_COUNT},
    {"{{ '<start_of_turn>' + role + '\\n' }}", COP_CHAT_FAMILY_COUNT},
};

static void check_template(const template_row *row)
{
    if (row->family == COP_CHAT_FAMILY_COUNT) {
        check_refused(COP_ERR_UNSUPPORTED, "task.chat");
    } else {
        check_family(row->family);
    }
}

static void test_jinja_file(void **state)
{
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        (void)empty_folder(state);
        write_file("chat_template.jinja", templates[i].template);
        check_template(&templates[i]);
    }
}

static void test_config(void **state)
{
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        (void)empty_folder(state);
        write_config(json_pack("{s:s}", "chat_template", templates[i].template));
        check_template(&templates[i]);
        write_config(json_pack("{s:[{s:s,s:s},{s:s,s:s}]}", "chat_template", "name", "tool_use",
                               "template", "other", "name", "default", "template",
                               templates[i].template));
        check_template(&templates[i]);
    }
}

/* In a configuration a newline may stand for itself. */
static void test_plain_newlines(void **state)
{
    (void)state;
    write_config(json_pack(
        "{s:s}", "chat_template",
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
        "{{ '<|im_start|>assistant\n' }}"));
    check_family(COP_CHAT_CHATML);
}

static void test_precedence(void **state)
{
    (void)state;
    write_file("chat_template.jinja", QWEN3(""));
    write_config(json_pack("{s:s}", "chat_template", LOOP CHATML));
    check_family(COP_CHAT_QWEN3);
}

/* The same template with other begin and end tokens is another family's. */
static void test_tokens(void **state)
{
    (void)state;
    write_config(json_pack("{s:s,s:s,s:{s:s}}", "chat_template", "{{ bos_token }}" TAGS,
                           "bos_token", "<|endoftext|>", "eos_token", "content",
                           "<|endoftext|>"));
    check_family(COP_CHAT_OLMO);
    write_config(
        json_pack("{s:s,s:s}", "chat_template", "{{ bos_token }}" TAGS, "bos_token", "<s>"));
    check_refused(COP_ERR_UNSUPPORTED, "task.chat");
    write_config(json_pack("{s:s,s:{s:s}}", "chat_template", ZEPHYR, "eos_token", "content",
                           "<|im_end|>"));
    check_refused(COP_ERR_UNSUPPORTED, "task.chat");
}

static void test_none(void **state)
{
    (void)state;
    check_family(COP_CHAT_PLAIN);
    write_config(json_object());
    check_family(COP_CHAT_PLAIN);
    write_config(json_pack("{s:n}", "chat_template"));
    check_family(COP_CHAT_PLAIN);
    write_config(json_pack("{s:s}", "chat_template", ""));
    check_family(COP_CHAT_PLAIN);
}

static void test_damaged(void **state)
{
    (void)state;
    write_file("tokenizer_config.json", "{\"chat_template\": ");
    check_refused(COP_ERR_FORMAT, "tokenizer_config.json");
    write_file("tokenizer_config.json", "[]");
    check_refused(COP_ERR_FORMAT, "tokenizer_config.json");
    write_config(json_pack("{s:i}", "chat_template", 7));
    check_refused(COP_ERR_FORMAT, "chat_template");
    write_config(json_pack("{s:[{s:s}]}", "chat_template", "name", "tool_use"));
    check_refused(COP_ERR_FORMAT, "default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_jinja_file, empty_folder),
        cmocka_unit_test_teardown(test_config, empty_folder),
        cmocka_unit_test_teardown(test_plain_newlines, empty_folder),
        cmocka_unit_test_teardown(test_precedence, empty_folder),
        cmocka_unit_test_teardown(test_tokens, empty_folder),
        cmocka_unit_test_teardown(test_none, empty_folder),
        cmocka_unit_test_teardown(test_damaged, empty_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
