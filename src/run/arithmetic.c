#include "run/arithmetic.h"

#include "coppice/base/memory.h"
#include "run/placement.h"

#include <stdio.h>
#include <string.h>

cop_backend_options cop_arithmetic_asked(const cop_job *job)
{
    cop_backend_options asked = {0};
    (void)cop_backend_kind_parse(job->backend.kind, &asked.kind); /* checked keys */
    (void)cop_compute_parse(job->backend.compute, &asked.compute);
    (void)cop_gemm_provider_parse(job->backend.gemm, &asked.gemm);
    (void)cop_arithmetic_parse(job->backend.arithmetic, &asked.arithmetic);
    if (asked.arithmetic == COP_ARITHMETIC_AUTO && asked.gemm != COP_GEMM_AUTO)
        asked.arithmetic =
            asked.gemm == COP_GEMM_OWN ? COP_ARITHMETIC_DEFINED : COP_ARITHMETIC_LIBRARY;
    return asked;
}

/* --- before anything is loaded: one kind, one compute type --- */

static bool has_bf16(const cop_means *rank, cop_backend_kind kind)
{
    return kind == COP_BACKEND_CUDA ? rank->gpu_bf16 : rank->cpu_bf16;
}

/* The first computing rank with or without something; `count` if there is none. */
static size_t find_gpu(const cop_means *all, size_t count, bool wanted)
{
    size_t r = 0;
    while (r < count && (!all[r].computes || all[r].gpu != wanted))
        r++;
    return r;
}

static size_t find_bf16(const cop_means *all, size_t count, cop_backend_kind kind, bool wanted)
{
    size_t r = 0;
    while (r < count && (!all[r].computes || has_bf16(&all[r], kind) != wanted))
        r++;
    return r;
}

static cop_status decide_kind(const char *recorded, const cop_means *all, size_t count,
                              cop_choice *choice, cop_error *err)
{
    const size_t with = find_gpu(all, count, true);
    const size_t without = find_gpu(all, count, false);
    choice->kind = without < count ? COP_BACKEND_CPU : COP_BACKEND_CUDA;
    if (recorded[0] != '\0') {
        (void)cop_backend_kind_parse(recorded, &choice->kind);
        COP_CHECK(choice->kind != COP_BACKEND_CUDA || without == count, err, COP_ERR_MISMATCH,
                  "this run computed on GPUs, and rank %zu on host %s has none; leave it out, "
                  "or go on by backend.mixed: true",
                  without, without < count ? all[without].host : "");
    }
    if (choice->kind == COP_BACKEND_CPU && with < count) {
        (void)snprintf(choice->reason, sizeof choice->reason,
                       "processor cores for all, though rank %zu on host %.64s has a GPU: %s",
                       with, all[with].host,
                       recorded[0] != '\0' ? "this run began on them"
                                           : "one kind computes a job");
        if (without < count && recorded[0] == '\0')
            (void)snprintf(choice->reason, sizeof choice->reason,
                           "processor cores for all: rank %zu on host %.64s has no GPU, rank "
                           "%zu on host %.64s has one (backend.mixed: true lets each take what "
                           "it has)",
                           without, all[without].host, with, all[with].host);
    }
    return COP_OK;
}

static cop_status decide_compute(const char *recorded, bool stored_bf16, const cop_means *all,
                                 size_t count, cop_choice *choice, cop_error *err)
{
    const size_t with = find_bf16(all, count, choice->kind, true);
    const size_t without = find_bf16(all, count, choice->kind, false);
    const bool was_bf16 = strcmp(recorded, "bf16") == 0;
    COP_CHECK(!was_bf16 || without == count, err, COP_ERR_MISMATCH,
              "this run computed in bf16, and rank %zu on host %s does not multiply bf16; "
              "leave it out, or go on by backend.mixed: true",
              without, without < count ? all[without].host : "");
    const bool was_f32 = strcmp(recorded, "f32") == 0;
    choice->compute = was_f32 || without < count ? COP_COMPUTE_F32 : COP_COMPUTE_AUTO;
    if (choice->compute == COP_COMPUTE_AUTO || !stored_bf16 || with == count) return COP_OK;
    const size_t used = strlen(choice->reason);
    const char *const join = used > 0 ? "; " : "";
    if (was_f32) {
        (void)snprintf(choice->reason + used, sizeof choice->reason - used,
                       "%sf32 for all: this run began in it", join);
    } else {
        (void)snprintf(choice->reason + used, sizeof choice->reason - used,
                       "%sf32 for all: rank %zu on host %.64s does not multiply bf16", join,
                       without, all[without].host);
    }
    return COP_OK;
}

