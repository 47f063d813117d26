/* Upper and lower case. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_text.h"

#include <utf8proc.h>

/* Characters whose upper case is several, or depends on what stands around them; Python knows
 * those rules, utf8proc does not. */
static bool is_special(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0xDF, 0xDF},     {0x130, 0x130},   {0x149, 0x149},   {0x1F0, 0x1F0},
                  {0x345, 0x345},   {0x390, 0x390},   {0x3A3, 0x3A3},   {0x3B0, 0x3B0},
                  {0x587, 0x587},   {0x1E96, 0x1E9A}, {0x1E9E, 0x1E9E}, {0x1F50, 0x1F56},
                  {0x1F80, 0x1FFC}, {0xFB00, 0xFB17}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    }
    return false;
}

static bool is_cased(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT || is_special(code) ||
           utf8proc_tolower((utf8proc_int32_t)code) != (utf8proc_int32_t)code ||
           utf8proc_toupper((utf8proc_int32_t)code) != (utf8proc_int32_t)code;
}

static uint32_t change(uint32_t code, bool upper, bool title)
{
    const utf8proc_int32_t c = (utf8proc_int32_t)code;
    return (uint32_t)(title   ? utf8proc_totitle(c)
                      : upper ? utf8proc_toupper(c)
                              : utf8proc_tolower(c));
}

cop_status cop_jinja_put_case(jinja_run *run, jinja_buffer *buffer, jinja_text text,
                              jinja_case wanted)
{
    bool starts = true;
    uint32_t code = 0;
    for (size_t i = 0; i < text.length;) {
        i += cop_unicode_decode(text.data + i, text.length - i, &code);
        const bool title = starts && (wanted == JINJA_CAPITALIZE || wanted == JINJA_TITLE);
        const bool upper = wanted == JINJA_UPPER || (starts && wanted == JINJA_FIRST_UPPER);
        starts = wanted == JINJA_TITLE && !is_cased(code);
        if (is_special(code))
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                                  "the case of the character U+%04X cannot be changed here",
                                  (unsigned)code);
        char bytes[4];
        const size_t length = cop_unicode_encode(change(code, upper, title), bytes);
        COP_TRY(cop_jinja_put(run, buffer, bytes, length));
    }
    return COP_OK;
}

static bool has_only(jinja_text text, bool upper)
{
    bool any = false;
    uint32_t code = 0;
    for (size_t i = 0; i < text.length;) {
        i += cop_unicode_decode(text.data + i, text.length - i, &code);
        if (!is_cased(code)) continue;
        const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
        if (category == UTF8PROC_CATEGORY_LT || (category == UTF8PROC_CATEGORY_LU) != upper)
            return false;
        any = true;
    }
    return any;
}

bool cop_jinja_is_upper(jinja_text text)
{
    return has_only(text, true);
}

bool cop_jinja_is_lower(jinja_text text)
{
    return has_only(text, false);
}
