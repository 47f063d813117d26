/* What equal answers share. Numbers are fractions where they are rational, else decimals; an
 * expression with variables is told by its values at some points. */
#include "task/math/strict.h"

#include "task/characters.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static cop_status append_node(const cop_strict_tree *tree, cop_strict_item item, int depth,
                              cop_text *key, bool *known, cop_error *err);

/* A real or complex number to 11 digits, no negative zero. */
static cop_status append_number(long double complex number, cop_text *key, cop_error *err)
{
    static const long double least = 1e-15L;
    const long double size = cabsl(number);
    long double real = creall(number);
    long double imaginary = cimagl(number);
    if (fabsl(real) <= least * size) real = 0;
    if (fabsl(imaginary) <= least * size) imaginary = 0;
    if (imaginary == 0) return cop_text_format(key, err, "%.11Lg", real);
    return cop_text_format(key, err, "%.11Lg%+.11Lgi", real, imaginary);
}

static cop_status append_value(const cop_strict_value *value, cop_text *key, cop_error *err)
{
    const cop_strict_value end = cop_strict_infinity();
    const cop_strict_value zero = cop_strict_subtract(&end, &end);
    const cop_strict_value start = cop_strict_subtract(&zero, &end);
    if (value->rational && value->below == 1)
        return cop_text_format(key, err, "%" PRId64, value->above);
    if (value->rational)
        return cop_text_format(key, err, "%" PRId64 "/%" PRId64, value->above, value->below);
    if (cop_strict_is_same_value(value, &end)) return cop_text_format(key, err, "inf");
    if (cop_strict_is_same_value(value, &start)) return cop_text_format(key, err, "-inf");
    if (value->exact) COP_TRY(cop_text_format(key, err, "#%016" PRIx64 " ", value->residue[0]));
    return append_number(value->number, key, err);
}

/* A root that is a whole number or a plain fraction votes with it. */
static void find_rational(cop_strict_value *value)
{
    enum { MOST_BELOW = 1000 };
    static const long double most = 1e12L;
    static const long double near = 1e-15L;
    const long double real = creall(value->number);
    const long double size = fabsl(real);
    if (value->exact || !(size < most) || fabsl(cimagl(value->number)) > near * size) return;
    for (int64_t below = 1; below <= MOST_BELOW; below++) {
        const long double above = roundl(real * (long double)below);
        if (fabsl(above - real * (long double)below) > near * fmaxl(fabsl(above), 1e-3L))
            continue;
        value->rational = true;
        value->above = (int64_t)above;
        value->below = below;
        return;
    }
}

static cop_status append_scalar(const cop_strict_tree *tree, cop_strict_item item,
                                cop_text *key, bool *known, cop_error *err)
{
    enum { SHOWN_POINTS = 2 };
    const bool varies = cop_strict_has_variables(tree, item.node);
    if (varies) COP_TRY(cop_text_format(key, err, "f:"));
    for (int point = 0; point < (varies ? SHOWN_POINTS : 1); point++) {
        cop_strict_value value;
        *known = cop_strict_evaluate(tree, item.node, point, item.minus, &value) &&
                 cop_strict_is_usable(&value);
        if (!*known) return COP_OK;
        if (varies && value.exact) {
            COP_TRY(cop_text_format(key, err, "%016" PRIx64, value.residue[0]));
            continue;
        }
        if (!varies) find_rational(&value);
        if (point > 0) COP_TRY(cop_text_append(key, ",", 1, err));
        COP_TRY(append_value(&value, key, err));
    }
    return COP_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(((const cop_text *)a)->data, ((const cop_text *)b)->data);
}

/* The keys of what has no order, sorted, each once. */
static cop_status append_items(const cop_strict_tree *tree, uint16_t node, int depth,
                               cop_text *key, bool *known, cop_error *err)
{
    cop_strict_item items[COP_STRICT_MOST_ITEMS];
    cop_text keys[COP_STRICT_MOST_ITEMS] = {0};
    cop_status status = COP_OK;
    const size_t found = cop_strict_find_items(tree, node, items);
    const size_t count = found == SIZE_MAX ? 0 : found;
    *known = found != SIZE_MAX;
    for (size_t i = 0; i < count && *known; i++) {
        COP_TRY_OUT(append_node(tree, items[i], depth, &keys[i], known, err));
        COP_TRY_OUT(cop_text_append(&keys[i], "", 0, err));
    }
    if (!*known) goto out;
    qsort(keys, count, sizeof keys[0], compare_texts);
    if (count != 1) COP_TRY_OUT(cop_text_append(key, "{", 1, err));
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(keys[i].data, keys[i - 1].data) == 0) continue;
        COP_TRY_OUT(cop_text_format(key, err, "%s%s", i > 0 ? ", " : "", keys[i].data));
    }
    if (count != 1) COP_TRY_OUT(cop_text_append(key, "}", 1, err));
out:
    for (size_t i = 0; i < COP_STRICT_MOST_ITEMS; i++)
        cop_text_free(&keys[i]);
    return status;
}

