/* The CUDA backend: choice of the device, creation, the table of its operations and the entry
 * of the plug-in. */
#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "backend/plugin.h"
#include "coppice/base/memory.h"
}

#include <stdio.h>

static const double mib = 1048576.0;

cop_cuda *cop_cuda_of(cop_backend *backend)
{
    cop_cuda *const cuda = (cop_cuda *)backend;
    /* Each thread of the program starts out on device 0. */
    cop_cuda_note(cuda, cudaSetDevice(cuda->device), "choosing the device");
    return cuda;
}

static void destroy(cop_backend *backend)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    cop_buffer *const buffers[] = {&cuda->workspace,
                                   &cuda->stage,
                                   &cuda->components,
                                   &cuda->ids,
                                   &cuda->uniform,
                                   &cuda->results,
                                   &cuda->draws,
                                   &cuda->batch.device_rows,
                                   &cuda->batch.device_tiles,
                                   &cuda->decoder.state};
    /* Nothing that a failed device answers now could be acted on. */
    if (cuda->stream != NULL) (void)cudaStreamSynchronize(cuda->stream);
    cop_cuda_forget_graphs(cuda);
    if (cuda->blas != NULL) (void)cublasLtDestroy(cuda->blas);
    for (cop_buffer *const buffer : buffers)
        cop_cuda_release(cuda, buffer);
    if (cuda->pinned != NULL) (void)cudaFreeHost(cuda->pinned);
    if (cuda->stream != NULL) (void)cudaStreamDestroy(cuda->stream);
    cop_memory_free(cuda->algorithms);
    cop_memory_free(cuda->sent);
    cop_memory_free(cuda->batch.spans);
    cop_memory_free(cuda->decoder.graphs);
    cop_memory_free(cuda);
}

static void describe(const cop_backend *backend, char *text, size_t size)
{
    const cop_cuda *const cuda = (const cop_cuda *)backend;
    char shared[40] = "";
    if (cuda->sharers > 1)
        (void)snprintf(shared, sizeof shared, ", shared by %d ranks", cuda->sharers);
    (void)snprintf(text, size, "cuda: %s (sm_%d%d, %.0f MiB), cuBLASLt %s%s",
                   cuda->properties.name, cuda->properties.major, cuda->properties.minor,
                   (double)cuda->properties.totalGlobalMem / mib,
                   cop_dtype_name(backend->input), shared);
}

static void describe_arithmetic(const cop_backend *backend, char *text, size_t size)
{
    const cop_cuda *const cuda = (const cop_cuda *)backend;
    (void)snprintf(text, size, "cuBLASLt %zu %s, %.60s (sm_%d%d)", cublasLtGetVersion(),
                   cop_dtype_name(backend->input), cuda->properties.name,
                   cuda->properties.major, cuda->properties.minor);
}

static void plan(const cop_backend *backend, const cop_backend_plan *plan, uint64_t *need_bytes,
                 uint64_t *have_bytes)
{
    const cop_cuda *const cuda = (const cop_cuda *)backend;
    /* Workspace of the products, lists of a batch, draws, graphs of decode steps. */
    const uint64_t fixed = UINT64_C(320) << 20;
    /* Memory comes in pages of 2 MiB; what is less than half of one shares it. */
    const uint64_t pages = (uint64_t)plan->buffers * (UINT64_C(2) << 20);
    const uint64_t compute = cop_dtype_size(backend->input);
    const uint64_t storage = cop_dtype_size(plan->storage);
    const bool same = plan->storage == backend->input;
    const uint64_t base = (uint64_t)plan->matrices - plan->shared + plan->others;
    const uint64_t packed = same ? (uint64_t)plan->matrices - plan->shared : plan->matrices;
    const uint64_t lanes = plan->lanes == 0 ? 1 : plan->lanes;
    const uint64_t copy =
        packed * compute + (same ? 0 : plan->largest_matrix * storage) + plan->others * storage;
    const uint64_t weights = base * storage + lanes * copy;
    *need_bytes = fixed + weights + (pages < weights ? pages : weights) + plan->kv * compute +
                  plan->activations * sizeof(float);
    size_t unused = 0;
    size_t total = 0;
    *have_bytes = 0;
    if (cudaSetDevice(cuda->device) != cudaSuccess ||
        cudaMemGetInfo(&unused, &total) != cudaSuccess)
        return;                      /* a device that does not answer has no memory */
    unused += cuda->workspace.bytes; /* taken already, but planned */
    const uint64_t share = (uint64_t)total / (uint64_t)cuda->sharers;
    *have_bytes = unused < share ? unused : share;
}

