/* What a job computes with: one kind of device, one compute type, one arithmetic for all ranks,
 * decided once and on record, so that the same job gives the same bytes on any of them. Private
 * to run/. */
#ifndef COP_RUN_ARITHMETIC_H
#define COP_RUN_ARITHMETIC_H

#include "run/context.h"

/* What a rank could compute with, before anything is loaded. Sent as it is. */
typedef struct cop_means {
    bool computes; /* all do but rank 0 of several */
    bool gpu;
    bool cpu_bf16, gpu_bf16; /* multiplies bf16 by instructions for it */
    bool tiles;              /* has own kernels that nothing is faster than */
    char host[128];
} cop_means;

/* What all ranks take. Sent as it is. */
typedef struct cop_choice {
    cop_backend_kind kind;
    cop_compute compute;
    cop_arithmetic arithmetic;     /* of processor cores */
    char reason[COP_REASON_BYTES]; /* where some ranks could do better: for people; "": none */
} cop_choice;

/* What the run file says that the run computed with; "": it does not say. */
typedef struct cop_recorded {
    const char *kind, *compute;
    const char *arithmetic; /* cop_backend_ops::describe_arithmetic */
} cop_recorded;

/* The backend that the job's keys ask for: kind, compute, gemm and arithmetic. */
cop_backend_options cop_arithmetic_asked(const cop_job *job);

/* Decides from what all ranks [count] could do. `stored_bf16`: the base is, so that compute
 * auto takes bf16 where it can. A run that computed with what a rank has not got now is
 * refused, COP_ERR_MISMATCH. */
cop_status cop_arithmetic_decide(const cop_job *job, const cop_recorded *recorded,
                                 bool stored_bf16, const cop_means *all, size_t count,
                                 cop_choice *choice, cop_error *err);

/* Collective. Holds this rank to backend.isa, and sets rank->kind, rank->compute and
 * rank->arithmetic as rank 0 decided; `lead` is NULL on the others. */
cop_status cop_arithmetic_choose(cop_rank *rank, cop_lead *lead, cop_error *err);

/* What a rank computes with, once it is loaded. */
typedef struct cop_rank_arithmetic {
    char text[COP_ARITHMETIC_BYTES]; /* cop_backend_ops::describe_arithmetic; "": coordinates */
    char host[128];
    int best; /* cop_isa_hold that it could be held to; COP_HOLD_NONE: not known */
} cop_rank_arithmetic;

/* Refuses ranks [count] that compute differently, or otherwise than the run did, unless the job
 * allows it, and puts on record what they compute with. */
cop_status cop_arithmetic_record(cop_lead *lead, const cop_rank_arithmetic *ranks, size_t count,
                                 cop_error *err);

#endif
