/* The stand-in's graphs: what a stream is asked for during a capture is noted, and done when
 * the graph is launched. See cuda_runtime.h.
 *
 * For tests of what goes wrong, COPPICE_CUDA_HOST_GRAPHS: "none" (the driver has no graphs) or
 * "full" (there is no memory for one). */
#include "cuda_runtime.h"

#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

struct cuda_host_graph {
    std::vector<std::function<cudaError_t()>> nodes;
};

struct cuda_host_graph_run {
    std::vector<std::function<cudaError_t()>> nodes;
};

static cuda_host_graph *capturing; /* NULL: nothing is captured */
static bool spoilt;

/* --- counts, for tests --- */

static std::map<std::string, long> &counts(void)
{
    static std::map<std::string, long> all;
    return all;
}

void cuda_host_count(const char *what, long change)
{
    counts()[what] += change;
}

extern "C" __attribute__((visibility("default"))) long cuda_host_counted(const char *what);

long cuda_host_counted(const char *what)
{
    return counts()[what];
}

/* --- capture --- */

static bool is_set(const char *value)
{
    const char *const text = getenv("COPPICE_CUDA_HOST_GRAPHS");
    return text != NULL && strcmp(text, value) == 0;
}

bool cuda_host_spoils_capture(void)
{
    spoilt = spoilt || capturing != NULL;
    return capturing != NULL;
}

cudaError_t cuda_host_submit(cudaStream_t stream, std::function<cudaError_t()> work)
{
    (void)stream; /* there is one */
    if (capturing == NULL) return work();
    if (spoilt) return cuda_host_remember(cudaErrorStreamCaptureInvalidated);
    capturing->nodes.push_back(std::move(work));
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    (void)stream;
    (void)mode;
    if (is_set("none")) return cuda_host_remember(cudaErrorNotSupported);
    if (capturing != NULL) return cuda_host_remember(cudaErrorInvalidValue);
    capturing = new cuda_host_graph();
    spoilt = false;
    cuda_host_count("captures", 1);
    cuda_host_count("graphs", 1);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    (void)stream;
    *graph = NULL;
    if (capturing == NULL) return cuda_host_remember(cudaErrorInvalidValue);
    cuda_host_graph *const captured = capturing;
    capturing = NULL;
    if (spoilt) {
        (void)cudaGraphDestroy(captured);
        return cuda_host_remember(cudaErrorStreamCaptureInvalidated);
    }
    *graph = captured;
    return cudaSuccess;
}

/* --- graphs --- */

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *run, cudaGraph_t graph,
                                          unsigned long long flags)
{
    (void)flags;
    *run = NULL;
    if (is_set("full")) return cuda_host_remember(cudaErrorMemoryAllocation);
    *run = new cuda_host_graph_run{graph->nodes};
    cuda_host_count("graphs", 1);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t run, cudaStream_t stream)
{
    cuda_host_count("replays", 1);
    return cuda_host_submit(stream, [run]() {
        for (const auto &node : run->nodes) {
            const cudaError_t code = node();
            if (code != cudaSuccess) return code;
        }
        return cudaSuccess;
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    cuda_host_count("graphs", -1);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t run)
{
    delete run;
    cuda_host_count("graphs", -1);
    return cudaSuccess;
}
