/* What the parts of a run share. Private to run/. */
#ifndef COP_RUN_CONTEXT_H
#define COP_RUN_CONTEXT_H

#include "coppice/base/affinity.h"
#include "coppice/base/log.h"
#include "coppice/data/dataset.h"
#include "coppice/evaluate/evaluate.h"
#include "coppice/recipe/identity.h"
#include "coppice/run/run.h"
#include "coppice/search/search.h"
#include "coppice/store/store.h"
#include "run/claim.h"
#include "run/keeper.h"
#include "run/progress.h"
#include "run/saver.h"

/* Of a unit that is not scored yet, or nobody knows with what. */
enum { COP_NO_ARITHMETIC = 255, COP_REASON_BYTES = 384 };

/* One gate decision for the record. */
typedef struct cop_gate_record {
    int64_t round;      /* 0: stage 1 against the base; k: recentring round k */
    int64_t attempt;    /* from 1 */
    const char *source; /* operator that found the direction */
    double q, beta, step;
    cop_gate_decision decision;
} cop_gate_record;

/* Lets a warning through at once and then ever less often. */
typedef struct cop_limiter {
    double next_s, gap_s;
} cop_limiter;

/* How far the run file is behind the work. */
typedef struct cop_save {
    double snapshot_s;  /* time of the content written or being written last */
    uint64_t number;    /* of that write */
    size_t units;       /* done in this start by then */
    double saved_s;     /* time of the content that is in the file; negative: of no start's */
    size_t saved_units; /* done in this start that are in the file */
    double write_s;     /* the last write took */
    double look_s;      /* when to see next whether the directory was moved */
    double retry_s;     /* no attempt before this time */
    size_t failures;    /* attempts in a row */
    double failing_s;   /* time of the first of them */
    cop_error error;    /* of the last attempt */
    cop_limiter warning, trouble;
} cop_save;

/* A run on one rank. What only rank 0 has is marked (0). */
typedef struct cop_run {
    cop_world *world;
    const cop_job *job;
    const cop_run_options *options;
    cop_log *log;
    const cop_task *task; /* own_task */
    cop_task own_task;    /* the task, with what the job says about it */
    cop_task_setup setup; /* of the task */
    cop_measure measure;  /* that probe and gate decide by; (0) known after the base phase */
    cop_dataset *dataset;
    cop_dataset *examples; /* few-shot, NULL for none */
    cop_splits splits;
    cop_evaluator *evaluator; /* NULL where rank 0 only coordinates */
    cop_affinity_plan plan;
    int computing_ranks;                  /* of this node */
    int computing_rank;                   /* this one's number among them, from 0 */
    bool has_gpu;                         /* this rank computes on one */
    cop_backend_kind kind;                /* as rank 0 decided for all, see arithmetic.h */
    cop_compute compute;                  /* likewise */
    cop_isa_hold isa;                     /* of processor cores */
    char choice_reason[COP_REASON_BYTES]; /* where that is not the best of each rank */
    uint64_t memory_bytes;                /* that this rank may plan with, 0: not known */

    cop_queue *queue;            /* (0) NULL before the first phase */
    struct cop_phase_work *work; /* of a lone rank */
    uint64_t coefficient_bytes;  /* (0) sent: seeds and amplitudes beyond a row's first */
    int missing;                 /* (0) ranks that did not answer at the end */

    uint8_t *arithmetic_of; /* (0) [ranks] index into /job/arithmetic; 255: none */

    char *directory;       /* (0) the run directory, where it is now */
    char *run_path;        /* (0) run.h5 in it */
    cop_claim *claim;      /* (0) on the run directory */
    cop_keeper *keeper;    /* (0) */
    cop_saver *saver;      /* (0) */
    cop_store *store;      /* (0) the run file in memory */
    bool resumed;          /* (0) the run file was there */
    cop_error damage;      /* (0) of a newer generation that cannot be read */
    bool unsaved;          /* (0) results that no write of the run file holds */
    cop_save save;         /* (0) */
    cop_progress progress; /* (0) */
    cop_checkpoint *base;  /* (0) the base's tensors */
    char base_sha256[COP_DIGEST_HEX_BYTES]; /* (0) */
    cop_identity base_files;                /* (0) of the base, besides its weights */
    bool untied_head;                       /* (0) as in cop_recipe */

    uint64_t *seeds;   /* (0) [seed_count] all seeds of the run: population, then each round */
    size_t seed_count; /* (0) length of every direction */
    double *centre; /* (0) [seed_count] amplitudes of the accepted model; all zero: the base */
    float *centre_validate; /* (0) [validate] scores of the centre, to pair with at the gate */
    double step;            /* (0) norm of the last accepted step */
    cop_gate_record *gate;  /* (0) [gate_count] */
    size_t gate_count, gate_capacity;
} cop_run;

