/* Chat prompts: golden ones, and each family's own ways. */
#include "coppice/chat/chat.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { MOST = 8 };

static void check_render(cop_chat_family family, const cop_chat_message *messages, size_t count,
                         const char *wanted)
{
    cop_text prompt = {0};
    cop_error err = {0};
    if (cop_chat_render_family(family, messages, count, &prompt, &err) != COP_OK) {
        fail_msg("%s: %s", cop_chat_family_name(family), err.message);
    }
    assert_string_equal(prompt.data, wanted);
    cop_text_free(&prompt);
}

static void check_golden(const json_t *cases, cop_chat_family family)
{
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *const item = json_array_get(cases, i);
        const json_t *const list = json_object_get(item, "messages");
        const size_t count = json_array_size(list);
        cop_chat_message messages[MOST];
        assert_true(count <= MOST);
        for (size_t k = 0; k < count; k++) {
            const json_t *const message = json_array_get(list, k);
            messages[k].role = json_string_value(json_object_get(message, "role"));
            messages[k].content = json_string_value(json_object_get(message, "content"));
        }
        check_render(family, messages, count,
                     json_string_value(json_object_get(item, "prompt")));
    }
}

static void test_golden(void **state)
{
    (void)state;
    json_error_t where;
    json_t *const file = json_load_file("tests/data/chat.json", 0, &where);
    assert_non_null(file);
    check_golden(json_object_get(file, "qwen3"), COP_CHAT_QWEN3);
    check_golden(json_object_get(file, "llama31"), COP_CHAT_LLAMA3);
    check_golden(json_object_get(file, "tiny"), COP_CHAT_CHATML);
    json_decref(file);
}

static const cop_chat_message talk[] = {
    {"system", " S\n"}, {"user", " u1 "}, {"assistant", " a1 \n"}, {"user", "u2"}};

static void test_families(void **state)
{
    (void)state;
    static const char *const with_system[COP_CHAT_FAMILY_COUNT] = {
        [COP_CHAT_PLAIN] = " S\n u1  a1 \nu2",
        [COP_CHAT_CHATML] = "<|im_start|>system\n S\n<|im_end|>\n<|im_start|>user\n u1 "
                            "<|im_end|>\n<|im_start|>assistant\n a1 \n<|im_end|>\n"
                            "<|im_start|>user\nu2<|im_end|>\n<|im_start|>assistant\n",
        [COP_CHAT_LLAMA3] = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS"
                            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nu1<|eot_id|>"
                            "<|start_header_id|>assistant<|end_header_id|>\n\na1<|eot_id|>"
                            "<|start_header_id|>user<|end_header_id|>\n\nu2<|eot_id|>"
                            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        [COP_CHAT_LLAMA31] =
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge "
            "Date: December 2023\nToday Date: 26 Jul 2024\n\nS<|eot_id|><|start_header_id|>user"
            "<|end_header_id|>\n\nu1<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
            "a1<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nu2<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        [COP_CHAT_OLMO] = "<|endoftext|><|system|>\n S\n\n<|user|>\n u1 \n<|assistant|>\n a1 \n"
                          "<|endoftext|>\n<|user|>\nu2\n<|assistant|>\n",
        [COP_CHAT_MISTRAL] = "<s>[INST]  u1 [/INST] a1</s>[INST]  S\n\n\nu2[/INST]",
        [COP_CHAT_ZEPHYR] = "<|system|>\n S\n</s>\n<|user|>\n u1 </s>\n<|assistant|>\n a1 \n"
                            "</s>\n<|user|>\nu2</s>\n<|assistant|>\n",
        [COP_CHAT_GEMMA] =
            "<bos><start_of_turn>user\n S\n\n\nu1<end_of_turn>\n<start_of_turn>model"
            "\na1<end_of_turn>\n<start_of_turn>user\nu2<end_of_turn>\n"
            "<start_of_turn>model\n",
    };
    static const cop_chat_family like_chatml[] = {COP_CHAT_QWEN2,     COP_CHAT_QWEN3,
                                                  COP_CHAT_OLMO3,     COP_CHAT_SMOLLM2,
                                                  COP_CHAT_ASSISTANT, COP_CHAT_QWEN2_MATH};
    for (size_t i = 0; i < COP_CHAT_FAMILY_COUNT; i++) {
        if (with_system[i] == NULL) continue;
        check_render((cop_chat_family)i, talk, 4, with_system[i]);
    }
    for (size_t i = 0; i < sizeof like_chatml / sizeof *like_chatml; i++)
        check_render(like_chatml[i], talk, 4, with_system[COP_CHAT_CHATML]);
}

