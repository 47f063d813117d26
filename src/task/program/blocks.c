/* Fences as Markdown has them and as models write them; runs of lines of Python. */
#include "task/program/blocks.h"

#include "task/characters.h"
#include "task/program/python_text.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { SHORTEST_FENCE = 3, DEEPER = 4 };

/* --- lists --- */

/* Makes room for one more at the end. */
static cop_text *add(cop_blocks *blocks)
{
    if (blocks->count == COP_BLOCKS_MOST) {
        cop_text_free(&blocks->pieces[0]);
        blocks->count--;
        memmove(blocks->pieces, blocks->pieces + 1, blocks->count * sizeof *blocks->pieces);
    }
    blocks->pieces[blocks->count] = (cop_text){0};
    return &blocks->pieces[blocks->count++];
}

void cop_blocks_free(cop_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++)
        cop_text_free(&blocks->pieces[i]);
    blocks->count = 0;
}

static cop_slice behind(cop_slice text, size_t count)
{
    return (cop_slice){text.data + count, text.length - count};
}

static cop_status append_line(cop_text *text, cop_slice line, cop_error *err)
{
    COP_TRY(cop_text_append(text, line.data, line.length, err));
    return cop_text_append(text, "\n", 1, err);
}

/* --- fences --- */

typedef struct fence {
    char mark;      /* '`' or '~'; 0: none */
    size_t length;  /* of the run of marks */
    size_t indent;  /* white space, marks of lists and quotations before it */
    bool quoted;    /* in a quotation, which marks each line with > */
    cop_slice info; /* what stands behind it in its line */
} fence;

static size_t run_of(cop_slice text, char mark)
{
    size_t length = 0;
    while (length < text.length && text.data[length] == mark)
        length++;
    return length;
}

/* What may stand before a fence: spaces, ">", "-", "*", "+", "1.", "a)". */
static size_t lead_of(cop_slice line, bool *quoted)
{
    size_t at = 0;
    while (at < line.length) {
        const size_t before = at;
        while (at < line.length && (line.data[at] == ' ' || line.data[at] == '\t'))
            at++;
        if (at < line.length && line.data[at] == '>') {
            *quoted = true;
            at++;
        } else if (at + 1 < line.length && strchr("-*+", line.data[at]) != NULL &&
                   line.data[at + 1] == ' ') {
            at++;
        } else {
            size_t end = at;
            while (end < line.length && isalnum((unsigned char)line.data[end]) && end < at + 3)
                end++;
            if (end > at && end + 1 < line.length && strchr(".)", line.data[end]) != NULL &&
                line.data[end + 1] == ' ')
                at = end + 1;
        }
        if (at == before || run_of(behind(line, at), '`') > 0) break;
    }
    return at;
}

/* The fence that a line begins with. */
static fence fence_of(cop_slice line)
{
    fence found = {0};
    const size_t lead = lead_of(line, &found.quoted);
    const cop_slice rest = behind(line, lead);
    const char mark = rest.length > 0 ? rest.data[0] : '\0';
    if (mark != '`' && mark != '~') return (fence){0};
    found.length = run_of(rest, mark);
    if (found.length < SHORTEST_FENCE) return (fence){0};
    found.mark = mark;
    found.indent = lead;
    found.info = cop_slice_strip(behind(rest, found.length));
    return found;
}

/* A fence at the end of a line of prose, "like this: ```python". */
static fence trailing_fence(cop_slice line)
{
    const char *const at = memmem(line.data, line.length, "```", SHORTEST_FENCE);
    if (at == NULL) return (fence){0};
    const cop_slice rest = behind(line, (size_t)(at - line.data));
    fence found = {.mark = '`', .length = run_of(rest, '`')};
    found.info = cop_slice_strip(behind(rest, found.length));
    for (size_t i = 0; i < found.info.length; i++)
        if (!isalnum((unsigned char)found.info.data[i]) &&
            strchr("_+.#{}-", found.info.data[i]) == NULL)
            return (fence){0};
    return found;
}

static fence opening_fence(cop_slice line)
{
    const fence found = fence_of(line);
    return found.mark != 0 ? found : trailing_fence(line);
}

/* Whether a line ends the block of a fence. One that stands much deeper belongs to the text of
 * the program, to a documentation string, say. */