static const cop_backend_ops cuda_ops = {
    .name = "cuda",
    .destroy = destroy,
    .describe = describe,
    .describe_arithmetic = describe_arithmetic,
    .plan = plan,
    .buffer_create = cop_cuda_buffer_create,
    .buffer_wrap = cop_cuda_buffer_wrap,
    .buffer_destroy = cop_cuda_buffer_destroy,
    .upload = cop_cuda_upload,
    .download = cop_cuda_download,
    .rebuild = cop_cuda_rebuild,
    .sums = cop_cuda_sums,
    .widen = cop_cuda_widen,
    .matrix_create = cop_cuda_matrix_create,
    .matrix_destroy = cop_cuda_matrix_destroy,
    .matrix_stage = cop_cuda_matrix_stage,
    .matrix_commit = cop_cuda_matrix_commit,
    .matrix_rebuild = cop_matrix_rebuild_staged,
    .embed = cop_cuda_embed,
    .rmsnorm = cop_cuda_rmsnorm,
    .rmsnorm_add = cop_cuda_rmsnorm_add,
    .convert = cop_cuda_convert,
    .gemm = cop_cuda_gemm,
    .gemm_add = cop_cuda_gemm_add,
    .glu = cop_cuda_glu,
    .rope_store = cop_cuda_rope_store,
    .attention = cop_cuda_attention,
    .gather = cop_cuda_gather,
    .argmax = cop_cuda_argmax,
    .sample = cop_cuda_sample,
    .log_probability = cop_cuda_log_probability,
    .decode = cop_cuda_decode,
    .kv_create = cop_cuda_kv_create,
    .kv_destroy = cop_cuda_kv_destroy,
};

/* Ranks of a node take the devices in turn. */
static int device_of(const cop_backend_options *options, int count)
{
    return options->local_rank % count;
}

/* That the kernels were compiled for: 100 times the compute capability, the lowest first. */
static constexpr int ARCHITECTURES[] = {__CUDA_ARCH_LIST__};

/* A newer device runs what is there for it, or PTX; an older one has nothing to run. */
static bool has_kernels(const cudaDeviceProp *properties)
{
    return 100 * properties->major + 10 * properties->minor >= ARCHITECTURES[0];
}

/* Properties of the device that this rank would take; false if there is none to use. */
static bool look(const cop_backend_options *options, int *device, cudaDeviceProp *properties)
{
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count < 1) return false;
    *device = device_of(options, count);
    return cudaGetDeviceProperties(properties, *device) == cudaSuccess &&
           has_kernels(properties);
}

/* The instances that a GPU is divided into (MIG) have its bus id, and UUIDs of their own. */
static void locate(const cop_backend_options *options, char *id, size_t size)
{
    int device = 0;
    cudaDeviceProp properties;
    char bus[32];
    id[0] = '\0';
    if (!look(options, &device, &properties) ||
        cudaDeviceGetPCIBusId(bus, (int)sizeof bus, device) != cudaSuccess)
        return;
    const unsigned char *const uuid = (const unsigned char *)properties.uuid.bytes;
    const int length =
        snprintf(id, size, "%s/%02x%02x%02x%02x", bus, uuid[0], uuid[1], uuid[2], uuid[3]);
    if (length < 0 || (size_t)length >= size) id[0] = '\0';
}

/* bf16 products need the matrix units of compute capability 8.0. */
static bool multiplies_bf16(const cudaDeviceProp *properties)
{
    return properties->major >= 8;
}

static bool has_bf16(const cop_backend_options *options)
{
    int device = 0;
    cudaDeviceProp properties;
    return look(options, &device, &properties) && multiplies_bf16(&properties);
}

