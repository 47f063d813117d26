/* Statements of a template. */
#include "jinja/jinja_parse.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_TREE_BYTES = 256 << 20, MAX_SOURCE_BYTES = 1 << 20 };

/* The tags that end a body; NULL: fewer. */
typedef struct ends {
    const char *words[3];
} ends;

static cop_status parse_body(jinja_parser *self, const ends *until, jinja_node **body);

/* --- statements --- */

/* From behind a tag's last word over its body, to behind the word of the tag that ends it. */
static cop_status parse_block(jinja_parser *self, const ends *until, jinja_node **body)
{
    (void)cop_jinja_skip(self, JINJA_COLON);
    COP_TRY(cop_jinja_expect(self, JINJA_BLOCK_END, "the end of the tag"));
    COP_TRY(parse_body(self, until, body));
    if (self->at->kind == JINJA_END)
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "the template ends without {%% %s %%}",
                                until->words[0]);
    return COP_OK;
}

static cop_status parse_until(jinja_parser *self, const char *word, jinja_node **body)
{
    const ends until = {{word}};
    COP_TRY(parse_block(self, &until, body));
    self->at++;
    return COP_OK;
}

static cop_status parse_if(jinja_parser *self, jinja_node **node)
{
    static const ends until = {{"endif", "elif", "else"}};
    COP_TRY(cop_jinja_make(self, JINJA_NODE_IF, node));
    jinja_node *at = *node;
    for (;;) {
        self->at++;
        COP_TRY(cop_jinja_parse_tuple(self, false, false, &at->a));
        COP_TRY(parse_block(self, &until, &at->body));
        if (cop_jinja_skip_word(self, "endif")) return COP_OK;
        if (cop_jinja_skip_word(self, "else"))
            return parse_until(self, "endif", &at->otherwise);
        COP_TRY(cop_jinja_make(self, JINJA_NODE_IF, &at->otherwise));
        at = at->otherwise;
    }
}

static cop_status parse_for(jinja_parser *self, jinja_node **node)
{
    static const ends until = {{"endfor", "else"}};
    COP_TRY(cop_jinja_make(self, JINJA_NODE_FOR, node));
    self->at++;
    COP_TRY(cop_jinja_parse_target(self, false, &(*node)->a));
    if (!cop_jinja_skip_word(self, "in"))
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "\"in\" should stand here");
    COP_TRY(cop_jinja_parse_tuple(self, false, false, &(*node)->b));
    if (cop_jinja_skip_word(self, "if"))
        COP_TRY(cop_jinja_parse_expression(self, true, &(*node)->c));
    if (cop_jinja_is_word(self->at, "recursive"))
        return cop_jinja_refuse(self, COP_ERR_UNSUPPORTED, "recursive loops are not supported");
    self->loops++;
    COP_TRY(parse_block(self, &until, &(*node)->body));
    self->loops--;
    if (cop_jinja_skip_word(self, "endfor")) return COP_OK;
    self->at++;
    return parse_until(self, "endfor", &(*node)->otherwise);
}

static cop_status parse_set(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_SET, node));
    self->at++;
    COP_TRY(cop_jinja_parse_target(self, true, &(*node)->a));
    if (cop_jinja_skip(self, JINJA_ASSIGN))
        return cop_jinja_parse_tuple(self, true, false, &(*node)->b);
    (*node)->kind = JINJA_NODE_SET_BLOCK;
    COP_TRY(cop_jinja_parse_filters(self, false, &(*node)->b));
    return parse_until(self, "endset", &(*node)->body);
}

/* A body that is called: its loops are its own, and so is what it reads. */
static cop_status parse_callable(jinja_parser *self, const char *word, jinja_node *node)
{
    const int loops = self->loops;
    const unsigned reads = self->reads;
    self->loops = 0;
    self->reads = 0;
    COP_TRY(parse_until(self, word, &node->body));
    node->reads = self->reads;
    self->reads |= reads;
    self->loops = loops;
    return COP_OK;
}

