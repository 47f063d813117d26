/* Digests of a checkpoint: one of all tensors for its identity, and a mark of each to tell
 * which of them somebody has overwritten. */
#include "coppice/checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_tensors.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LANES = 4, /* words side by side, so that no product waits for another */
    STRIDE = LANES * (int)sizeof(uint64_t),
    PIECE = 1 << 18 /* bytes that stay in the cache for both digests */
};

/* FNV-1a over words instead of bytes. Every step can be undone, so that one word that differs
 * always shows; against who wants to deceive there is SHA-256. */
typedef struct mark_state {
    uint64_t lanes[LANES];
} mark_state;

static uint64_t step(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * UINT64_C(0x100000001B3);
}

static mark_state start_mark(size_t bytes)
{
    mark_state state;
    for (uint64_t i = 0; i < LANES; i++)
        state.lanes[i] = step(UINT64_C(0xCBF29CE484222325) + i, bytes);
    return state;
}

/* All pieces but the last have a multiple of STRIDE bytes. */
static void add_mark(mark_state *state, const char *data, size_t bytes)
{
    uint64_t words[LANES];
    size_t at = 0;
    for (; at + STRIDE <= bytes; at += STRIDE) {
        memcpy(words, data + at, STRIDE);
        for (size_t i = 0; i < LANES; i++)
            state->lanes[i] = step(state->lanes[i], words[i]);
    }
    if (at == bytes) return;
    memset(words, 0, sizeof words);
    memcpy(words, data + at, bytes - at);
    for (size_t i = 0; i < LANES; i++)
        state->lanes[i] = step(state->lanes[i], words[i]);
}

static uint64_t end_mark(const mark_state *state)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < LANES; i++)
        hash = step(hash ^ hash >> 32, state->lanes[i] ^ state->lanes[i] >> 32);
    return hash;
}

static uint64_t mark_of(const cop_tensor_info *info)
{
    mark_state state = start_mark(info->bytes);
    if (info->bytes > 0) add_mark(&state, info->data, info->bytes);
    return end_mark(&state);
}

static cop_status digest_header(cop_digest *digest, const cop_tensor_info *info, cop_error *err)
{
    char shape[COP_TENSOR_MAX_RANK * 21 + 1];
    size_t length = 0;
    shape[0] = '\0';
    for (int i = 0; i < info->rank; i++) {
        const int added = snprintf(shape + length, sizeof shape - length, "%s%" PRId64,
                                   i == 0 ? "" : ",", info->shape[i]);
        assert(added > 0 && (size_t)added < sizeof shape - length);
        length += (size_t)added;
    }
    COP_TRY(cop_digest_update(digest, info->name, strlen(info->name) + 1, err));
    COP_TRY(cop_digest_update(digest, info->dtype_text, strlen(info->dtype_text) + 1, err));
    return cop_digest_update(digest, shape, length + 1, err);
}

/* Header and data of a tensor; its mark too unless that is NULL. */
static cop_status digest_tensor(cop_digest *digest, const cop_tensor_info *info, uint64_t *mark,
                                cop_error *err)
{
    mark_state state = start_mark(info->bytes);
    COP_TRY(digest_header(digest, info, err));
    for (size_t at = 0; at < info->bytes; at += PIECE) {
        const size_t left = info->bytes - at;
        const size_t bytes = left < PIECE ? left : PIECE;
        const char *const data = (const char *)info->data + at;
        COP_TRY(cop_digest_update(digest, data, bytes, err));
        if (mark != NULL) add_mark(&state, data, bytes);
    }
    if (mark != NULL) *mark = end_mark(&state);
    return COP_OK;
}

