/* How the kernels that choose ids move a decode step's sequences on. Each row is one block's,
 * so that a plain write of one of its threads will do. */
#ifndef COP_BACKEND_CUDA_DECODE_CUH
#define COP_BACKEND_CUDA_DECODE_CUH

#include "backend/cuda/cuda_backend.h"

/* The same for all threads of a block, until one of them gives the row an id. */
static __device__ __forceinline__ bool has_ended(const cop_cuda_sequences &s, uint32_t row)
{
    return s.rows != NULL && s.rows[row].slot < 0;
}

/* Of the number that draws the row's next id. */
static __device__ __forceinline__ size_t uniform_index(const cop_cuda_sequences &s,
                                                       uint32_t row)
{
    return s.rows == NULL ? row : (size_t)s.taken[row] * s.count + row;
}

static __device__ __forceinline__ bool is_stop(const cop_cuda_sequences &s, int32_t id)
{
    bool found = false;
    for (uint32_t i = 0; i < s.stop_count; i++)
        found = found || s.stops[i] == id;
    return found;
}

/* By one thread: the id that was chosen for a row (-1: there is none) goes to `ids`, or to the
 * row's sequence, which then feeds it, or ends. */
static __device__ __forceinline__ void give_id(const cop_cuda_sequences &s, int32_t *ids,
                                               uint32_t row, int32_t id)
{
    if (s.rows == NULL) {
        ids[row] = id;
        return;
    }
    s.got[(size_t)s.taken[row]++ * s.count + row] = id;
    s.left[row]--;
    if (id < 0 || s.left[row] == 0 || is_stop(s, id)) {
        s.rows[row].slot = -1;
    } else {
        s.rows[row].position++;
        s.ids[row] = id;
    }
}

#endif
