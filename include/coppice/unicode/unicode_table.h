/** \file unicode_table.h
 * General categories of one stated version of Unicode, 16.0.0: that of tokenizers 0.23,
 * whatever the version of PCRE2.
 */
#ifndef COPPICE_UNICODE_UNICODE_TABLE_H
#define COPPICE_UNICODE_UNICODE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cop_category {
    COP_CATEGORY_CC,
    COP_CATEGORY_CF,
    COP_CATEGORY_CN,
    COP_CATEGORY_CO,
    COP_CATEGORY_CS,
    COP_CATEGORY_LL,
    COP_CATEGORY_LM,
    COP_CATEGORY_LO,
    COP_CATEGORY_LT,
    COP_CATEGORY_LU,
    COP_CATEGORY_MC,
    COP_CATEGORY_ME,
    COP_CATEGORY_MN,
    COP_CATEGORY_ND,
    COP_CATEGORY_NL,
    COP_CATEGORY_NO,
    COP_CATEGORY_PC,
    COP_CATEGORY_PD,
    COP_CATEGORY_PE,
    COP_CATEGORY_PF,
    COP_CATEGORY_PI,
    COP_CATEGORY_PO,
    COP_CATEGORY_PS,
    COP_CATEGORY_SC,
    COP_CATEGORY_SK,
    COP_CATEGORY_SM,
    COP_CATEGORY_SO,
    COP_CATEGORY_ZL,
    COP_CATEGORY_ZP,
    COP_CATEGORY_ZS,
    COP_CATEGORY_COUNT
} cop_category;

/** A set of categories, bit by cop_category. */
typedef uint32_t cop_category_set;

/** From `first` to the next run's. */
typedef struct cop_unicode_run {
    uint32_t first;
    uint8_t category;
} cop_unicode_run;

/** Code points that Unicode 14 had in another category, and those that are not assigned yet. */
typedef struct cop_unicode_change {
    uint32_t first;
    uint32_t last;
    uint8_t before;
    uint8_t category;
} cop_unicode_change;

extern const cop_unicode_run cop_unicode_runs[];
extern const size_t cop_unicode_run_count;
extern const cop_unicode_change cop_unicode_changes[];
extern const size_t cop_unicode_change_count;

/** The category of a code point. */
cop_category cop_unicode_category(uint32_t code);

/** Letters, marks, decimal digits, connectors and joiners: what a regular expression's \w is in
 * Unicode's own definition. */
bool cop_unicode_is_word(uint32_t code);

/** The set that a name of one letter or two stands for in \p{...}, any case; 0: no category. */
cop_category_set cop_unicode_category_set(const char *name, size_t length);

/** True if the text [length], well-formed UTF-8, has a code point that is in one of the sets
 * [count] by this version of Unicode and may not be by another, or the other way about. */
bool cop_unicode_has_change(const char *text, size_t length, const cop_category_set *sets,
                            size_t count);

#endif
