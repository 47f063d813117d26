#include "jinja/jinja_arena.h"

#include "coppice/base/memory.h"

#include <stdalign.h>
#include <string.h>

enum { CHUNK_BYTES = 16 << 10, ALIGNMENT = alignof(max_align_t) };

typedef struct jinja_chunk {
    struct jinja_chunk *older;
    size_t bytes; /* of data */
    max_align_t data[];
} jinja_chunk;

static cop_status add_chunk(jinja_arena *arena, size_t need, cop_error *err)
{
    const size_t bytes = need > CHUNK_BYTES ? need : CHUNK_BYTES;
    COP_CHECK(bytes <= arena->limit - arena->total, err, COP_ERR_UNSUPPORTED,
              "the template takes more than %zu MiB of memory", arena->limit >> 20);
    jinja_chunk *const chunk = cop_memory_alloc_raw(1, sizeof *chunk + bytes, err);
    if (chunk == NULL) return COP_ERR_MEMORY;
    chunk->older = arena->chunks;
    chunk->bytes = bytes;
    arena->chunks = chunk;
    arena->left = bytes;
    arena->total += bytes;
    return COP_OK;
}

void *cop_jinja_take(jinja_arena *arena, size_t bytes, cop_error *err)
{
    if (bytes > arena->limit) bytes = arena->limit + 1; /* refused below, without overflow */
    const size_t need = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (need > arena->left && add_chunk(arena, need, err) != COP_OK) return NULL;
    const size_t used = arena->chunks->bytes - arena->left;
    char *const taken = (char *)arena->chunks->data + used;
    arena->left -= need;
    memset(taken, 0, need);
    return taken;
}

void *cop_jinja_take_array(jinja_arena *arena, size_t count, size_t size, cop_error *err)
{
    size_t bytes = 0;
    if (!cop_memory_multiply(count, size, &bytes)) bytes = arena->limit + 1;
    return cop_jinja_take(arena, bytes, err);
}

void cop_jinja_arena_free(jinja_arena *arena)
{
    while (arena->chunks != NULL) {
        jinja_chunk *const chunk = arena->chunks;
        arena->chunks = chunk->older;
        cop_memory_free(chunk);
    }
    arena->left = 0;
    arena->total = 0;
}