static void test_default_systems(void **state)
{
    (void)state;
    static const struct row {
        cop_chat_family family;
        const char *system;
    } rows[] = {
        {COP_CHAT_QWEN2,
         "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
        {COP_CHAT_QWEN2_MATH,
         "Please reason step by step, and put your final answer within \\boxed{}."},
        {COP_CHAT_ASSISTANT, "You are a helpful assistant."},
        {COP_CHAT_SMOLLM2,
         "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
        {COP_CHAT_OLMO3,
         "You are a helpful function-calling AI assistant. You do not currently have access to "
         "any functions. <functions></functions>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cop_text wanted = {0};
        assert_int_equal(cop_text_format(&wanted, NULL,
                                         "<|im_start|>system\n%s<|im_end|>\n<|im_start|>user\n"
                                         "u2<|im_end|>\n<|im_start|>assistant\n",
                                         rows[i].system),
                         COP_OK);
        check_render(rows[i].family, talk + 3, 1, wanted.data);
        cop_text_free(&wanted);
    }
    check_render(COP_CHAT_LLAMA31, talk + 3, 1,
                 "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting "
                 "Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
                 "<|start_header_id|>user<|end_header_id|>\n\nu2<|eot_id|><|start_header_id|>"
                 "assistant<|end_header_id|>\n\n");
    check_render(COP_CHAT_MISTRAL, talk + 3, 1, "<s>[INST] u2[/INST]");
    check_render(COP_CHAT_GEMMA, talk + 3, 1,
                 "<bos><start_of_turn>user\nu2<end_of_turn>\n<start_of_turn>model\n");
    check_render(COP_CHAT_OLMO, talk + 3, 1, "<|endoftext|><|user|>\nu2\n<|assistant|>\n");
}

#define ANSWER(text) "<|im_start|>assistant\n" text "<|im_end|>\n"
#define OPEN "<|im_start|>assistant\n"

/* Thoughts before the last question go, those after it stay. */
static void test_qwen3_thoughts(void **state)
{
    (void)state;
    static const char thought[] = "<think>\nhm\n\n</think>\n\nyes";
    const cop_chat_message before[] = {{"user", "q"}, {"assistant", thought}, {"user", "r"}};
    check_render(
        COP_CHAT_QWEN3, before, 3,
        "<|im_start|>user\nq<|im_end|>\n" ANSWER("yes") "<|im_start|>user\nr<|im_end|>\n" OPEN);
    check_render(COP_CHAT_QWEN3, before, 2,
                 "<|im_start|>user\nq<|im_end|>\n" ANSWER("<think>\nhm\n</think>\n\nyes") OPEN);
    const cop_chat_message plain[] = {{"user", "q"}, {"assistant", "yes"}};
    check_render(COP_CHAT_QWEN3, plain, 2,
                 "<|im_start|>user\nq<|im_end|>\n" ANSWER("<think>\n\n</think>\n\nyes") OPEN);
    const cop_chat_message tool[] = {
        {"user", "q"}, {"assistant", thought}, {"user", "<tool_response>7</tool_response>"}};
    check_render(COP_CHAT_QWEN3, tool, 3,
                 "<|im_start|>user\nq<|im_end|>\n" ANSWER(
                     "<think>\nhm\n</think>\n\nyes") "<|im_start|>user\n<tool_response>7</"
                                                     "tool_response><|im_end|>\n" OPEN);
    const cop_chat_message odd[] = {{"user", "q"}, {"assistant", "x</think>\ny</think>z"}};
    check_render(COP_CHAT_QWEN3, odd, 2,
                 "<|im_start|>user\nq<|im_end|>\n" ANSWER("<think>\nx\n</think>\n\nz") OPEN);
}

static void check_refused(cop_chat_family family, const cop_chat_message *messages,
                          size_t count, const char *named)
{
    cop_text prompt = {0};
    cop_error err = {0};
    assert_int_equal(cop_text_append(&prompt, "kept", 4, NULL), COP_OK);
    assert_int_equal(cop_chat_render_family(family, messages, count, &prompt, &err),
                     COP_ERR_FORMAT);
    if (strstr(err.message, named) == NULL) fail_msg("\"%s\" lacks %s", err.message, named);
    assert_string_equal(prompt.data, "kept");
    cop_text_free(&prompt);
}

static void test_roles(void **state)
{
    (void)state;
    static const cop_chat_message tool[] = {{"user", "u"}, {"tool", "t"}};
    static const cop_chat_message late[] = {{"user", "u"}, {"system", "s"}};
    static const cop_chat_message twice[] = {{"system", "s"}, {"user", "u"}, {"user", "u"}};
    static const cop_chat_message first[] = {{"assistant", "a"}};
    for (size_t i = 0; i < COP_CHAT_FAMILY_COUNT; i++) {
        check_refused((cop_chat_family)i, tool, 2, "message 2 is of the role \"tool\"");
        check_refused((cop_chat_family)i, tool, 0, "needs a message");
    }
    static const cop_chat_family strict[] = {COP_CHAT_MISTRAL, COP_CHAT_GEMMA};
    for (size_t i = 0; i < sizeof strict / sizeof strict[0]; i++) {
        check_refused(strict[i], late, 2, "message 2 is of the role \"system\"");
        check_refused(strict[i], twice, 3, "message 3 is of the role \"user\"");
        check_refused(strict[i], first, 1, "take turns");
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COP_CHAT_FAMILY_COUNT; i++) {
        cop_chat_family family = COP_CHAT_PLAIN;
        const char *const name = cop_chat_family_name((cop_chat_family)i);
        assert_int_equal(cop_chat_family_find(name, &family, NULL), COP_OK);
        assert_int_equal(family, i);
    }
    cop_chat_family family = COP_CHAT_QWEN3;
    cop_error err = {0};
    assert_int_equal(cop_chat_family_find("qwen4", &family, &err), COP_ERR_CONFIG);
    assert_int_equal(family, COP_CHAT_PLAIN);
    assert_non_null(strstr(err.message, "did you mean \"qwen"));
    assert_non_null(strstr(err.message, "plain, chatml, qwen2, qwen3, llama3, olmo, mistral"));
    assert_int_equal(cop_chat_family_find("", &family, NULL), COP_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),          cmocka_unit_test(test_families),
        cmocka_unit_test(test_default_systems), cmocka_unit_test(test_qwen3_thoughts),
        cmocka_unit_test(test_roles),           cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
