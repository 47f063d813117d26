/* Where in a response its program stands, and which pieces of it belong together. */
#include "task/program/program.h"

#include "task/characters.h"
#include "task/program/blocks.h"
#include "task/program/python_text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static cop_slice from(cop_slice text, const char *start)
{
    return (cop_slice){start, text.length - (size_t)(start - text.data)};
}

static cop_slice until(cop_slice text, const char *end)
{
    return (cop_slice){text.data, (size_t)(end - text.data)};
}

static const char *find(cop_slice text, const char *word)
{
    return memmem(text.data, text.length, word, strlen(word));
}

/* As find(), whatever the case of the letters. */
static const char *find_mark(cop_slice text, const char *mark)
{
    const size_t length = strlen(mark);
    for (size_t i = 0; i + length <= text.length; i++)
        if (text.data[i] == mark[0] && strncasecmp(text.data + i, mark, length) == 0)
            return text.data + i;
    return NULL;
}

/* The last place of a mark, NULL for none. */
static const char *find_last_mark(cop_slice text, const char *mark)
{
    const char *last = NULL;
    for (const char *at = find_mark(text, mark); at != NULL;
         at = find_mark(from(text, at + 1), mark))
        last = at;
    return last;
}

/* --- putting a program together --- */

typedef struct choice {
    const cop_blocks *blocks;
    bool taken[COP_BLOCKS_MOST];
    cop_slice tests;
} choice;

static cop_status join_taken(const choice *c, cop_text *joined, cop_error *err)
{
    cop_text_clear(joined);
    for (size_t i = 0; i < c->blocks->count; i++) {
        if (!c->taken[i]) continue;
        const cop_slice piece = cop_slice_strip(cop_slice_of(&c->blocks->pieces[i]));
        if (joined->length > 0) COP_TRY(cop_text_append(joined, "\n\n", 2, err));
        COP_TRY(cop_text_append(joined, piece.data, piece.length, err));
    }
    return COP_OK;
}

/* Whether a piece has something that the program so far, or the tests, use and do not define.
 */
static bool is_needed(const choice *c, size_t which, cop_slice program, bool before)
{
    const cop_slice piece = cop_slice_of(&c->blocks->pieces[which]);
    if (before && cop_python_only_imports(piece)) return true;
    return cop_python_supplies(piece, program, program, before) ||
           (c->tests.data != NULL && cop_python_supplies(piece, c->tests, program, false));
}

/* Adds one piece that is needed, the nearest before the main one first. \return false if there
 * is none. */
static bool take_one(choice *c, size_t main, cop_slice program)
{
    for (size_t i = main; i-- > 0;) {
        if (c->taken[i] || !is_needed(c, i, program, true)) continue;
        return c->taken[i] = true;
    }
    for (size_t i = main + 1; i < c->blocks->count; i++) {
        if (c->taken[i] || !is_needed(c, i, program, false)) continue;
        return c->taken[i] = true;
    }
    return false;
}

/* The last of the pieces that define best what the tests use, with those that it needs. \return
 * how well they do. */
static cop_status put_together(const cop_blocks *blocks, cop_slice tests, cop_text *program,
                               cop_python_rank *rank, cop_error *err)
{
    choice c = {.blocks = blocks, .tests = tests};
    size_t main = 0;
    *rank = COP_PYTHON_NONE;
    for (size_t i = 0; i < blocks->count; i++) {
        const cop_python_rank own = cop_python_rank_of(cop_slice_of(&blocks->pieces[i]), tests);
        if (own == COP_PYTHON_NONE || own < *rank) continue;
        *rank = own;
        main = i;
    }
    if (*rank == COP_PYTHON_NONE) return COP_OK;
    c.taken[main] = true;
    COP_TRY(join_taken(&c, program, err));
    while (take_one(&c, main, cop_slice_of(program)))
        COP_TRY(join_taken(&c, program, err));
    return COP_OK;
}

typedef cop_status finder(cop_slice text, cop_blocks *blocks, cop_error *err);

static cop_status try_pieces(finder *find_pieces, cop_slice place, cop_slice tests,
                             cop_text *program, cop_python_rank *rank, cop_error *err)
{
    cop_blocks blocks = {0};
    cop_text found = {0};
    cop_python_rank own = COP_PYTHON_NONE;
    cop_status status = find_pieces(place, &blocks, err);
    if (status == COP_OK) status = put_together(&blocks, tests, &found, &own, err);
    cop_blocks_free(&blocks);
    if (status == COP_OK && own > *rank) {
        cop_text_free(program);
        *program = found;
        *rank = own;
    } else {
        cop_text_free(&found);
    }
    return status;
}