static bool is_defined(const char *recorded)
{
    static const char word[] = "defined";
    return strncmp(recorded, word, sizeof word - 1) == 0;
}

/* A run goes on in the arithmetic that it began with. */
static cop_status check_recorded(const char *recorded, cop_arithmetic wanted, cop_error *err)
{
    if (recorded[0] == '\0' || wanted == COP_ARITHMETIC_AUTO) return COP_OK;
    COP_CHECK(is_defined(recorded) == (wanted == COP_ARITHMETIC_DEFINED), err, COP_ERR_MISMATCH,
              "this run was computed with '%s', which backend.arithmetic (or backend.gemm) now "
              "rules out; set it as it was, or go on by backend.mixed: true",
              recorded);
    return COP_OK;
}

/* What the run was computed with, or else the defined one where it is the fastest for all. */
static cop_arithmetic decide_arithmetic(const char *recorded, bool stored_bf16,
                                        const cop_means *all, size_t count,
                                        const cop_choice *choice)
{
    if (is_defined(recorded)) return COP_ARITHMETIC_DEFINED;
    if (recorded[0] != '\0' || !stored_bf16 || choice->kind != COP_BACKEND_CPU ||
        choice->compute == COP_COMPUTE_F32)
        return COP_ARITHMETIC_LIBRARY;
    for (size_t r = 0; r < count; r++) {
        if (all[r].computes && !all[r].tiles) return COP_ARITHMETIC_LIBRARY;
    }
    return COP_ARITHMETIC_DEFINED;
}

cop_status cop_arithmetic_decide(const cop_job *job, const cop_recorded *recorded,
                                 bool stored_bf16, const cop_means *all, size_t count,
                                 cop_choice *choice, cop_error *err)
{
    const cop_backend_options asked = cop_arithmetic_asked(job);
    memset(choice, 0, sizeof *choice); /* all of it is sent */
    choice->kind = asked.kind;
    choice->compute = asked.compute;
    choice->arithmetic = asked.arithmetic;
    /* What only processor cores have, they get. */
    if (choice->kind == COP_BACKEND_AUTO && choice->arithmetic == COP_ARITHMETIC_DEFINED)
        choice->kind = COP_BACKEND_CPU;
    if (job->backend.mixed) return COP_OK;
    COP_TRY(check_recorded(recorded->arithmetic, choice->arithmetic, err));
    if (choice->kind == COP_BACKEND_AUTO)
        COP_TRY(decide_kind(recorded->kind, all, count, choice, err));
    if (choice->arithmetic == COP_ARITHMETIC_AUTO)
        choice->arithmetic =
            decide_arithmetic(recorded->arithmetic, stored_bf16, all, count, choice);
    if (choice->arithmetic == COP_ARITHMETIC_DEFINED) return COP_OK;
    if (choice->compute == COP_COMPUTE_AUTO)
        COP_TRY(decide_compute(recorded->compute, stored_bf16, all, count, choice, err));
    return COP_OK;
}

/* The dtype of the largest tensor stands for the base's, as it does for compute auto. */
static bool is_stored_bf16(const cop_checkpoint *base)
{
    const cop_tensor_info *largest = NULL;
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(base, i);
        if (info->dtype == COP_DTYPE_OTHER) continue;
        if (largest == NULL || info->count > largest->count) largest = info;
    }
    return largest != NULL && largest->dtype == COP_BF16;
}

static void survey(const cop_rank *rank, cop_means *mine)
{
    char id[32];
    cop_backend_options options = cop_arithmetic_asked(rank->job);
    options.local_rank = rank->computing_rank;
    memset(mine, 0, sizeof *mine);
    mine->computes = cop_world_rank(rank->world) != 0 || cop_world_size(rank->world) == 1;
    (void)snprintf(mine->host, sizeof mine->host, "%s", cop_world_host(rank->world));
    if (!mine->computes) return;
    cop_backend_locate(&options, id, sizeof id);
    mine->gpu = id[0] != '\0';
    options.kind = COP_BACKEND_CPU;
    options.arithmetic = COP_ARITHMETIC_LIBRARY;
    mine->tiles = cop_isa_hold_kernels(rank->isa) >= COP_ISA_AMX;
    mine->cpu_bf16 = cop_backend_has_bf16(&options);
    options.kind = COP_BACKEND_CUDA;
    mine->gpu_bf16 = mine->gpu && cop_backend_has_bf16(&options);
}

/* --- what is on record --- */

enum { MOST_TEXTS = COP_NO_ARITHMETIC };

/* The texts on record, each once; a unit's is told by its index. */
typedef struct text_list {
    const char *texts[MOST_TEXTS];
    size_t count;
} text_list;