/* marks [count] unless NULL. */
static cop_status digest_all(const cop_checkpoint *checkpoint, bool aliases, uint64_t *marks,
                             char hex[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    hex[0] = '\0';
    cop_digest *digest = NULL;
    COP_TRY(cop_digest_create(&digest, err));
    cop_status status = COP_OK;
    for (size_t i = 0; i < checkpoint->count && status == COP_OK; i++) {
        const cop_tensor_info *const info = &checkpoint->tensors[i].info;
        uint64_t *const mark = marks != NULL ? &marks[i] : NULL;
        if (aliases || info->use != COP_TENSOR_ALIAS)
            status = digest_tensor(digest, info, mark, err);
        else if (mark != NULL)
            *mark = mark_of(info);
    }
    if (status == COP_OK) status = cop_digest_finish(digest, hex, err);
    cop_digest_destroy(&digest);
    return status;
}

cop_status cop_checkpoint_digest(const cop_checkpoint *checkpoint,
                                 char hex[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    return digest_all(checkpoint, false, NULL, hex, err);
}

static bool has_alias(const cop_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->count; i++) {
        if (checkpoint->tensors[i].info.use == COP_TENSOR_ALIAS) return true;
    }
    return false;
}

cop_status cop_checkpoint_check(const cop_checkpoint *checkpoint, const char *recorded,
                                const char *whose, cop_error *err)
{
    char hex[COP_DIGEST_HEX_BYTES];
    char whole[COP_DIGEST_HEX_BYTES];
    COP_TRY(digest_all(checkpoint, false, NULL, hex, err));
    if (strcmp(hex, recorded) == 0) return COP_OK;
    if (has_alias(checkpoint)) {
        COP_TRY(digest_all(checkpoint, true, NULL, whole, err));
        if (strcmp(whole, recorded) == 0) return COP_OK;
    }
    return cop_error_set(err, COP_ERR_MISMATCH,
                         "%s belongs to another base model: its base's weights have the digest "
                         "%s, these have %s",
                         whose, recorded, hex);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

cop_status cop_checkpoint_mark(cop_checkpoint *checkpoint, char hex[COP_DIGEST_HEX_BYTES],
                               cop_error *err)
{
    if (checkpoint->marks == NULL && checkpoint->count > 0) {
        checkpoint->marks = cop_memory_alloc(checkpoint->count, sizeof *checkpoint->marks, err);
        if (checkpoint->marks == NULL) return COP_ERR_MEMORY;
    }
    COP_TRY(digest_all(checkpoint, false, checkpoint->marks, hex, err));
    return cop_checkpoint_check_unchanged(checkpoint, err);
}

const uint64_t *cop_checkpoint_marks(const cop_checkpoint *checkpoint)
{
    return checkpoint->marks;
}

cop_status cop_checkpoint_set_marks(cop_checkpoint *checkpoint, const uint64_t *marks,
                                    size_t count, cop_error *err)
{
    if (count != checkpoint->count || count == 0 || marks == checkpoint->marks) return COP_OK;
    if (checkpoint->marks == NULL)
        checkpoint->marks = cop_memory_alloc(count, sizeof *marks, err);
    if (checkpoint->marks == NULL) return COP_ERR_MEMORY;
    memcpy(checkpoint->marks, marks, count * sizeof *marks);
    return COP_OK;
}

size_t cop_checkpoint_find_changed(const cop_checkpoint *checkpoint,
                                   const cop_tensor_info **first)
{
    size_t changed = 0;
    *first = NULL;
    for (size_t i = 0; checkpoint->marks != NULL && i < checkpoint->count; i++) {
        const cop_tensor_info *const info = &checkpoint->tensors[i].info;
        if (mark_of(info) == checkpoint->marks[i]) continue;
        if (changed++ == 0) *first = info;
    }
    return changed;
}

/* A write in the same tick of the file system's clock as the last one does not show in the
 * time. So a file whose last write is not a while ago at `looked_at` is compared again. */
static bool is_over(const struct timespec *written, time_t looked_at)
{
    return looked_at < written->tv_sec || looked_at - written->tv_sec > 1;
}

static bool is_same_file(const cop_checkpoint *checkpoint, size_t file)
{
    for (size_t i = 0; i < checkpoint->count; i++) {
        const cop_tensor_info *const info = &checkpoint->tensors[i].info;
        if (info->file == file && mark_of(info) != checkpoint->marks[i]) return false;
    }
    return true;
}

static cop_status refuse_changed(const cop_checkpoint *checkpoint, size_t file, cop_error *err)
{
    const cop_tensor_info *first = NULL;
    COP_CHECK(checkpoint->marks != NULL, err, COP_ERR_IO, "%s was written to while it was used",
              checkpoint->files[file].path);
    const size_t changed = cop_checkpoint_find_changed(checkpoint, &first);
    COP_CHECK(changed > 0, err, COP_ERR_IO, "%s is being written to while it is used",
              checkpoint->files[file].path);
    return cop_error_set(
        err, COP_ERR_MISMATCH,
        "%s was written to while it was used, and its tensor %s is another now "
        "(%zu of %zu tensors are)",
        checkpoint->files[first->file].path, first->name, changed, checkpoint->count);
}

static cop_status review_file(cop_checkpoint *checkpoint, size_t index, const char **touched,
                              cop_error *err)
{
    cop_mapped_file *const file = &checkpoint->files[index];
    struct timespec clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &clock);
    COP_TRY(cop_mapped_file_look(file, &now, err));
    if (same_time(&now, &file->written)) return COP_OK;
    if (checkpoint->marks == NULL || !is_same_file(checkpoint, index))
        return refuse_changed(checkpoint, index, err);
    if (!same_time(&now, &file->told)) *touched = file->path;
    file->told = now;
    if (is_over(&now, clock.tv_sec)) file->written = now;
    return COP_OK;
}

cop_status cop_checkpoint_review(cop_checkpoint *checkpoint, const char **touched,
                                 cop_error *err)
{
    *touched = NULL;
    for (size_t i = 0; i < checkpoint->file_count; i++)
        COP_TRY(review_file(checkpoint, i, touched, err));
    return COP_OK;
}
