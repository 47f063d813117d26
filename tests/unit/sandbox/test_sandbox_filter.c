/* The filter by itself: every system call there is, tried in a process that has entered it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* These two answer the kernel's own probes only, which is why it does not ask a filter. */
enum { URETPROBE = 335, UPROBE = 336 };
enum { CALLS = 512, X32 = 0x40000000, SUCCEEDED = 200, NEGATIVE = 201 };

/* What comes back to the caller, with all arguments 0. */
static const long granted[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_close,
    SYS_fstat,
    SYS_lseek,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigpending,
    SYS_rt_sigreturn,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_getitimer,
    SYS_setitimer,
    SYS_restart_syscall,
    SYS_futex,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getrusage,
    SYS_getrlimit,
    SYS_ppoll,
    SYS_pselect6,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrandom,
    SYS_exit,
    SYS_exit_group,
    SYS_mmap,
    SYS_mprotect,
#ifdef __x86_64__
    SYS_pause,
    SYS_alarm,
    SYS_time,
    SYS_poll,
    SYS_select,
#endif
};

/* What fails and lets the caller go on. */
static const long failing[] = {
    SYS_faccessat,     SYS_faccessat2,   SYS_statx,        SYS_readlinkat, SYS_getcwd,
    SYS_ioctl,         SYS_fcntl,        SYS_uname,        SYS_sysinfo,    SYS_prlimit64,
    SYS_prctl,         SYS_membarrier,   SYS_openat,       SYS_newfstatat, SYS_statfs,
    SYS_chdir,         SYS_getgroups,    SYS_mkdirat,      SYS_unlinkat,   SYS_renameat2,
    SYS_linkat,        SYS_symlinkat,    SYS_mknodat,      SYS_fchmod,     SYS_fchmodat,
    SYS_fchown,        SYS_fchownat,     SYS_truncate,     SYS_ftruncate,  SYS_utimensat,
    SYS_clone,         SYS_clone3,       SYS_execve,       SYS_execveat,   SYS_wait4,
    SYS_waitid,        SYS_socket,       SYS_socketpair,   SYS_pipe2,      SYS_eventfd2,
    SYS_epoll_create1, SYS_memfd_create, SYS_dup,          SYS_dup3,       SYS_fsync,
    SYS_fdatasync,     SYS_renameat,
#ifdef __x86_64__
    SYS_access,        SYS_stat,         SYS_lstat,        SYS_readlink,   SYS_open,
    SYS_creat,         SYS_mkdir,        SYS_rmdir,        SYS_unlink,     SYS_rename,
    SYS_link,          SYS_symlink,      SYS_mknod,        SYS_chmod,      SYS_chown,
    SYS_lchown,        SYS_utime,        SYS_utimes,       SYS_fork,       SYS_vfork,
    SYS_pipe,          SYS_eventfd,      SYS_epoll_create, SYS_dup2,
#endif
};

static cop_filter filter;

typedef struct call {
    long number, a, b, c, d;
} call;

/* Makes a call behind the filter. \return how the process that did it ended. */
static int make_call(call one)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGILL, SIG_DFL); /* cmocka's handlers are not for this process */
        (void)signal(SIGSEGV, SIG_DFL);
        const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
        if (setitimer(ITIMER_REAL, &soon, NULL) != 0 || cop_filter_enter(&filter) != 0)
            _exit(1);
        const long result = syscall(one.number, one.a, one.b, one.c, one.d, 0L, 0L);
        _exit(result >= 0 ? SUCCEEDED : NEGATIVE);
    }
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return how;
}

static bool is_refused(call one)
{
    const int how = make_call(one);
    if (WIFEXITED(how)) assert_int_not_equal(WEXITSTATUS(how), 1);
    return WIFSIGNALED(how) && WTERMSIG(how) == SIGSYS;
}

static bool fails(call one)
{
    const int how = make_call(one);
    return WIFEXITED(how) && WEXITSTATUS(how) == NEGATIVE;
}

static bool succeeds(call one)
{
    const int how = make_call(one);
    return WIFEXITED(how) && WEXITSTATUS(how) == SUCCEEDED;
}

static bool contains(const long *list, size_t count, long number)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == number) return true;
    return false;
}

static void test_every_call(void **state)
{
    (void)state;
    for (long number = 0; number < CALLS; number++) {
        if (number == URETPROBE || number == UPROBE) continue;
        const bool lets_go_on = contains(failing, sizeof failing / sizeof *failing, number);
        const bool known =
            lets_go_on || contains(granted, sizeof granted / sizeof *granted, number);
        if (is_refused((call){.number = number}) == known)
            fail_msg("system call %ld is %s", number, known ? "refused" : "not refused");
        if (lets_go_on && !fails((call){.number = number}))
            fail_msg("system call %ld does not fail", number);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    char path[] = "/etc/passwd";
    const long at = (long)(intptr_t)path;
    const long none = (long)(intptr_t) "";
    char room[1024];
    const long info = (long)(intptr_t)room;
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_RDONLY, 0}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_RDONLY | O_CLOEXEC, 0}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_WRONLY, 0}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_RDWR, 0}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_RDONLY | O_CREAT, 0600}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_RDONLY | O_TRUNC, 0}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_RDONLY | O_APPEND, 0}));
    assert_true(fails((call){SYS_openat, AT_FDCWD, at, O_TMPFILE | O_RDWR, 0600}));
    assert_true(fails((call){SYS_newfstatat, AT_FDCWD, at, info, 0}));
    assert_true(succeeds((call){SYS_newfstatat, 0, none, info, AT_EMPTY_PATH}));
    assert_true(succeeds(
        (call){SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}));
    assert_true(is_refused(
        (call){SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}));
    assert_true(is_refused((call){SYS_mprotect, 0, 4096, PROT_EXEC, 0}));
}

/* The same processor has other tables of system calls. */
static void test_other_tables(void **state)
{
    (void)state;
#ifdef __x86_64__
    assert_true(is_refused((call){.number = X32 | SYS_getpid}));
    assert_true(is_refused((call){.number = X32 | SYS_socket}));
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enum { GETPID_32 = 20 };
        if (cop_filter_enter(&filter) != 0) _exit(1);
        long result = GETPID_32;
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how)); /* SIGSEGV where the kernel has no such table */
#else
    skip();
#endif
}

static void test_check(void **state)
{
    (void)state;
    cop_error err = {0};
    assert_int_equal(cop_filter_check(&filter, &err), COP_OK);
}

/* A filter that lets everything through is found out. */
static void test_check_finds_no_filter(void **state)
{
    (void)state;
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, 0x7fff0000u);
    const cop_filter open = {.program = {.len = 1, .filter = &allow}};
    cop_error err = {0};
    assert_int_equal(cop_filter_check(&open, &err), COP_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "does not keep to it"));
    const cop_filter empty = {.program = {.len = 0, .filter = &allow}};
    assert_int_equal(cop_filter_check(&empty, &err), COP_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, strerror(EINVAL)));
}

static int build(void **state)
{
    (void)state;
    return cop_filter_build(&filter, NULL) == COP_OK ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    cop_filter_free(&filter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_other_tables),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_finds_no_filter),
    };
    return cmocka_run_group_tests(tests, build, release);
}
