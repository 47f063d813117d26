/* Sentences of a story, shuffled, to be put in order: ROCStories. */
#include "task/tasks.h"

#include "coppice/base/digest.h"
#include "coppice/json/json.h"
#include "task/characters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCES = 5, ORDERS = 120 /* 5! */ };

static const double position_weight = 0.6;
static const double adjacent_weight = 0.4;

/* --- examples --- */

/* Order number `code` of the sentences: places[i] is where sentence i stands. */
static void decode_order(unsigned code, size_t places[SENTENCES])
{
    size_t left[SENTENCES];
    for (size_t i = 0; i < SENTENCES; i++)
        left[i] = i;
    for (size_t i = 0; i < SENTENCES; i++) {
        const size_t count = SENTENCES - i;
        const size_t pick = code % count;
        code /= (unsigned)count;
        places[i] = left[pick];
        memmove(left + pick, left + pick + 1, (count - pick - 1) * sizeof *left);
    }
}

/* The order that a story is shown in follows from its text alone: the same in every file, at
 * every place in it. */
static cop_status choose_order(const json_t *const sentences[SENTENCES],
                               size_t places[SENTENCES], cop_error *err)
{
    enum { DIGITS = 15, HEX = 16 }; /* what an unsigned long long takes, and enough for 120 */
    cop_text all = {0};
    char digest[COP_DIGEST_HEX_BYTES];
    cop_status status = COP_OK;
    for (size_t i = 0; i < SENTENCES; i++) {
        COP_TRY_OUT(cop_text_append(&all, json_string_value(sentences[i]),
                                    json_string_length(sentences[i]), err));
        COP_TRY_OUT(cop_text_append(&all, "\n", 1, err));
    }
    COP_TRY_OUT(cop_digest_bytes(all.data, all.length, digest, err));
    digest[DIGITS] = '\0';
    decode_order((unsigned)(strtoull(digest, NULL, HEX) % ORDERS), places);
out:
    cop_text_free(&all);
    return status;
}

/* The sentences in the story's order, and where each is shown. */
typedef struct story {
    const json_t *sentences[SENTENCES];
    size_t places[SENTENCES];
} story;

static cop_status check_sentence(const json_t *sentence, const char *name, cop_error *err)
{
    COP_CHECK(cop_json_is_text(sentence), err, COP_ERR_FORMAT,
              "field \"%s\" must be a string, without a zero character", name);
    return COP_OK;
}

/* As ROCStories is published: sentence1 .. sentence5. */
static cop_status read_sentences(const json_t *example, story *s, cop_error *err)
{
    for (size_t i = 0; i < SENTENCES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "sentence%zu", i + 1);
        COP_TRY(cop_task_find_field(example, name, &s->sentences[i], err));
        COP_TRY(check_sentence(s->sentences[i], name, err));
    }
    return choose_order(s->sentences, s->places, err);
}

/* Shuffled already: shuffled_sentences, and in gold_order the place of the first, second, ...
 */
static cop_status read_shuffled(const json_t *example, const json_t *shuffled, story *s,
                                cop_error *err)
{
    const json_t *order = NULL;
    bool taken[SENTENCES] = {false};
    COP_TRY(cop_task_find_field(example, "gold_order", &order, err));
    COP_CHECK(json_array_size(shuffled) == SENTENCES && json_array_size(order) == SENTENCES,
              err, COP_ERR_FORMAT,
              "fields \"shuffled_sentences\" and \"gold_order\" must be lists of %d",
              (int)SENTENCES);
    for (size_t i = 0; i < SENTENCES; i++) {
        const json_t *const place = json_array_get(order, i);
        const json_int_t value = json_integer_value(place);
        COP_CHECK(json_is_integer(place) && value >= 0 && value < SENTENCES && !taken[value],
                  err, COP_ERR_FORMAT, "field \"gold_order\" must hold 0 to %d, each once",
                  SENTENCES - 1);
        taken[value] = true;
        s->places[i] = (size_t)value;
        s->sentences[i] = json_array_get(shuffled, (size_t)value);
        COP_TRY(check_sentence(s->sentences[i], "shuffled_sentences", err));
    }
    return COP_OK;
}

static cop_status append_story(const json_t *example, const story *s, cop_text *text,
                               cop_error *err)
{
    const json_t *const title = json_object_get(example, "title");
    if (cop_json_is_text(title))
        COP_TRY(cop_text_format(text, err, "Title: %s\n\n", json_string_value(title)));
    for (size_t place = 0; place < SENTENCES; place++) {
        size_t i = 0;
        while (s->places[i] != place)
            i++;
        COP_TRY(cop_text_format(text, err, "%sSentence %c: %s", place == 0 ? "" : "\n",
                                (char)('A' + place), json_string_value(s->sentences[i])));
    }
    return COP_OK;
}

