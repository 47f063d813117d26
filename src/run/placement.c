#include "run/placement.h"

#include "coppice/base/memory.h"
#include "run/arithmetic.h"

#include <stdio.h>
#include <string.h>

static const double gib = 1024.0 * 1024.0 * 1024.0;

/* --- before the models are loaded --- */

/* What the ranks of a node tell each other. */
typedef struct neighbour {
    cop_affinity_rank cores;
    uint64_t free_bytes; /* before anything is loaded; 0: not known */
} neighbour;

/* Launchers are asked for more ranks than cores; of threads they say nothing. */
static bool is_asked(const cop_rank *rank)
{
    if (rank->options->oversubscribe) return true;
    return rank->job->backend.threads <= 1 && cop_world_oversubscribed();
}

/* The node's memory is divided evenly among the ranks that compute, less the base's weights,
 * which lie in memory once. */
static cop_status divide_memory(cop_rank *rank, const neighbour *all, size_t base_bytes,
                                cop_error *err)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < cop_world_local_size(rank->world); i++) {
        if (all[i].free_bytes > 0 && all[i].free_bytes < least) least = all[i].free_bytes;
    }
    if (least == UINT64_MAX || rank->computing_ranks == 0) return COP_OK;
    COP_CHECK(least > base_bytes, err, COP_ERR_MEMORY,
              "%s: the base's weights are %.2f GiB, but host %s has %.2f GiB left",
              rank->job->model, (double)base_bytes / gib, cop_world_host(rank->world),
              (double)least / gib);
    rank->memory_bytes = (least - base_bytes) / (uint64_t)rank->computing_ranks;
    return COP_OK;
}

static cop_status plan_with(cop_rank *rank, const neighbour *all, size_t base_bytes,
                            cop_error *err)
{
    const int count = cop_world_local_size(rank->world);
    const bool asked = is_asked(rank);
    cop_affinity_rank *const ranks = cop_memory_alloc((size_t)count, sizeof *ranks, err);
    if (ranks == NULL) return COP_ERR_MEMORY;
    for (int i = 0; i < count; i++)
        ranks[i] = all[i].cores;
    const cop_status status = cop_affinity_bind(ranks, count, cop_world_local_rank(rank->world),
                                                asked, &rank->plan, err);
    cop_memory_free(ranks);
    if (status != COP_OK) return cop_error_prefix(err, "host %s", cop_world_host(rank->world));
    if (!rank->plan.fits && cop_world_local_rank(rank->world) == 0) {
        cop_log_write(
            rank->log, COP_LOG_WARN,
            "host %s: oversubscribed, as was asked for: %d computing threads, %d of %d "
            "cores may be used",
            cop_world_host(rank->world), rank->plan.busy, rank->plan.cores_allowed,
            rank->plan.cores_node);
    }
    return divide_memory(rank, all, base_bytes, err);
}

/* Which GPU this rank is going to compute on, if it is one. */
static void find_gpu(cop_rank *rank, cop_affinity_rank *mine)
{
    const cop_backend_options options = {.kind = rank->kind,
                                         .local_rank = rank->computing_rank};
    cop_backend_locate(&options, mine->gpu, sizeof mine->gpu);
    rank->has_gpu = mine->gpu[0] != '\0';
}

/* Each rank may see GPUs of its own, so that only their places tell who shares one. */
static int count_sharers(const cop_rank *rank, const neighbour *mine, const neighbour *all)
{
    int count = 0;
    for (int i = 0; i < cop_world_local_size(rank->world); i++) {
        if (rank->has_gpu && strcmp(all[i].cores.gpu, mine->cores.gpu) == 0) count++;
    }
    return count;
}

/* One rank of a node speaks for all: what the launcher did to one it did to the others. */
static void warn_if_widened(const cop_rank *rank)
{
    cop_affinity_widened found;
    if (rank->computing_rank != 0 || !cop_affinity_is_widened(&found)) return;
    cop_log_write(rank->log, COP_LOG_WARN,
                  "host %s: %s was left processors %s (by taskset or the like), but gave its "
                  "rank %s: its own binding does not respect that; start it with --bind-to "
                  "none",
                  cop_world_host(rank->world), found.launcher, found.allowed, found.mine);
}

