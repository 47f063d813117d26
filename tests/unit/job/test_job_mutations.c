/* Damaged job files: mutations of the fuzzing corpus, the same ones every time. */
#include "coppice/base/text.h"
#include "fuzz/fuzz_job.h"

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus/job"

enum { MOST_FILES = 64, MUTATIONS = 4000 };

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the corpus in the order of its names. */
static size_t read_corpus(cop_text files[MOST_FILES])
{
    char *names[MOST_FILES];
    size_t count = 0;
    DIR *const folder = opendir(CORPUS);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        assert_true(count < MOST_FILES);
        names[count] = strdup(entry->d_name);
        assert_non_null(names[count++]);
    }
    assert_int_equal(closedir(folder), 0);
    qsort(names, count, sizeof names[0], by_name);
    for (size_t i = 0; i < count; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, CORPUS "/%s", names[i]);
        files[i] = (cop_text){0};
        assert_int_equal(cop_text_read_file(&files[i], path, 1 << 20, NULL), COP_OK);
        free(names[i]);
    }
    return count;
}

static void assert_holds(const char *data, size_t length)
{
    if (!cop_fuzz_job((const uint8_t *)data, length)) {
        print_error("%.*s\n", (int)length, data);
        fail_msg("a job of %zu bytes broke a rule", length);
    }
}

/* One change: another byte, a byte of YAML's own, a cut, a piece copied, an end. */
static void mutate(cop_text *text, uint64_t *seed)
{
    static const char special[] = ":-?{}[],&*#!|>'\"%@` \n\t.~0e\\\x01\xff";
    if (text->length == 0) return;
    const size_t at = next_random(seed) % text->length;
    const size_t length = next_random(seed) % 20;
    char piece[20];
    switch (next_random(seed) % 5) {
    case 0:
        text->data[at] = (char)(next_random(seed) & 0xff);
        break;
    case 1:
        text->data[at] = special[next_random(seed) % (sizeof special - 1)];
        break;
    case 2:
        if (at + length > text->length) break;
        memmove(text->data + at, text->data + at + length, text->length - at - length);
        text->length -= length;
        break;
    case 3:
        if (at + length > text->length) break;
        memcpy(piece, text->data + at, length);
        assert_int_equal(cop_text_append(text, piece, length, NULL), COP_OK);
        break;
    default:
        if (next_random(seed) % 8 == 0) text->length = at;
        break;
    }
}

static void test_corpus(void **state)
{
    (void)state;
    cop_text files[MOST_FILES];
    const size_t count = read_corpus(files);
    assert_true(count >= 5);
    for (size_t i = 0; i < count; i++) {
        assert_holds(files[i].data, files[i].length);
        cop_text_free(&files[i]);
    }
}

static void test_mutations(void **state)
{
    (void)state;
    cop_text files[MOST_FILES];
    const size_t count = read_corpus(files);
    uint64_t seed = 22;
    cop_text text = {0};
    for (int i = 0; i < MUTATIONS; i++) {
        const cop_text *const file = &files[next_random(&seed) % count];
        cop_text_clear(&text);
        assert_int_equal(cop_text_append(&text, file->data, file->length, NULL), COP_OK);
        const size_t changes = 1 + next_random(&seed) % 4;
        for (size_t j = 0; j < changes; j++)
            mutate(&text, &seed);
        assert_holds(text.data, text.length);
    }
    cop_text_free(&text);
    for (size_t i = 0; i < count; i++)
        cop_text_free(&files[i]);
}

/* Every prefix of a file, as a full disk leaves it. */
static void test_truncations(void **state)
{
    (void)state;
    cop_text text = {0};
    assert_int_equal(cop_text_read_file(&text, CORPUS "/all.yaml", 1 << 20, NULL), COP_OK);
    for (size_t length = 0; length < text.length; length++)
        assert_holds(text.data, length);
    cop_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_truncations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
