/* Lines of Python, told from prose and looked through for names. No parser: a response may be
 * cut off or wrong, and the sandbox has the last word. */
#include "task/program/python_text.h"

#include "task/characters.h"

#include <ctype.h>
#include <string.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static size_t word_length(cop_slice text)
{
    size_t length = 0;
    if (text.length > 0 && isdigit((unsigned char)text.data[0])) return 0;
    while (length < text.length && is_word(text.data[length]))
        length++;
    return length;
}

static cop_slice behind(cop_slice text, size_t count)
{
    return (cop_slice){text.data + count, text.length - count};
}

static cop_slice skip_spaces(cop_slice text)
{
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = behind(text, 1);
    return text;
}

static bool has(cop_slice text, const char *part)
{
    return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

/* Takes a word off the front, with the spaces behind it. */
static cop_slice take_word(cop_slice *text)
{
    const cop_slice word = {text->data, word_length(*text)};
    *text = skip_spaces(behind(*text, word.length));
    return word;
}

static cop_slice without_end(cop_slice line)
{
    while (line.length > 0 && isspace((unsigned char)line.data[line.length - 1]))
        line.length--;
    return line;
}

bool cop_python_next_line(cop_slice *text, cop_slice *line)
{
    if (text->length == 0) return false;
    const char *const end = memchr(text->data, '\n', text->length);
    const size_t length = end != NULL ? (size_t)(end - text->data) : text->length;
    *line = (cop_slice){text->data, length};
    *text = behind(*text, length + (end != NULL));
    return true;
}

size_t cop_python_indent(cop_slice line)
{
    return line.length - skip_spaces(line).length;
}

/* --- statements --- */

/* `a, b as c`: names with dots, each alone or renamed. */
static bool is_import_list(cop_slice text)
{
    if (cop_slice_begins(text, "(") || cop_slice_begins(text, "*")) return true;
    do {
        cop_slice name = {0};
        text = skip_spaces(text);
        do {
            name = (cop_slice){text.data, word_length(text)};
            if (name.length == 0) return false;
            text = behind(text, name.length);
        } while (cop_slice_begins(text, ".") && (text = behind(text, 1)).length > 0);
        text = skip_spaces(text);
        if (cop_slice_begins(text, "as ")) {
            (void)take_word(&text);
            (void)take_word(&text);
        }
    } while (cop_slice_begins(text, ",") && (text = behind(text, 1)).length > 0);
    return text.length == 0 || cop_slice_begins(text, "#") || cop_slice_begins(text, ";") ||
           cop_slice_begins(text, "\\");
}

static bool ends_in_colon(cop_slice line)
{
    return line.length > 0 && line.data[line.length - 1] == ':';
}

/* A statement that a keyword begins; `rest` stands behind the word. */
static bool is_keyword_statement(cop_slice word, cop_slice rest)
{
    static const char *const openers[] = {"if", "elif", "while", "with", "except", "match"};
    static const char *const alone[] = {"try", "else", "finally"};
    static const char *const simple[] = {"assert", "raise", "del", "global", "pass"};
    if (cop_slice_is(word, "async")) word = take_word(&rest);
    if (cop_slice_is(word, "def") || cop_slice_is(word, "class")) {
        const cop_slice name = take_word(&rest);
        return name.length > 0 && (cop_slice_begins(rest, "(") || cop_slice_begins(rest, ":") ||
                                   cop_slice_begins(rest, "["));
    }
    if (cop_slice_is(word, "import")) return is_import_list(rest);
    if (cop_slice_is(word, "from")) return has(rest, " import ") || has(rest, " import(");
    if (cop_slice_is(word, "for")) return has(rest, " in ") && has(rest, ":");
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (cop_slice_is(word, alone[i])) return cop_slice_begins(rest, ":");
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++)
        if (cop_slice_is(word, openers[i])) return ends_in_colon(rest) || has(rest, ": ");
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (cop_slice_is(word, simple[i])) return true;
    return false;
}

/* Behind a target: "=", "+=", "**=", but not "==". */
static bool is_assignment(cop_slice text)
{
    size_t length = 0;
    while (length < text.length && strchr("+-*/%@&|^<>:", text.data[length]) != NULL)
        length++;
    const cop_slice rest = behind(text, length);
    return cop_slice_begins(rest, "=") && !cop_slice_begins(rest, "==") && length <= 3;
}

/* Behind an opening bracket that stands first: what follows its end; all if it has none here.
 */
static cop_slice skip_brackets(cop_slice text)
{
    int depth = 0;
    while (text.length > 0) {
        const char c = text.data[0];
        text = behind(text, 1);
        depth += strchr("([{", c) != NULL;
        depth -= strchr(")]}", c) != NULL;
        if (depth == 0) break;
    }
    return text;
}

