/* Decoding: the sequences live on the device, where the kernels that choose their ids move them
 * on, so that steps follow each other without the host. A step's first run is an ordinary one,
 * which makes the memory that it takes; the next is captured, and from then on it is replayed
 * as a graph. */
#include "backend/cuda/cuda_backend.h"

extern "C" {
#include "coppice/base/memory.h"
}

/* --- graphs --- */

void cop_cuda_forget_graphs(cop_cuda *cuda)
{
    cop_cuda_decoder *const decoder = &cuda->decoder;
    for (size_t i = 0; i < decoder->graph_count; i++) {
        /* Fails only after a failure that is kept already. */
        if (decoder->graphs[i].step != NULL)
            (void)cudaGraphExecDestroy(decoder->graphs[i].step);
    }
    decoder->graph_count = 0;
}

/* What one asks the device for, the other does. */
static bool is_same(const cop_decode *a, const cop_decode *b)
{
    return a->step == b->step && a->context == b->context && a->logits == b->logits &&
           a->vocabulary == b->vocabulary && a->stop_count == b->stop_count &&
           a->draw.temperature == b->draw.temperature && a->draw.top_p == b->draw.top_p;
}

static cop_cuda_graph *find_graph(const cop_cuda *cuda, const cop_decode *decode)
{
    const cop_cuda_decoder *const decoder = &cuda->decoder;
    for (size_t i = 0; i < decoder->graph_count; i++) {
        cop_cuda_graph *const graph = &decoder->graphs[i];
        if (graph->rows == decoder->sequences.count && graph->lanes == cuda->base.lanes &&
            is_same(&graph->of, decode))
            return graph;
    }
    return NULL;
}

/* Notes that the step has run once. */
static cop_status add_graph(cop_cuda *cuda, const cop_decode *decode, cop_error *err)
{
    cop_cuda_decoder *const decoder = &cuda->decoder;
    if (decoder->graph_count == COP_CUDA_MOST_GRAPHS) cop_cuda_forget_graphs(cuda);
    COP_GROW(decoder->graphs, decoder->graph_capacity, decoder->graph_count + 1, err);
    decoder->graphs[decoder->graph_count++] = (cop_cuda_graph){.of = *decode,
                                                               .rows = decoder->sequences.count,
                                                               .lanes = cuda->base.lanes,
                                                               .step = NULL};
    return COP_OK;
}

/* --- steps --- */

/* Asks the device for one step. */
static cop_status issue(cop_cuda *cuda, const cop_decode *decode, cop_error *err)
{
    const cop_cuda_sequences *const sequences = &cuda->decoder.sequences;
    const size_t rows = sequences->count;
    const cop_batch batch = {.rows = rows};
    COP_TRY(decode->step(decode->context, NULL, &batch, err));
    if (decode->draw.temperature == 0) {
        return cop_cuda_launch_argmax(cuda, decode->logits, rows, decode->vocabulary, sequences,
                                      NULL, err);
    }
    cop_draw draw = decode->draw;
    draw.uniform = (const double *)cuda->uniform.data;
    return cop_cuda_launch_draws(cuda, decode->logits, rows, decode->vocabulary, &draw,
                                 sequences, NULL, err);
}

/* True if the driver has no graphs, which is no failure: then it is never asked again. */
static bool lacks_graphs(cop_cuda *cuda, cudaError_t code)
{
    if (code != cudaErrorNotSupported) return false;
    (void)cudaGetLastError(); /* taken note of */
    cuda->decoder.no_graphs = true;
    return true;
}

/* Captures a step, which does not run it. *captured is NULL if the driver has no graphs. */
static cop_status capture(cop_cuda *cuda, const cop_decode *decode, cudaGraph_t *captured,
                          cop_error *err)
{
    *captured = NULL;
    /* Other threads may go on with what a capture does not allow. */
    const cudaError_t begun =
        cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal);
    if (lacks_graphs(cuda, begun)) return COP_OK;
    CUDA_TRY(cuda, begun, "capturing a decode step", err);
    const cop_status status = issue(cuda, decode, err);
    const cudaError_t ended = cudaStreamEndCapture(cuda->stream, captured);
    COP_TRY(status);
    if (lacks_graphs(cuda, ended)) return COP_OK;
    CUDA_TRY(cuda, ended, "capturing a decode step", err);
    return COP_OK;
}

