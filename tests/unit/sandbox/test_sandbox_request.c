/* Lines of the sandbox's protocol. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sandbox/request.h"

#include <string.h>

static cop_status parse(const char *line, cop_request *request, cop_error *err)
{
    return cop_request_parse(line, strlen(line), 10, request, err);
}

static void test_complete(void **state)
{
    (void)state;
    static const char line[] = "{\"id\": 7, \"program\": \"x = 1\", \"tests\": [\"assert x\"], "
                               "\"setup\": \"import math\", \"timeout\": 2.5}";
    cop_request request;
    assert_int_equal(parse(line, &request, NULL), COP_OK);
    assert_int_equal(json_integer_value(request.id), 7);
    assert_string_equal(request.text, line);
    assert_int_equal(request.length, strlen(line));
    assert_true(request.timeout_s == 2.5);
    cop_request_free(&request);
    assert_null(request.id);
    assert_int_equal(
        parse("{\"program\": \"\", \"tests\": [\"1\"], \"setup\": null}", &request, NULL),
        COP_OK);
    assert_true(json_is_null(request.id));
    assert_true(request.timeout_s == 10);
    cop_request_free(&request);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"[1]", "not a JSON object"},
        {"{\"id\": 7, \"tests\": [\"1\"]}", "\"program\""},
        {"{\"id\": 7, \"program\": null, \"tests\": [\"1\"]}", "\"program\""},
        {"{\"id\": 7, \"program\": \"\"}", "\"tests\""},
        {"{\"id\": 7, \"program\": \"\", \"tests\": []}", "not empty"},
        {"{\"id\": 7, \"program\": \"\", \"tests\": [\"1\", 2]}", "entry 1"},
        {"{\"id\": 7, \"program\": \"\", \"tests\": [\"1\"], \"setup\": []}", "\"setup\""},
        {"{\"id\": 7, \"program\": \"\", \"tests\": [\"1\"], \"timeout\": \"1\"}", "above 0"},
        {"{\"id\": 7, \"program\": \"\", \"tests\": [\"1\"], \"timeout\": -1}", "above 0"},
        {"{\"id\": 7, \"program\": \"\", \"tests\": [\"1\"], \"timeout\": 3601}", "3600"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cop_request request;
        cop_error err = {0};
        assert_int_equal(parse(cases[i].line, &request, &err), COP_ERR_FORMAT);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].line, err.message);
        assert_null(request.text);
        if (strstr(cases[i].line, "id")) assert_int_equal(json_integer_value(request.id), 7);
        cop_request_free(&request);
    }
}

static void test_answers(void **state)
{
    (void)state;
    cop_text out = {0};
    json_t *const id = json_pack("[i, s]", 1, "\xc3\xa9");
    assert_int_equal(cop_request_answer(&out, id, true, "passed", NULL), COP_OK);
    assert_int_equal(cop_request_answer(&out, NULL, false, "time", NULL), COP_OK);
    assert_int_equal(cop_request_refuse(&out, id, "say \"why\"", NULL), COP_OK);
    assert_string_equal(out.data,
                        "{\"id\":[1,\"\\u00E9\"],\"passed\":true,\"why\":\"passed\"}\n"
                        "{\"id\":null,\"passed\":false,\"why\":\"time\"}\n"
                        "{\"id\":[1,\"\\u00E9\"],\"error\":\"say \\\"why\\\"\"}\n");
    json_decref(id);
    cop_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
