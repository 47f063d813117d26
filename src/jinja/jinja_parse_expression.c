/* Expressions, with jinja2's precedences. */
#include "jinja/jinja_parse.h"

#include <assert.h>
#include <string.h>

static cop_status parse_choice(jinja_parser *self, jinja_node **node);
static cop_status parse_unary(jinja_parser *self, bool filters, jinja_node **node);

static jinja_token_kind kind_at(const jinja_parser *self)
{
    return self->at->kind;
}

/* Puts a node at the end of a list. */
static void append(jinja_node ***end, jinja_node *node)
{
    assert(node != NULL);
    **end = node;
    *end = &node->next;
}

/* --- names and literals --- */

static cop_status parse_strings(jinja_parser *self, jinja_node **node)
{
    size_t length = 0;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_STRING, node));
    for (const jinja_token *token = self->at; token->kind == JINJA_STRING; token++)
        length += token->text.length;
    char *const text = cop_jinja_take(self->arena, length + 1, self->err);
    if (text == NULL) return COP_ERR_UNSUPPORTED;
    length = 0;
    for (; kind_at(self) == JINJA_STRING; self->at++) {
        memcpy(text + length, self->at->text.data, self->at->text.length);
        length += self->at->text.length;
    }
    (*node)->text = (jinja_text){text, length};
    return COP_OK;
}

static cop_status parse_word(jinja_parser *self, bool attributes, jinja_node **node)
{
    const jinja_token *const token = self->at;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_NAME, node));
    (*node)->text = token->text;
    self->at++;
    if (cop_jinja_is_word(token, "true") || cop_jinja_is_word(token, "True")) {
        (*node)->kind = JINJA_NODE_BOOLEAN;
        (*node)->integer = 1;
    } else if (cop_jinja_is_word(token, "false") || cop_jinja_is_word(token, "False")) {
        (*node)->kind = JINJA_NODE_BOOLEAN;
    } else if (cop_jinja_is_word(token, "none") || cop_jinja_is_word(token, "None")) {
        (*node)->kind = JINJA_NODE_NONE;
    } else if (attributes && cop_jinja_skip(self, JINJA_DOT)) {
        jinja_node *const name = *node;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_GETATTR, node));
        (*node)->a = name;
        (*node)->text = self->at->text;
        return cop_jinja_expect(self, JINJA_WORD, "a name");
    }
    if (cop_jinja_is_word(token, "varargs")) self->reads |= JINJA_READS_VARARGS;
    if (cop_jinja_is_word(token, "kwargs")) self->reads |= JINJA_READS_KWARGS;
    return COP_OK;
}

static cop_status parse_list(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_LIST, node));
    jinja_node **end = &(*node)->args;
    self->at++;
    while (kind_at(self) != JINJA_RIGHT_BRACKET) {
        jinja_node *item = NULL;
        COP_TRY(parse_choice(self, &item));
        append(&end, item);
        if (!cop_jinja_skip(self, JINJA_COMMA)) break;
    }
    return cop_jinja_expect(self, JINJA_RIGHT_BRACKET, "\"]\"");
}

static cop_status parse_dict(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_make(self, JINJA_NODE_DICT, node));
    jinja_node **end = &(*node)->args;
    self->at++;
    while (kind_at(self) != JINJA_RIGHT_BRACE) {
        jinja_node *item = NULL;
        COP_TRY(parse_choice(self, &item));
        append(&end, item);
        COP_TRY(cop_jinja_expect(self, JINJA_COLON, "\":\""));
        COP_TRY(parse_choice(self, &item));
        append(&end, item);
        if (!cop_jinja_skip(self, JINJA_COMMA)) break;
    }
    return cop_jinja_expect(self, JINJA_RIGHT_BRACE, "\"}\"");
}

static cop_status parse_number(jinja_parser *self, jinja_node **node)
{
    const bool real = kind_at(self) == JINJA_REAL;
    COP_TRY(cop_jinja_make(self, real ? JINJA_NODE_REAL : JINJA_NODE_INTEGER, node));
    (*node)->integer = self->at->integer;
    (*node)->real = self->at->real;
    self->at++;
    return COP_OK;
}

