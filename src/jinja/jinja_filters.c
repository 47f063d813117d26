/* Filters of single values, and tests. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_given(jinja_value value)
{
    return value.kind != JINJA_MISSING;
}

/* --- strings --- */

static cop_status filter_string(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    jinja_text text;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    *out = cop_jinja_str(text.data, text.length);
    return COP_OK;
}

static cop_status change_case(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_case wanted, jinja_value *out)
{
    jinja_text text;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    COP_TRY(cop_jinja_put_case(run, &buffer, text, wanted));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status filter_upper(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    return change_case(run, self, args, JINJA_UPPER, out);
}

static cop_status filter_lower(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    return change_case(run, self, args, JINJA_LOWER, out);
}

static cop_status filter_capitalize(jinja_run *run, jinja_value self,
                                    const jinja_arguments *args, jinja_value *out)
{
    return change_case(run, self, args, JINJA_CAPITALIZE, out);
}

/* Jinja's words end at white space, "-" and opening brackets. */
static bool ends_word(uint32_t code)
{
    return cop_jinja_is_space(code) || (code < 0x80 && code > 0 && strchr("-({[<", (int)code));
}

static cop_status filter_title(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    jinja_text text;
    jinja_buffer buffer = {0};
    uint32_t code = 0;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    for (size_t start = 0; start < text.length;) {
        size_t end = start;
        size_t bytes = cop_unicode_decode(text.data + end, text.length - end, &code);
        const bool gap = ends_word(code);
        for (;;) {
            end += bytes;
            if (end == text.length) break;
            bytes = cop_unicode_decode(text.data + end, text.length - end, &code);
            if (ends_word(code) != gap) break;
        }
        const jinja_text word = {text.data + start, end - start};
        COP_TRY(cop_jinja_put_case(run, &buffer, word, JINJA_FIRST_UPPER));
        start = end;
    }
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status filter_trim(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    static const char *const names[] = {"chars"};
    jinja_value set;
    jinja_text text;
    jinja_text characters = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 1, 0, &set));
    const bool given = is_given(set) && set.kind != JINJA_NIL;
    if (given) COP_TRY(cop_jinja_need_text(run, set, &characters));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    text = cop_jinja_strip(text, given ? &characters : NULL, true, true);
    *out = cop_jinja_str(text.data, text.length);
    return COP_OK;
}

static cop_status filter_replace(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    static const char *const names[] = {"old", "new", "count"};
    jinja_value values[3];
    jinja_text texts[3];
    int64_t most = -1;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 3, 2, values));
    COP_TRY(cop_jinja_to_str(run, self, &texts[0]));
    COP_TRY(cop_jinja_to_str(run, values[0], &texts[1]));
    COP_TRY(cop_jinja_to_str(run, values[1], &texts[2]));
    COP_TRY(cop_jinja_take_int(run, values[2], -1, &most));
    COP_TRY(cop_jinja_put_replaced(run, &buffer, texts[0], texts[1], texts[2],
                                   most < 0 ? -1 : most));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

/* A text of `width` spaces, or the text itself that `value` is. */
static cop_status read_indent(jinja_run *run, jinja_value value, int64_t otherwise,
                              jinja_text *text)
{
    int64_t width = otherwise;
    jinja_buffer buffer = {0};
    if (value.kind == JINJA_STR) {
        *text = value.text;
        return COP_OK;
    }
    COP_TRY(cop_jinja_take_int(run, value, otherwise, &width));
    for (int64_t i = 0; i < width; i++)
        COP_TRY(cop_jinja_put(run, &buffer, " ", 1));
    *text = cop_jinja_buffer_str(&buffer).text;
    return COP_OK;
}

static cop_status filter_indent(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    static const char *const names[] = {"width", "first", "blank"};
    jinja_value values[3];
    jinja_value lines;
    jinja_text text;
    jinja_text indent;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 3, 0, values));
    COP_TRY(cop_jinja_need_text(run, self, &text));
    COP_TRY(read_indent(run, values[0], 4, &indent));
    const bool first = cop_jinja_truth(values[1]);
    const bool blank = cop_jinja_truth(values[2]);
    jinja_buffer ended = {0};
    COP_TRY(cop_jinja_put(run, &ended, text.data, text.length));
    COP_TRY(cop_jinja_put(run, &ended, "\n", 1));
    COP_TRY(cop_jinja_split_lines(run, cop_jinja_buffer_str(&ended).text, false, &lines));
    for (size_t i = 0; i < lines.list->count; i++) {
        const jinja_text line = lines.list->items[i].text;
        if (i > 0) COP_TRY(cop_jinja_put(run, &buffer, "\n", 1));
        if (i == 0 ? first : blank || line.length > 0)
            COP_TRY(cop_jinja_put(run, &buffer, indent.data, indent.length));
        COP_TRY(cop_jinja_put(run, &buffer, line.data, line.length));
    }
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status filter_center(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    static const char *const names[] = {"width"};
    jinja_value value;
    jinja_text text;
    int64_t width = 80;
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 1, 0, &value));
    COP_TRY(cop_jinja_take_int(run, value, 80, &width));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    const int64_t length = (int64_t)cop_jinja_count(text);
    const int64_t room = width > length ? width - length : 0;
    const int64_t left = room / 2 + (room & width & 1); /* as str.center() has it */
    for (int64_t i = 0; i < room; i++) {
        if (i == left) COP_TRY(cop_jinja_put(run, &buffer, text.data, text.length));
        COP_TRY(cop_jinja_put(run, &buffer, " ", 1));
    }
    if (left == room) COP_TRY(cop_jinja_put(run, &buffer, text.data, text.length));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status filter_format(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    jinja_text text;
    jinja_value values;
    jinja_buffer buffer = {0};
    if (args->named > 0)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "the filter format with names is not supported");
    COP_TRY(cop_jinja_to_str(run, self, &text));
    COP_TRY(cop_jinja_list(run, JINJA_SORT_TUPLE, args->count, &values));
    for (size_t i = 0; i < args->count; i++)
        values.list->items[i] = args->items[i];
    COP_TRY(cop_jinja_put_formatted(run, &buffer, text, values));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

