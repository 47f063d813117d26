#include "coppice/base/status.h"

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

/* Ends a message that vsnprintf cut after `full` bytes at the last whole character. */
static void trim_cut(char message[COP_ERROR_MESSAGE_BYTES], int full)
{
    if (full < COP_ERROR_MESSAGE_BYTES) return;
    size_t end = strlen(message);
    size_t start = end;
    while (start > 0 && ((unsigned char)message[start - 1] & 0xc0U) == 0x80U)
        start--;
    if (start == 0) return;
    const unsigned char lead = (unsigned char)message[start - 1];
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (end - start + 1 < length) end = start - 1;
    message[end] = '\0';
}

/* `text` was printed beside err->message, which its arguments may point into. */
static void store(cop_error *err, char text[COP_ERROR_MESSAGE_BYTES], int full)
{
    if (full < 0)
        (void)snprintf(text, COP_ERROR_MESSAGE_BYTES, "a message cannot be formatted");
    trim_cut(text, full);
    memcpy(err->message, text, strlen(text) + 1);
}

cop_status cop_error_set(cop_error *err, cop_status status, const char *format, ...)
{
    if (err == NULL) return status;
    char message[COP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int full = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    store(err, message, full);
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
    const int rest =
        snprintf(message + length, sizeof message - (size_t)length, ": %s", err->message);
    store(err, message, rest < 0 ? rest : length + rest);
    return err->status;
}
