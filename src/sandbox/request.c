#include "sandbox/request.h"

#include "coppice/base/memory.h"

#include <stdlib.h>
#include <string.h>

static const double longest_timeout_s = 3600;

static cop_status check_tests(const json_t *tests, cop_error *err)
{
    COP_CHECK(json_is_array(tests) && json_array_size(tests) > 0, err, COP_ERR_FORMAT,
              "\"tests\" must be a list of strings, not empty");
    for (size_t i = 0; i < json_array_size(tests); i++)
        COP_CHECK(json_is_string(json_array_get(tests, i)), err, COP_ERR_FORMAT,
                  "entry %zu of \"tests\" is not a string", i);
    return COP_OK;
}

static cop_status check_fields(const json_t *object, double default_timeout_s,
                               double *timeout_s, cop_error *err)
{
    const json_t *const setup = json_object_get(object, "setup");
    const json_t *const timeout = json_object_get(object, "timeout");
    COP_CHECK(json_is_string(json_object_get(object, "program")), err, COP_ERR_FORMAT,
              "\"program\" must be a string");
    COP_TRY(check_tests(json_object_get(object, "tests"), err));
    COP_CHECK(setup == NULL || json_is_null(setup) || json_is_string(setup), err,
              COP_ERR_FORMAT, "\"setup\" must be a string");
    *timeout_s = default_timeout_s;
    if (timeout == NULL) return COP_OK;
    *timeout_s = json_number_value(timeout);
    COP_CHECK(*timeout_s > 0 && *timeout_s <= longest_timeout_s, err, COP_ERR_FORMAT,
              "\"timeout\" must be a number of seconds, above 0 and at most %g",
              longest_timeout_s);
    return COP_OK;
}

cop_status cop_request_parse(const char *line, size_t length, double default_timeout_s,
                             cop_request *request, cop_error *err)
{
    *request = (cop_request){.id = json_null()};
    json_error_t why;
    json_t *const object = json_loadb(line, length, JSON_ALLOW_NUL, &why);
    COP_CHECK(object != NULL, err, COP_ERR_FORMAT, "not JSON: %s", why.text);
    json_t *const id = json_object_get(object, "id");
    if (id != NULL) request->id = json_incref(id);
    cop_status status = COP_OK;
    if (!json_is_object(object))
        status = cop_error_set(err, COP_ERR_FORMAT, "not a JSON object");
    else
        status = check_fields(object, default_timeout_s, &request->timeout_s, err);
    json_decref(object);
    COP_TRY(status);
    request->text = cop_memory_copy_string(line, length, err);
    request->length = length;
    return request->text != NULL ? COP_OK : COP_ERR_MEMORY;
}

void cop_request_free(cop_request *request)
{
    json_decref(request->id);
    cop_memory_free(request->text);
    *request = (cop_request){0};
}

/* Appends an object as a line and frees it; NULL is a lack of memory. */
static cop_status append_line(cop_text *out, json_t *object, cop_error *err)
{
    char *const dump =
        object != NULL ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(object);
    COP_CHECK(dump != NULL, err, COP_ERR_MEMORY, "no memory for an answer");
    const cop_status status = cop_text_format(out, err, "%s\n", dump);
    free(dump); /* jansson's, by malloc */
    return status;
}

/* jansson packs borrowed references only of what is not const. */
static json_t *copy_of(const json_t *id)
{
    return id != NULL ? json_deep_copy(id) : json_null();
}

cop_status cop_request_answer(cop_text *out, const json_t *id, bool passed, const char *why,
                              cop_error *err)
{
    return append_line(
        out, json_pack("{s:o, s:b, s:s}", "id", copy_of(id), "passed", passed, "why", why),
        err);
}

cop_status cop_request_refuse(cop_text *out, const json_t *id, const char *message,
                              cop_error *err)
{
    return append_line(out, json_pack("{s:o, s:s}", "id", copy_of(id), "error", message), err);
}

cop_status cop_request_fail(cop_text *out, const json_t *id, const char *message,
                            cop_error *err)
{
    return append_line(out, json_pack("{s:o, s:s}", "id", copy_of(id), "failed", message), err);
}
