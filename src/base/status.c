#include "coppice/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct status_entry {
    const char *name;
    const char *text;
    int exit_code;
} status_entry;

#define STATUS_ENTRY(status, code, description) {#status, description, code},
static const status_entry entries[] = {COP_STATUS_LIST(STATUS_ENTRY)};
#undef STATUS_ENTRY

static const status_entry *find_entry(cop_status status)
{
    const size_t index = (size_t)status;
    return &entries[index < COP_STATUS_COUNT ? index : COP_ERR_INTERNAL];
}

const char *cop_status_text(cop_status status)
{
    return find_entry(status)->text;
}

const char *cop_status_name(cop_status status)
{
    return find_entry(status)->name;
}

int cop_status_exit_code(cop_status status)
{
    return find_entry(status)->exit_code;
}

cop_status cop_error_set(cop_error *err, cop_status status, const char *format, ...)
{
    if (err == NULL) return status;
    va_list arguments;
    va_start(arguments, format);
    /* The arguments may point into err->message. */
    char message[COP_ERROR_MESSAGE_BYTES];
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(err->message, message, sizeof message);
    err->status = status;
    return status;
}

cop_status cop_error_prefix(cop_error *err, const char *format, ...)
{
    if (err == NULL) return COP_ERR_INTERNAL;
    char message[COP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof message) return err->status;
    const size_t used = (size_t)length;
    (void)snprintf(message + used, sizeof message - used, ": %s", err->message);
    memcpy(err->message, message, sizeof message);
    return err->status;
}
