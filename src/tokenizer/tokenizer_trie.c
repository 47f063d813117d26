#include "tokenizer/tokenizer_trie.h"
#include "coppice/base/memory.h"

static cop_status add_node(cop_trie *trie, uint8_t byte, uint32_t *index, cop_error *err)
{
    COP_CHECK(trie->count < UINT32_MAX, err, COP_ERR_FORMAT, "the added tokens are too long");
    COP_GROW(trie->nodes, trie->capacity, trie->count + 1, err);
    *index = (uint32_t)trie->count++;
    trie->nodes[*index] = (cop_trie_node){.value = -1, .byte = byte};
    return COP_OK;
}

/* The node of that byte among the siblings from `first` on, 0 if there is none. */
static uint32_t find_sibling(const cop_trie *trie, uint32_t first, uint8_t byte)
{
    while (first != 0 && trie->nodes[first].byte != byte)
        first = trie->nodes[first].sibling;
    return first;
}

cop_status cop_trie_add(cop_trie *trie, const char *text, size_t length, int32_t value,
                        cop_error *err)
{
    uint32_t at = 0;
    if (trie->count == 0) COP_TRY(add_node(trie, 0, &at, err));
    for (size_t i = 0; i < length; i++) {
        const uint8_t byte = (uint8_t)text[i];
        uint32_t next =
            i == 0 ? trie->roots[byte] : find_sibling(trie, trie->nodes[at].child, byte);
        if (next == 0) {
            COP_TRY(add_node(trie, byte, &next, err));
            if (i == 0) {
                trie->roots[byte] = next;
            } else {
                trie->nodes[next].sibling = trie->nodes[at].child;
                trie->nodes[at].child = next;
            }
        }
        at = next;
    }
    if (trie->nodes[at].value < 0) trie->nodes[at].value = value;
    return COP_OK;
}

int32_t cop_trie_longest(const cop_trie *trie, const char *text, size_t length, size_t *bytes)
{
    int32_t value = -1;
    uint32_t at = length == 0 ? 0 : trie->roots[(uint8_t)text[0]];
    for (size_t i = 1; at != 0; i++) {
        if (trie->nodes[at].value >= 0) {
            value = trie->nodes[at].value;
            *bytes = i;
        }
        at = i == length ? 0 : find_sibling(trie, trie->nodes[at].child, (uint8_t)text[i]);
    }
    return value;
}

void cop_trie_free(cop_trie *trie)
{
    cop_memory_free(trie->nodes);
    *trie = (cop_trie){0};
}