static cop_status parse_primary(jinja_parser *self, bool attributes, jinja_node **node)
{
    switch (kind_at(self)) {
    case JINJA_WORD:
        return parse_word(self, attributes, node);
    case JINJA_STRING:
        return parse_strings(self, node);
    case JINJA_INTEGER:
    case JINJA_REAL:
        return parse_number(self, node);
    case JINJA_LEFT_BRACKET:
        return parse_list(self, node);
    case JINJA_LEFT_BRACE:
        return parse_dict(self, node);
    case JINJA_LEFT_PAREN:
        self->at++;
        COP_TRY(cop_jinja_parse_tuple(self, true, true, node));
        return cop_jinja_expect(self, JINJA_RIGHT_PAREN, "\")\"");
    default:
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "a value should stand here");
    }
}

/* --- what follows a value --- */

static cop_status parse_argument(jinja_parser *self, jinja_node **node)
{
    if (kind_at(self) == JINJA_MULTIPLY || kind_at(self) == JINJA_POWER) {
        COP_TRY(cop_jinja_make(
            self, kind_at(self) == JINJA_POWER ? JINJA_NODE_STAR_STAR : JINJA_NODE_STAR, node));
        self->at++;
        return parse_choice(self, &(*node)->a);
    }
    if (kind_at(self) == JINJA_WORD && self->at[1].kind == JINJA_ASSIGN) {
        COP_TRY(cop_jinja_make(self, JINJA_NODE_KEYWORD, node));
        (*node)->text = self->at->text;
        self->at += 2;
        return parse_choice(self, &(*node)->a);
    }
    return parse_choice(self, node);
}

/* (a, b=c, *d, **e), from its bracket to behind it. */
static cop_status parse_arguments(jinja_parser *self, jinja_node **args)
{
    jinja_node **end = args;
    jinja_node_kind before = JINJA_NODE_STRING;
    self->at++;
    while (kind_at(self) != JINJA_RIGHT_PAREN) {
        jinja_node *item = NULL;
        COP_TRY(parse_argument(self, &item));
        const bool plain = item->kind != JINJA_NODE_KEYWORD && item->kind != JINJA_NODE_STAR &&
                           item->kind != JINJA_NODE_STAR_STAR;
        const bool misplaced =
            before == JINJA_NODE_STAR_STAR ||
            (before == JINJA_NODE_STAR && (plain || item->kind == JINJA_NODE_STAR)) ||
            (before == JINJA_NODE_KEYWORD && plain);
        if (misplaced)
            return cop_jinja_refuse(self, COP_ERR_FORMAT, "an argument stands out of order");
        if (!plain && !(before == JINJA_NODE_STAR && item->kind == JINJA_NODE_KEYWORD))
            before = item->kind;
        append(&end, item);
        if (!cop_jinja_skip(self, JINJA_COMMA)) break;
    }
    return cop_jinja_expect(self, JINJA_RIGHT_PAREN, "\")\"");
}

static cop_status parse_call(jinja_parser *self, jinja_node **node)
{
    jinja_node *const called = *node;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_CALL, node));
    (*node)->a = called;
    return parse_arguments(self, &(*node)->args);
}

static bool ends_subscript(const jinja_parser *self)
{
    return kind_at(self) == JINJA_RIGHT_BRACKET || kind_at(self) == JINJA_COMMA;
}

/* An index, or a slice of up to three parts. */
static cop_status parse_subscript(jinja_parser *self, jinja_node **node)
{
    jinja_node *first = NULL;
    if (kind_at(self) != JINJA_COLON) {
        COP_TRY(parse_choice(self, &first));
        if (kind_at(self) != JINJA_COLON) {
            *node = first;
            return COP_OK;
        }
    }
    COP_TRY(cop_jinja_make(self, JINJA_NODE_SLICE, node));
    (*node)->a = first;
    self->at++;
    if (kind_at(self) != JINJA_COLON && !ends_subscript(self))
        COP_TRY(parse_choice(self, &(*node)->b));
    if (cop_jinja_skip(self, JINJA_COLON) && !ends_subscript(self))
        COP_TRY(parse_choice(self, &(*node)->c));
    return COP_OK;
}

static cop_status parse_brackets(jinja_parser *self, jinja_node **node)
{
    jinja_node *const object = *node;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_GETITEM, node));
    (*node)->a = object;
    self->at++;
    COP_TRY(parse_subscript(self, &(*node)->b));
    if (kind_at(self) == JINJA_COMMA)
        return cop_jinja_refuse(self, COP_ERR_UNSUPPORTED,
                                "several subscripts at once are not supported");
    return cop_jinja_expect(self, JINJA_RIGHT_BRACKET, "\"]\"");
}

