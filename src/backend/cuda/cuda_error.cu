/* What a failed CUDA call becomes: kept, and reported by the next call that returns a status.
 */
#include "backend/cuda/cuda_backend.h"

void cop_cuda_note(cop_cuda *cuda, cudaError_t code, const char *what)
{
    if (code == cudaSuccess || cuda->failed != cudaSuccess) return;
    cuda->failed = code;
    cuda->failed_in = what;
}

void cop_cuda_note_blas(cop_cuda *cuda, cublasStatus_t code, const char *what)
{
    if (code == CUBLAS_STATUS_SUCCESS) return;
    /* An error of the device that came before is the reason. */
    cop_cuda_note(cuda, cudaPeekAtLastError(), what);
    if (code == CUBLAS_STATUS_ALLOC_FAILED)
        cop_cuda_note(cuda, cudaErrorMemoryAllocation, what);
    if (cuda->failed != cudaSuccess) return;
    cuda->failed_by = cublasLtGetStatusName(code);
    cop_cuda_note(cuda, cudaErrorUnknown, what);
}

static const char *remedy_of(cudaError_t code)
{
    switch (code) {
    case cudaErrorMemoryAllocation:
        return "lower backend.batch, or let fewer ranks share the GPU";
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
        return "the GPU is damaged: leave its node out and run again";
    case cudaErrorDevicesUnavailable:
        return "the GPU is in exclusive use: give each rank its own, or start the MPS daemon";
    default:
        return "run again without this GPU, or with backend.kind: cpu; nvidia-smi and the "
               "kernel's log tell more";
    }
}

cop_status cop_cuda_check(const cop_cuda *cuda, cop_error *err)
{
    if (cuda->failed == cudaSuccess) return COP_OK;
    return cop_error_set(err, COP_ERR_BACKEND, "GPU %d (%s): %s failed: %s; %s", cuda->device,
                         cuda->properties.name, cuda->failed_in,
                         cuda->failed_by != NULL ? cuda->failed_by
                                                 : cudaGetErrorString(cuda->failed),
                         remedy_of(cuda->failed));
}
