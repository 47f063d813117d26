/* Merging symbols (bpe.h): the pair of lowest rank first, the leftmost among equals. Short
 * pieces, nearly all of them, are searched through for every merge; long ones keep their pairs
 * in a heap and their symbols in a linked list, so that no piece takes quadratic time. */
#include "coppice/base/memory.h"
#include "tokenizer/bpe_scratch.h"

#include <string.h>

enum { SHORT = 48 };
static const uint32_t no_rank = UINT32_MAX;
static const uint32_t no_node = UINT32_MAX;

/* --- short pieces --- */

typedef struct pair {
    uint32_t rank; /* no_rank: the pair does not merge */
    int32_t product;
} pair;

static pair find_pair(const cop_bpe *bpe, int32_t left, int32_t right)
{
    const cop_bpe_merge *const merge = cop_bpe_find_merge(bpe, left, right);
    if (merge == NULL) return (pair){.rank = no_rank};
    return (pair){.rank = merge->rank, .product = merge->product};
}

static size_t merge_short(const cop_bpe *bpe, int32_t *symbols, size_t count)
{
    pair pairs[SHORT]; /* pairs[i]: of symbols i and i + 1 */
    for (size_t i = 0; i + 1 < count; i++)
        pairs[i] = find_pair(bpe, symbols[i], symbols[i + 1]);
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++) {
            if (pairs[i].rank < pairs[best].rank) best = i;
        }
        if (pairs[best].rank == no_rank) break;
        symbols[best] = pairs[best].product;
        count--;
        const size_t behind = count - best - 1;
        memmove(symbols + best + 1, symbols + best + 2, behind * sizeof *symbols);
        if (behind > 0) {
            memmove(pairs + best + 1, pairs + best + 2, (behind - 1) * sizeof *pairs);
            pairs[best] = find_pair(bpe, symbols[best], symbols[best + 1]);
        }
        if (best > 0) pairs[best - 1] = find_pair(bpe, symbols[best - 1], symbols[best]);
    }
    return count;
}

/* --- long pieces --- */

/* A symbol in the list; nodes keep the place of their first symbol. */
typedef struct node {
    int32_t symbol; /* -1: merged into the one before */
    uint32_t previous;
    uint32_t next;
    pair with_next;
} node;

/* A heap of the pairs that may merge, smallest first: rank above place. Pairs that are no
 * longer there stay in until their turn. */
typedef struct pair_heap {
    uint64_t *data; /* [count], there is room for all */
    size_t count;
} pair_heap;

static void sift_down(pair_heap *heap, size_t at)
{
    const uint64_t value = heap->data[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && heap->data[child + 1] < heap->data[child]) child++;
        if (heap->data[child] >= value) break;
        heap->data[at] = heap->data[child];
        at = child;
    }
    heap->data[at] = value;
}

static void push(pair_heap *heap, uint64_t value)
{
    size_t at = heap->count++;
    while (at > 0 && heap->data[(at - 1) / 2] > value) {
        heap->data[at] = heap->data[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->data[at] = value;
}

static uint64_t pop(pair_heap *heap)
{
    const uint64_t least = heap->data[0];
    heap->data[0] = heap->data[--heap->count];
    if (heap->count > 0) sift_down(heap, 0);
    return least;
}

/* Looks the pair of a node and its neighbour up. \return its place in the heap's order. */
static uint64_t renew_pair(const cop_bpe *bpe, node *nodes, uint32_t at)
{
    node *const left = &nodes[at];
    left->with_next = (pair){.rank = no_rank};
    if (left->next != no_node) {
        left->with_next = find_pair(bpe, left->symbol, nodes[left->next].symbol);
    }
    return (uint64_t)left->with_next.rank << 32 | at;
}

static void list_symbols(const cop_bpe *bpe, const int32_t *symbols, uint32_t count,
                         node *nodes, pair_heap *heap)
{
    for (uint32_t i = 0; i < count; i++) {
        nodes[i] = (node){.symbol = symbols[i],
                          .previous = i == 0 ? no_node : i - 1,
                          .next = i + 1 == count ? no_node : i + 1};
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t place = renew_pair(bpe, nodes, i);
        if (nodes[i].with_next.rank != no_rank) heap->data[heap->count++] = place;
    }
    for (size_t i = heap->count / 2; i-- > 0;)
        sift_down(heap, i);
}

static void merge_nodes(const cop_bpe *bpe, node *nodes, uint32_t at, pair_heap *heap)
{
    node *const left = &nodes[at];
    node *const right = &nodes[left->next];
    left->symbol = left->with_next.product;
    left->next = right->next;
    right->symbol = -1;
    if (left->next != no_node) nodes[left->next].previous = at;
    const uint64_t place = renew_pair(bpe, nodes, at);
    if (left->with_next.rank != no_rank) push(heap, place);
    if (left->previous == no_node) return;
    const uint64_t before = renew_pair(bpe, nodes, left->previous);
    if (nodes[left->previous].with_next.rank != no_rank) push(heap, before);
}

static size_t merge_long(const cop_bpe *bpe, int32_t *symbols, uint32_t count, node *nodes,
                         pair_heap *heap)
{
    list_symbols(bpe, symbols, count, nodes, heap);
    while (heap->count > 0) {
        const uint64_t least = pop(heap);
        const uint32_t at = (uint32_t)least;
        const node *const left = &nodes[at];
        if (left->symbol < 0 || left->with_next.rank != (uint32_t)(least >> 32)) continue;
        merge_nodes(bpe, nodes, at, heap);
    }
    size_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].symbol >= 0) symbols[left++] = nodes[i].symbol;
    }
    return left;
}

cop_status cop_bpe_merge_symbols(const cop_bpe *bpe, cop_bpe_scratch *scratch, int32_t *symbols,
                                 size_t count, size_t *left, cop_error *err)
{
    *left = count;
    if (count < 2) return COP_OK;
    if (count <= SHORT) {
        *left = merge_short(bpe, symbols, count);
        return COP_OK;
    }
    COP_CHECK(count < UINT32_MAX / 4, err, COP_ERR_UNSUPPORTED,
              "a word of %zu symbols is too long to encode", count);
    COP_TRY(
        cop_memory_grow(&scratch->nodes, &scratch->node_capacity, count, sizeof(node), err));
    /* A merge takes one pair out and puts two in at most: never over 3 per symbol in all. */
    COP_TRY(cop_memory_grow(&scratch->heap, &scratch->heap_capacity, 3 * count,
                            sizeof(uint64_t), err));
    pair_heap heap = {.data = scratch->heap};
    *left = merge_long(bpe, symbols, (uint32_t)count, scratch->nodes, &heap);
    return COP_OK;
}