static cop_status parse_dot(jinja_parser *self, jinja_node **node)
{
    jinja_node *const object = *node;
    self->at++;
    if (kind_at(self) == JINJA_INTEGER) {
        COP_TRY(cop_jinja_make(self, JINJA_NODE_GETITEM, node));
        (*node)->a = object;
        return parse_number(self, &(*node)->b);
    }
    COP_TRY(cop_jinja_make(self, JINJA_NODE_GETATTR, node));
    (*node)->a = object;
    (*node)->text = self->at->text;
    return cop_jinja_expect(self, JINJA_WORD, "a name or a number");
}

static cop_status parse_postfix(jinja_parser *self, jinja_node **node)
{
    for (;;) {
        switch (kind_at(self)) {
        case JINJA_DOT:
            COP_TRY(parse_dot(self, node));
            break;
        case JINJA_LEFT_BRACKET:
            COP_TRY(parse_brackets(self, node));
            break;
        case JINJA_LEFT_PAREN:
            COP_TRY(parse_call(self, node));
            break;
        default:
            return COP_OK;
        }
    }
}

cop_status cop_jinja_parse_filters(jinja_parser *self, bool inline_first, jinja_node **node)
{
    while (inline_first || kind_at(self) == JINJA_PIPE) {
        jinja_node *const value = *node;
        if (!inline_first) self->at++;
        inline_first = false;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_FILTER, node));
        (*node)->a = value;
        (*node)->text = self->at->text;
        COP_TRY(cop_jinja_expect(self, JINJA_WORD, "the name of a filter"));
        if (kind_at(self) == JINJA_LEFT_PAREN) COP_TRY(parse_arguments(self, &(*node)->args));
    }
    return COP_OK;
}

/* True if the token to come begins the one argument of a test without brackets. */
static bool begins_operand(const jinja_parser *self)
{
    switch (kind_at(self)) {
    case JINJA_WORD:
        return !cop_jinja_is_word(self->at, "else") && !cop_jinja_is_word(self->at, "or") &&
               !cop_jinja_is_word(self->at, "and");
    case JINJA_STRING:
    case JINJA_INTEGER:
    case JINJA_REAL:
    case JINJA_LEFT_BRACKET:
    case JINJA_LEFT_BRACE:
        return true;
    default:
        return false;
    }
}

static cop_status parse_test(jinja_parser *self, jinja_node **node)
{
    jinja_node *const value = *node;
    self->at++;
    const bool negated = cop_jinja_skip_word(self, "not");
    COP_TRY(cop_jinja_make(self, JINJA_NODE_TEST, node));
    jinja_node *const test = *node;
    test->a = value;
    test->text = self->at->text;
    COP_TRY(cop_jinja_expect(self, JINJA_WORD, "the name of a test"));
    if (kind_at(self) == JINJA_LEFT_PAREN) {
        COP_TRY(parse_arguments(self, &test->args));
    } else if (begins_operand(self)) {
        if (cop_jinja_is_word(self->at, "is"))
            return cop_jinja_refuse(self, COP_ERR_FORMAT,
                                    "tests with \"is\" cannot be chained");
        COP_TRY(parse_primary(self, false, &test->args));
        COP_TRY(parse_postfix(self, &test->args));
    }
    if (!negated) return COP_OK;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_NOT, node));
    (*node)->a = test;
    return COP_OK;
}

static cop_status parse_filter_expression(jinja_parser *self, jinja_node **node)
{
    for (;;) {
        if (kind_at(self) == JINJA_PIPE) {
            COP_TRY(cop_jinja_parse_filters(self, false, node));
        } else if (cop_jinja_is_word(self->at, "is")) {
            COP_TRY(parse_test(self, node));
        } else if (kind_at(self) == JINJA_LEFT_PAREN) {
            COP_TRY(parse_call(self, node));
        } else {
            return COP_OK;
        }
    }
}

/* --- operators --- */

static cop_status parse_unary(jinja_parser *self, bool filters, jinja_node **node)
{
    COP_TRY(cop_jinja_descend(self));
    const jinja_token_kind op = kind_at(self);
    if (op == JINJA_SUBTRACT || op == JINJA_ADD) {
        jinja_node *sign = NULL;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_UNARY, &sign));
        sign->op = op;
        self->at++;
        COP_TRY(parse_unary(self, false, &sign->a));
        *node = sign;
    } else {
        COP_TRY(parse_primary(self, false, node));
    }
    COP_TRY(parse_postfix(self, node));
    if (filters) COP_TRY(parse_filter_expression(self, node));
    self->depth--;
    return COP_OK;
}

