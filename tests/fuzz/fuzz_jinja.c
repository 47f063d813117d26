/* Fuzz target of chat templates: any bytes as a template, over a conversation. */
#include "coppice/jinja/jinja.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A template either renders, twice the same, or is refused with a message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tm now = {.tm_year = 126, .tm_mon = 10, .tm_mday = 28, .tm_wday = 6};
    cop_jinja *template = NULL;
    cop_error err = {0};
    if (cop_jinja_parse((const char *)data, size, &template, &err) != COP_OK) {
        if (template != NULL || err.message[0] == '\0') abort();
        return 0;
    }
    json_t *const variables = json_pack(
        "{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}], s:b, s:s, s:s, s:n, s:i, s:f, s:{s:i,s:[i,i]}}",
        "messages", "role", "system", "content", " S ", "role", "user", "content",
        "\xC3\xA9\n<think>a</think>b", "role", "assistant", "content", "",
        "add_generation_prompt", 1, "bos_token", "<s>", "eos_token", "</s>", "tools", "n", 7,
        "f", 2.5, "d", "b", 1, "a", 3, 2);
    if (variables == NULL) abort();
    cop_text first = {0};
    cop_text second = {0};
    const cop_status status = cop_jinja_render(template, variables, &now, &first, &err);
    if (status != COP_OK && (err.message[0] == '\0' || first.length != 0)) abort();
    if (status == COP_OK &&
        (cop_jinja_render(template, variables, &now, &second, &err) != COP_OK ||
         first.length != second.length))
        abort();
    cop_text_free(&first);
    cop_text_free(&second);
    json_decref(variables);
    cop_jinja_destroy(&template);
    return 0;
}