/* Takes what the place has, unless an earlier one had something. */
static cop_status try_place(cop_slice place, cop_slice tests, cop_text *program,
                            cop_python_rank *rank, cop_error *err)
{
    if (*rank != COP_PYTHON_NONE) return COP_OK;
    COP_TRY(try_pieces(cop_blocks_find_fenced, place, tests, program, rank, err));
    if (*rank == COP_PYTHON_DEFINED) return COP_OK;
    return try_pieces(cop_blocks_find_bare, place, tests, program, rank, err);
}

/* --- places --- */

/* A text without the beginning of a mark at its end, which a limit may have cut through. */
static cop_slice without_half(cop_slice text, const char *mark)
{
    for (size_t length = strlen(mark) - 1; length > 1; length--)
        if (text.length >= length &&
            strncasecmp(text.data + text.length - length, mark, length) == 0)
            return (cop_slice){text.data, text.length - length};
    return text;
}

/* What stands between marks, the last opening one first, each up to its closing one or the end
 * of the text. A closing one without an opening one ends what the prompt has begun. */
static cop_status try_marks(cop_slice text, const char *open, const char *close,
                            cop_slice tests, cop_text *program, cop_python_rank *rank,
                            cop_error *err)
{
    enum { MOST_TRIED = 8 };
    cop_slice rest = text;
    for (int i = 0; i < MOST_TRIED; i++) {
        const char *const at = find_last_mark(rest, open);
        if (at == NULL) break;
        const cop_slice content = from(text, at + strlen(open));
        const char *const end = find_mark(content, close);
        COP_TRY(try_place(end != NULL ? until(content, end) : without_half(content, close),
                          tests, program, rank, err));
        rest = until(rest, at);
    }
    const char *const end = find_last_mark(rest, close);
    return end != NULL ? try_place(until(rest, end), tests, program, rank, err) : COP_OK;
}

/* The form in which MBPP's own paper asks. A prompt may end with the opening mark, and the
 * closing one may have stopped the answer. What follows is a model's next example. */
static bool find_between_marks(cop_slice text, cop_slice *content)
{
    const char *start = find(text, "[BEGIN]");
    const char *const first = find(text, "[DONE]");
    if (first != NULL && start > first) start = NULL;
    *content = start != NULL ? from(text, start + strlen("[BEGIN]")) : text;
    const char *const end = find(*content, "[DONE]");
    if (end != NULL) *content = until(*content, end);
    return start != NULL || end != NULL;
}

static cop_status try_places(cop_slice text, cop_slice tests, cop_text *program,
                             cop_python_rank *rank, cop_error *err)
{
    static const char *const marks[][2] = {{"<answer>", "</answer>"},
                                           {"[PYTHON]", "[/PYTHON]"},
                                           {"<solution>", "</solution>"},
                                           {"<code>", "</code>"},
                                           {"<python>", "</python>"}};
    cop_slice content;
    COP_TRY(try_marks(text, marks[0][0], marks[0][1], tests, program, rank, err));
    if (find_between_marks(text, &content))
        COP_TRY(try_place(content, tests, program, rank, err));
    for (size_t i = 1; i < sizeof marks / sizeof *marks; i++)
        COP_TRY(try_marks(text, marks[i][0], marks[i][1], tests, program, rank, err));
    return try_place(text, tests, program, rank, err);
}

/* --- as published --- */

/* The content of the last pair of marks; pairs are taken from the front and do not overlap. */
static bool find_last(cop_slice text, const char *open, const char *close, cop_slice *content)
{
    bool found = false;
    for (const char *at = find(text, open); at != NULL; at = find(text, open)) {
        text = from(text, at + strlen(open));
        const char *const end = find(text, close);
        if (end == NULL) break;
        *content = until(text, end);
        found = true;
        text = from(text, end + strlen(close));
    }
    return found;
}

static cop_status find_published(cop_slice text, cop_text *program, cop_error *err)
{
    cop_slice content = {0};
    if (!find_last(text, "<answer>", "</answer>", &content) &&
        !find_last(text, "```python", "```", &content) &&
        !find_last(text, "```", "```", &content) && !find_between_marks(text, &content))
        return COP_OK;
    content = cop_slice_strip(content);
    return content.length > 0 ? cop_text_append(program, content.data, content.length, err)
                              : COP_OK;
}

cop_status cop_program_find(cop_slice response, cop_slice tests, cop_text *program,
                            cop_error *err)
{
    cop_text found = {0};
    cop_python_rank rank = COP_PYTHON_NONE;
    cop_status status = try_places(response, tests, &found, &rank, err);
    /* A program of other names is wrong; it is shown and voted on as what it is. */
    if (status == COP_OK && rank == COP_PYTHON_NONE && tests.data != NULL)
        status = try_places(response, (cop_slice){0}, &found, &rank, err);
    if (status == COP_OK) {
        const cop_slice text = cop_slice_strip(cop_slice_of(&found));
        status = text.length > 0 ? cop_text_append(program, text.data, text.length, err)
                                 : find_published(response, program, err);
    }
    cop_text_free(&found);
    return status;
}
