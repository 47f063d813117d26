/* The runtime's stand-in: memory, and threads as fibers. See cuda_runtime.h.
 *
 * For tests of what goes wrong: COPPICE_CUDA_HOST_DEVICES (how many there are, default 1),
 * COPPICE_CUDA_HOST_FIRST (those of the machine that are hidden before them, default 0),
 * COPPICE_CUDA_HOST_MAJOR (their compute capability), COPPICE_CUDA_HOST_BYTES (their memory),
 * COPPICE_CUDA_HOST_FAIL (set: every launch and product fails), COPPICE_CUDA_HOST_INSTANCE
 * (which part of a divided GPU they are, default 0), COPPICE_CUDA_HOST_GRAPHS (see graph.cc).
 */
#include "cuda_runtime.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

cuda_host_index threadIdx, blockIdx;
dim3 blockDim, gridDim;

enum { WARP = 32, MOST_THREADS = 1024, STACK_BYTES = 96 << 10, SHARED_BYTES = 48 << 10 };
enum { MOST_VALUE = 16 };

/* Threads that wait for each other. */
struct barrier {
    unsigned expected, arrived, generation;
    int kind; /* of the call that the first came by */
    unsigned char values[2][WARP][MOST_VALUE];
};

struct fiber {
    ucontext_t context;
    jmp_buf resume;
    bool begun, finished;
    const barrier *waits; /* for its generation to leave `until` */
    unsigned until;
};

enum { BY_BLOCK, BY_WARP, BY_EXCHANGE };

static fiber *fibers; /* [MOST_THREADS] */
static char *stacks;  /* [MOST_THREADS, STACK_BYTES] */
static fiber *current;
#if defined(__SANITIZE_ADDRESS__)
static ucontext_t scheduler_context; /* what the sanitizer can follow, at a price */
static const void *scheduler_stack;
static size_t scheduler_stack_bytes;
#else
static jmp_buf scheduler;
#endif
static barrier block_barrier, warp_barriers[MOST_THREADS / WARP];
static void (*call)(const void *kernel, const void *argument);
static const void *call_kernel, *call_argument;
static unsigned long launches;
alignas(64) static unsigned char shared[SHARED_BYTES];

static void die(const char *what)
{
    (void)fprintf(stderr, "cuda_host: %s (block %u %u, thread %u)\n", what, blockIdx.x,
                  blockIdx.y, threadIdx.x);
    abort();
}

/* --- fibers --- */

static void stop_here(void)
{
#if defined(__SANITIZE_ADDRESS__)
    fiber *const self = current;
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, scheduler_stack, scheduler_stack_bytes);
    (void)swapcontext(&self->context, &scheduler_context);
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_stack_bytes);
#else
    if (_setjmp(current->resume) == 0) _longjmp(scheduler, 1);
#endif
}

/* A fiber lives on for the next block when its thread has ended. */
static void fiber_main(void)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_stack_bytes);
#endif
    for (;;) {
        call(call_kernel, call_argument);
        current->finished = true;
        stop_here();
    }
}

static void run_fiber(unsigned index)
{
    fiber *const f = &fibers[index];
    current = f;
    threadIdx = cuda_host_index{index, 0, 0};
#if defined(__SANITIZE_ADDRESS__)
    char *const stack = stacks + (size_t)index * STACK_BYTES;
    if (!f->begun) {
        f->begun = true;
        (void)getcontext(&f->context);
        f->context.uc_stack.ss_sp = stack;
        f->context.uc_stack.ss_size = STACK_BYTES;
        f->context.uc_link = NULL;
        makecontext(&f->context, fiber_main, 0);
    }
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, stack, STACK_BYTES);
    (void)swapcontext(&scheduler_context, &f->context);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
    if (_setjmp(scheduler) != 0) return;
    if (f->begun) _longjmp(f->resume, 1);
    f->begun = true;
    (void)getcontext(&f->context);
    f->context.uc_stack.ss_sp = stacks + (size_t)index * STACK_BYTES;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, fiber_main, 0);
    (void)setcontext(&f->context);
#endif
}

static bool is_ready(const fiber *f)
{
    return !f->finished && (f->waits == NULL || f->waits->generation != f->until);
}

/* Runs the threads of a block, each until it waits, forwards or backwards in turn. */
static void run_block(unsigned threads, bool backwards)
{
    for (unsigned i = 0; i < threads; i++) {
        fibers[i].finished = false;
        fibers[i].waits = NULL;
    }
    block_barrier.expected = threads;
    for (unsigned w = 0; w < threads / WARP; w++)
        warp_barriers[w].expected = WARP;
    for (unsigned left = threads; left > 0;) {
        bool moved = false;
        for (unsigned i = 0; i < threads; i++) {
            const unsigned index = backwards ? threads - 1 - i : i;
            if (!is_ready(&fibers[index])) continue;
            moved = true;
            run_fiber(index);
            if (fibers[index].finished) left--;
        }
        if (!moved) die("some threads wait at a barrier that others never reach");
    }
}

