#include "backend/host_decode.h"

#include "coppice/memory.h"

/* The sequences as they advance, and the batch of a step. */
typedef struct host_decode {
    cop_decode_row *rows; /* [count]; left 0: has ended */
    size_t *owners;       /* [count] row of each span */
    cop_span *spans;      /* [count] */
    int32_t *fed;         /* [count] */
    int32_t *chosen;      /* [count] */
    double *uniform;      /* [count] */
} host_decode;

static void host_free(host_decode *host)
{
    cop_memory_free(host->rows);
    cop_memory_free(host->owners);
    cop_memory_free(host->spans);
    cop_memory_free(host->fed);
    cop_memory_free(host->chosen);
    cop_memory_free(host->uniform);
}

static cop_status host_alloc(host_decode *host, const cop_decode *decode, cop_error *err)
{
    const size_t count = decode->count;
    host->rows = cop_memory_alloc(count, sizeof *host->rows, err);
    host->owners = cop_memory_alloc(count, sizeof *host->owners, err);
    host->spans = cop_memory_alloc(count, sizeof *host->spans, err);
    host->fed = cop_memory_alloc(count, sizeof *host->fed, err);
    host->chosen = cop_memory_alloc(count, sizeof *host->chosen, err);
    host->uniform = cop_memory_alloc(count, sizeof *host->uniform, err);
    const bool ok = host->rows != NULL && host->owners != NULL && host->spans != NULL &&
                    host->fed != NULL && host->chosen != NULL && host->uniform != NULL;
    for (size_t r = 0; r < count && ok; r++)
        host->rows[r] = decode->rows[r];
    return ok ? COP_OK : COP_ERR_MEMORY;
}

/* Puts the sequences that have not ended into a batch; returns their number. */
static size_t fill_batch(const host_decode *host, const cop_decode *decode, size_t step)
{
    size_t count = 0;
    for (size_t r = 0; r < decode->count; r++) {
        const cop_decode_row *const row = &host->rows[r];
        if (row->left == 0) continue;
        host->owners[count] = r;
        host->fed[count] = row->next;
        host->spans[count] = (cop_span){
            .slot = row->slot, .first_row = (int32_t)count, .rows = 1, .past = row->past};
        if (decode->draw.temperature > 0)
            host->uniform[count] = decode->draw.uniform[step * decode->count + r];
        count++;
    }
    return count;
}

static cop_status choose(cop_backend *backend, const host_decode *host,
                         const cop_decode *decode, size_t count, cop_error *err)
{
    if (decode->draw.temperature == 0) {
        return backend->ops->argmax(backend, decode->logits, count, decode->vocabulary,
                                    host->chosen, err);
    }
    cop_draw draw = decode->draw;
    draw.uniform = host->uniform;
    return backend->ops->sample(backend, decode->logits, count, decode->vocabulary, &draw,
                                host->chosen, err);
}

static void advance(cop_decode_row *row, const cop_decode *decode, int32_t id)
{
    bool ends = id < 0;
    for (size_t i = 0; i < decode->stop_count; i++)
        ends = ends || decode->stops[i] == id;
    row->left = ends ? 0 : row->left - 1;
    row->next = id;
    row->past++;
}

static cop_status run_step(cop_backend *backend, const host_decode *host,
                           const cop_decode *decode, size_t step, int32_t *ids, cop_error *err)
{
    const size_t count = fill_batch(host, decode, step);
    if (count == 0) return COP_OK;
    const cop_batch batch = {.spans = host->spans,
                             .span_count = count,
                             .rows = count,
                             .prefix = decode->prefix,
                             .prefix_slot = decode->prefix_slot};
    COP_TRY(decode->step(decode->context, host->fed, &batch, err));
    COP_TRY(choose(backend, host, decode, count, err));
    for (size_t i = 0; i < count; i++) {
        ids[host->owners[i]] = host->chosen[i];
        advance(&host->rows[host->owners[i]], decode, host->chosen[i]);
    }
    return COP_OK;
}

cop_status cop_decode_on_host(cop_backend *backend, const cop_decode *decode, size_t steps,
                              int32_t *ids, cop_error *err)
{
    host_decode host = {0};
    for (size_t i = 0; i < steps * decode->count; i++)
        ids[i] = COP_DECODE_NONE;
    cop_status status = decode->count == 0 ? COP_OK : host_alloc(&host, decode, err);
    for (size_t s = 0; s < steps && status == COP_OK; s++)
        status = run_step(backend, &host, decode, s, ids + s * decode->count, err);
    host_free(&host);
    return status;
}
