/* Chat prompts (chat.h): the model's own template, or a family's rules. */
#include "coppice/chat/chat.h"

#include "coppice/base/memory.h"
#include "coppice/chat/chat_files.h"
#include "coppice/jinja/jinja.h"
#include "coppice/unicode/unicode.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct cop_chat {
    cop_jinja *template; /* NULL: a family's rules */
    cop_chat_family family;
    bool lacking;   /* a template was looked for in vain */
    char *name;     /* of the template, for messages */
    json_t *tokens; /* special tokens, variables of the template */
    struct tm now;
};

/* --- dates --- */

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool has_form(const char *date)
{
    static const char form[] = "0000-00-00";
    if (strlen(date) != sizeof form - 1) return false;
    for (size_t i = 0; form[i] != '\0'; i++) {
        if (form[i] == '0' ? date[i] < '0' || date[i] > '9' : date[i] != form[i]) return false;
    }
    return true;
}

static cop_status read_date(const char *date, struct tm *now, cop_error *err)
{
    int year = 0;
    int month = 0;
    int day = 0;
    const bool read = has_form(date) && sscanf(date, "%d-%d-%d", &year, &month, &day) == 3;
    COP_CHECK(read && year >= 1900 && month >= 1 && month <= 12 && day >= 1 &&
                  day <= days_of(year, month),
              err, COP_ERR_CONFIG,
              "the date \"%.40s\" is none: it must be YYYY-MM-DD, for example %s", date,
              COP_CHAT_DEFAULT_DATE);
    *now = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    for (int m = 1; m < month; m++)
        now->tm_yday += days_of(year, m);
    now->tm_yday += day - 1;
    /* The first of January 1900 was a Monday. */
    const int before = year - 1900;
    const int leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 460;
    now->tm_wday = (1 + before * 365 + leaps + now->tm_yday) % 7;
    now->tm_isdst = -1;
    return COP_OK;
}

cop_status cop_chat_check_date(const char *date, cop_error *err)
{
    struct tm now;
    return read_date(date, &now, err);
}

/* --- making --- */

static cop_status take_template(const char *model_dir, cop_chat *chat, cop_error *err)
{
    cop_chat_files files = {0};
    COP_TRY(cop_chat_files_read(model_dir, &files, err));
    cop_status status = COP_OK;
    chat->tokens = json_incref(files.tokens);
    chat->lacking = files.template.length == 0;
    if (files.template.length > 0) {
        cop_text name = {0};
        COP_TRY_OUT(
            cop_text_format(&name, err, "%s/%s: the chat template", model_dir, files.source));
        chat->name = name.data;
        status =
            cop_jinja_parse(files.template.data, files.template.length, &chat->template, err);
        if (status != COP_OK) (void)cop_error_prefix(err, "%s", chat->name);
    }
out:
    cop_chat_files_free(&files);
    return status;
}

cop_status cop_chat_create(const cop_chat_options *options, cop_chat **chat, cop_error *err)
{
    *chat = NULL;
    cop_chat *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    const char *const date = options->date != NULL ? options->date : COP_CHAT_DEFAULT_DATE;
    cop_status status = read_date(date, &made->now, err);
    if (status == COP_OK) {
        status = options->family == NULL || strcmp(options->family, "auto") == 0
                     ? take_template(options->model_dir, made, err)
                     : cop_chat_family_find(options->family, &made->family, err);
    }
    if (status != COP_OK) {
        cop_chat_destroy(&made);
        return status;
    }
    *chat = made;
    return COP_OK;
}

void cop_chat_destroy(cop_chat **chat)
{
    if (chat == NULL || *chat == NULL) return;
    cop_jinja_destroy(&(*chat)->template);
    json_decref((*chat)->tokens);
    cop_memory_free((*chat)->name);
    cop_memory_free(*chat);
    *chat = NULL;
}

bool cop_chat_lacks_template(const cop_chat *chat)
{
    return chat->lacking;
}

bool cop_chat_is_plain(const cop_chat *chat)
{
    return chat->template == NULL && chat->family == COP_CHAT_PLAIN;
}

bool cop_chat_asks_date(const cop_chat *chat)
{
    return chat->template != NULL && cop_jinja_reads(chat->template, "strftime_now");
}