static cop_status parse_macro(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_MACRO, node));
    self->at++;
    (*node)->text = self->at->text;
    COP_TRY(cop_jinja_expect(self, JINJA_WORD, "the name of a macro"));
    COP_TRY(cop_jinja_parse_signature(self, &(*node)->args));
    return parse_callable(self, "endmacro", *node);
}

static cop_status parse_call_block(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_CALL_BLOCK, node));
    self->at++;
    if (self->at->kind == JINJA_LEFT_PAREN)
        COP_TRY(cop_jinja_parse_signature(self, &(*node)->args));
    COP_TRY(cop_jinja_parse_expression(self, true, &(*node)->a));
    if ((*node)->a->kind != JINJA_NODE_CALL)
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "{%% call %%} needs a call");
    return parse_callable(self, "endcall", *node);
}

static cop_status parse_filter_block(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_FILTERED, node));
    self->at++;
    COP_TRY(cop_jinja_parse_filters(self, true, &(*node)->b));
    return parse_until(self, "endfilter", &(*node)->body);
}

static cop_status parse_with(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_WITH, node));
    jinja_node **end = &(*node)->args;
    self->at++;
    while (self->at->kind != JINJA_BLOCK_END) {
        jinja_node *target = NULL;
        if ((*node)->args != NULL) COP_TRY(cop_jinja_expect(self, JINJA_COMMA, "\",\""));
        COP_TRY(cop_jinja_parse_target(self, false, &target));
        assert(target != NULL);
        COP_TRY(cop_jinja_expect(self, JINJA_ASSIGN, "\"=\""));
        COP_TRY(cop_jinja_parse_expression(self, true, &target->next));
        *end = target;
        end = &target->next->next;
    }
    return parse_until(self, "endwith", &(*node)->body);
}

static cop_status parse_print(jinja_parser *self, jinja_node **node)
{
    self->at++;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_OUTPUT, node));
    COP_TRY(cop_jinja_parse_expression(self, true, &(*node)->a));
    if (self->at->kind == JINJA_COMMA)
        return cop_jinja_refuse(self, COP_ERR_UNSUPPORTED,
                                "{%% print %%} of several values is not supported");
    return COP_OK;
}

static cop_status parse_generation(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_SCOPE, node));
    self->at++;
    const int loops = self->loops;
    self->loops = 0;
    COP_TRY(parse_until(self, "endgeneration", &(*node)->body));
    self->loops = loops;
    return COP_OK;
}

static cop_status parse_jump(jinja_parser *self, jinja_node **node)
{
    const bool leaves = cop_jinja_is_word(self->at, "break");
    COP_TRY(cop_jinja_make(self, leaves ? JINJA_NODE_BREAK : JINJA_NODE_CONTINUE, node));
    if (self->loops == 0)
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "{%% %s %%} stands in no loop",
                                leaves ? "break" : "continue");
    self->at++;
    return COP_OK;
}

static cop_status parse_statement(jinja_parser *self, jinja_node **node)
{
    static const struct {
        const char *word;
        cop_status (*parse)(jinja_parser *self, jinja_node **node);
    } tags[] = {
        {"if", parse_if},       {"for", parse_for},         {"set", parse_set},
        {"macro", parse_macro}, {"call", parse_call_block}, {"filter", parse_filter_block},
        {"with", parse_with},   {"print", parse_print},     {"generation", parse_generation},
        {"break", parse_jump},  {"continue", parse_jump}};
    if (self->at->kind != JINJA_WORD)
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "a tag begins with its name");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!cop_jinja_is_word(self->at, tags[i].word)) continue;
        COP_TRY(cop_jinja_descend(self));
        COP_TRY(tags[i].parse(self, node));
        self->depth--;
        return COP_OK;
    }
    const jinja_text text = self->at->text;
    return cop_jinja_refuse(self, COP_ERR_UNSUPPORTED,
                            "the tag {%% %.*s %%} is not supported here",
                            (int)(text.length < 60 ? text.length : 60), text.data);
}

