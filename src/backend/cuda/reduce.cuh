/* Sums and maxima over the threads of a warp and of a block, in an order that never changes. */
#ifndef COP_BACKEND_CUDA_REDUCE_CUH
#define COP_BACKEND_CUDA_REDUCE_CUH

#include <cuda_runtime.h>

#include <stdint.h>

#define ALL_LANES 0xffffffffU

static constexpr int WARP = 32;
static constexpr int MOST_WARPS = 32;

static __device__ __forceinline__ float warp_sum(float value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(ALL_LANES, value, step);
    return value;
}

static __device__ __forceinline__ double warp_sum_f64(double value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(ALL_LANES, value, step);
    return value;
}

static __device__ __forceinline__ float warp_max(float value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, step));
    return value;
}

/* Of all threads of the block, which come here together; partial [MOST_WARPS] is shared. */
static __device__ __forceinline__ float block_sum(float value, float *partial)
{
    value = warp_sum(value);
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = value;
    __syncthreads();
    float sum = 0.0F;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += partial[w];
    __syncthreads();
    return sum;
}

static __device__ __forceinline__ double block_sum_f64(double value, double *partial)
{
    value = warp_sum_f64(value);
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = value;
    __syncthreads();
    double sum = 0.0;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += partial[w];
    __syncthreads();
    return sum;
}

/* The greatest number a row has, its first place, and whether one is not finite. */
typedef struct row_top {
    float value;
    int32_t index;
    uint32_t special;
} row_top;

static __device__ __forceinline__ row_top better_top(row_top a, row_top b)
{
    const bool second = b.value > a.value || (b.value == a.value && b.index < a.index);
    return row_top{second ? b.value : a.value, second ? b.index : a.index,
                   a.special | b.special};
}

/* Of row [count], for all threads of the block together; partial [MOST_WARPS] is shared. */
static __device__ __forceinline__ row_top find_row_top(const float *row, int32_t count,
                                                       row_top *partial)
{
    row_top top = {-INFINITY, INT32_MAX, 0};
    for (int32_t i = (int32_t)threadIdx.x; i < count; i += (int32_t)blockDim.x) {
        const float value = row[i];
        top = better_top(top, row_top{value, i, isfinite(value) ? 0U : 1U});
    }
    for (int step = WARP / 2; step > 0; step /= 2) {
        const row_top other = {__shfl_xor_sync(ALL_LANES, top.value, step),
                               __shfl_xor_sync(ALL_LANES, top.index, step),
                               __shfl_xor_sync(ALL_LANES, top.special, step)};
        top = better_top(top, other);
    }
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = top;
    __syncthreads();
    top = partial[0];
    for (unsigned w = 1; w < blockDim.x / WARP; w++)
        top = better_top(top, partial[w]);
    __syncthreads();
    return top;
}

#endif
