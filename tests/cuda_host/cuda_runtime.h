/* Stands in for the CUDA runtime where there is no GPU: enough of it to compile and run the
 * CUDA backend's sources on the processor, for tests. Blocks run one after the other; the
 * threads of a block are fibers that change at barriers and shuffles, in an order that differs
 * from launch to launch. It shows the kernels' logic, not their speed, not all races, not the
 * real device. */
#ifndef COPPICE_TESTS_CUDA_HOST_RUNTIME_H
#define COPPICE_TESTS_CUDA_HOST_RUNTIME_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static
#define CUDA_DYNAMIC_SHARED(name) float *const name = (float *)cuda_host_shared()

/* As nvcc tells what it compiles for. */
#define __CUDA_ARCH_LIST__ 700, 800

/* --- runtime --- */

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorDevicesUnavailable = 46,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorECCUncorrectable = 214,
    cudaErrorLaunchFailure = 719,
    cudaErrorHardwareStackError = 714,
    cudaErrorNotSupported = 801,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorUnknown = 999
} cudaError_t;

typedef struct cuda_host_stream *cudaStream_t;

typedef struct cudaDeviceProp {
    char name[256];
    struct {
        char bytes[16];
    } uuid;
    size_t totalGlobalMem;
    int major, minor;
} cudaDeviceProp;

enum { cudaStreamNonBlocking = 1, cudaDeviceScheduleBlockingSync = 4 };

typedef struct cuda_host_graph *cudaGraph_t;
typedef struct cuda_host_graph_run *cudaGraphExec_t;

typedef enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2
} cudaStreamCaptureMode;

typedef enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3
} cudaMemcpyKind;

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct uint2 {
    unsigned x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

static inline uint2 make_uint2(unsigned x, unsigned y)
{
    return uint2{x, y};
}

static inline float4 make_float4(float x, float y, float z, float w)
{
    return float4{x, y, z, w};
}

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaSetDeviceFlags(unsigned flags);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetPCIBusId(char *id, int size, int device);
cudaError_t cudaMemGetInfo(size_t *unused, size_t *total);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMallocHost(void **memory, size_t bytes);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *run, cudaGraph_t graph,
                                          unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t run, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t run);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char *cudaGetErrorString(cudaError_t code);

/* --- threads --- */

struct cuda_host_index {
    unsigned x, y, z;
};
extern cuda_host_index threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

void *cuda_host_shared(void);
void __syncthreads(void);
void __syncwarp(void);

/* Gives `bytes` of `value` to the lane `lane ^ step` and takes what it gave. */
void cuda_host_exchange(void *value, size_t bytes, int step);

template <typename T> static inline T __shfl_xor_sync(unsigned mask, T value, int step)
{
    (void)mask; /* all lanes, wherever it is used */
    cuda_host_exchange(&value, sizeof value, step);
    return value;
}

template <typename T> static inline T atomicAdd(T *to, T value)
{
    const T old = *to;
    *to += value;
    return old;
}

static inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}

static inline float __fsqrt_rn(float a)
{
    return sqrtf(a);
}

using std::isfinite;

/* --- launches --- */

/* What a stream is asked for: done at once, or noted for the graph that is being captured, by
 * value but for the memory that it points to. */
cudaError_t cuda_host_submit(cudaStream_t stream, std::function<cudaError_t()> work);
/* True during a capture, which it spoils: for calls that a device does not allow there. */
bool cuda_host_spoils_capture(void);
/* Keeps a code for cudaGetLastError(). */
cudaError_t cuda_host_remember(cudaError_t code);
/* Counts an event of that name, which tests ask for by cuda_host_counted(). */
void cuda_host_count(const char *what, long change);

cudaError_t cuda_host_launch(void (*call)(const void *kernel, const void *argument),
                             const void *kernel, const void *argument, dim3 grid, dim3 block,
                             size_t shared_bytes);

template <typename Argument>
static inline cudaError_t cudaLaunchKernel(void (*kernel)(Argument), dim3 grid, dim3 block,
                                           void **arguments, size_t shared_bytes,
                                           cudaStream_t stream)
{
    const Argument argument = *(const Argument *)arguments[0];
    return cuda_host_submit(stream, [=]() {
        return cuda_host_launch(
            [](const void *k, const void *a) { ((void (*)(Argument))k)(*(const Argument *)a); },
            (const void *)kernel, &argument, grid, block, shared_bytes);
    });
}

#endif