static cop_status filter_wordcount(jinja_run *run, jinja_value self,
                                   const jinja_arguments *args, jinja_value *out)
{
    jinja_text text;
    uint32_t code = 0;
    int64_t count = 0;
    bool inside = false;
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    COP_TRY(cop_jinja_to_str(run, self, &text));
    for (size_t i = 0; i < text.length;) {
        i += cop_unicode_decode(text.data + i, text.length - i, &code);
        const bool word = cop_jinja_is_alpha(code) || cop_jinja_is_numeric(code) || code == '_';
        count += word && !inside;
        inside = word;
    }
    *out = cop_jinja_int(count);
    return COP_OK;
}

/* --- JSON --- */

static cop_status read_separators(const jinja_run *run, jinja_value value,
                                  jinja_json_style *style)
{
    style->item = style->indented ? (jinja_text){",", 1} : (jinja_text){", ", 2};
    style->key = (jinja_text){": ", 2};
    if (!is_given(value) || value.kind == JINJA_NIL) return COP_OK;
    if (!cop_jinja_is_sequence(value) || value.list->count != 2)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "tojson: separators are two strings");
    COP_TRY(cop_jinja_need_text(run, value.list->items[0], &style->item));
    return cop_jinja_need_text(run, value.list->items[1], &style->key);
}

static cop_status filter_tojson(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                jinja_value *out)
{
    static const char *const names[] = {"ensure_ascii", "indent", "separators", "sort_keys"};
    jinja_value values[4];
    jinja_json_style style = {0};
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_bind(run, args, names, 4, 0, values));
    style.ascii = cop_jinja_truth(values[0]);
    style.indented = is_given(values[1]) && values[1].kind != JINJA_NIL;
    style.sorted = cop_jinja_truth(values[3]);
    if (style.indented) COP_TRY(read_indent(run, values[1], 0, &style.indent));
    COP_TRY(read_separators(run, values[2], &style));
    COP_TRY(cop_jinja_put_json(run, &buffer, self, &style));
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

/* --- numbers --- */

/* Reads a number as Python's int() or float() would; false where there is none. */
static bool read_number(jinja_text text, bool whole, double *number, int64_t *integer)
{
    char copy[64];
    size_t length = 0;
    text = cop_jinja_strip(text, NULL, true, true);
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.data[i];
        if (c == '_' && i > 0 && i + 1 < text.length && text.data[i - 1] != '_') continue;
        if (length + 1 == sizeof copy ||
            strchr(whole ? "+-0123456789" : "+-0123456789.eE", c) == NULL || c == '\0')
            return false;
        copy[length++] = c;
    }
    copy[length] = '\0';
    char *end = copy;
    if (whole) {
        *integer = strtoll(copy, &end, 10);
    } else {
        *number = strtod(copy, &end);
    }
    return length > 0 && *end == '\0';
}

static cop_status filter_int(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    static const char *const names[] = {"default", "base"};
    jinja_value values[2];
    int64_t integer = 0;
    double number = 0;
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    if (is_given(values[1]) && !(values[1].kind == JINJA_INT && values[1].integer == 10))
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "the filter int with another base than 10 is not supported");
    *out = is_given(values[0]) ? values[0] : cop_jinja_int(0);
    if (self.kind == JINJA_UNDEFINED)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "\"%.*s\" is undefined",
                              cop_jinja_shown(self.text), self.text.data);
    if (cop_jinja_is_integral(self)) {
        *out = cop_jinja_int(self.integer);
    } else if (self.kind == JINJA_STR && read_number(self.text, true, &number, &integer)) {
        *out = cop_jinja_int(integer);
    } else {
        if (self.kind == JINJA_FLOAT) number = self.real;
        if (self.kind == JINJA_STR ? !read_number(self.text, false, &number, &integer)
                                   : self.kind != JINJA_FLOAT)
            return COP_OK;
        if (number > -9e18 && number < 9e18) *out = cop_jinja_int((int64_t)number);
    }
    return COP_OK;
}