/* Its index; COP_NO_ARITHMETIC where the list is full. */
static uint8_t add_text(text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->texts[i], text) == 0) return (uint8_t)i;
    }
    if (list->count == MOST_TEXTS) return COP_NO_ARITHMETIC;
    list->texts[list->count] = text;
    return (uint8_t)list->count++;
}

static void read_texts(const cop_store *store, text_list *list)
{
    const cop_store_array *const known = cop_store_get(store, "/job/arithmetic");
    if (known == NULL || known->type != COP_STORE_TEXT || known->rank != 1) return;
    for (uint64_t i = 0; i < known->shape[0]; i++)
        (void)add_text(list, ((const char *const *)known->data)[i]);
}

static const char *recorded_text(const cop_lead *lead, const char *path)
{
    const char *const text =
        lead->dir.store == NULL ? NULL : cop_store_get_text(lead->dir.store, path);
    return text == NULL ? "" : text;
}

/* What the run was first computed with. */
static const char *recorded_arithmetic(const cop_lead *lead)
{
    text_list list = {0};
    if (lead->dir.store != NULL) read_texts(lead->dir.store, &list);
    return list.count == 0 ? "" : list.texts[0];
}

static cop_status decide(const cop_lead *lead, const cop_means *all, cop_choice *choice,
                         cop_error *err)
{
    const cop_recorded recorded = {.kind = recorded_text(lead, "/job/kind"),
                                   .compute = recorded_text(lead, "/job/compute"),
                                   .arithmetic = recorded_arithmetic(lead)};
    return cop_arithmetic_decide(lead->rank->job, &recorded, is_stored_bf16(lead->rank->base),
                                 all, (size_t)cop_world_size(lead->rank->world), choice, err);
}

static cop_status hold(cop_rank *rank, cop_error *err)
{
    (void)cop_isa_hold_parse(rank->job->backend.isa, &rank->isa); /* a checked key */
    const bool idle = cop_world_rank(rank->world) == 0 && cop_world_size(rank->world) > 1;
    if (rank->isa == COP_HOLD_NONE || idle || strcmp(rank->job->backend.kind, "cuda") == 0)
        return COP_OK;
    const cop_backend_options options = cop_arithmetic_asked(rank->job);
    if (cop_backend_hold_isa(rank->isa, &options, err) != COP_OK)
        return cop_error_prefix(err, "host %s", cop_world_host(rank->world));
    return COP_OK;
}