static cop_status prepare(json_t *example, cop_error *err)
{
    story s = {0};
    cop_text text = {0};
    cop_text answer = {0};
    cop_status status = COP_OK;
    const json_t *const shuffled = json_object_get(example, "shuffled_sentences");
    COP_TRY(shuffled != NULL ? read_shuffled(example, shuffled, &s, err)
                             : read_sentences(example, &s, err));
    COP_TRY_OUT(append_story(example, &s, &text, err));
    for (size_t i = 0; i < SENTENCES; i++)
        COP_TRY_OUT(cop_text_format(&answer, err, "%s%c", i == 0 ? "" : ",",
                                    (char)('A' + s.places[i])));
    COP_TRY_OUT(
        cop_task_set_field(example, "story", json_stringn(text.data, text.length), err));
    COP_TRY_OUT(
        cop_task_set_field(example, "answer", json_stringn(answer.data, answer.length), err));
out:
    cop_text_free(&text);
    cop_text_free(&answer);
    return status;
}

/* --- responses --- */

/* The letter A to E that begins at `at` in either case, 0 for none; *bytes: how long it is. */
static char letter_at(cop_slice text, size_t at, size_t *bytes)
{
    uint32_t code = 0;
    *bytes = cop_character_decode(text.data + at, text.length - at, &code);
    if (code >= 'a' && code <= 'e') return (char)(code - 'a' + 'A');
    return code >= 'A' && code <= 'E' ? (char)code : '\0';
}

static size_t skip_spaces(cop_slice text, size_t at)
{
    while (at < text.length) {
        uint32_t code = 0;
        const size_t bytes = cop_character_decode(text.data + at, text.length - at, &code);
        if (!cop_character_is_space(code)) break;
        at += bytes;
    }
    return at;
}

/* What stands between the letters of an order. */
typedef enum separator { COMMAS, SPACES, NOTHING } separator;

/* Where the next letter must begin; SIZE_MAX if the separator is not there. */
static size_t skip_separator(cop_slice text, size_t at, separator kind)
{
    const size_t after = kind == NOTHING ? at : skip_spaces(text, at);
    if (kind == SPACES) return after > at ? after : SIZE_MAX;
    if (kind == NOTHING) return after;
    return after < text.length && text.data[after] == ',' ? skip_spaces(text, after + 1)
                                                          : SIZE_MAX;
}

/* Five letters from `at` on. */
static bool match_order(cop_slice text, size_t at, separator kind, char order[SENTENCES])
{
    for (size_t i = 0; i < SENTENCES; i++) {
        size_t bytes = 0;
        if (i > 0) at = skip_separator(text, at, kind);
        if (at >= text.length) return false; /* SIZE_MAX too */
        order[i] = letter_at(text, at, &bytes);
        if (order[i] == '\0') return false;
        at += bytes;
    }
    return true;
}

/* The first five letters in a row with such separators. */
static bool find_row(cop_slice text, separator kind, char order[SENTENCES])
{
    for (size_t at = 0; at < text.length; at++) {
        const bool inside = ((unsigned char)text.data[at] & 0xC0u) == 0x80u;
        if (!inside && match_order(text, at, kind, order)) return true;
    }
    return false;
}

/* The first five letters in a row, separated by commas, or else by spaces, or else by nothing;
 * or else the first five at all. */
static bool find_order(cop_slice text, char order[SENTENCES])
{
    for (separator kind = COMMAS; kind <= NOTHING; kind++) {
        if (find_row(text, kind, order)) return true;
    }
    size_t count = 0;
    for (size_t at = 0; at < text.length && count < SENTENCES;) {
        size_t bytes = 0;
        const char letter = letter_at(text, at, &bytes);
        if (letter != '\0') order[count++] = letter;
        at += bytes;
    }
    return count == SENTENCES;
}

/* places[letter - 'A'] is the place of each letter. \return false unless each is there once. */
static bool find_places(const char order[SENTENCES], size_t places[SENTENCES])
{
    bool seen[SENTENCES] = {false};
    for (size_t i = 0; i < SENTENCES; i++) {
        const size_t letter = (size_t)(order[i] - 'A');
        if (seen[letter]) return false;
        seen[letter] = true;
        places[letter] = i;
    }
    return true;
}

/* --- reward --- */

/* Adds a text's letters to an order; false if it has anything else besides spaces and commas.
 */
static bool add_letters(const char *text, char order[SENTENCES], size_t *count)
{
    for (; *text != '\0'; text++) {
        size_t bytes = 0;
        if (*text == ' ' || *text == ',') continue;
        const char letter = letter_at((cop_slice){text, 1}, 0, &bytes);
        if (letter == '\0' || *count == SENTENCES) return false;
        order[(*count)++] = letter;
    }
    return true;
}