static cop_status filter_float(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    static const char *const names[] = {"default"};
    jinja_value otherwise;
    int64_t integer = 0;
    double number = 0;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 0, &otherwise));
    *out = is_given(otherwise) ? otherwise : cop_jinja_float(0);
    if (cop_jinja_is_number(self)) {
        *out = cop_jinja_float(cop_jinja_number(self));
    } else if (self.kind == JINJA_STR && read_number(self.text, false, &number, &integer)) {
        *out = cop_jinja_float(number);
    }
    return COP_OK;
}

static cop_status filter_abs(jinja_run *run, jinja_value self, const jinja_arguments *args,
                             jinja_value *out)
{
    COP_TRY(cop_jinja_bind(run, args, NULL, 0, 0, NULL));
    const bool negative = cop_jinja_is_number(self) && cop_jinja_number(self) < 0;
    return cop_jinja_unary(run, negative ? JINJA_SUBTRACT : JINJA_ADD, self, out);
}

static cop_status filter_round(jinja_run *run, jinja_value self, const jinja_arguments *args,
                               jinja_value *out)
{
    static const char *const names[] = {"precision", "method"};
    jinja_value values[2];
    jinja_text method = {"common", 6};
    int64_t places = 0;
    char text[400];
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    COP_TRY(cop_jinja_take_int(run, values[0], 0, &places));
    if (is_given(values[1])) COP_TRY(cop_jinja_need_text(run, values[1], &method));
    if (!cop_jinja_is_number(self) || places < 0 || places > 15)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "the filter round takes a number and 0 to 15 places");
    const double value = cop_jinja_number(self);
    if (cop_jinja_text_is(method, "common")) {
        if (cop_jinja_is_integral(self)) {
            *out = cop_jinja_int(self.integer);
            return COP_OK;
        }
        (void)snprintf(text, sizeof text, "%.*f", (int)places, value);
        *out = cop_jinja_float(strtod(text, NULL));
        return COP_OK;
    }
    const bool up = cop_jinja_text_is(method, "ceil");
    if (!up && !cop_jinja_text_is(method, "floor"))
        return cop_jinja_fail(run, COP_ERR_FORMAT,
                              "the filter round knows the methods common, ceil and floor");
    const double scale = pow(10, (double)places);
    *out = cop_jinja_float((up ? ceil(value * scale) : floor(value * scale)) / scale);
    return COP_OK;
}

/* --- others --- */

static cop_status filter_default(jinja_run *run, jinja_value self, const jinja_arguments *args,
                                 jinja_value *out)
{
    static const char *const names[] = {"default_value", "boolean"};
    jinja_value values[2];
    COP_TRY(cop_jinja_bind(run, args, names, 2, 0, values));
    *out = self;
    if (self.kind == JINJA_UNDEFINED || (cop_jinja_truth(values[1]) && !cop_jinja_truth(self)))
        *out = is_given(values[0]) ? values[0] : cop_jinja_word("");
    return COP_OK;
}

static cop_status filter_attr(jinja_run *run, jinja_value self, const jinja_arguments *args,
                              jinja_value *out)
{
    static const char *const names[] = {"name"};
    jinja_value name;
    jinja_text text;
    bool found = false;
    COP_TRY(cop_jinja_bind(run, args, names, 1, 1, &name));
    COP_TRY(cop_jinja_need_text(run, name, &text));
    if (self.kind == JINJA_NAMESPACE || self.kind == JINJA_LOOP)
        return cop_jinja_getattr(run, self, text, out);
    *out = cop_jinja_undefined(text);
    return cop_jinja_find_method(run, self, text, &found, out);
}

static const jinja_named_builtin filters[] = {
    {"string", filter_string},
    {"upper", filter_upper},
    {"lower", filter_lower},
    {"capitalize", filter_capitalize},
    {"title", filter_title},
    {"trim", filter_trim},
    {"replace", filter_replace},
    {"indent", filter_indent},
    {"center", filter_center},
    {"format", filter_format},
    {"wordcount", filter_wordcount},
    {"tojson", filter_tojson},
    {"int", filter_int},
    {"float", filter_float},
    {"abs", filter_abs},
    {"round", filter_round},
    {"default", filter_default},
    {"d", filter_default},
    {"attr", filter_attr},
};

jinja_builtin cop_jinja_find_filter(jinja_text name)
{
    const jinja_builtin found =
        cop_jinja_find_builtin(filters, sizeof filters / sizeof *filters, name);
    return found != NULL ? found
                         : cop_jinja_find_builtin(cop_jinja_sequence_filters,
                                                  cop_jinja_sequence_filter_count, name);
}