/* An empty recipe with the job's scope and scaling. */
cop_status cop_run_create_recipe(const cop_job *job, cop_recipe **recipe, cop_error *err);

/* Claims the run directory, which is made if need be; from here on a thread shows that this job
 * lives. COP_ERR_BUSY: another one does. (0) */
cop_status cop_rundir_claim(cop_run *run, cop_error *err);

/* Reads the run file if there is one. (0) */
cop_status cop_rundir_read(cop_run *run, cop_error *err);

/* Checks that what was read belongs to this job, model and data, and starts the log. (0) */
cop_status cop_rundir_open(cop_run *run, cop_error *err);

/* Reads what the base's files say: which tensors the model uses, digests. (0) */
cop_status cop_base_files_read(cop_run *run, cop_error *err);

/* COP_ERR_MISMATCH where the run file was begun with other files of the base, naming them. (0)
 */
cop_status cop_base_files_check(const cop_run *run, cop_error *err);

/* Writes the digests into the run file's tree, and warns where it had none. (0) */
cop_status cop_base_files_note(cop_run *run, cop_error *err);

/* Notes this start in the run file: when, where, with what. A start that computes otherwise
 * than the one before is warned about. `backends`: what the ranks compute with, each kind once.
 * (0) */
cop_status cop_rundir_note_start(cop_run *run, const char *backends, cop_error *err);

/* Gives the directory back; `status` and `message` say how the job ended. */
void cop_rundir_close(cop_run *run, cop_status status, const char *message);

/* Looks where the run directory is, and goes on there if it was moved. (0) */
cop_status cop_rundir_follow(cop_run *run, cop_error *err);

/* What goes on beside the work: writes that ended, troubles to warn of. Called often. It fails
 * with COP_ERR_BUSY when another job took the directory. (0) */
cop_status cop_rundir_tick(cop_run *run, cop_error *err);

/* The same, and COP_INTERRUPTED when a signal asks the job to leave: then
 * cop_rundir_save_and_leave(). (0) */
cop_status cop_rundir_watch(cop_run *run, cop_error *err);

/* The last checkpoint of a job that was asked to leave, which does not wait for it long. (0) */
cop_status cop_rundir_save_and_leave(cop_run *run, cop_error *err);

/* True if it is time for a checkpoint. (0) */
bool cop_rundir_is_due(const cop_run *run);

/* Starts to write what the tree holds now to the run file, beside the work. A write that fails
 * is warned about, and due again after a while. (0) */
cop_status cop_rundir_save(cop_run *run, cop_error *err);

/* Writes what is not written yet and waits for it; tries again for `patience_s`. (0) */
cop_status cop_rundir_flush(cop_run *run, double patience_s, cop_error *err);

/* Calls `attempt` until it is something else than COP_ERR_IO, for at most checkpoint.patience
 * or until a signal comes: a full disk may pass. (0) */
cop_status cop_rundir_persist(cop_run *run,
                              cop_status (*attempt)(void *context, cop_error *err),
                              void *context, cop_error *err);

/* Collective. Tells all ranks what marks the base's tensors had when the job began. */
cop_status cop_run_share_marks(cop_run *run, cop_error *err);

/* Fails if the base's files have another size than when they were opened (COP_ERR_IO), or were
 * written to and have other tensors (COP_ERR_MISMATCH, which names them). A write that left the
 * tensors as they were is warned about. Cheap while nobody writes. (0) */
cop_status cop_run_check_base(const cop_run *run, cop_error *err);

/* The same, and reads all tensors. (0) */
cop_status cop_run_check_base_whole(const cop_run *run, cop_error *err);

/* The whole job, on rank 0. */
cop_status cop_driver_run(cop_run *run, cop_error *err);

/* Notes a gate decision: run file, log, screen. */
cop_status cop_driver_note_gate(cop_run *run, const cop_gate_record *record, cop_error *err);

#endif
