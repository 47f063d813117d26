/** \file text.h
 * A growing byte string, for building prompts, JSON lines and reports; reading whole files.
 */
#ifndef COPPICE_BASE_TEXT_H
#define COPPICE_BASE_TEXT_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/** A growing string. Start from {0}; `data` is NUL-terminated once anything was added. */
typedef struct cop_text {
    char *data;      /**< [length + 1], owned */
    size_t length;   /**< bytes, may include NULs */
    size_t capacity; /**< bytes */
} cop_text;

/** Appends bytes. */
cop_status cop_text_append(cop_text *text, const char *bytes, size_t length, cop_error *err);

/** Appends printf-style. */
cop_status cop_text_format(cop_text *text, cop_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Appends what a shell takes for this one word: the word itself, or quoted where it must be.
 */
cop_status cop_text_append_word(cop_text *text, const char *word, cop_error *err);

/** Makes it empty, keeping the memory. */
void cop_text_clear(cop_text *text);

/** Frees the memory; the text is then {0} again. */
void cop_text_free(cop_text *text);

/** Reads a whole regular file. `limit_bytes` guards against absurd sizes (COP_ERR_FORMAT). */
cop_status cop_text_read_file(cop_text *text, const char *path, size_t limit_bytes,
                              cop_error *err);

/** cop_text_read_file() of a file that its user may lack: `remedy` is then part of the message,
 *  what to do about it. */
cop_status cop_text_read_needed(cop_text *text, const char *path, size_t limit_bytes,
                                const char *remedy, cop_error *err);

/** The same for directory/name, which need not be there: *found false then. What is there and
 *  cannot be reached is an error. The text is emptied first. */
cop_status cop_text_read_optional(cop_text *text, const char *directory, const char *name,
                                  size_t limit_bytes, bool *found, cop_error *err);

/** Writes a file atomically: a temporary one beside it, flushed, fsynced, renamed over `path`,
 * the directory fsynced. On failure an old file at `path` is untouched, unless all but the
 * directory's fsync has succeeded. */
cop_status cop_text_write_file(const char *path, const char *bytes, size_t length,
                               cop_error *err);

/** As cop_text_write_file(), but not synced: readers see the old file or the new one, and after
 *  a crash of the machine maybe neither. For what is written often and kept for nobody. */
cop_status cop_text_replace_file(const char *path, const char *bytes, size_t length,
                                 cop_error *err);

/** Joins a directory and a file name; an absolute name is taken as it is. Free with
 *  cop_memory_free(). */
char *cop_text_join_path(const char *directory, const char *name, cop_error *err);

/** Edit distance between two words, ignoring case; for suggestions. */
size_t cop_text_distance(const char *a, const char *b);

/** The candidate nearest to `word`, NULL if none is close enough to be worth suggesting. */
const char *cop_text_nearest(const char *word, const char *const *candidates, size_t count);

/** True if a text ends in another. */
bool cop_text_ends_in(const char *text, const char *end);

/** The place of `name` in known [count], as it is written there; count if it is not. */
size_t cop_text_find_name(const char *name, const char *const *known, size_t count);

/** COP_ERR_CONFIG, "unknown KIND \"name\"", with the nearest of known [count] if one is near,
 *  and all of them. `kinds` is the plural. */
cop_status cop_text_refuse_name(const char *kind, const char *kinds, const char *name,
                                const char *const *known, size_t count, cop_error *err);

#endif