/* --- rendering --- */

/* A text that is repaired where it is not UTF-8, as encoding it would. */
static json_t *make_string(const char *text)
{
    const size_t length = strlen(text);
    if (cop_unicode_is_valid(text, length)) return json_stringn_nocheck(text, length);
    cop_text repaired = {0};
    json_t *string = NULL;
    if (cop_unicode_repair(&repaired, text, length, NULL) == COP_OK)
        string = json_stringn_nocheck(repaired.data, repaired.length);
    cop_text_free(&repaired);
    return string;
}

/* The variables that templates are run with in transformers. */
static json_t *make_variables(const cop_chat *chat, const cop_chat_message *messages,
                              size_t count, bool prompt)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, json_pack("{s:o, s:o}", "role",
                                                    make_string(messages[i].role), "content",
                                                    make_string(messages[i].content)));
    }
    json_t *variables = json_pack("{s:o, s:n, s:n, s:b}", "messages", list, "tools",
                                  "documents", "add_generation_prompt", prompt ? 1 : 0);
    if (variables != NULL && json_array_size(list) == count &&
        json_object_update(variables, chat->tokens) == 0)
        return variables;
    json_decref(variables);
    return NULL;
}

static cop_status run_template(const cop_chat *chat, const cop_chat_message *messages,
                               size_t count, bool prompt, cop_text *out, cop_error *err)
{
    json_t *const variables = make_variables(chat, messages, count, prompt);
    COP_CHECK(variables != NULL, err, COP_ERR_MEMORY, "no memory for a conversation");
    const cop_status status = cop_jinja_render(chat->template, variables, &chat->now, out, err);
    json_decref(variables);
    if (status != COP_OK) (void)cop_error_prefix(err, "%s", chat->name);
    return status;
}

cop_status cop_chat_render(const cop_chat *chat, const cop_chat_message *messages, size_t count,
                           cop_text *prompt, cop_error *err)
{
    COP_CHECK(count > 0, err, COP_ERR_FORMAT, "a chat prompt needs a message");
    return chat->template != NULL
               ? run_template(chat, messages, count, true, prompt, err)
               : cop_chat_render_family(chat->family, messages, count, prompt, err);
}

/* --- how a turn ends --- */

/* The first special token of text [length]; -1 if it has none. */
static cop_status find_special(const cop_tokenizer *tokenizer, const char *text, size_t length,
                               int32_t *id, cop_error *err)
{
    cop_ids ids = {0};
    cop_text shown = {0};
    *id = -1;
    cop_status status = cop_tokenizer_encode(tokenizer, text, length, false, &ids, err);
    for (size_t i = 0; i < ids.count && status == COP_OK && *id < 0; i++) {
        cop_text_clear(&shown);
        status = cop_tokenizer_decode(tokenizer, &ids.data[i], 1, true, &shown, err);
        if (status == COP_OK && shown.length == 0) *id = ids.data[i];
    }
    cop_ids_free(&ids);
    cop_text_free(&shown);
    return status;
}

cop_status cop_chat_find_end(const cop_chat *chat, const cop_tokenizer *tokenizer, int32_t *id,
                             cop_text *content, cop_error *err)
{
    static const char answer[] = "Answer 1793.";
    static const cop_chat_message talk[] = {{"user", "Question?"}, {"assistant", answer}};
    cop_text text = {0};
    cop_error refused = {0};
    cop_status status = COP_OK;
    *id = -1;
    if (cop_chat_is_plain(chat)) return COP_OK;
    /* A template that refuses such a conversation says nothing about its end. */
    const cop_status rendered =
        chat->template != NULL ? run_template(chat, talk, 2, false, &text, &refused)
                               : cop_chat_render_family(chat->family, talk, 2, &text, &refused);
    const char *const found =
        rendered == COP_OK && text.data != NULL ? strstr(text.data, answer) : NULL;
    if (found != NULL) {
        const char *const behind = found + sizeof answer - 1;
        status = find_special(tokenizer, behind, text.length - (size_t)(behind - text.data), id,
                              err);
    }
    if (status == COP_OK && *id >= 0)
        status = cop_tokenizer_decode(tokenizer, id, 1, false, content, err);
    cop_text_free(&text);
    return status;
}