static cop_status make_step(cop_cuda *cuda, const cop_decode *decode, cudaGraphExec_t *step,
                            cop_error *err)
{
    cudaGraph_t captured = NULL;
    *step = NULL;
    const cop_status status = capture(cuda, decode, &captured, err);
    if (captured == NULL) return status;
    if (status == COP_OK) {
        const cudaError_t made = cudaGraphInstantiateWithFlags(step, captured, 0);
        if (!lacks_graphs(cuda, made)) cop_cuda_note(cuda, made, "making a graph");
    }
    cop_cuda_note(cuda, cudaGraphDestroy(captured), "destroying a graph");
    COP_TRY(status);
    return cop_cuda_check(cuda, err);
}

static cop_status run_step(cop_cuda *cuda, const cop_decode *decode, cop_error *err)
{
    if (cuda->base.decode_steps == 1 || cuda->decoder.no_graphs)
        return issue(cuda, decode, err);
    cop_cuda_graph *const graph = find_graph(cuda, decode);
    if (graph == NULL) {
        COP_TRY(issue(cuda, decode, err));
        return add_graph(cuda, decode, err);
    }
    if (graph->step == NULL) COP_TRY(make_step(cuda, decode, &graph->step, err));
    if (graph->step == NULL) return issue(cuda, decode, err);
    CUDA_TRY(cuda, cudaGraphLaunch(graph->step, cuda->stream), "a decode step", err);
    return COP_OK;
}

/* --- sequences --- */

/* Rows of a step, in each lane, for that many sequences: there are four such numbers from one
 * power of two to the next, so that a batch that shrinks needs few graphs. */
static size_t step_rows(size_t count, size_t most)
{
    size_t unit = 1;
    while (8 * unit <= count)
        unit *= 2;
    const size_t rows = (count + unit - 1) / unit * unit;
    return rows < most ? rows : most;
}

/* Where the sequences lie in memory that is sent, or in the device's: rows, ids, left, stops
 * and taken, then those got, which are not sent. */
static cop_cuda_sequences lay_out(char *memory, size_t count, size_t stop_count)
{
    cop_cuda_sequences s = {};
    s.rows = (cop_cuda_row *)memory;
    s.ids = (int32_t *)(s.rows + count);
    s.left = s.ids + count;
    s.stops = s.left + count;
    s.taken = (uint32_t *)(s.stops + stop_count);
    s.got = (int32_t *)(s.taken + count);
    s.stop_count = (uint32_t)stop_count;
    s.count = (uint32_t)count;
    return s;
}

static size_t sent_bytes(size_t count, size_t stop_count)
{
    return count * (sizeof(cop_cuda_row) + 3 * sizeof(int32_t)) + stop_count * sizeof(int32_t);
}

static cop_status check_decode(const cop_cuda *cuda, const cop_decode *decode, size_t steps,
                               cop_error *err)
{
    COP_CHECK(steps <= (size_t)COP_CUDA_DECODE_STEPS && decode->count <= decode->most_rows &&
                  decode->most_rows <= INT32_MAX / cuda->base.lanes,
              err, COP_ERR_INTERNAL, "%zu decode steps of %zu rows, of at most %d and %zu",
              steps, decode->count, (int)COP_CUDA_DECODE_STEPS, decode->most_rows);
    for (size_t r = 0; r < cuda->base.lanes * decode->count; r++) {
        const cop_decode_row *const row = &decode->rows[r];
        if (row->slot == -1) continue;
        COP_CHECK(row->slot >= 0 && row->past >= 0 && row->left >= 1 && row->next >= 0 &&
                      (size_t)row->next < decode->vocabulary,
                  err, COP_ERR_INTERNAL, "decode row %zu is out of bounds", r);
    }
    return cop_cuda_check(cuda, err);
}

/* Where row `r` of the call, of all lanes, is in a step with `step` rows in each. */
static size_t place_in_step(const cop_decode *decode, size_t step, size_t r)
{
    return r / decode->count * step + r % decode->count;
}

static void fill_sequences(const cop_decode *decode, size_t lanes, size_t step,
                           const cop_cuda_sequences *s)
{
    const cop_batch batch = {.prefix_slot = decode->prefix_slot,
                             .lane_slots = decode->lane_slots};
    for (size_t r = 0; r < lanes * step; r++)
        s->rows[r].slot = -1;
    for (size_t r = 0; r < lanes * decode->count; r++) {
        const cop_decode_row *const row = &decode->rows[r];
        const size_t to = place_in_step(decode, step, r);
        if (row->slot < 0) continue;
        s->rows[to] = (cop_cuda_row){row->slot, row->past, decode->prefix,
                                     cop_batch_prefix_slot(&batch, row->slot)};
        s->ids[to] = row->next;
        s->left[to] = row->left;
    }
}

