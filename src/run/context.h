/* A run on one rank: what every rank has, and what only rank 0 has. Private to run/. */
#ifndef COP_RUN_CONTEXT_H
#define COP_RUN_CONTEXT_H

#include "coppice/base/affinity.h"
#include "coppice/base/log.h"
#include "coppice/data/dataset.h"
#include "coppice/evaluate/evaluate.h"
#include "coppice/method/method.h"
#include "coppice/phase/phase.h"
#include "coppice/queue/queue.h"
#include "coppice/recipe/recipe.h"
#include "coppice/run/run.h"
#include "coppice/rundir/rundir.h"

enum { COP_REASON_BYTES = 384 };

/* A guard's examples. */
typedef struct cop_rank_guard {
    const cop_task *task; /* NULL: text */
    cop_dataset *dataset;
} cop_rank_guard;

/* On every rank. */
typedef struct cop_rank {
    cop_world *world;
    const cop_job *job;
    const cop_run_options *options;
    cop_log *log;
    const cop_task *task; /* own_task */
    cop_task own_task;    /* the task, with what the job says about it */
    cop_task_setup setup; /* of the task */
    cop_dataset *dataset;
    cop_dataset *examples;           /* few-shot, NULL for none */
    cop_rank_guard *guards;          /* [guard_count] */
    cop_evaluator_guard *guard_sets; /* [guard_count] the same for the evaluator */
    size_t guard_count;              /* that are loaded: the job's, or none */
    cop_splits splits;
    cop_checkpoint *base;     /* the base's tensors; NULL once a worker has loaded them */
    cop_evaluator *evaluator; /* NULL where rank 0 only coordinates */
    cop_affinity_plan plan;
    int computing_ranks;                  /* of this node */
    int computing_rank;                   /* this one's number among them, from 0 */
    bool has_gpu;                         /* this rank computes on one */
    int gpu_sharers;                      /* ranks of this node that compute on that one */
    cop_backend_kind kind;                /* as rank 0 decided for all, see arithmetic.h */
    cop_compute compute;                  /* likewise */
    cop_arithmetic arithmetic;            /* likewise */
    cop_isa_hold isa;                     /* of processor cores */
    char choice_reason[COP_REASON_BYTES]; /* where that is not the best of each rank */
    uint64_t memory_bytes;                /* that this rank may plan with, 0: not known */
} cop_rank;

/* On rank 0 alone: a worker has none of this. */
typedef struct cop_lead {
    cop_rank *rank;
    cop_progress progress;
    cop_rundir dir;
    cop_phases phases;
    cop_search search;
    cop_queue *queue;           /* NULL before the first phase */
    struct cop_units *units;    /* of a lone rank */
    uint64_t coefficient_bytes; /* sent once: seeds and amplitudes beyond a row's first */
    int missing;                /* ranks that did not answer at the end */
    uint8_t *arithmetic_of; /* [ranks] index into /job/arithmetic; COP_NO_ARITHMETIC: none */
    char base_sha256[COP_DIGEST_HEX_BYTES];
    cop_identity base_files; /* of the base, besides its weights */
    bool untied_head;        /* as in cop_recipe */
} cop_lead;

/* --- the base's files --- */

/* Reads what the base's files say: which tensors the model uses, digests. */
cop_status cop_base_files_read(cop_lead *lead, cop_error *err);

/* COP_ERR_MISMATCH where the run file was begun with other files of the base, naming them. */
cop_status cop_base_files_check(const cop_lead *lead, cop_error *err);

/* Writes the digests into the run file's tree, and warns where it had none. */
cop_status cop_base_files_note(cop_lead *lead, cop_error *err);

/* Collective. Tells all ranks what marks the base's tensors had when the job began. */
cop_status cop_base_share_marks(cop_rank *rank, cop_error *err);

/* Fails if the base's files have another size than when they were opened (COP_ERR_IO), or were
 * written to and have other tensors (COP_ERR_MISMATCH, which names them). A write that left the
 * tensors as they were is warned about. Cheap while nobody writes. */
cop_status cop_base_check(const cop_lead *lead, cop_error *err);

/* The same, and reads all tensors. */
cop_status cop_base_check_whole(const cop_lead *lead, cop_error *err);

/* --- the run file --- */

/* Refuses a run file of another job, naming the key. */
cop_status cop_run_identity_check(const cop_lead *lead, cop_error *err);

/* Writes this job's identity and surroundings into the tree. */
cop_status cop_run_identity_note(cop_lead *lead, cop_error *err);

/* Notes this start in the run file: when, where, with what. A start that computes otherwise
 * than the one before is warned about. `backends`: what the ranks compute with, each kind once.
 */
cop_status cop_starts_note(cop_lead *lead, const char *backends, cop_error *err);

/* Puts what messages and the coordinator have cost into the tree. */
cop_status cop_traffic_note(cop_lead *lead, cop_error *err);

/* --- the work --- */

/* How many ranks of this node compute, and which of them this one is: rank->computing_ranks and
 * rank->computing_rank. */
void cop_rank_count_computing(cop_rank *rank);

/* Fails if no tensor is in the job's scope, or its noise of low rank is of a higher rank than a
 * matrix there has room for. *idle_pattern: the first pattern of the scope that no tensor
 * matches, or NULL; borrowed from the job. */
cop_status cop_rank_check_noise(const cop_job *job, cop_checkpoint *base,
                                const char **idle_pattern, cop_error *err);

/* An empty recipe with the job's noise, scope and scaling on the base, which is settled. */
cop_status cop_rank_create_recipe(const cop_job *job, const cop_checkpoint *base,
                                  cop_recipe **recipe, cop_error *err);

/* Notes which share of each tensor's weights one candidate of each sigma moves in the base's
 * type. COP_ERR_CONFIG: population.scope matches no tensor. */
cop_status cop_lead_note_moved(cop_lead *lead, cop_error *err);

/* Sets lead->phases up: units go to the ranks, checkpoints into the run directory. */
void cop_lead_set_phases(cop_lead *lead);

/* Lets the other ranks leave their units. Those that do not answer are counted in
 * lead->missing: MPI can then only be aborted. */
cop_status cop_lead_dismiss(cop_lead *lead, cop_error *err);

/* The job from the base's scores to the final table. */
cop_status cop_driver_run(cop_lead *lead, cop_error *err);

#endif
