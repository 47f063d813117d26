/* A published vocabulary of 151,643 tokens, and texts that are hard on the time: one letter or
 * one word a megabyte long. Times are printed; the limits only catch what is out of proportion.
 */
#include "unit/folder_support.h"
#include "unit/tokenizer/tokenizer_support.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdio.h>

enum { MEGABYTE = 1000000 };

static cop_tokenizer *large; /* NULL: could not be unpacked */
static double load_s;

static int load_large(void **state)
{
    (void)state;
    char folder[FOLDER_BYTES];
    char path[FOLDER_BYTES + 32];
    char command[700];
    if (folder_create(folder) != 0) return -1;
    (void)snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    (void)snprintf(command, sizeof command,
                   "xz -dc tests/data/tokenizers/qwen3/tokenizer.json.xz > '%s' 2>/dev/null",
                   path);
    if (system(command) == 0) {
        const double start = cop_timer_now_s();
        large = load_tokenizer(path);
        load_s = cop_timer_now_s() - start;
    }
    return folder_remove(folder);
}

static int free_large(void **state)
{
    (void)state;
    cop_tokenizer_destroy(&large);
    return 0;
}

static void need_large(void)
{
    if (large != NULL) return;
    print_message("skipped: xz is not installed, so the large vocabulary cannot be unpacked\n");
    skip();
}

static void test_load(void **state)
{
    (void)state;
    need_large();
    print_message("loading %zu ids took %.3f s\n", cop_tokenizer_size(large), load_s);
    assert_int_equal(cop_tokenizer_size(large), 151669);
    assert_int_equal(cop_tokenizer_find(large, "<|im_start|>"), 151644);
    assert_int_equal(cop_tokenizer_find(large, "\xC4\xA0the"), 279);
    assert_int_equal(cop_tokenizer_find(large, "no such token"), -1);
    assert_true(load_s < 10);
}

static void test_golden(void **state)
{
    (void)state;
    need_large();
    check_file("tests/data/tokenizers/qwen3/golden.json", large);
}

/* Encodes `unit` over and over, a megabyte of it, and checks that it decodes to the same. */
static void check_repeated(const char *unit)
{
    cop_text text = {0};
    cop_text decoded = {0};
    while (text.length < MEGABYTE)
        assert_int_equal(cop_text_append(&text, unit, strlen(unit), NULL), COP_OK);
    const double start = cop_timer_now_s();
    cop_ids ids = encode(large, text.data, text.length, false);
    const double took_s = cop_timer_now_s() - start;
    print_message("%zu bytes of \"%.20s\": %zu ids, %.1f MB/s\n", text.length,
                  unit[0] == '\n' ? "\\n" : unit, ids.count,
                  (double)text.length / took_s / 1e6);
    assert_true(took_s < 30);
    assert_int_equal(cop_tokenizer_decode(large, ids.data, ids.count, false, &decoded, NULL),
                     COP_OK);
    assert_int_equal(decoded.length, text.length);
    assert_memory_equal(decoded.data, text.data, text.length);
    cop_ids_free(&ids);
    cop_text_free(&text);
    cop_text_free(&decoded);
}

static void test_repeated(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a",
        "abcdefghij",
        " ",
        "\n",
        "!",
        "7",
        "                 x",
        "\xE6\x97\xA5",
        "<|im_start|>",
        "\xC3\xA9\xCC\x96",
        "The quick brown fox jumps over 13 lazy dogs; it's what they don't expect.\n"};
    need_large();
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        check_repeated(units[i]);
}

/* A run of marks in the wrong order takes time out of proportion if it is sorted naively. */
static void test_marks(void **state)
{
    (void)state;
    need_large();
    cop_text text = {0};
    while (text.length < MEGABYTE)
        assert_int_equal(cop_text_append(&text, "\xCC\x81\xCC\x96", 4, NULL), COP_OK);
    const double start = cop_timer_now_s();
    cop_ids ids = encode(large, text.data, text.length, false);
    assert_true(cop_timer_now_s() - start < 30);
    assert_true(ids.count > 0);
    cop_ids_free(&ids);
    cop_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, load_large, free_large);
}