cop_status cop_arithmetic_choose(cop_rank *rank, cop_lead *lead, cop_error *err)
{
    const bool first = lead != NULL;
    const size_t ranks = (size_t)cop_world_size(rank->world);
    cop_means mine;
    cop_choice choice = {0};
    COP_TRY(cop_world_agree(rank->world, hold(rank, err), err));
    cop_rank_count_computing(rank);
    survey(rank, &mine);
    cop_means *const all = first ? cop_memory_alloc(ranks, sizeof *all, err) : NULL;
    /* Without memory for this a rank would miss the exchange. */
    if (first && all == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_world_gather(rank->world, &mine, sizeof mine, all, err);
    if (status == COP_OK && first) status = decide(lead, all, &choice, err);
    cop_memory_free(all);
    COP_TRY(cop_world_agree(rank->world, status, err));
    COP_TRY(cop_world_broadcast(rank->world, &choice, sizeof choice, err));
    rank->kind = choice.kind;
    rank->compute = choice.compute;
    rank->arithmetic = choice.arithmetic;
    (void)snprintf(rank->choice_reason, sizeof rank->choice_reason, "%s", choice.reason);
    return COP_OK;
}

/* --- once all is loaded: one arithmetic --- */

/* What all of them could be held to, or what else there is to do. */
static void advise(const cop_rank_arithmetic *ranks, size_t count, char *text, size_t size)
{
    int least = COP_HOLD_COUNT;
    for (size_t r = 0; r < count; r++) {
        if (ranks[r].text[0] != '\0' && ranks[r].best < least) least = ranks[r].best;
    }
    if (least > COP_HOLD_NONE && least < COP_HOLD_COUNT) {
        (void)snprintf(text, size,
                       "set backend.arithmetic: defined, which all processors have, or "
                       "backend.isa: %s, which all of these have",
                       cop_isa_hold_name((cop_isa_hold)least));
    } else {
        (void)snprintf(text, size, "use machines of one kind, with the same libraries");
    }
}

/* Two computing ranks that differ are named. */
static cop_status check_ranks(const cop_lead *lead, const cop_rank_arithmetic *ranks,
                              size_t count, cop_error *err)
{
    size_t first = 0;
    while (first < count && ranks[first].text[0] == '\0')
        first++;
    for (size_t r = first; r < count; r++) {
        if (ranks[r].text[0] == '\0' || strcmp(ranks[r].text, ranks[first].text) == 0) continue;
        char advice[160];
        advise(ranks, count, advice, sizeof advice);
        if (!lead->rank->job->backend.mixed) {
            return cop_error_set(
                err, COP_ERR_CONFIG,
                "rank %zu on host %.64s computes with '%s', rank %zu on host %.64s with '%s': "
                "one population would be scored in two arithmetics. Leave one of them out, %s, "
                "or allow it by backend.mixed: true",
                first, ranks[first].host, ranks[first].text, r, ranks[r].host, ranks[r].text,
                advice);
        }
        cop_log_write(
            lead->rank->log, COP_LOG_WARN,
            "rank %zu on host %s computes with '%s', rank %zu on host %s with '%s', "
            "as backend.mixed allows: who scores what decides the last bits, and with "
            "them maybe the result; the run file says with what each unit was scored",
            first, ranks[first].host, ranks[first].text, r, ranks[r].host, ranks[r].text);
        return COP_OK;
    }
    return COP_OK;
}

/* What the run computed with before against what it does now. */
static cop_status check_before(const cop_lead *lead, const text_list *before, const char *now,
                               cop_error *err)
{
    for (size_t i = 0; i < before->count; i++) {
        if (strcmp(before->texts[i], now) == 0) continue;
        if (!lead->rank->job->backend.mixed) {
            return cop_error_set(
                err, COP_ERR_MISMATCH,
                "%s was computed with '%s', now it would be with '%s': its scores would be of "
                "two arithmetics. Go on with machines and libraries like the first ones "
                "(backend.isa holds processors to a set), or allow it by backend.mixed: true",
                lead->dir.run_path, before->texts[i], now);
        }
        cop_log_write(lead->rank->log, COP_LOG_WARN,
                      "scores of this run were computed with '%s', from here on with '%s', as "
                      "backend.mixed allows: the result may be another than that of an "
                      "undisturbed run",
                      before->texts[i], now);
        return COP_OK;
    }
    return COP_OK;
}

static cop_status keep(cop_lead *lead, const text_list *list, const cop_rank_arithmetic *ranks,
                       size_t count, cop_error *err)
{
    text_list all = *list;
    lead->arithmetic_of = cop_memory_alloc(count, sizeof *lead->arithmetic_of, err);
    if (lead->arithmetic_of == NULL) return COP_ERR_MEMORY;
    for (size_t r = 0; r < count; r++)
        lead->arithmetic_of[r] =
            ranks[r].text[0] == '\0' ? COP_NO_ARITHMETIC : add_text(&all, ranks[r].text);
    const cop_store_array array = {
        .type = COP_STORE_TEXT, .rank = 1, .shape = {all.count}, .data = all.texts};
    return cop_store_set(lead->dir.store, "/job/arithmetic", &array, NULL,
                         "library, compute type and instruction sets that units were scored "
                         "with, each once",
                         err);
}

/* Whatever has no GPU in a job that is not mixed has none at all: the first speaks for all. */
static cop_status keep_choice(cop_lead *lead, const char *text, cop_error *err)
{
    const bool gpu = strncmp(text, "cuBLASLt", 8) == 0;
    const bool bf16 = strstr(text, " bf16,") != NULL;
    if (lead->rank->job->backend.mixed) return COP_OK;
    COP_TRY(cop_store_set_text(lead->dir.store, "/job/kind", gpu ? "cuda" : "cpu",
                               "of backend that all ranks compute on", err));
    return cop_store_set_text(lead->dir.store, "/job/compute", bf16 ? "bf16" : "f32",
                              "type of the matrix products' operands on all ranks", err);
}

cop_status cop_arithmetic_record(cop_lead *lead, const cop_rank_arithmetic *ranks, size_t count,
                                 cop_error *err)
{
    text_list list = {0};
    read_texts(lead->dir.store, &list);
    if (lead->rank->choice_reason[0] != '\0')
        cop_log_write(lead->rank->log, COP_LOG_WARN, "%s", lead->rank->choice_reason);
    COP_TRY(check_ranks(lead, ranks, count, err));
    for (size_t r = 0; r < count; r++) {
        if (ranks[r].text[0] == '\0') continue;
        COP_TRY(check_before(lead, &list, ranks[r].text, err));
        COP_TRY(keep_choice(lead, ranks[r].text, err));
        break;
    }
    return keep(lead, &list, ranks, count, err);
}
