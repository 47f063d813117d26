/** \file status.h
 * Statuses, error messages and exit codes.
 *
 * The error contract of the whole project: a function that can fail returns a ::cop_status and
 * takes a `cop_error *err` as its last parameter. On success it returns COP_OK and leaves *err
 * alone. On failure it returns another status, *err holds the same status and a message that
 * names the file, key or rank concerned and, where there is one, the remedy; out-parameters are
 * then NULL or zero unless the prototype says otherwise. `err` may be NULL: the message is
 * lost. Asserts are for programmer errors only.
 */
#ifndef COPPICE_BASE_STATUS_H
#define COPPICE_BASE_STATUS_H

/* X(name, exit code of the program, short description) */
#define COP_STATUS_LIST(X)                                                                \
    X(COP_OK, 0, "success")                                                               \
    X(COP_ERR_INTERNAL, 1, "internal error: please report it")                            \
    X(COP_ERR_USAGE, 2, "wrong command line")                                             \
    X(COP_ERR_CONFIG, 3, "wrong key or value in the job file")                            \
    X(COP_ERR_FORMAT, 4,                                                                  \
      "a model, tokenizer, data or recipe file is missing parts or damaged")              \
    X(COP_ERR_UNSUPPORTED, 5, "a valid input asks for something that is not implemented") \
    X(COP_ERR_IO, 6, "reading or writing a file failed")                                  \
    X(COP_ERR_MEMORY, 7, "not enough memory")                                             \
    X(COP_ERR_MISMATCH, 8,                                                                \
      "the run directory or recipe belongs to another job, model or data")                \
    X(COP_ERR_NUMERIC, 9, "logits or scores are not finite")                              \
    X(COP_ERR_BACKEND, 10, "the compute backend failed")                                  \
    X(COP_ERR_MPI, 11, "an MPI call failed")                                              \
    X(COP_ERR_UNIT, 12, "a unit of work failed on every attempt")                         \
    X(COP_ERR_BUSY, 13, "another job is using the run directory, or took it over")        \
    X(COP_INTERRUPTED, 75, "stopped before its end; run the same command again to continue")

#define COP_STATUS_ENUM(name, exit_code, text) name,
typedef enum cop_status { COP_STATUS_LIST(COP_STATUS_ENUM) COP_STATUS_COUNT } cop_status;
#undef COP_STATUS_ENUM

enum { COP_ERROR_MESSAGE_BYTES = 1024 };

/** A status with its message. Owned by the caller, usually on the stack; start from {0}. */
typedef struct cop_error {
    cop_status status;
    char message[COP_ERROR_MESSAGE_BYTES]; /**< NUL-terminated UTF-8, cut if longer */
} cop_error;

/** Short description of a status; never NULL. */
const char *cop_status_text(cop_status status);

/** The status's name, for example "COP_ERR_IO"; never NULL. */
const char *cop_status_name(cop_status status);

/** Exit code of the program that ends with this status. */
int cop_status_exit_code(cop_status status);

/** Sets *err (if not NULL) to `status` and the printf-style message.
 *  \return `status`, so that a function can end in `return cop_error_set(...)`. */
cop_status cop_error_set(cop_error *err, cop_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Puts "context: " before the message of *err; used by callers that know the file or key.
 *  \return err->status, or COP_ERR_INTERNAL if err is NULL. */
cop_status cop_error_prefix(cop_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Returns from the calling function with the status of `expression` if it is not COP_OK. */
#define COP_TRY(expression)                                    \
    do {                                                       \
        const cop_status cop_try_status_ = (expression);       \
        if (cop_try_status_ != COP_OK) return cop_try_status_; \
    } while (0)

/** Sets `status` and jumps to the label `out` if `expression` is not COP_OK; for functions that
 *  own more than one resource. Needs a local `cop_status status`. */
#define COP_TRY_OUT(expression)         \
    do {                                \
        status = (expression);          \
        if (status != COP_OK) goto out; \
    } while (0)

/** Fails the calling function with a message unless `condition` holds. */
#define COP_CHECK(condition, err, status_code, ...)                                \
    do {                                                                           \
        if (!(condition)) return cop_error_set((err), (status_code), __VA_ARGS__); \
    } while (0)

#endif
