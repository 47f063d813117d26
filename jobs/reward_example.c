/* A reward of one's own, in C: the same as reward_example.py. Compile it, then name it in a
 * job:
 *
 *     cc -O2 -o reward_example jobs/reward_example.c -ljansson
 *     task: {name: exec, command: [./reward_example], data: ...}
 *
 * Every worker rank starts it once. A line of its standard input is a request, a JSON object
 * with "id", "prompt", "response", "answer" and all other fields of the example; each is
 * answered by a line {"id", "reward", "correct", "extracted"}, in any order. It ends when its
 * input ends. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIP = 300 };

static const char number_characters[] = "0123456789.,";

/* Copies a number without commas, full stops at its end and an ellipsis before it. Frees what
 * `found` held. */
static void keep(char **found, const char *start, size_t length)
{
    size_t kept = 0;
    size_t begin = *start == '-';
    const size_t dots = strspn(start + begin, ".,");
    free(*found);
    *found = malloc(length + 1);
    if (*found == NULL) exit(1); /* the job says so, and starts this program again */
    if (begin > 0) (*found)[kept++] = '-';
    if (dots >= 2) begin += dots; /* but the point of .5 stays */
    for (size_t i = begin; i < length; i++)
        if (start[i] != ',') (*found)[kept++] = start[i];
    while (kept > 0 && (*found)[kept - 1] == '.')
        kept--;
    (*found)[kept] = '\0';
}

/* The number after the last "#### ", else the last number, else NULL; to be freed. */
static char *find_number(const char *text)
{
    char *marked = NULL;
    char *last = NULL;
    for (const char *at = text; *(at += strcspn(at, number_characters)) != '\0';) {
        const size_t digits = strspn(at, number_characters);
        const char *const start = at > text && at[-1] == '-' ? at - 1 : at;
        const size_t length = digits + (size_t)(at - start);
        if (strcspn(at, "0123456789") >= digits) { /* dots and commas only: no number */
            at += digits;
            continue;
        }
        if (start - text >= 5 && memcmp(start - 5, "#### ", 5) == 0)
            keep(&marked, start, length);
        keep(&last, start, length);
        at += digits;
    }
    if (marked == NULL) return last;
    free(last);
    return marked;
}

/* The last CLIP characters of UTF-8 text. */
static const char *clip(const char *text)
{
    const char *at = text + strlen(text);
    for (int characters = 0; at > text && characters < CLIP; at--)
        characters += ((unsigned char)at[-1] & 0xC0) != 0x80;
    return at;
}

/* The answer that is wanted, a text or a number, without commas; NULL if it is none. */
static char *find_wanted(const json_t *answer)
{
    char *const text = json_is_string(answer)   ? strdup(json_string_value(answer))
                       : json_is_number(answer) ? json_dumps(answer, JSON_ENCODE_ANY)
                                                : NULL;
    size_t kept = 0;
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++)
        if (text[i] != ',') text[kept++] = text[i];
    if (text != NULL) text[kept] = '\0';
    return text;
}

/* The answer to a request; NULL if it is none. */
static json_t *answer_to(const json_t *request)
{
    const char *const response = json_string_value(json_object_get(request, "response"));
    json_t *const id = json_object_get(request, "id");
    if (response == NULL || id == NULL) return NULL;
    char *const wanted = find_wanted(json_object_get(request, "answer"));
    if (wanted == NULL) return NULL;
    char *const found = find_number(clip(response));
    const bool right = found != NULL && strcmp(found, wanted) == 0;
    json_t *const answer = json_pack("{s:O, s:f, s:b, s:s?}", "id", id, "reward",
                                     right ? 1.0 : 0.0, "correct", right, "extracted", found);
    free(found);
    free(wanted);
    return answer;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        json_t *const request = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *const answer = answer_to(request);
        if (answer == NULL) {
            /* The last line here is part of the job's message. */
            (void)fprintf(stderr, "reward_example: this is no request: %s", line);
            return 1;
        }
        /* Nothing else may be printed, and no answer may be kept back. */
        if (json_dumpf(answer, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF ||
            fflush(stdout) != 0)
            return 1;
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    return 0;
}
