/* A seal tells damage, not malice: a stranger can seal what he likes, and HDF5 1.10 can be made
 * to free memory that it never had. So HDF5 decodes in a child that holds nothing (one pipe)
 * and may do nothing (a system call filter leaves memory and that pipe), and writes the tree
 * into the pipe. The parent reads it as hostile: every length is checked, and without the last
 * record the file counts as damaged.
 *
 * The stream: records, each a head and then path, unit, meaning and the array's bytes (texts
 * one after the other with their NULs); the last record's path is empty, its array the digest
 * of the content. A failure is a record of its own with the message in the place of the path.
 */
#include "store/decode_apart.h"

#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "store/hdf_decode.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPU_LIMIT_S = 600, NO_TEXT = -1 };

typedef enum record_kind { RECORD_ARRAY = 1, RECORD_END, RECORD_FAILURE } record_kind;

typedef struct record_head {
    int32_t kind, status; /* status: of a failure */
    int32_t type, rank;
    uint64_t shape[COP_STORE_MAX_RANK];
    int32_t path_bytes, unit_bytes, meaning_bytes; /* NO_TEXT: none */
    int32_t padding;
    uint64_t array_bytes;
} record_head;

/* --- the child --- */

/* Nothing but memory, the pipe, time and the end; all else fails with EPERM. */
static bool forbid_system_calls(void)
{
#define ALLOW(name)                                        \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    static const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(write),
        ALLOW(brk),
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(futex),
        ALLOW(clock_gettime),
        ALLOW(gettimeofday),
        ALLOW(rt_sigreturn),
        ALLOW(rt_sigprocmask),
        ALLOW(getpid),
        ALLOW(gettid),
        ALLOW(exit),
        ALLOW(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)};
#undef ALLOW
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0]};
    /* The kernel's interface is not const. */
    memcpy(&filter.filter, &(const struct sock_filter *){program}, sizeof filter.filter);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void limit(int resource, rlim_t most)
{
    const struct rlimit bound = {most, most};
    (void)setrlimit(resource, &bound); /* what cannot be bounded is forbidden all the same */
}

/* Gives up all that the parent has. `pipe` becomes descriptor 0. */
static bool give_up(int pipe)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        (void)signal(fatal[i], SIG_DFL);
    if (pipe != 0 && dup2(pipe, 0) < 0) return false;
    const long most = sysconf(_SC_OPEN_MAX);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 1U, ~0U, 0U) != 0)
#endif
        for (int fd = 1; fd < (most > 0 && most < 65536 ? (int)most : 65536); fd++)
            (void)close(fd);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_DUMPABLE, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CPU, CPU_LIMIT_S);
    return forbid_system_calls();
}

static bool put(const void *data, size_t bytes)
{
    return cop_file_write(0, data, bytes) == 0;
}

static int32_t length_of(const char *text)
{
    return text == NULL ? NO_TEXT : (int32_t)strlen(text);
}

static bool put_text(const char *text)
{
    return text == NULL || put(text, strlen(text));
}

static bool put_texts(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!put(texts[i], strlen(texts[i]) + 1)) return false;
    }
    return true;
}

static bool put_entry(const cop_store_entry *entry)
{
    const cop_store_array *const array = &entry->array;
    size_t count = 0;
    size_t bytes = 0;
    if (cop_store_array_size(array, &count, &bytes, NULL) != COP_OK) return false;
    const char *const *const texts = array->type == COP_STORE_TEXT ? array->data : NULL;
    if (texts != NULL) {
        bytes = 0;
        for (size_t i = 0; i < count; i++)
            bytes += strlen(texts[i]) + 1;
    }
    record_head head = {.kind = RECORD_ARRAY,
                        .type = (int32_t)array->type,
                        .rank = array->rank,
                        .path_bytes = length_of(entry->path),
                        .unit_bytes = length_of(entry->unit),
                        .meaning_bytes = length_of(entry->meaning),
                        .array_bytes = bytes};
    memcpy(head.shape, array->shape, sizeof head.shape);
    return put(&head, sizeof head) && put_text(entry->path) && put_text(entry->unit) &&
           put_text(entry->meaning) &&
           (texts != NULL ? put_texts(texts, count) : put(array->data, bytes));
}

