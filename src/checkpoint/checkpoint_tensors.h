/* The struct of a checkpoint, and what its sources (a directory, memory) share. */
#ifndef COP_CHECKPOINT_CHECKPOINT_TENSORS_H
#define COP_CHECKPOINT_CHECKPOINT_TENSORS_H

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/safetensors.h"

struct cop_checkpoint {
    char *directory; /* owned; NULL: in memory */
    cop_safetensors_tensor
        *tensors; /* [count], owned, in rising order of names once finished */
    size_t count;
    size_t capacity;
    cop_mapped_file *files; /* [file_count], owned */
    size_t file_count;
    size_t bytes;    /* of all tensors */
    float *rms;      /* [count] of each tensor; negative: not measured yet */
    uint64_t *marks; /* [count] of each tensor's bytes; NULL: not taken */
};

/* Sorts the tensors by name, refuses equal names and colliding noise ids, adds up bytes. */
cop_status cop_checkpoint_finish(cop_checkpoint *checkpoint, cop_error *err);

#endif
