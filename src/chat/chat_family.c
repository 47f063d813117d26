/* Rendering of chat prompts by the rules of a family (chat.h). */
#include "coppice/base/text.h"
#include "coppice/chat/chat.h"
#include "coppice/unicode/unicode.h"

#include <string.h>

/* What makes one ChatML template differ from another. */
typedef struct chatml {
    const char *system; /* put first where there is none of the messages' own; NULL: never */
    const char *end;    /* of an assistant's message in the last place */
    bool anywhere;      /* their own may stand further on */
} chatml;

/* A conversation on its way to a prompt. */
typedef struct conversation {
    const cop_chat_message *messages; /* [count] */
    size_t count;
    cop_text *prompt;
    cop_error *err;
} conversation;

static const char im_end[] = "<|im_end|>\n";

static const chatml chatml_of[COP_CHAT_FAMILY_COUNT] = {
    [COP_CHAT_CHATML] = {.end = im_end},
    [COP_CHAT_QWEN2] = {.system = "You are Qwen, created by Alibaba Cloud. You are a helpful "
                                  "assistant.",
                        .end = im_end},
    [COP_CHAT_QWEN2_MATH] = {.system = "Please reason step by step, and put your final answer "
                                       "within \\boxed{}.",
                             .end = im_end},
    [COP_CHAT_ASSISTANT] = {.system = "You are a helpful assistant.", .end = im_end},
    [COP_CHAT_SMOLLM2] = {.system = "You are a helpful AI assistant named SmolLM, trained by "
                                    "Hugging Face",
                          .end = im_end},
    [COP_CHAT_OLMO3] = {.system = "You are a helpful function-calling AI assistant. You do not "
                                  "currently have access to any functions. "
                                  "<functions></functions>",
                        .anywhere = true,
                        .end = "<|endoftext|>"}};

static const char *const names[COP_CHAT_FAMILY_COUNT] = {
    [COP_CHAT_PLAIN] = "plain",         [COP_CHAT_CHATML] = "chatml",
    [COP_CHAT_QWEN2] = "qwen2",         [COP_CHAT_QWEN3] = "qwen3",
    [COP_CHAT_LLAMA3] = "llama3",       [COP_CHAT_OLMO] = "olmo",
    [COP_CHAT_MISTRAL] = "mistral",     [COP_CHAT_LLAMA31] = "llama31",
    [COP_CHAT_OLMO3] = "olmo3",         [COP_CHAT_SMOLLM2] = "smollm2",
    [COP_CHAT_ASSISTANT] = "assistant", [COP_CHAT_QWEN2_MATH] = "qwen2-math",
    [COP_CHAT_ZEPHYR] = "zephyr",       [COP_CHAT_GEMMA] = "gemma"};

const char *cop_chat_family_name(cop_chat_family family)
{
    return (size_t)family < COP_CHAT_FAMILY_COUNT ? names[family] : "?";
}

cop_status cop_chat_family_find(const char *name, cop_chat_family *family, cop_error *err)
{
    *family = COP_CHAT_PLAIN;
    const size_t found = cop_text_find_name(name, names, COP_CHAT_FAMILY_COUNT);
    if (found < COP_CHAT_FAMILY_COUNT) {
        *family = (cop_chat_family)found;
        return COP_OK;
    }
    return cop_text_refuse_name("chat family", "chat families", name, names,
                                COP_CHAT_FAMILY_COUNT, err);
}

/* --- pieces of templates --- */

static bool has_role(const conversation *self, size_t index, const char *role)
{
    return index < self->count && strcmp(self->messages[index].role, role) == 0;
}

static cop_status put(const conversation *self, const char *text)
{
    return cop_text_append(self->prompt, text, strlen(text), self->err);
}

/* What templates strip: white space and the four separators of ASCII. */
static bool is_stripped(uint32_t code)
{
    return cop_unicode_is_space(code) || (code >= 0x1C && code <= 0x1F);
}

static cop_status put_trimmed(const conversation *self, const char *text)
{
    size_t length = strlen(text);
    uint32_t code = 0;
    while (length > 0) {
        const size_t bytes = cop_unicode_decode(text, length, &code);
        if (!is_stripped(code)) break;
        text += bytes;
        length -= bytes;
    }
    while (length > 0) {
        const size_t start = cop_unicode_previous(text, length);
        (void)cop_unicode_decode(text + start, length - start, &code);
        if (!is_stripped(code)) break;
        length = start;
    }
    return cop_text_append(self->prompt, text, length, self->err);
}

static cop_status put_chatml(const conversation *self, const char *role, const char *content,
                             const char *end)
{
    COP_TRY(put(self, "<|im_start|>"));
    COP_TRY(put(self, role));
    COP_TRY(put(self, "\n"));
    COP_TRY(put(self, content));
    return put(self, end);
}

/* --- families --- */

static cop_status render_plain(const conversation *self)
{
    for (size_t i = 0; i < self->count; i++)
        COP_TRY(put(self, self->messages[i].content));
    return COP_OK;
}

