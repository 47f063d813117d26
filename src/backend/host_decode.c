#include "backend/host_decode.h"

#include "coppice/base/memory.h"

/* The sequences as they advance, and the batch of a step. */
typedef struct host_decode {
    size_t lanes;
    size_t total;         /* lanes * count */
    cop_decode_row *rows; /* [total]; left 0: has ended */
    size_t *owners;       /* [total] row of each fed one; `total`: none */
    cop_span *spans;      /* [total] */
    int32_t *fed;         /* [total] */
    int32_t *chosen;      /* [total] */
    double *uniform;      /* [total] */
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
    const size_t count = host->total;
    host->rows = cop_memory_alloc(count, sizeof *host->rows, err);
    host->owners = cop_memory_alloc(count, sizeof *host->owners, err);
    host->spans = cop_memory_alloc(count, sizeof *host->spans, err);
    host->fed = cop_memory_alloc(count, sizeof *host->fed, err);
    host->chosen = cop_memory_alloc(count, sizeof *host->chosen, err);
    host->uniform = cop_memory_alloc(count, sizeof *host->uniform, err);
    const bool ok = host->rows != NULL && host->owners != NULL && host->spans != NULL &&
                    host->fed != NULL && host->chosen != NULL && host->uniform != NULL;
    for (size_t r = 0; r < count && ok; r++) {
        host->rows[r] = decode->rows[r];
        if (decode->rows[r].slot < 0) host->rows[r].left = 0;
    }
    return ok ? COP_OK : COP_ERR_MEMORY;
}

/* Most sequences of a lane that have not ended. */
static size_t longest_lane(const host_decode *host, const cop_decode *decode)
{
    size_t most = 0;
    for (size_t l = 0; l < host->lanes; l++) {
        size_t count = 0;
        for (size_t r = 0; r < decode->count; r++)
            count += host->rows[l * decode->count + r].left > 0;
        if (count > most) most = count;
    }
    return most;
}

/* Puts the sequences that have not ended into a batch of `rows` rows for each lane, the last of
 * which may be no sequence's. \return the number of sequences. */
static size_t fill_batch(const host_decode *host, const cop_decode *decode, size_t step,
                         size_t rows)
{
    size_t spans = 0;
    for (size_t l = 0; l < host->lanes; l++) {
        const int32_t first_id = (int32_t)(l * decode->vocabulary);
        size_t at = l * rows;
        for (size_t i = l * decode->count; i < (l + 1) * decode->count; i++) {
            const cop_decode_row *const row = &host->rows[i];
            if (row->left == 0) continue;
            host->owners[at] = i;
            host->fed[at] = first_id + row->next;
            host->spans[spans++] = (cop_span){
                .slot = row->slot, .first_row = (int32_t)at, .rows = 1, .past = row->past};
            if (decode->draw.temperature > 0)
                host->uniform[at] = decode->draw.uniform[step * host->total + i];
            at++;
        }
        for (; at < (l + 1) * rows; at++) {
            host->owners[at] = host->total;
            host->fed[at] = first_id;
            host->uniform[at] = 0.5; /* draws nothing that is looked at */
        }
    }
    return spans;
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
    const size_t rows = longest_lane(host, decode);
    const size_t count = host->lanes * rows;
    if (rows == 0) return COP_OK;
    const cop_batch batch = {.spans = host->spans,
                             .span_count = fill_batch(host, decode, step, rows),
                             .rows = count,
                             .prefix = decode->prefix,
                             .prefix_slot = decode->prefix_slot,
                             .lane_slots = decode->lane_slots};
    COP_TRY(decode->step(decode->context, host->fed, &batch, err));
    COP_TRY(choose(backend, host, decode, count, err));
    for (size_t i = 0; i < count; i++) {
        if (host->owners[i] == host->total) continue;
        ids[host->owners[i]] = host->chosen[i];
        advance(&host->rows[host->owners[i]], decode, host->chosen[i]);
    }
    return COP_OK;
}

cop_status cop_decode_on_host(cop_backend *backend, const cop_decode *decode, size_t steps,
                              int32_t *ids, cop_error *err)
{
    host_decode host = {.lanes = backend->lanes, .total = backend->lanes * decode->count};
    for (size_t i = 0; i < steps * host.total; i++)
        ids[i] = COP_DECODE_NONE;
    if (host.total == 0) return COP_OK;
    cop_status status = host_alloc(&host, decode, err);
    for (size_t s = 0; s < steps && status == COP_OK; s++)
        status = run_step(backend, &host, decode, s, ids + s * host.total, err);
    host_free(&host);
    return status;
}
