/** \file job.h
 * The job file: YAML with known keys only, each with type, default, range, unit and meaning in
 * tables (src/job/job_keys*.c) by which it is parsed, checked and documented.
 */
#ifndef COPPICE_JOB_JOB_H
#define COPPICE_JOB_JOB_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/data/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A list of numbers or strings in a job. */
typedef struct cop_job_numbers {
    double *data; /**< [count] */
    size_t count;
} cop_job_numbers;
typedef struct cop_job_integers {
    int64_t *data; /**< [count] */
    size_t count;
} cop_job_integers;
typedef struct cop_job_strings {
    char **data; /**< [count] */
    size_t count;
} cop_job_strings;

/** What the result must not harm: examples of another task, or text (`task` "text"). */
typedef struct cop_job_guard {
    char *task, *data;
    int64_t examples; /**< of the data, drawn by splits.seed */
    double loss;      /**< of their mean that is allowed */
} cop_job_guard;
typedef struct cop_job_guards {
    cop_job_guard *data; /**< [count] */
    size_t count;
} cop_job_guards;

/** A job. Paths are absolute: relative ones start from the job file's directory, those of an
 *  override from the current one. All owned. */
typedef struct cop_job {
    char *model;
    char *method; /**< corp, rounds, es, randopt: what becomes of the population */
    struct {
        char *name, *data;
        cop_fields fields;               /**< what the data calls the task's fields */
        char *system, *user, *assistant; /**< prompt templates; NULL: the task's default */
        char *date;                      /**< YYYY-MM-DD, for chat templates that ask */
        char *chat;                      /**< family, "auto" */
        char *examples;                  /**< few-shot examples, JSON lines; NULL: none */
        int64_t shots;
        cop_job_strings command; /**< program and arguments; paths in it are absolute */
        double timeout;          /**< s for one response; 0: the task's default */
        double correct_at;       /**< NaN: the task's */
    } task;
    struct {
        int64_t support, probe, validate, test;
        int64_t seed;            /**< -1: file order */
        bool drop_uninformative; /**< support examples that tell no candidates apart */
        int64_t drop_after;      /**< candidates that decide which these are */
    } splits;
    struct {
        int64_t answers, tokens; /**< most of the search; 0: no limit */
    } budget;
    struct {
        int64_t size;
        cop_job_numbers sigma;
        int64_t seed;
        bool antithetic; /**< candidates in pairs of opposite sign */
        char *noise;     /**< cop_noise_kind_parse() */
        char *scaling;   /**< what sigma is a multiple of: cop_scaling_find() */
        int64_t race;    /**< stages of candidates on support; 0: all at once */
        cop_job_strings scope;
    } population;
    struct {
        int64_t max_new_tokens;
        cop_job_strings stop;
        bool stop_decided;           /**< answers end where their reward is settled */
        cop_job_strings stop_tokens; /**< [] : the model's */
        bool model_rules;            /**< those of generation_config.json hold */
        double repetition_penalty;   /**< 0: the model's */
        int64_t no_repeat_ngram_size, min_new_tokens; /**< 0: the model's; -1: none */
    } generation;
    struct {
        cop_job_strings operators; /**< names, see operators.h */
        cop_job_numbers q, beta, scale;
        double max_scale; /**< the grid of steps is doubled up to here while its end is best */
        int64_t rank;     /**< principal directions */
        int64_t race;     /**< stages of proposals on probe; 0: all at once */
        bool sums;        /**< a direction's noises are added up once for all of its steps */
    } consolidate;
    struct {
        int64_t rounds, accepts, patience, size;
        double lambda;
        double regression_weight; /**< L */
        cop_job_numbers step;     /**< factors on the current step */
        int64_t race;             /**< stages of proposals on support; 0: all at once */
    } recenter;
    struct {
        int64_t count, patience;
        double shrink;
    } rounds;
    struct {
        int64_t iterations;
        double rate;
        char *shaping;
    } es;
    struct {
        char *on; /**< auto, correct, reward: what probe and gate decide by */
        double z;
        int64_t tries;
        bool allow_flat; /**< go on although the base earns the same with every example */
    } gate;
    cop_job_guards guard;
    struct {
        cop_job_integers randopt;          /**< sizes K of ensembles of the best candidates */
        cop_job_integers self_consistency; /**< numbers K of answers of the base */
        double temperature, top_p;         /**< of those */
    } baselines;
    struct {
        bool split_half; /**< after the population */
    } analysis;
    struct {
        char *kind;       /**< auto, cpu, cuda */
        char *compute;    /**< auto, f32, bf16 */
        char *gemm;       /**< auto, own, onednn, openblas */
        char *arithmetic; /**< auto, defined, library */
        char *isa;        /**< auto, scalar, avx2, ...: a cop_isa_hold */
        bool mixed;       /**< ranks and starts may compute differently */
        int64_t threads, batch;
        int64_t candidates; /**< side by side; 0: auto */
    } backend;
    struct {
        double deadline_factor; /**< on the slowest unit seen */
        double deadline_least;  /**< s */
    } schedule;
    struct {
        double interval;  /**< s, between two writes of the run file */
        double patience;  /**< s, that the end waits for a directory that cannot be written */
        double heartbeat; /**< s, between two signs of life in the run directory */
        cop_job_strings accept_files; /**< of the model, that may differ at a resume */
    } checkpoint;
    char *source; /**< text of the job file */
    char *path;   /**< of the job file */
} cop_job;

/** Reads a job file and applies overrides [override_count], each "key=value" with the value in
 *  YAML ("population.size=40", "population.sigma=[0.001, 0.002]"). An unknown key is named with
 *  its line and the nearest known one; a value out of range with the range; a missing required
 *  key with an example. */
cop_status cop_job_load(const char *path, const char *const *overrides, size_t override_count,
                        cop_job **job, cop_error *err);

/** A job from its values alone, "key=value" [count] as cop_job_print_value() gives them: from a
 *  run file, say, whose path is `origin`. */
cop_status cop_job_restore(const char *origin, const char *const *values, size_t count,
                           cop_job **job, cop_error *err);

/** Number of keys, and the dotted name of key `index`. */
size_t cop_job_key_count(void);
const char *cop_job_key_name(size_t index);

/** True if key `index` takes part in the job's identity: another value gives another result. */
bool cop_job_key_is_identity(size_t index);

/** Bounds and default of a key that is a whole number. */
typedef struct cop_job_range {
    int64_t least, most, initial;
} cop_job_range;

/** Those of the key of that name, which is one that has a default: for an option of a command
 *  that means the same. */
cop_job_range cop_job_key_range(const char *name);

/** Appends the resolved value of key `index` as one line of YAML flow text, without the key.
 *  Given back as an override it is exactly the same value. */
cop_status cop_job_print_value(const cop_job *job, size_t index, cop_text *text,
                               cop_error *err);

/** The same of what programs did that did not know the key: its default, as a rule. Of keys
 * that have none the text means nothing. */
cop_status cop_job_print_before(size_t index, cop_text *text, cop_error *err);

/** Candidates that decide which examples say nothing (splits.drop_uninformative): the first
 *  splits.drop_after, or all where they are fewer. */
static inline size_t cop_job_judges(const cop_job *job)
{
    return (size_t)(job->splits.drop_after < job->population.size ? job->splits.drop_after
                                                                  : job->population.size);
}

/** Appends the documentation of all keys: name, type, unit, default, range, meaning. */
cop_status cop_job_print_keys(cop_text *text, cop_error *err);

/** Frees *job and sets it to NULL; NULL is allowed. */
void cop_job_destroy(cop_job **job);

#endif