static bool has_system(const conversation *self, const chatml *variant)
{
    bool found = has_role(self, 0, "system");
    for (size_t i = 1; i < self->count && variant->anywhere; i++)
        found = found || has_role(self, i, "system");
    return found;
}

static cop_status render_chatml(const conversation *self, const chatml *variant)
{
    if (variant->system != NULL && !has_system(self, variant)) {
        COP_TRY(put_chatml(self, "system", variant->system, im_end));
    }
    for (size_t i = 0; i < self->count; i++) {
        const cop_chat_message *const message = &self->messages[i];
        const bool last = i + 1 == self->count && has_role(self, i, "assistant");
        COP_TRY(
            put_chatml(self, message->role, message->content, last ? variant->end : im_end));
    }
    return put(self, "<|im_start|>assistant\n");
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The last message in which the user asks something; the last of all if there is none. */
static size_t last_query(const conversation *self)
{
    for (size_t i = self->count; i-- > 0;) {
        const char *const content = self->messages[i].content;
        if (has_role(self, i, "user") && !(starts_with(content, "<tool_response>") &&
                                           cop_text_ends_in(content, "</tool_response>"))) {
            return i;
        }
    }
    return self->count - 1;
}

/* Where the last occurrence of `word` in text [length] ends, NULL if there is none. */
static const char *after_last(const char *text, size_t length, const char *word)
{
    const size_t word_length = strlen(word);
    for (size_t at = length; at >= word_length; at--) {
        const char *const start = text + at - word_length;
        if (memcmp(start, word, word_length) == 0) return text + at;
    }
    return NULL;
}

/* An answer is split into its thought and the rest. Thoughts before the last query are left
 * out; after it they are shown, and in the last message even an empty one is. */
static cop_status put_qwen3_answer(const conversation *self, size_t index, bool before_query)
{
    const char *content = self->messages[index].content;
    const char *thought = "";
    size_t length = 0;
    const char *const closing = strstr(content, "</think>");
    if (closing != NULL) {
        length = (size_t)(closing - content);
        while (length > 0 && content[length - 1] == '\n')
            length--;
        const char *const opened = after_last(content, length, "<think>");
        thought = opened == NULL ? content : opened;
        length -= (size_t)(thought - content);
        content = after_last(content, strlen(content), "</think>");
        content += strspn(content, "\n");
    }
    const size_t skipped = strspn(thought, "\n");
    thought += skipped < length ? skipped : length;
    length -= skipped < length ? skipped : length;
    if (before_query || (length == 0 && index + 1 < self->count)) {
        return put_chatml(self, "assistant", content, im_end);
    }
    COP_TRY(put(self, "<|im_start|>assistant\n<think>\n"));
    COP_TRY(cop_text_append(self->prompt, thought, length, self->err));
    COP_TRY(put(self, "\n</think>\n\n"));
    COP_TRY(put(self, content + strspn(content, "\n")));
    return put(self, im_end);
}

static cop_status render_qwen3(const conversation *self)
{
    const size_t query = last_query(self);
    for (size_t i = 0; i < self->count; i++) {
        const cop_chat_message *const message = &self->messages[i];
        COP_TRY(has_role(self, i, "assistant")
                    ? put_qwen3_answer(self, i, i <= query)
                    : put_chatml(self, message->role, message->content, im_end));
    }
    return put(self, "<|im_start|>assistant\n");
}

static cop_status put_llama3_header(const conversation *self, const char *role)
{
    COP_TRY(put(self, "<|start_header_id|>"));
    COP_TRY(put(self, role));
    return put(self, "<|end_header_id|>\n\n");
}

static cop_status render_llama3(const conversation *self, bool dates)
{
    COP_TRY(put(self, "<|begin_of_text|>"));
    size_t first = 0;
    if (dates) {
        first = has_role(self, 0, "system") ? 1 : 0;
        COP_TRY(put_llama3_header(self, "system"));
        COP_TRY(
            put(self, "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"));
        if (first == 1) COP_TRY(put_trimmed(self, self->messages[0].content));
        COP_TRY(put(self, "<|eot_id|>"));
    }
    for (size_t i = first; i < self->count; i++) {
        COP_TRY(put_llama3_header(self, self->messages[i].role));
        COP_TRY(put_trimmed(self, self->messages[i].content));
        COP_TRY(put(self, "<|eot_id|>"));
    }
    return put_llama3_header(self, "assistant");
}

static cop_status render_olmo(const conversation *self)
{
    COP_TRY(put(self, "<|endoftext|>"));
    for (size_t i = 0; i < self->count; i++) {
        const bool answer = has_role(self, i, "assistant");
        COP_TRY(put(self, "<|"));
        COP_TRY(put(self, self->messages[i].role));
        COP_TRY(put(self, "|>\n"));
        COP_TRY(put(self, self->messages[i].content));
        if (answer) COP_TRY(put(self, "<|endoftext|>"));
        if (!answer || i + 1 < self->count) COP_TRY(put(self, "\n"));
    }
    return put(self, "<|assistant|>\n");
}

static cop_status render_zephyr(const conversation *self)
{
    for (size_t i = 0; i < self->count; i++) {
        COP_TRY(put(self, "<|"));
        COP_TRY(put(self, self->messages[i].role));
        COP_TRY(put(self, "|>\n"));
        COP_TRY(put(self, self->messages[i].content));
        COP_TRY(put(self, "</s>\n"));
    }
    return put(self, "<|assistant|>\n");
}

/* User and assistant, in turn, from message `first` on. */
static cop_status check_turns(const conversation *self, size_t first)
{
    for (size_t i = first; i < self->count; i++) {
        COP_CHECK(
            has_role(self, i, (i - first) % 2 == 0 ? "user" : "assistant"), self->err,
            COP_ERR_FORMAT,
            "message %zu is of the role \"%s\": after an optional system message, user and "
            "assistant must take turns in this chat family",
            i + 1, self->messages[i].role);
    }
    return COP_OK;
}

/* A system message stands at the head of the first user's. */
static cop_status render_gemma(const conversation *self)
{
    const size_t first = has_role(self, 0, "system") ? 1 : 0;
    COP_TRY(check_turns(self, first));
    COP_TRY(put(self, "<bos>"));
    for (size_t i = first; i < self->count; i++) {
        COP_TRY(put(self, has_role(self, i, "user") ? "<start_of_turn>user\n"
                                                    : "<start_of_turn>model\n"));
        if (first == 1 && i == 1) {
            COP_TRY(put(self, self->messages[0].content));
            COP_TRY(put(self, "\n\n"));
        }
        COP_TRY(put_trimmed(self, self->messages[i].content));
        COP_TRY(put(self, "<end_of_turn>\n"));
    }
    return put(self, "<start_of_turn>model\n");
}

static cop_status render_mistral(const conversation *self)
{
    const size_t first = has_role(self, 0, "system") ? 1 : 0;
    COP_TRY(check_turns(self, first));
    COP_TRY(put(self, "<s>"));
    for (size_t i = first; i < self->count; i++) {
        if (has_role(self, i, "assistant")) {
            COP_TRY(put(self, " "));
            COP_TRY(put_trimmed(self, self->messages[i].content));
            COP_TRY(put(self, "</s>"));
            continue;
        }
        COP_TRY(put(self, "[INST] "));
        if (first == 1 && i + 1 == self->count) {
            COP_TRY(put(self, self->messages[0].content));
            COP_TRY(put(self, "\n\n"));
        }
        COP_TRY(put(self, self->messages[i].content));
        COP_TRY(put(self, "[/INST]"));
    }
    return COP_OK;
}

static cop_status check_roles(const conversation *self)
{
    COP_CHECK(self->count > 0, self->err, COP_ERR_FORMAT, "a chat prompt needs a message");
    for (size_t i = 0; i < self->count; i++) {
        COP_CHECK(has_role(self, i, "system") || has_role(self, i, "user") ||
                      has_role(self, i, "assistant"),
                  self->err, COP_ERR_FORMAT,
                  "message %zu is of the role \"%s\"; it must be system, user or assistant",
                  i + 1, self->messages[i].role);
    }
    return COP_OK;
}

static cop_status render_family(const conversation *self, cop_chat_family family)
{
    COP_TRY(check_roles(self));
    switch (family) {
    case COP_CHAT_PLAIN:
        return render_plain(self);
    case COP_CHAT_QWEN3:
        return render_qwen3(self);
    case COP_CHAT_LLAMA3:
    case COP_CHAT_LLAMA31:
        return render_llama3(self, family == COP_CHAT_LLAMA31);
    case COP_CHAT_OLMO:
        return render_olmo(self);
    case COP_CHAT_ZEPHYR:
        return render_zephyr(self);
    case COP_CHAT_MISTRAL:
        return render_mistral(self);
    case COP_CHAT_GEMMA:
        return render_gemma(self);
    case COP_CHAT_CHATML:
    case COP_CHAT_QWEN2:
    case COP_CHAT_QWEN2_MATH:
    case COP_CHAT_ASSISTANT:
    case COP_CHAT_SMOLLM2:
    case COP_CHAT_OLMO3:
        return render_chatml(self, &chatml_of[family]);
    case COP_CHAT_FAMILY_COUNT:
        break;
    }
    return cop_error_set(self->err, COP_ERR_INTERNAL, "there is no chat family %d",
                         (int)family);
}

cop_status cop_chat_render_family(cop_chat_family family, const cop_chat_message *messages,
                                  size_t count, cop_text *prompt, cop_error *err)
{
    const conversation self = {
        .messages = messages, .count = count, .prompt = prompt, .err = err};
    const size_t length = prompt->length;
    const cop_status status = render_family(&self, family);
    if (status != COP_OK && prompt->data != NULL) {
        prompt->length = length;
        prompt->data[length] = '\0';
    }
    return status;
}
