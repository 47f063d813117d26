/* Statuses and messages. */
#include "coppice/base/status.h"

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void test_table(void **state)
{
    (void)state;
    assert_string_equal(cop_status_name(COP_OK), "COP_OK");
    assert_string_equal(cop_status_name(COP_ERR_IO), "COP_ERR_IO");
    assert_int_equal(cop_status_exit_code(COP_OK), 0);
    assert_int_equal(cop_status_exit_code(COP_ERR_USAGE), 2);
    assert_int_equal(cop_status_exit_code(COP_ERR_CONFIG), 3);
    assert_int_equal(cop_status_exit_code(COP_INTERRUPTED), 75);
    for (int i = 0; i < COP_STATUS_COUNT; i++) {
        const cop_status status = (cop_status)i;
        assert_true(strlen(cop_status_text(status)) > 3);
        const int code = cop_status_exit_code(status);
        assert_true(code >= 0 && code < 126); /* beyond are the shell's */
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(code, cop_status_exit_code((cop_status)j));
            assert_string_not_equal(cop_status_name(status), cop_status_name((cop_status)j));
        }
    }
}

static void test_values_outside_of_the_table(void **state)
{
    (void)state;
    static const int odd[] = {COP_STATUS_COUNT, COP_STATUS_COUNT + 1, 1000, INT_MAX, -1,
                              INT_MIN};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_string_equal(cop_status_name((cop_status)odd[i]), "COP_ERR_INTERNAL");
        assert_int_equal(cop_status_exit_code((cop_status)odd[i]), 1);
        assert_non_null(cop_status_text((cop_status)odd[i]));
    }
}

static void test_set_and_prefix(void **state)
{
    (void)state;
    cop_error err = {0};
    assert_int_equal(cop_error_set(&err, COP_ERR_IO, "%s: %d", "a.bin", 7), COP_ERR_IO);
    assert_int_equal(err.status, COP_ERR_IO);
    assert_string_equal(err.message, "a.bin: 7");
    assert_int_equal(cop_error_prefix(&err, "rank %d", 3), COP_ERR_IO);
    assert_string_equal(err.message, "rank 3: a.bin: 7");

    /* The old message may be part of the new one. */
    assert_int_equal(cop_error_set(&err, COP_ERR_UNIT, "[%s]", err.message), COP_ERR_UNIT);
    assert_string_equal(err.message, "[rank 3: a.bin: 7]");
    assert_int_equal(cop_error_prefix(&err, "%s", err.message), COP_ERR_UNIT);
    assert_string_equal(err.message, "[rank 3: a.bin: 7]: [rank 3: a.bin: 7]");

    assert_int_equal(cop_error_set(NULL, COP_ERR_IO, "%s", "lost"), COP_ERR_IO);
    assert_int_equal(cop_error_prefix(NULL, "lost"), COP_ERR_INTERNAL);
}

/* However long a message is, it ends within the buffer and with a whole character. */
static void test_long_messages(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac",
                                             "\xf0\x9f\x8c\xb3"};
    for (size_t c = 0; c < 4; c++) {
        const size_t width = strlen(characters[c]);
        assert_int_equal(width, c + 1);
        char text[2000];
        size_t length = 0;
        while (length + width < sizeof text) {
            memcpy(text + length, characters[c], width);
            length += width;
        }
        text[length] = '\0';
        for (size_t skip = 0; skip < 8; skip++) {
            cop_error err = {0};
            cop_error_set(&err, COP_ERR_IO, "%.*s%s", (int)skip, "12345678", text);
            const size_t kept = strlen(err.message);
            assert_true(kept < sizeof err.message && kept + width >= sizeof err.message);
            assert_int_equal((kept - skip) % width, 0);
            assert_memory_equal(err.message + skip, text, kept - skip);

            cop_error_set(&err, COP_ERR_IO, "%.996s", text);
            cop_error_prefix(&err, "%.*s", (int)(20 + skip), "the context of it, 12345678");
            assert_true(strlen(err.message) < sizeof err.message);
            const size_t head = 22 + skip;
            assert_int_equal((strlen(err.message) - head) % width, 0);
        }
    }
    /* A text that just fits is not cut; a context that does not fit is left out. */
    char exact[COP_ERROR_MESSAGE_BYTES];
    memset(exact, 'y', sizeof exact - 1);
    exact[sizeof exact - 1] = '\0';
    cop_error err = {0};
    cop_error_set(&err, COP_ERR_IO, "%s", exact);
    assert_string_equal(err.message, exact);
    cop_error_set(&err, COP_ERR_IO, "short");
    cop_error_prefix(&err, "%sz", exact);
    assert_string_equal(err.message, "short");
    memcpy(exact + sizeof exact - 3, "\xc3\xa9", 2);
    cop_error_set(&err, COP_ERR_IO, "%s", exact);
    assert_string_equal(err.message, exact);
}

static cop_status fail_if(int condition, cop_error *err)
{
    COP_CHECK(!condition, err, COP_ERR_FORMAT, "condition %d", condition);
    return COP_OK;
}

static cop_status try_both(int first, int second, int *reached, cop_error *err)
{
    *reached = 0;
    COP_TRY(fail_if(first, err));
    *reached = 1;
    COP_TRY(fail_if(second, err));
    *reached = 2;
    return COP_OK;
}

static cop_status try_out(int condition, int *cleaned, cop_error *err)
{
    cop_status status = COP_OK;
    COP_TRY_OUT(fail_if(condition, err));
    status = COP_INTERRUPTED;
out:
    *cleaned += 1;
    return status;
}

static void test_macros(void **state)
{
    (void)state;
    cop_error err = {0};
    int reached = 0;
    assert_int_equal(try_both(0, 0, &reached, &err), COP_OK);
    assert_int_equal(reached, 2);
    assert_int_equal(err.status, COP_OK);
    assert_int_equal(try_both(0, 5, &reached, &err), COP_ERR_FORMAT);
    assert_int_equal(reached, 1);
    assert_string_equal(err.message, "condition 5");
    assert_int_equal(try_both(4, 5, &reached, NULL), COP_ERR_FORMAT);
    assert_int_equal(reached, 0);
    int cleaned = 0;
    assert_int_equal(try_out(1, &cleaned, &err), COP_ERR_FORMAT);
    assert_int_equal(try_out(0, &cleaned, &err), COP_INTERRUPTED);
    assert_int_equal(cleaned, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_values_outside_of_the_table),
        cmocka_unit_test(test_set_and_prefix),
        cmocka_unit_test(test_long_messages),
        cmocka_unit_test(test_macros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
