/* Answers as text: what does not matter in them left out. Same texts are same answers, whether
 * they are expressions or not; words are compared without their case. */
#include "task/math/strict.h"

#include "coppice/base/memory.h"
#include "task/characters.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes that `text` begins with and that do not matter; *opens: a brace that goes with its
 * partner is the last of them. */
static size_t match_filler(cop_slice text, bool *opens)
{
    static const char *const wrappers[] = {"\\text{",   "\\mbox{",   "\\mathrm{", "\\textbf{",
                                           "\\mathbf{", "\\textit{", "\\textrm{", "\\mathit{"};
    static const char *const fillers[] = {"\\left", "\\right", "\\!", "\\,", "\\;",
                                          "\\:",    "\\ ",     "\\$", "$",   " ",
                                          "\t",     "\n",      "\r",  "~"};
    *opens = false;
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        if (!cop_slice_begins(text, wrappers[i])) continue;
        *opens = true;
        return strlen(wrappers[i]);
    }
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
        const size_t size = strlen(fillers[i]);
        const bool longer = is_letter(fillers[i][size - 1]) && size < text.length &&
                            is_letter(text.data[size]); /* \leftarrow */
        if (cop_slice_begins(text, fillers[i]) && !longer) return size;
    }
    return 0;
}

/* Appends the text without fillers. *wrapped: some of it is words by its command. */
static cop_status append_plain(cop_text *plain, cop_slice text, bool *wrapped, cop_error *err)
{
    enum { MOST_BRACES = 64 };
    uint64_t hidden = 0; /* bit d: the brace open at depth d is not shown */
    size_t depth = 0;
    while (text.length > 0) {
        bool opens = false;
        size_t size = match_filler(text, &opens);
        const bool close = size == 0 && *text.data == '}' && depth > 0;
        if (opens || (size == 0 && *text.data == '{')) {
            if (depth == MOST_BRACES) return COP_OK;
            hidden = (hidden & ~((uint64_t)1 << depth)) | ((uint64_t)opens << depth);
            depth++;
            *wrapped = *wrapped || opens;
        }
        const bool unseen = close && ((hidden >> (depth - 1)) & 1u) != 0;
        depth -= close;
        if (size == 0 && cop_slice_begins(text, "\\dfrac")) {
            COP_TRY(cop_text_append(plain, "\\frac", 5, err));
            size = strlen("\\dfrac");
        } else if (size == 0) {
            size = 1;
            if (!unseen) COP_TRY(cop_text_append(plain, text.data, 1, err));
        }
        text = (cop_slice){text.data + size, text.length - size};
    }
    return COP_OK;
}

/* A single letter loses its parentheses: (C). */
static void drop_ends(cop_text *plain)
{
    while (plain->length > 1 && strchr(".,;", plain->data[plain->length - 1]) != NULL)
        plain->length--;
    if (plain->length == 3 && plain->data[0] == '(' && plain->data[2] == ')' &&
        is_letter(plain->data[1])) {
        plain->data[0] = plain->data[1];
        plain->length = 1;
    }
    plain->data[plain->length] = '\0';
}

/* Words are letters without commands and digits, and not so few that they are variables. */
static bool is_wordy(const cop_text *plain)
{
    enum { SHORTEST_WORD = 3 };
    size_t letters = 0;
    for (size_t i = 0; i < plain->length; i++) {
        if (strchr("\\^_=<>+*/{}0123456789", plain->data[i]) != NULL) return false;
        letters += is_letter(plain->data[i]);
    }
    return letters >= SHORTEST_WORD || strcasecmp(plain->data, "no") == 0;
}

/* Fills in `plain` and `wordy`. */
static cop_status make_plain(cop_strict_tree *tree, cop_error *err)
{
    bool wrapped = false;
    COP_TRY(append_plain(&tree->plain, cop_slice_of(&tree->source), &wrapped, err));
    COP_TRY(cop_text_append(&tree->plain, "", 0, err));
    drop_ends(&tree->plain);
    tree->wordy = wrapped || is_wordy(&tree->plain);
    return COP_OK;
}

cop_status cop_strict_read(cop_slice answer, cop_strict_tree **tree, cop_error *err)
{
    cop_strict_token *tokens = NULL;
    cop_status status = COP_OK;
    *tree = NULL;
    cop_strict_tree *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    COP_TRY_OUT(cop_strict_translate(cop_slice_strip(answer), &made->source, err));
    COP_TRY_OUT(make_plain(made, err));
    if (made->source.length <= COP_STRICT_MOST_BYTES) {
        tokens = cop_memory_alloc(COP_STRICT_MOST_TOKENS, sizeof *tokens, err);
        if (tokens == NULL) {
            status = COP_ERR_MEMORY;
            goto out;
        }
        if (cop_strict_cut(cop_slice_of(&made->source), tokens)) cop_strict_parse(tokens, made);
    }
    *tree = made;
    made = NULL;
out:
    cop_memory_free(tokens);
    cop_strict_free(&made);
    return status;
}

void cop_strict_free(cop_strict_tree **tree)
{
    if (*tree == NULL) return;
    cop_text_free(&(*tree)->source);
    cop_text_free(&(*tree)->plain);
    cop_memory_free(*tree);
    *tree = NULL;
}