static bool closes(cop_slice line, const fence *open, bool strictly)
{
    const fence found = fence_of(line);
    return found.mark == open->mark && found.length >= open->length && found.info.length == 0 &&
           (!strictly || found.indent < open->indent + DEEPER);
}

/* Behind how many bytes a line has a closing fence that code stands before; 0: none. */
static size_t closes_behind_code(cop_slice line, const fence *open)
{
    const cop_slice text = cop_slice_strip(line);
    size_t run = 0;
    while (run < text.length && text.data[text.length - 1 - run] == open->mark)
        run++;
    if (run < open->length || run == text.length) return 0;
    return (size_t)(text.data - line.data) + text.length - run;
}

static bool is_one_of(cop_slice word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (word.length == strlen(words[i]) &&
            strncasecmp(word.data, words[i], word.length) == 0)
            return true;
    return false;
}

/* Languages in which lines look like Python's definitions. */
static bool is_other_language(cop_slice info)
{
    static const char *const others[] = {
        "ruby", "rb",    "scala", "groovy", "elixir", "julia",  "jl",     "bash",
        "sh",   "shell", "diff",  "json",   "swift",  "kotlin", "output", "nim"};
    size_t start = 0;
    while (start < info.length && strchr("{. ", info.data[start]) != NULL)
        start++;
    size_t end = start;
    while (end < info.length && isalnum((unsigned char)info.data[end]))
        end++;
    return is_one_of((cop_slice){info.data + start, end - start}, others,
                     sizeof others / sizeof *others);
}

/* Code in the line of its fence: "```python x = 1```". What the language is called goes. */
static cop_slice code_of_line(cop_slice info)
{
    static const char *const names[] = {"python", "python3", "py", "py3"};
    size_t end = 0;
    while (end < info.length && isalnum((unsigned char)info.data[end]))
        end++;
    if (is_one_of((cop_slice){info.data, end}, names, sizeof names / sizeof *names))
        info = behind(info, end);
    return cop_slice_strip(info);
}

