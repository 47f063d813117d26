/* A process may compute: manage its memory, read clocks, wait, and read and write what it was
 * given open. What ordinary programs may try fails with the error that they can expect: such a
 * call is not made, so that they learn nothing but that. Everything else, which only somebody
 * tries who wants out, is the end. */
#include "sandbox/filter.h"

#include "coppice/base/memory.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LARGEST_FILTER_BYTES = 1 << 20,
    API_LEVEL = 3, /* the first with SCMP_ACT_KILL_PROCESS */
};

/* No open, no socket, no clone, no exec, no kill. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(pause),
    SCMP_SYS(alarm),
    SCMP_SYS(getitimer),
    SCMP_SYS(setitimer),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrandom),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* What fails, as it would in an empty folder that nobody may write to, without the right to
 * have other processes, descriptors or connections. */
static const struct {
    int number, error;
} failing[] = {
    /* These look, and find nothing. */
    {SCMP_SYS(access), ENOENT},
    {SCMP_SYS(faccessat), ENOENT},
    {SCMP_SYS(faccessat2), ENOENT},
    {SCMP_SYS(stat), ENOENT},
    {SCMP_SYS(lstat), ENOENT},
    {SCMP_SYS(statx), ENOENT},
    {SCMP_SYS(statfs), ENOENT},
    {SCMP_SYS(readlink), ENOENT},
    {SCMP_SYS(readlinkat), ENOENT},
    {SCMP_SYS(getcwd), ENOENT},
    {SCMP_SYS(chdir), ENOENT},
    {SCMP_SYS(ioctl), ENOTTY},
    {SCMP_SYS(fcntl), EPERM},
    {SCMP_SYS(uname), EPERM},
    {SCMP_SYS(sysinfo), EPERM},
    {SCMP_SYS(prlimit64), EPERM},
    {SCMP_SYS(prctl), EPERM},
    {SCMP_SYS(getgroups), EPERM},
    {SCMP_SYS(membarrier), ENOSYS},
    /* Changes to files. */
    {SCMP_SYS(creat), EACCES},
    {SCMP_SYS(mkdir), EACCES},
    {SCMP_SYS(mkdirat), EACCES},
    {SCMP_SYS(rmdir), EACCES},
    {SCMP_SYS(unlink), EACCES},
    {SCMP_SYS(unlinkat), EACCES},
    {SCMP_SYS(rename), EACCES},
    {SCMP_SYS(renameat), EACCES},
    {SCMP_SYS(renameat2), EACCES},
    {SCMP_SYS(link), EACCES},
    {SCMP_SYS(linkat), EACCES},
    {SCMP_SYS(symlink), EACCES},
    {SCMP_SYS(symlinkat), EACCES},
    {SCMP_SYS(mknod), EACCES},
    {SCMP_SYS(mknodat), EACCES},
    {SCMP_SYS(chmod), EACCES},
    {SCMP_SYS(fchmod), EACCES},
    {SCMP_SYS(fchmodat), EACCES},
    {SCMP_SYS(chown), EACCES},
    {SCMP_SYS(lchown), EACCES},
    {SCMP_SYS(fchown), EACCES},
    {SCMP_SYS(fchownat), EACCES},
    {SCMP_SYS(truncate), EACCES},
    {SCMP_SYS(ftruncate), EACCES},
    {SCMP_SYS(utime), EACCES},
    {SCMP_SYS(utimes), EACCES},
    {SCMP_SYS(utimensat), EACCES},
    /* Other processes and threads. */
    {SCMP_SYS(fork), EPERM},
    {SCMP_SYS(vfork), EPERM},
    {SCMP_SYS(clone), EPERM},
    {SCMP_SYS(clone3), EPERM},
    {SCMP_SYS(execve), EACCES},
    {SCMP_SYS(execveat), EACCES},
    {SCMP_SYS(wait4), ECHILD},
    {SCMP_SYS(waitid), ECHILD},
    /* Descriptors. */
    {SCMP_SYS(socket), EACCES},
    {SCMP_SYS(socketpair), EACCES},
    {SCMP_SYS(pipe), EPERM},
    {SCMP_SYS(pipe2), EPERM},
    {SCMP_SYS(eventfd), EPERM},
    {SCMP_SYS(eventfd2), EPERM},
    {SCMP_SYS(epoll_create), EPERM},
    {SCMP_SYS(epoll_create1), EPERM},
    {SCMP_SYS(memfd_create), EPERM},
    {SCMP_SYS(dup), EPERM},
    {SCMP_SYS(dup2), EPERM},
    {SCMP_SYS(dup3), EPERM},
    {SCMP_SYS(fsync), EPERM},
    {SCMP_SYS(fdatasync), EPERM},
};

static int allow_simple(scmp_filter_ctx context)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed && failed == 0; i++)
        failed = seccomp_rule_add(context, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < sizeof failing / sizeof *failing && failed == 0; i++)
        failed = seccomp_rule_add(context, SCMP_ACT_ERRNO((unsigned)failing[i].error),
                                  failing[i].number, 0);
    return failed;
}

/* Calls that are right or wrong by their arguments: no memory to run code from, no open file.
 */
