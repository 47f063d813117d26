/* SHA-256: the examples of FIPS 180-4, in one piece and in many. */
#include "coppice/base/digest.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

typedef struct known {
    const char *text;
    const char *hex;
} known;

static const known answers[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void test_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char hex[COP_DIGEST_HEX_BYTES];
        assert_int_equal(cop_digest_bytes(answers[i].text, strlen(answers[i].text), hex, NULL),
                         COP_OK);
        assert_string_equal(hex, answers[i].hex);
    }
    char hex[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_digest_bytes(NULL, 0, hex, NULL), COP_OK);
    assert_string_equal(hex, answers[0].hex);
}

static void test_a_million_letters(void **state)
{
    (void)state;
    static const char wanted[] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    const size_t count = 1000000;
    char *const letters = malloc(count);
    assert_non_null(letters);
    memset(letters, 'a', count);
    char hex[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_digest_bytes(letters, count, hex, NULL), COP_OK);
    assert_string_equal(hex, wanted);

    cop_digest *digest = NULL;
    assert_int_equal(cop_digest_create(&digest, NULL), COP_OK);
    size_t at = 0;
    for (size_t piece = 0; at < count; piece = (piece * 7 + 1) % 1009) {
        const size_t bytes = piece < count - at ? piece : count - at;
        assert_int_equal(cop_digest_update(digest, letters + at, bytes, NULL), COP_OK);
        at += bytes;
    }
    memset(hex, 'x', sizeof hex);
    assert_int_equal(cop_digest_finish(digest, hex, NULL), COP_OK);
    assert_string_equal(hex, wanted);
    cop_digest_destroy(&digest);
    assert_null(digest);
    free(letters);
}

static void test_destroy(void **state)
{
    (void)state;
    cop_digest *digest = NULL;
    cop_digest_destroy(&digest);
    cop_digest_destroy(NULL);
    assert_int_equal(cop_digest_create(&digest, NULL), COP_OK);
    assert_non_null(digest);
    cop_digest_destroy(&digest);
    assert_null(digest);
    cop_digest_destroy(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_a_million_letters),
        cmocka_unit_test(test_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
