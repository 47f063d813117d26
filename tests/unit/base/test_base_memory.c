/* Checked allocation. */
#include "coppice/base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void test_alignment_and_zeros(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 63, 64, 65, 1000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *const bytes = cop_memory_alloc(sizes[i], 1, NULL);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 64, 0);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(bytes[j], 0);
        memset(bytes, 0xff, sizes[i]);
        cop_memory_free(bytes);

        void *const raw = cop_memory_alloc_raw(1, sizes[i], NULL);
        assert_non_null(raw);
        assert_int_equal((uintptr_t)raw % 64, 0);
        memset(raw, 1, sizes[i]);
        cop_memory_free(raw);
    }
    cop_memory_free(NULL);
}

/* A large block is zero too where it was used before, to its first and last byte. */
static void test_large_zeros(void **state)
{
    (void)state;
    static const size_t sizes[] = {4 << 20, (4 << 20) + 1, (9 << 20) - 1, (16 << 20) + 4095};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        const size_t bytes = sizes[i / 2];
        unsigned char *const used = cop_memory_alloc_raw(bytes + 64, 1, NULL);
        assert_non_null(used);
        memset(used, 0xa5, bytes + 64);
        cop_memory_free(used);
        unsigned char *const zeros = cop_memory_alloc(bytes, 1, NULL);
        assert_non_null(zeros);
        size_t sum = 0;
        for (size_t b = 0; b < bytes; b++)
            sum += zeros[b];
        assert_int_equal(sum, 0);
        memset(zeros, 0xa5, bytes);
        cop_memory_free(zeros);
    }
}

static void test_too_much(void **state)
{
    (void)state;
    cop_error err = {0};
    assert_null(cop_memory_alloc(SIZE_MAX / 2, 3, &err));
    assert_int_equal(err.status, COP_ERR_MEMORY);
    assert_non_null(strstr(err.message, "of 3 bytes"));
    static const size_t huge[] = {SIZE_MAX,      SIZE_MAX - 1,   SIZE_MAX - 63,
                                  SIZE_MAX - 64, SIZE_MAX - 128, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        err = (cop_error){0};
        assert_null(cop_memory_alloc(huge[i], 1, &err));
        assert_int_equal(err.status, COP_ERR_MEMORY);
        err = (cop_error){0};
        assert_null(cop_memory_alloc_raw(1, huge[i], &err));
        assert_int_equal(err.status, COP_ERR_MEMORY);
    }
    assert_null(cop_memory_alloc(SIZE_MAX, SIZE_MAX, NULL));
}

static void test_multiply(void **state)
{
    (void)state;
    size_t product = 0;
    assert_true(cop_memory_multiply(6, 7, &product));
    assert_int_equal(product, 42);
    assert_true(cop_memory_multiply(0, SIZE_MAX, &product));
    assert_int_equal(product, 0);
    assert_true(cop_memory_multiply(SIZE_MAX, 1, &product));
    assert_true(product == SIZE_MAX);
    assert_true(cop_memory_multiply((size_t)1 << 32, ((size_t)1 << 32) - 1, &product));
    assert_false(cop_memory_multiply((size_t)1 << 32, (size_t)1 << 32, &product));
    assert_false(cop_memory_multiply(SIZE_MAX, 2, &product));
}

static void test_grow(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t capacity = 0;
    size_t moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        void *memory = items;
        const size_t before = capacity;
        assert_int_equal(cop_memory_grow(&memory, &capacity, i + 1, sizeof *items, NULL),
                         COP_OK);
        items = memory;
        moves += capacity != before;
        assert_true(capacity > i);
        items[i] = i * 7;
    }
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(items[i], i * 7);
    assert_true(moves < 20);

    /* Failure leaves all as it was. */
    void *memory = items;
    const size_t before = capacity;
    cop_error err = {0};
    assert_int_equal(cop_memory_grow(&memory, &capacity, SIZE_MAX / 2, 4, &err),
                     COP_ERR_MEMORY);
    assert_int_equal(err.status, COP_ERR_MEMORY);
    assert_ptr_equal(memory, items);
    assert_int_equal(capacity, before);
    assert_int_equal(cop_memory_grow(&memory, &capacity, SIZE_MAX, 1, NULL), COP_ERR_MEMORY);
    assert_ptr_equal(memory, items);

    /* Nothing to do. */
    assert_int_equal(cop_memory_grow(&memory, &capacity, 5, 4, NULL), COP_OK);
    assert_ptr_equal(memory, items);
    cop_memory_free(items);
}

static void test_copy_string(void **state)
{
    (void)state;
    char *copy = cop_memory_copy_string("hello", 3, NULL);
    assert_string_equal(copy, "hel");
    cop_memory_free(copy);
    copy = cop_memory_copy_string(NULL, 0, NULL);
    assert_string_equal(copy, "");
    cop_memory_free(copy);
    copy = cop_memory_copy_string("a\0b", 3, NULL);
    assert_memory_equal(copy, "a\0b", 4);
    cop_memory_free(copy);
    cop_error err = {0};
    assert_null(cop_memory_copy_string("x", SIZE_MAX, &err));
    assert_int_equal(err.status, COP_ERR_MEMORY);
}

static void test_this_process(void **state)
{
    (void)state;
    const uint64_t before = cop_memory_peak_bytes();
    assert_true(before > 100000 && before < (uint64_t)1 << 50);
    const size_t bytes = (size_t)32 << 20;
    volatile unsigned char *const touched = cop_memory_alloc_raw(bytes, 1, NULL);
    assert_non_null((const void *)(uintptr_t)touched);
    for (size_t i = 0; i < bytes; i += 4096)
        touched[i] = 1;
    assert_true(cop_memory_peak_bytes() >= before + bytes / 2);
    cop_memory_free((void *)(uintptr_t)touched);
    assert_true(cop_memory_available_bytes() < (uint64_t)1 << 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_zeros),
        cmocka_unit_test(test_large_zeros),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_multiply),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_copy_string),
        cmocka_unit_test(test_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