static cop_status choose_device(cop_cuda *cuda, const cop_backend_options *options,
                                cop_error *err)
{
    int count = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    COP_CHECK(code == cudaSuccess, err, COP_ERR_UNSUPPORTED,
              "backend.kind: cuda: there is no usable GPU: %s; see nvidia-smi, or choose "
              "backend.kind: cpu",
              code == cudaErrorInsufficientDriver
                  ? "there is no NVIDIA driver, or it is too old for this build's CUDA"
                  : cudaGetErrorString(code));
    COP_CHECK(count > 0, err, COP_ERR_UNSUPPORTED,
              "backend.kind: cuda: there is no GPU, or CUDA_VISIBLE_DEVICES hides them all; "
              "choose backend.kind: cpu");
    cuda->device = device_of(options, count);
    cuda->sharers = options->gpu_sharers < 1 ? 1 : options->gpu_sharers;
    CUDA_TRY(cuda, cudaGetDeviceProperties(&cuda->properties, cuda->device),
             "asking for the device's properties", err);
    COP_CHECK(
        has_kernels(&cuda->properties), err, COP_ERR_UNSUPPORTED,
        "backend.kind: cuda: GPU %d (%s, sm_%d%d) is older than what the plug-in was built "
        "for, sm_%d and later (make info tells why); choose backend.kind: cpu",
        cuda->device, cuda->properties.name, cuda->properties.major, cuda->properties.minor,
        ARCHITECTURES[0] / 10);
    CUDA_TRY(cuda, cudaSetDevice(cuda->device), "choosing the device", err);
    return COP_OK;
}

static cop_status choose_compute(cop_cuda *cuda, const cop_backend_options *options,
                                 cop_error *err)
{
    static constexpr size_t AUTO_LANES = 16; /* the job file's reference names it */
    const bool able = multiplies_bf16(&cuda->properties);
    COP_CHECK(options->compute != COP_COMPUTE_BF16 || able, err, COP_ERR_UNSUPPORTED,
              "backend.compute: bf16: GPU %d (%s, sm_%d%d) does not multiply bf16; choose auto "
              "or f32",
              cuda->device, cuda->properties.name, cuda->properties.major,
              cuda->properties.minor);
    const bool automatic =
        options->compute == COP_COMPUTE_AUTO && able && options->storage == COP_BF16;
    cuda->base.input = options->compute == COP_COMPUTE_BF16 || automatic ? COP_BF16 : COP_F32;
    cuda->base.residual = COP_F32;
    cuda->base.output = COP_F32;
    cuda->base.decode_steps = COP_CUDA_DECODE_STEPS;
    cuda->base.fixed_table = true;
    cuda->base.auto_lanes = AUTO_LANES;
    cuda->base.rows_alone = true;
    cuda->base.lanes = 1;
    return COP_OK;
}

static cop_status create_parts(cop_cuda *cuda, const cop_backend_options *options,
                               cop_error *err)
{
    static constexpr int WORKSPACE_BYTES = 32 << 20; /* what cuBLAS advises for Hopper */
    (void)cudaGetLastError();                        /* of a backend before this one */
    COP_TRY(choose_device(cuda, options, err));
    COP_TRY(choose_compute(cuda, options, err));
    /* A rank that waits for its GPU leaves the core to others. */
    CUDA_TRY(cuda, cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync),
             "choosing how to wait for the device", err);
    CUDA_TRY(cuda, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking),
             "creating a stream", err);
    cop_cuda_note_blas(cuda, cublasLtCreate(&cuda->blas), "starting cuBLASLt");
    COP_TRY(cop_cuda_check(cuda, err));
    return cop_cuda_reserve(cuda, &cuda->workspace, WORKSPACE_BYTES, err);
}

cop_status cop_backend_create_cuda(const cop_backend_options *options, cop_backend **backend,
                                   cop_error *err)
{
    *backend = NULL;
    cop_cuda *const cuda = (cop_cuda *)cop_memory_alloc(1, sizeof *cuda, err);
    if (cuda == NULL) return COP_ERR_MEMORY;
    cuda->base.ops = &cuda_ops;
    const cop_status status = create_parts(cuda, options, err);
    if (status != COP_OK) {
        destroy(&cuda->base);
        return status;
    }
    *backend = &cuda->base;
    return COP_OK;
}

extern "C" __attribute__((visibility("default"))) const cop_plugin *cop_plugin_cuda(void);

const cop_plugin *cop_plugin_cuda(void)
{
    static const cop_plugin plugin = {.build = COP_PLUGIN_BUILD,
                                      .create = cop_backend_create_cuda,
                                      .locate = locate,
                                      .has_bf16 = has_bf16};
    return &plugin;
}
