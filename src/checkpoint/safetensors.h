/* One safetensors file in memory: header and checks, apart from files so that any bytes can be
 * fed to it. */
#ifndef COP_CHECKPOINT_SAFETENSORS_H
#define COP_CHECKPOINT_SAFETENSORS_H

#include "coppice/base/status.h"
#include "coppice/checkpoint/checkpoint.h"

#include <stddef.h>

/* The format's own limit on the header, in bytes. */
enum { COP_SAFETENSORS_MAX_HEADER = 100000000 };

/* An element type that the format knows. */
typedef struct cop_safetensors_dtype {
    const char *text; /* as files spell it */
    cop_dtype dtype;
    size_t bits; /* of one element; fewer than a byte's are packed */
} cop_safetensors_dtype;

/* A tensor with what it owns. */
typedef struct cop_safetensors_tensor {
    char *name;           /* owned; info.name points to it */
    char *dtype_text;     /* owned; info.dtype_text of a type that is not known, else NULL */
    void *aligned;        /* owned copy of the data, NULL if there is none */
    cop_tensor_info info; /* info.file is 0, info.data within the bytes */
} cop_safetensors_tensor;

typedef struct cop_safetensors {
    cop_safetensors_tensor *tensors; /* [count], owned, in the order of their data */
    size_t count;
    size_t data_start; /* where the header ends, in bytes from the start of the file */
} cop_safetensors;

/* The type of that spelling, NULL if there is none. */
const cop_safetensors_dtype *cop_safetensors_find_dtype(const char *text);

/* Elements of a shape [rank]; false if that, or an extent, is negative or too large. */
bool cop_safetensors_count(const int64_t *shape, int rank, size_t *count);

/* Bytes of so many elements; false if they are too many, or do not fill a byte. */
bool cop_safetensors_bytes(const cop_safetensors_dtype *dtype, size_t count, size_t *bytes);

/* Parses and checks a whole file, bytes [size]. `origin` names it in messages. On success the
 * tensors cover the bytes from data_start to the end exactly, without overlap. */
cop_status cop_safetensors_parse(const void *bytes, size_t size, const char *origin,
                                 cop_safetensors *file, cop_error *err);

/* Frees what a tensor owns. */
void cop_safetensors_tensor_free(cop_safetensors_tensor *tensor);

/* Frees all; the struct is then {0} again. */
void cop_safetensors_free(cop_safetensors *file);

#endif
