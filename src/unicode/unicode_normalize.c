/* Normalisation forms (unicode.h). The steps are taken one by one because the library's own
 * ordering of combining marks takes quadratic time in the length of a run of them. */
#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

typedef struct code_list {
    utf8proc_int32_t *data; /* [count], owned */
    size_t count;
    size_t capacity;
} code_list;

/* A mark on its way to canonical order: its combining class above its place in the run. */
typedef struct mark {
    uint64_t key;
    utf8proc_int32_t code;
} mark;

static int compare_marks(const void *a, const void *b)
{
    const uint64_t x = ((const mark *)a)->key;
    const uint64_t y = ((const mark *)b)->key;
    return (x > y) - (x < y);
}

static cop_status decompose_text(const char *text, size_t length, utf8proc_option_t options,
                                 code_list *list, cop_error *err)
{
    enum { LONGEST = 32 }; /* a character decomposes to 18 at most */
    size_t at = 0;
    int boundary = 0;
    while (at < length) {
        uint32_t code = 0;
        at += cop_unicode_decode(text + at, length - at, &code);
        COP_GROW(list->data, list->capacity, list->count + LONGEST, err);
        const utf8proc_ssize_t got = utf8proc_decompose_char(
            (utf8proc_int32_t)code, list->data + list->count, LONGEST, options, &boundary);
        COP_CHECK(got >= 0 && got <= LONGEST, err, COP_ERR_INTERNAL,
                  "U+%04X cannot be normalised: %s", (unsigned)code,
                  got < 0 ? utf8proc_errmsg(got) : "it decomposes into too many characters");
        list->count += (size_t)got;
    }
    return COP_OK;
}

static cop_status order_run(utf8proc_int32_t *codes, size_t count, cop_error *err)
{
    mark *const marks = cop_memory_alloc_raw(count, sizeof *marks, err);
    if (marks == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const uint64_t class = (uint64_t)utf8proc_get_property(codes[i])->combining_class;
        marks[i] = (mark){.key = class << 48 | i, .code = codes[i]};
    }
    qsort(marks, count, sizeof *marks, compare_marks);
    for (size_t i = 0; i < count; i++)
        codes[i] = marks[i].code;
    cop_memory_free(marks);
    return COP_OK;
}

/* Sorts every run of characters with a combining class by that class, keeping equals in order.
 */
static cop_status order_marks(code_list *list, cop_error *err)
{
    size_t start = 0;
    for (size_t i = 0; i <= list->count; i++) {
        if (i < list->count && utf8proc_get_property(list->data[i])->combining_class != 0)
            continue;
        if (i - start > 1) COP_TRY(order_run(list->data + start, i - start, err));
        start = i + 1;
    }
    return COP_OK;
}

/* Text that every form leaves as it is: ASCII, and below U+0300 what NFC leaves. */
static bool is_normal(cop_unicode_form form, const char *text, size_t length)
{
    const uint8_t lowest = form == COP_UNICODE_NFC ? 0xCC : 0x80;
    for (size_t i = 0; i < length; i++) {
        if ((uint8_t)text[i] >= lowest) return false;
    }
    return true;
}

cop_status cop_unicode_normalize(cop_unicode_form form, const char *text, size_t length,
                                 cop_text *out, cop_error *err)
{
    if (is_normal(form, text, length)) return cop_text_append(out, text, length, err);
    const bool compose = form == COP_UNICODE_NFC || form == COP_UNICODE_NFKC;
    const bool compatible = form == COP_UNICODE_NFKC || form == COP_UNICODE_NFKD;
    const int decompose =
        UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    cop_status status = COP_OK;
    code_list list = {0};
    COP_TRY_OUT(decompose_text(text, length, (utf8proc_option_t)decompose, &list, err));
    COP_TRY_OUT(order_marks(&list, err));
    if (compose && list.count > 0) {
        const utf8proc_ssize_t count =
            utf8proc_normalize_utf32(list.data, (utf8proc_ssize_t)list.count,
                                     (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
        if (count < 0) {
            status = cop_error_set(err, COP_ERR_INTERNAL, "a text cannot be normalised: %s",
                                   utf8proc_errmsg(count));
            goto out;
        }
        list.count = (size_t)count;
    }
    for (size_t i = 0; i < list.count; i++) {
        char bytes[4];
        const size_t count = cop_unicode_encode((uint32_t)list.data[i], bytes);
        COP_TRY_OUT(cop_text_append(out, bytes, count, err));
    }
out:
    cop_memory_free(list.data);
    return status;
}