/* "B,C,E,D,A" or ["B", "C", "E", "D", "A"], spaces and case aside. */
static cop_status read_reference(const json_t *answer, char order[SENTENCES], cop_error *err)
{
    size_t count = 0;
    size_t places[SENTENCES];
    const size_t entries = json_is_array(answer) ? json_array_size(answer) : 1;
    bool good = true;
    for (size_t e = 0; e < entries && good; e++) {
        const json_t *const one = json_is_array(answer) ? json_array_get(answer, e) : answer;
        good = json_is_string(one) && add_letters(json_string_value(one), order, &count);
    }
    COP_CHECK(
        good && count == SENTENCES && find_places(order, places), err, COP_ERR_FORMAT,
        "field \"answer\" must have the letters A to E, each once, such as \"B,C,E,D,A\"");
    return COP_OK;
}

/* As the published reward: the share of letters in their place, and of neighbours in the
 * reference that the response has in that order, wherever they stand. */
static double score_order(const char order[SENTENCES], const size_t places[SENTENCES],
                          const char reference[SENTENCES])
{
    int in_place = 0;
    int in_order = 0;
    for (size_t i = 0; i < SENTENCES; i++)
        in_place += order[i] == reference[i];
    for (size_t i = 0; i + 1 < SENTENCES; i++)
        in_order += places[reference[i] - 'A'] < places[reference[i + 1] - 'A'];
    return position_weight * (in_place / (double)SENTENCES) +
           adjacent_weight * (in_order / (double)(SENTENCES - 1));
}

static cop_status score_response(const char *response, size_t length, const json_t *answer,
                                 cop_score *score, cop_error *err)
{
    char reference[SENTENCES] = {0};
    char order[SENTENCES] = {0};
    size_t places[SENTENCES] = {0};
    *score = (cop_score){0};
    COP_TRY(read_reference(answer, reference, err));
    const cop_slice text = {response != NULL ? response : "", length};
    score->form = cop_form_of(find_order(text, order) && find_places(order, places));
    if (score->form != COP_FORM_FOUND) return COP_OK;
    score->reward = score_order(order, places, reference);
    score->correct = memcmp(order, reference, SENTENCES) == 0;
    return cop_task_set_extracted((cop_slice){order, SENTENCES}, score, err);
}

/* The first row with commas counts before all else, and what follows it changes nothing: one
 * that began before it and needed more text would have had its five letters by then. Any other
 * row gives way to one with commas. */
static cop_decided decide(const char *beginning, size_t length, const json_t *answer)
{
    char order[SENTENCES];
    (void)answer;
    return find_row((cop_slice){beginning, length}, COMMAS, order) ? COP_DECIDED_ALL
                                                                   : COP_DECIDED_NOTHING;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    char order[SENTENCES] = {0};
    const json_t *value = NULL;
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    COP_TRY(read_reference(value, order, err));
    *answer = value;
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "sentence1", .kind = "string"},
    {.name = "sentence2", .kind = "string"},
    {.name = "sentence3", .kind = "string"},
    {.name = "sentence4", .kind = "string"},
    {.name = "sentence5", .kind = "string"},
    {.name = "title", .kind = "string", .optional = true},
    {.name = "shuffled_sentences",
     .kind = "list of 5 strings, in place of sentence1 to sentence5",
     .optional = true},
    {.name = "gold_order",
     .kind = "list of 5 indices from 0: where the first, second, ... of them is",
     .optional = true},
    {.name = "story", .kind = "string: title and lettered sentences", .made = true},
    {.name = "answer", .kind = "string: the right order, such as \"B,C,E,D,A\"", .made = true},
    {0},
};

const cop_task cop_task_order = {
    .name = "order",
    .summary = "five sentences of a story, shuffled, to be put in order",
    .fields = fields,
    .data = "ROCStories, its CSV turned into JSON lines, with fields {title: storytitle}; the "
            "order in which a story is shown follows from its text",
    .reward =
        "0.6 x share of letters in their place + 0.4 x share of the story's neighbours in "
        "the right order; 0 unless each letter A to E is there once",
    .correctness = "all five in their place",
    .vote = "the order, such as BCEDA",
    .form = "the letters A to E, each once",
    .default_system = "You understand stories: what leads to what, and what must come first.",
    .default_user =
        "Here are the five sentences of a story in the wrong order.\n\n{story}\n\nPut them "
        "in the order in which they happened. Answer with the letters alone, separated "
        "by commas, for example B,A,D,E,C.",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .graded = true,
    .correct_at = 1.0,
    .prepare = prepare,
    .answer = find_answer,
    .score = score_response,
    .decided = decide,
};