/* A line of a block without what its fence stands behind. */
static cop_slice unindented(cop_slice line, const fence *open)
{
    size_t at = 0;
    if (open->quoted) {
        while (at < line.length && line.data[at] == ' ')
            at++;
        if (at < line.length && line.data[at] == '>') {
            at++;
            return behind(line, at + (at < line.length && line.data[at] == ' '));
        }
        at = 0;
    }
    while (at < open->indent && at < line.length &&
           (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    return behind(line, at);
}

/* Whether a text shows a dialogue with Python: its first line has a prompt. */
static bool has_prompts(cop_slice text)
{
    const cop_slice stripped = cop_slice_strip(text);
    return stripped.length > 3 && memcmp(stripped.data, ">>>", 3) == 0;
}

/* Keeps what was typed. */
static cop_status drop_prompts(cop_text *text, cop_error *err)
{
    cop_text typed = {0};
    cop_slice rest = cop_slice_of(text);
    cop_slice line;
    cop_status status = COP_OK;
    while (status == COP_OK && cop_python_next_line(&rest, &line)) {
        line = behind(line, cop_python_indent(line));
        if (line.length < 3 ||
            (memcmp(line.data, ">>>", 3) != 0 && memcmp(line.data, "...", 3) != 0))
            continue;
        status = append_line(&typed,
                             behind(line, line.length > 3 && line.data[3] == ' ' ? 4 : 3), err);
    }
    if (status == COP_OK) {
        cop_text_free(text);
        *text = typed;
    } else {
        cop_text_free(&typed);
    }
    return status;
}

/* The lines up to the closing fence. `text` moves behind it, or before another opening one.
 * \return whether it was closed. */
static bool pass_block(cop_slice *text, const fence *open, bool strictly, cop_slice *content)
{
    cop_slice line;
    *content = (cop_slice){text->data, 0};
    while (cop_python_next_line(text, &line)) {
        const size_t code = closes_behind_code(line, open);
        if (code > 0) {
            content->length = (size_t)(line.data - content->data) + code;
            return true;
        }
        if (closes(line, open, strictly)) {
            content->length = (size_t)(line.data - content->data);
            return true;
        }
        const fence other = fence_of(line);
        if (other.mark == open->mark && other.info.length > 0 && other.indent <= open->indent) {
            content->length = (size_t)(line.data - content->data);
            text->length += (size_t)(text->data - line.data);
            text->data = line.data;
            return true;
        }
    }
    content->length = (size_t)(text->data - content->data);
    return false;
}

static cop_slice take_block(cop_slice *text, const fence *open)
{
    cop_slice content;
    const cop_slice start = *text;
    if (pass_block(text, open, true, &content)) return content;
    *text = start;
    if (pass_block(text, open, false, &content)) return content;
    /* It is cut off, maybe within its closing fence. */
    size_t run = 0;
    while (run < content.length && content.data[content.length - 1 - run] == open->mark)
        run++;
    content.length -= run < open->length ? run : 0;
    return content;
}

static cop_status add_block(cop_blocks *blocks, cop_slice content, const fence *open,
                            cop_error *err)
{
    cop_text *const piece = add(blocks);
    cop_slice line;
    while (cop_python_next_line(&content, &line))
        COP_TRY(append_line(piece, unindented(line, open), err));
    return has_prompts(cop_slice_of(piece)) ? drop_prompts(piece, err) : COP_OK;
}

cop_status cop_blocks_find_fenced(cop_slice text, cop_blocks *blocks, cop_error *err)
{
    cop_slice line;
    while (cop_python_next_line(&text, &line)) {
        const fence open = opening_fence(line);
        if (open.mark == 0) continue;
        const size_t code = closes_behind_code(open.info, &open);
        if (code > 0) {
            const cop_slice inner = code_of_line((cop_slice){open.info.data, code});
            COP_TRY(append_line(add(blocks), inner, err));
            continue;
        }
        const cop_slice content = take_block(&text, &open);
        if (!is_other_language(open.info)) COP_TRY(add_block(blocks, content, &open, err));
    }
    return COP_OK;
}

/* --- bare lines --- */

/* The indentation of the first line that looks like a definition or an import. */
static size_t margin_of(cop_slice text)
{
    cop_slice line;
    while (cop_python_next_line(&text, &line)) {
        const size_t indent = cop_python_indent(line);
        const cop_slice rest = behind(line, indent);
        static const char *const words[] = {"def ", "class ", "import ", "from ", "async def "};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (rest.length > strlen(words[i]) &&
                memcmp(rest.data, words[i], strlen(words[i])) == 0 &&
                cop_python_is_statement(rest))
                return indent;
    }
    return 0;
}

/* A text that is Python from its first line to its last. */
static bool is_whole(cop_slice text)
{
    cop_python_state state = {0};
    cop_slice line;
    bool begun = false;
    while (cop_python_next_line(&text, &line)) {
        const size_t indent = cop_python_indent(line);
        const bool blank = cop_slice_strip(line).length == 0;
        if (!blank && cop_python_is_between(&state) && (indent == 0 || !begun) &&
            !cop_python_is_statement(line))
            return false;
        begun = begun || !blank;
        cop_python_pass_line(&state, line);
    }
    return begun;
}

typedef struct run {
    cop_blocks *blocks;
    cop_text *piece; /* NULL: prose */
    cop_python_state state;
    size_t margin;
} run;

static cop_status take_line(run *r, cop_slice line, cop_error *err)
{
    const bool blank = cop_slice_strip(line).length == 0;
    const size_t indent = cop_python_indent(line);
    const cop_slice rest = behind(line, indent < r->margin ? indent : r->margin);
    const bool goes_on =
        r->piece != NULL && (!cop_python_is_between(&r->state) || blank || indent > r->margin);
    if (!goes_on && (blank || indent != r->margin || !cop_python_is_statement(rest))) {
        r->piece = NULL;
        return COP_OK;
    }
    if (r->piece == NULL) {
        r->piece = add(r->blocks);
        r->state = (cop_python_state){0};
    }
    cop_python_pass_line(&r->state, rest);
    return append_line(r->piece, rest, err);
}

cop_status cop_blocks_find_bare(cop_slice text, cop_blocks *blocks, cop_error *err)
{
    if (is_whole(text)) {
        cop_text *const piece = add(blocks);
        return cop_text_append(piece, text.data, text.length, err);
    }
    run r = {.blocks = blocks, .margin = margin_of(text)};
    cop_slice line;
    while (cop_python_next_line(&text, &line)) {
        const fence open = fence_of(line);
        if (open.mark != 0 && (r.piece == NULL || cop_python_is_between(&r.state))) {
            if (closes_behind_code(open.info, &open) == 0) (void)take_block(&text, &open);
            r.piece = NULL;
            continue;
        }
        COP_TRY(take_line(&r, line, err));
    }
    return COP_OK;
}
