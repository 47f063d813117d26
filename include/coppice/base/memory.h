/** \file memory.h
 * Checked allocation. All memory comes 64-byte aligned, so that every array can be read with
 * full vectors, and is released with cop_memory_free().
 */
#ifndef COPPICE_BASE_MEMORY_H
#define COPPICE_BASE_MEMORY_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Allocates count * size bytes, zeroed. A zero product gives a valid pointer.
 *  \return NULL on overflow or when memory is short, with *err set (COP_ERR_MEMORY, the figures
 *  in the message). Free with cop_memory_free(). */
void *cop_memory_alloc(size_t count, size_t size, cop_error *err);

/** As cop_memory_alloc(), not zeroed: for large arrays that are overwritten at once. */
void *cop_memory_alloc_raw(size_t count, size_t size, cop_error *err);

/** Grows an array to hold at least `need` elements, doubling: *items [*capacity] of `size`
 * bytes. On failure *items and *capacity are unchanged. New elements are not initialised. */
cop_status cop_memory_grow(void **items, size_t *capacity, size_t need, size_t size,
                           cop_error *err);

/** Grows the array `items`, a pointer of any type, as cop_memory_grow() does, or returns from
 * the calling function with its failure. */
#define COP_GROW(items, capacity, need, err)                                                \
    do {                                                                                    \
        void *cop_grown_ = (items);                                                         \
        COP_TRY(cop_memory_grow(&cop_grown_, &(capacity), (need), sizeof *(items), (err))); \
        (items) = (__typeof__(items))cop_grown_;                                            \
    } while (0)

/** Copies a string of `length` bytes and ends it with NUL. Free with cop_memory_free(). */
char *cop_memory_copy_string(const char *text, size_t length, cop_error *err);

/** Releases memory of this module; NULL is allowed. */
void cop_memory_free(void *memory);

/** \return true and *product = a * b if it fits in size_t. */
bool cop_memory_multiply(size_t a, size_t b, size_t *product);

/** Memory that this process may still take, in bytes: the least of MemAvailable and the limits
 * of its control groups (v1 and v2), page cache counted as free. \return 0 if it cannot be
 * told. */
uint64_t cop_memory_available_bytes(void);

/** Address space that the limits of this process leave it (RLIMIT_AS and RLIMIT_DATA: ulimit -v
 *  and -d), in bytes; UINT64_MAX where there are none. Another thing than memory: what is
 *  reserved counts. */
uint64_t cop_memory_address_left_bytes(void);

/** COP_ERR_MEMORY with the figures where those limits leave no `bytes` in one piece; `what` is
 *  said to need them. */
cop_status cop_memory_check_room(uint64_t bytes, const char *what, cop_error *err);

/** Peak resident set of this process, in bytes; 0 if it cannot be told. */
uint64_t cop_memory_peak_bytes(void);

#endif
