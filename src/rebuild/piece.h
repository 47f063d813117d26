/* What all ways to rebuild a piece ask of it. */
#ifndef COP_REBUILD_PIECE_H
#define COP_REBUILD_PIECE_H

#include "coppice/rebuild/rebuild.h"

#include <string.h>

static inline cop_dtype rebuild_base_type(const cop_rebuild_piece *piece)
{
    return piece->base_is_sums ? COP_F32 : piece->dtype;
}

static inline cop_dtype rebuild_out_type(const cop_rebuild_piece *piece)
{
    return piece->keep_sums ? COP_F32 : piece->dtype;
}

/* Elements of `size` bytes whose bits agree; memcmp of a constant size is one comparison. */
static inline uint64_t rebuild_count_equal(const char *a, const char *b, size_t size,
                                           size_t count)
{
    uint64_t equal = 0;
    if (size == sizeof(uint16_t)) {
        for (size_t i = 0; i < count; i++) {
            equal += memcmp(a + 2 * i, b + 2 * i, 2) == 0;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            equal += memcmp(a + 4 * i, b + 4 * i, 4) == 0;
        }
    }
    return equal;
}

#endif
