/* For tests of file formats: a scratch directory, files in it, safetensors files by hand. */
#ifndef TESTS_UNIT_FORMATS_SUPPORT_H
#define TESTS_UNIT_FORMATS_SUPPORT_H

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/folder_support.h"

/* --- files --- */

/* A new directory; free its name with scratch_remove(). */
static inline char *scratch_make(void)
{
    char *const path = cop_memory_alloc(FOLDER_BYTES, 1, NULL);
    assert_non_null(path);
    assert_int_equal(folder_create(path), 0);
    return path;
}

static inline void scratch_remove(char *path)
{
    assert_int_equal(folder_remove(path), 0);
    cop_memory_free(path);
}

/* "directory/name"; free with cop_memory_free(). */
static inline char *path_in(const char *directory, const char *name)
{
    char *const path = cop_text_join_path(directory, name, NULL);
    assert_non_null(path);
    return path;
}

static inline void write_file(const char *directory, const char *name, const void *bytes,
                              size_t length)
{
    char *const path = path_in(directory, name);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    if (length > 0) assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    cop_memory_free(path);
}

static inline void write_text(const char *directory, const char *name, const char *text)
{
    write_file(directory, name, text, strlen(text));
}

static inline cop_text read_file(const char *directory, const char *name)
{
    char *const path = path_in(directory, name);
    cop_text text = {0};
    assert_int_equal(cop_text_read_file(&text, path, (size_t)1 << 30, NULL), COP_OK);
    cop_memory_free(path);
    return text;
}

static inline bool exists_in(const char *directory, const char *name)
{
    char *const path = path_in(directory, name);
    struct stat info;
    const bool there = lstat(path, &info) == 0;
    cop_memory_free(path);
    return there;
}

/* Entries of a directory other than "." and "..". */
static inline size_t count_entries(const char *path)
{
    DIR *const directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count - 2;
}

/* --- safetensors --- */

/* A tensor to write. */
typedef struct spec {
    const char *name;
    const char *dtype;
    const char *shape; /* in JSON */
    const void *data;
    size_t bytes;
} spec;

/* Appends length, header and data. */
static inline void put_raw(cop_text *out, const char *header, size_t header_length,
                           const void *data, size_t bytes)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)header_length >> 8 * i);
    assert_int_equal(cop_text_append(out, (const char *)length, 8, NULL), COP_OK);
    assert_int_equal(cop_text_append(out, header, header_length, NULL), COP_OK);
    assert_int_equal(cop_text_append(out, data, bytes, NULL), COP_OK);
}

/* A file of specs [count]; the header's length is a multiple of 8 plus `skew`. */
static inline cop_text make_safetensors(const spec *specs, size_t count, size_t skew)
{
    cop_text header = {0};
    cop_text data = {0};
    cop_text file = {0};
    unsigned status = cop_text_format(&header, NULL, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < count; i++) {
        status |= cop_text_format(
            &header, NULL, ",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
            specs[i].name, specs[i].dtype, specs[i].shape, data.length,
            data.length + specs[i].bytes);
        status |= cop_text_append(&data, specs[i].data, specs[i].bytes, NULL);
    }
    status |= cop_text_append(&header, "}", 1, NULL);
    while (header.length % 8 != skew % 8)
        status |= cop_text_append(&header, " ", 1, NULL);
    assert_int_equal(status, COP_OK);
    put_raw(&file, header.data, header.length, data.length == 0 ? "" : data.data, data.length);
    cop_text_free(&header);
    cop_text_free(&data);
    return file;
}

static inline void write_safetensors(const char *directory, const char *name, const spec *specs,
                                     size_t count, size_t skew)
{
    cop_text file = make_safetensors(specs, count, skew);
    write_file(directory, name, file.data, file.length);
    cop_text_free(&file);
}

/* --- numbers --- */

/* A small deterministic generator (an LCG's high bits). */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

/* bfloat16 weights of about the size that models have, [count]. */
static inline void fill_weights(uint16_t *weights, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = next_random(&seed);
        weights[i] = (uint16_t)((bits & 0x8000U) | (0x3c00U + (bits >> 16 & 0x1ffU)));
    }
}

#endif