cop_status cop_placement_plan(cop_rank *rank, size_t base_bytes, cop_error *err)
{
    const bool idle = cop_world_rank(rank->world) == 0 && cop_world_size(rank->world) > 1;
    neighbour mine;
    memset(&mine, 0, sizeof mine); /* all of it is sent, padding included */
    cop_affinity_look(idle ? 0 : (int)rank->job->backend.threads, &mine.cores);
    if (!idle) find_gpu(rank, &mine.cores);
    if (!idle) warn_if_widened(rank);
    mine.free_bytes = cop_memory_available_bytes();
    neighbour *const all =
        cop_memory_alloc((size_t)cop_world_local_size(rank->world), sizeof *all, err);
    /* Without memory for this a rank would miss the exchange. */
    if (all == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_world_gather_node(rank->world, &mine, sizeof mine, all, err);
    if (status == COP_OK) status = plan_with(rank, all, base_bytes, err);
    if (status == COP_OK) rank->gpu_sharers = count_sharers(rank, &mine, all);
    cop_memory_free(all);
    return status;
}

/* --- once they are --- */

/* What every rank tells rank 0; its host is that of `arithmetic`. */
typedef struct rank_facts {
    char backend[256];
    char cores[200];
    cop_rank_arithmetic arithmetic;
    int node; /* lowest rank of its node */
    int computing, busy, cores_allowed, cores_node;
    int candidates;       /* side by side */
    int answers, of_unit; /* of each at a time, and examples of a unit */
    uint64_t planned_bytes, memory_bytes, base_bytes;
    uint64_t gpu_bytes; /* of a GPU's memory that it may plan with, 0: on processor cores */
} rank_facts;

static void collect(const cop_rank *rank, rank_facts *mine)
{
    memset(mine, 0, sizeof *mine);
    if (rank->evaluator != NULL) {
        const cop_backend *const backend = cop_evaluator_backend(rank->evaluator);
        backend->ops->describe(backend, mine->backend, sizeof mine->backend);
        backend->ops->describe_arithmetic(backend, mine->arithmetic.text,
                                          sizeof mine->arithmetic.text);
        mine->arithmetic.best = (int)backend->best_isa;
        mine->candidates = (int)cop_evaluator_lanes(rank->evaluator);
        mine->answers = (int)cop_model_batch(cop_evaluator_model(rank->evaluator));
        mine->of_unit = (int)rank->job->backend.batch;
        uint64_t room_bytes = 0;
        mine->planned_bytes =
            cop_model_planned_bytes(cop_evaluator_model(rank->evaluator), &room_bytes);
        mine->gpu_bytes = rank->has_gpu ? room_bytes : 0;
        mine->base_bytes = cop_checkpoint_bytes(cop_evaluator_checkpoint(rank->evaluator));
    }
    (void)snprintf(mine->cores, sizeof mine->cores, "%s", rank->plan.text);
    (void)snprintf(mine->arithmetic.host, sizeof mine->arithmetic.host, "%s",
                   cop_world_host(rank->world));
    mine->node = cop_world_node_first(rank->world);
    mine->computing = rank->computing_ranks;
    mine->busy = rank->plan.busy;
    mine->cores_allowed = rank->plan.cores_allowed;
    mine->cores_node = rank->plan.cores_node;
    mine->memory_bytes = rank->memory_bytes;
}

static void print_bytes(char *text, size_t size, uint64_t bytes)
{
    static const double mib = 1024.0 * 1024.0;
    if ((double)bytes >= gib) {
        (void)snprintf(text, size, "%.2f GiB", (double)bytes / gib);
    } else {
        (void)snprintf(text, size, "%.0f MiB", (double)bytes / mib);
    }
}

/* How much is generated at a time, where that is not one candidate's whole unit. */
static void print_width(const rank_facts *r, char *text, size_t size)
{
    text[0] = '\0';
    if (r->candidates > 1) {
        (void)snprintf(text, size, "; %d candidates side by side", r->candidates);
    } else if (r->answers < r->of_unit) {
        (void)snprintf(text, size, "; %d of %d answers at a time", r->answers, r->of_unit);
    }
}

/* Where candidates and base lie, and how much room there is. */
static void print_memory(const rank_facts *r, char *text, size_t size)
{
    char need[24];
    char base[24];
    char have[24] = "unknown";
    print_bytes(need, sizeof need, r->planned_bytes);
    if (r->gpu_bytes > 0) {
        print_bytes(have, sizeof have, r->gpu_bytes);
        (void)snprintf(text, size, "GPU memory %d x %s, each of %s", r->computing, need, have);
        return;
    }
    print_bytes(base, sizeof base, r->base_bytes);
    if (r->memory_bytes > 0)
        print_bytes(have, sizeof have,
                    r->memory_bytes * (uint64_t)r->computing + r->base_bytes);
    (void)snprintf(text, size, "memory %d x %s and the base once, %s, of %s", r->computing,
                   need, base, have);
}

/* The plan of one node; `r` is its last rank, which computes wherever one does. */
static void print_node(cop_lead *lead, const rank_facts *r)
{
    if (r->computing == 0) {
        cop_progress_print(&lead->progress, "%s: rank 0 coordinates", r->arithmetic.host);
        return;
    }
    char memory[160];
    char width[64];
    print_memory(r, memory, sizeof memory);
    print_width(r, width, sizeof width);
    cop_progress_print(
        &lead->progress, "%s: %d computing thread%s on %d of %d cores%s%s; %s",
        r->arithmetic.host, r->busy, r->busy == 1 ? "" : "s", r->cores_allowed, r->cores_node,
        strncmp(r->cores, "bound", 5) == 0 ? ", each its own" : ", not bound", width, memory);
}

static void print_nodes(cop_lead *lead, const rank_facts *all, size_t ranks)
{
    enum { SHOWN = 8 };
    int shown = 0;
    const int nodes = cop_world_node_count(lead->rank->world);
    for (size_t r = 0; r < ranks && shown < SHOWN; r++) {
        if (all[r].node != (int)r) continue;
        size_t last = r;
        for (size_t other = r; other < ranks; other++) {
            if (all[other].node == (int)r) last = other;
        }
        print_node(lead, &all[last]);
        shown++;
    }
    if (nodes > shown)
        cop_progress_print(&lead->progress, "and %d more nodes: see the log", nodes - shown);
}

/* Each kind of backend once, in order of the ranks. */
static cop_status list_backends(const rank_facts *all, size_t ranks, cop_text *list,
                                cop_error *err)
{
    for (size_t r = 0; r < ranks; r++) {
        bool known = all[r].backend[0] == '\0';
        for (size_t other = 0; other < r && !known; other++)
            known = strcmp(all[other].backend, all[r].backend) == 0;
        if (known) continue;
        COP_TRY(
            cop_text_format(list, err, "%s%s", list->length > 0 ? "; " : "", all[r].backend));
    }
    return COP_OK;
}

static cop_status record(cop_lead *lead, const rank_facts *all, size_t ranks, cop_error *err)
{
    enum { LINE = 700 };
    const char **const lines = cop_memory_alloc(ranks, sizeof *lines, err);
    char *const text = cop_memory_alloc(ranks, LINE, err);
    cop_text backends = {0};
    cop_status status = lines == NULL || text == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t r = 0; r < ranks && status == COP_OK; r++) {
        lines[r] = text + r * LINE;
        char width[64];
        print_width(&all[r], width, sizeof width);
        (void)snprintf(text + r * LINE, LINE, "%s on %s; %s%s; planned memory %.2f GiB",
                       all[r].backend[0] != '\0' ? all[r].backend : "coordinates",
                       all[r].arithmetic.host, all[r].cores, width,
                       (double)all[r].planned_bytes / gib);
        cop_log_write(lead->rank->log, COP_LOG_INFO, "rank %zu: %s", r, lines[r]);
    }
    if (status == COP_OK) {
        const cop_store_array array = {
            .type = COP_STORE_TEXT, .rank = 1, .shape = {ranks}, .data = lines};
        status = cop_store_set(lead->dir.store, "/job/rank_backends", &array, NULL,
                               "what each rank computes with, last start", err);
    }
    if (status == COP_OK) status = list_backends(all, ranks, &backends, err);
    if (status == COP_OK) {
        status = cop_starts_note(lead, backends.data != NULL ? backends.data : "", err);
    }
    cop_text_free(&backends);
    cop_memory_free(text);
    cop_memory_free(lines);
    return status;
}

static cop_status record_arithmetic(cop_lead *lead, const rank_facts *all, size_t ranks,
                                    cop_error *err)
{
    cop_rank_arithmetic *const list = cop_memory_alloc(ranks, sizeof *list, err);
    if (list == NULL) return COP_ERR_MEMORY;
    for (size_t r = 0; r < ranks; r++)
        list[r] = all[r].arithmetic;
    const cop_status status = cop_arithmetic_record(lead, list, ranks, err);
    cop_memory_free(list);
    return status;
}

cop_status cop_placement_record(cop_rank *rank, cop_lead *lead, cop_error *err)
{
    const size_t ranks = (size_t)cop_world_size(rank->world);
    const bool first = lead != NULL;
    rank_facts mine;
    collect(rank, &mine);
    rank_facts *const all = first ? cop_memory_alloc(ranks, sizeof *all, err) : NULL;
    if (first && all == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_world_gather(rank->world, &mine, sizeof mine, all, err);
    if (status == COP_OK && first) status = record_arithmetic(lead, all, ranks, err);
    if (status == COP_OK && first) {
        print_nodes(lead, all, ranks);
        status = record(lead, all, ranks, err);
    }
    cop_memory_free(all);
    return status;
}