/* `a.b[0], c = ...`, `a: int = ...` or `a.b(...)`. */
static bool is_expression_statement(cop_slice line)
{
    cop_slice rest = line;
    for (;;) {
        const size_t length = word_length(rest);
        if (length == 0) return false;
        rest = behind(rest, length);
        bool called = false;
        while (rest.length > 0 && (rest.data[0] == '[' || rest.data[0] == '(')) {
            called = rest.data[0] == '(';
            rest = skip_brackets(rest);
        }
        if (cop_slice_begins(rest, ".") && word_length(behind(rest, 1)) > 0) {
            rest = behind(rest, 1);
            continue;
        }
        rest = skip_spaces(rest);
        if (called &&
            (rest.length == 0 || cop_slice_begins(rest, "#") || cop_slice_begins(rest, ";")))
            return true;
        if (cop_slice_begins(rest, ",")) {
            rest = skip_spaces(behind(rest, 1));
            continue;
        }
        return is_assignment(rest) || (cop_slice_begins(rest, ":") && has(rest, " = "));
    }
}

bool cop_python_is_statement(cop_slice line)
{
    line = without_end(line);
    if (line.length == 0) return false;
    if (strchr("#@", line.data[0]) != NULL) return true;
    if (cop_slice_begins(line, "\"\"\"") || cop_slice_begins(line, "'''") ||
        cop_slice_begins(line, "r\"\"\""))
        return true;
    if (strchr("([{)]}", line.data[0]) != NULL) {
        const char last = line.data[line.length - 1];
        return line.length <= 2 || strchr(")]},:", last) != NULL;
    }
    cop_slice rest = line;
    const cop_slice word = take_word(&rest);
    return word.length > 0 &&
           (is_keyword_statement(word, rest) || is_expression_statement(line));
}

/* --- state --- */

bool cop_python_is_between(const cop_python_state *state)
{
    return state->quote == 0 && state->depth <= 0 && !state->continued;
}

/* Behind the end of a text in three quotes; empty if it does not end here. */
static cop_slice pass_long_text(cop_python_state *state, cop_slice line)
{
    const char end[] = {state->quote, state->quote, state->quote, '\0'};
    for (; line.length > 0; line = behind(line, 1)) {
        if (line.data[0] == '\\' && line.length > 1) {
            line = behind(line, 1);
        } else if (cop_slice_begins(line, end)) {
            state->quote = 0;
            return behind(line, 3);
        }
    }
    return line;
}

static cop_slice pass_text(cop_python_state *state, cop_slice line)
{
    const char quote = line.data[0];
    const char three[] = {quote, quote, quote, '\0'};
    if (cop_slice_begins(line, three)) {
        state->quote = quote;
        return pass_long_text(state, behind(line, 3));
    }
    for (line = behind(line, 1); line.length > 0; line = behind(line, 1)) {
        if (line.data[0] == '\\' && line.length > 1)
            line = behind(line, 1);
        else if (line.data[0] == quote)
            return behind(line, 1);
    }
    return line;
}

void cop_python_pass_line(cop_python_state *state, cop_slice line)
{
    line = without_end(line);
    if (state->quote != 0) line = pass_long_text(state, line);
    state->continued = false;
    while (line.length > 0 && line.data[0] != '#') {
        const char c = line.data[0];
        if (c == '"' || c == '\'') {
            line = pass_text(state, line);
            continue;
        }
        state->depth += strchr("([{", c) != NULL;
        state->depth -= strchr(")]}", c) != NULL;
        state->continued = c == '\\' && line.length == 1;
        line = behind(line, 1);
    }
    if (state->depth < 0) state->depth = 0;
}

/* --- names --- */

/* Whether a text has a name as a word of its own. */
static bool mentions(cop_slice text, cop_slice name)
{
    const char *at = text.data;
    const char *const end = text.data + text.length;
    while (name.length > 0 &&
           (at = memmem(at, (size_t)(end - at), name.data, name.length)) != NULL) {
        const bool starts = at == text.data || !is_word(at[-1]);
        const bool ends = at + name.length == end || !is_word(at[name.length]);
        if (starts && ends) return true;
        at++;
    }
    return false;
}

/* Whether a text gives a name a value somewhere, were it inside a function: assigns it, loops
 * with it, or has it as a parameter. */
static bool binds(cop_slice text, cop_slice name)
{
    cop_slice line;
    while (cop_python_next_line(&text, &line)) {
        cop_slice rest = skip_spaces(line);
        if (!mentions(rest, name)) continue;
        const cop_slice first = take_word(&rest);
        if (cop_slice_is(first, "def")) {
            const char *const body = memmem(line.data, line.length, "):", 2);
            const size_t length = body != NULL ? (size_t)(body - line.data) : line.length;
            if (mentions((cop_slice){line.data, length}, name)) return true;
            continue;
        }
        if (has(line, "for ") || has(line, " as ")) return true;
        const char *const sign = memmem(line.data, line.length, "=", 1);
        if (sign != NULL && mentions((cop_slice){line.data, (size_t)(sign - line.data)}, name))
            return true;
    }
    return false;
}

/* What a line at the left margin gives a name to. Calls `visit` with each; \return whether one
 * of the calls was true. */
typedef bool visitor(cop_slice name, cop_python_rank how, const void *context);

