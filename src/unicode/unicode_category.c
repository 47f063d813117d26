#include "coppice/unicode/unicode.h"
#include "coppice/unicode/unicode_table.h"

#include <ctype.h>
#include <string.h>

cop_category cop_unicode_category(uint32_t code)
{
    size_t low = 0;
    size_t high = cop_unicode_run_count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (cop_unicode_runs[middle].first <= code) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (cop_category)cop_unicode_runs[low].category;
}

/* Symbols that have the property Alphabetic: letters in circles and squares. */
static bool is_alphabetic_symbol(uint32_t code)
{
    return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
           (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
}

bool cop_unicode_is_word(uint32_t code)
{
    switch (cop_unicode_category(code)) {
    case COP_CATEGORY_LU:
    case COP_CATEGORY_LL:
    case COP_CATEGORY_LT:
    case COP_CATEGORY_LM:
    case COP_CATEGORY_LO:
    case COP_CATEGORY_MN:
    case COP_CATEGORY_MC:
    case COP_CATEGORY_ME:
    case COP_CATEGORY_ND:
    case COP_CATEGORY_NL:
    case COP_CATEGORY_PC:
        return true;
    default:
        return code == 0x200C || code == 0x200D || is_alphabetic_symbol(code);
    }
}

cop_category_set cop_unicode_category_set(const char *name, size_t length)
{
    /* In the order of cop_category. */
    static const char names[COP_CATEGORY_COUNT][3] = {
        "Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu",
        "Mc", "Me", "Mn", "Nd", "Nl", "No", "Pc", "Pd", "Pe", "Pf",
        "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"};
    cop_category_set set = 0;
    if (length != 1 && length != 2) return 0;
    for (unsigned i = 0; i < COP_CATEGORY_COUNT; i++) {
        if (toupper((unsigned char)name[0]) != names[i][0]) continue;
        if (length == 2 && tolower((unsigned char)name[1]) != names[i][1]) continue;
        set |= (cop_category_set)1 << i;
    }
    return set;
}

/* The change that a code point is in, NULL: none. */
static const cop_unicode_change *find_change(uint32_t code)
{
    size_t low = 0;
    size_t high = cop_unicode_change_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (cop_unicode_changes[middle].last < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const cop_unicode_change *const found = &cop_unicode_changes[low];
    return low < cop_unicode_change_count && found->first <= code ? found : NULL;
}

/* What is not assigned yet may be anything to a later version. */
static bool matters(const cop_unicode_change *change, const cop_category_set *sets,
                    size_t count)
{
    if (change->category == COP_CATEGORY_CN) return true;
    for (size_t i = 0; i < count; i++)
        if ((sets[i] >> change->before & 1) != (sets[i] >> change->category & 1)) return true;
    return false;
}

bool cop_unicode_has_change(const char *text, size_t length, const cop_category_set *sets,
                            size_t count)
{
    const uint32_t first = cop_unicode_changes[0].first;
    for (size_t at = 0; at < length;) {
        if ((uint8_t)text[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t code = 0;
        at += cop_unicode_decode(text + at, length - at, &code);
        /* Most of what is written beyond Latin lies between these and has no change. */
        if (code < first || (code >= 0x4E00 && code < 0xA000) ||
            (code >= 0xAC00 && code < 0xD700))
            continue;
        const cop_unicode_change *const change = find_change(code);
        if (change != NULL && matters(change, sets, count)) return true;
    }
    return false;
}