static unsigned arrive(barrier *b, int kind)
{
    const unsigned generation = b->generation;
    if (b->arrived == 0) b->kind = kind;
    if (b->kind != kind) die("threads of a warp wait at different calls");
    if (++b->arrived == b->expected) {
        b->arrived = 0;
        b->generation++;
    } else {
        current->waits = b;
        current->until = generation;
        stop_here();
    }
    return generation;
}

void __syncthreads(void)
{
    (void)arrive(&block_barrier, BY_BLOCK);
}

void __syncwarp(void)
{
    (void)arrive(&warp_barriers[threadIdx.x / WARP], BY_WARP);
}

void cuda_host_exchange(void *value, size_t bytes, int step)
{
    if (bytes > MOST_VALUE) die("a shuffle of too large a value");
    barrier *const b = &warp_barriers[threadIdx.x / WARP];
    const unsigned lane = threadIdx.x % WARP;
    const unsigned turn = b->generation & 1U;
    memcpy(b->values[turn][lane], value, bytes);
    (void)arrive(b, BY_EXCHANGE);
    memcpy(value, b->values[turn][lane ^ (unsigned)step], bytes);
}

void *cuda_host_shared(void)
{
    return shared;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *const text = getenv(name);
    return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static cudaError_t last_error;

cudaError_t cuda_host_remember(cudaError_t code)
{
    if (code != cudaSuccess) last_error = code;
    return code;
}

static cudaError_t remember(cudaError_t code)
{
    return cuda_host_remember(code);
}

static int capability(void)
{
    return (int)setting("COPPICE_CUDA_HOST_MAJOR", 8);
}

cudaError_t cuda_host_launch(void (*how)(const void *kernel, const void *argument),
                             const void *kernel, const void *argument, dim3 grid, dim3 block,
                             size_t shared_bytes)
{
    launches++;
    if (getenv("COPPICE_CUDA_HOST_FAIL") != NULL) return remember(cudaErrorLaunchFailure);
    if (capability() < (const int[]){__CUDA_ARCH_LIST__}[0] / 100)
        return remember(cudaErrorNoKernelImageForDevice);
    if (grid.x == 0 || grid.y == 0 || grid.y > 65535 || grid.z != 1 || block.x == 0 ||
        block.x > MOST_THREADS || block.x % WARP != 0 || block.y != 1 || block.z != 1 ||
        shared_bytes > SHARED_BYTES)
        return remember(cudaErrorInvalidConfiguration);
    if (fibers == NULL) {
        void *const memory =
            mmap(NULL, (size_t)MOST_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fibers = (fiber *)calloc(MOST_THREADS, sizeof *fibers);
        if (memory == MAP_FAILED || fibers == NULL) die("no memory for fibers");
        stacks = (char *)memory;
    }
    call = how;
    call_kernel = kernel;
    call_argument = argument;
    gridDim = grid;
    blockDim = block;
    for (unsigned y = 0; y < grid.y; y++) {
        for (unsigned x = 0; x < grid.x; x++) {
            blockIdx = cuda_host_index{x, y, 0};
            if (shared_bytes > 0) memset(shared, 0xff, SHARED_BYTES);
            run_block(block.x, launches % 2 == 0);
        }
    }
    return cudaSuccess;
}

/* --- devices and memory --- */

/* Allocations carry their size, and garbage: nothing may count on zeros, nor be told what
 * nobody wrote. */
struct alignas(256) allocation {
    size_t taken_bytes; /* of the device's memory */
};

/* Large ones have pages of their own, small ones share them. */
static size_t taken_by(size_t bytes)
{
    const size_t page = 2 << 20;
    return bytes < page / 2 ? bytes : (bytes + page - 1) / page * page;
}

/* A NaN in every type, and a signalling one in binary32, which no sum has for result. */
static const uint32_t garbage = 0xffb5ffb5U;

static bool is_written(const void *memory, size_t bytes)
{
    const uint32_t *const words = (const uint32_t *)memory;
    for (size_t i = 0; (uintptr_t)memory % sizeof garbage == 0 && i < bytes / sizeof garbage;
         i++) {
        if (words[i] == garbage) return false;
    }
    return true;
}

static size_t used_bytes;

static size_t total_bytes(void)
{
    return setting("COPPICE_CUDA_HOST_BYTES", 8UL << 30);
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = (int)setting("COPPICE_CUDA_HOST_DEVICES", 1);
    return *count == 0 ? remember(cudaErrorNoDevice) : cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    int count = 0;
    (void)cudaGetDeviceCount(&count);
    return device >= 0 && device < count ? cudaSuccess : remember(cudaErrorInvalidDevice);
}

cudaError_t cudaSetDeviceFlags(unsigned flags)
{
    (void)flags;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    memset(properties, 0, sizeof *properties);
    properties->uuid.bytes[0] = (char)((int)setting("COPPICE_CUDA_HOST_FIRST", 0) + device + 1);
    properties->uuid.bytes[3] = (char)setting("COPPICE_CUDA_HOST_INSTANCE", 0);
    (void)snprintf(properties->name, sizeof properties->name, "emulated on the processor");
    properties->totalGlobalMem = total_bytes();
    properties->major = capability();
    return cudaSuccess;
}

/* In a domain that no machine has: those of tests/data/topology-gpus.xml. */
cudaError_t cudaDeviceGetPCIBusId(char *id, int size, int device)
{
    const int hidden = (int)setting("COPPICE_CUDA_HOST_FIRST", 0);
    const int length = snprintf(id, (size_t)size, "FFFF:%02X:00.0", hidden + device + 1);
    return length > 0 && length < size ? cudaSuccess : remember(cudaErrorInvalidValue);
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total)
{
    *total = total_bytes();
    *unused = *total - used_bytes;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    *memory = NULL;
    if (cuda_host_spoils_capture()) return remember(cudaErrorStreamCaptureUnsupported);
    const size_t taken = taken_by(bytes);
    if (bytes > total_bytes() || taken > total_bytes() - used_bytes)
        return remember(cudaErrorMemoryAllocation);
    allocation *const made =
        (allocation *)aligned_alloc(256, (sizeof(allocation) + bytes + 255) / 256 * 256);
    if (made == NULL) return remember(cudaErrorMemoryAllocation);
    made->taken_bytes = taken;
    used_bytes += taken;
    *memory = made + 1;
    uint32_t *const words = (uint32_t *)*memory;
    for (size_t i = 0; i < (bytes + 255) / 256 * (256 / sizeof garbage); i++)
        words[i] = garbage;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (memory == NULL) return cudaSuccess;
    if (cuda_host_spoils_capture()) return remember(cudaErrorStreamCaptureUnsupported);
    allocation *const made = (allocation *)memory - 1;
    used_bytes -= made->taken_bytes;
    free(made);
    return cudaSuccess;
}

static std::map<const char *, size_t> pinned; /* bytes of each allocation */

static bool is_pinned(const void *memory, size_t bytes)
{
    const char *const at = (const char *)memory;
    for (const auto &[start, size] : pinned) {
        if (at >= start && bytes <= size && at <= start + (size - bytes)) return true;
    }
    return false;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    *memory = NULL;
    if (cuda_host_spoils_capture()) return remember(cudaErrorStreamCaptureUnsupported);
    *memory = malloc(bytes);
    if (*memory == NULL) return remember(cudaErrorMemoryAllocation);
    pinned[(const char *)*memory] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory)
{
    if (cuda_host_spoils_capture()) return remember(cudaErrorStreamCaptureUnsupported);
    pinned.erase((const char *)memory);
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    return cuda_host_submit(stream, [=]() {
        memset(memory, value, bytes);
        return cudaSuccess;
    });
}

/* Pageable memory is copied before the call returns, which a capture cannot. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const void *const host = kind == cudaMemcpyHostToDevice   ? from
                             : kind == cudaMemcpyDeviceToHost ? to
                                                              : NULL;
    if (host != NULL && !is_pinned(host, bytes) && cuda_host_spoils_capture())
        return remember(cudaErrorStreamCaptureUnsupported);
    return cuda_host_submit(stream, [=]() {
        if (kind == cudaMemcpyDeviceToHost && !is_written(from, bytes))
            die("a copy of device memory that nobody wrote"); /* as initcheck calls it */
        memcpy(to, from, bytes);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    (void)flags;
    *stream = (cudaStream_t)&launches; /* one is enough */
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    (void)stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    (void)stream;
    if (cuda_host_spoils_capture()) return remember(cudaErrorStreamCaptureUnsupported);
    cuda_host_count("synchronisations", 1);
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    const cudaError_t code = last_error;
    last_error = cudaSuccess;
    return code;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

const char *cudaGetErrorString(cudaError_t code)
{
    switch (code) {
    case cudaSuccess:
        return "no error";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorNoKernelImageForDevice:
        return "no kernel image is available for execution on the device";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
        return "operation failed due to a previous error during capture";
    case cudaErrorInvalidConfiguration:
        return "invalid configuration argument";
    default:
        return "another error";
    }
}