/* Sends the sequences, made up to as many as a step has, and their random numbers. */
static cop_status send_sequences(cop_cuda *cuda, const cop_decode *decode, cop_error *err)
{
    cop_cuda_decoder *const decoder = &cuda->decoder;
    const size_t lanes = cuda->base.lanes;
    const size_t step = step_rows(decode->count, decode->most_rows);
    const size_t count = lanes * step;
    const size_t most = lanes * decode->most_rows;
    const size_t bytes = sent_bytes(count, decode->stop_count);
    char *const memory = (char *)cop_memory_alloc(bytes, 1, err);
    if (memory == NULL) return COP_ERR_MEMORY;
    const cop_cuda_sequences s = lay_out(memory, count, decode->stop_count);
    int32_t *const stops = s.left + count;
    for (size_t i = 0; i < decode->stop_count; i++)
        stops[i] = decode->stops[i];
    fill_sequences(decode, lanes, step, &s);
    /* At once for the largest, so that what was captured stays good as the batch changes. */
    cop_status status =
        cop_cuda_reserve(cuda, &decoder->state,
                         sent_bytes(most, decode->stop_count) +
                             (size_t)COP_CUDA_DECODE_STEPS * most * sizeof(int32_t),
                         err);
    if (status == COP_OK) status = cop_cuda_send(cuda, &decoder->state, memory, bytes, err);
    cop_memory_free(memory);
    COP_TRY(status);
    decoder->sequences = lay_out(decoder->state.data, count, decode->stop_count);
    decoder->vocabulary = decode->vocabulary;
    /* Fetched whole, also where a sequence has ended and gets no more. */
    CUDA_TRY(cuda,
             cudaMemsetAsync(decoder->sequences.got, 0,
                             COP_CUDA_DECODE_STEPS * count * sizeof(int32_t), cuda->stream),
             "clearing memory", err);
    return COP_OK;
}

/* Numbers [steps, lanes, count] of the sequences, at the places [steps, rows of a step]. */
static cop_status send_uniform(cop_cuda *cuda, const cop_decode *decode, size_t steps,
                               cop_error *err)
{
    const size_t lanes = cuda->base.lanes;
    const size_t count = cuda->decoder.sequences.count;
    const size_t given = lanes * decode->count;
    double *const uniform = (double *)cop_memory_alloc(steps * count, sizeof *uniform, err);
    if (uniform == NULL) return COP_ERR_MEMORY;
    for (size_t s = 0; s < steps; s++) {
        for (size_t r = 0; r < given; r++)
            uniform[s * count + place_in_step(decode, count / lanes, r)] =
                decode->draw.uniform[s * given + r];
    }
    cop_status status = cop_cuda_reserve(
        cuda, &cuda->uniform,
        (size_t)COP_CUDA_DECODE_STEPS * lanes * decode->most_rows * sizeof *uniform, err);
    if (status == COP_OK) {
        status =
            cop_cuda_send(cuda, &cuda->uniform, uniform, steps * count * sizeof *uniform, err);
    }
    cop_memory_free(uniform);
    return status;
}

/* Waits for the steps and fetches what the sequences got. */
static cop_status fetch_ids(cop_cuda *cuda, const cop_decode *decode, size_t steps,
                            int32_t *ids, cop_error *err)
{
    const cop_cuda_sequences *const s = &cuda->decoder.sequences;
    const size_t count = s->count;
    const size_t total = (1 + steps) * count;
    int32_t *const fetched = (int32_t *)cop_memory_alloc(total, sizeof *fetched, err);
    if (fetched == NULL) return COP_ERR_MEMORY;
    const cop_status status =
        cop_cuda_fetch(cuda, fetched, s->taken, total * sizeof *fetched, err);
    const size_t given = cuda->base.lanes * decode->count;
    for (size_t i = 0; i < steps && status == COP_OK; i++) {
        for (size_t r = 0; r < given; r++) {
            const size_t from = place_in_step(decode, count / cuda->base.lanes, r);
            const bool has = i < (size_t)fetched[from];
            ids[i * given + r] =
                has ? fetched[(1 + i) * count + from] : (int32_t)COP_DECODE_NONE;
        }
    }
    cop_memory_free(fetched);
    return status;
}

cop_status cop_cuda_decode(cop_backend *backend, const cop_decode *decode, size_t steps,
                           int32_t *ids, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_TRY(check_decode(cuda, decode, steps, err));
    if (decode->count == 0 || steps == 0) return COP_OK;
    cop_status status = send_sequences(cuda, decode, err);
    if (status == COP_OK && decode->draw.temperature > 0)
        status = send_uniform(cuda, decode, steps, err);
    for (size_t s = 0; s < steps && status == COP_OK; s++)
        status = run_step(cuda, decode, err);
    if (status == COP_OK) status = fetch_ids(cuda, decode, steps, ids, err);
    cuda->decoder.sequences = (cop_cuda_sequences){};
    return status;
}
