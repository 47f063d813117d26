/* Keys of a job file: what the result is compared with, what is said about the scores,
 * what computes, and how a run is kept. */
#include "job/job_keys_table.h"

static const cop_job_key keys[] = {
    {.name = "baselines.randopt",
     .type = COP_JOB_INTEGERS,
     .offset = FIELD(baselines.randopt),
     .initial = "[1, 10, 50]",
     .least = 1,
     .most = 10000,
     .may_be_empty = true,
     .unit = "members",
     .meaning =
         "Sizes of the ensembles (K) of the best candidates that vote on the test set; "
         "those above the population's size are left out. A run may be given more later."},
    {.name = "baselines.self_consistency",
     .type = COP_JOB_INTEGERS,
     .offset = FIELD(baselines.self_consistency),
     .initial = "[1, 10, 50]",
     .least = 1,
     .most = 10000,
     .may_be_empty = true,
     .unit = "samples",
     .meaning =
         "Numbers of answers (K) drawn from the base model on the test set that vote; []: "
         "none. The largest costs as much as an ensemble of that size. A run may be given "
         "more later."},
    {.name = "baselines.temperature",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(baselines.temperature),
     .initial = "0.7",
     .low = 0,
     .low_open = true,
     .high = 100,
     .meaning = "Temperature that the base's answers are drawn at."},
    {.name = "baselines.top_p",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(baselines.top_p),
     .initial = "1",
     .low = 0,
     .low_open = true,
     .high = 1,
     .meaning = "They are drawn from the likeliest tokens with this probability together; 1: "
                "from all."},

    {.name = "analysis.split_half",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(analysis.split_half),
     .initial = "true",
     .describes_run = true,
     .meaning = "After the population its scores are analysed by halves of the support set: is "
                "there structure in them, and of how many dimensions."},

    {.name = "backend.kind",
     .type = COP_JOB_STRING,
     .offset = FIELD(backend.kind),
     .initial = "auto",
     .choices = CHOICES("auto", "cpu", "cuda"),
     .meaning = "What computes; auto: GPUs where every rank that computes has one, "
                "otherwise the CPU, for all alike."},
    {.name = "backend.compute",
     .type = COP_JOB_STRING,
     .offset = FIELD(backend.compute),
     .initial = "auto",
     .choices = CHOICES("auto", "f32", "bf16"),
     .meaning = "Type of the matrix products' operands; auto: bf16 where the model is bf16 and "
                "the processor or GPU of every rank multiplies it, otherwise f32, for all "
                "alike."},
    {.name = "backend.gemm",
     .type = COP_JOB_STRING,
     .offset = FIELD(backend.gemm),
     .initial = "auto",
     .choices = CHOICES("auto", "own", "onednn", "openblas"),
     .meaning =
         "Who multiplies matrices on the CPU: the program's own kernels, in bf16 and the "
         "defined "
         "arithmetic, or a library. auto: own where backend.arithmetic is defined, otherwise "
         "oneDNN where the program was built with it, otherwise OpenBLAS, which has no bf16."},
    {.name = "backend.arithmetic",
     .type = COP_JOB_STRING,
     .offset = FIELD(backend.arithmetic),
     .initial = "auto",
     .choices = CHOICES("auto", "defined", "library"),
     .describes_run = true,
     .meaning =
         "Order in which the CPU adds. defined: in bf16 as the tile instruction does, the same "
         "bits on every x86-64 processor with FMA, for any batch and number of threads, so "
         "that "
         "nodes of any kind may join or resume a run. library: as oneDNN or OpenBLAS do on "
         "this "
         "processor. auto: defined where every rank has tiles (AMX) and the model is bf16, "
         "which "
         "is where nothing is faster; otherwise library."},
    {.name = "backend.isa",
     .type = COP_JOB_STRING,
     .offset = FIELD(backend.isa),
     .initial = "auto",
     .choices = CHOICES("auto", "scalar", "avx2", "avx512", "avx512_bf16", "amx"),
     .describes_run = true,
     .meaning = "Instruction set that kernels and oneDNN's products are held to on every rank "
                "that computes on processor cores, so that different processors compute alike; "
                "a rank without it is refused. auto: the best of each processor. OpenBLAS "
                "chooses while it is loaded: there the key only checks OPENBLAS_CORETYPE."},
    {.name = "backend.mixed",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(backend.mixed),
     .initial = "false",
     .describes_run = true,
     .meaning = "Ranks and starts may differ in kind, compute type, library and instruction "
                "set. Scores depend on who computes them then, in the last bits of their "
                "logits; the run file says with what each unit was scored."},
    {.name = "backend.threads",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(backend.threads),
     .initial = "1",
     .least = 1,
     .most = 1024,
     .unit = "threads",
     .describes_run = true,
     .meaning = "Threads of one rank. A resume may change it: the run file notes it, and a "
                "warning says that the last bits of sums may differ from there on."},
    {.name = "backend.batch",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(backend.batch),
     .initial = "128",
     .least = 1,
     .most = 65536,
     .unit = "examples",
     .meaning = "Most examples that are generated for at a time; units of work are cut by it. "
                "A GPU without the memory for so many takes a unit in parts, with the same "
                "results."},
    {.name = "backend.candidates",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(backend.candidates),
     .initial = "auto",
     .word = "auto",
     .least = 1,
     .most = 256,
     .unit = "candidates",
     .describes_run = true,
     .meaning =
         "Candidates that a rank with a GPU generates for side by side, on the same "
         "examples, each with weights and cache of its own; auto: as many as fit in its "
         "memory, at most 16. A rank without one takes one at a time. No result depends on "
         "it."},

    {.name = "schedule.deadline_factor",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(schedule.deadline_factor),
     .initial = "20",
     .low = 1,
     .high = 1e9,
     .unit = "times",
     .describes_run = true,
     .meaning =
         "A rank that takes so many times as long as the slowest unit yet is asked whether it "
         "lives; if not, its units go to other ranks."},
    {.name = "schedule.deadline_least",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(schedule.deadline_least),
     .initial = "60",
     .low = 0,
     .high = 1e9,
     .unit = "s",
     .describes_run = true,
     .meaning = "No rank is asked before this, and each has as long to answer."},

    {.name = "checkpoint.interval",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(checkpoint.interval),
     .initial = "30",
     .low = 0,
     .high = 1e9,
     .unit = "s",
     .describes_run = true,
     .meaning = "Time between two writes of the run file; 0: after every result."},
    {.name = "checkpoint.patience",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(checkpoint.patience),
     .initial = "600",
     .low = 0,
     .high = 1e9,
     .unit = "s",
     .describes_run = true,
     .meaning =
         "How long a job that is done waits for a run directory that cannot be written."},
    {.name = "checkpoint.heartbeat",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(checkpoint.heartbeat),
     .initial = "5",
     .low = 0.05,
     .high = 60,
     .unit = "s",
     .describes_run = true,
     .meaning = "Time between two signs of life in the run directory; a job on another machine "
                "that gives none for twelve times as long is taken for dead."},
    {.name = "checkpoint.accept_files",
     .type = COP_JOB_STRINGS,
     .offset = FIELD(checkpoint.accept_files),
     .initial = "[]",
     .may_be_empty = true,
     .describes_run = true,
     .meaning =
         "Files of the model that may say something else than when the run was begun, of "
         "config.json, generation_config.json, tokenizer.json, tokenizer_config.json, "
         "added_tokens.json, special_tokens_map.json and chat_template: scores before "
         "and after are then of different prompts or answers."},
};

const cop_job_key_table cop_job_keys_run = KEY_TABLE(keys);