/* The child's life. */
static bool decode_into_pipe(int pipe, const unsigned char *bytes, size_t length)
{
    cop_store *store = NULL;
    char digest[COP_DIGEST_HEX_BYTES] = "";
    cop_error err = {0};
    if (!give_up(pipe)) return false;
    const cop_status status = cop_store_hdf_decode(bytes, length, &store, digest, &err);
    if (status != COP_OK) {
        const record_head head = {.kind = RECORD_FAILURE,
                                  .status = (int32_t)status,
                                  .path_bytes = length_of(err.message),
                                  .unit_bytes = NO_TEXT,
                                  .meaning_bytes = NO_TEXT};
        return put(&head, sizeof head) && put_text(err.message);
    }
    for (size_t i = 0; i < store->count; i++) {
        if (!put_entry(store->entries[i])) return false;
    }
    const record_head head = {.kind = RECORD_END,
                              .unit_bytes = NO_TEXT,
                              .meaning_bytes = NO_TEXT,
                              .array_bytes = sizeof digest};
    return put(&head, sizeof head) && put(digest, sizeof digest);
}

/* --- the parent --- */

typedef struct source {
    int pipe;
    size_t most_bytes; /* of one array: the decoder allows none that is larger than the file */
} source;

static cop_status get(const source *from, void *data, size_t bytes, cop_error *err)
{
    char *at = data;
    while (bytes > 0) {
        const ssize_t done = read(from->pipe, at, bytes);
        if (done < 0 && errno == EINTR) continue;
        COP_CHECK(
            done > 0, err, COP_ERR_FORMAT,
            "damaged, or made to do harm: HDF5 did not survive reading it, in a process of "
            "its own; do not use this file");
        at += done;
        bytes -= (size_t)done;
    }
    return COP_OK;
}

/* A text of `length` bytes; *text is NULL for none. */
static cop_status get_text(const source *from, int32_t length, size_t most, char **text,
                           cop_error *err)
{
    *text = NULL;
    if (length == NO_TEXT) return COP_OK;
    COP_CHECK(length >= 0 && (size_t)length <= most, err, COP_ERR_FORMAT,
              "a text of %d bytes in a run file", (int)length);
    *text = cop_memory_alloc((size_t)length + 1, 1, err);
    return *text == NULL ? COP_ERR_MEMORY : get(from, *text, (size_t)length, err);
}

/* Pointers to the texts [count] in data [bytes]. */
static cop_status split_texts(const char *data, size_t bytes, size_t count, const char ***texts,
                              cop_error *err)
{
    COP_CHECK(count <= bytes && (bytes == 0 || data[bytes - 1] == '\0'), err, COP_ERR_FORMAT,
              "%zu texts in %zu bytes of a run file", count, bytes);
    *texts = cop_memory_alloc(count, sizeof **texts, err);
    if (*texts == NULL) return COP_ERR_MEMORY;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        COP_CHECK(at < bytes, err, COP_ERR_FORMAT, "too few texts in a run file");
        (*texts)[i] = data + at;
        at += strlen(data + at) + 1;
    }
    return COP_OK;
}

static cop_status set_array(cop_store *store, const char *path, cop_store_array *array,
                            char *data, size_t bytes, const char *unit, const char *meaning,
                            cop_error *err)
{
    size_t count = 0;
    size_t own_bytes = 0;
    const char **texts = NULL;
    COP_TRY(cop_store_array_size(array, &count, &own_bytes, err));
    COP_CHECK(array->type == COP_STORE_TEXT || own_bytes == bytes, err, COP_ERR_FORMAT,
              "an array of %zu bytes where its shape has %zu", bytes, own_bytes);
    array->data = data;
    cop_status status = COP_OK;
    if (array->type == COP_STORE_TEXT) {
        status = split_texts(data, bytes, count, &texts, err);
        array->data = texts;
    }
    if (status == COP_OK) status = cop_store_set(store, path, array, unit, meaning, err);
    cop_memory_free(texts);
    return status;
}

