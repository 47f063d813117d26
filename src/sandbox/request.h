/* Lines of the protocol: requests in, answers out. */
#ifndef COP_SANDBOX_REQUEST_H
#define COP_SANDBOX_REQUEST_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <jansson.h>
#include <stdbool.h>

/** One request. Free with cop_request_free(). */
typedef struct cop_request {
    json_t *id; /**< echoed in the answer; JSON null if there is none; owned */
    char *text; /**< [length] the line, owned */
    size_t length;
    double timeout_s;
} cop_request;

/** Reads a line [length]: {"id", "program", "tests", "setup", "timeout"}. On failure
 *  (COP_ERR_FORMAT) the request holds the id alone, as far as it can be told. */
cop_status cop_request_parse(const char *line, size_t length, double default_timeout_s,
                             cop_request *request, cop_error *err);

/** Frees what a request owns; it is then {0}. */
void cop_request_free(cop_request *request);

/** Appends the answer {"id", "passed", "why"}. */
cop_status cop_request_answer(cop_text *out, const json_t *id, bool passed, const char *why,
                              cop_error *err);

/** Appends the answer {"id", "error"}: the request is wrong. */
cop_status cop_request_refuse(cop_text *out, const json_t *id, const char *message,
                              cop_error *err);

/** Appends the answer {"id", "failed"}: the server could not do it, the request may be right.
 */
cop_status cop_request_fail(cop_text *out, const json_t *id, const char *message,
                            cop_error *err);

#endif