/* How tightly operators of two values bind; 0: it is none. */
static int level_of(jinja_token_kind op)
{
    switch (op) {
    case JINJA_ADD:
    case JINJA_SUBTRACT:
        return 1;
    case JINJA_TILDE:
        return 2;
    case JINJA_MULTIPLY:
    case JINJA_DIVIDE:
    case JINJA_FLOOR_DIVIDE:
    case JINJA_MODULO:
        return 3;
    case JINJA_POWER:
        return 4;
    default:
        return 0;
    }
}

/* All of these go from left to right, the power too. */
static cop_status parse_binary(jinja_parser *self, int level, jinja_node **node)
{
    if (level > 4) return parse_unary(self, true, node);
    COP_TRY(parse_binary(self, level + 1, node));
    while (level_of(kind_at(self)) == level) {
        jinja_node *made = NULL;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_BINARY, &made));
        made->op = kind_at(self);
        made->a = *node;
        self->at++;
        COP_TRY(parse_binary(self, level + 1, &made->b));
        *node = made;
    }
    return COP_OK;
}

/* The comparison to come, JINJA_END if there is none; past its words but the last. */
static jinja_token_kind comparison_at(jinja_parser *self)
{
    if (kind_at(self) >= JINJA_EQUAL && kind_at(self) <= JINJA_GREATER_EQUAL)
        return kind_at(self);
    if (cop_jinja_is_word(self->at, "in")) return JINJA_IN;
    if (cop_jinja_is_word(self->at, "not") && cop_jinja_is_word(self->at + 1, "in")) {
        self->at++;
        return JINJA_NOT_IN;
    }
    return JINJA_END;
}

static cop_status parse_compare(jinja_parser *self, jinja_node **node)
{
    COP_TRY(parse_binary(self, 1, node));
    jinja_token_kind op = comparison_at(self);
    if (op == JINJA_END) return COP_OK;
    jinja_node *const first = *node;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_COMPARE, node));
    (*node)->a = first;
    jinja_node **end = &(*node)->args;
    for (; op != JINJA_END; op = comparison_at(self)) {
        jinja_node *operand = NULL;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_OPERAND, &operand));
        operand->op = op;
        self->at++;
        COP_TRY(parse_binary(self, 1, &operand->a));
        append(&end, operand);
    }
    return COP_OK;
}

static cop_status parse_not(jinja_parser *self, jinja_node **node)
{
    if (!cop_jinja_is_word(self->at, "not")) return parse_compare(self, node);
    COP_TRY(cop_jinja_descend(self));
    COP_TRY(cop_jinja_make(self, JINJA_NODE_NOT, node));
    self->at++;
    COP_TRY(parse_not(self, &(*node)->a));
    self->depth--;
    return COP_OK;
}

static cop_status parse_and(jinja_parser *self, jinja_node **node)
{
    COP_TRY(parse_not(self, node));
    while (cop_jinja_is_word(self->at, "and")) {
        jinja_node *made = NULL;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_AND, &made));
        made->a = *node;
        self->at++;
        COP_TRY(parse_not(self, &made->b));
        *node = made;
    }
    return COP_OK;
}

static cop_status parse_or(jinja_parser *self, jinja_node **node)
{
    COP_TRY(parse_and(self, node));
    while (cop_jinja_is_word(self->at, "or")) {
        jinja_node *made = NULL;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_OR, &made));
        made->a = *node;
        self->at++;
        COP_TRY(parse_and(self, &made->b));
        *node = made;
    }
    return COP_OK;
}

static cop_status parse_choice(jinja_parser *self, jinja_node **node)
{
    COP_TRY(cop_jinja_descend(self));
    COP_TRY(parse_or(self, node));
    while (cop_jinja_is_word(self->at, "if")) {
        jinja_node *made = NULL;
        COP_TRY(cop_jinja_make(self, JINJA_NODE_CHOICE, &made));
        made->b = *node;
        self->at++;
        COP_TRY(parse_or(self, &made->a));
        if (cop_jinja_skip_word(self, "else")) COP_TRY(parse_choice(self, &made->c));
        *node = made;
    }
    self->depth--;
    return COP_OK;
}

