/* A tree of byte strings: the longest one that starts at a place in a text. */
#ifndef COP_TOKENIZER_TOKENIZER_TRIE_H
#define COP_TOKENIZER_TOKENIZER_TRIE_H

#include "coppice/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct cop_trie_node {
    uint32_t child;   /* the first one, 0: none */
    uint32_t sibling; /* the next one, 0: none */
    int32_t value;    /* of the string that ends here, -1: none does */
    uint8_t byte;
} cop_trie_node;

/* Start from {0}. */
typedef struct cop_trie {
    cop_trie_node *nodes; /* [count], the first one unused, owned */
    size_t count;
    size_t capacity;
    uint32_t roots[256]; /* node by first byte, 0: none */
} cop_trie;

/* Adds a string, not empty, with a value of at least 0; one that is there keeps its value. */
cop_status cop_trie_add(cop_trie *trie, const char *text, size_t length, int32_t value,
                        cop_error *err);

/* The value of the longest string that text [length] starts with, and its bytes; -1: none. */
int32_t cop_trie_longest(const cop_trie *trie, const char *text, size_t length, size_t *bytes);

/* Frees the memory; the tree is then {0} again. */
void cop_trie_free(cop_trie *trie);

#endif