static cop_status append_parts(const cop_strict_tree *tree, const cop_strict_node *node,
                               int depth, cop_text *key, bool *known, cop_error *err)
{
    COP_TRY(cop_text_format(key, err, "%c", node->detail == 0 ? '(' : node->detail));
    for (uint16_t part = node->first; part != 0 && *known; part = tree->nodes[part].next) {
        if (part != node->first) COP_TRY(cop_text_append(key, ", ", 2, err));
        COP_TRY(append_node(tree, (cop_strict_item){.node = part}, depth, key, known, err));
    }
    return cop_text_format(key, err, "%c", node->other == 0 ? ')' : node->other);
}

static cop_status append_span(const cop_strict_span *span, cop_text *key, cop_error *err)
{
    COP_TRY(cop_text_append(key, span->low_closed ? "[" : "(", 1, err));
    COP_TRY(append_value(&span->low, key, err));
    COP_TRY(cop_text_append(key, ", ", 2, err));
    COP_TRY(append_value(&span->high, key, err));
    return cop_text_append(key, span->high_closed ? "]" : ")", 1, err);
}

static bool has_no_order(const cop_strict_tree *tree, cop_strict_item item, int depth)
{
    switch (tree->nodes[item.node].code) {
    case COP_STRICT_LIST:
    case COP_STRICT_SET:
    case COP_STRICT_UNION:
    case COP_STRICT_EMPTY:
        return true;
    default:
        return depth <= 1 && cop_strict_is_scalar(tree, item.node) &&
               cop_strict_has_sign(tree, item.node);
    }
}

static cop_status append_node(const cop_strict_tree *tree, cop_strict_item item, int depth,
                              cop_text *key, bool *known, cop_error *err)
{
    enum { MOST_DEPTH = 5 };
    const cop_strict_node *const node = &tree->nodes[item.node];
    cop_strict_span span;
    *known = depth < MOST_DEPTH;
    if (!*known) return COP_OK;
    if (node->code == COP_STRICT_NAMED)
        return append_node(tree, (cop_strict_item){.node = node->first}, depth, key, known,
                           err);
    if (has_no_order(tree, item, depth))
        return append_items(tree, item.node, depth + 2, key, known, err);
    if (cop_strict_find_span(tree, item.node, &span)) return append_span(&span, key, err);
    if (node->code == COP_STRICT_TUPLE || node->code == COP_STRICT_MATRIX)
        return append_parts(tree, node, depth + 1, key, known, err);
    *known = cop_strict_is_scalar(tree, item.node);
    if (!*known) return COP_OK;
    COP_TRY(append_scalar(tree, item, key, known, err));
    if (node->code != COP_STRICT_BASED || !*known) return COP_OK;
    COP_TRY(cop_text_append(key, "_", 1, err));
    const uint16_t base = tree->nodes[node->first].next;
    return append_scalar(tree, (cop_strict_item){.node = base}, key, known, err);
}

/* Appends a text, in lower case where case does not matter. */
static cop_status append_text(const cop_text *text, bool blind, cop_text *to, cop_error *err)
{
    for (size_t i = 0; i < text->length; i++) {
        const char c = text->data[i];
        const char low = blind && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        COP_TRY(cop_text_append(to, &low, 1, err));
    }
    return cop_text_append(to, "", 0, err);
}

static cop_status append_tree(const cop_strict_tree *tree, cop_text *key, cop_error *err)
{
    const size_t before = key->length;
    bool known = false;
    if (tree->root != 0)
        COP_TRY(append_node(tree, (cop_strict_item){.node = tree->root}, 0, key, &known, err));
    if (known) return COP_OK;
    key->length = before;
    return append_text(&tree->plain, tree->wordy, key, err);
}

static bool has_only_letters(const cop_text *text)
{
    size_t letters = 0;
    while (letters < text->length &&
           ((text->data[letters] >= 'a' && text->data[letters] <= 'z') ||
            (text->data[letters] >= 'A' && text->data[letters] <= 'Z')))
        letters++;
    return letters > 0 && letters == text->length;
}

/* Yes, yes and \text{yes}, C and \text{(C)} are read alike: as bare letters, which short words
 * have in common with products of variables. */
static cop_status append_word(const cop_strict_tree *tree, cop_text *key, cop_error *err)
{
    enum { MOST_VARIABLES = 2 }; /* more letters are a word, whatever their case */
    cop_strict_tree *bare = NULL;
    cop_text word = {0};
    const bool blind =
        tree->plain.length > MOST_VARIABLES || strcasecmp(tree->plain.data, "no") == 0;
    cop_status status = append_text(&tree->plain, blind, &word, err);
    if (status == COP_OK) status = cop_strict_read(cop_slice_of(&word), &bare, err);
    if (status == COP_OK) status = append_tree(bare, key, err);
    cop_strict_free(&bare);
    cop_text_free(&word);
    return status;
}

cop_status cop_strict_append_key(const cop_strict_tree *tree, cop_text *key, cop_error *err)
{
    const bool word =
        has_only_letters(&tree->plain) && (tree->root == 0 || has_only_letters(&tree->source));
    return word ? append_word(tree, key, err) : append_tree(tree, key, err);
}