cop_status cop_jinja_parse_expression(jinja_parser *self, bool choice, jinja_node **node)
{
    return choice ? parse_choice(self, node) : parse_or(self, node);
}

/* --- tuples and targets --- */

static bool ends_tuple(const jinja_parser *self, bool target)
{
    return kind_at(self) == JINJA_OUTPUT_END || kind_at(self) == JINJA_BLOCK_END ||
           kind_at(self) == JINJA_RIGHT_PAREN ||
           (target && cop_jinja_is_word(self->at, "in")) ||
           (!target && cop_jinja_is_word(self->at, "recursive"));
}

/* What parses one entry of a tuple. */
typedef enum entry_kind {
    ENTRY,
    ENTRY_WITHOUT_CHOICE,
    ENTRY_TARGET,
    ENTRY_ATTRIBUTE
} entry_kind;

static cop_status parse_entry(jinja_parser *self, entry_kind kind, jinja_node **node)
{
    if (kind == ENTRY || kind == ENTRY_WITHOUT_CHOICE)
        return cop_jinja_parse_expression(self, kind == ENTRY, node);
    COP_TRY(cop_jinja_descend(self));
    COP_TRY(parse_primary(self, kind == ENTRY_ATTRIBUTE, node));
    self->depth--;
    return COP_OK;
}

static cop_status parse_entries(jinja_parser *self, entry_kind kind, bool parens,
                                jinja_node **node)
{
    const bool target = kind >= ENTRY_TARGET;
    jinja_node *tuple = NULL;
    COP_TRY(cop_jinja_make(self, JINJA_NODE_TUPLE, &tuple));
    jinja_node **end = &tuple->args;
    bool is_tuple = false;
    while (!ends_tuple(self, target)) {
        jinja_node *item = NULL;
        COP_TRY(parse_entry(self, kind, &item));
        append(&end, item);
        if (!cop_jinja_skip(self, JINJA_COMMA)) break;
        is_tuple = true;
    }
    if (tuple->args == NULL && !parens)
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "a value should stand here");
    *node = !is_tuple && tuple->args != NULL ? tuple->args : tuple;
    return COP_OK;
}

cop_status cop_jinja_parse_tuple(jinja_parser *self, bool choice, bool parens,
                                 jinja_node **node)
{
    return parse_entries(self, choice ? ENTRY : ENTRY_WITHOUT_CHOICE, parens, node);
}

static bool can_assign(const jinja_node *node)
{
    if (node->kind != JINJA_NODE_TUPLE)
        return node->kind == JINJA_NODE_NAME || node->kind == JINJA_NODE_GETATTR;
    for (const jinja_node *item = node->args; item != NULL; item = item->next) {
        if (!can_assign(item)) return false;
    }
    return true;
}

cop_status cop_jinja_parse_target(jinja_parser *self, bool attributes, jinja_node **node)
{
    COP_TRY(parse_entries(self, attributes ? ENTRY_ATTRIBUTE : ENTRY_TARGET, false, node));
    if (!can_assign(*node))
        return cop_jinja_refuse(self, COP_ERR_FORMAT, "nothing can be assigned to this");
    return COP_OK;
}

cop_status cop_jinja_parse_signature(jinja_parser *self, jinja_node **args)
{
    jinja_node **end = args;
    bool defaults = false;
    COP_TRY(cop_jinja_expect(self, JINJA_LEFT_PAREN, "\"(\""));
    while (kind_at(self) != JINJA_RIGHT_PAREN) {
        jinja_node *name = NULL;
        if (*args != NULL) COP_TRY(cop_jinja_expect(self, JINJA_COMMA, "\",\""));
        COP_TRY(cop_jinja_make(self, JINJA_NODE_NAME, &name));
        name->text = self->at->text;
        COP_TRY(cop_jinja_expect(self, JINJA_WORD, "the name of a parameter"));
        if (cop_jinja_skip(self, JINJA_ASSIGN)) {
            COP_TRY(parse_choice(self, &name->a));
            defaults = true;
        } else if (defaults) {
            return cop_jinja_refuse(self, COP_ERR_FORMAT,
                                    "a parameter without a default stands behind one with it");
        }
        append(&end, name);
    }
    return cop_jinja_expect(self, JINJA_RIGHT_PAREN, "\")\"");
}