static int allow_by_arguments(scmp_filter_ctx context)
{
    const uint32_t no_entry = SCMP_ACT_ERRNO(ENOENT);
    const scmp_datum_t every = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
    const scmp_datum_t writes[] = {0, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND};
    const scmp_datum_t empty = AT_EMPTY_PATH;
    int failed = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (failed == 0)
        failed = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    for (size_t i = 0; failed == 0 && i < sizeof writes / sizeof *writes; i++) {
        const bool reads = writes[i] == 0;
        const uint32_t error = SCMP_ACT_ERRNO(reads ? ENOENT : EACCES);
        const scmp_datum_t mask = reads ? every : writes[i];
        failed = seccomp_rule_add(context, error, SCMP_SYS(open), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, mask, writes[i]));
        if (failed == 0)
            failed = seccomp_rule_add(context, error, SCMP_SYS(openat), 1,
                                      SCMP_A2(SCMP_CMP_MASKED_EQ, mask, writes[i]));
    }
    if (failed == 0) /* this is how glibc's fstat() asks */
        failed = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                                  SCMP_A3(SCMP_CMP_MASKED_EQ, empty, empty));
    if (failed == 0)
        failed = seccomp_rule_add(context, no_entry, SCMP_SYS(newfstatat), 1,
                                  SCMP_A3(SCMP_CMP_MASKED_EQ, empty, 0));
    return failed;
}

/* The compiled filter can only be had through a descriptor. */
static cop_status export_program(scmp_filter_ctx context, struct sock_fprog *program,
                                 cop_error *err)
{
    const int fd = memfd_create("filter", MFD_CLOEXEC);
    COP_CHECK(fd >= 0, err, COP_ERR_IO, "cannot create a memory file: %s", strerror(errno));
    int why = -seccomp_export_bpf(context, fd);
    struct stat info = {0};
    const size_t size = sizeof(struct sock_filter);
    if (why == 0 && fstat(fd, &info) != 0) why = errno;
    if (why == 0 && (info.st_size <= 0 || info.st_size > LARGEST_FILTER_BYTES)) why = EFBIG;
    if (why == 0) {
        program->filter = cop_memory_alloc((size_t)info.st_size / size, size, NULL);
        if (program->filter == NULL) why = ENOMEM;
    }
    if (why == 0) {
        const ssize_t got = pread(fd, program->filter, (size_t)info.st_size, 0);
        if (got != info.st_size) why = got < 0 ? errno : EIO;
    }
    (void)close(fd);
    COP_CHECK(why == 0, err, COP_ERR_INTERNAL, "libseccomp cannot compile the filter: %s",
              strerror(why));
    program->len = (unsigned short)((size_t)info.st_size / size);
    return COP_OK;
}

cop_status cop_filter_build(cop_filter *filter, cop_error *err)
{
    *filter = (cop_filter){0};
    /* The filter is compiled for any kernel; whether this one takes it, cop_filter_check()
     * sees. */
    (void)seccomp_api_set(API_LEVEL);
    /* Other architectures of the same processor (32 bits, x32) are a way around a filter. */
    scmp_filter_ctx const context = seccomp_init(SCMP_ACT_KILL_PROCESS);
    COP_CHECK(context != NULL, err, COP_ERR_MEMORY, "libseccomp cannot make a filter");
    int failed = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (failed == 0) failed = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (failed == 0) failed = allow_simple(context);
    if (failed == 0) failed = allow_by_arguments(context);
    cop_status status = COP_OK;
    if (failed != 0)
        status = cop_error_set(err, COP_ERR_UNSUPPORTED, "libseccomp refuses a rule: %s",
                               strerror(-failed));
    else
        status = export_program(context, &filter->program, err);
    seccomp_release(context);
    if (status != COP_OK) cop_filter_free(filter);
    return status;
}

int cop_filter_enter(const cop_filter *filter)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter->program) != 0) return errno;
    return 0;
}

cop_status cop_filter_check(const cop_filter *filter, cop_error *err)
{
    const pid_t pid = fork();
    COP_CHECK(pid >= 0, err, COP_ERR_IO, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        const int failed = cop_filter_enter(filter);
        if (failed != 0) _exit(failed);
        (void)kill(getpid(), 0);
        _exit(0);
    }
    int how = 0;
    while (waitpid(pid, &how, 0) < 0)
        COP_CHECK(errno == EINTR, err, COP_ERR_IO, "cannot wait for a process: %s",
                  strerror(errno));
    if (WIFSIGNALED(how) && WTERMSIG(how) == SIGSYS) return COP_OK;
    const char *const reason = WIFEXITED(how) && WEXITSTATUS(how) != 0
                                   ? strerror(WEXITSTATUS(how))
                                   : "the kernel takes the filter but does not keep to it";
    return cop_error_set(err, COP_ERR_UNSUPPORTED,
                         "seccomp cannot be set up, so no program is run: %s (it needs a "
                         "kernel with CONFIG_SECCOMP_FILTER, and a container that allows it)",
                         reason);
}

void cop_filter_free(cop_filter *filter)
{
    cop_memory_free(filter->program.filter);
    *filter = (cop_filter){0};
}