static bool visit_imports(cop_slice text, visitor *visit, const void *context)
{
    cop_slice name = {0};
    bool renamed = false;
    while (text.length > 0 && text.data[0] != '#' && text.data[0] != ';') {
        const cop_slice word = {text.data, word_length(text)};
        const bool ends = word.length == 0 && text.data[0] == ',';
        if (ends && visit(name, COP_PYTHON_NONE, context)) return true;
        if (cop_slice_is(word, "as"))
            renamed = true;
        else if (word.length > 0 && (name.length == 0 || renamed || ends))
            name = word;
        if (ends) {
            name = (cop_slice){0};
            renamed = false;
        }
        text = behind(text, word.length > 0 ? word.length : 1);
    }
    return visit(name, COP_PYTHON_NONE, context);
}

static bool visit_line(cop_slice line, visitor *visit, const void *context)
{
    cop_slice rest = line;
    cop_slice word = take_word(&rest);
    if (cop_slice_is(word, "async")) word = take_word(&rest);
    if (cop_slice_is(word, "def") || cop_slice_is(word, "class"))
        return visit(take_word(&rest), COP_PYTHON_DEFINED, context);
    if (cop_slice_is(word, "import")) return visit_imports(rest, visit, context);
    if (cop_slice_is(word, "from")) {
        const char *const list = memmem(rest.data, rest.length, " import", 7);
        return list != NULL &&
               visit_imports(behind(rest, (size_t)(list - rest.data) + 7), visit, context);
    }
    while (word.length > 0 && cop_slice_begins(rest, ",")) {
        if (memchr(rest.data, '=', rest.length) != NULL &&
            visit(word, COP_PYTHON_ASSIGNED, context))
            return true;
        rest = skip_spaces(behind(rest, 1));
        word = take_word(&rest);
    }
    const bool assigned =
        is_assignment(rest) || (cop_slice_begins(rest, ":") && has(rest, " = "));
    return word.length > 0 && assigned && visit(word, COP_PYTHON_ASSIGNED, context);
}

static bool visit_names(cop_slice program, visitor *visit, const void *context)
{
    cop_python_state state = {0};
    cop_slice line;
    while (cop_python_next_line(&program, &line)) {
        if (cop_python_is_between(&state) && visit_line(line, visit, context)) return true;
        cop_python_pass_line(&state, line);
    }
    return false;
}

typedef struct wanted {
    cop_slice users;
    cop_python_rank least;
} wanted;

static bool is_wanted(cop_slice name, cop_python_rank how, const void *context)
{
    const wanted *const w = context;
    if (how == COP_PYTHON_NONE || how < w->least || name.length == 0) return false;
    return w->users.data == NULL || mentions(w->users, name);
}

/* def or class at any indentation. */
static bool has_inner(cop_slice program, cop_slice users)
{
    const wanted w = {users, COP_PYTHON_DEFINED};
    cop_slice line;
    while (cop_python_next_line(&program, &line))
        if (visit_line(skip_spaces(line), is_wanted, &w)) return true;
    return false;
}

cop_python_rank cop_python_rank_of(cop_slice program, cop_slice users)
{
    const wanted defined = {users, COP_PYTHON_DEFINED};
    const wanted assigned = {users, COP_PYTHON_ASSIGNED};
    if (visit_names(program, is_wanted, &defined)) return COP_PYTHON_DEFINED;
    if (users.data != NULL && visit_names(program, is_wanted, &assigned))
        return COP_PYTHON_ASSIGNED;
    return has_inner(program, users) ? COP_PYTHON_INNER : COP_PYTHON_NONE;
}

static bool is_name(cop_slice name, cop_python_rank how, const void *context)
{
    (void)how;
    const cop_slice *const other = context;
    return name.length == other->length && memcmp(name.data, other->data, name.length) == 0;
}

typedef struct missing {
    cop_slice users, program;
    bool variables;
} missing;

static bool is_missing(cop_slice name, cop_python_rank how, const void *context)
{
    const missing *const m = context;
    if (name.length == 0 || (how == COP_PYTHON_ASSIGNED && !m->variables)) return false;
    return mentions(m->users, name) && !visit_names(m->program, is_name, &name) &&
           (how != COP_PYTHON_ASSIGNED || !binds(m->program, name));
}

bool cop_python_only_imports(cop_slice program)
{
    cop_python_state state = {0};
    cop_slice line;
    bool imports = false;
    while (cop_python_next_line(&program, &line)) {
        const bool begun = cop_python_is_between(&state);
        cop_python_pass_line(&state, line);
        line = without_end(line);
        if (!begun || line.length == 0 || line.data[0] == '#') continue;
        if (!cop_slice_begins(line, "import ") && !cop_slice_begins(line, "from "))
            return false;
        imports = true;
    }
    return imports;
}

bool cop_python_supplies(cop_slice other, cop_slice users, cop_slice program, bool variables)
{
    const missing m = {users, program, variables};
    return visit_names(other, is_missing, &m);
}