static bool is_end(const jinja_token *token, const ends *until)
{
    for (size_t i = 0; until != NULL && i < sizeof until->words / sizeof *until->words; i++) {
        if (until->words[i] != NULL && cop_jinja_is_word(token, until->words[i])) return true;
    }
    return false;
}

/* Printing marks nothing as safe: {{ x|safe }} is {{ x }}. */
static void drop_safe(jinja_node *output)
{
    jinja_node *const value = output->a;
    if (value->kind == JINJA_NODE_FILTER && cop_jinja_text_is(value->text, "safe") &&
        value->args == NULL && value->a != NULL) {
        output->a = value->a;
    }
}

/* A piece of text, or a tag. */
static cop_status parse_piece(jinja_parser *self, jinja_node **node)
{
    if (self->at->kind == JINJA_BLOCK_BEGIN) {
        self->at++;
        COP_TRY(parse_statement(self, node));
        return cop_jinja_expect(self, JINJA_BLOCK_END, "the end of the tag");
    }
    const bool data = self->at->kind == JINJA_DATA;
    COP_TRY(cop_jinja_make(self, data ? JINJA_NODE_DATA : JINJA_NODE_OUTPUT, node));
    (*node)->text = self->at->text;
    self->at++;
    if (data) return COP_OK;
    COP_TRY(cop_jinja_parse_tuple(self, true, false, &(*node)->a));
    drop_safe(*node);
    return cop_jinja_expect(self, JINJA_OUTPUT_END, "\"}}\"");
}

/* Up to the word of the tag that ends the body, or the template's end. */
static cop_status parse_body(jinja_parser *self, const ends *until, jinja_node **body)
{
    jinja_node **end = body;
    while (self->at->kind != JINJA_END) {
        if (self->at->kind == JINJA_BLOCK_BEGIN && is_end(self->at + 1, until)) {
            self->at++;
            return COP_OK;
        }
        COP_TRY(parse_piece(self, end));
        assert(*end != NULL);
        end = &(*end)->next;
    }
    return COP_OK;
}

/* --- templates --- */

static cop_status parse(cop_jinja *template, const char *source, size_t length, cop_error *err)
{
    jinja_token *tokens = NULL;
    COP_CHECK(length <= MAX_SOURCE_BYTES, err, COP_ERR_UNSUPPORTED,
              "a template of more than %d MiB is not supported", MAX_SOURCE_BYTES >> 20);
    COP_TRY(
        cop_jinja_lex(&template->arena, source, length, &tokens, &template->token_count, err));
    template->tokens = tokens;
    jinja_parser parser = {.arena = &template->arena, .at = tokens, .err = err};
    jinja_node *body = NULL;
    COP_TRY(parse_body(&parser, NULL, &body));
    template->body = body;
    return COP_OK;
}

cop_status cop_jinja_parse(const char *source, size_t length, cop_jinja **template,
                           cop_error *err)
{
    cop_error own = {0};
    cop_error *const report = err != NULL ? err : &own;
    *template = NULL;
    cop_jinja *made = cop_memory_alloc(1, sizeof *made, report);
    if (made == NULL) return COP_ERR_MEMORY;
    made->arena.limit = MAX_TREE_BYTES;
    if (parse(made, source, length, report) != COP_OK) {
        cop_jinja_destroy(&made);
        return report->status;
    }
    *template = made;
    return COP_OK;
}

bool cop_jinja_reads(const cop_jinja *template, const char *name)
{
    for (size_t i = 0; i < template->token_count; i++) {
        if (cop_jinja_is_word(&template->tokens[i], name)) return true;
    }
    return false;
}

void cop_jinja_destroy(cop_jinja **template)
{
    if (template == NULL || *template == NULL) return;
    cop_jinja_arena_free(&(*template)->arena);
    cop_memory_free(*template);
    *template = NULL;
}