static cop_status get_entry(const source *from, const record_head *head, cop_store *store,
                            cop_error *err)
{
    cop_store_array array = {.type = (cop_store_type)head->type, .rank = head->rank};
    char *texts[3] = {NULL, NULL, NULL};
    char *data = NULL;
    cop_status status = COP_OK;
    memcpy(array.shape, head->shape, sizeof array.shape);
    const int32_t lengths[3] = {head->path_bytes, head->unit_bytes, head->meaning_bytes};
    for (size_t i = 0; i < 3; i++)
        COP_TRY_OUT(get_text(from, lengths[i], from->most_bytes, &texts[i], err));
    if (head->array_bytes > from->most_bytes || texts[0] == NULL) {
        status = cop_error_set(err, COP_ERR_FORMAT, "an array larger than its run file");
        goto out;
    }
    data = cop_memory_alloc_raw((size_t)head->array_bytes, 1, err);
    if (data == NULL) {
        status = COP_ERR_MEMORY;
        goto out;
    }
    COP_TRY_OUT(get(from, data, (size_t)head->array_bytes, err));
    status = set_array(store, texts[0], &array, data, (size_t)head->array_bytes, texts[1],
                       texts[2], err);
out:
    cop_memory_free(data);
    for (size_t i = 0; i < 3; i++)
        cop_memory_free(texts[i]);
    return status;
}

/* The status and message that the child gives for its failure. */
static cop_status get_failure(const source *from, const record_head *head, cop_error *err)
{
    char *message = NULL;
    cop_status status = get_text(from, head->path_bytes, sizeof err->message, &message, err);
    if (status == COP_OK) {
        status = head->status == (int32_t)COP_ERR_MEMORY ? COP_ERR_MEMORY : COP_ERR_FORMAT;
        (void)cop_error_set(err, status, "%s", message == NULL ? "unreadable" : message);
    }
    cop_memory_free(message);
    return status;
}

static cop_status get_tree(const source *from, cop_store *store,
                           char digest[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    for (;;) {
        record_head head;
        COP_TRY(get(from, &head, sizeof head, err));
        if (head.kind == RECORD_FAILURE) return get_failure(from, &head, err);
        if (head.kind == RECORD_END) break;
        COP_CHECK(head.kind == RECORD_ARRAY, err, COP_ERR_FORMAT, "no part of a run file");
        COP_TRY(get_entry(from, &head, store, err));
    }
    COP_TRY(get(from, digest, COP_DIGEST_HEX_BYTES, err));
    digest[COP_DIGEST_HEX_BYTES - 1] = '\0';
    return COP_OK;
}

cop_status cop_store_decode_apart(const unsigned char *bytes, size_t length, cop_store **store,
                                  char digest[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    int ends[2];
    *store = NULL;
    COP_CHECK(pipe2(ends, O_CLOEXEC) == 0, err, COP_ERR_IO, "no pipe: %s", strerror(errno));
    const pid_t child = fork();
    if (child == 0) _exit(decode_into_pipe(ends[1], bytes, length) ? 0 : 1);
    (void)close(ends[1]);
    const source from = {.pipe = ends[0], .most_bytes = 2 * length + 4096};
    cop_status status = child < 0
                            ? cop_error_set(err, COP_ERR_IO, "no process: %s", strerror(errno))
                            : cop_store_create(store, err);
    if (status == COP_OK) status = get_tree(&from, *store, digest, err);
    (void)close(ends[0]);
    if (child > 0) {
        (void)kill(child, SIGKILL); /* it has no more to say */
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (status != COP_OK) cop_store_destroy(store);
    return status;
}
